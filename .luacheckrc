-- The kernel runs in every Lua from 5.1 to 5.4 and in LuaJIT: only what all of them have. Quota tables and policies see
-- the words of their language (bindings/lua/llm_limiters/words.lua) and nothing else.
std = "min"
max_line_length = 120

local language = {
  "quota", "tier", "policy", "gauge", "inf", "second", "minute", "hour", "day", "week", "month", "pacific_day",
  "pairs", "ipairs", "next", "type", "tostring", "tonumber", "math", "string", "error", "assert", "select",
}

files["policies"] = { std = { read_globals = language } }
files["tests/fixtures"] = { std = { read_globals = language } }
files["tests/spec"] = { std = "max+busted" }
files["tests/cli"] = { std = "max+busted" }
