-- What providers answer, through the Lua door: settlement, cooldowns, and the next candidate.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"
local open, used, answer = support.open, support.used, support.answer

local MODELS = { "gemini-2.5-flash", "gpt-4o-mini" }

-- The seconds that a model cools.
local function cooling(limiter, name)
  return limiter:usage(name).cooling
end

describe("a body that passes in pieces", function()
  local native = require "llm_limiters.native"
  local text = answer("openai_429_tpm.http").body:gsub("%s+", " ")
  local WORDS = 'data: {"choices":[{"delta":{"content":"' .. ("word "):rep(50) .. '"}}],"usage":null}\n\n'
  local USED = 'data: {"usage":{"prompt_tokens":700,"total_tokens":987,"completion_tokens":287}}\n\ndata: [DONE]\n\n'

  -- What the answer means whose body comes in pieces of that length.
  local function read(limiter, status, body, length)
    local reader = native.reader()
    local permit = limiter:acquire("gpt-4o-mini", { tokens = 1200 })
    native.reader_feed(reader, "of another answer")
    native.reader_begin(reader)
    for at = 1, #body, length do native.reader_feed(reader, body:sub(at, at + length - 1)) end
    return native.answered(limiter.raw, permit.raw, status, nil, reader)
  end

  it("tells what it used, and why it broke off, whatever its length", function()
    for _, length in ipairs { 1, 7, 8192, 16384, 16385, 1e6 } do
      for _, times in ipairs { 0, 1, 30, 400 } do
        local limiter = open()
        local stream = WORDS:rep(times)
        local meaning = read(limiter, 200, stream .. USED, length)
        assert.same({ "ok", 987 }, { meaning.kind, meaning.usage.tokens })
        assert.equal("rate", read(limiter, 200, stream .. "data: " .. text .. "\n\n", length).kind)
        limiter:close()
        limiter = open()
        assert.equal("18.642", ("%.3f"):format(read(limiter, 429, text, length).retry_after))
        limiter:close()
      end
    end
  end)
end)

