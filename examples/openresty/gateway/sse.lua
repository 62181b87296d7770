-- Server-sent events out of a body that comes in pieces.

local sse = {}

local MOST = 4 * 1024 * 1024 -- bytes of one event; images come in them

-- The text of an event's data lines, or nil if it has none.
local function data_of(event)
  local lines = {}
  for line in string.gmatch(event, "[^\r\n]+") do
    lines[#lines + 1] = string.match(line, "^data: ?(.*)$")
  end
  return lines[1] and table.concat(lines, "\n")
end

-- A function that returns the data of the next event and the event as it was sent; nil at the end; nil and why it
-- has broken off.
function sse.events(answer)
  local text, from = "", 1
  return function()
    while true do
      local first, last = string.find(text, "\r?\n\r?\n", from)
      if first then
        local event = string.sub(text, 1, last)
        text, from = string.sub(text, last + 1), 1
        local data = data_of(event)
        if data then return data, event end
      else
        local piece, why = answer:read()
        if not piece then return nil, why end
        from = math.max(1, #text - 2)
        text = text .. piece
        if #text > MOST then
          answer:close()
          return nil, "an event is too long"
        end
      end
    end
  end
end

return sse
