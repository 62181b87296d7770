-- Audio models of Gemini, as last published.
--
-- Source: ai.google.dev/gemini-api/docs/rate-limits, copy of November and December 2025. Tokens are those of the input.
-- The dashboard of January 2026 shows 10 requests a day for Flash TTS and 1,000,000 tokens a minute for native audio in
-- the free tier.

return quota "gemini" {
  api = 1,
  modality = "audio",
  aliases = {
    ["gemini-2.5-flash-native-audio-dialog"] = {
      "gemini-2.5-flash-native-audio",
      "gemini-2.5-flash-native-audio-latest",
      "gemini-2.5-flash-native-audio-preview-09-2025",
      "gemini-2.5-flash-native-audio-preview-12-2025",
      "gemini-2.5-flash-preview-native-audio-dialog",
    },
    ["gemini-2.5-flash-tts"] = { "gemini-2.5-flash-preview-tts" },
    ["gemini-2.5-pro-tts"] = { "gemini-2.5-pro-preview-tts" },
  },
  tier "free" {
    ["gemini-2.5-flash-native-audio-dialog"] = { input_tokens = 500e3/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 3/minute, 15/pacific_day }, input_tokens = 10e3/minute },
  },
  tier "tier1" {
    ["gemini-2.5-flash-native-audio-dialog"] = { input_tokens = 1e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 10/minute, 100/pacific_day }, input_tokens = 10e3/minute },
    ["gemini-2.5-pro-tts"] = { requests = { 10/minute, 50/pacific_day }, input_tokens = 10e3/minute },
  },
  tier "tier2" {
    ["gemini-2.5-flash-native-audio-dialog"] = { input_tokens = 10e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 1000/minute, 10000/pacific_day }, input_tokens = 100e3/minute },
    ["gemini-2.5-pro-tts"] = { requests = { 100/minute, 1000/pacific_day }, input_tokens = 25e3/minute },
  },
  tier "tier3" {
    ["gemini-2.5-flash-native-audio-dialog"] = { input_tokens = 10e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = 1000/minute, input_tokens = 1e6/minute },
    ["gemini-2.5-pro-tts"] = { requests = 100/minute, input_tokens = 1e6/minute },
  },
}