describe("a rejected permit", function()
  it("cools the model as long as OpenAI says, and the next takes the call", function()
    local limiter = open()
    local permit = limiter:acquire({ "gpt-4o-mini", "gemini-2.5-flash" }, { tokens = 1200 })
    local meaning = permit:reject(answer "openai_429_rpm.http")
    assert.same({ "rate", "requests", 20 }, { meaning.kind, meaning.dimension, meaning.retry_after })
    assert.same({ 1, 0 }, { used(limiter, "gpt-4o-mini", "requests"), used(limiter, "gpt-4o-mini", "tokens") })
    assert.equal(20, cooling(limiter, "gpt-4o-mini"))
    assert.equal("gemini-2.5-flash", limiter:acquire({ "gpt-4o-mini", "gemini-2.5-flash" }).model_name)
    local _, refusal = limiter:acquire("gpt-4o-mini", { tokens = 1200 })
    assert.same({ "later", "cooldown", 20 }, { refusal.code, refusal.reason, refusal.wait })
    limiter:advance(20)
    assert.is_truthy(limiter:acquire("gpt-4o-mini", { tokens = 1200 }))
  end)

  it("of a spent day cools until midnight in California", function()
    local limiter = open { start = 1765915200 } -- 2025-12-16 20:00 UTC, the date of the answer
    local meaning = limiter:acquire(MODELS, { tokens = 1200 }):reject(answer "gemini_429_rpd_free.http")
    assert.same({ "rate", "requests", "day" }, { meaning.kind, meaning.dimension, meaning.unit })
    assert.equal(12 * 3600, cooling(limiter, "gemini-2.5-flash"))
    assert.equal("gpt-4o-mini", limiter:acquire(MODELS, { tokens = 1200 }).model_name)
    limiter:advance(12 * 3600)
    assert.equal("gemini-2.5-flash", limiter:acquire(MODELS, { tokens = 1200 }).model_name)
  end)

  it("reads headers and bodies in every form", function()
    local given = answer "openai_429_rpm.http"
    local lines, list = {}, {}
    for name, value in pairs(given.headers) do
      lines[#lines + 1] = name .. ": " .. value
      list[name] = { value }
    end
    local decoded = { error = { type = "requests", code = "rate_limit_exceeded",
      message = "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, Requested 1. "
        .. "Please try again in 20s." } }
    for _, form in ipairs {
      { headers = lines, body = given.body }, { headers = table.concat(lines, "\n"), body = given.body },
      { headers = list }, { body = decoded },
    } do
      local limiter = open()
      form.status = 429
      assert.equal("rate", limiter:acquire("gpt-4o-mini"):reject(form).kind)
      assert.equal(20, cooling(limiter, "gpt-4o-mini"))
    end
  end)

  it("of a request that is too large cools nobody", function()
    local limiter = open()
    assert.equal("too_large", limiter:acquire("gpt-4o-mini"):reject(answer "openai_429_request_too_large.http").kind)
    assert.equal(0, cooling(limiter, "gpt-4o-mini"))
  end)
end)

describe("a permit is settled", function()
  local GEMINI = "gemini-2.5-flash"

  for _, case in ipairs {
    { "by amounts", { tokens = 987, input_tokens = 700 } },
    { "by OpenAI's usage", { prompt_tokens = 700, completion_tokens = 287, total_tokens = 987 } },
    { "by the usage of Responses", { input_tokens = 700, output_tokens = 287 } },
    { "by Gemini's usage", { promptTokenCount = 700, candidatesTokenCount = 200, thoughtsTokenCount = 87,
      totalTokenCount = 987 } },
    { "by a decoded answer", { id = "x", choices = { { message = { content = "\"\\\n\0" } } },
      usage = { prompt_tokens = 700, total_tokens = 987 } } },
    { "by Gemini's decoded answer", { candidates = { { content = {}, finishReason = "STOP" } },
      usageMetadata = { promptTokenCount = 700, totalTokenCount = 987 } } },
    { "by the text of a body", '{"usage": {"prompt_tokens": 700, "total_tokens": 987}}' },
    { "by the text of a stream", support.read("tests/fixtures/provider/openai_stream_usage.sse"), 19 },
  } do
    it(case[1], function()
      local limiter = open()
      local permit = limiter:acquire(GEMINI, { tokens = 1200 })
      assert.is_true(permit:settle(case[2]))
      assert.is_false(permit:is_live())
      local tokens = used(limiter, GEMINI, "tokens")
      if case[3] then
        assert.is_true(tokens > 0 and tokens < 1200)
      else
        assert.equal(987, tokens)
      end
    end)
  end

  it("as reserved where nothing is told", function()
    local limiter = open()
    limiter:acquire(GEMINI, { tokens = 1200 }):settle()
    limiter:acquire(GEMINI, { tokens = 1200 }):settle "a text of a client that tells no usage"
    limiter:acquire(GEMINI, { tokens = 1200 }):settle { id = "x" }
    assert.equal(3600, used(limiter, GEMINI, "tokens"))
  end)

  it("by images", function()
    local limiter = open({ custom_limits = { a = { ipm = 10 } } }, llm.ImageRateLimiter)
    local images = { { b64_json = ("x"):rep(1e5) }, { b64_json = "x" } }
    limiter:acquire("a", { images = 4 }):settle { data = images, usage = {} }
    assert.equal(2, used(limiter, "a", "images"))
  end)
end)

describe("a limited function", function()
  local usage = { prompt_tokens = 700, total_tokens = 987 }

  it("calls the first model, settles by its answer and returns that", function()
    local limiter = open()
    local got
    local generate = limiter:limit(MODELS, function(prompt, nothing, call)
      got = { prompt, nothing, call.model_name, call.permit:is_live() }
      return { usage = usage, text = "hi" }, nil, "more"
    end, { tokens = 1200 })
    local first, second, third = generate("hello", nil)
    assert.same({ "hello", nil, "gemini-2.5-flash", true }, got)
    assert.same({ "hi", nil, "more" }, { first.text, second, third })
    assert.equal(987, used(limiter, "gemini-2.5-flash", "tokens"))
  end)

  for _, case in ipairs {
    { "returned", function(given) return nil, given end },
    { "raised", function(given) error(given) end },
    { "returned as a response", function(given) return given end },
    { "in a body of status 200", function(given) return given.body end },
  } do
    it("goes to the next model by an answer that is " .. case[1], function()
      local limiter = open()
      local tried = {}
      local generate = limiter:limit({ "gpt-4o-mini", "gemini-2.5-flash" }, function(call)
        tried[#tried + 1] = call.model_name
        if call.model_name == "gpt-4o-mini" then return case[2](answer "openai_429_rpm.http") end
        return { usage = usage }
      end)
      assert.same(usage, generate().usage)
      assert.same({ "gpt-4o-mini", "gemini-2.5-flash" }, tried)
      assert.is_true(cooling(limiter, "gpt-4o-mini") >= 20)
      assert.same(usage, generate().usage)
      assert.equal(3, #tried)
    end)
  end

  it("returns the refusal of the whole list when all have refused, with what the last one said", function()
    local limiter = open()
    local calls, given = 0, answer "openai_429_rpm.http"
    local generate = limiter:limit({ "gpt-4o-mini", "gpt-4o" }, function()
      calls = calls + 1
      return nil, given
    end)
    local result, refusal = generate()
    assert.is_nil(result)
    assert.equal(2, calls)
    assert.is_true(refusal == llm.errors.RateLimitExceeded)
    assert.same({ "cooldown", 20, given }, { refusal.reason, refusal.wait, refusal.cause })
    result, refusal = generate()
    assert.same({ nil, 2, "cooldown", nil }, { result, calls, refusal.reason, refusal.cause })
  end)

  it("returns what the provider said last if no limit was in its way", function()
    local bad = { status = 400, body = '{"error": {"message": "no such field", "type": "invalid_request_error"}}' }
    local calls = 0
    local result, err = open():limit(MODELS, function()
      calls = calls + 1
      return nil, bad
    end)()
    assert.same({ nil, bad, 2 }, { result, err, calls })
  end)

  it("hands on what is no answer, and the permit stands", function()
    local limiter = open()
    local result, err = limiter:limit(MODELS, function() return nil, "no route to host" end, { tokens = 1000 })()
    assert.same({ nil, "no route to host" }, { result, err })
    local thrown = {}
    local fine, value = pcall(limiter:limit(MODELS, function() error(thrown) end, { tokens = 1000 }))
    assert.is_false(fine)
    assert.equal(thrown, value)
    assert.equal(2000, used(limiter, "gemini-2.5-flash", "tokens"))
    assert.equal(0, used(limiter, "gpt-4o-mini", "requests"))
  end)

  it("returns refusals before any call, and takes requests from its arguments", function()
    local limiter = open { custom_limits = { a = { tpm = 100 } } }
    local generate = limiter:limit("a", function() return true end, function(n) return { tokens = n } end)
    assert.is_true(generate(60))
    local result, refusal = generate(60)
    assert.same({ nil, 60, 60 }, { result, refusal.wait, refusal.amount })
    assert.is_true(select(2, limiter:limit("nobody", print)()) == llm.errors.ModelNotFound)
  end)

  it("leaves a permit that the call has ended as it is", function()
    local limiter = open()
    limiter:limit(MODELS, function(call)
      call.permit:cancel()
      return { usage = usage }
    end)()
    assert.equal(0, used(limiter, "gemini-2.5-flash", "requests"))
  end)

  it("goes to the next model from a call that yields", function()
    local limiter, given = open(), answer "openai_429_rpm.http"
    local generate = limiter:limit({ "gpt-4o-mini", "gemini-2.5-flash" }, function(call)
      return coroutine.yield(call.model_name)
    end)
    local task = coroutine.wrap(generate)
    assert.equal("gpt-4o-mini", task())
    assert.equal("gemini-2.5-flash", task(nil, given))
    assert.same({ usage = usage }, task { usage = usage })
  end)

  it("works in coroutines", function()
    local limiter = open()
    local generate = limiter:limit(MODELS, function(name, call) return coroutine.yield(name .. call.model_name) end)
    local one, other = coroutine.wrap(generate), coroutine.wrap(generate)
    assert.equal("1gemini-2.5-flash", one "1")
    assert.equal("2gemini-2.5-flash", other "2")
    assert.same({ usage = usage }, one { usage = usage })
    assert.same({ usage = usage }, other { usage = usage })
  end)
end)
