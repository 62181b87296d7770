-- JSON, and the change of a client's request that leaves the rest of it as it was written: decoded and encoded again,
-- empty lists would be empty objects and large numbers others.

local json = {}

local cjson = require "cjson.safe".new()
cjson.encode_number_precision(14)

json.null = require "cjson".null
json.decode = cjson.decode
json.encode = cjson.encode

-- Where a string ends that begins there.
local function string_end(text, at)
  repeat
    at = string.find(text, '["\\]', at + 1)
    local escaped = string.byte(text, at) == 92
    if escaped then at = at + 1 end
  until not escaped
  return at
end

-- Where the comma or brace is that ends the member which begins there.
local function member_end(text, at)
  local depth = 0
  while true do
    at = string.find(text, '[%[%]{},"]', at)
    local char = string.sub(text, at, at)
    if depth == 0 and (char == "," or char == "}") then return at, char end
    if char == '"' then
      at = string_end(text, at)
    elseif char == "{" or char == "[" then
      depth = depth + 1
    elseif char ~= "," then
      depth = depth - 1
    end
    at = at + 1
  end
end

-- The text of an object, which decode() has read, with other members of those names, whose values are JSON.
function json.with(text, members)
  local list, at, char = {}, string.find(text, "{", 1, true), ","
  while char == "," do
    local start = at + 1
    at, char = member_end(text, start)
    local member = string.match(string.sub(text, start, at - 1), "^%s*(.-)%s*$")
    local name = member ~= "" and json.decode("[" .. string.sub(member, 1, string_end(member, 1)) .. "]")[1]
    if name and not members[name] then list[#list + 1] = member end
  end
  for name, value in pairs(members) do list[#list + 1] = json.encode(name) .. ":" .. value end
  return "{" .. table.concat(list, ",") .. "}"
end

return json
