-- Limiters, permits and refusals of the Lua door.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"
local open, used = support.open, support.used

local LIMITS = { custom_limits = { a = { rpm = 2, tpm = 1000 }, b = { rpm = 10, tpm = 5000 } } }

-- The message that a call raises.
local function raised(...)
  local fine, message = pcall(...)
  assert.is_false(fine)
  return message
end

describe("a limiter", function()
  it("admits the first model that fits, and tells which", function()
    local limiter = open(LIMITS)
    assert.equal("a", limiter:acquire({ "a", "b" }, { tokens = 600 }).model_name)
    assert.equal("b", limiter:acquire({ "a", "b" }, { tokens = 600 }).model_name)
    assert.equal("b", limiter:available({ "a", "b" }, { tokens = 600 }))
    assert.equal(600, used(limiter, "b", "tokens"))
    assert.equal("b", limiter:acquire("b").model_name)
  end)

  it("refuses with a sentence, the limit and the instant", function()
    local limiter = open(LIMITS)
    limiter:acquire("a", { tokens = 600 })
    local permit, refusal = limiter:acquire({ "a" }, { tokens = 600 })
    assert.is_nil(permit)
    assert.same({ "later", "limit", "a", "tokens", 1000, 600, 600, 60 }, { refusal.code, refusal.reason,
      refusal.model_name, refusal.meter, refusal.limit, refusal.used, refusal.amount, refusal.wait })
    assert.equal(1717416060, refusal.at)
    assert.equal("model:default/custom/a: 1000 tokens per minute allowed, 600 used, 600 asked for; it fits in 60.000 s",
      tostring(refusal))
    assert.is_true(refusal == llm.errors.RateLimitExceeded)
    assert.is_false(refusal == llm.errors.ModelNotFound)
    limiter:advance(59.999)
    assert.is_nil(limiter:acquire("a", { tokens = 600 }))
    limiter:advance(0.001)
    assert.is_truthy(limiter:acquire("a", { tokens = 600 }))
  end)

  it("tells never from later, and unknown models from both", function()
    local limiter = open(LIMITS)
    local _, never = limiter:acquire("a", { tokens = 1001 })
    assert.same({ "never", math.huge }, { never.code, never.wait })
    assert.is_nil(never.at)
    assert.is_true(never == llm.errors.RateLimitExceeded)
    local _, unknown = limiter:acquire { "a", "gpt-4p" }
    assert.equal("unknown_model", unknown.code)
    assert.is_true(unknown == llm.errors.ModelNotFound)
    assert.matches('unknown model "gpt%-4p"; did you mean "gpt%-4o"%?', tostring(unknown))
    assert.is_false(unknown == never)
    assert.is_true(unknown == unknown)
  end)

  it("reads requests by the names that policies know", function()
    local limiter = open { custom_limits = { a = { itpm = 1000, otpm = 1000, ["characters"] = nil, tpm = 10000 } } }
    limiter:acquire("a", { input_tokens = 10, output_tokens = 20 })
    assert.same({ 10, 20, 30 },
      { used(limiter, "a", "input_tokens"), used(limiter, "a", "output_tokens"), used(limiter, "a", "tokens") })
    limiter:acquire("a", { text = ("ä"):rep(40), max_output_tokens = 5 })
    assert.same({ 20, 25 }, { used(limiter, "a", "input_tokens"), used(limiter, "a", "output_tokens") })
  end)

  it("charges scopes with the model, or nothing", function()
    local limiter = open { custom_limits = { a = { rpm = 10 }, ["team:acme"] = { rpm = 1 } } }
    assert.is_truthy(limiter:acquire("a", { scopes = { "team:acme" } }))
    local _, refusal = limiter:acquire("a", { scopes = { "team:acme" } })
    assert.equal("team:acme", refusal.scope)
    assert.same({ 1, 1 }, { used(limiter, "a", "requests"), used(limiter, "team:acme", "requests") })
    local _, unknown = limiter:acquire("a", { scopes = { "team:other" } })
    assert.equal("notfound", unknown.code)
  end)

  it("serves images and audio by their own tables", function()
    local images = open({ tier = "tier1" }, llm.ImageRateLimiter)
    assert.is_truthy(images:acquire("gpt-image-1", { images = 1 }))
    local audio = open({ tier = "tier1" }, llm.AudioRateLimiter)
    assert.is_truthy(audio:acquire("tts-1", { audio_seconds = 12.5, text = "hello" }))
    assert.equal("never", select(2, open({ custom_limits = { a = { ipm = 2 } } }, llm.ImageRateLimiter)
      :acquire("a", { images = 3 })).code)
  end)

  it("takes a tier for each provider, and tells what is wrong with one", function()
    assert.is_truthy(open { tier = { openai = "tier1", gemini = "free" } }:acquire "gpt-4o")
    assert.matches("door_spec.lua:%d+: RateLimiter: tier \"tier99\" does not exist", raised(function()
      llm.RateLimiter({ tier = "tier99" }):close()
    end))
  end)

  it("stands beside another one", function()
    local one, other = open(LIMITS), open { custom_limits = { a = { rpm = 1 } } }
    assert.is_truthy(other:acquire "a")
    assert.is_nil(other:acquire "a")
    assert.is_truthy(one:acquire "a")
    other:close()
    assert.is_truthy(one:acquire "a")
    one:close()
    one:close()
    assert.matches("this limiter is closed", raised(one.acquire, one, "a"))
  end)

  it("lives on when the modules are loaded again", function()
    local limiter = open(LIMITS)
    local loaded = {}
    for name, module in pairs(package.loaded) do
      if name:match "^llm_limiters" then loaded[name] = module end
    end
    for name in pairs(loaded) do package.loaded[name] = nil end
    assert.is_truthy(require("llm_limiters").RateLimiter():acquire "gpt-4o")
    for name, module in pairs(loaded) do package.loaded[name] = module end
    assert.is_truthy(limiter:acquire "a")
    limiter:close()
  end)

  it("opens with the real clock by default", function()
    local limiter = llm.RateLimiter()
    local _, wall = limiter:now()
    assert.is_true(math.abs(wall - os.time()) <= 2)
    assert.matches("clock is real", raised(limiter.advance, limiter, 1))
  end)

  it("names its models", function()
    local names = open({ custom_limits = { aa = { rpm = 1 }, zz = { rpm = 1 } } }):models()
    assert.same({ "aa", "zz" }, { names[1], names[#names] })
    assert.equal(10, #names)
  end)

  it("tells what is in force", function()
    local status = open(LIMITS):status()
    assert.same({ 1, 0, 0, 0 }, { status.generation, status.faults, status.reloads, status.failed_reloads })
    assert.matches("^%x+$", status.hash)
    assert.is_nil(status.fault)
    assert.equal("unknown_model", select(2, open(LIMITS):usage "nobody").code)
  end)
end)

describe("a permit", function()
  local limiter
  before_each(function() limiter = open(LIMITS) end)

  it("is settled by what was used, once", function()
    local permit = limiter:acquire("b", { tokens = 1200 })
    assert.is_true(permit:settle { tokens = 987 })
    assert.equal(987, used(limiter, "b", "tokens"))
    local done, why = permit:settle { tokens = 5 }
    assert.is_nil(done)
    assert.matches("ended before", why)
    assert.equal(987, used(limiter, "b", "tokens"))
    assert.is_nil(permit:cancel())
    assert.is_nil(permit:reject { status = 429 })
    assert.is_nil(permit:renew())
  end)

  it("gives everything back when it is cancelled", function()
    assert.is_true(limiter:acquire("b", { tokens = 1200 }):cancel())
    assert.same({ 0, 0 }, { used(limiter, "b", "requests"), used(limiter, "b", "tokens") })
  end)

  it("is used again, without a new one", function()
    local permit = limiter:acquire("b", { tokens = 1 })
    permit:settle()
    assert.equal(permit, limiter:acquire("a", { tokens = 1 }, permit))
    assert.equal("a", permit.model_name)
    assert.matches("has not ended; settle", raised(limiter.acquire, limiter, "a", {}, permit))
    permit:settle()
    assert.is_nil(limiter:acquire("a", { tokens = 5000 }, permit))
    assert.is_false(permit:is_live())
  end)

  it("that is refused or admitted into one in use makes no garbage", function()
    local permit, models, request = limiter:acquire("b"), { "b" }, { tokens = 1 }
    permit:cancel()
    local function call()
      limiter:acquire(models, request, permit)
      permit:cancel()
    end
    local function more()
      local before = collectgarbage "count"
      for _ = 1, 1000 do call() end
      return collectgarbage "count" - before
    end
    assert.equal(0, support.interpreted(function()
      collectgarbage()
      collectgarbage "stop"
      more() -- the stack grows again
      local bytes = more()
      collectgarbage "restart"
      return bytes
    end))
  end)

  it("stands as its estimate when it is closed or collected", function()
    limiter:acquire("b", { tokens = 100 }):close()
    limiter:acquire("b", { tokens = 100 })
    collectgarbage()
    collectgarbage()
    assert.same({ 2, 200 }, { used(limiter, "b", "requests"), used(limiter, "b", "tokens") })
    local permit = limiter:acquire("b", { tokens = 100 })
    permit:settle { tokens = 1 }
    permit:close()
    assert.equal(201, used(limiter, "b", "tokens"))
  end)

  -- In a text: only Lua 5.4 can read it.
  local scoped = [[
    local limiter, body = ...
    local permit <close> = limiter:acquire("b", { tokens = 100 })
    body(permit)]]

  if _VERSION == "Lua 5.4" then
    it("is closed when it leaves its scope", function()
      local held = support.compile(scoped, "=scoped", _G)
      held(limiter, function() end)
      assert.matches("thrown", raised(held, limiter, function() error "thrown" end))
      assert.same({ 2, 200 }, { used(limiter, "b", "requests"), used(limiter, "b", "tokens") })
      held(limiter, function(permit) permit:settle { tokens = 1 } end)
      assert.equal(201, used(limiter, "b", "tokens"))
    end)
  end

  it("gives back a gauge when it is closed, and keeps it while it is renewed", function()
    local gauge = open { custom_limits = { a = { sessions = 1 } } }
    gauge:acquire("a", { sessions = 1 }):close()
    local permit = gauge:acquire("a", { sessions = 1 })
    assert.is_nil(gauge:acquire("a", { sessions = 1 }))
    for _ = 1, 50 do
      gauge:advance(60)
      assert.is_true(permit:renew())
    end
    gauge:advance(86400)
    assert.is_nil(permit:renew())
    assert.is_truthy(gauge:acquire("a", { sessions = 1 }))
  end)

  it("keeps its limiter", function()
    local permit = open(LIMITS):acquire("b", { tokens = 100 })
    collectgarbage()
    collectgarbage()
    assert.is_true(permit:settle { tokens = 7 })
    assert.equal(7, used(permit.limiter, "b", "tokens"))
  end)

  it("is not one that a finalizer is admitted into meanwhile", function()
    local busy = open { custom_limits = { a = { rpm = 1 }, b = { rpm = 1e6 } } }
    busy:acquire "a"
    local pause = collectgarbage("setpause", 0)
    local fine, why
    for _ = 1, 5000 do
      support.finalized(function() busy:acquire "b" end)
      fine, why = pcall(busy.acquire, busy, "a")
      if not fine then break end
    end
    collectgarbage("setpause", pause)
    assert.is_true(fine, why)
  end)

  it("outlives a limiter that is closed, and does nothing", function()
    local permit = limiter:acquire("b", { tokens = 100 })
    limiter:close()
    permit:close()
    assert.is_false(permit:is_live())
    assert.matches("this limiter is closed", raised(permit.settle, permit))
  end)
end)

describe("wrong arguments", function()
  local limiter = open(LIMITS)
  local other = open(LIMITS)
  local permit = limiter:acquire "b"
  local options = { timeout = 1, sleep = print }
  local ACQUIRE, WAIT = "limiter:acquire%(models, request, permit%): ", "limiter:wait%(models, request, .-%): "

  for _, case in ipairs {
    { ACQUIRE .. "models must be a name or a list of 1 to 64 names, not a nil", function() limiter:acquire() end },
    { ACQUIRE .. "models must be a list of names, and element 2 is a number",
      function() limiter:acquire { "a", 5 } end },
    { ACQUIRE .. "the request must be a table", function() limiter:acquire("a", 5) end },
    { ACQUIRE .. "tokens must be a number from 0", function() limiter:acquire("a", { tokens = -1 }) end },
    { ACQUIRE .. "tokens must be a number", function() limiter:acquire("a", { tokens = 0 / 0 }) end },
    { ACQUIRE .. "tokens must be a number", function() limiter:acquire("a", { tokens = "5" }) end },
    { ACQUIRE .. "audio_seconds must be a number", function() limiter:acquire("a", { audio_seconds = "5" }) end },
    { ACQUIRE .. "the request's field tokns is no amount", function() limiter:acquire("a", { tokns = 5 }) end },
    { ACQUIRE .. "tag 0 of the request is \"random\"", function() limiter:acquire("a", { random = "x" }) end },
    { ACQUIRE .. "the request must be a table of names", function() limiter:acquire("a", { 5 }) end },
    { ACQUIRE .. "text must be a string", function() limiter:acquire("a", { text = 5 }) end },
    { ACQUIRE .. "scopes must be a list", function() limiter:acquire("a", { scopes = "team:acme" }) end },
    { ACQUIRE .. "a tag must not hold zero bytes", function() limiter:acquire("a", { user = "ann\0x" }) end },
    { ACQUIRE .. "a model's name must not hold zero bytes", function() limiter:acquire("a\0x") end },
    { ACQUIRE .. "a scope's name must not hold", function() limiter:acquire("a", { scopes = { "team:x\0y" } }) end },
    { ACQUIRE .. "the permit is one of another limiter", function() other:acquire("a", {}, permit) end },
    { ACQUIRE .. "the permit must be one of an earlier acquire", function() limiter:acquire("a", {}, {}) end },
    { ACQUIRE .. "it is called with a colon", function() limiter.acquire { "a" } end },
    { "permit:settle%(usage%): tokens must be a number", function() permit:settle { tokens = -1 } end },
    { "permit:settle%(usage%): usage", function() permit:settle(5) end },
    { "permit:reject .-: status must be the number", function() permit:reject {} end },
    { "permit:reject .-: the response must be a table", function() permit:reject(429) end },
    { WAIT .. "the options must be a table", function() limiter:wait("a", {}) end },
    { WAIT .. "sleep must be the host's function", function() limiter:wait("a", {}, { timeout = 1 }) end },
    { WAIT .. "option timout is unknown; did you mean \"timeout\"",
      function() limiter:wait("a", {}, { timout = 1, sleep = print }) end },
    { WAIT .. "models must be", function() limiter:wait({}, {}, options) end },
    { "limiter:limit%(.-%): call must be a function", function() limiter:limit { "a" } end },
    { "limiter:advance%(.-%): the seconds are missing", function() limiter:advance() end },
    { "limiter:usage%(name%): name must be a string", function() limiter:usage() end },
    { "limiter:reload%(options%): option clock is unknown", function() limiter:reload { clock = "real" } end },
    { "RateLimiter .-: option tire is unknown; did you mean \"tier\"",
      function() llm.RateLimiter { tire = "free" } end },
    { "RateLimiter .-: clock must be", function() llm.RateLimiter { clock = 5 } end },
    { "RateLimiter .-: policy must be a string", function() llm.RateLimiter { policy = {} } end },
    { "RateLimiter: custom_limits: field rpn of model \"a\" is unknown",
      function() (llm.RateLimiter { custom_limits = { a = { rpn = 5 } } }):close() end },
    { "RateLimiter .-: custom_limits: a function is no limit",
      function() llm.RateLimiter { custom_limits = { a = { rpm = print } } } end },
    { "RateLimiter .-: custom_limits and overrides", function()
      llm.RateLimiter { custom_limits = {}, overrides = "quotas.lua" }
    end },
    { "RateLimiter: .*cannot be read", function() (llm.RateLimiter { policy = "/nowhere.lua" }):close() end },
  } do
    it("are raised at the caller's line: " .. case[1], function()
      local message = raised(case[2])
      assert.matches(case[1], message)
      assert.matches("^tests/rock/door_spec.lua:%d+: ", message)
    end)
  end
end)
