-- llm-limiters in nginx: a gate in front of proxied locations, for OpenResty and nginx with its Lua module.
--
--   init_by_lua_block        { gate = require "llm_limiters.openresty".gate(limiter) }
--   init_worker_by_lua_block { gate:watch() }
--   access_by_lua_block      { gate:access() }         where requests are to be judged; the others for all locations
--   header_filter_by_lua_block { gate:header_filter() }
--   body_filter_by_lua_block { gate:body_filter() }
--   log_by_lua_block         { gate:log() }
--
-- A request's permit is kept from access to log under what names the request in its worker: nginx forgets ngx.ctx at
-- an internal redirect. Where log never comes to it, it goes with the request and stands as its estimate. Subrequests
-- are no calls of their own, and are left alone.

local native = require "llm_limiters.native"
local check = require "llm_limiters.door.check"
local client = require "llm_limiters.openresty.client"
local response = require "llm_limiters.door.response"
local told = require "llm_limiters.openresty.told"
local upstream = require "llm_limiters.openresty.upstream"

local ngx = rawget(_G, "ngx")
local setmetatable, type = setmetatable, type

local openresty = {}

local Gate = {}
Gate.__index = Gate
Gate.__name = "llm_limiters.Gate"

local LOOK = 0.25 -- seconds between two looks for files that have changed
local MOST_READERS = 64 -- that a worker keeps for later requests

local GATE = "openresty.gate(limiter, { shape =, headers = })"

-- A gate before the calls of a limiter, which is best opened in init_by_lua with a zone, so that all workers have it.
--   shape    "openai" or "gemini": of refusals; unless it is given the path of the request tells it
--   headers  true: answers tell the client what is left by x-ratelimit headers, in the place of the provider's own;
--            refusals tell it anyway
function openresty.gate(limiter, options)
  check.is("table", limiter, GATE, "limiter")
  if options ~= nil then check.is("table", options, GATE, "the options") end
  options = options or {}
  for name in pairs(options) do
    if name ~= "shape" and name ~= "headers" then
      error(GATE .. ": option " .. tostring(name) .. " is unknown; the known options are headers and shape.", 2)
    end
  end
  local shape = options.shape
  if shape ~= nil and shape ~= "openai" and shape ~= "gemini" then
    error(GATE .. ": shape must be \"openai\" or \"gemini\", not " .. tostring(shape) .. ".", 2)
  end
  return setmetatable({ limiter = limiter, shape = shape, headers = options.headers or false,
    held = setmetatable({}, { __mode = "v" }), readers = {} }, Gate)
end

-- For the log option of a limiter: to nginx's error log.
function openresty.log(level, text)
  ngx.log(level == "warning" and ngx.WARN or ngx.NOTICE, "llm-limiters: ", text)
end

-- What names a request in its worker, through internal redirects.
local function name_of()
  local var = ngx.var
  return var.connection .. ":" .. var.connection_requests
end

-- { permit, mark, reader, status, headers } of the request, or nil. ngx.ctx holds it, and nginx that till the end.
local function find(gate)
  if ngx.is_subrequest then return nil end
  local ctx = ngx.ctx
  local call = ctx[gate]
  if call then return call end
  call = gate.held[name_of()]
  if call and call.permit then ctx[gate] = call else call = nil end
  return call
end

local function forget(gate, call)
  gate.held[name_of()] = nil
  ngx.ctx[gate] = nil
  local reader = call.reader
  call.permit, call.reader = nil, nil
  if reader and #gate.readers < MOST_READERS then gate.readers[#gate.readers + 1] = reader end
end

-- Ends the permit by what became of the call.
local function finish(gate, call)
  local permit, reader = call.permit, call.reader
  if not permit:is_live() then return forget(gate, call) end
  local connected, answered, status = upstream.since(call.mark)
  local done, why
  if not connected then
    done, why = permit:cancel() -- it was never sent
  elseif reader then
    done, why = native.answered(gate.limiter.raw, permit.raw, call.status, call.headers, reader)
  elseif answered and status >= 400 then
    done, why = permit:reject { status = status, headers = upstream.headers() } -- nginx has dropped the body
  elseif answered or ngx.status == 499 then
    done, why = permit:settle() -- what it used was not to be seen, or the client has gone
  else
    done, why = permit:reject { status = 504 } -- sent, and nobody knows what became of it
  end
  if not done then ngx.log(ngx.ERR, "llm-limiters: the permit of ", permit.model_name, ": ", why) end
  return forget(gate, call)
end

