-- What users give to the door: judged here, and what is wrong is raised at the line of their call, with the right
-- usage. Models and requests are read by the native module, which raises in the same way.

local names = require "llm_limiters.names"
local trial = require "llm_limiters.trial"

local check = {}

local format = string.format

-- Raises in the name of the door's function that called a function of this file; more levels of the door are added.
local function fail(usage, text, more)
  error(usage .. ": " .. text, 4 + (more or 0))
end

-- What judges a value complains from any depth; it is raised where the door's function was called.
local function complain(text)
  error({ sentence = text }, 0)
end

local function judge(read)
  return function(value, usage)
    local fine, result = pcall(read, value)
    if fine then return result end
    if type(result) == "table" and result.sentence then fail(usage, result.sentence) end
    error(result, 0)
  end
end

local function show(value)
  if type(value) == "string" then return format("%q", value) end
  if type(value) == "table" or type(value) == "function" then return "a " .. type(value) end
  return tostring(value)
end

-- Of the class, or of one that has its methods and more.
local function is_a(value, class)
  local own = type(value) == "table" and getmetatable(value)
  return own == class or (type(own) == "table" and rawget(own, "__base") == class)
end

-- The native part of an object whose method is called.
function check.self(value, class, usage)
  if not is_a(value, class) then
    fail(usage, "it is called with a colon, not with " .. show(value) .. " in the place of what stands before it.")
  end
  return value.raw
end

-- That of a permit that a user gives to a limiter.
function check.permit(value, class, limiter, usage)
  if type(value) ~= "table" or getmetatable(value) ~= class then
    fail(usage, "the permit must be one of an earlier acquire, not " .. show(value) .. ".", 1)
  end
  if value.limiter ~= limiter then fail(usage, "the permit is one of another limiter.", 1) end
  return value.raw
end

function check.is(kind, value, usage, name)
  if type(value) ~= kind then fail(usage, name .. " must be a " .. kind .. ", not " .. show(value) .. ".") end
end

-- A number of at least and at most, nil being allowed.
local function number(value, name, least, most)
  if value == nil then return end
  if type(value) ~= "number" or not (value >= least and value <= most) then
    complain(format("%s must be a number from %.14g to %.14g, not %s.", name, least, most, show(value)))
  end
end

check.seconds = judge(function(value)
  if value == nil then complain("the seconds are missing.") end
  number(value, "seconds", 0, 1e8)
end)

-- What a session has used, in the forms that the native module and response.usage() read.
check.usage = judge(function(value)
  local kind = type(value)
  if kind ~= "number" and kind ~= "string" and kind ~= "table" then
    complain("usage must be a number of tokens, a table or a text, not " .. show(value) .. ".")
  end
end)

check.cooldown = judge(function(value)
  number(value, "seconds", 0, 400 * 86400)
end)

local function unknown(options, known)
  for key in pairs(options) do
    if type(key) ~= "string" then complain("the options are a table of names, and one of its keys is " .. show(key)) end
  end
  for _, name in ipairs(names.sorted(options)) do
    local found = false
    for _, other in ipairs(known) do found = found or other == name end
    if not found then complain("option " .. name .. " is unknown; " .. names.hint(name, known, "options")) end
  end
end

local function strings(options, list)
  for _, name in ipairs(list) do
    if options[name] ~= nil and type(options[name]) ~= "string" then
      complain(name .. " must be a string, not " .. show(options[name]) .. ".")
    end
  end
end

-- Those of the numbers that are whole, from 0 on.
local function whole(options, most)
  for _, name in ipairs(names.sorted(most)) do
    number(options[name], name, 0, most[name])
    if options[name] and options[name] % 1 ~= 0 then complain(name .. " must be a whole number.") end
  end
end

local STRINGS = { "account", "overrides", "policy", "quotas" }
local RELOAD = { "account", "custom_limits", "guard", "overrides", "policy", "quotas", "tier" }
local SHADOW = { "account", "custom_limits", "guard", "overrides", "policy", "quotas", "scopes", "seed", "tier" }
local OPEN = { "account", "clock", "custom_limits", "guard", "log", "overrides", "policy", "quotas", "scopes", "seed",
  "start", "tier", "zone" }
local ZONE = { "leases", "mode", "name", "notes", "path", "rows", "sliding", "sync" }
local ROOM = { leases = 2 ^ 20, notes = 2 ^ 20, rows = 2 ^ 24, sliding = 2 ^ 20 }

