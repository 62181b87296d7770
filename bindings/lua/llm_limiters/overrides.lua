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
local scopes = require "llm_limiters.scopes"
local script = require "llm_limiters.script"
local source = require "llm_limiters.source"
local words = require "llm_limiters.words"

local overrides = {}

local find, gsub, lower = string.find, string.gsub, string.lower

local CUSTOM = "custom"
local EXAMPLE = "return { [\"in-house\"] = { rpm = 20 } }"
local UNNAMED = "without a model's name; it must be like " .. EXAMPLE .. "."

-- The row's limits with those of the entry in their place. guard: what the entry says of it, or nil.
local function merge(row, list, guard, place)
  local merged = {}
  for _, old in ipairs(row.limits) do
    local replaced = false
    for i = 1, #list do replaced = replaced or limits.replaces(list[i], old) end
    if not replaced then
      if guard then limits.set_guard(old, guard, place, "guard") end
      merged[#merged + 1] = old
    end
  end
  for i = 1, #list do
    if list[i].amount then merged[#merged + 1] = list[i] end
  end
  limits.check_count(merged, place)
  row.limits = merged
end

-- Names are case-sensitive, but nobody means to add a model whose name differs from a known one by that alone.
local function refuse_other_case(spelt, key, place)
  local small = lower(key)
  local name = spelt[small]
  if name then
    fault.about(place, "differs from a known model only by case; did you mean \"" .. name .. "\"?")
  end
  spelt[small] = key
end

local function override_model(into, key, entry, place, guard, touched, spelt)
  local name = book.resolve(into.known, into.aliases, key)
  if not name then
    refuse_other_case(spelt, key, place)
    name = key
    book.add_name(into, name, CUSTOM, name, place)
  end
  local list, price = limits.read(entry, providers.of(into.homes[name].provider), guard, place)
  local model = into.models[name] or book.add_model(into, name, false, place)
  if entry.blocked ~= nil then model.blocked = entry.blocked end
  model.weight, model.price = entry.weight or model.weight, price or model.price
  if #list > 0 or entry.guard then
    local other = touched[model.row.scope]
    if other then
      fault.about(place, "overrides the same row as " .. fault.show(other) .. " does; give its numbers once.")
    end
    touched[model.row.scope] = key
    merge(model.row, list, entry.guard, place)
  end
end

-- The table that src returns, whose keys are names.
local function entries_of(src, host)
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
  return entries
end

-- The least key of a table that is no string; of those that are no number either, any: they look the same.
local function other_key(entries)
  local least
  for key in pairs(entries) do
    if type(key) == "number" and not (type(least) == "number" and least < key) then least = key end
    if type(key) ~= "string" and least == nil then least = key end
  end
  return least
end

-- shown is the key as the message has it.
local function refuse_key(src, key, shown, what)
  fault.raise("ECONFIG", "the table of overrides has an entry " .. what, src.file, source.locate(src.text, { key }),
    shown)
end

-- The names of the table, sorted.
local function keys_of(entries, src)
  local keys = names.sorted(entries)
  local other = other_key(entries)
  if other ~= nil then
    -- Without any name it is no table of overrides at all, and there is no place in it to name.
    if #keys == 0 then fault.raise("ECONFIG", "the table of overrides has an entry " .. UNNAMED, src.file) end
    refuse_key(src, other, words.show(other), UNNAMED)
  end
  for _, key in ipairs(keys) do
    if key == "" then
      refuse_key(src, key, fault.show(key), UNNAMED)
    elseif find(key, "%c") then
      refuse_key(src, key, fault.show(key), "whose name holds control characters: " .. fault.show(key) .. ".")
    elseif not names.is_utf8(key) then
      local shown = gsub(fault.show(key), "[\128-\255]", "?")
      refuse_key(src, key, shown, "whose name is not UTF-8: " .. shown .. ".")
    end
  end
  return keys
end

-- Lays the table of src over the book, and returns the scopes, sorted by name.
function overrides.apply(into, src, host, guard)
  local entries = entries_of(src, host)
  local keys = keys_of(entries, src)
  local found, touched, spelt = {}, {}, {}
  for _, name in ipairs(names.sorted(into.known)) do spelt[lower(name)] = spelt[lower(name)] or name end
  for _, key in ipairs(keys) do
    local wrong, is_scope = scopes.name_fault(key)
    local place = { source = src, what = is_scope and "of scope" or wrong and "of" or "of model", name = key }
    if wrong then fault.about(place, wrong) end
    if is_scope then
      found[#found + 1] = { name = key, limits = limits.read_scope(entries[key], place) }
    else
      override_model(into, key, entries[key], place, guard, touched, spelt)
    end
  end
  return found
end

return overrides
