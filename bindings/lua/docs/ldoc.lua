-- ldoc.lua ANNOTATIONS > SOURCE: the annotations for editors as comments of LDoc, which reads another language: so that
-- functions, fields and types are told in one place. Each class with methods is a section, each other one a table.

local depths = { ["("] = 1, ["{"] = 1, ["<"] = 1, [")"] = -1, ["}"] = -1, [">"] = -1 }

-- Where what begins there ends: at the separator outside of all brackets, or the end.
local function ends(text, separator)
  local depth = 0
  for i = 1, #text do
    local char = text:sub(i, i)
    depth = depth + (depths[char] or 0)
    -- "fun(): type" goes on after its colon
    if depth == 0 and char == separator and text:sub(i - 1, i - 1) ~= ":" then return i end
  end
  return #text + 1
end

-- A type without blanks, in our own names, and the text behind it.
local function type_and_text(text)
  local at = ends(text, " ")
  local kind = text:sub(1, at - 1):gsub("llm_limiters%.", ""):gsub("llm%.", ""):gsub("%s+", "")
  return (kind:gsub("^(.*)%?$", "?|%1")), text:sub(at + 1)
end

local function optional(name, kind)
  local bare = name:gsub("%?$", "")
  if bare ~= name then return bare, kind, "[opt]" end
  return name, kind, ""
end

local function print_lines(lines)
  for i, line in ipairs(lines) do io.write(i == 1 and "--- " or "-- ", line, "\n") end
end

local function put(out, tag, name, text)
  local kind, more = type_and_text(text)
  local bare, plain, mark = optional(name, kind)
  out[#out + 1] = ("@%s%s %s %s %s"):format(tag, mark, plain, bare, more)
end

local function put_returns(out, text)
  local only, told = text:match "^(%S+) # (.*)$"
  if only then
    out[#out + 1] = ("@treturn %s %s"):format((type_and_text(only)), told)
    return
  end
  while text ~= "" do
    local at = ends(text, ",")
    local kind, name = type_and_text(text:sub(1, at - 1))
    out[#out + 1] = ("@treturn %s %s"):format(kind, name)
    text = text:sub(at + 1):gsub("^ ", "")
  end
end

-- Those lines of comment, with the line of code that they stand above, or "".
local function block(lines, code)
  local out, fields, class = {}, {}, nil
  for _, line in ipairs(lines) do
    local tag, rest = line:match "^@(%w+)%s*(.*)$"
    if not tag then
      out[#out + 1] = line
    elseif tag == "class" then
      class = rest:gsub("llm_limiters%.", "")
    elseif tag == "field" then
      local name, text = rest:match "^(%[?[%w_]+%]?%??) (.*)$"
      if name:find "^%[" then name, text = "any", text .. " under each further name or index" end
      put(fields, "tfield", name, text)
    elseif tag == "param" then
      put(out, "tparam", rest:match "^(%S+) (.*)$")
    elseif tag == "return" then
      put_returns(out, rest)
    end
  end
  local name = class and class:match "^%w+"
  local owner, method = code:match "^function (%w+)[:.]([%w_]+)"
  if owner then
    out[#out + 1] = "@function " .. (owner == "llm" and "" or owner .. ":") .. method
  elseif class then
    if code:find "^local" then -- LDoc has no fields of a section
      for i, field in ipairs(fields) do
        out[#out + 1] = (i == 1 and "Fields: " or "") ..
          field:gsub("^@tfield%S* (%S+) (%S+) *(.-) *$", "`%2`, %1 %3") .. (i < #fields and ";" or ".")
      end
      out[#out + 1] = "@type " .. name
    else
      out[#out + 1] = "@table " .. name
      for _, field in ipairs(fields) do out[#out + 1] = field end
    end
  else
    return
  end
  print_lines(out)
  print()
end

print [[
--- Rate limits and quotas for calls to language models: may this call go now, to which model, and if not, when exactly.
--
--     local llm = require "llm_limiters"
--
-- What does not work out is `nil` and a value that tells it; only wrong arguments are raised.
-- @module llm_limiters
]]

local blocks, lines = {}, {}
for line in io.lines(arg[1]) do
  local comment = line:match "^%-%-%-([^-].*)$"
  if comment then
    lines[#lines + 1] = comment
  elseif #lines > 0 then
    blocks[#blocks + 1] = { lines = lines, code = line, section = line:find "^local %u" or line:find "^function %u" }
    lines = {}
  end
end
-- A section ends with the file or the next one: what is in none comes first.
for _, b in ipairs(blocks) do
  if not b.section then block(b.lines, b.code) end
end
for _, b in ipairs(blocks) do
  if b.section then block(b.lines, b.code) end
end
