-- The Lua kernel: quota tables, a tier, overrides and a policy in, one set of plain data out.
--
--   local set, err = kernel.load { modality =, tier =, account =, quotas = { {file=, text=} }, overrides =, policy =,
--                                  guard =, compile = function(text, chunkname, env) -> fn | nil, message,
--                                  call = function(chunk) -> true, value | false, message,
--                                  json = function(text) -> table | nil, what is wrong, line or keys,
--                                  zone_error = function(name) -> nil | what is wrong with a time zone,
--                                  local_time = function(instant, zone) -> { year, month, day, hour, minute, weekday }
--                                                                        | nil, what is wrong with the zone }
--   set = { models = { { name, provider, scope, blocked, weight, price, limits } }, aliases, known,
--           scopes = { { name, limits } }, policy = { name, file, and the hooks that it has } }
--   err = { code = "ECONFIG" | "UNKNOWN_TIER", file, line, field, message }
--
-- A set is the same in every Lua, whatever the order of pairs: lists are sorted, and no key is made of a number. A load
-- either succeeds as a whole or returns what is wrong and has no effect.
-- Written in the subset common to Lua 5.1 to 5.4 and LuaJIT. Called by the hosts, in C and in Lua.

local book = require "llm_limiters.book"
local fault = require "llm_limiters.fault"
local limits = require "llm_limiters.limits"
local names = require "llm_limiters.names"
local overrides = require "llm_limiters.overrides"
local policy = require "llm_limiters.policy"
local quota = require "llm_limiters.quota"
local result = require "llm_limiters.result"
local scopes = require "llm_limiters.scopes"
local tiers = require "llm_limiters.tiers"
local trial = require "llm_limiters.trial"
local words = require "llm_limiters.words"

local kernel = {}

local find = string.find

local GUARD = 0.1 -- seconds: the jitter between a decision and the provider's count

local function check_spec(spec)
  if not quota.is_modality(spec.modality) then
    fault.raise("ECONFIG", "modality must be one of audio, image, live, text, not " .. fault.show(spec.modality) .. ".",
      nil, nil, "modality")
  end
  if type(spec.account) ~= "string" or not find(spec.account, "^[^%c/]+$") then
    fault.raise("ECONFIG", "account must be a name without \"/\" and control characters, not "
      .. fault.show(spec.account) .. ".", nil, nil, "account")
  end
  local guard = spec.guard
  if guard ~= nil and not (type(guard) == "number" and guard >= 0 and guard < math.huge) then
    fault.raise("ECONFIG", "guard must be a number of seconds from 0, not " .. fault.show(guard) .. ".", nil, nil,
      "guard")
  end
end

local function run_quotas(spec)
  local tables, existing, providers = {}, {}, {}
  for i, src in ipairs(spec.quotas) do
    local one = quota.run(src, spec)
    for tier in pairs(one.tiers) do existing[tier] = true end
    providers[one.provider] = true
    tables[i] = one
  end
  return tables, tiers.choose(spec.tier, existing, providers)
end

local function build(spec)
  check_spec(spec)
  local guard = spec.guard or GUARD
  local tables, tier_of = run_quotas(spec)
  local into = book.new(spec.account)
  for _, one in ipairs(tables) do
    if one.modality == spec.modality then quota.fill(one, into, tier_of(one.provider), guard) end
  end
  local further = {}
  if spec.overrides then further = overrides.apply(into, spec.overrides, spec, guard) end
  for _, row in pairs(into.rows) do limits.plain(row.limits) end
  local models = {}
  for i, name in ipairs(names.sorted(into.models)) do
    local model = into.models[name]
    local head = into.models[model.home.family] or model -- says what others of its family do not say themselves
    models[i] = {
      name = name, provider = model.home.provider, scope = model.row.scope, blocked = model.blocked,
      weight = model.weight or head.weight or 1, price = model.price or head.price,
      limits = model.row.limits,
    }
  end
  return {
    models = models,
    aliases = into.aliases,
    known = into.known,
    scopes = further,
    policy = policy.run(spec.policy, spec),
  }
end

function kernel.load(spec)
  local ok, set = pcall(build, spec)
  if ok then return set end
  if fault.caught(set) then return nil, set end
  error(set, 0)
end

local function told(value, message)
  if value then return value end
  error(message, 0)
end

-- What the scopes hook of the set's policy returned, as scopes.read; what its result hook returned about m, as
-- result.read; and the text of a test's models. They raise a sentence.
function kernel.scopes(set, value)
  return told(scopes.read(value, set.policy.file))
end

function kernel.actions(set, value, m)
  return told(result.read(value, m, set.policy.file))
end

kernel.trial = trial.text

-- What a hook returned, for a message of the host.
kernel.show = words.show

-- The rules of a policy without a result hook.
kernel.default_result = result.default

-- The canonical name of a model by any of its spellings, dated snapshots included, or nil if no table knows it.
function kernel.resolve(set, name)
  return book.resolve(set.known, set.aliases, name)
end

-- The known name that is nearest to a wrong one, or nil when none is near.
function kernel.nearest(set, name)
  local list = names.sorted(set.known)
  return names.nearest(name, list) or names.akin(name, list)
end

return kernel
