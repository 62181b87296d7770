-- Image models of OpenAI, as last published.
--
-- Sources: platform.openai.com/docs/models (14 October 2025) and developers.openai.com/api/docs/models (2026) for
-- gpt-image; a summary of those pages of May 2026 for dall-e. The unit is images, so a request for four counts four.
-- For dall-e in tier 1 the sources disagree (500 images on the model page; 500 requests and 5 images on account pages):
-- the account pages are the safe reading. OpenAI's pages retire dall-e on 12 May 2026 and gpt-image-1 on 23 October
-- 2026.

return quota "openai" {
  api = 1,
  modality = "image",
  tier "free" {
    ["gpt-image-1"] = { blocked = true },
    ["gpt-image-1-mini"] = { blocked = true },
    ["dall-e-2"] = { blocked = true },
    ["dall-e-3"] = { blocked = true },
  },
  tier "tier1" {
    ["gpt-image-1"] = { images = 5/minute, tokens = 100e3/minute },
    ["gpt-image-1-mini"] = { images = 5/minute, tokens = 100e3/minute },
    ["dall-e-2"] = { requests = 500/minute, images = 5/minute },
    ["dall-e-3"] = { requests = 500/minute, images = 5/minute },
  },
  tier "tier2" {
    ["gpt-image-1"] = { images = 20/minute, tokens = 250e3/minute },
    ["gpt-image-1-mini"] = { images = 20/minute, tokens = 250e3/minute },
    ["dall-e-2"] = { images = 2500/minute },
    ["dall-e-3"] = { images = 2500/minute },
  },
  tier "tier3" {
    ["gpt-image-1"] = { images = 50/minute, tokens = 800e3/minute },
    ["gpt-image-1-mini"] = { images = 50/minute, tokens = 800e3/minute },
    ["dall-e-2"] = { images = 5000/minute },
    ["dall-e-3"] = { images = 5000/minute },
  },
  tier "tier4" {
    ["gpt-image-1"] = { images = 150/minute, tokens = 3e6/minute },
    ["gpt-image-1-mini"] = { images = 150/minute, tokens = 3e6/minute },
    ["dall-e-2"] = { images = 7500/minute },
    ["dall-e-3"] = { images = 7500/minute },
  },
  tier "tier5" {
    ["gpt-image-1"] = { images = 250/minute, tokens = 8e6/minute },
    ["gpt-image-1-mini"] = { images = 250/minute, tokens = 8e6/minute },
    ["dall-e-2"] = { images = 10000/minute },
    ["dall-e-3"] = { images = 10000/minute },
  },
}
