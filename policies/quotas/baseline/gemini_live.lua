-- Live models of Gemini: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. They are requests per minute there; Google publishes concurrent sessions
-- (the published set), and in tier 3 a tenth of these tokens.

return quota "gemini" {
  api = 1,
  modality = "live",
  tier "free" {
    ["gemini-2.0-flash-live-001"] = { requests = { 10/minute, 200/pacific_day }, tokens = 1e6/minute },
  },
  tier "tier1" {
    ["gemini-2.0-flash-live-001"] = { requests = { 50/minute, 10000/pacific_day }, tokens = 4e6/minute },
  },
  tier "tier2" {
    ["gemini-2.0-flash-live-001"] = { requests = { 1000/minute, 50000/pacific_day }, tokens = 10e6/minute },
  },
  tier "tier3" {
    ["gemini-2.0-flash-live-001"] = { requests = 5000/minute, tokens = 100e6/minute },
  },
}
