-- The gateway: judges who asks for what, goes along the models until one answers, and gives the answer to the client
-- as it comes, in OpenAI's shape. A model that refuses or breaks off before the client has got a byte costs one hop.
--
-- It runs in content_by_lua and not in front of proxy_pass: what a provider says in the body of a 429 tells a minute
-- from a day, and only who reads it may still ask another one.

local config = require "config"
local http = require "gateway.http"
local json = require "gateway.json"
local llm = require "llm_limiters"
local openresty = require "llm_limiters.openresty"
local sse = require "gateway.sse"

local gateway = { gates = {} }

local APIS = { openai = require "gateway.openai", gemini = require "gateway.gemini" }
local LARGEST = 64 * 1024 * 1024 -- bytes of an answer that is read whole; images come in them
local LARGEST_FAULT = 64 * 1024

-- In init_by_lua: a limiter for each kind of models, which count in one zone, so that a tenant has one quota.
function gateway.open(options)
  local here = ngx.config.prefix()
  options.overrides, options.policy, options.log = here .. "quotas.lua", here .. "routing.lua", openresty.log
  gateway.gates.text = openresty.gate(llm.RateLimiter(options), { shape = "openai" })
  gateway.gates.image = openresty.gate(llm.ImageRateLimiter(options), { shape = "openai" })
  gateway.gates.audio = openresty.gate(llm.AudioRateLimiter(options), { shape = "openai" })
end

-- In init_worker_by_lua.
function gateway.watch()
  for _, gate in pairs(gateway.gates) do gate:watch() end
end

