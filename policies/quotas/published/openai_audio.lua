-- Speech, transcription and audio models of OpenAI, as last published.
--
-- Sources: platform.openai.com/docs/models (14 October 2025) and developers.openai.com/api/docs/models (2026); tts-1
-- and whisper-1 by a summary of those pages of May 2026. gpt-4o-transcribe in tiers 2 to 5 has the numbers of its
-- -diarize page. Where a cell has no tokens none are published.

return quota "openai" {
  api = 1,
  modality = "audio",
  tier "free" {
    ["tts-1"] = { requests = { 3/minute, 200/day } },
    ["whisper-1"] = { requests = { 3/minute, 200/day } },
    ["gpt-4o-mini-tts"] = { blocked = true },
    ["gpt-4o-mini-transcribe"] = { blocked = true },
    ["gpt-4o-transcribe"] = { blocked = true },
    ["gpt-audio-mini"] = { blocked = true },
  },
  tier "tier1" {
    ["tts-1"] = { requests = 500/minute },
    ["tts-1-hd"] = { requests = 500/minute },
    ["whisper-1"] = { requests = 500/minute },
    ["gpt-4o-mini-tts"] = { requests = 500/minute, tokens = 50e3/minute },
    ["gpt-4o-mini-transcribe"] = { requests = 500/minute, tokens = 50e3/minute },
    ["gpt-4o-transcribe"] = { requests = 500/minute, tokens = 10e3/minute },
    ["gpt-audio-mini"] = { requests = 500/minute, tokens = 30e3/minute },
  },
  tier "tier2" {
    ["tts-1"] = { requests = 2500/minute },
    ["tts-1-hd"] = { requests = 2500/minute },
    ["whisper-1"] = { requests = 2500/minute },
    ["gpt-4o-mini-tts"] = { requests = 2000/minute, tokens = 150e3/minute },
    ["gpt-4o-mini-transcribe"] = { requests = 2000/minute, tokens = 150e3/minute },
    ["gpt-4o-transcribe"] = { requests = 5000/minute, tokens = 100e3/minute },
    ["gpt-audio-mini"] = { requests = 5000/minute, tokens = 450e3/minute },
  },
  tier "tier3" {
    ["tts-1"] = { requests = 5000/minute },
    ["tts-1-hd"] = { requests = 5000/minute },
    ["whisper-1"] = { requests = 5000/minute },
    ["gpt-4o-mini-tts"] = { requests = 5000/minute, tokens = 600e3/minute },
    ["gpt-4o-mini-transcribe"] = { requests = 5000/minute, tokens = 600e3/minute },
    ["gpt-4o-transcribe"] = { requests = 5000/minute, tokens = 400e3/minute },
    ["gpt-audio-mini"] = { requests = 5000/minute, tokens = 800e3/minute },
  },
  tier "tier4" {
    ["tts-1"] = { requests = 7500/minute },
    ["tts-1-hd"] = { requests = 7500/minute },
    ["whisper-1"] = { requests = 7500/minute },
    ["gpt-4o-mini-tts"] = { requests = 10000/minute, tokens = 2e6/minute },
    ["gpt-4o-mini-transcribe"] = { requests = 10000/minute, tokens = 2e6/minute },
    ["gpt-4o-transcribe"] = { requests = 10000/minute, tokens = 2e6/minute },
    ["gpt-audio-mini"] = { requests = 10000/minute, tokens = 2e6/minute },
  },
  tier "tier5" {
    ["tts-1"] = { requests = 10000/minute },
    ["tts-1-hd"] = { requests = 10000/minute },
    ["whisper-1"] = { requests = 10000/minute },
    ["gpt-4o-mini-tts"] = { requests = 10000/minute, tokens = 8e6/minute },
    ["gpt-4o-mini-transcribe"] = { requests = 10000/minute, tokens = 8e6/minute },
    ["gpt-4o-transcribe"] = { requests = 10000/minute, tokens = 6e6/minute },
    ["gpt-audio-mini"] = { requests = 10000/minute, tokens = 30e6/minute },
  },
}
