-- llm-limiters for Lua programs: may this call go now, to which model, and if not, when exactly.
--
--   local llm = require "llm_limiters"
--   local limiter = llm.RateLimiter { tier = "free" }
--   local permit, refusal = limiter:acquire({ "gemini-2.5-flash", "gpt-4o-mini" }, { tokens = 1200 })
--   if permit then call(permit.model_name); permit:settle { total_tokens = 987 } else print(refusal, refusal.wait) end
--
-- What does not work out is nil and a value that tells it, never raised; wrong arguments are raised, and what keeps a
-- limiter from being opened. Seconds and plain numbers everywhere.

local limiter = require "llm_limiters.door.limiter"
local live = require "llm_limiters.door.live"
local refusal = require "llm_limiters.door.refusal"

return {
  RateLimiter = limiter.constructor("RateLimiter", "text"),
  ImageRateLimiter = limiter.constructor("ImageRateLimiter", "image"),
  AudioRateLimiter = limiter.constructor("AudioRateLimiter", "audio"),
  LiveRateLimiter = live.constructor,
  errors = refusal.errors,
}
