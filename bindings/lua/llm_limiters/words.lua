-- The language of quota tables, overrides and policies: the words that a script may use, and nothing else.
--
--   return quota "gemini" { api = 1, modality = "text",
--     tier "free" { ["gemini-2.5-flash"] = { requests = { 10/minute, 250/pacific_day }, tokens = 250e3/minute } } }
--
-- Every script gets fresh words in a fresh environment, so none can change what the next one reads. Words only make
-- values; what a value means is judged by quota.lua, limits.lua and policy.lua. The values are opaque: their content
-- is kept here, reached by words.open, and no script can forge or alter it. A word that is used wrongly raises at the
-- line of its user and notes the fault in the record given to words.environment.

local fault = require "llm_limiters.fault"
local names = require "llm_limiters.names"
local safe = require "llm_limiters.safe"

local words = {}

local find = string.find

local contents = setmetatable({}, { __mode = "k" })

-- A month without a time zone is a rolling window; the longest month is safe for all of them.
local DAY = 86400
local SPANS = {
  second = { window = 1 },
  minute = { window = 60, shortest = 60 },
  hour = { window = 3600, shortest = 1800 }, -- a time zone may shift by half an hour
  day = { window = DAY, shortest = 23 * 3600 },
  week = { window = 7 * DAY, shortest = 7 * DAY - 3600 },
  month = { window = 31 * DAY, shortest = 28 * DAY - 3600 },
}

-- Seconds since 1970 that the engine can tell: its nanoseconds have 63 bits, which end in the year 2262.
words.INSTANT_MAX = 9223372036

words.SEALED = "the words of the language cannot be given fields."

words.TTL = 3600 -- seconds that a lease lives unless a gauge says otherwise

-- What a calendar limit's guard is measured by, and what a rolling limit's window is.
words.spans = SPANS

-- The content of a value of the language, with its kind ("quota", "tier", "tier to inherit", "rate", "gauge", "unit",
-- "sum of money", "policy", "cooldown"), or nil.
function words.open(value)
  if value == nil then return nil end
  return contents[value]
end

-- A new value of that kind.
function words.make(kind, content, metatable)
  local value = setmetatable({}, metatable)
  content.kind = kind
  contents[value] = content
  return value
end

-- A value for a message.
function words.show(value)
  local content = words.open(value)
  if content then return "a " .. content.kind end
  return fault.show(value)
end

-- What is wrong with the form of a time zone's name, or nil. name is what the script calls it.
local function zone_fault(zone, name)
  local good = type(zone) == "string" and zone ~= "" and #zone <= 47
    and not find(zone, "..", 1, true) and not find(zone, "^/") and not find(zone, "[%c%s]")
  if good then return nil end
  return name .. " must be the name of a time zone such as \"America/Los_Angeles\", of at most 47 bytes without "
    .. "\"..\", blanks or a leading \"/\", not " .. fault.show(zone) .. "."
end

local MICROS = 1e6 -- of a dollar, which the engine counts
local MICROS_MAX = 1099511627775 -- the engine's largest amount

-- The micro-dollars of a sum that a limit can be, or nil. 0 and infinity mean "not enforced", so what is less than a
-- micro-dollar must not become 0.
local function micros_of(dollars)
  if type(dollars) ~= "number" or dollars ~= dollars or dollars < 0 then return nil end
  if dollars == math.huge then return dollars end
  local micros = math.floor(dollars * MICROS + 0.5)
  if micros > MICROS_MAX or math.abs(micros - dollars * MICROS) > 0.001 then return nil end
  return micros
end

