-- The text of a script, read as tokens: to find the line of a fault, and to refuse numbers that the reader cannot hold.
--
-- Lua turns the literal 1e400 into infinity, which in a quota means "not enforced": a slip of the finger would lift a
-- limit. And a long hexadecimal literal wraps around in Lua 5.3 and later but not before. Both can only be seen here.
-- The text is one that Lua has compiled already (or a line is wanted all the same), so the scanner need not judge it.
-- Pure functions, for the kernel's modules only.

local source = { LONGEST = 1000 } -- bytes of a string

local char, find, gsub, match, rep, sub = string.char, string.find, string.gsub, string.match, string.rep, string.sub
local concat, floor = table.concat, math.floor

local function long_bracket_end(text, level, from)
  local _, last = find(text, "]" .. level .. "]", from, true)
  return last or #text
end

local function quoted_end(text, quote, from)
  local at = from
  while true do
    local stop = find(text, "[\\" .. quote .. "]", at)
    if not stop then return #text end
    if sub(text, stop, stop) == quote then return stop end
    at = stop + 2
  end
end

local function number_end(text, from)
  local _, last = find(text, "^0[xX][%x.]*[pP][+-]?%d+", from)
  if not last then _, last = find(text, "^0[xX][%x.]*", from) end
  if not last then _, last = find(text, "^[%d.]+[eE][+-]?%d+", from) end
  if not last then _, last = find(text, "^[%d.]+", from) end
  return last
end

