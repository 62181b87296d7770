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

-- A part of a name, which may come from outside: without "/" and "*", which mean something here, and not too long.
local function plain(text)
  if not text or text == "" then return nil end
  local out = string.sub(text, 1, 80)
  for i = 1, #out do
    local c = string.sub(out, i, i)
    if c == "/" or c == "*" then out = string.sub(out, 1, i - 1) .. "|" .. string.sub(out, i + 1) end
  end
  return out
end

return policy { api = 1, name = "tenants",
  scopes = function(req)
    local org, team, user = plain(req.org), plain(req.team), plain(req.user)
    local list, inside = {}, org and org .. "/" or ""
    if org then list[1] = "org:" .. org end
    if team then list[#list + 1] = "team:" .. inside .. team end
    if user then list[#list + 1] = "user:" .. inside .. user end
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
