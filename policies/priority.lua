-- The default policy: the first model of your list that has room, in the order in which you wrote it.
--
-- The lesson: a policy without a route hook keeps the caller's order and costs nothing. The engine walks the list in C
-- and does not enter Lua for a decision. Write a route only when the order should depend on something that you cannot
-- know when you write the list: how full the models are, what they cost today, whose session this is. The test runs
-- once, when the policy is loaded, in virtual time; it is worth having even where there is nothing to go wrong.

return policy { api = 1, name = "priority",
  test = function(t)
    local w = t { models = { a = { rpm = 1 }, b = { rpm = 1 } } }
    assert(w:acquire({ "b", "a" }, { tokens = 10 }) == "b")
    assert(w:acquire({ "b", "a" }, { tokens = 10 }) == "a", "what is full passes on to the next")
    assert(w:acquire({ "b", "a" }, { tokens = 10 }) == nil)
    w:advance(61)
    assert(w:acquire({ "b", "a" }, { tokens = 10 }) == "b")
  end,
}
