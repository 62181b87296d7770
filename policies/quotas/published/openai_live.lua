-- Realtime models of OpenAI, as last published.
--
-- Sources: platform.openai.com/docs/models (14 October 2025) and an account page of tier 1. A request is a response of
-- the session; no number of concurrent sessions is published. Errors name the quota gpt-4o-mini-realtime.

return quota "openai" {
  api = 1,
  modality = "live",
  aliases = {
    ["gpt-realtime-mini"] = { "gpt-4o-mini-realtime" },
  },
  tier "free" {
    ["gpt-realtime-mini"] = { blocked = true },
  },
  tier "tier1" {
    ["gpt-realtime-mini"] = { requests = { 200/minute, 1000/day }, tokens = 40e3/minute },
  },
  tier "tier2" {
    ["gpt-realtime-mini"] = { requests = 400/minute, tokens = 200e3/minute },
  },
  tier "tier3" {
    ["gpt-realtime-mini"] = { requests = 5000/minute, tokens = 800e3/minute },
  },
  tier "tier4" {
    ["gpt-realtime-mini"] = { requests = 10000/minute, tokens = 4e6/minute },
  },
  tier "tier5" {
    ["gpt-realtime-mini"] = { requests = 20000/minute, tokens = 15e6/minute },
  },
}
