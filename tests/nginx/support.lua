-- Starts nginx with its Lua module for the specs, gate and upstream in one, on sockets in a directory of its own. By
-- dofile, from the top of the checkout.
local support = {}

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local MODULES = "/usr/lib/nginx/modules/"
local PATIENCE = 20 -- seconds, of anything that is waited for

-- The output of a shell command.
function support.run(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end
local run = support.run

function support.write(path, text)
  local f = assert(io.open(path .. ".new", "wb"))
  f:write(text)
  f:close()
  assert(os.rename(path .. ".new", path))
end

function support.read(path)
  local f = io.open(path, "rb")
  if not f then return "" end
  local text = f:read "*a"
  f:close()
  return text
end

-- Asks until the answer is true: for what other processes do.
function support.until_true(ask, what)
  local ends = os.time() + PATIENCE
  repeat
    local result = ask()
    if result then return result end
    os.execute "sleep 0.02"
  until os.time() > ends
  error("waited in vain for " .. (what or "it"), 2)
end

local until_true = support.until_true

local CONF = [[
load_module $MODULESndk_http_module.so;
load_module $MODULESngx_http_lua_module.so;
$USER
worker_processes 4;
pid $DIR/pid;
error_log $DIR/error.log notice;
env PATH;
env "LUA_PATH=$HERE/bindings/lua/?.lua;$HERE/bindings/lua/?/init.lua;;";
env "LUA_CPATH=$HERE/$BUILD/luajit/?.so;;";
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy; fastcgi_temp_path $DIR/fcgi;
  uwsgi_temp_path $DIR/uwsgi; scgi_temp_path $DIR/scgi;
  lua_package_path "$HERE/bindings/lua/?.lua;$HERE/bindings/lua/?/init.lua;$HERE/tests/nginx/?.lua;;";
  lua_package_cpath "$HERE/$BUILD/luajit/?.so;;";
  lua_shared_dict seen 1m;
$HTTP
}
]]

local Server = {}
Server.__index = Server

-- An nginx of four workers with that text in its http block, where $DIR is its directory, which holds the files. Its
-- workers are another user's than the master if that is root, unless they are to read the checkout.
function support.start(http, files, reading)
  local dir = run("mktemp -d"):match "%S+"
  local self = setmetatable({ dir = dir, socket = dir .. "/gate.sock" }, Server)
  os.execute("chmod 755 " .. dir)
  local root = run "id -u":match "%d+" == "0"
  local values = { MODULES = MODULES, DIR = dir, HERE = run "pwd":match "[^\n]+",
    BUILD = os.getenv "BUILD" or "build", USER = not root and "" or reading and "user root;" or "user www-data;" }
  for name, text in pairs(files) do support.write(dir .. "/" .. name, text) end
  local text = CONF:gsub("%$HTTP", (http:gsub("%%", "%%%%")))
  support.write(dir .. "/nginx.conf", (text:gsub("%$([A-Z]+)", values)))
  self:up()
  return self
end

function Server:nginx(arguments)
  return run("nginx -p " .. self.dir .. " -c " .. self.dir .. "/nginx.conf -e " .. self.dir .. "/error.log "
    .. (arguments or "") .. " 2>&1")
end

function Server:up()
  local said = self:nginx()
  local fine = pcall(until_true, function() return self:get("/up") == "up" end)
  if fine then return end
  said = said .. self:log()
  self:remove()
  error("nginx does not come up: " .. said, 2)
end

function Server:pid()
  return tonumber(support.read(self.dir .. "/pid"):match "%d+")
end

-- The ids of its workers.
function Server:workers()
  local list = {}
  for pid in run("ps -o pid=,args= --ppid " .. self:pid()):gmatch "(%d+) nginx: worker process\n" do
    list[#list + 1] = tonumber(pid)
  end
  return list
end

function Server:log()
  return support.read(self.dir .. "/error.log")
end

-- A curl command for that path and what else curl is to be told.
function Server:curl(path, more)
  return "curl -s --max-time 30 --unix-socket " .. self.socket .. " " .. (more or "") .. " 'http://gate" .. path .. "'"
end

function Server:get(path, more)
  return run(self:curl(path, more) .. " 2>/dev/null")
end

-- status, headers by name, body
function Server:ask(path, body, more)
  local text = run(self:curl(path, "-i " .. (body and "-d '" .. body .. "' " or "") .. (more or "")) .. " 2>/dev/null")
  text = text:gsub("\r\n", "\n")
  local head, rest = text:match "^(.-\n)\n(.*)$"
  local headers = {}
  for name, value in (head or ""):gmatch "\n([^:\n]+): ([^\n]*)" do headers[name:lower()] = value end
  return tonumber(text:match "^HTTP/%S+ (%d+)"), headers, rest
end

function Server:stop()
  local pid = self:pid()
  if not pid then return end
  self:nginx "-s stop"
  until_true(function() return run("ps -o pid= -p " .. pid) == "" end, "nginx to end")
end

function Server:remove()
  self:stop()
  os.execute("rm -rf " .. self.dir)
end

support.unpack = unpack

return support
