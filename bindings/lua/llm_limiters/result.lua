-- What follows from a provider's answer: the words in which a policy's result hook says who cools for how long, the
-- rules where it says nothing else, and the reading of what it returns.
--
-- m is the candidate whose call was answered, r the answer; see the policy guide of the README. Where the answer tells
-- no wait, it doubles with each refusal of late up to a bound, and chance spreads those who wait (Brooker, "Timeouts,
-- retries, and backoff with jitter", Amazon Builders' Library), here never below the wait itself.

local fault = require "llm_limiters.fault"
local words = require "llm_limiters.words"

local result = {}

local format = string.format

local SECONDS_MAX = 34560000 -- 400 days, the engine's longest cooldown
local MOST = 16 -- actions of one answer
local SCOPES = { model = true, family = true, credential = true }

-- In seconds: what a model backs off at its first refusal, and at most, before chance adds as much again. A live
-- session's close tells nothing of the limit that it is about.
local RATE, LIVE, OVERLOAD = { 30, 300 }, { 60, 300 }, { 1, 30 }
-- A credential that has nothing left is probed now and then; one that was refused may have been mended.
local SPENT, REFUSED = 3600, 60

local sealed = { __newindex = function() error(words.SEALED, 2) end }

-- To be called by a word itself: level 3 is the line that used the word.
local function check_number(value, most, usage)
  if type(value) ~= "number" or not (value >= 0 and value <= most) then
    error(format("%s of 0 to %.0f, not %s.", usage, most, words.show(value)), 3)
  end
end

local function check_target(m, scope, usage)
  if type(m) ~= "table" and type(m) ~= "userdata" then
    error(usage .. " takes the model that was answered first, not " .. words.show(m) .. ".", 3)
  end
  if scope ~= nil and not (type(scope) == "string" and SCOPES[scope]) then
    error(usage .. " takes the scope \"model\", \"family\" or \"credential\", not " .. words.show(scope) .. ".", 3)
  end
end

local function cool(m, seconds, scope)
  check_target(m, scope, "cool(m, seconds, scope)")
  check_number(seconds, SECONDS_MAX, "cool(m, seconds, scope) takes seconds")
  return words.make("cooldown", { model = m, seconds = seconds, scope = scope or "model" }, sealed)
end

local function cool_until(m, instant, scope)
  check_target(m, scope, "cool_until(m, instant, scope)")
  check_number(instant, words.INSTANT_MAX, "cool_until(m, instant, scope) takes seconds since 1970")
  return words.make("cooldown", { model = m, ["until"] = instant, scope = scope or "model" }, sealed)
end

-- draws tells whether a wait is to be drawn from the two.
local function check_answer(m, r, usage, draws)
  if (type(m) ~= "table" and type(m) ~= "userdata") or type(r) ~= "table" then
    error(usage .. " takes the model and the answer first.", 3)
  end
  if draws and (type(m.strikes) ~= "number" or type(r.random) ~= "number") then
    error(usage .. " takes the model and the answer that the hook was called with, whose m.strikes and r.random are "
      .. "numbers.", 3)
  end
end

local function wait_of(m, r, first, most)
  return math.min(first * 2 ^ math.max(m.strikes - 1, 0), most) * (1 + r.random)
end

local function backoff(m, r, first, most)
  check_answer(m, r, "backoff(m, r, first, most)", true)
  check_number(first, SECONDS_MAX, "backoff(m, r, first, most) takes seconds")
  check_number(most, SECONDS_MAX / 2, "backoff(m, r, first, most) takes seconds")
  return wait_of(m, r, first, most)
end

-- The built-in rules: what the hook of a policy without one returns.
function result.default(_, m, r)
  local usage = "default_result(req, m, r)"
  check_answer(m, r, usage)
  check_target(m, r.scope, usage .. " takes an answer, whose scope")
  local told = r.retry_after
  if told ~= nil then check_number(told, math.huge, usage .. " takes an answer, whose retry_after is a number") end
  told = told and math.min(told, SECONDS_MAX)
  local bounds = r.kind == "rate" and (r.live and LIVE or RATE) or r.kind == "overload" and OVERLOAD
  local seconds
  if bounds then
    check_answer(m, r, usage, not told)
    seconds = told or wait_of(m, r, bounds[1], bounds[2])
  elseif r.kind == "quota" then
    seconds = told or SPENT
  elseif r.kind == "auth" then
    seconds = REFUSED
  end
  -- What is too_large goes to another model; an error or an answer that tells nothing says nothing of the model.
  if not seconds then return nil end
  return cool(m, seconds, r.scope)
end

-- The words that policies have beyond those of all scripts.
function result.words()
  return { cool = cool, cool_until = cool_until, backoff = backoff, default_result = result.default }
end

local function action_of(value)
  local content = words.open(value)
  return content and content.kind == "cooldown" and content or nil
end

local function read(value, m, file)
  if value == nil then return {} end
  local list = action_of(value) and { value } or value
  if type(list) ~= "table" or words.open(list) or list == m then -- a candidate of the host looks like an empty list
    fault.raise("ECONFIG", "result must return nothing, an action like cool(m, 30), or a list of actions, not "
      .. (list == m and "a model" or words.show(value)) .. ".", file)
  end
  if #list == 0 and next(list) ~= nil then
    fault.raise("ECONFIG", "result must return an action like cool(m, 30) or a list of actions, not a table of names.",
      file)
  end
  if #list > MOST then
    fault.raise("ECONFIG", format("result returned %d actions; at most %d are expected.", #list, MOST), file)
  end
  local out = {}
  for i = 1, #list do
    local action = action_of(list[i])
    if not action then
      fault.raise("ECONFIG", "result returned a list with " .. words.show(list[i])
        .. ", where an action like cool(m, 30) is expected.", file)
    end
    if action.model ~= m then
      fault.raise("ECONFIG", "result may cool the model that was answered, which is its second argument, and no other.",
        file)
    end
    out[i] = { model = m, seconds = action.seconds, ["until"] = action["until"], scope = action.scope }
  end
  return out
end

-- What the hook of the policy in that file returned about m, as a list of { model = m, scope, and either seconds (from
-- now) or until (an instant, seconds since 1970) }: scope is "model", "family" (those of m's provider whose names begin
-- with the answer's family, and m) or "credential" (all of m's provider). nil and a sentence if it is wrong.
function result.read(value, m, file)
  local ok, list = pcall(read, value, m, file)
  if ok then return list end
  if fault.caught(list) then return nil, list.message end
  error(list, 0)
end

return result
