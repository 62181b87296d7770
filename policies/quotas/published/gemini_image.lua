-- Image models of Gemini, as last published.
--
-- Source: ai.google.dev/gemini-api/docs/rate-limits, copy of November and December 2025. The free tier has none. Imagen
-- has requests only.

return quota "gemini" {
  api = 1,
  modality = "image",
  aliases = {
    ["gemini-2.5-flash-image"] = { "gemini-2.5-flash-image-preview", "gemini-2.5-flash-preview-image" },
    ["gemini-3-pro-image"] = { "gemini-3-pro-image-preview" },
    ["imagen-4.0-fast-generate-001"] = { "imagen-4.0-fast-generate" },
    ["imagen-4.0-generate-001"] = { "imagen-4.0-generate" },
    ["imagen-4.0-ultra-generate-001"] = { "imagen-4.0-ultra-generate" },
  },
  tier "free" {},
  tier "tier1" {
    ["gemini-2.5-flash-image"] = { requests = { 500/minute, 2000/pacific_day }, input_tokens = 500e3/minute },
    ["gemini-3-pro-image"] = { requests = { 20/minute, 250/pacific_day }, input_tokens = 100e3/minute },
    ["imagen-4.0-fast-generate-001"] = { requests = { 10/minute, 70/pacific_day } },
    ["imagen-4.0-generate-001"] = { requests = { 10/minute, 70/pacific_day } },
    ["imagen-4.0-ultra-generate-001"] = { requests = { 5/minute, 30/pacific_day } },
  },
  tier "tier2" {
    ["gemini-2.5-flash-image"] = { requests = { 2000/minute, 50000/pacific_day }, input_tokens = 1.5e6/minute },
    ["gemini-3-pro-image"] = { requests = { 500/minute, 15000/pacific_day }, input_tokens = 500e3/minute },
    ["imagen-4.0-fast-generate-001"] = { requests = { 15/minute, 1000/pacific_day } },
    ["imagen-4.0-generate-001"] = { requests = { 15/minute, 1000/pacific_day } },
    ["imagen-4.0-ultra-generate-001"] = { requests = { 10/minute, 400/pacific_day } },
  },
  tier "tier3" {
    ["gemini-2.5-flash-image"] = { requests = 5000/minute, input_tokens = 5e6/minute },
    ["gemini-3-pro-image"] = { requests = 5000/minute, input_tokens = 5e6/minute },
    ["imagen-4.0-fast-generate-001"] = { requests = { 20/minute, 15000/pacific_day } },
    ["imagen-4.0-generate-001"] = { requests = { 20/minute, 15000/pacific_day } },
    ["imagen-4.0-ultra-generate-001"] = { requests = { 15/minute, 5000/pacific_day } },
  },
}
