-- Image models of Gemini: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. The tiers without numbers are empty there too: their models can be used once
-- overrides give them numbers. Imagen reports no tokens, so none are limited.

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
    ["gemini-2.5-flash-image"] = { requests = { 500/minute, 2000/pacific_day }, tokens = 500e3/minute },
    ["gemini-3-pro-image"] = { requests = { 20/minute, 250/pacific_day }, tokens = 100e3/minute },
    ["imagen-4.0-fast-generate-001"] = { requests = { 10/minute, 70/pacific_day } },
    ["imagen-4.0-generate-001"] = { requests = { 10/minute, 70/pacific_day } },
    ["imagen-4.0-ultra-generate-001"] = { requests = { 5/minute, 30/pacific_day } },
  },
  tier "tier2" {},
  tier "tier3" {},
}
