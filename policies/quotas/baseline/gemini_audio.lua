-- Audio models of Gemini: the numbers that users of the llm-limiters Python package know.
--
-- Source: its constants, 16 December 2025. Native audio has tokens only. The names are those of the quota in AI Studio;
-- the names of the API are aliases, so that every spelling draws on one row in every tier.

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
    ["gemini-2.5-flash-native-audio-dialog"] = { tokens = 1e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 3/minute, 10/pacific_day }, tokens = 10e3/minute },
  },
  tier "tier1" {
    ["gemini-2.5-flash-native-audio-dialog"] = { tokens = 1e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 10/minute, 100/pacific_day }, tokens = 10e3/minute },
    ["gemini-2.5-pro-tts"] = { requests = { 10/minute, 50/pacific_day }, tokens = 10e3/minute },
  },
  tier "tier2" {
    ["gemini-2.5-flash-native-audio-dialog"] = { tokens = 4e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = { 50/minute, 500/pacific_day }, tokens = 10e3/minute },
    ["gemini-2.5-pro-tts"] = { requests = { 50/minute, 250/pacific_day }, tokens = 10e3/minute },
  },
  tier "tier3" {
    ["gemini-2.5-flash-native-audio-dialog"] = { tokens = 10e6/minute },
    ["gemini-2.5-flash-tts"] = { requests = 100/minute, tokens = 10e3/minute },
    ["gemini-2.5-pro-tts"] = { requests = 100/minute, tokens = 10e3/minute },
  },
}
