-- Live models of Gemini, as last published.
--
-- Source: ai.google.dev/gemini-api/docs/rate-limits, copy of November and December 2025; the 3 sessions of the free
-- tier are from the copy of mid 2025, the later one prints none. The unit is sessions held at one time and tokens of
-- their input; a lease ends an hour after it was last renewed. Native audio is with the audio models.

return quota "gemini" {
  api = 1,
  modality = "live",
  aliases = {
    ["gemini-2.5-flash-live"] = { "gemini-live-2.5-flash-preview" },
  },
  tier "free" {
    ["gemini-2.5-flash-live"] = { sessions = gauge(3), input_tokens = 1e6/minute },
    ["gemini-2.0-flash-live-001"] = { sessions = gauge(3), input_tokens = 1e6/minute },
  },
  tier "tier1" {
    ["gemini-2.5-flash-live"] = { sessions = gauge(50), input_tokens = 4e6/minute },
    ["gemini-2.0-flash-live-001"] = { sessions = gauge(50), input_tokens = 4e6/minute },
  },
  tier "tier2" {
    ["gemini-2.5-flash-live"] = { sessions = gauge(1000), input_tokens = 10e6/minute },
    ["gemini-2.0-flash-live-001"] = { sessions = gauge(1000), input_tokens = 10e6/minute },
  },
  tier "tier3" {
    ["gemini-2.5-flash-live"] = { sessions = gauge(1000), input_tokens = 10e6/minute },
    ["gemini-2.0-flash-live-001"] = { sessions = gauge(1000), input_tokens = 10e6/minute },
  },
}