-- "tier1", or { openai = "tier3", gemini = "free" } as the C API has it.
local function tier(value)
  if value == nil or type(value) == "string" then return value end
  if type(value) ~= "table" then
    complain("tier must be a name, or a table like { openai = \"tier3\", gemini = \"free\" }, not "
      .. show(value) .. ".")
  end
  local parts = {}
  for _, provider in ipairs(names.sorted(value)) do
    if type(value[provider]) ~= "string" then complain("tier of " .. provider .. " must be a name.") end
    parts[#parts + 1] = provider .. "=" .. value[provider]
  end
  return table.concat(parts, ",")
end

local function options_of(options, known)
  if options == nil then options = {} end
  if type(options) ~= "table" then complain("the options must be a table, not " .. show(options) .. ".") end
  unknown(options, known)
  strings(options, STRINGS)
  number(options.guard, "guard", 0, 1e6)
  local read = { guard = options.guard, tier = tier(options.tier) }
  for _, name in ipairs(STRINGS) do read[name] = options[name] end
  if options.custom_limits ~= nil then
    if type(options.custom_limits) ~= "table" then
      complain("custom_limits must be a table like { [\"in-house\"] = { rpm = 20 } }, not "
        .. show(options.custom_limits) .. ".")
    end
    if options.overrides then complain("custom_limits and overrides take the place of each other.") end
    local text, why = trial.limits(options.custom_limits)
    if not text then complain("custom_limits: " .. why) end
    read.overrides_text = text
  end
  return read
end

-- Where the counts are, and the room for them, beside the other options.
local function zone(options, read)
  if options == nil then return end
  if type(options) ~= "table" then
    complain("zone must be a table like { path = \"/dev/shm/llm/zone\" }, not " .. show(options) .. ".")
  end
  unknown(options, ZONE)
  strings(options, { "mode", "name", "path" })
  whole(options, ROOM)
  if options.path and options.name then complain("path and name of a zone take the place of each other.") end
  if options.mode then
    read.mode = string.find(options.mode, "^0?[0-7][0-7][0-7]$") and tonumber(options.mode, 8)
    if not read.mode then complain("mode must be octal digits like \"0600\", not " .. show(options.mode) .. ".") end
  end
  number(options.sync, "sync", 1e-3, 86400)
  if options.sync and not options.path then complain("sync is of a zone with a path.") end
  read.name, read.path, read.sync = options.name, options.path, options.sync
  for name in pairs(ROOM) do read[name] = options[name] end
end

-- The chance in a policy, and the room for scopes.
local function seed_and_scopes(options, read)
  number(options.seed, "seed", 0, 2 ^ 53)
  whole(options, { scopes = 2 ^ 24 })
  read.seed, read.scopes = options.seed, options.scopes
end

-- The options of a limiter that is opened, as the native module reads them.
check.open = judge(function(options)
  local read = options_of(options, OPEN)
  options = options or {}
  if options.clock ~= nil and options.clock ~= "virtual" and options.clock ~= "real" then
    complain("clock must be \"real\" or \"virtual\", not " .. show(options.clock) .. ".")
  end
  if options.log ~= nil and type(options.log) ~= "function" then
    complain("log must be a function of a level and a text, not " .. show(options.log) .. ".")
  end
  number(options.start, "start", 0, 7e9)
  seed_and_scopes(options, read)
  zone(options.zone, read)
  read.clock, read.start, read.log = options.clock, options.start, options.log
  return read
end)

-- Those of a candidate in the shadow.
check.shadow = judge(function(options)
  local read = options_of(options, SHADOW)
  seed_and_scopes(options, read)
  return read
end)

-- Those that a limiter is to have from now on.
check.reload = judge(function(options)
  return options_of(options, RELOAD)
end)

local WAIT = { "priority", "sleep", "timeout" }

check.wait = judge(function(options)
  if type(options) ~= "table" then complain("the options must be a table, not " .. show(options) .. ".") end
  unknown(options, WAIT)
  if type(options.sleep) ~= "function" then
    complain("sleep must be the host's function that sleeps so many seconds, not " .. show(options.sleep) .. ".")
  end
  number(options.timeout, "timeout", 1e-9, 1e8)
  number(options.priority, "priority", -1e6, 1e6)
  if options.priority and options.priority % 1 ~= 0 then complain("priority must be a whole number.") end
end)

-- A list of names, for what keeps it; a single name is a list of one.
check.models = judge(function(models)
  local list = {}
  if type(models) == "string" then return { models } end
  if type(models) ~= "table" or #models == 0 then
    complain("models must be a name or a list of names, not " .. show(models) .. ".")
  end
  for i, name in ipairs(models) do
    if type(name) ~= "string" then
      complain("models must be a list of names, and element " .. i .. " is " .. show(name) .. ".")
    end
    list[i] = name
  end
  return list
end)

-- { status =, headers =, body = } of a provider, or { close_code =, body = } of a WebSocket that it closes.
check.response = judge(function(response)
  if type(response) ~= "table" then
    complain("the response must be a table like { status = 429, headers = {}, body = \"\" }, not "
      .. show(response) .. ".")
  end
  local status, code = response.status, response.close_code
  if code ~= nil then
    number(code, "close_code", 1000, 4999)
    if status ~= nil then complain("status and close_code take the place of each other.") end
    if code % 1 ~= 0 then complain("close_code must be a whole number.") end
    return
  end
  if type(status) ~= "number" or status % 1 ~= 0 or not (status >= 100 and status <= 999) then
    complain("status must be the number of an HTTP status, not " .. show(status) .. ".")
  end
end)

return check
