-- Overrides: a table of the user's own numbers, laid over the tier in force.
--
--   return {
--     ["gpt-4o"]   = { rpm = 100, tpd = 0 },         replaces the requests per minute, takes the tokens per day away
--     ["in-house"] = { rpm = 20, sessions = 4 },     a model that no table knows: it is added
--     ["team:acme"] = { rpm = 60 },                  a scope's limits; "team:*" for any of its kind
--   }
--
-- They win model by model and limit by limit: a limit replaces those of its meter over the same span, whatever their
-- law; what is not mentioned stays. Models of a family share one row, so an override of one is an override of all, and
-- two that touch the same row contradict each other. For kernel.load only.

local book = require "llm_limiters.book"
local fault = require "llm_limiters.fault"
local limits = require "llm_limiters.limits"
local names = require "llm_limiters.names"
local providers = require "llm_limiters.providers"
local script = require "llm_limiters.script"
local words = require "llm_limiters.words"

local overrides = {}

local find, format, lower, match = string.find, string.format, string.lower, string.match

local CUSTOM = "custom"
local KINDS = { "key", "org", "team", "tenant", "user" }
local SCOPE_MAX = 255
local EXAMPLE = "return { [\"in-house\"] = { rpm = 20 } }"

local is_kind = {}
for _, kind in ipairs(KINDS) do is_kind[kind] = true end

-- The row's limits with those of the entry in their place.
local function merge(row, read, place)
  local merged = {}
  for _, old in ipairs(row.limits) do
    local replaced = false
    for _, new in ipairs(read.limits) do replaced = replaced or limits.replaces(new, old) end
    if not replaced then
      if read.guard then limits.set_guard(old, read.guard, place, "guard") end
      merged[#merged + 1] = old
    end
  end
  for _, new in ipairs(read.limits) do
    if new.amount then merged[#merged + 1] = new end
  end
  limits.check_count(merged, place)
  row.limits = merged
end

-- Names are case-sensitive, but nobody means to add a model whose name differs from a known one by that alone.
local function refuse_other_case(spelt, key, place)
  local name = spelt[lower(key)]
  if name then
    fault.about(place, "differs from a known model only by case; did you mean \"" .. name .. "\"?")
  end
  spelt[lower(key)] = key
end

local function override_model(into, key, entry, src, guard, touched, spelt)
  local place = { source = src, path = { key }, what = "of model " .. fault.show(key) }
  local name = book.resolve(into.known, into.aliases, key)
  if not name then
    refuse_other_case(spelt, key, place)
    name = key
    book.add_name(into, name, CUSTOM, name, place)
  end
  local provider = providers.of(into.homes[name].provider)
  local defaults = { law = provider.law, plain_law = "sliding", charged = provider.charged, guard = guard }
  local read = limits.read(entry, defaults, place)
  local model = into.models[name] or book.add_model(into, name, false, place)
  if read.blocked ~= nil then model.blocked = read.blocked end
  if #read.limits > 0 or read.guard then
    local other = touched[model.row.scope]
    if other then
      fault.about(place, "overrides the same row as " .. fault.show(other) .. " does; give its numbers once.")
    end
    touched[model.row.scope] = key
    merge(model.row, read, place)
  end
end

-- No provider counts behind a scope, so there is no jitter to guard against unless the entry says so.
local function read_scope(key, entry, src)
  local place = { source = src, path = { key }, what = "of scope " .. fault.show(key) }
  if #key > SCOPE_MAX then
    fault.about(place, format("has a name of %d bytes; at most %d are expected.", #key, SCOPE_MAX))
  end
  local defaults = { law = "bucket", plain_law = "bucket", charged = "used", guard = 0 }
  local read = limits.read(entry, defaults, place, "blocked")
  local list = {}
  for _, limit in ipairs(read.limits) do
    if limit.amount then list[#list + 1] = limit end
  end
  return { name = key, limits = list }
end

-- Whether the key names a scope. A kind that is nearly one of ours is taken for a slip, not for a model.
local function names_scope(key, src)
  local kind, name = match(key, "^(%a+):(.*)$")
  if not kind then return false end
  if is_kind[kind] then
    if name == "" then
      fault.about({ source = src, path = { key }, what = "of scope " .. fault.show(key) },
        "names a kind of scope only; " .. kind .. ":name or " .. kind .. ":* is expected.")
    end
    return true
  end
  local near = names.nearest(kind, KINDS)
  if near then
    fault.about({ source = src, path = { key }, what = "of " .. fault.show(key) },
      "has an unknown kind of scope; did you mean \"" .. near .. ":" .. name .. "\"?")
  end
  return false
end

-- Lays the table of src over the book, and returns the scopes, sorted by name.
function overrides.apply(into, src, host, guard)
  local entries
  if find(src.file, "%.json$") then
    entries = script.json(src, host)
  else
    entries = script.run(src, host, EXAMPLE)
  end
  if type(entries) ~= "table" or words.open(entries) then
    fault.raise("ECONFIG", "the script returns " .. words.show(entries) .. "; it must end with " .. EXAMPLE .. ".",
      src.file)
  end
  for key in pairs(entries) do
    if type(key) == "string" and find(key, "%c") then
      fault.raise("ECONFIG", "the table of overrides has an entry whose name holds control characters: "
        .. fault.show(key) .. ".", src.file)
    end
    if type(key) ~= "string" or key == "" then
      fault.raise("ECONFIG", "the table of overrides has an entry without a model's name; it must be like " .. EXAMPLE
        .. ".", src.file)
    end
  end
  for _, key in ipairs(names.sorted(entries)) do
    if not names.is_utf8(key) then
      fault.raise("ECONFIG", "the table of overrides has an entry whose name is not UTF-8: " .. fault.show(key) .. ".",
        src.file)
    end
  end
  local scopes, touched, spelt = {}, {}, {}
  for _, name in ipairs(names.sorted(into.known)) do spelt[lower(name)] = spelt[lower(name)] or name end
  for _, key in ipairs(names.sorted(entries)) do
    if names_scope(key, src) then
      scopes[#scopes + 1] = read_scope(key, entries[key], src)
    else
      override_model(into, key, entries[key], src, guard, touched, spelt)
    end
  end
  return scopes
end

return overrides
