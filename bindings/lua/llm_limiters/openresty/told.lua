-- What a client is told: a refusal as its provider would put it, so that the provider's SDKs and ours read it, and what
-- is left of limits.
--
-- OpenAI: 429 with retry-after, retry-after-ms and an error object whose message says when to try again. Gemini: 429
-- RESOURCE_EXHAUSTED with QuotaFailure and RetryInfo. What never fits is answered by a status that SDKs do not retry.

local response = require "llm_limiters.door.response"

local told = {}

local ceil, floor, format, max = math.ceil, math.floor, string.format, math.max

local SECONDS = { minute = 60, hour = 3600, day = 86400, week = 604800, month = 2592000 }
local UNITS = { [60] = "minute", [3600] = "hour", [86400] = "day", [604800] = "week" }
local SHORT = { minute = "min" }
local NAMES = { requests = "requests", tokens = "tokens", input_tokens = "input tokens",
  output_tokens = "output tokens", images = "input-images", audio_ms = "audio milliseconds", cost = "micro-dollars" }
local LETTERS = { requests = "RP", tokens = "TP" }
local TYPES = { requests = "requests", images = "input-images", sessions = "requests" }

-- As Go prints it: 534ms, 20s, 1m26.4s.
local function duration(seconds)
  local ms = ceil(seconds * 1000 - 1e-6)
  if ms < 1000 then return format("%.0fms", ms) end
  local hours, minutes = floor(ms / 3600000), floor(ms / 60000) % 60
  local rest = string.gsub(string.gsub(format("%.3f", ms % 60000 / 1000), "0+$", ""), "%.$", "")
  local text = hours > 0 and format("%.0fh", hours) or ""
  if hours > 0 or minutes > 0 then text = text .. format("%.0fm", minutes) end
  return text .. rest .. "s"
end

local function unit_of(limit)
  return limit.unit or UNITS[limit.window]
end

-- "requests per min (RPM)"
local function dimension(refusal)
  local unit = unit_of(refusal)
  local name = NAMES[refusal.meter] or refusal.meter
  if unit then name = name .. " per " .. (SHORT[unit] or unit) end
  if not unit and refusal.window and refusal.meter ~= "sessions" then
    name = name .. format(" per %.14g s", refusal.window)
  end
  local letters = LETTERS[refusal.meter]
  if letters and (unit == "minute" or unit == "day") then
    name = name .. " (" .. letters .. string.upper(string.sub(unit, 1, 1)) .. ")"
  end
  return name
end

-- Whose limit it is: the model's as the client named it, or the scope.
local function subject(refusal)
  return string.find(refusal.scope, "^model:") and refusal.model_name or refusal.scope
end

local function numbers(refusal)
  return format("%s: Limit %.0f, Used %.0f, Requested %.0f.", dimension(refusal), refusal.limit, refusal.used,
    refusal.amount)
end

local function sentence(refusal)
  if refusal.reason == "limit" and refusal.code == "never" then
    return format("Request too large for %s on %s: Limit %.0f, Requested %.0f. The input or output tokens must be "
      .. "reduced in order to run successfully.", subject(refusal), dimension(refusal), refusal.limit, refusal.amount)
  end
  if refusal.reason == "limit" then
    return format("Rate limit reached for %s on %s Please try again in %s.", subject(refusal), numbers(refusal),
      duration(refusal.wait))
  end
  if refusal.code == "later" and refusal.wait > 0 then
    return format("Rate limit reached for %s: %s. Please try again in %s.", subject(refusal), refusal.reason,
      duration(refusal.wait))
  end
  return refusal.message
end

-- Statuses, OpenAI's type and code, Gemini's status.
local KINDS = {
  later = { 429, nil, "rate_limit_exceeded", "RESOURCE_EXHAUSTED" },
  too_large = { 413, "tokens", "rate_limit_exceeded", "INVALID_ARGUMENT", 400 },
  blocked = { 403, "invalid_request_error", "model_not_found", "PERMISSION_DENIED" },
  unknown_model = { 404, "invalid_request_error", "model_not_found", "NOT_FOUND" },
  no_quota = { 404, "invalid_request_error", "model_not_found", "NOT_FOUND" },
  invalid = { 400, "invalid_request_error", nil, "INVALID_ARGUMENT" },
}
local FAILED = { 503, "server_error", nil, "UNAVAILABLE" }