local function say(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

local function fault(message, kind, code)
  return json.encode { error = { message = message, type = kind, param = json.null, code = code or json.null } }
end

local function tenant()
  local key = string.match(ngx.var.http_authorization or "", "^[Bb]earer%s+(%S+)$")
  return key and config.keys[key]
end

-- The provider of a model, and what speaks its API.
local function provider_of(model)
  for _, provider in ipairs(config.providers) do
    if string.sub(model, 1, #provider.prefix) == provider.prefix then return provider, APIS[provider.api] end
  end
end

-- Of the models those whose API can say what the client asks for.
local function able(call, models)
  local list = {}
  for _, model in ipairs(models) do
    local provider, api = provider_of(model)
    if api.request(call, model, provider) then list[#list + 1] = model end
  end
  return list
end

-- Gives a piece to the client, at first with the head; false if the client has gone.
local function give(call, kind, piece)
  if not call.begun then
    ngx.header["Content-Type"] = kind
    ngx.header["Cache-Control"] = "no-cache"
    call.begun = true
  end
  return ngx.print(piece) and ngx.flush(true)
end

-- A provider has refused or failed: what limiter:limit() is to do. The next model, unless the client is to blame.
local function failed(permit, api, answer)
  local meaning = permit:reject(answer)
  local blamed = meaning and meaning.kind == "error" and answer.status >= 400 and answer.status < 500
  if answer.status < 400 then answer.status = 502 end -- an error in what began as an answer
  answer.body = answer.body and api.fault(answer.body) or fault("The model did not answer.", "server_error")
  if blamed then return answer end
  return nil, answer
end

-- Why a call has no answer. Who is not reached for a moment is asked again later.
local function unanswered(why)
  return { status = why == "timeout" and 504 or 503 }
end

-- What a call has told of its use, as limiter:limit() reads it.
local function seen(call)
  return { usage = call.usage, usageMetadata = call.usage }
end

-- An answer of events, which goes on event by event.
local function stream(call, permit, api, answer)
  local next_event = sse.events(answer)
  local data, event = next_event()
  while data do
    local piece = api.event(call, data, event)
    if call.failed then
      answer:close()
      if not call.begun then return failed(permit, api, { status = 200, body = data }) end
      permit:reject { status = 200, body = data }
    end
    if piece and not give(call, "text/event-stream", piece) then
      answer:close() -- the client has gone, and nobody waits for the rest
      return seen(call)
    end
    if call.failed then return seen(call) end
    data, event = next_event()
  end
  if not call.begun then return failed(permit, api, unanswered(event)) end
  if call.ended then
    give(call, "text/event-stream", api.last(call))
  else
    give(call, "text/event-stream", "data: " .. fault("The model has broken off.", "server_error") .. "\n\n")
  end
  return seen(call)
end

-- An answer of bytes.
local function bytes(call, permit, api, answer)
  local piece, why = answer:read()
  if not piece then return failed(permit, api, unanswered(why)) end
  while piece do
    if not give(call, answer.headers["content-type"], piece) then
      answer:close()
      break
    end
    piece, why = answer:read()
  end
  call.broken = why ~= nil
  return {}
end

-- Asks one model. Returns what limiter:limit() reads.
local function ask(call, hop)
  local permit = hop.permit
  local provider, api = provider_of(hop.model_name)
  call.model, call.permit, call.usage, call.ended, call.failed = hop.model_name, permit, nil, nil, nil
  local path, headers, body = api.request(call, hop.model_name, provider)
  headers["Content-Type"] = "application/json"
  local answer, why = http.post(provider.url .. path, headers, body)
  if not answer then return failed(permit, api, unanswered(why)) end
  if answer.status ~= 200 then
    return failed(permit, api, { status = answer.status, headers = answer.headers, body = answer:all(LARGEST_FAULT) })
  end
  local kind = answer.headers["content-type"] or ""
  if string.find(kind, "text/event-stream", 1, true) then return stream(call, permit, api, answer) end
  if not string.find(kind, "application/json", 1, true) then return bytes(call, permit, api, answer) end
  body, why = answer:all(LARGEST)
  if not body then return failed(permit, api, unanswered(why)) end
  return body, api.answer(call, body)
end

-- Who goes away ends everything at once: the permit by what was seen, the provider's connection with the request.
local function gone(call)
  return function()
    local permit = call.permit
    if permit and permit:is_live() then permit:settle(call.usage) end
    ngx.exit(499)
  end
end

-- What the client asks for, { kind, path, body, document, request, wants_usage }; nil and a refusal.
local function read(gate, kind, who)
  local model, request = gate:request()
  if not model then return nil, { code = "invalid", message = request } end
  local body = ngx.req.get_body_data() or ""
  local document = json.decode(body)
  if type(document) ~= "table" then return nil, { code = "invalid", message = "The request is not JSON." } end
  for name, value in pairs(document) do
    if value == json.null then document[name] = nil end
  end
  for name, value in pairs(who) do request[name] = value end
  local options = document.stream_options
  local call = { kind = kind, path = ngx.var.uri, body = body, document = document, request = request,
    wants_usage = type(options) == "table" and options.include_usage == true }
  local models = config.models[model] and able(call, config.models[model])
  if not models then
    return nil, { code = "unknown_model", message = "The model `" .. model .. "` does not exist." }
  elseif not models[1] then
    return nil, { code = "invalid", message = "No model behind `" .. model .. "` can do that." }
  end
  return call, models
end

-- Content of an endpoint: which gate judges, and what kind of call it is.
function gateway.serve(name, kind)
  local gate, who = gateway.gates[name], tenant()
  if not who then return say(401, fault("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")) end
  local call, models = read(gate, kind, who)
  if not call then return gate:refuse(models) end
  ngx.on_abort(gone(call))
  local go = gate.limiter:limit(models, function(hop) return ask(call, hop) end, call.request)
  local result, other = go()
  if call.broken then return ngx.exit(444) end -- there is no other way to tell that bytes are missing
  if call.begun then return end
  if type(result) == "string" then
    if not other then return say(502, fault("The model's answer makes no sense.", "server_error")) end
    return say(200, other)
  end
  if not result and not other.status then return gate:refuse(other) end
  local answer = result or other
  return say(answer.status, answer.body)
end

-- Content: what a client may ask for.
function gateway.models()
  local list = {}
  for name in pairs(config.models) do
    list[#list + 1] = { id = name, object = "model", created = 0, owned_by = "gateway" }
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  say(200, json.encode { object = "list", data = list })
end

return gateway
