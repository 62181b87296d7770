-- Tenants: a call counts against the quota of its organisation, its team and its user, together with the model's.
--
-- The lesson: a scope is somebody who has limits of their own. All scopes of a call are charged at once or not at all:
-- a user who is over the limit takes nothing from the team, and a model without room takes nothing from anybody. The
-- numbers are not here but in your overrides, where they can be changed without touching a rule:
--   return { ["org:*"] = { rpm = 600 }, ["team:acme/search"] = { tpm = 100000 }, ["team:*"] = { tpm = 20000 },
--            ["user:*"] = { rpm = 20, cost = usd(5)/day } }
-- A scope that has no numbers there is not limited ("user:*" gives them to whoever has none of their own). The tags
-- of a request (org, team, user) name who asks; teams and users are named within their organisation, so that two teams
-- called "search" are two.

return policy { api = 1, name = "tenants",
  scopes = function(req)
    local list, inside = {}, ""
    if req.org then
      list[1] = "org:" .. req.org
      inside = req.org .. "/"
    end
    if req.team then list[#list + 1] = "team:" .. inside .. req.team end
    if req.user then list[#list + 1] = "user:" .. inside .. req.user end
    return list
  end,

  test = function(t)
    local w = t { models = { m = { rpm = 100 }, ["org:acme"] = { rpm = 3 }, ["team:*"] = { rpm = 2 },
      ["user:acme/ann"] = { rpm = 1 }, ["user:*"] = { rpm = 9 } } }
    local function ask(team, user) return w:acquire({ "m" }, { org = "acme", team = team, user = user }) end
    assert(ask("search", "ann") == "m")
    for _ = 1, 5 do assert(ask("search", "ann") == nil, "ann has had her one") end
    assert(ask("search", "bob") == "m", "and her refusals took nothing from the team")
    assert(ask("search", "bob") == nil, "the team is full")
    assert(ask("ads", "bob") == "m", "and its refusal took nothing from the organisation")
    assert(ask("ads", "bob") == nil, "which is full now")
    assert(w:acquire({ "m" }, {}) == "m", "a call without tags is nobody's")
  end,
}
