-- Reads the numbers of one model (or of one scope) from a table of either shape into limits.
--
--   { requests = { 10/minute, 250/pacific_day }, tokens = 250e3/minute }     the language
--   { rpm = 10, tpm = 250000, rpd = 0 }                                      the plain shape that everybody knows
--
-- Both may stand in one table. A limit of the language follows the law of its provider; a plain number follows the
-- sliding law, which is safe for every way of counting. law = in the table decides for both. nil, 0 and infinity mean
-- "not enforced": such a limit is read as off, so that an override can take one away. Limits are read here and nowhere
-- else; every complaint is raised as a fault at the place it is given.

local fault = require "llm_limiters.fault"
local names = require "llm_limiters.names"
local plain = require "llm_limiters.plain"
local words = require "llm_limiters.words"

local limits = {}

local format = string.format
local floor, huge = math.floor, math.huge
local sort = table.sort

local AMOUNT_MAX = 1099511627775 -- 2^40 - 1, the engine's largest amount
local TTL_MAX = 400 * 86400
local COUNT_MAX = 16 -- limits of one row

-- In the order in which the engine is asked: what is checked first is what a refusal names first.
local METERS = {
  "requests", "tokens", "input_tokens", "output_tokens", "images", "audio_ms", "characters", "sessions", "cost",
}
local SPAN_ORDER = { "second", "minute", "hour", "day", "week", "month", "gauge" }
local PLAIN_LAW = "sliding"
local SCOPE_COUNTS = { law = "bucket", charged = "used" }
local LAWS = { bucket = true, sliding = true }
local CHARGED = { reserved = true, used = true }

local meter_rank, span_rank = {}, {}
for rank, meter in ipairs(METERS) do meter_rank[meter] = rank end
for rank, span in ipairs(SPAN_ORDER) do span_rank[span] = rank end

local SETTINGS = { "law", "guard", "charged" } -- of limits
local OF_MODELS = { "blocked", "weight", "price" }
local PRICES = { "image", "input", "output", "request" }

local known, known_of_scope, known_price = {}, {}, {}
for _, field in ipairs(SETTINGS) do known[field] = true end
for _, meter in ipairs(METERS) do known[meter] = true end
for field in pairs(plain) do known[field] = true end
for field in pairs(known) do known_of_scope[field] = true end
for _, field in ipairs(OF_MODELS) do known[field] = true end
for _, part in ipairs(PRICES) do known_price[part] = true end

-- A whole number from 1, or nil for a limit that is not enforced.
local function read_amount(value, place, field)
  if type(value) ~= "number" then
    fault.at(place, field, "must be a number, not " .. words.show(value) .. ".")
  end
  if value == 0 or value == huge then return nil end
  local whole = floor(value)
  if value ~= whole or value < 0 or value > AMOUNT_MAX then
    fault.at(place, field, format("must be a whole number from 1 to %.0f, or 0 or inf for no limit, not %s.",
      AMOUNT_MAX, fault.show(value)))
  end
  return whole
end

-- The seconds by which a limit's guard is measured: its window, or the shortest period of its calendar.
local function guard_span(limit)
  if limit.law == "calendar" then return words.spans[limit.span].shortest end
  return limit.window
end

function limits.check_guard(guard, place)
  if guard ~= nil and not (type(guard) == "number" and guard >= 0 and guard < math.huge) then
    fault.at(place, "guard", "must be a number of seconds from 0, not " .. words.show(guard) .. ".")
  end
end

-- Gives the limit a guard. field is where a reader should look: the guard, or the limit that a default does not suit.
function limits.set_guard(limit, guard, place, field)
  if limit.law == "gauge" then
    limit.guard = 0
    return
  end
  local most = guard_span(limit) / 4
  if guard > most then
    fault.at(place, field, format("needs a guard of 0 to %.14g seconds (a quarter of the window of the limit on "
      .. "%s), not %s%s.", most, limit.meter, fault.show(guard),
      field == "guard" and "" or ", the guard of limits that state none"))
  end
  limit.guard = guard
end

