-- LiveRateLimiter: a limiter whose calls are sessions, which are open for long and count while they are.
--
-- A session is a permit: it holds a slot of each gauge on sessions until it is closed. One that is neither closed nor
-- kept by heartbeats loses its slots when their time to live ends, and at once when its process has died and somebody
-- needs them; one that is collected is no other. What it has used is charged as it is recorded and never refunded: it
-- was not reserved, so it is debt where it goes above a limit, which admits nothing more until it fits.

local native = require "llm_limiters.native"
local check = require "llm_limiters.door.check"
local limiter = require "llm_limiters.door.limiter"
local permits = require "llm_limiters.door.permit"
local refusals = require "llm_limiters.door.refusal"
local response = require "llm_limiters.door.response"

local live = {}

local Session = {}
Session.__index = Session
Session.__name = "llm_limiters.Session"

local setmetatable, type = setmetatable, type

local COOLDOWN = 30 -- seconds, unless told

-- Starts the time to live of its slots anew: to be called well before that ends. true; nil and why not.
function Session:heartbeat()
  check.self(self, Session, "session:heartbeat()")
  local done, why = self.permit:renew()
  return done, why
end

local RECORD = "session:record_token_usage(usage)"

-- Charges what a turn has used, at once: a number of tokens, all of which count as input, too; amounts by meter,
-- { input_tokens = 20, output_tokens = 5 }; a usage or message as the provider has it, decoded or as text. What the
-- request declared and reserved is given back when the session is closed, since what it really used is charged.
-- true; nil and a refusal: the session has ended, or another process holds the zone up ("busy"), and then some of what
-- it counts against may be charged.
function Session:record_token_usage(usage)
  check.self(self, Session, RECORD)
  check.usage(usage, RECORD)
  local permit, name = self.permit, self.model_name
  local raw = permit.limiter.raw
  local done, fault = native.record(raw, name, permit.raw, usage, RECORD)
  if done == false then done, fault = native.record(raw, name, permit.raw, response.usage(usage), RECORD) end
  if not done then return nil, refusals.new(fault) end
  self.recorded = true
  return true
end

local REJECT = "session:reject { close_code =, body = }"

-- The provider closed the session, or did not open it: what it told ends it, and cools whom that is about. close_code
-- and body: of the WebSocket's close and its reason; or status, headers and body of an HTTP answer. As permit:reject():
-- after a close what was reserved stands, since a session that breaks off does not tell what it used of it.
function Session:reject(answer)
  check.self(self, Session, REJECT)
  check.response(answer, REJECT)
  local meaning, why = self.permit:reject(answer)
  return meaning, why
end

-- Whether it has not been closed, and its limiter is open.
function Session:is_live()
  check.self(self, Session, "session:is_live()")
  return self.permit:is_live()
end

-- Ends it, and gives its slots back at once; a second time does nothing. Leaving its scope as a to-be-closed variable
-- is the same.
function Session:close()
  check.self(self, Session, "session:close()")
  local permit = self.permit
  if self.recorded and permit:is_live() then
    native.give_back(permit.limiter.raw, permit.raw)
  else
    permit:close()
  end
end

Session.__close = Session.close

local Live = limiter.extend "LiveLimiter"

local AVAILABLE = "limiter:check_availability(models, request)"

-- Whether acquire_session() would open one now. true; false and a refusal. Charges nothing.
function Live:check_availability(models, request)
  local raw = check.self(self, Live, AVAILABLE)
  local index, refusal = native.available(raw, models, request, AVAILABLE)
  if not index then return false, refusals.new(refusal) end
  return true
end

local ACQUIRE = "limiter:acquire_session(models, request)"

-- Opens a session with the first of the models that has room for one: models and request are those of acquire(). The
-- session, whose model_name is the one to connect to; nil and a refusal.
function Live:acquire_session(models, request)
  local raw = check.self(self, Live, ACQUIRE)
  local held = native.permit()
  local index, refusal = native.acquire(raw, models, request, held, ACQUIRE)
  if not index then return nil, refusals.new(refusal) end
  local permit, name = permits.new(self, held), type(models) == "string" and models or models[index]
  permit.model_name = name
  return setmetatable({ permit = permit, model_name = name, recorded = false }, Session)
end

local RECORD_MODEL = "limiter:record_token_usage(model, usage)"

-- The same as of a session, charged to a model alone: for what is told when its session has ended. true; nil and what
-- is wrong with the name.
function Live:record_token_usage(model, usage)
  local raw = check.self(self, Live, RECORD_MODEL)
  check.is("string", model, RECORD_MODEL, "model")
  check.usage(usage, RECORD_MODEL)
  local done, fault = native.record(raw, model, nil, usage, RECORD_MODEL)
  if done == false then done, fault = native.record(raw, model, nil, response.usage(usage), RECORD_MODEL) end
  if not done then return nil, refusals.new(fault) end
  return true
end

local COOL = "limiter:trigger_cooldown(model, seconds)"

-- Keeps a model from being admitted for so many seconds, 30 unless given; a cooldown that ends later stays. true; nil
-- and what is wrong with the name.
function Live:trigger_cooldown(model, seconds)
  local raw = check.self(self, Live, COOL)
  check.is("string", model, COOL, "model")
  if seconds ~= nil then check.cooldown(seconds, COOL) end
  local done, fault = native.cool(raw, model, seconds or COOLDOWN)
  if not done then return nil, refusals.new(fault) end
  return true
end

live.constructor = limiter.constructor("LiveRateLimiter", "live", Live)

return live