-- The words for one script. record gets field and text of the word that raised, if one does. Of the host are taken
--   zone_error(name)           what the system's database has against a time zone; without it, the engine tells that
--   local_time(instant, zone)  the fields of a zone's wall clock, or nil and what is wrong
-- more holds further words, for this kind of script only; they raise by themselves.
function words.environment(record, host, more)
  local value_mt = {}

  local function make(kind, content)
    return words.make(kind, content, value_mt)
  end

  -- To be called by a word itself: level 3 is the line that used the word.
  local function complain(field, text)
    record.field, record.text = field, text
    error(text, 3)
  end

  value_mt.__newindex = function()
    complain("=", words.SEALED)
  end

  value_mt.__div = function(amount, unit)
    local content = words.open(unit)
    if not content or content.kind ~= "unit" then
      complain("/", "a limit is written as a number over a unit of time, like 10/minute or 250/pacific_day.")
    end
    local sum = words.open(amount)
    local money = sum ~= nil and sum.kind == "sum of money"
    if money then amount = sum.micros end
    return make("rate", { amount = amount, money = money, span = content.span, zone = content.zone })
  end

  value_mt.__call = function(callee, options)
    local content = contents[callee]
    if content.kind ~= "unit" or content.zone then
      complain("tz", "only a unit of time takes a time zone, once, like day { tz = \"America/Los_Angeles\" }.")
    end
    if type(options) ~= "table" then
      complain("tz", content.span .. " takes a table with a time zone, like day { tz = \"America/Los_Angeles\" }.")
    end
    for _, key in ipairs(names.sorted(options)) do
      if key ~= "tz" then
        complain(key, "unknown field " .. fault.show(key) .. " of " .. content.span .. "; the known field is tz.")
      end
    end
    if not SPANS[content.span].shortest then
      complain("tz", "a second has no calendar; minute, hour, day, week and month take a time zone.")
    end
    local wrong = zone_fault(options.tz, "tz") or host.zone_error and host.zone_error(options.tz)
    if wrong then complain("tz", wrong) end
    return make("unit", { span = content.span, zone = options.tz })
  end

  local function named(kind, example)
    return function(name)
      if type(name) ~= "string" or not find(name, "^[%w_][%w_.-]*$") then
        complain(kind, kind .. " takes a name of letters, digits, dots, dashes and underlines, like " .. example
          .. ", not " .. fault.show(name) .. ".")
      end
      return function(body)
        if type(body) ~= "table" then
          complain(kind, kind .. " \"" .. name .. "\" takes a table, like " .. example .. ", not "
            .. fault.show(body) .. ".")
        end
        return make(kind, { name = name, body = body })
      end
    end
  end

  -- A table of functions that knows a slip from a word.
  local function strict(fresh, name)
    return setmetatable(fresh(), {
      __index = function(_, key)
        complain(key, name .. " has no " .. fault.show(key) .. " here; "
          .. names.hint(key, names.sorted(fresh()), "names"))
      end,
    })
  end

  local env = {
    quota = named("quota", "quota \"gemini\" { api = 1, modality = \"text\" }"),
    tier = named("tier", "tier \"free\" { [\"gemini-2.5-flash\"] = { requests = 10/minute } }"),
    policy = function(body)
      if type(body) ~= "table" then
        complain("policy", "policy takes a table, like policy { api = 1, name = \"priority\" }, not "
          .. fault.show(body) .. ".")
      end
      return make("policy", { body = body })
    end,
    gauge = function(amount, ttl)
      if type(amount) ~= "number" or (ttl ~= nil and type(ttl) ~= "number") then
        complain("gauge", "gauge takes how many at one time and, if not 3600, the seconds that a lease lives, like "
          .. "gauge(3, 900).")
      end
      return make("gauge", { amount = amount, span = "gauge", ttl = ttl or words.TTL })
    end,
    usd = function(dollars)
      local micros = micros_of(dollars)
      if not micros then
        complain("usd", "usd takes dollars from 0.000001 to 1099511.627775, in steps of 0.000001, or 0 or inf for no "
          .. "limit, like usd(50)/month, not " .. words.show(dollars) .. ".")
      end
      return make("sum of money", { micros = micros })
    end,
    inherit = function(name)
      if type(name) ~= "string" then
        complain("inherit", "inherit takes the name of a tier, like inherit \"tier1\", not " .. words.show(name) .. ".")
      end
      return make("tier to inherit", { name = name })
    end,
    local_time = function(instant, zone)
      if type(instant) ~= "number" or instant ~= instant or math.abs(instant) > words.INSTANT_MAX then
        complain("local_time", "local_time takes seconds since 1970, like local_time(req.at, \"Europe/Berlin\"), not "
          .. words.show(instant) .. ".")
      end
      local wrong = zone_fault(zone, "the second argument of local_time")
      if wrong then complain("local_time", wrong) end
      if not host.local_time then complain("local_time", "this host knows no local time.") end
      local fields, why = host.local_time(instant, zone)
      if not fields then complain("local_time", why) end
      return fields
    end,
    inf = math.huge,
    string = strict(safe.string, "string"),
    math = strict(safe.math, "math"),
    table = strict(safe.table, "table"),
  }
  for span in pairs(SPANS) do env[span] = make("unit", { span = span }) end
  env.pacific_day = make("unit", { span = "day", zone = "America/Los_Angeles" })
  for name, value in pairs(safe.functions) do env[name] = value end
  for name, value in pairs(more or {}) do env[name] = value end

  setmetatable(env, {
    __index = function(_, key)
      local vocabulary = names.sorted(words.environment({}, host, more)) -- without what the script has named
      complain(key, fault.show(key) .. " is no word here; " .. names.hint(key, vocabulary, "words"))
    end,
  })
  return env
end

return words