-- Two limits that say the same twice, be it by rpm and by requests. A calendar has a zone, a window has none.
local function same(a, b)
  return a.meter == b.meter and a.span == b.span and a.zone == b.zone
end

-- Whether a limit of an override takes the place of another: the same meter over the same span, whatever the law.
function limits.replaces(new, old)
  return new.meter == old.meter and new.span == old.span
end

local function before(a, b)
  if a.meter ~= b.meter then return meter_rank[a.meter] < meter_rank[b.meter] end
  if a.span ~= b.span then return span_rank[a.span] < span_rank[b.span] end
  if a.law ~= b.law then return a.law < b.law end
  return (a.zone or "") < (b.zone or "")
end

function limits.check_count(list, place)
  if #list > COUNT_MAX then
    fault.at(place, list[COUNT_MAX + 1].meter, format("is one limit too many; a model has at most %d.",
      COUNT_MAX))
  end
end

-- common is what all limits of one table have: { place, law, charged, guard, guard_field }. shape tells the span: it is
-- the content of a limit of the language, or a field of the plain shape.
local function new_limit(common, meter, amount, shape, law, field)
  local window, unit, zone
  if shape.span == "gauge" then
    law, window = "gauge", shape.ttl or words.TTL
    if not (window >= 1 and window <= TTL_MAX) then
      fault.at(common.place, field, format("must give its leases 1 to %.0f seconds to live, not %s.", TTL_MAX,
        fault.show(window)))
    end
  elseif shape.zone then
    law, unit, zone = "calendar", shape.span, shape.zone
  else
    window = words.spans[shape.span].window
  end
  if meter == "cost" and not shape.money then
    fault.at(common.place, field, "limits money, which is written like usd(50)/month.")
  elseif meter ~= "cost" and shape.money then
    fault.at(common.place, field, "limits no money, so that a number is expected, like 10/minute; cost is the field of "
      .. "usd.")
  end
  local limit = {
    meter = meter, span = shape.span, law = law, amount = read_amount(amount, common.place, field),
    window = window, unit = unit, zone = zone, guard = 0, charged = common.charged,
  }
  limits.set_guard(limit, common.guard, common.place, common.guard_field or field)
  return limit
end

