-- Audio models of OpenAI: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. gpt-4o-mini-tts in tier 3 has 600,000 published tokens per minute;
-- everything else agrees with OpenAI's pages.

return quota "openai" {
  api = 1,
  modality = "audio",
  tier "free" {
    ["tts-1"] = { requests = { 3/minute, 200/day } },
  },
  tier "tier1" {
    ["tts-1"] = { requests = 500/minute },
    ["tts-1-hd"] = { requests = 500/minute },
    ["gpt-4o-mini-tts"] = { requests = 500/minute, tokens = 50e3/minute },
  },
  tier "tier2" {
    ["tts-1"] = { requests = 2500/minute },
    ["tts-1-hd"] = { requests = 2500/minute },
    ["gpt-4o-mini-tts"] = { requests = 2000/minute, tokens = 150e3/minute },
  },
  tier "tier3" {
    ["tts-1"] = { requests = 5000/minute },
    ["tts-1-hd"] = { requests = 5000/minute },
    ["gpt-4o-mini-tts"] = { requests = 5000/minute, tokens = 500e3/minute },
  },
  tier "tier4" {
    ["tts-1"] = { requests = 7500/minute },
    ["tts-1-hd"] = { requests = 7500/minute },
    ["gpt-4o-mini-tts"] = { requests = 10000/minute, tokens = 2e6/minute },
  },
  tier "tier5" {
    ["tts-1"] = { requests = 10000/minute },
    ["tts-1-hd"] = { requests = 10000/minute },
    ["gpt-4o-mini-tts"] = { requests = 10000/minute, tokens = 8e6/minute },
  },
}
