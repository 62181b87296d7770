-- limiter:limit(models, call, request): a function that goes along the models until a call succeeds.
--
-- Each model is tried at most once, so that a provider's refusal costs one hop: the answer cools whom it is about,
-- and the next is asked. What a call raises or returns beside nil is a provider's answer if it is a table with a
-- status; else it is the program's own, and handed on.

local closing = require "llm_limiters.door.closing"

local limit = {}

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local function pack(...)
  return { n = select("#", ...), ... }
end

local function is_answer(value)
  return type(value) == "table" and type(value.status) == "number" and value.status % 1 == 0
    and value.status >= 100 and value.status <= 999
end

-- Of what the provider answered: whether it refused.
local function refused(permit, answer)
  local meaning = permit:reject(answer)
  return meaning ~= nil and meaning.kind ~= "ok" and meaning.kind ~= "unknown"
end

-- Ends the permit by what a call returned: false if that tells that the provider refused.
local function settle(permit, first)
  if not permit:is_live() then return true end -- the call has done it
  if is_answer(first) then return not refused(permit, first) end
  if type(first) == "string" then return not refused(permit, { status = 200, body = first }) end
  if type(first) ~= "table" then
    permit:settle()
  elseif first.error ~= nil then
    return not refused(permit, { status = 200, body = first })
  elseif first.usage ~= nil or first.usageMetadata ~= nil then
    permit:settle(first)
  else
    permit:settle()
  end
  return true
end

local function without(models, name)
  local left = {}
  for _, other in ipairs(models) do
    if other ~= name then left[#left + 1] = other end
  end
  return left
end

-- One call: done, and all that it returned; or not, and what the provider answered.
local function try_held(permit, call, args, n)
  args[n + 1] = { model_name = permit.model_name, permit = permit }
  local results = pack(closing.pcall(call, unpack(args, 1, n + 1)))
  local raised, first, second = not results[1], results[2], results[3]
  local failure = nil
  if raised then
    failure = first
  elseif first == nil then
    failure = second
  end
  if failure == nil and not raised then
    if settle(permit, first) then return true, results end
    return false, first
  end
  if is_answer(failure) and permit:is_live() then
    if refused(permit, failure) then return false, failure end
  elseif is_answer(failure) then
    return false, failure
  end
  permit:close()
  if raised then error(failure, 0) end
  return true, results
end

-- The permit ends with the call, be it by a coroutine that is closed.
local function try(permit, call, args, n)
  return closing.with(permit.close, permit, try_held, permit, call, args, n)
end

-- See limiter.lua.
function limit.wrap(limiter, models, call, request)
  return function(...)
    local args, n = { ... }, select("#", ...)
    local left, asked, failure = models, request, nil
    if type(request) == "function" then asked = request(...) end
    while #left > 0 do
      local permit, refusal = limiter:acquire(left, asked)
      if not permit then
        if failure then break end
        return nil, refusal
      end
      local done, results = try(permit, call, args, n)
      if done then return unpack(results, 2, results.n) end
      failure, left = results, without(left, permit.model_name)
    end
    -- Providers have refused: when the first of all models has room again says the limiter, unless one has now and it
    -- was no limit that kept the call from being made.
    local _, refusal = limiter:available(models, asked)
    if not refusal then return nil, failure end
    refusal.cause = failure
    return nil, refusal
  end
end

return limit