-- Whether the call goes to one of the models.
local function is_for(call, models)
  local name = call.permit.model_name
  if type(models) == "string" then return name == models end
  for _, other in ipairs(models) do
    if other == name then return true end
  end
  return false
end

-- What the client asks for, read from its request as the providers' APIs have it: the model's name and what
-- limiter:acquire() takes; nil and what is wrong with it. For access, which reads the body.
function Gate:request()
  check.self(self, Gate, "gate:request()")
  local model, request = client.read()
  return model, request
end

-- Answers the request by a refusal, in the shape that the provider's SDKs read, and ends it. For access and content.
function Gate:refuse(refusal)
  check.self(self, Gate, "gate:refuse(refusal)")
  local limits = refusal.scope and self.limiter:usage(refusal.scope)
  local status, headers, body = told.refusal(refusal, self.shape or client.shape(), limits)
  if status >= 500 then ngx.log(ngx.ERR, "llm-limiters: ", refusal.message) end
  ngx.status = status
  for name, value in pairs(headers) do ngx.header[name] = value end
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
  return ngx.exit(status)
end

-- Access: the request goes on if a model admits it, and its permit is returned; else it is answered and ended here.
-- Without arguments models and amounts are those of the client's request. Where the request comes again by an internal
-- redirect, the permit that it has stands if its model is among these and nothing was sent; else that ends first.
function Gate:access(models, request)
  check.self(self, Gate, "gate:access(models, request)")
  if not models then
    models, request = client.read()
    if not models then return self:refuse { code = "invalid", message = request } end
  end
  local call = find(self)
  if call then
    if upstream.since(call.mark) == nil and call.permit:is_live() and is_for(call, models) then return call.permit end
    finish(self, call)
  end
  local permit, refusal = self.limiter:acquire(models, request)
  if not permit then return self:refuse(refusal) end
  call = { permit = permit, mark = upstream.mark() }
  ngx.ctx[self] = call
  self.held[name_of()] = call
  ngx.req.set_header("Accept-Encoding", "identity") -- a compressed answer does not tell what it used
  return permit
end

-- Header filter.
function Gate:header_filter()
  check.self(self, Gate, "gate:header_filter()")
  local call = find(self)
  if not call then return end
  local status = upstream.is_answering(call.mark)
  if not status then return end -- this is nginx's own answer, or another location's
  if self.headers then
    local limits = self.limiter:usage(call.permit.model_name)
    for name, value in pairs(told.limits(limits)) do ngx.header[name] = value end
  end
  local encoding = ngx.header["Content-Encoding"]
  if encoding and encoding ~= "identity" then return end
  call.status = status
  if status >= 400 then call.headers = response.headers(ngx.resp.get_headers(0, true)) end
  call.reader = table.remove(self.readers) or native.reader()
  native.reader_begin(call.reader)
end

-- Body filter: reads what passes, and neither keeps nor changes it.
function Gate:body_filter()
  check.self(self, Gate, "gate:body_filter()")
  local call = find(self)
  if not call or not call.reader then return end
  local piece = ngx.arg[1]
  if piece ~= "" then native.reader_feed(call.reader, piece) end
end

-- Log: the call has ended, however it did.
function Gate:log()
  check.self(self, Gate, "gate:log()")
  local call = find(self)
  if call then finish(self, call) end
end

-- Init worker: from now on this worker reads files of quotas and policy again when they change, and follows what other
-- workers put in force, within a second. What is wrong with them is told in the error log.
function Gate:watch()
  check.self(self, Gate, "gate:watch()")
  local limiter = self.limiter
  local fd, fault = limiter:watch_fd()
  if not fd then error("llm-limiters: " .. fault.message, 2) end
  local started, why = ngx.timer.every(LOOK, function(premature)
    if premature then return end
    local _, wrong = limiter:watch_poll()
    if wrong then ngx.log(ngx.ERR, "llm-limiters: ", wrong.message) end
  end)
  if not started then error("llm-limiters: " .. why, 2) end
end

-- Content: what is in force and how much is used of each model, as JSON; and as Prometheus reads it, where prefix tells
-- of which scopes ("model:").
function Gate:status()
  check.self(self, Gate, "gate:status()")
  ngx.header["Content-Type"] = "application/json"
  ngx.print(response.json(told.status(self.limiter)), "\n")
end

function Gate:metrics(prefix)
  check.self(self, Gate, "gate:metrics(prefix)")
  local text, fault = self.limiter:prometheus(prefix)
  if not text then return self:refuse(fault) end
  ngx.header["Content-Type"] = "text/plain; version=0.0.4"
  ngx.print(text)
end

return openresty
