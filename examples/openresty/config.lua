-- Who may ask, for what, and who answers. Read when nginx starts, and by `nginx -s reload`. The numbers are in
-- quotas.lua.

return {
  -- By what the name of a model begins with; "" is any. In the place of the stand-in https://api.openai.com and
  -- https://generativelanguage.googleapis.com.
  providers = {
    { prefix = "gemini-", api = "gemini", url = "http://127.0.0.1:8081", key = os.getenv "GEMINI_API_KEY" or "none" },
    { prefix = "", api = "openai", url = "http://127.0.0.1:8081", key = os.getenv "OPENAI_API_KEY" or "none" },
  },

  -- What clients may ask for, and which models may answer, in this order unless routing.lua has another. Vectors of one
  -- embedding model mean nothing to another one, so these have no second.
  models = {
    fast = { "gemini-2.5-flash", "gpt-4o-mini" },
    ["gpt-4o"] = { "gpt-4o", "gemini-2.5-pro" },
    ["gpt-4o-mini"] = { "gpt-4o-mini", "gemini-2.5-flash" },
    ["gemini-2.5-flash"] = { "gemini-2.5-flash" },
    ["text-embedding-3-small"] = { "text-embedding-3-small" },
    ["gemini-embedding-001"] = { "gemini-embedding-001" },
    ["gpt-image-1"] = { "gpt-image-1", "gpt-image-1-mini" },
    ["gpt-4o-mini-tts"] = { "gpt-4o-mini-tts", "tts-1" },
  },

  -- Tenants by the keys that they send. The other fields are tags, which routing.lua reads.
  keys = {
    ["sk-acme"] = { tenant = "acme" },
    ["sk-zoo"] = { tenant = "zoo", prefer = "openai" },
  },
}
