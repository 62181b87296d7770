-- Starts a copy of examples/openresty for the specs, in a directory and on ports of its own, before a provider that
-- goes wrong when it is told to. By dofile, from the top of the checkout.
local json = require "cjson"
local shared = dofile "tests/nginx/support.lua"

local support = { until_true = shared.until_true, write = shared.write, read = shared.read, run = shared.run }
local run = shared.run

local Gateway = {}
Gateway.__index = Gateway

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local PORTS = [[node -e '
  const s = [0, 0].map(() => require("net").createServer().listen(0, "127.0.0.1"));
  setImmediate(() => { console.log(s.map((one) => one.address().port).join(" ")); s.forEach((one) => one.close()) });']]

-- files: of the example, by name, that are to be others; a function makes one of what it is.
function support.start(files)
  local dir = run("mktemp -d"):match "%S+"
  local port, provider = run(PORTS):match "(%d+) (%d+)"
  local host = "http://127.0.0.1:"
  local self = setmetatable({ dir = dir, url = host .. port, provider = host .. provider }, Gateway)
  os.execute("cp -r examples/openresty/. " .. dir .. " && mv " .. dir .. "/provider.lua " .. dir .. "/plain.lua")
  os.execute("cp tests/gateway/provider.lua " .. dir .. " && chmod 755 " .. dir)
  local conf = shared.read(dir .. "/nginx.conf")
  conf = conf:gsub("127.0.0.1:8080", "127.0.0.1:" .. port):gsub("127.0.0.1:8081", "127.0.0.1:" .. provider)
  shared.write(dir .. "/nginx.conf", (conf:gsub("http {", "http {\n  lua_shared_dict seen 1m;", 1)))
  for name, text in pairs(files) do shared.write(dir .. "/" .. name, (text:gsub("$PROVIDER", self.provider))) end
  local here = run "pwd":match "[^\n]+"
  local build = os.getenv "BUILD" or "build"
  os.execute(("LUA_PATH='%s/bindings/lua/?.lua;%s/bindings/lua/?/init.lua;;' LUA_CPATH='%s/%s/luajit/?.so;;' TMPDIR=%s "
    .. "%s/run >%s/log 2>&1 &"):format(here, here, here, build, dir, dir, dir))
  shared.until_true(function() return self:get "/status/text" ~= "" end, "nginx: " .. self:log())
  return self
end

function Gateway:log()
  return shared.read(self.dir .. "/log")
end

function Gateway:get(path, more)
  return run("curl -s --max-time 10 " .. (more or "") .. " " .. quote(self.url .. path))
end

-- status, headers by name, body
function Gateway:ask(key, path, document, more)
  local text = run(("curl -si --max-time 10 -H 'Authorization: Bearer %s' %s -d %s %s"):format(key, more or "",
    quote(json.encode(document)), self.url .. path)):gsub("\r\n", "\n")
  local head, body = text:match "^(.-\n)\n(.*)$"
  local headers = {}
  for name, value in (head or ""):gmatch "\n([^:\n]+): ([^\n]*)" do headers[name:lower()] = value end
  return tonumber(text:match "^HTTP/%S+ (%d+)"), headers, body
end

-- How many calls of a model the provider has seen, or another number of its.
function Gateway:seen(name)
  return run("curl -s " .. self.provider .. "/seen/" .. name)
end

-- A use of OpenAI's SDK by sdk.js, and what came of it.
function Gateway:sdk(key, name, arguments)
  return json.decode(run(("node tests/gateway/sdk.js %s %s %s %s"):format(self.url, key, name,
    quote(json.encode(arguments or { json.null })))))
end

-- { cooling, limits } of a model
function Gateway:model(name, kind)
  return json.decode(self:get("/status/" .. (kind or "text"))).models[name]
end

function Gateway:used(name, meter, kind)
  for _, limit in ipairs(self:model(name, kind).limits) do
    if limit.meter == meter then return limit.used end
  end
end

function Gateway:remove()
  local pid = shared.read(self.dir .. "/llm-gateway.pid"):match "%d+"
  run("kill -QUIT " .. pid .. "; kill " .. pid)
  shared.until_true(function() return run("ps -o pid= -p " .. pid) == "" end, "nginx to end")
  os.execute("rm -rf " .. self.dir)
end

return support
