-- Runs the text of a quota table, an override table or a policy, and returns the one value it ends with.
--
-- A source is { file, text }. Compiling is the host's: host.compile(text, chunkname, env) returns a function or nil and
-- a message. So is bounding: host.call(chunk), where the host has it, is a pcall that ends what runs too long.
-- Whatever goes wrong (syntax, a number that overflows, an error while running, nothing returned) is raised as a fault
-- with file and line. For the kernel's modules only.

local fault = require "llm_limiters.fault"
local source = require "llm_limiters.source"
local words = require "llm_limiters.words"

local script = {}

local find, match, sub = string.find, string.match, string.sub

-- Lua shortens long file names in positions, so the line is taken from behind whatever stands before it.
local function split(message)
  local line, text = match(message, "^.-:(%d+): (.*)$")
  if line then return tonumber(line), text end
  return nil, message
end

local function sentence(text)
  if find(text, "[.?!]$") then return text end
  return text .. "."
end

-- record tells whether it was a word of the language that complained.
local function raise_failure(src, value, record)
  if type(value) ~= "string" then
    fault.raise("ECONFIG", "the script failed: it raised " .. fault.show(value) .. ".", src.file)
  end
  local line, text = split(value)
  if text ~= record.text then
    fault.raise("ECONFIG", "the script failed: " .. sentence(text), src.file, line)
  end
  -- A word in a tail call (return policy(5)) has no caller whose line Lua could tell.
  fault.raise("ECONFIG", text, src.file, line or source.locate(src.text, { record.field }), record.field)
end

-- The object of a JSON file: plain data, which nothing runs.
function script.json(src, host)
  if not host.json then fault.raise("ECONFIG", "this host reads no JSON.", src.file) end
  local value, message, where = host.json(src.text)
  if value then return value end
  if type(where) ~= "table" then fault.raise("ECONFIG", message .. ".", src.file, where) end
  fault.raise("ECONFIG", message .. ".", src.file, source.locate(src.text, where), where[#where])
end

-- What compiles and is no script all the same.
local function check_text(src)
  local bad_line, literal = source.bad_number(src.text)
  if bad_line then
    fault.raise("ECONFIG", "the number " .. sub(literal, 1, 40) .. " is larger than Lua can hold; write math.huge or "
      .. "inf for no limit.", src.file, bad_line, sub(literal, 1, 40))
  end
  local zero_line = source.zero_byte(src.text)
  if zero_line then fault.raise("ECONFIG", "a string here holds no zero bytes.", src.file, zero_line) end
  local long_line = source.long_string(src.text)
  if long_line then
    fault.raise("ECONFIG", "a string here has at most " .. source.LONGEST .. " bytes.", src.file, long_line)
  end
end

-- example is the line that such a script ends with, for the message of one that returns nothing; more holds words that
-- only this kind of script has, or nil.
function script.run(src, host, example, more)
  local record = {}
  local runs = false
  local ok, value = (host.call or pcall)(function()
    local chunk, message = host.compile(src.text, "@" .. src.file, words.environment(record, host, more))
    if not chunk then
      local line, text = split(tostring(message))
      fault.raise("ECONFIG", "the script cannot be read as Lua: " .. sentence(text), src.file, line)
    end
    check_text(src)
    runs = true
    return chunk() -- which has no caller in the kernel, whose line would be told for its own
  end)
  -- A host that bounds nothing may fail to compile by itself.
  if not ok and (fault.caught(value) or not (runs or host.call)) then error(value, 0) end
  if not ok then raise_failure(src, value, record) end
  if value == nil then
    fault.raise("ECONFIG", "the script returns nothing; it must end with " .. example .. ".", src.file)
  end
  return value
end

return script
