-- The default policy: the first model of your list that has room, in the order in which you wrote it.
--
-- The lesson: a policy without a route hook keeps the caller's order and costs nothing. The engine walks the list in C
-- and does not enter Lua for a decision. Write a route only when the order should depend on something that you cannot
-- know when you write the list: how full the models are, what they cost today, whose session this is.

return policy { api = 1, name = "priority" }
