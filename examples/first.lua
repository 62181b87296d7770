-- first.lua - ask before a call, settle after it. Run: lua5.4 examples/first.lua, after luarocks make
local llm = require "llm_limiters"

local models = { "gemini-2.5-flash", "gpt-4o-mini" }
local limiter = llm.RateLimiter { tier = "free" }

for call = 0, 69 do
  local permit, refusal = limiter:acquire(models, { tokens = 1200 })
  if permit then
    print(("call %d goes to %s"):format(call, permit.model_name))
    permit:settle { input_tokens = 700, tokens = 987 } -- what the answer does not tell stays as it was reserved
  else
    print(("call %d is refused: %s"):format(call, tostring(refusal)))
  end
end
limiter:close()
