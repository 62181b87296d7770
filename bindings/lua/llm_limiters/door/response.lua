-- A provider's answer in the forms that Lua clients have it, as the text that the classifier of the core reads: there
-- is no second reader of providers' bodies.

local names = require "llm_limiters.names"

local response = {}

local format = string.format

local DEEPEST = 32
local LONGEST = 16384 -- of a string: what is longer is content, and no message or number

local ESCAPES = { ["\""] = "\\\"", ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return ESCAPES[char] or format("\\u%04x", string.byte(char))
end

local function quote(text)
  if #text > LONGEST then return "\"\"" end
  return "\"" .. string.gsub(text, "[%c\"\\]", escape) .. "\""
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  return format("%.17g", value)
end

-- A decoded document as JSON again: a table with a first element is a list.
local function encode(value, depth)
  local kind = type(value)
  if kind == "string" then return quote(value) end
  if kind == "number" then return number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "table" or depth > DEEPEST then return "null" end
  local parts = {}
  if value[1] ~= nil then
    for i, item in ipairs(value) do parts[i] = encode(item, depth + 1) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for _, name in ipairs(names.sorted(value)) do
    parts[#parts + 1] = quote(name) .. ":" .. encode(value[name], depth + 1)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A value as JSON, which has no infinite numbers.
function response.json(value)
  return encode(value, 1)
end

-- A body as text, or nil: a text as it is, a decoded document as JSON.
function response.body(body)
  if type(body) == "string" then return body end
  if type(body) == "table" then return encode(body, 1) end
  return nil
end

-- What a call used, as the body of an answer that tells it: a whole decoded answer, or only its usage.
function response.usage(value)
  if value.usage ~= nil or value.usageMetadata ~= nil or value.error ~= nil then return encode(value, 1) end
  local usage = encode(value, 1)
  return "{\"usage\":" .. usage .. ",\"usageMetadata\":" .. usage .. "}"
end

local function add(lines, name, value)
  if type(value) == "string" or type(value) == "number" then lines[#lines + 1] = name .. ": " .. value end
end

-- Headers as lines, or nil: a text, a list of lines, or a table of names, whose values may be lists.
function response.headers(headers)
  if type(headers) == "string" then return headers end
  if type(headers) ~= "table" then return nil end
  local lines = {}
  for _, line in ipairs(headers) do
    if type(line) == "string" then lines[#lines + 1] = line end
  end
  for _, name in ipairs(names.sorted(headers)) do
    local value = headers[name]
    if type(value) == "table" then
      for _, one in ipairs(value) do add(lines, name, one) end
    else
      add(lines, name, value)
    end
  end
  return table.concat(lines, "\r\n")
end

return response
