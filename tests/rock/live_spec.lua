-- Live sessions: slots, usage that is charged as it comes, cooldowns, and how a session ends.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"
local used = support.used

local LIMITS = {
  live = { sessions = 2, tpm = 1000, itpm = 800 },
  other = { sessions = 5 },
  priced = { sessions = 5, price = { input = 2, output = 10 } },
  ["team:acme"] = { sessions = 3, tpm = 10000 },
}

local function open(options)
  options = options or { custom_limits = LIMITS }
  return support.open(options, llm.LiveRateLimiter)
end

describe("a live limiter", function()
  it("opens as many sessions as there are slots, and goes along the models", function()
    local limiter = open()
    assert.is_true(limiter:check_availability "live")
    local first, second = limiter:acquire_session "live", limiter:acquire_session { "live", "other" }
    assert.same({ "live", "live" }, { first.model_name, second.model_name })
    local available, reason = limiter:check_availability "live"
    assert.is_false(available)
    assert.same({ "later", "sessions", 2, 2, 1 }, { reason.code, reason.meter, reason.limit, reason.used,
      reason.amount })
    assert.matches("^model:default/custom/live: 2 sessions at the same time allowed", tostring(reason))
    assert.is_true(limiter:check_availability { "live", "other" })
    local none, refusal = limiter:acquire_session("live", { tokens = 1 })
    assert.is_nil(none)
    assert.is_true(refusal == llm.errors.RateLimitExceeded)
    assert.equal("other", limiter:acquire_session({ "live", "other" }, { tenant = "acme" }).model_name)
    first:close()
    assert.equal("live", limiter:acquire_session { "live", "other" }.model_name)
  end)

  it("knows the published tables, and names that it does not", function()
    local limiter = open { quotas = "published" }
    for _ = 1, 3 do assert(limiter:acquire_session "gemini-2.0-flash-live-001") end
    assert.equal("sessions", select(2, limiter:acquire_session "gemini-2.0-flash-live-001").meter)
    for _, refusal in ipairs {
      select(2, limiter:check_availability "nobody"), select(2, limiter:acquire_session "nobody"),
      select(2, limiter:record_token_usage("nobody", 1)), select(2, limiter:trigger_cooldown "nobody") } do
      assert.is_true(refusal == llm.errors.ModelNotFound)
    end
  end)

  it("charges what a session uses as it comes, to all that it counts against, as debt", function()
    local limiter = open()
    local session = limiter:acquire_session("live", { scopes = { "team:acme" } })
    assert.is_true(session:record_token_usage(600))
    assert.same({ 600, 600, 600 },
      { used(limiter, "live", "tokens"), used(limiter, "live", "input_tokens"), used(limiter, "team:acme", "tokens") })
    limiter:advance(30)
    assert.is_true(session:record_token_usage { input_tokens = 100, output_tokens = 500 })
    assert.same({ 1200, 700 }, { used(limiter, "live", "tokens"), used(limiter, "live", "input_tokens") })
    assert.equal("tokens", select(2, limiter:acquire_session "live").meter)
    limiter:advance(30.001)
    assert.same({ 600, 100 }, { used(limiter, "live", "tokens"), used(limiter, "live", "input_tokens") })
    assert.equal(2, used(limiter, "live", "sessions") + used(limiter, "team:acme", "sessions"))
    assert.is_truthy(limiter:acquire_session "live")
  end)

  it("reads a provider's messages", function()
    local limiter = open()
    local session = limiter:acquire_session "live"
    session:record_token_usage { usageMetadata = { promptTokenCount = 5, responseTokenCount = 3, totalTokenCount = 8 } }
    session:record_token_usage { promptTokenCount = 5, responseTokenCount = 3, totalTokenCount = 8 }
    session:record_token_usage '{"usageMetadata":{"promptTokenCount":5,"responseTokenCount":3,"totalTokenCount":8}}'
    session:record_token_usage [[{"type":"response.done","response":{"usage":
      {"total_tokens":8,"input_tokens":5,"output_tokens":3}}}]]
    session:record_token_usage '{"serverContent":{"turnComplete":true}}'
    assert.same({ 32, 20 }, { used(limiter, "live", "tokens"), used(limiter, "live", "input_tokens") })
    limiter:record_token_usage("live", { tokens = 8, output_tokens = 3 })
    assert.same({ 40, 25 }, { used(limiter, "live", "tokens"), used(limiter, "live", "input_tokens") })
  end)

  it("charges what that costs", function()
    local limits = { priced = LIMITS.priced }
    local path = support.file [[return quota "gemini" { api = 1, modality = "live",
      tier "free" { priced = { sessions = gauge(5), cost = usd(1)/day, price = { input = 2, output = 10 } } } }]]
    local limiter = open { quotas = path }
    assert(limiter:acquire_session("priced")):record_token_usage { input_tokens = 1000, output_tokens = 200 }
    limiter:record_token_usage("priced", { input_tokens = 500 })
    limiter:record_token_usage("priced", { cost = 7 })
    assert.equal(1000 * 2 + 200 * 10 + 500 * 2 + 7, used(limiter, "priced", "cost"))
    assert.is_truthy(open { custom_limits = limits }:record_token_usage("priced", 5))
    support.clean()
  end)

  it("gives back what a session reserved when what it used is known", function()
    local limiter = open()
    local told = limiter:acquire_session("live", { tokens = 300 })
    local silent = limiter:acquire_session("live", { tokens = 50 })
    told:record_token_usage(20)
    assert.equal(370, used(limiter, "live", "tokens"))
    told:close()
    silent:close()
    assert.equal(70, used(limiter, "live", "tokens"))
    assert.equal(0, used(limiter, "live", "sessions"))
  end)

  it("keeps a model from being asked", function()
    local limiter = open()
    assert.is_true(limiter:trigger_cooldown("live", 90))
    assert.is_true(limiter:trigger_cooldown "live")
    assert.equal(90, limiter:usage("live").cooling)
    local _, reason = limiter:check_availability "live"
    assert.same({ "cooldown", 90 }, { reason.reason, reason.wait })
    limiter:trigger_cooldown "other"
    assert.equal(30, limiter:usage("other").cooling)
  end)

  it("is a limiter in all else", function()
    local limiter = open()
    local permit = assert(limiter:acquire "live")
    assert.equal(1, used(limiter, "live", "sessions"))
    permit:settle()
    assert.equal("live", limiter:available "live")
    local talk = limiter:limit("live", function(_, call) return { usage = { total_tokens = 40 } }, call.model_name end)
    assert.equal("live", select(2, talk "hello"))
    assert.equal(40, used(limiter, "live", "tokens"))
    assert.is_nil(llm.RateLimiter { clock = "virtual" }.acquire_session)
  end)
end)

