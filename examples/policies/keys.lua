-- Spread the load over several keys of one provider, each with its own quota.
--
-- The lesson: a name is what has a quota, and what the name means to your client is up to you. Give every key's share
-- of a model a name of its own in the overrides, like gpt-4o@key1, with the numbers and the law of the provider:
--   local TIER1 = { rpm = 500, tpm = 30000, law = "bucket", charged = "reserved" }
--   local SMALL = { rpm = 500, tpm = 200000, law = "bucket", charged = "reserved" }
--   return { ["gpt-4o@key1"] = TIER1, ["gpt-4o@key2"] = TIER1, ["gpt-4o-mini@key1"] = SMALL }
-- and let your client take the key from behind the "@" of the model that is admitted. The caller lists all of them.
-- This route keeps the order of the models, and takes of each model's keys the one with the most room. To the limiter
-- these models are of one provider, "custom", though their keys are several. So an answer about a credential or a
-- family must not cool them all: the rules are asked what to do about the model alone, and the next model of a key
-- that is spent is found out by one refusal of its own.

-- The part before the "@".
local function model_of(name)
  for i = 1, #name do
    if string.sub(name, i, i) == "@" then return string.sub(name, 1, i - 1) end
  end
  return name
end

return policy { api = 1, name = "keys",
  route = function(_, pool)
    local plan, first, group, room, rank = {}, {}, {}, {}, {}
    for i, m in ipairs(pool) do
      local model = model_of(m.name)
      first[model] = first[model] or i
      plan[i], group[m], room[m], rank[m] = m, first[model], m:room(), i
    end
    table.sort(plan, function(a, b)
      if group[a] ~= group[b] then return group[a] < group[b] end
      if room[a] ~= room[b] then return room[a] > room[b] end
      return rank[a] < rank[b]
    end)
    return plan
  end,

  result = function(req, m, r)
    return default_result(req, m, { kind = r.kind, retry_after = r.retry_after, live = r.live, random = r.random })
  end,

  test = function(t)
    local w = t { models = { ["big@k1"] = { rpm = 2 }, ["big@k2"] = { rpm = 2 }, ["small@k1"] = { rpm = 2 } } }
    local list = { "big@k1", "small@k1", "big@k2" }
    for _, expected in ipairs { "big@k1", "big@k2", "big@k1", "big@k2", "small@k1" } do
      assert(w:acquire(list, {}) == expected, "the keys of big in turn, then small")
    end
    w:advance(61)
    assert(w:acquire(list, {}) == "big@k1")
    w:answer { kind = "quota", scope = "credential" }
    assert(w:acquire(list, {}) == "big@k2", "the other key is not spent")
  end,
}
