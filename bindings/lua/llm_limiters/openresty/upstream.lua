-- What nginx tells of a request's upstream: whether it was reached, and what it answered.
--
-- The variables list every server that was tried, and grow with each internal redirect that asks another one: what a
-- call is to know begins where they were when it was admitted.

local ngx = rawget(_G, "ngx")
local find, match, sub = string.find, string.match, string.sub

local upstream = {}

local function size(text)
  return text and #text or 0
end

local LAST = "([^ ,:]+)$"

-- Where the variables are now.
function upstream.mark()
  local var = ngx.var
  if not var.upstream_addr then return nil end
  return { connect = size(var.upstream_connect_time), header = size(var.upstream_header_time),
    status = size(var.upstream_status) }
end

local function after(text, mark, name)
  if not text or not mark then return text end
  return sub(text, mark[name] + 1)
end

-- Since then: whether a server was connected to, nil if none was tried; whether the last one has answered, and its
-- status.
function upstream.since(mark)
  local var = ngx.var
  local connect = after(var.upstream_connect_time, mark, "connect")
  if not connect or connect == "" then return nil end
  local header = match(after(var.upstream_header_time, mark, "header") or "", LAST)
  local status = match(after(var.upstream_status, mark, "status") or "", LAST)
  return find(connect, "%d") ~= nil, header ~= nil and header ~= "-", tonumber(status or "") or 0
end

-- In a header filter: the status of the server whose answer passes; nil if that is another answer, of nginx itself or
-- of where an internal redirect has led, for then the server's has come to its end before.
function upstream.is_answering(mark)
  local time = ngx.var.upstream_response_time
  if not time or match(time, LAST) ~= "-" then return nil end
  local connected, answered, status = upstream.since(mark)
  return connected and answered and status or nil
end

local NAMES = { "date", "retry-after", "retry-after-ms", "x-should-retry" }

-- The headers of an answer which nginx has put another in the place of, as far as they tell of limits.
function upstream.headers()
  local list = {}
  for _, name in ipairs(NAMES) do
    local value = ngx.var["upstream_http_" .. string.gsub(name, "-", "_")]
    if value then list[#list + 1] = name .. ": " .. value end
  end
  return list
end

return upstream