-- The token at pos: its kind ("string", "name", "number", "comment", "space", "sign"), its last byte and, of a string,
-- what is between the quotes.
local function token_at(text, pos)
  local _, last = find(text, "^%s+", pos)
  if last then return "space", last end
  _, last = find(text, "^[%a_][%w_]*", pos)
  if last then return "name", last end
  if find(text, "^%.?%d", pos) then return "number", number_end(text, pos) end
  local _, open, level = find(text, "^%-%-%[(=*)%[", pos)
  if open then return "comment", long_bracket_end(text, level, open + 1) end
  _, last = find(text, "^%-%-[^\n]*", pos)
  if last then return "comment", last end
  _, open, level = find(text, "^%[(=*)%[", pos)
  if open then
    last = long_bracket_end(text, level, open + 1)
    return "string", last, sub(text, open + 1, last - #level - 2)
  end
  local quote = sub(text, pos, pos)
  if quote == '"' or quote == "'" then
    last = quoted_end(text, quote, pos + 1)
    return "string", last, sub(text, pos + 1, last - 1)
  end
  return "sign", pos
end

local function line_of(text, pos)
  local _, breaks = gsub(sub(text, 1, pos - 1), "\n", "")
  return breaks + 1
end

local function utf8_of(code)
  if code < 128 then return char(code) end
  local bytes, first = "", 64 -- what the first byte holds is less than that
  while code >= first do
    bytes = char(128 + code % 64) .. bytes
    code, first = floor(code / 64), first / 2
  end
  return char(256 - 2 * first + code) .. bytes
end

local LETTERS = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v", z = "" }

-- What the escape at the backslash stands for, in Lua or JSON, and its last byte.
local function escape_at(inner, at)
  local _, last, code = find(inner, "^u{(%x+)}", at + 1)
  if code and #code < 8 then return utf8_of(tonumber(code, 16)), last end
  _, last, code = find(inner, "^u(%x%x%x%x)", at + 1)
  if code then
    local low = match(inner, "^\\u([dD][c-fC-F]%x%x)", last + 1)
    if not low or not find(code, "^[dD][89abAB]") then return utf8_of(tonumber(code, 16)), last end
    return utf8_of(0x10000 + (tonumber(code, 16) - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), last + 6
  end
  _, last, code = find(inner, "^x(%x%x)", at + 1)
  if code then return char(tonumber(code, 16)), last end
  _, last, code = find(inner, "^(%d%d?%d?)", at + 1)
  if code and tonumber(code) < 256 then return char(tonumber(code)), last end
  if find(inner, "^z%s", at + 1) then return "", select(2, find(inner, "^z%s+", at + 1)) end
  local letter = sub(inner, at + 1, at + 1)
  return LETTERS[letter] or letter, at + 1
end

-- What a quoted string means by what is between its quotes.
local function meaning(inner)
  local parts, from = {}, 1
  local at = find(inner, "\\", 1, true)
  while at do
    parts[#parts + 1] = sub(inner, from, at - 1)
    parts[#parts + 1], from = escape_at(inner, at)
    from = from + 1
    at = find(inner, "\\", from, true)
  end
  return concat(parts) .. sub(inner, from)
end

-- Whether the token is that name; a number is one as a key only: [1] = .
local function is_name(text, kind, pos, last, inner, name)
  if kind == "name" then return sub(text, pos, last) == name end
  if kind == "number" then
    return tonumber(sub(text, pos, last)) == name and find(text, "^%s*%]", last + 1) ~= nil
      and find(sub(text, math.max(pos - 9, 1), pos - 1), "%[%s*$") ~= nil
  end
  return kind == "string" and (inner == name or sub(text, pos, pos) ~= "[" and meaning(inner) == name)
end

-- The line where the names of path occur one after the other, as strings or words. A text may build a name rather
-- than spell it: where that is the last, it is the line of the one before, which is near enough; where it is another
-- one, nil, since what comes after would be another's.
function source.locate(text, path)
  local pos = 1
  local found
  for i, name in ipairs(path) do
    local at = pos
    local kind, last, inner
    repeat
      if at > #text then return i == #path and found and line_of(text, found) or nil end
      kind, last, inner = token_at(text, at)
      local here = is_name(text, kind, at, last, inner, name)
      if here then found = at end
      at = last + 1
    until here
    pos = at
  end
  return found and line_of(text, found)
end

local function has_exponent(text, letter)
  local at = find(text, letter, 1, true)
  while at and not find(text, "^%+?%d%d%d", at + 1) do at = find(text, letter, at + 1, true) end
  return at ~= nil
end

local DIGITS = "^" .. rep("%d", 100)

-- Most texts hold no number that is beyond Lua, and this look is much cheaper than the scan: such a number is
-- hexadecimal, has an exponent of three digits, or has 200 digits in a row, a hundred of which begin at a multiple of a
-- hundred.
local function may_be_beyond(text)
  local x = find(text, "x", 1, true) or find(text, "X", 1, true)
  if x and find(text, "0[xX]") or has_exponent(text, "e") or has_exponent(text, "E") then return true end
  for pos = 100, #text, 100 do
    if find(text, DIGITS, pos) then return true end
  end
  return false
end

-- nil, or the line of the first literal that means something else than it says, with that literal.
function source.bad_number(text)
  if not may_be_beyond(text) then return nil end
  local pos = 1
  while pos <= #text do
    local kind, last = token_at(text, pos)
    if kind == "number" then
      local literal = sub(text, pos, last)
      local digits = match(literal, "^0[xX]0*(%x*)$")
      if tonumber(literal) == math.huge or (digits and #digits > 13) then
        return line_of(text, pos), literal
      end
    end
    pos = last + 1
  end
  return nil
end

-- Whether a line is longer than a string may be, or a string may go over several lines.
local function may_hold_long(text)
  if find(text, "[[", 1, true) or find(text, "[=", 1, true) then return true end
  if find(text, "\\", 1, true) and find(text, "\\[\r\nz]") then return true end
  local half = source.LONGEST / 2
  for pos = half, #text, half do
    local stop = find(text, "\n", pos, true) or #text
    if stop - pos >= half then return true end
  end
  return false
end

-- nil, or the line of the first string, as it is spelt, or name that is longer than one may be. A call of a library on
-- a string is one instruction for a host that counts them.
function source.long_string(text)
  if #text <= source.LONGEST or not may_hold_long(text) then return nil end
  local pos = 1
  while pos <= #text do
    local kind, last, inner = token_at(text, pos)
    if #(inner or "") > source.LONGEST or (kind == "name" and last - pos >= source.LONGEST) then
      return line_of(text, pos)
    end
    pos = last + 1
  end
  return nil
end

-- Whether an escape within a quoted string makes a zero byte.
local function escapes_zero(inner)
  local at = find(inner, "\\", 1, true)
  while at do
    local code = match(inner, "^(%d%d?%d?)", at + 1)
    if code and tonumber(code) == 0 or find(inner, "^x00", at + 1) or find(inner, "^u{0+}", at + 1) then return true end
    at = find(inner, "\\", at + 2, true)
  end
  return false
end

-- nil, or the line of the first string that holds a zero byte: comparing such strings takes time for each one.
function source.zero_byte(text)
  local raw = find(text, "\0", 1, true)
  if raw then return line_of(text, raw) end
  if not find(text, "\\", 1, true) or not find(text, "\\[x0u]") then return nil end
  local pos = 1
  while pos <= #text do
    local kind, last, inner = token_at(text, pos)
    if kind == "string" and sub(text, pos, pos) ~= "[" and escapes_zero(inner) then return line_of(text, pos) end
    pos = last + 1
  end
  return nil
end

return source
