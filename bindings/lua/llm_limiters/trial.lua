-- A table of limits, as the text of an override file.
--
-- A policy's test gives its limiter such a table, and so do Lua programs (custom_limits); a value cannot cross over
-- from one Lua state to another, nor be read again at a reload; a text can. For the host, by kernel.trial, and for
-- the door.

local fault = require "llm_limiters.fault"
local words = require "llm_limiters.words"
local names = require "llm_limiters.names"

local trial = {}

local format = string.format

local DEEPEST = 8

local function raise(text)
  error({ sentence = text }, 0)
end

local function number(value)
  if value == math.huge then return "inf" end
  if value ~= value or value == -math.huge then raise("a limit must be a number, not " .. fault.show(value) .. ".") end
  return format("(%.17g)", value)
end

local function unit(content)
  if not content.zone then return content.span end
  return format("%s { tz = %q }", content.span, content.zone)
end

local write

local function write_word(value, content)
  if content.kind == "rate" then
    local amount = number(content.amount)
    if content.money then amount = "usd(" .. number(content.amount / 1e6) .. ")" end
    return amount .. "/" .. unit(content)
  elseif content.kind == "gauge" then
    return format("gauge(%s, %s)", number(content.amount), number(content.ttl))
  end
  raise(words.show(value) .. " is no limit.")
end

local function write_table(value, depth)
  if depth > DEEPEST then raise("it is nested too deeply.") end
  local parts = {}
  for _, name in ipairs(names.sorted(value)) do
    parts[#parts + 1] = format("[%q] = %s", name, write(value[name], depth + 1))
  end
  for _, item in ipairs(value) do parts[#parts + 1] = write(item, depth + 1) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function write(value, depth)
  local content = words.open(value)
  if content then return write_word(value, content) end
  local kind = type(value)
  if kind == "number" then return number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "string" then return format("%q", value) end
  if kind == "table" then return write_table(value, depth) end
  raise(fault.show(value) .. " is no limit.")
end

-- The text for a table of models and their limits; nil and what is wrong with it.
function trial.limits(models)
  local ok, text = pcall(write, models, 1)
  if ok then return "return " .. text end
  if type(text) == "table" and text.sentence then return nil, text.sentence end
  error(text, 0)
end

local function wrong(text)
  error("t takes a table like { models = { a = { rpm = 1 } } }: " .. text, 0)
end

-- The text for the table that a test gives to t.
function trial.text(entries)
  if type(entries) ~= "table" or type(entries.models) ~= "table" then wrong("models is missing.") end
  for _, field in ipairs(names.sorted(entries)) do
    if field ~= "models" then wrong("field " .. field .. " is unknown; the known field is models.") end
  end
  local text, why = trial.limits(entries.models)
  return text or wrong(why)
end

return trial
