-- Text models of Gemini: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025, which repeat Google's tables of that year. Minutes slide; a day is that of
-- the Pacific. tokens counts input and output together, as the package does; Google counts input only (the published
-- set).

return quota "gemini" {
  api = 1,
  modality = "text",
  tier "free" {
    ["gemini-2.5-pro"] = { requests = { 5/minute, 100/pacific_day }, tokens = 250e3/minute },
    ["gemini-2.5-flash"] = { requests = { 10/minute, 250/pacific_day }, tokens = 250e3/minute },
    ["gemini-2.5-flash-lite"] = { requests = { 15/minute, 1000/pacific_day }, tokens = 250e3/minute },
    ["gemini-2.0-flash"] = { requests = { 15/minute, 200/pacific_day }, tokens = 1e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = { 30/minute, 200/pacific_day }, tokens = 1e6/minute },
  },
  tier "tier1" {
    ["gemini-2.5-pro"] = { requests = { 150/minute, 10000/pacific_day }, tokens = 2e6/minute },
    ["gemini-2.5-flash"] = { requests = { 1000/minute, 10000/pacific_day }, tokens = 1e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 4000/minute, tokens = 4e6/minute },
    ["gemini-2.0-flash"] = { requests = 2000/minute, tokens = 4e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 4000/minute, tokens = 4e6/minute },
  },
  tier "tier2" {
    ["gemini-2.5-pro"] = { requests = { 1000/minute, 50000/pacific_day }, tokens = 5e6/minute },
    ["gemini-2.5-flash"] = { requests = { 2000/minute, 100000/pacific_day }, tokens = 3e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 10000/minute, tokens = 10e6/minute },
    ["gemini-2.0-flash"] = { requests = 10000/minute, tokens = 10e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 20000/minute, tokens = 10e6/minute },
  },
  tier "tier3" {
    ["gemini-2.5-pro"] = { requests = 2000/minute, tokens = 8e6/minute },
    ["gemini-2.5-flash"] = { requests = 10000/minute, tokens = 8e6/minute },
    ["gemini-2.5-flash-lite"] = { requests = 30000/minute, tokens = 30e6/minute },
    ["gemini-2.0-flash"] = { requests = 30000/minute, tokens = 30e6/minute },
    ["gemini-2.0-flash-lite"] = { requests = 30000/minute, tokens = 30e6/minute },
  },
}
