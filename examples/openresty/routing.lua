-- Who is charged besides the model, and which model is tried first. In force within a second after this file has been
-- saved; one that is wrong, or whose test fails, is told in the error log, and changes nothing.

return policy { api = 1, name = "gateway",
  scopes = function(req)
    return req.tenant and { "tenant:" .. req.tenant }
  end,

  -- Models of the provider that the tenant prefers go first; else the order is that of config.lua.
  route = function(req, pool)
    local plan = {}
    for _, m in ipairs(pool) do
      if m.provider == req.prefer then plan[#plan + 1] = m end
    end
    for _, m in ipairs(pool) do
      if m.provider ~= req.prefer then plan[#plan + 1] = m end
    end
    return plan
  end,

  test = function(t)
    local w = t { models = { a = { rpm = 9 }, ["tenant:acme"] = { rpm = 1 }, ["tenant:*"] = { rpm = 2 } } }
    assert(w:acquire({ "a" }, { tenant = "acme" }) == "a")
    assert(w:acquire({ "a" }, { tenant = "acme" }) == nil, "acme has had its one")
    assert(w:acquire({ "a" }, { tenant = "zoo" }) == "a", "which takes nothing from others")
  end,
}
