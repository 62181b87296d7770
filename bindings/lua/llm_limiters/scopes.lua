-- Scopes: whose limits a call is charged to besides its model's. "team:acme" is a kind and a name.
--
-- Owns the names of scopes, for overrides, and the meaning of what a policy's scopes hook returns, for hosts:
--   { "team:acme", { name = "user:acme/ann", limits = { rpm = 60 } } }
-- A string is a scope whose limits the overrides give; a table brings its own.

local fault = require "llm_limiters.fault"
local limits = require "llm_limiters.limits"
local names = require "llm_limiters.names"
local words = require "llm_limiters.words"

local scopes = {}

local find, format, sub = string.find, string.format, string.sub

local KINDS = { "key", "org", "team", "tenant", "user" }
local NAME_MAX = 255 -- bytes, the engine's
local MOST = 7 -- the engine charges eight rows at once, and one is the model's

local is_kind = {}
for _, kind in ipairs(KINDS) do is_kind[kind] = true end

-- What is wrong with the name of a scope, for fault.about, or nil. The second result tells whether it is one at all: a
-- kind that is nearly one of ours is taken for a slip, and anything else may be a model's name.
function scopes.name_fault(text)
  local _, colon = find(text, "^%a+:")
  if not colon then return nil, false end
  local kind = sub(text, 1, colon - 1)
  if not is_kind[kind] then
    local near = names.nearest(kind, KINDS)
    if not near then return nil, false end
    return "has an unknown kind of scope; did you mean \"" .. near .. sub(text, colon) .. "\"?", false
  end
  if #text == colon then
    return "names a kind of scope only; " .. kind .. ":name or " .. kind .. ":* is expected.", true
  end
  if #text > NAME_MAX then
    return format("has a name of %d bytes; at most %d are expected.", #text, NAME_MAX), true
  end
  return nil, true
end

-- By the table that a script wrote down: it is read at the first sight of it, and no more.
local seen = setmetatable({}, { __mode = "k" })

local function read_limits(item, name, file)
  local list = seen[item]
  if not list then
    local place = { source = { file = file, text = "" }, what = "of scope", name = name }
    list = limits.read_scope(item, place)
    seen[item] = list
  end
  return list
end

local function read_name(name, list, file)
  if type(name) ~= "string" then
    fault.raise("ECONFIG", "scopes must return names like \"team:acme\" or tables like { name = \"user:ann\", limits = "
      .. "{ rpm = 60 } }, not " .. words.show(name) .. ".", file)
  end
  local wrong, is_scope = scopes.name_fault(name)
  if not wrong and not is_scope then
    wrong = "has no kind; it is one of " .. table.concat(KINDS, ", ") .. ", as in team:acme."
  elseif not wrong and (find(name, "%c") or not names.is_utf8(name)) then
    wrong = "must have a name of UTF-8 without control characters."
  elseif not wrong and sub(name, -2) == ":*" then
    wrong = "is of any name; the name of one is expected, like team:acme."
  end
  if wrong then fault.raise("ECONFIG", "the scope " .. fault.show(name) .. " " .. wrong, file) end
  for _, other in ipairs(list) do
    if other.name == name then
      fault.raise("ECONFIG", "scopes returned " .. fault.show(name) .. " twice; a call is charged to a scope once.",
        file)
    end
  end
  return name
end

local function read(value, file)
  local list = {}
  if value == nil then return list end
  if type(value) ~= "table" or words.open(value) or value.name ~= nil then
    fault.raise("ECONFIG", "scopes must return a list, like { \"team:acme\" }, not "
      .. (type(value) == "table" and value.name ~= nil and "a scope" or words.show(value)) .. ".", file)
  end
  if #value == 0 and next(value) ~= nil then
    fault.raise("ECONFIG", "scopes must return a list, like { \"team:acme\" }, not a table of names.", file)
  end
  if #value > MOST then
    fault.raise("ECONFIG", format("scopes returned %d scopes; a call is charged to at most %d.", #value, MOST), file)
  end
  for i = 1, #value do
    local item = value[i]
    if type(item) == "table" and not words.open(item) then
      for _, field in ipairs(names.sorted(item)) do
        if field ~= "name" and field ~= "limits" then
          fault.raise("ECONFIG", "field " .. field .. " of a scope is unknown; "
            .. names.hint(field, { "limits", "name" }, "fields"), file, nil, field)
        end
      end
      local name = read_name(item.name, list, file)
      local own = item.limits
      if type(own) ~= "table" then
        fault.raise("ECONFIG", "field limits of scope " .. fault.show(name) .. " must be a table like { rpm = 60 }, "
          .. "not " .. words.show(own) .. "; a scope whose limits the overrides give is its name alone.", file, nil,
          "limits")
      end
      own = read_limits(own, name, file)
      -- A scope with nothing to enforce is not charged.
      if #own > 0 then list[#list + 1] = { name = name, limits = own } end
    else
      list[#list + 1] = { name = read_name(item, list, file) }
    end
  end
  return list
end

-- What the hook of the policy in that file returned, as a list of { name, limits }: limits are as in a set's models,
-- the same table for the same one of the script, or nil for those of the overrides. nil and a sentence if it is wrong.
function scopes.read(value, file)
  local ok, result = pcall(read, value, file)
  if ok then return result end
  if fault.caught(result) then return nil, result.message end
  error(result, 0)
end

return scopes