describe("a session", function()
  it("lives by its heartbeats", function()
    local limiter = open()
    local kept, lost = limiter:acquire_session "live", limiter:acquire_session "live"
    for _ = 1, 4 do
      limiter:advance(3000)
      assert.is_true(kept:heartbeat())
    end
    assert.equal(1, used(limiter, "live", "sessions"))
    local beat, why = lost:heartbeat()
    assert.is_nil(beat)
    assert.matches("ended", why)
    assert.is_truthy(limiter:acquire_session "live")
    lost:close()
    assert.equal(2, used(limiter, "live", "sessions"))
  end)

  it("is closed once", function()
    local limiter = open()
    local session = limiter:acquire_session "live"
    assert.is_true(session:is_live())
    session:close()
    session:close()
    assert.is_false(session:is_live())
    assert.equal(0, used(limiter, "live", "sessions"))
    assert.is_nil(session:heartbeat())
    local done, fault = session:record_token_usage(1)
    assert.is_nil(done)
    assert.equal("ended", fault.code)
    assert.equal(0, used(limiter, "live", "tokens"))
  end)

  it("is closed when it leaves its scope, also by an error", function()
    if _VERSION ~= "Lua 5.4" then return end
    local limiter = open()
    local run = assert(load([[local limiter, fails = ...
      local session <close> = limiter:acquire_session "live"
      session:record_token_usage(10)
      if fails then error "broken" end]]))
    run(limiter)
    assert.is_false((pcall(run, limiter, true)))
    assert.same({ 0, 20 }, { used(limiter, "live", "sessions"), used(limiter, "live", "tokens") })
  end)

  it("that is collected keeps its slot until its time to live ends, and what it used", function()
    local limiter = open()
    do limiter:acquire_session("live", { tokens = 40 }):record_token_usage(10) end
    collectgarbage()
    collectgarbage()
    assert.same({ 1, 50 }, { used(limiter, "live", "sessions"), used(limiter, "live", "tokens") })
    limiter:advance(3601)
    assert.equal(0, used(limiter, "live", "sessions"))
  end)

  it("ends by what the provider told, and cools whom that is about", function()
    local limiter = open { quotas = "published" }
    local name = "gemini-2.0-flash-live-001"
    local session = limiter:acquire_session(name, { input_tokens = 500 })
    session:record_token_usage(20)
    local meaning = session:reject { close_code = 1011,
      body = "You exceeded your current quota, please check your plan and billing details." }
    assert.equal("rate", meaning.kind)
    assert.same({ 0, 520 }, { used(limiter, name, "sessions"), used(limiter, name, "input_tokens") })
    assert.is_true(limiter:usage(name).cooling >= 60)
    assert.is_false(session:is_live())
    assert.is_nil(session:reject { status = 429 })
    limiter = open { quotas = "published" }
    limiter:acquire_session(name, { input_tokens = 500 }):reject { status = 429, body = "" }
    assert.same({ 0, 0 }, { used(limiter, name, "sessions"), used(limiter, name, "input_tokens") })
  end)

  it("raises what is wrong at the line of the caller", function()
    local limiter = open()
    local session = limiter:acquire_session "live"
    local function raises(message, call)
      local fine, why = pcall(call)
      assert.is_false(fine)
      assert.matches("live_spec.lua:%d+: " .. message, why)
    end
    raises("limiter:acquire_session%(models, request%): models must be", function() limiter:acquire_session() end)
    raises("limiter:check_availability%(models, request%): tokens must be a number",
      function() limiter:check_availability("live", { tokens = {} }) end)
    raises("limiter:record_token_usage%(model, usage%): model must be a string", function()
      limiter:record_token_usage(5) end)
    raises("session:record_token_usage%(usage%): usage must be a number of tokens, a table or a text, not nil",
      function() session:record_token_usage() end)
    raises("session:record_token_usage%(usage%): usage must be a number from 0 to 2^40 %- 1, not %-1",
      function() session:record_token_usage(-1) end)
    raises("limiter:trigger_cooldown%(model, seconds%): seconds must be a number from 0 to 34560000",
      function() limiter:trigger_cooldown("live", 1e9) end)
    raises("session:reject { close_code =, body = }: close_code must be a number from 1000 to 4999",
      function() session:reject { close_code = 429 } end)
    raises("session:reject { close_code =, body = }: status must be", function() session:reject {} end)
    raises("session:close%(%): it is called with a colon", function() session.close() end)
    raises("limiter:acquire_session%(models, request%): it is called with a colon",
      function() limiter.acquire_session(support.open(), "live") end)
  end)
end)
