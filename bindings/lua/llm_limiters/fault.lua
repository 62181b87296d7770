-- What is wrong, and where: the error value that kernel.load returns.
--
-- Owns the shape { code, file, line, field, message } and the way values are shown in messages. A fault is raised as an
-- error inside the kernel and caught once, in kernel.load, so that readers of tables need no error plumbing.
-- The message is one whole sentence that already begins with "file:line:" when they are known.
-- A place is { source, path, what, name, within }: the script, the names that lead to the spot in its text, and words
-- for a reader, of which a sentence is made once something is wrong: "of model", then a name, which ends the path too,
-- then ' in tier "free"'. All but source and what may be nil. For the kernel's modules only.

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

local function path_of(place, field)
  local path = {}
  for i, name in ipairs(place.path or {}) do path[i] = name end
  path[#path + 1] = place.name
  path[#path + 1] = field
  return path
end

local function words_of(place)
  return place.what .. (place.name and " " .. fault.show(place.name) or "") .. (place.within or "")
end

-- The place of a field that has fields itself: 'in the price of model "x"'.
function fault.inside(place, field, what)
  return { source = place.source, path = path_of(place, field), what = what .. " " .. words_of(place) }
end

-- Raises ECONFIG about a field at a place: 'field rpm of model "x" must be ..., not -5.' A field that is missing has no
-- line of its own, and the next one of that name would mislead.
function fault.at(place, field, complaint, missing)
  local path = path_of(place, not missing and field or nil)
  local text = "field " .. field .. " " .. words_of(place) .. " " .. complaint
  fault.raise("ECONFIG", text, place.source.file, source.locate(place.source.text, path), field)
end

-- Raises ECONFIG about the whole of a place: 'the table of model "x" must be ...'.
function fault.about(place, complaint)
  local text, path = "the table " .. words_of(place) .. " " .. complaint, path_of(place)
  fault.raise("ECONFIG", text, place.source.file, source.locate(place.source.text, path), path[#path])
end

function fault.caught(value)
  return is_fault[value] == true
end

return fault
