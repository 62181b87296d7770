-- A permit: the reservation of one call, which ends by settle, reject or cancel.
--
-- One that is closed without these, or leaves its scope as a to-be-closed variable, stands as its estimate, as does
-- one that is collected: the engine then believes that the call was made and used what was reserved. Closing gives
-- back the leases of its gauges at once; collecting leaves them until their time to live ends. Neither is ever a
-- refund.

local native = require "llm_limiters.door.native"
local check = require "llm_limiters.door.check"
local response = require "llm_limiters.door.response"

local permit = {}

local Permit = {}
Permit.__index = Permit
Permit.__name = "llm_limiters.Permit"

-- The part of a permit that the native module knows.
function permit.new(limiter, raw)
  return setmetatable({ limiter = limiter, raw = raw }, Permit)
end

-- That of one which a user gives to a limiter, to be used again.
function permit.raw(value, limiter, usage)
  local raw = check.permit(value, Permit, limiter, usage)
  return raw
end

local SETTLE = "permit:settle(usage)"

-- usage: nothing, if it is not known, and the estimate stands; amounts by meter, { tokens = 987 }; a usage as providers
-- have it, { prompt_tokens = 700, total_tokens = 987 }; a decoded answer with one in it; or the text of its body.
-- true; nil and why not: the permit has ended before, or a lease of it has.
function Permit:settle(usage)
  local raw = check.self(self, Permit, SETTLE)
  local limiter = self.limiter.raw
  local done, why
  if type(usage) == "string" then
    done, why = native.answered(limiter, raw, 200, nil, usage)
  else
    if usage ~= nil then check.is("table", usage, SETTLE, "usage, unless it is a body's text,") end
    done, why = native.settle(limiter, raw, usage)
    if done == false then done, why = native.answered(limiter, raw, 200, nil, response.usage(usage)) end
  end
  if not done then return nil, why end
  return true
end

local REJECT = "permit:reject { status =, headers =, body = }"

-- The provider refused, or failed: what it answered ends the permit, and cools whom it is about. headers: a table of
-- names, a list of lines or a text; body: a text or a decoded document; either may be missing. Of a WebSocket's close
-- close_code in the place of status, and its reason as body.
-- What the answer means: kind ("rate", "quota", "overload" ...), dimension, unit, scope, family, retry_after, usage;
-- nil and why not.
function Permit:reject(answer)
  local raw = check.self(self, Permit, REJECT)
  check.response(answer, REJECT)
  local meaning, why = native.answered(self.limiter.raw, raw, answer.status or 0, response.headers(answer.headers),
    response.body(answer.body), answer.close_code)
  return meaning, why
end

-- The call was never sent: everything is given back. true; nil and why not.
function Permit:cancel()
  local raw = check.self(self, Permit, "permit:cancel()")
  local done, why = native.cancel(self.limiter.raw, raw)
  return done, why
end

-- Starts the time to live of its leases anew, before it ends. true; nil and why not.
function Permit:renew()
  local raw = check.self(self, Permit, "permit:renew()")
  local done, why = native.renew(self.limiter.raw, raw)
  return done, why
end

-- Whether it has not ended, and its limiter is open.
function Permit:is_live()
  local raw = check.self(self, Permit, "permit:is_live()")
  return native.is_live(self.limiter.raw, raw)
end

-- Ends it as its estimate, unless it has ended.
function Permit:close()
  local raw = check.self(self, Permit, "permit:close()")
  if native.is_live(self.limiter.raw, raw) then native.settle(self.limiter.raw, raw, nil) end
end

Permit.__close = Permit.close

return permit
