-- What users give to the door: judged here, and what is wrong is raised at the line of their call, with the right usage.
-- Models and requests are read by the native module, which raises in the same way.

local names = require "llm_limiters.names"
local trial = require "llm_limiters.trial"

local check = {}

local format = string.format

-- Level 1 is this function, 2 what called it, 3 the door's function.
function check.fail(usage, text)
  error(usage .. ": " .. text, 4)
end

local fail = check.fail

local function show(value)
  if type(value) == "string" then return format("%q", value) end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

function check.self(value, class, usage)
  if type(value) ~= "table" or getmetatable(value) ~= class then
    fail(usage, "it is called with a colon, not with " .. show(value) .. " in the place of what stands before it.")
  end
  return value.raw
end

function check.is(kind, value, usage, name)
  if type(value) ~= kind then fail(usage, name .. " must be a " .. kind .. ", not " .. show(value) .. ".") end
end

-- A number of at least and at most, nil being allowed.
local function number(value, usage, name, least, most)
  if value == nil then return end
  if type(value) ~= "number" or not (value >= least and value <= most) then
    fail(usage, format("%s must be a number from %s to %s, not %s.", name, tostring(least), tostring(most), show(value)))
  end
end

function check.seconds(value, usage, name)
  if value == nil then fail(usage, name .. " is missing.") end
  number(value, usage, name, 0, 1e8)
end

local function unknown(options, known, usage)
  for key in pairs(options) do
    if type(key) ~= "string" then fail(usage, "the options are a table of names, and one of its keys is " .. show(key)) end
  end
  for _, name in ipairs(names.sorted(options)) do
    local found = false
    for _, other in ipairs(known) do found = found or other == name end
    if not found then fail(usage, "option " .. name .. " is unknown; " .. names.hint(name, known, "options")) end
  end
end

local function strings(options, list, usage)
  for _, name in ipairs(list) do
    if options[name] ~= nil and type(options[name]) ~= "string" then
      fail(usage, name .. " must be a string, not " .. show(options[name]) .. ".")
    end
  end
end

local STRINGS = { "account", "overrides", "policy", "quotas" }
local RELOAD = { "account", "custom_limits", "guard", "overrides", "policy", "quotas", "tier" }
local OPEN = { "account", "clock", "custom_limits", "guard", "overrides", "policy", "quotas", "scopes", "seed", "start",
  "tier" }

-- "tier1", or { openai = "tier3", gemini = "free" } as the C API has it.
local function tier(value, usage)
  if value == nil or type(value) == "string" then return value end
  if type(value) ~= "table" then
    fail(usage, "tier must be a name, or a table like { openai = \"tier3\", gemini = \"free\" }, not " .. show(value) .. ".")
  end
  local parts = {}
  for _, provider in ipairs(names.sorted(value)) do
    if type(value[provider]) ~= "string" then fail(usage, "tier of " .. provider .. " must be a name.") end
    parts[#parts + 1] = provider .. "=" .. value[provider]
  end
  return table.concat(parts, ",")
end

local function options_of(options, known, usage)
  if options == nil then options = {} end
  if type(options) ~= "table" then fail(usage, "the options must be a table, not " .. show(options) .. ".") end
  unknown(options, known, usage)
  strings(options, STRINGS, usage)
  number(options.guard, usage, "guard", 0, 1e6)
  local read = { guard = options.guard, tier = tier(options.tier, usage) }
  for _, name in ipairs(STRINGS) do read[name] = options[name] end
  if options.custom_limits ~= nil then
    if type(options.custom_limits) ~= "table" then
      fail(usage, "custom_limits must be a table like { [\"in-house\"] = { rpm = 20 } }, not "
        .. show(options.custom_limits) .. ".")
    end
    if options.overrides then fail(usage, "custom_limits and overrides take the place of each other.") end
    local text, why = trial.limits(options.custom_limits)
    if not text then fail(usage, "custom_limits: " .. why) end
    read.overrides_text = text
  end
  return read
end

-- The options of a limiter that is opened, as the native module reads them.
function check.open(options, usage)
  local read = options_of(options, OPEN, usage)
  options = options or {}
  if options.clock ~= nil and options.clock ~= "virtual" and options.clock ~= "real" then
    fail(usage, "clock must be \"real\" or \"virtual\", not " .. show(options.clock) .. ".")
  end
  number(options.seed, usage, "seed", 0, 2 ^ 53)
  number(options.scopes, usage, "scopes", 0, 2 ^ 24)
  number(options.start, usage, "start", 0, 7e9)
  read.clock, read.seed, read.scopes, read.start = options.clock, options.seed, options.scopes, options.start
  return read
end

-- Those that a limiter is to have from now on.
function check.reload(options, usage)
  return options_of(options, RELOAD, usage)
end

local WAIT = { "priority", "sleep", "timeout" }

function check.wait(options, usage)
  if type(options) ~= "table" then fail(usage, "the options must be a table, not " .. show(options) .. ".") end
  unknown(options, WAIT, usage)
  if type(options.sleep) ~= "function" then
    fail(usage, "sleep must be the host's function that sleeps so many seconds, not " .. show(options.sleep) .. ".")
  end
  number(options.timeout, usage, "timeout", 1e-9, 1e8)
  number(options.priority, usage, "priority", -1e6, 1e6)
  if options.priority and options.priority % 1 ~= 0 then fail(usage, "priority must be a whole number.") end
end

-- A list of names, for what keeps it; a single name is a list of one.
function check.models(models, usage)
  local list = {}
  if type(models) == "string" then return { models } end
  if type(models) ~= "table" or #models == 0 then
    fail(usage, "models must be a name or a list of names, not " .. show(models) .. ".")
  end
  for i, name in ipairs(models) do
    if type(name) ~= "string" then fail(usage, "models must be a list of names, and element " .. i .. " is " .. show(name)) end
    list[i] = name
  end
  return list
end

-- { status =, headers =, body = } of a provider.
function check.response(response, usage)
  if type(response) ~= "table" then
    fail(usage, "the response must be a table like { status = 429, headers = {}, body = \"\" }, not " .. show(response) .. ".")
  end
  local status = response.status
  if type(status) ~= "number" or status % 1 ~= 0 or not (status >= 100 and status <= 999) then
    fail(usage, "status must be the number of an HTTP status, not " .. show(status) .. ".")
  end
end

return check
