-- Weighted: every request draws its model, each as often as its weight says.
--
-- The lesson: the caller's list tells which model is better, and then all of the load falls on the first until it is
-- full. Weights tell how much each should carry: 95 and 5 try a new model on a twentieth of the traffic, 1 and 1 use
-- two accounts evenly. They stand beside the limits: ["gpt-4o"] = { weight = 3 }. The plan holds every model, in an
-- order that is drawn too, so that what does not fit passes on by weight. One random number is enough for all draws:
-- what is left of it behind a choice, stretched, is as random as it was before.

return policy { api = 1, name = "weighted",
  route = function(req, pool)
    local left, total, plan = {}, 0, {}
    for i, m in ipairs(pool) do
      left[i] = { m = m, weight = m.weight }
      total = total + m.weight
    end
    local random = req.random
    while #left > 0 do
      local at, point = 1, random * total
      while at < #left and point >= left[at].weight do
        point = point - left[at].weight
        at = at + 1
      end
      local drawn = table.remove(left, at)
      plan[#plan + 1] = drawn.m
      random, total = point / drawn.weight, total - drawn.weight
    end
    return plan
  end,

  test = function(t)
    local w = t { models = { a = { rpm = 1000, weight = 3 }, b = { rpm = 1000 }, c = { rpm = 1, weight = 1e9 } } }
    assert(w:acquire({ "a", "b", "c" }, {}) == "c")
    local drawn = { a = 0, b = 0 }
    for _ = 1, 100 do
      local name = w:acquire({ "a", "b", "c" }, {}) -- c is full, and its share goes to the others
      drawn[name] = drawn[name] + 1
    end
    assert(drawn.a > drawn.b and drawn.b > 0, "three of four go to a")
  end,
}
