-- What is known of each provider beyond its numbers.
--
-- law is what a limit over a rolling window means there: OpenAI refills continuously, in minutes and days alike; how
-- Gemini counts inside a minute is not documented, and sliding is safe for every way. charged is what settles a limit:
-- OpenAI prices a request at admission and documents no correction; Gemini counts what was used. prefix may precede
-- every model name of the provider. A provider that is not listed counts by the safe law.
-- Data, for the kernel's modules only.

local providers = {
  openai = { law = "bucket", charged = "reserved" },
  gemini = { law = "sliding", charged = "used", prefix = "models/" },
}

local unknown = { law = "sliding", charged = "used" }

return {
  of = function(name)
    return providers[name] or unknown
  end,
}
