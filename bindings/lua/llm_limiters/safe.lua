-- The parts of the standard libraries that a script may use: what reaches nothing outside, and costs what it looks
-- like.
--
-- One call of a library is one instruction for a host that counts them, so lists and texts are capped: no call works
-- on more than MOST_ITEMS elements or makes more than MOST_BYTES. Patterns are left out, since one of them may take
-- time without end. What Lua 5.1 and LuaJIT do in another way, they do here as Lua 5.4. For words.lua and the host's
-- strings only.

local safe = {}

local MOST_ITEMS = 250
local MOST_BYTES = 1000

local concat, insert, remove, sort = table.concat, table.insert, table.remove, table.sort
local unpack_list = rawget(_G, "unpack") or rawget(table, "unpack") -- of Lua 5.1, of later ones
local char, find, format, rep = string.char, string.find, string.format, string.rep
local log, log10, frexp = math.log, rawget(math, "log10"), rawget(math, "frexp")
local knows_bases = log(2 ^ 29, 2) == 29

-- Level 3 is the line of the script that called.
local function check_list(name, list)
  if type(list) ~= "table" then error(name .. " takes a list, not a " .. type(list) .. ".", 3) end
  if #list > MOST_ITEMS then error(name .. " takes a list of at most " .. MOST_ITEMS .. " elements here.", 3) end
end

local function check_range(name, from, to)
  if (from and type(from) ~= "number") or (to and type(to) ~= "number") then
    error(name .. " takes numbers for the first and the last element.", 3)
  end
end

local function check_whole(name, number)
  if type(number) == "number" and number % 1 ~= 0 then error(name .. " takes a whole number.", 3) end
end

local function check_position(name, list, position)
  if type(position) ~= "number" then return end -- it is converted, or refused
  if not (position >= 1 and position <= #list + 1) then error(name .. " takes a position within the list.", 3) end
end

local function table_insert(list, ...)
  check_list("table.insert", list)
  if select("#", ...) > 1 then
    check_whole("table.insert", (...))
    check_position("table.insert", list, (...))
  end
  return insert(list, ...)
end

local function table_remove(list, position)
  check_list("table.remove", list)
  if position == nil then return (remove(list)) end
  check_whole("table.remove", position)
  if position ~= #list then check_position("table.remove", list, position) end
  return (remove(list, position))
end

local function table_concat(list, separator, from, to)
  check_list("table.concat", list)
  check_range("table.concat", from, to)
  if to and to - (from or 1) >= MOST_ITEMS then
    error("table.concat takes at most " .. MOST_ITEMS .. " elements here.", 2)
  end
  return concat(list, separator, from, to)
end

local function table_sort(list, before)
  check_list("table.sort", list)
  return sort(list, before)
end

local function table_unpack(list, from, to)
  check_list("table.unpack", list)
  check_range("table.unpack", from, to)
  from, to = from or 1, to or #list
  local n = to - from
  if n ~= n or n >= MOST_ITEMS then error("table.unpack gives at most " .. MOST_ITEMS .. " values here.", 2) end
  return unpack_list(list, from, to)
end

local function string_rep(text, times, separator)
  local length = (type(text) == "string" and #text or 0) + (type(separator) == "string" and #separator or 0)
  if type(times) == "number" and times * (length > 0 and length or 1) > MOST_BYTES then
    error("string.rep makes at most " .. MOST_BYTES .. " bytes here.", 2)
  end
  check_whole("string.rep", times)
  if type(separator) ~= "string" or type(times) ~= "number" or times < 2 then return rep(text, times) end
  return rep(text .. separator, times - 1) .. text
end

-- Strings of a script hold no zero bytes: comparing them takes time for each one.
local function string_char(...)
  for i = 1, select("#", ...) do
    if tonumber((select(i, ...))) == 0 then error("string.char makes no zero bytes here.", 2) end
  end
  return char(...)
end

-- An address tells nothing, and is another one in each VM.
local function show(value)
  local kind = type(value)
  if kind == "table" or kind == "function" or kind == "userdata" or kind == "thread" then return "a " .. kind end
  return tostring(value)
end

local function string_format(pattern, ...)
  if type(pattern) == "string" and #pattern > MOST_BYTES then
    error("string.format takes a pattern of at most " .. MOST_BYTES .. " bytes here.", 2)
  end
  if type(pattern) == "string" and (find(pattern, "%%[^%a%%]*c") or find(pattern, "%%[^%a%%]*p")) then
    error("string.format knows no %c and %p here.", 2)
  end
  local values = { ... }
  for i = 1, select("#", ...) do
    if type(values[i]) ~= "number" and type(values[i]) ~= "string" then values[i] = show(values[i]) end
  end
  return format(pattern, unpack_list(values, 1, select("#", ...)))
end

local function math_log(x, base)
  if base == nil then return log(x) end
  if knows_bases then return log(x, base) end
  if base == 10 then return log10(x) end
  local part, exponent = frexp(x)
  if base == 2 and part == 0.5 then return exponent - 1 end
  return log(x) / log(base)
end

-- Only the C library takes "inf" and "nan" for numbers.
local function to_number(text, ...)
  if type(text) == "string" and select("#", ...) == 0 and find(text, "[nN]") then return nil end
  return tonumber(text, ...)
end

local function subset(library, wanted)
  local copy = {}
  for _, name in ipairs(wanted) do copy[name] = library[name] end
  return copy
end

-- Fresh tables for each script.
function safe.string()
  local copy = subset(string, { "byte", "len", "lower", "reverse", "sub", "upper" })
  copy.char, copy.format, copy.rep = string_char, string_format, string_rep
  return copy
end

function safe.math()
  local copy = subset(math, { "abs", "ceil", "exp", "floor", "fmod", "huge", "max", "min", "modf", "pi", "sqrt" })
  copy.log = math_log
  return copy
end

function safe.table()
  return {
    concat = table_concat, insert = table_insert, remove = table_remove, sort = table_sort, unpack = table_unpack,
  }
end

safe.functions = {
  pairs = pairs, ipairs = ipairs, next = next, type = type, tostring = show, tonumber = to_number,
  error = error, assert = assert, pcall = pcall, select = select,
}

return safe
