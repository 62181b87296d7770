-- Image models of OpenAI: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. They are requests per minute there; OpenAI publishes the same figures as
-- images per minute (the published set), which a request for several images tells apart. The free tier has no numbers.

return quota "openai" {
  api = 1,
  modality = "image",
  tier "free" {},
  tier "tier1" {
    ["gpt-image-1"] = { requests = 5/minute, tokens = 100e3/minute },
    ["gpt-image-1-mini"] = { requests = 5/minute, tokens = 100e3/minute },
  },
  tier "tier2" {
    ["gpt-image-1"] = { requests = 20/minute, tokens = 250e3/minute },
    ["gpt-image-1-mini"] = { requests = 20/minute, tokens = 250e3/minute },
  },
  tier "tier3" {
    ["gpt-image-1"] = { requests = 50/minute, tokens = 800e3/minute },
    ["gpt-image-1-mini"] = { requests = 50/minute, tokens = 800e3/minute },
  },
  tier "tier4" {
    ["gpt-image-1"] = { requests = 150/minute, tokens = 3e6/minute },
    ["gpt-image-1-mini"] = { requests = 150/minute, tokens = 3e6/minute },
  },
  tier "tier5" {
    ["gpt-image-1"] = { requests = 250/minute, tokens = 8e6/minute },
    ["gpt-image-1-mini"] = { requests = 250/minute, tokens = 8e6/minute },
  },
}
