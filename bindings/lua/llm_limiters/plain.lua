-- The plain shape of limits, which everybody knows from the providers' pages: { rpm = 100, tpm = 500000, rpd = 0 }.
--
-- Owns what each of its fields means. A day is 24 hours from any instant, since a plain number names no time zone;
-- sessions are held at one time. Data, for limits.lua only.

return {
  rpm = { meter = "requests", span = "minute" },
  rpd = { meter = "requests", span = "day" },
  tpm = { meter = "tokens", span = "minute" },
  tpd = { meter = "tokens", span = "day" },
  ipm = { meter = "images", span = "minute" },
  itpm = { meter = "input_tokens", span = "minute" },
  otpm = { meter = "output_tokens", span = "minute" },
  sessions = { meter = "sessions", span = "gauge" },
}
