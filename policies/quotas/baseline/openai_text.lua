-- Text models of OpenAI: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. Requests and tokens refill continuously (OpenAI's law). The package has no
-- numbers for tiers 2 to 5. Several of these differ from what OpenAI publishes: gpt-4o-mini in tier 1 has 10 times its
-- published tokens per minute. Take the published set, or your own numbers as overrides, where 429s matter.

return quota "openai" {
  api = 1,
  modality = "text",
  aliases = {
    ["gpt-4.1"] = { "gpt-4.1-2025-04-14" },
    ["gpt-4o"] = { "gpt-4o-2024-05-13", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20" },
    ["gpt-4o-mini"] = { "gpt-4o-mini-2024-07-18" },
  },
  tier "free" {
    ["gpt-4o-mini"] = { requests = 50/minute, tokens = 200e3/minute },
    ["gpt-4.1"] = { requests = 30/minute, tokens = 300e3/minute },
    ["gpt-4o"] = { requests = 15/minute, tokens = 300e3/minute },
  },
  tier "tier1" {
    ["gpt-4o-mini"] = { requests = 200/minute, tokens = 2e6/minute },
    ["gpt-4.1"] = { requests = 150/minute, tokens = 2e6/minute },
    ["gpt-4o"] = { requests = 80/minute, tokens = 2e6/minute },
  },
}
