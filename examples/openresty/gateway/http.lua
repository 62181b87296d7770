-- A small HTTP/1.1 client over nginx's cosockets: one POST, whose answer is read as it comes.
--
-- An answer's body ends by its length, its last chunk or the end of the connection; what ends before is broken. A
-- connection is kept for the next call if its answer was read to the end.

local http = {}

local CONNECT, SEND, READ = 2000, 10000, 120000 -- milliseconds; READ of one wait, and models think for long
local KEEP, KEPT = 30000, 64 -- milliseconds, and connections of a worker to one server
local MOST_HEADERS, LONGEST_LINE = 100, 16384
local PIECE = 16384 -- bytes

local Answer = {}
Answer.__index = Answer

local PORTS = { http = 80, https = 443 }

local function connect(url)
  local scheme, host, port, path = string.match(url, "^(https?)://([^/:]+):?(%d*)(/.*)$")
  if not scheme then return nil, "the address " .. url .. " is not of HTTP" end
  local sock = ngx.socket.tcp()
  sock:settimeouts(CONNECT, SEND, READ)
  port = tonumber(port) or PORTS[scheme]
  local fine, why = sock:connect(host, port, { pool = scheme .. "://" .. host .. ":" .. port, pool_size = KEPT })
  if fine and scheme == "https" and sock:getreusedtimes() == 0 then fine, why = sock:sslhandshake(nil, host, true) end
  if not fine then return nil, why end
  return sock, host .. ":" .. port, path
end

-- A line without its end. receive "*l" would keep as much as the server sends without ending it.
local function read_line(sock)
  local line, why = sock:receiveuntil "\n"(LONGEST_LINE)
  if not line then return nil, why end
  if #line == LONGEST_LINE then return nil, "a line is too long" end
  return (string.gsub(line, "\r$", ""))
end

-- Status and headers, whose names are in lower case.
local function read_head(sock)
  local headers, line, why = {}, read_line(sock)
  if not line then return nil, why end
  local minor, status = string.match(line, "^HTTP/1%.(%d) (%d%d%d)")
  if not status then return nil, "the answer is not of HTTP/1.1" end
  for _ = 1, MOST_HEADERS do
    line, why = read_line(sock)
    if not line then return nil, why end
    if line == "" then return tonumber(status), headers, minor == "1" end
    local name, value = string.match(line, "^([^:]+):%s*(.-)%s*$")
    if name then headers[string.lower(name)] = value end
  end
  return nil, "the answer has too many headers"
end

-- The answer, whose body is to be read: { status, headers }. nil and why there is none.
function http.post(url, headers, body)
  local sock, host, path = connect(url)
  if not sock then return nil, host end
  local lines = { "POST " .. path .. " HTTP/1.1", "Host: " .. host, "Content-Length: " .. #body,
    "Accept-Encoding: identity" }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  local sent, why = sock:send { table.concat(lines, "\r\n"), "\r\n\r\n", body }
  if not sent then return nil, why end
  local status, answered, keeps
  repeat
    status, answered, keeps = read_head(sock)
  until not status or status >= 200 -- before that come hints
  if not status then
    sock:close()
    return nil, answered
  end
  local chunked = string.find(string.lower(answered["transfer-encoding"] or ""), "chunked", 1, true) ~= nil
  return setmetatable({ sock = sock, status = status, headers = answered, chunked = chunked,
    left = not chunked and tonumber(answered["content-length"]) or nil,
    keeps = keeps and string.lower(answered.connection or "") ~= "close" }, Answer)
end

function Answer:close()
  if self.sock then self.sock:close() end
  self.sock = nil
end

local function finish(self)
  if self.keeps then self.sock:setkeepalive(KEEP) else self.sock:close() end
  self.sock = nil
end

local function fail(self, why)
  self:close()
  return nil, why
end

-- The size of the next chunk is in left: 0 after the last.
local function read_size(self)
  if self.left then read_line(self.sock) end -- the end of the one before
  local line, why = read_line(self.sock)
  local size = tonumber(string.match(line or "", "^%x+") or "", 16)
  if not size then return nil, why or "a chunk has no size" end
  self.left = size
  while size == 0 and line ~= "" do -- trailers, and an empty line
    line, why = read_line(self.sock)
    if not line then return nil, why end
  end
  return true
end

-- The next piece of the body, as soon as there is one; nil at its end; nil and why it has broken off.
function Answer:read()
  if not self.sock then return nil end
  if self.chunked and (self.left or 0) == 0 then
    local fine, why = read_size(self)
    if not fine then return fail(self, why) end
  end
  if self.left == 0 then return finish(self) end
  local piece, why = self.sock:receiveany(self.left and math.min(self.left, PIECE) or PIECE)
  if not piece then
    if why ~= "closed" or self.left then return fail(self, why) end
    self.keeps = false
    return finish(self)
  end
  if self.left then self.left = self.left - #piece end
  return piece
end

-- The whole body; nil and why not, if it is longer than so many bytes, too.
function Answer:all(most)
  local pieces, size = {}, 0
  while true do
    local piece, why = self:read()
    if not piece then
      if why then return nil, why end
      return table.concat(pieces)
    end
    size = size + #piece
    if size > most then return fail(self, "the answer is longer than " .. most .. " bytes") end
    pieces[#pieces + 1] = piece
  end
end

return http