local function kind_of(refusal)
  if refusal.code == "never" then return KINDS[refusal.reason == "limit" and "too_large" or "blocked"] end
  return KINDS[refusal.code] or FAILED
end

local function openai(refusal, kind)
  local null = 0 / 0 -- which JSON has as null
  return { error = { message = sentence(refusal), param = null, code = kind[3] or null,
    type = kind[2] or TYPES[refusal.meter] or (refusal.meter and "tokens") or "requests" } }
end

local METRIC = "generativelanguage.googleapis.com/"
local QUOTAS = {
  requests = { "generate_requests_per_model", "GenerateRequestsPer%sPerProjectPerModel" },
  input_tokens = { "generate_content_paid_tier_input_token_count",
    "GenerateContentPaidTierInputTokensPerModelPer%s" },
}

local function violation(refusal)
  local unit = unit_of(refusal) or "minute"
  local quota = QUOTAS[refusal.meter] or QUOTAS.input_tokens
  return { quotaMetric = METRIC .. quota[1],
    quotaId = format(quota[2], string.upper(string.sub(unit, 1, 1)) .. string.sub(unit, 2)),
    quotaDimensions = { location = "global", model = subject(refusal) }, quotaValue = format("%.0f", refusal.limit) }
end

local function gemini(refusal, kind)
  local message, details = sentence(refusal), nil
  if refusal.code == "later" then
    local delay = format("%.3fs", ceil(refusal.wait * 1000) / 1000)
    details = { { ["@type"] = "type.googleapis.com/google.rpc.RetryInfo", retryDelay = delay } }
    if refusal.reason == "limit" then
      local one = violation(refusal)
      table.insert(details, 1, { ["@type"] = "type.googleapis.com/google.rpc.QuotaFailure", violations = { one } })
      message = format("You exceeded your current quota. * Quota exceeded for metric: %s, limit: %s, model: %s\n"
        .. "Please retry in %s.", one.quotaMetric, one.quotaValue, subject(refusal), delay)
    end
  end
  return { error = { code = kind[5] or kind[1], message = message, status = kind[4], details = details } }
end

-- The x-ratelimit headers of a scope's limits with their use: of several on one meter the longest, as OpenAI does.
function told.limits(limits)
  local headers, longest = {}, {}
  for _, one in ipairs(limits or {}) do
    local name = one.meter == "requests" and "requests" or one.meter == "images" and "input-images" or "tokens"
    local window = one.window or SECONDS[one.unit]
    local fits = one.meter == "requests" or one.meter == "images" or one.meter == "tokens"
      or one.meter == "input_tokens"
    if fits and one.law ~= "gauge" and window > (longest[name] or 0) then
      longest[name] = window
      headers["x-ratelimit-limit-" .. name] = format("%.0f", one.limit)
      headers["x-ratelimit-remaining-" .. name] = format("%.0f", max(one.limit - one.used, 0))
      headers["x-ratelimit-reset-" .. name] = duration(one.reset)
    end
  end
  return headers
end

-- Status, headers and body. limits: those of who refused, with their use, or nil.
function told.refusal(refusal, shape, limits)
  local kind = kind_of(refusal)
  local status = shape == "gemini" and kind[5] or kind[1]
  local headers = told.limits(limits)
  if status == 429 then
    local wait = refusal.wait > 0 and refusal.wait or 1 -- a policy or a queue does not say when
    headers["retry-after"] = format("%.0f", ceil(wait))
    headers["retry-after-ms"] = format("%.0f", ceil(wait * 1000))
  elseif status == 503 then
    headers["retry-after"] = "1"
  else
    headers["x-should-retry"] = "false"
  end
  return status, headers, response.json((shape == "gemini" and gemini or openai)(refusal, kind))
end

-- What is in force, and the limits of each model with their use.
function told.status(limiter)
  local status, models = limiter:status(), {}
  status.fault = status.fault and status.fault.message
  status.reload_fault = status.reload_fault and status.reload_fault.message
  for _, name in ipairs(limiter:models()) do
    local usage = limiter:usage(name)
    if usage then
      local model = { cooling = usage.cooling }
      usage.cooling = nil
      if usage[1] then model.limits = usage end
      models[name] = model
    end
  end
  status.models = models
  return status
end

return told
