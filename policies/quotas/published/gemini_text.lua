-- Text and embedding models of Gemini, as last published.
--
-- Source: ai.google.dev/gemini-api/docs/rate-limits, copy of November and December 2025; Google prints no numbers per
-- model any more since early 2026, only AI Studio shows those of a project. Tokens are those of the input. A day is
-- that of the Pacific. An earlier copy (mid 2025) gives 2.5 Pro 5 requests and 250,000 tokens a minute and 100 requests
-- a day in the free tier; dashboards of January 2026 show 5 and 10 requests a minute and 20 a day for 2.5 Flash and
-- Flash-Lite there. The sizes of Gemma 3 are printed as one row, and are charged to one here, which is the safe
-- reading.

return quota "gemini" {
  api = 1,
  modality = "text",
  aliases = {
    ["gemini-embedding-001"] = { "gemini-embedding" },
  },
  families = {
    ["gemma-3"] = { "gemma-3-1b-it", "gemma-3-4b-it", "gemma-3-12b-it", "gemma-3-27b-it" },
  },
  tier "free" {
    ["gemini-2.5-pro"] = { requests = { 2/minute, 50/pacific_day }, input_tokens = 125e3/minute },
    ["gemini-2.5-flash"] = { requests = { 10/minute, 250/pacific_day }, input_tokens = 250e3/minute },
    ["gemini-2.5-flash-lite"] = { requests = { 15/minute, 1000/pacific_day }, input_tokens = 250e3/minute },
    ["gemini-2.0-flash"] = { requests = { 15/minute, 200/pacific_day }, input_tokens = 1e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = { 30/minute, 200/pacific_day }, input_tokens = 1e6/minute },
    ["gemini-embedding-001"] = { requests = { 100/minute, 1000/pacific_day }, input_tokens = 30e3/minute },
    ["gemma-3"] = { requests = { 30/minute, 14400/pacific_day }, input_tokens = 15e3/minute },
  },
  tier "tier1" {
    ["gemini-3-pro-preview"] = { requests = { 50/minute, 1000/pacific_day }, input_tokens = 1e6/minute },
    ["gemini-2.5-pro"] = { requests = { 150/minute, 10000/pacific_day }, input_tokens = 2e6/minute },
    ["gemini-2.5-flash"] = { requests = { 1000/minute, 10000/pacific_day }, input_tokens = 1e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 4000/minute, input_tokens = 4e6/minute },
    ["gemini-2.0-flash"] = { requests = 2000/minute, input_tokens = 4e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 4000/minute, input_tokens = 4e6/minute },
    ["gemini-embedding-001"] = { requests = 3000/minute, input_tokens = 1e6/minute },
    ["gemma-3"] = { requests = { 30/minute, 14400/pacific_day }, input_tokens = 15e3/minute },
  },
  tier "tier2" {
    ["gemini-3-pro-preview"] = { requests = { 1000/minute, 50000/pacific_day }, input_tokens = 5e6/minute },
    ["gemini-2.5-pro"] = { requests = { 1000/minute, 50000/pacific_day }, input_tokens = 5e6/minute },
    ["gemini-2.5-flash"] = { requests = { 2000/minute, 100000/pacific_day }, input_tokens = 3e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 10000/minute, input_tokens = 10e6/minute },
    ["gemini-2.0-flash"] = { requests = 10000/minute, input_tokens = 10e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 20000/minute, input_tokens = 10e6/minute },
    ["gemini-embedding-001"] = { requests = 5000/minute, input_tokens = 5e6/minute },
    ["gemma-3"] = { requests = { 30/minute, 14400/pacific_day }, input_tokens = 15e3/minute },
  },
  tier "tier3" {
    ["gemini-3-pro-preview"] = { requests = 2000/minute, input_tokens = 8e6/minute },
    ["gemini-2.5-pro"] = { requests = 2000/minute, input_tokens = 8e6/minute },
    ["gemini-2.5-flash"] = { requests = 10000/minute, input_tokens = 8e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 30000/minute, input_tokens = 30e6/minute },
    ["gemini-2.0-flash"] = { requests = 30000/minute, input_tokens = 30e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 30000/minute, input_tokens = 30e6/minute },
    ["gemini-embedding-001"] = { requests = 10000/minute, input_tokens = 10e6/minute },
    ["gemma-3"] = { requests = { 30/minute, 14400/pacific_day }, input_tokens = 15e3/minute },
  },
}
