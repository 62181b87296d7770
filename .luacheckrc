-- The kernel runs in every Lua from 5.1 to 5.4 and in LuaJIT: only what all of them have. Quota tables and policies see
-- the words of their language (bindings/lua/llm_limiters/words.lua) and nothing else.
std = "min"
max_line_length = 120
exclude_files = { "build" }

local language = {
  "quota", "tier", "inherit", "policy", "gauge", "usd", "inf", "second", "minute", "hour", "day", "week", "month",
  "pacific_day", "local_time", "cool", "cool_until", "backoff", "default_result",
  "pairs", "ipairs", "next", "type", "tostring", "tonumber", "math", "string", "table", "error", "assert", "pcall",
  "select",
}

for _, path in ipairs { "policies", "examples", "tests/fixtures" } do
  files[path] = { std = { read_globals = language } }
end
files["examples/first.lua"] = { std = "max" }
files["examples/agent/agent.lua"] = { std = "max" }
files["tests/spec"] = { std = "max+busted" }
files["tests/cli"] = { std = "max+busted" }
files["bindings/lua/docs/ldoc.lua"] = { std = "max" }
files["tests/rock"] = { std = "max+busted" }
files["bindings/lua/library"] = { ignore = { "111", "112", "121", "122", "131", "142", "143", "212", "241" } }
files["tests/nginx"] = { std = "max+busted+ngx_lua" }
files["tests/gateway"] = { std = "max+busted+ngx_lua" }
for _, name in ipairs { "config.lua", "gateway", "provider.lua" } do
  files["examples/openresty/" .. name] = { std = "max+ngx_lua" }
end