local function add(list, limit, place, field)
  for i = 1, #list do
    if same(limit, list[i]) then
      fault.at(place, field, "limits " .. limit.meter .. " twice over the same "
        .. (limit.law == "gauge" and "gauge" or limit.span) .. "; one limit is expected.")
    end
  end
  list[#list + 1] = limit
end

-- A limit of the language, or several of them.
local function read_rates(list, common, meter, value)
  local like = meter == "cost" and "like usd(50)/month" or "like 10/minute or gauge(3)"
  local several = { value }
  if type(value) == "table" and not words.open(value) then
    several = value
    local held = 0
    for _ in pairs(value) do held = held + 1 end
    for _ in ipairs(value) do held = held - 1 end
    if held ~= 0 then
      fault.at(common.place, meter, "must be a limit or a list of limits, like { 10/minute, 250/pacific_day }.")
    end
  end
  for _, item in ipairs(several) do
    local content = words.open(item)
    if not content or (content.kind ~= "rate" and content.kind ~= "gauge") then
      fault.at(common.place, meter, "must be a limit " .. like .. ", or a list of them, not "
        .. words.show(item) .. ".")
    end
    add(list, new_limit(common, meter, content.amount, content, common.law, meter), common.place, meter)
  end
end

-- The fields of an entry, sorted.
local function fields_of(entry, place, allowed)
  local fields = {}
  for key in pairs(entry) do
    if type(key) ~= "string" then
      fault.about(place, "holds a value without a name; fields like rpm = 10 or requests = 10/minute are expected.")
    end
    fields[#fields + 1] = key
  end
  sort(fields)
  for i = 1, #fields do
    local key = fields[i]
    if not allowed[key] then
      fault.at(place, key, "is unknown; " .. names.hint(key, names.sorted(allowed), "fields"))
    end
  end
  return fields
end

-- A copy, so that no script can change what others read.
local function read_price(price, place)
  if price == nil then return nil end
  local like = "like { input = 0.15, output = 0.60 }, US dollars for a million tokens,"
  if type(price) ~= "table" or words.open(price) or next(price) == nil then
    fault.at(place, "price", "must be a table " .. like .. " not " .. words.show(price) .. ".")
  end
  for key in pairs(price) do
    if type(key) ~= "string" then fault.at(place, "price", "holds a value without a name; it must be " .. like
      .. " or have request or image, US dollars for each.") end
  end
  local copy = {}
  local inner = fault.inside(place, "price", "in the price")
  for _, part in ipairs(names.sorted(price)) do
    if not known_price[part] then
      fault.at(inner, part, "is unknown; " .. names.hint(part, PRICES, "fields"))
    end
    local dollars = price[part]
    if type(dollars) ~= "number" or not (dollars >= 0 and dollars < math.huge) then
      fault.at(inner, part, "must be a number of US dollars from 0, not " .. words.show(dollars) .. ".")
    end
    copy[part] = dollars
  end
  return copy
end

local function read_settings(entry, place)
  limits.check_guard(entry.guard, place)
  if entry.blocked ~= nil and type(entry.blocked) ~= "boolean" then
    fault.at(place, "blocked", "must be true or false, not " .. fault.show(entry.blocked) .. ".")
  end
  local weight = entry.weight
  if weight ~= nil and not (type(weight) == "number" and weight > 0 and weight < huge) then
    fault.at(place, "weight", "must be a number above 0, not " .. words.show(weight) .. ".")
  end
  if entry.law ~= nil and not (type(entry.law) == "string" and LAWS[entry.law]) then
    fault.at(place, "law", "must be \"sliding\" or \"bucket\", not " .. fault.show(entry.law)
      .. " (a calendar is written like 10/day { tz = \"Europe/Paris\" }, a gauge like gauge(3)).")
  end
  if entry.charged ~= nil and not (type(entry.charged) == "string" and CHARGED[entry.charged]) then
    fault.at(place, "charged", "must be \"used\" or \"reserved\", not " .. fault.show(entry.charged) .. ".")
  end
end

-- Reads entry, and judges what it says besides. counts: { law, charged }, of the provider; guard: of limits that state
-- none; of_scope: it is no model's. Returns a list of limits, of which those without an amount are off, and the price
-- or nil.
function limits.read(entry, counts, guard, place, of_scope)
  if type(entry) ~= "table" or words.open(entry) then
    fault.about(place, "must be like { rpm = 10 } or { requests = 10/minute }, not " .. words.show(entry) .. ".")
  end
  local fields = fields_of(entry, place, of_scope and known_of_scope or known)
  read_settings(entry, place)
  local common = {
    place = place,
    law = entry.law or counts.law,
    charged = entry.charged or counts.charged,
    guard = entry.guard or guard,
    guard_field = entry.guard and "guard",
  }
  local plain_law = entry.law or of_scope and counts.law or PLAIN_LAW
  local list = {}
  for i = 1, #fields do
    local field = fields[i]
    local value, shape = entry[field], plain[field]
    if shape and type(value) == "number" then
      add(list, new_limit(common, shape.meter, value, shape, plain_law, field), place, field)
    elseif meter_rank[field] then
      read_rates(list, common, field, value)
    elseif shape then
      read_amount(value, place, field)
    end
  end
  if #list == 0 and (entry.law or entry.charged) then
    local field = entry.law and "law" or "charged"
    fault.at(place, field, "has no limit beside it that it could govern; add the numbers, like rpm = 10.")
  end
  limits.check_count(list, place)
  return list, read_price(entry.price, place)
end

-- The limits of a scope: no provider counts behind it, so there is no jitter to guard against unless the entry says so.
function limits.read_scope(entry, place)
  local list = {}
  for _, limit in ipairs((limits.read(entry, SCOPE_COUNTS, 0, place, true))) do
    if limit.amount then list[#list + 1] = limit end
  end
  return limits.plain(list)
end

-- Makes a list of limits what the outside sees: no more than the engine needs, in one order.
function limits.plain(list)
  sort(list, before)
  for i = 1, #list do list[i].span = nil end
  return list
end

return limits
