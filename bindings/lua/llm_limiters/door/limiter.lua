-- A limiter: quotas, policy and counts of one modality. See README.md, "In Lua".
--
-- It belongs to the Lua state that opened it, and ends with it, by close() or when it is collected. Its permits keep
-- it.

local native = require "llm_limiters.door.native"
local check = require "llm_limiters.door.check"
local closing = require "llm_limiters.door.closing"
local limit = require "llm_limiters.door.limit"
local permits = require "llm_limiters.door.permit"
local refusals = require "llm_limiters.door.refusal"

local limiter = {}

local Limiter = {}
Limiter.__index = Limiter
Limiter.__name = "llm_limiters.Limiter"

local setmetatable, type = setmetatable, type

-- A function that opens limiters of a modality. It raises what is wrong, a file's fault by file, line and field.
--   tier           "free" (default), "tier1", or { openai = "tier3", gemini = "free" }
--   custom_limits  over the tier: { ["in-house"] = { rpm = 20 }, ["team:acme"] = { rpm = 60 } }; or overrides, a file
--   quotas         "baseline" (default), "published", or the path of a directory of tables or of one
--   policy         "priority" (default) or another of the shipped ones, or the path of a file
--   account, guard (seconds), seed, scopes (how many of the custom limits' are in use at one time)
--   clock          "virtual": it stands still until limiter:advance(); start is its first wall time
--   zone           where the counts are: { path = } a file, shared by all processes that open it; { name = } memory,
--                  shared by children; mode, "0600", of a file that is made; sync, the seconds after which a file is
--                  written to its disk; and room beyond that for the models: rows, sliding (limits), leases, notes
--   log            function(level, text) of "info" or "warning" and a sentence; what it raises is lost
-- class is one of limiter.extend(), or nil.
function limiter.constructor(name, modality, class)
  local usage = name .. " { tier =, custom_limits =, policy = ... }"
  return function(options)
    local read = check.open(options, usage)
    read.modality = modality
    local raw, fault = native.open(read)
    if not raw then error(name .. ": " .. tostring(refusals.new(fault)), 2) end
    return setmetatable({ raw = raw, modality = modality, log = read.log }, class or Limiter)
  end
end

-- A class with the methods of a limiter, to which others are added. To be called when this file is loaded.
function limiter.extend(name)
  local class = { __base = Limiter, __name = "llm_limiters." .. name }
  for key, method in pairs(Limiter) do
    if class[key] == nil then class[key] = method end
  end
  class.__index = class
  return class
end

local ACQUIRE = "limiter:acquire(models, request, permit)"

-- Admits the first of the models that fits.
--   models   a list of names in the order of preference, or one name
--   request  what is known of the call: amounts by meter (tokens, input_tokens, output_tokens, images, audio_ms,
--            characters, sessions, cost); text, whose characters are counted; audio_seconds; max_output_tokens;
--            scopes, a list of names like "team:acme" to be charged besides; any other field is a tag for the policy,
--            a string
--   permit   one that has ended, to be used again
-- The permit, whose model_name is the one to call; nil and a refusal.
function Limiter:acquire(models, request, permit)
  local raw = check.self(self, Limiter, ACQUIRE)
  local held
  if permit == nil then
    held = self.spare or native.permit()
    self.spare = nil -- a finalizer may call this, too
  else
    held = permits.raw(permit, self, ACQUIRE)
  end
  local index, refusal = native.acquire(raw, models, request, held)
  if not index then
    if permit == nil then self.spare = held end
    return nil, refusals.new(refusal)
  end
  if permit == nil then permit = permits.new(self, held) end
  permit.model_name = type(models) == "string" and models or models[index]
  return permit
end

-- The name that acquire() would admit now; nil and a refusal. Charges nothing.
function Limiter:available(models, request)
  local raw = check.self(self, Limiter, "limiter:available(models, request)")
  local index, refusal = native.available(raw, models, request)
  if not index then return nil, refusals.new(refusal) end
  return type(models) == "string" and models or models[index]
end

local WAIT = "limiter:wait(models, request, { timeout =, sleep = })"
local LONGEST = 0.1 -- seconds of one sleep: what is given back meanwhile may let a request go earlier than it was told

local function poll(raw, waiter, held, sleep)
  local index, more = native.wait_poll(raw, waiter, held)
  while index == false do
    sleep(more < LONGEST and more or LONGEST)
    index, more = native.wait_poll(raw, waiter, held)
  end
  return index, more
end

-- acquire() that sleeps until the request is admitted or cannot be before the timeout, by the host's function of
-- seconds. Who waits on one limiter is served by priority (higher first), then first come first served.
function Limiter:wait(models, request, options)
  local raw = check.self(self, Limiter, WAIT)
  check.wait(options, WAIT)
  local waiter, fault = native.wait_begin(raw, models, request, options.timeout or 0, options.priority or 0)
  if not waiter then return nil, refusals.new(fault) end
  local held = native.permit()
  local index, more = closing.with(native.wait_end, waiter, poll, raw, waiter, held, options.sleep)
  if not index then return nil, refusals.new(more) end
  local permit = permits.new(self, held)
  permit.model_name = type(models) == "string" and models or models[index]
  return permit
end

local LIMIT = "limiter:limit(models, call, request)"

-- A function that goes along the models: it acquires one, calls call(..., { model_name =, permit = }), settles by
-- what that returns, and returns it. What a call returns first may be a decoded answer with its usage, the text of a
-- body, or a response { status =, headers =, body = }; nil and such a response, or raising one, tells that the
-- provider refused. Then the next model is tried, and if none is left, or what is left has no room, the function
-- returns nil and the refusal of the whole list, whose cause is what the provider said last; or nil and that, if it
-- was no limit.
-- request is what acquire() takes, or a function of the arguments that returns it.
function Limiter:limit(models, call, request)
  check.self(self, Limiter, LIMIT)
  local list = check.models(models, LIMIT)
  check.is("function", call, LIMIT, "call")
  if request ~= nil and type(request) ~= "function" then check.is("table", request, LIMIT, "request") end
  return limit.wrap(self, list, call, request)
end

-- The limits of a model or scope with their use: a list of { meter, law, window | unit and zone, limit, used,
-- reset }, and cooling, the seconds that are left of a cooldown. nil and what is wrong with the name.
function Limiter:usage(name)
  local raw = check.self(self, Limiter, "limiter:usage(name)")
  check.is("string", name, "limiter:usage(name)", "name")
  local usage, fault = native.usage(raw, name)
  if not usage then return nil, refusals.new(fault) end
  return usage
end

-- The names of the models of the tier in force, sorted.
function Limiter:models()
  return native.models(check.self(self, Limiter, "limiter:models()"))
end

-- { generation, hash, faults, reloads, failed_reloads, conflicts, zone_generation, fault, reload_fault }: what is in
-- force, here and in the zone, and what went wrong last.
function Limiter:status()
  local raw = check.self(self, Limiter, "limiter:status()")
  local status = native.status(raw)
  if status.fault then status.fault = refusals.new(status.fault) end
  if status.reload_fault then status.reload_fault = refusals.new(status.reload_fault) end
  return status
end

-- Reads the files again and puts them in force, or what other options say: tier, quotas, custom_limits or overrides,
-- policy, account, guard. Counts stay. The generation in force; nil and what is wrong, and nothing has changed.
function Limiter:reload(options)
  local raw = check.self(self, Limiter, "limiter:reload(options)")
  local read = options ~= nil and check.reload(options, "limiter:reload(options)") or nil
  if read then read.modality = self.modality end
  local generation, fault = native.reload(raw, read)
  if not generation then return nil, refusals.new(fault) end
  return generation
end

-- A descriptor for the host's event loop, which is readable when watch_poll() is to be called: a file of quotas,
-- limits or policy may have changed, or another process of the zone has put others in force. It is the limiter's, the
-- same at each call, and closed by close(). nil and what is wrong.
function Limiter:watch_fd()
  local raw = check.self(self, Limiter, "limiter:watch_fd()")
  local fd, fault = native.watch_fd(raw)
  if not fd then return nil, refusals.new(fault) end
  return fd
end

-- Reads the files again if they have changed and 50 ms have passed since, and puts them in force as reload() does;
-- else does nothing, in no time. The generation in force; nil and what is wrong, once for each change.
function Limiter:watch_poll()
  local raw = check.self(self, Limiter, "limiter:watch_poll()")
  local generation, fault = native.watch_poll(raw)
  if not generation then return nil, refusals.new(fault) end
  return generation
end

-- The zone as Prometheus reads it: a text of the scopes whose names begin with prefix, "model:" unless given.
function Limiter:prometheus(prefix)
  local raw = check.self(self, Limiter, "limiter:prometheus(prefix)")
  if prefix ~= nil then check.is("string", prefix, "limiter:prometheus(prefix)", "prefix") end
  local text, fault = native.prometheus(raw, prefix)
  if not text then return nil, refusals.new(fault) end
  return text
end

local SHADOW = "limiter:shadow { tier =, custom_limits =, policy = ... }"

-- Lets a candidate decide the same calls beside what is in force, with no effect but shadow_report(): options as of
-- the opening, but for clock, start, zone and log; what is not given is the default. It takes the place of an earlier
-- one; nil ends that. true; nil and what is wrong, and nothing has changed.
function Limiter:shadow(options)
  local raw = check.self(self, Limiter, SHADOW)
  local read = options ~= nil and check.shadow(options, SHADOW) or nil
  if read then read.modality = self.modality end
  local done, fault = native.shadow(raw, read)
  if not done then return nil, refusals.new(fault) end
  return true
end

-- How the candidate has decided; nil if there is none. Counts that add up to decisions: same, only_here (admitted, and
-- refused by the candidate), only_there, other_model, other_wait, never_or_later, unknown_model, failed (by failure);
-- and hash, lost, faults, fault. See llim_shadow_report in llm_limiters.h.
function Limiter:shadow_report()
  local raw = check.self(self, Limiter, "limiter:shadow_report()")
  local report = native.shadow_report(raw)
  if not report then return nil end
  if report.fault then report.fault = refusals.new(report.fault) end
  if report.failure then report.failure = refusals.new(report.failure) end
  return report
end

-- The steady and the wall clock, in seconds.
function Limiter:now()
  local raw = check.self(self, Limiter, "limiter:now()")
  local steady, wall = native.now(raw)
  return steady, wall
end

-- Moves a virtual clock on; wall_step sets its wall part further, or back.
function Limiter:advance(seconds, wall_step)
  local raw = check.self(self, Limiter, "limiter:advance(seconds, wall_step)")
  check.seconds(seconds, "limiter:advance(seconds, wall_step)")
  if wall_step ~= nil then check.is("number", wall_step, "limiter:advance(seconds, wall_step)", "wall_step") end
  local done, why = native.set_clock(raw, seconds, wall_step or 0)
  if not done then error("limiter:advance(seconds, wall_step): " .. why, 2) end
end

-- Ends the limiter, and who waits for it; a second time does nothing. Its permits are of no use any more.
function Limiter:close()
  native.close(check.self(self, Limiter, "limiter:close()"))
end

Limiter.__close = Limiter.close

return limiter
