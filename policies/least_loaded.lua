-- Least loaded: the model with the largest share of its limits left comes first.
--
-- The lesson: a list that is always walked from its head runs every model into its limit before it touches the next,
-- and then one burst is refused by all of them. Going where the most room is keeps them all away from their limits,
-- which is right when the models are equals; where they are not, let the caller's order stand (priority) or weigh it
-- (weighted). m:room() is of the tightest limit, reservations and the request's scopes included: a model with its
-- minute empty and its day nearly spent is full. Another thread may take the room before we do; then the engine goes
-- on to the next.

return policy { api = 1, name = "least_loaded",
  route = function(_, pool)
    local plan, room, rank = {}, {}, {}
    for i, m in ipairs(pool) do
      plan[i], room[m], rank[m] = m, m:room(), i -- asked once: sorting compares often
    end
    table.sort(plan, function(a, b)
      if room[a] ~= room[b] then return room[a] > room[b] end
      return rank[a] < rank[b] -- equals keep the caller's order; table.sort alone promises none
    end)
    return plan
  end,

  test = function(t)
    local w = t { models = { a = { rpm = 10, rpd = 12 }, b = { rpm = 2 } } }
    assert(w:acquire({ "a", "b" }, {}) == "a")
    assert(w:acquire({ "a", "b" }, {}) == "b", "a has nine tenths left, b all")
    assert(w:acquire({ "a", "b" }, {}) == "a", "b has one half left")
    w:advance(61)
    assert(w:acquire({ "a", "b" }, {}) == "b", "the day of a is not over")
  end,
}
