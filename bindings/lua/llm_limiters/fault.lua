-- What is wrong, and where: the error value that kernel.load returns.
--
-- Owns the shape { code, file, line, field, message } and the way values are shown in messages. A fault is raised as an
-- error inside the kernel and caught once, in kernel.load, so that readers of tables need no error plumbing.
-- The message is one whole sentence that already begins with "file:line:" when they are known.
-- A place is { source, path, what }: the script, the names that lead to the spot in its text, and words for a reader
-- ('of model "gpt-4o" in tier "free"'). For the kernel's modules only.

local source = require "llm_limiters.source"

local fault = {}

-- Here and in the other modules: a host may strip the methods of strings for its scripts, after the kernel was loaded.
local format, gsub, sub = string.format, string.gsub, string.sub

local is_fault = setmetatable({}, { __mode = "k" })

-- The same text in every VM: a NaN prints as "-nan" in some.
function fault.show(value)
  local kind = type(value)
  if kind == "string" then
    local text = gsub(value, "%c", "?")
    if #text > 60 then text = sub(text, 1, 57) .. "..." end
    return '"' .. text .. '"'
  elseif kind == "number" then
    if value ~= value then return "nan" end
    if value == math.huge then return "inf" end
    if value == -math.huge then return "-inf" end
    return format("%.14g", value)
  elseif kind == "table" or kind == "function" or kind == "userdata" or kind == "thread" then
    return "a " .. kind
  end
  return tostring(value)
end

-- Raises a fault with the code. file, line and field may be nil.
function fault.raise(code, text, file, line, field)
  local message = text
  if file and line then
    message = format("%s:%d: %s", file, line, text)
  elseif file then
    message = file .. ": " .. text
  end
  local value = { code = code, file = file, line = line, field = field, message = message }
  is_fault[value] = true
  error(value, 0)
end

-- Raises ECONFIG about a field at a place: 'field rpm of model "x" must be ..., not -5.' A field that is missing has no
-- line of its own, and the next one of that name would mislead.
function fault.at(place, field, complaint, missing)
  local path = {}
  for i, name in ipairs(place.path) do path[i] = name end
  if not missing then path[#path + 1] = field end
  local text = "field " .. field .. " " .. place.what .. " " .. complaint
  fault.raise("ECONFIG", text, place.source.file, source.locate(place.source.text, path), field)
end

-- Raises ECONFIG about the whole of a place: 'the table of model "x" must be ...'.
function fault.about(place, complaint)
  local text = "the table " .. place.what .. " " .. complaint
  local line = source.locate(place.source.text, place.path)
  fault.raise("ECONFIG", text, place.source.file, line, place.path[#place.path])
end

function fault.caught(value)
  return is_fault[value] == true
end

return fault
