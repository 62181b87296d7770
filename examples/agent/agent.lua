-- agent.lua - an agent that works through its tasks with tools, whatever a provider says meanwhile.
-- Run: lua5.4 examples/agent/agent.lua, after luarocks make. The provider is this file's own, and the clock virtual, so
-- that an afternoon of an agent takes no time.
local llm = require "llm_limiters"

local limiter = llm.RateLimiter {
  custom_limits = { ["gpt-4o-mini"] = { rpm = 20, tpm = 20000 }, ["gemini-2.5-flash"] = { rpm = 10, tpm = 20000 } },
  clock = "virtual", seed = 1,
}

local function sleep(seconds) limiter:advance(seconds) end -- a program gives its event loop's

-- The provider: thinks for two seconds, asks for a tool first, and now and then has no room.
local calls, told = {}, {}
local provider = {}

function provider.chat(model, messages)
  calls[model] = (calls[model] or 0) + 1
  sleep(2)
  if model == "gpt-4o-mini" and calls[model] % 9 == 0 then
    return nil, { status = 429, headers = { ["retry-after"] = "12" }, body = [[{"error":{"message":"Rate limit reached]]
      .. [[ for gpt-4o-mini on requests per min (RPM): Limit 20, Used 20. Please try again in 12s.","type":"requests",]]
      .. [["param":null,"code":"rate_limit_exceeded"}}]] }
  end
  local input = 0
  for _, message in ipairs(messages) do input = input + math.ceil(#message.content / 4) end
  local answer = #messages == 1 and { tool = "clock" } or { content = "done: " .. messages[1].content }
  answer.usage = { prompt_tokens = input, completion_tokens = 20, total_tokens = input + 20 }
  return answer
end

-- One call to whichever model has room: reserved, settled by the answer's usage, and handed to the next model when the
-- provider refuses.
local think = limiter:limit({ "gpt-4o-mini", "gemini-2.5-flash" }, function(messages, call)
  told[call.model_name] = (told[call.model_name] or 0) + 1
  return provider.chat(call.model_name, messages)
end, function(messages)
  return { text = messages[#messages].content, max_output_tokens = 50 }
end)

local tools = { clock = function() return ("it is %d o'clock"):format(math.floor(limiter:now() / 3600) + 12) end }

local waits = 0

-- Where no model has room, the refusal tells for how long.
local function think_or_wait(messages)
  while true do
    local answer, refusal = think(messages)
    if answer then return answer end
    if refusal.code ~= "later" then error(tostring(refusal)) end
    waits = waits + 1
    sleep(refusal.wait)
  end
end

local function work(task)
  local messages = { { role = "user", content = task } }
  for _ = 1, 5 do
    local answer = think_or_wait(messages)
    if not answer.tool then return answer.content end
    messages[#messages + 1] = { role = "tool", content = tools[answer.tool]() }
  end
  error("the agent goes round in circles: " .. task)
end

for i = 1, 60 do
  local result = work(("task %d: read the clock, write a report"):format(i))
  if i % 20 == 0 then print(result) end
end
print(("%d and %d calls, %d waits, %.0f minutes"):format(told["gpt-4o-mini"], told["gemini-2.5-flash"], waits,
  limiter:now() / 60))
limiter:close()
