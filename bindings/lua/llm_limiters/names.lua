-- Which name was meant: the nearest of a list by edit distance.
--
-- A slip is an insertion, a deletion, a substitution or a swap of two neighbours; letters are compared without case.
-- Near is a quarter of the name's length, at least one slip and at most four; ties go to the first in sort order, so
-- that every VM suggests the same. Pure functions, for the kernel's modules and for messages of the host.

local names = {}

local byte, lower = string.byte, string.lower

local LONGEST = 128 -- the distance takes time by the product of the lengths, and names come from outside

-- The number of slips between a and b.
local function distance(a, b)
  local before, above, row = {}, {}, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local cost = byte(a, i) == byte(b, j) and 0 or 1
      local least = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
      if i > 1 and j > 1 and byte(a, i) == byte(b, j - 1) and byte(a, i - 1) == byte(b, j) then
        least = math.min(least, before[j - 2] + 1)
      end
      row[j] = least
    end
    before, above, row = above, row, before
  end
  return above[#b]
end

local SEQUENCES = { "^[\1-\127]", "^[\194-\223][\128-\191]", "^[\224-\239][\128-\191][\128-\191]",
  "^[\240-\244][\128-\191][\128-\191][\128-\191]" }

-- Whether a string can be shown and written as JSON.
function names.is_utf8(text)
  if not string.find(text, "[\128-\255]") then return true end
  local at = 1
  while at <= #text do
    local last
    for _, sequence in ipairs(SEQUENCES) do last = last or select(2, string.find(text, sequence, at)) end
    if not last then return false end
    at = last + 1
  end
  return true
end

-- The string keys of a table, sorted.
function names.sorted(set)
  local list = {}
  for name in pairs(set) do
    if type(name) == "string" then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- The nearest of the sorted list, or nil when none is near.
function names.nearest(name, list)
  if type(name) ~= "string" or #name > LONGEST then return nil end
  local wanted = lower(name)
  local best
  local least = math.min(4, math.max(1, math.floor(#name / 4))) + 1
  for _, candidate in ipairs(list) do
    if math.abs(#candidate - #name) < least then
      local slips = distance(wanted, lower(candidate))
      if slips < least then best, least = candidate, slips end
    end
  end
  return best
end

-- The longest of the sorted list that is part of the name, else the shortest that the name is part of, or nil. Names of
-- less than four bytes tell nothing.
function names.akin(name, list)
  if type(name) ~= "string" or #name < 4 or #name > LONGEST then return nil end
  local inside, around
  local wanted = lower(name)
  for _, candidate in ipairs(list) do
    local known = lower(candidate)
    if #known >= 4 and string.find(wanted, known, 1, true) and not (inside and #inside >= #known) then
      inside = candidate
    elseif string.find(known, wanted, 1, true) and not (around and #around <= #known) then
      around = candidate
    end
  end
  return inside or around
end

-- 'did you mean "x"?' when a name is near, else 'the known <plural> are a, b.'
function names.hint(name, list, plural)
  local near = names.nearest(name, list)
  if near then return 'did you mean "' .. near .. '"?' end
  return "the known " .. plural .. " are " .. table.concat(list, ", ") .. "."
end

return names
