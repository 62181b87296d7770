-- examples/openresty with OpenAI's own SDK as its client, in front of providers that refuse, fail and break off.

local json = require "cjson"
local support = dofile "tests/gateway/support.lua"
local until_true = support.until_true

local CONFIG = [[
  local models = { image = { "gpt-image-1" }, speech = { "gpt-4o-mini-tts" }, ["speech-cut"] = { "tts-1" },
    openai = { "gpt-vector" }, gemini = { "gemini-vector" } }
  for name in ("abcdefghijklmnopqrstuvwxyz"):gmatch "." do
    models[name] = { "gpt-" .. name, "gemini-" .. name }
    models[name .. "-openai"], models[name .. "-gemini"] = { "gpt-" .. name }, { "gemini-" .. name }
  end
  return { models = models, providers = {
      { prefix = "gemini-", api = "gemini", url = "$PROVIDER", key = "g" },
      { prefix = "", api = "openai", url = "$PROVIDER", key = "o" },
    }, keys = { any = { tenant = "any" }, few = { tenant = "few" }, other = { tenant = "other" },
      small = { tenant = "small" }, hot = { tenant = "hot" }, gem = { tenant = "gem", prefer = "custom" } } }
]]

-- Every model has its own letter, so that a cooldown is nobody else's.
local function quotas(more)
  local lines = { "return {", '["gpt-vector"] = { rpm = 100, tpm = 1e6 },',
    '["gemini-vector"] = { rpm = 100, itpm = 1e6 },',
    '["gpt-image-1"] = { ipm = 100 }, ["gpt-4o-mini-tts"] = { rpm = 100 },',
    '["tenant:*"] = { rpm = 1000 }, ["tenant:few"] = { rpm = 2 },',
    '["tenant:small"] = { tpm = 6000, charged = "reserved" },',
    more or "" }
  for name in ("abcdefghijklmnopqrstuvwxyz"):gmatch "." do
    lines[#lines + 1] = ('["gpt-%s"] = { rpm = 100, tpm = 1e6 }, ["gemini-%s"] = { rpm = 100, tpm = 1e6 },')
      :format(name, name)
  end
  return table.concat(lines, "\n") .. "}"
end

local gateway

local function chat(model, content, more)
  local document = { model = model, messages = { { role = "user", content = content } }, max_tokens = 100 }
  for name, value in pairs(more or {}) do document[name] = value end
  return document
end

local CHAT = "/v1/chat/completions"

-- What a chat in plain HTTP has led to: status, answer.
local function ask(model, content, more)
  local status, headers, body = gateway:ask("any", CHAT, chat(model, content, more))
  return status, json.decode(body), headers
end

local function becomes(value, ...)
  local args, last = { ... }, nil
  local fine = pcall(until_true, function()
    last = gateway:used(table.unpack(args))
    return last == value
  end)
  assert(fine, ("%s %s is %s, not %s\n%s"):format(args[1], args[2], tostring(last), value, gateway:log():sub(-2000)))
end

describe("the gateway", function()
  setup(function() gateway = support.start { ["config.lua"] = CONFIG, ["quotas.lua"] = quotas() } end)
  teardown(function() gateway:remove() end)

  describe("to OpenAI's SDK", function()
    local has = os.execute "test -d build/node/node_modules/openai"
    local function it_does(name, run)
      if has then return it(name, run) end
      pending(name .. ": SKIP: the openai package is not there; make deps-test installs it by npm")
    end

    it_does("chats, with either provider", function()
      for name, usage in pairs { ["a-openai"] = { 10, 4, 14 }, ["a-gemini"] = { 10, 4, 14 } } do
        local answer = gateway:sdk("any", "chat", { name, "hello there" })
        assert.same({ "You said: hello there", "stop", usage[3], 1 },
          { answer.text, answer.reason, answer.usage.total_tokens, answer.sent })
      end
      becomes(14, "gpt-a", "tokens")
      becomes(14, "gemini-a", "tokens")
    end)

    it_does("streams, and tells the usage to who asks for it", function()
      for _, name in ipairs { "b-openai", "b-gemini" } do
        local answer = gateway:sdk("any", "stream", { name, "hello there" })
        assert.same({ "You said: hello there", "stop", json.null }, { answer.text, answer.reason, answer.usage })
        answer = gateway:sdk("any", "stream", { name, "hello there", { stream_options = { include_usage = true } } })
        assert.same({ "You said: hello there", { prompt_tokens = 10, completion_tokens = 4, total_tokens = 14 } },
          { answer.text, answer.usage })
      end
      becomes(28, "gpt-b", "tokens")
      becomes(28, "gemini-b", "tokens")
    end)

    it_does("embeds, with either provider", function()
      for _, name in ipairs { "openai", "gemini" } do
        for _, more in ipairs { {}, { encoding_format = "float" } } do
          local answer = gateway:sdk("any", "embeddings", { name, { "one", "two" }, next(more) and more or json.null })
          assert.same({ { 0.25, -0.5, 1 }, { 0.25, -0.5, 1 } }, answer.vectors)
        end
      end
      becomes(10, "gpt-vector", "tokens")
      becomes(2, "gemini-vector", "requests")
    end)

    it_does("makes images and speech, which are judged by their own limiters", function()
      local answer = gateway:sdk("any", "images", { "image", "a house", { n = 2 } })
      assert.same({ 2, 282 }, { #answer.images, answer.usage.total_tokens })
      assert.equal(2, gateway:used("gpt-image-1", "images", "image"))
      answer = gateway:sdk("any", "speech", { "speech", "hello" })
      assert.same({ "audio/mpeg", "sound of hello" }, { answer.type, answer.text })
      assert.equal(1, gateway:used("gpt-4o-mini-tts", "requests", "audio"))
    end)

    it_does("tells which models there are", function()
      assert.equal(5 + 3 * 26, #gateway:sdk("any", "models").ids)
    end)

    it_does("refuses so that the SDK waits by itself, and then succeeds", function()
      -- 6,000 a minute are 100 a second, and the first call takes nearly all
      local answer = gateway:sdk("small", "twice", { "c-openai", "x", { max_tokens = 5990 }, { max_tokens = 100 } })
      assert.same({ "You said: x", 3 }, { answer.text, answer.sent })
      assert.is_true(answer.gap > 20 and answer.gap < 1500, answer.gap)
    end)

    it_does("hands on a provider's wait, which the SDK obeys", function()
      local answer = gateway:sdk("any", "chat", { "d-openai", '{"gpt-d":"moody"}' })
      assert.same({ 'You said: {"gpt-d":"moody"}', 2 }, { answer.text, answer.sent })
      assert.is_true(answer.gap >= 600 and answer.gap < 2000, answer.gap)
      assert.equal("2", gateway:seen "gpt-d")
    end)

    it_does("is met as RateLimitError, and as what else the SDK knows", function()
      for _ = 1, 2 do assert.equal(200, (gateway:ask("few", CHAT, chat("e", "x")))) end
      local answer = gateway:sdk("few", "chat", { "e", "x", json.null, { maxRetries = 0 } })
      assert.same({ "RateLimitError", 429, true, "rate_limit_exceeded", 1 },
        { answer.error, answer.status, answer.limited, answer.code, answer.sent })
      assert.is_true(tonumber(answer.after) >= 1 and tonumber(answer.after) <= 30)
      assert.equal("AuthenticationError", gateway:sdk("nobody", "chat", { "e", "x" }).error)
      assert.equal("NotFoundError", gateway:sdk("any", "chat", { "unheard", "x" }).error)
      local large = gateway:sdk("small", "chat", { "w", "x", { max_tokens = 7000 } })
      assert.same({ 413, 1 }, { large.status, large.sent })
    end)

    it_does("tells a stream that has broken off", function()
      local answer = gateway:sdk("any", "stream", { "f-openai", '{"gpt-f":"broken"}' })
      assert.same({ "word", "The model has broken off." }, { answer.text, answer.error })
      assert.equal("terminated", gateway:sdk("any", "speech", { "speech-cut", '{"tts-1":"cut"}' }).message)
    end)

    it_does("goes on when the SDK leaves", function()
      gateway:sdk("any", "leave", { "g-gemini", '{"gemini-g":"endless"}' })
      until_true(function() return gateway:seen "gone" == "1" end, "the provider to be left")
      becomes(13, "gemini-g", "tokens") -- of 100 and more that were reserved
    end)
  end)

  it("asks the next model when one refuses, at the cost of one hop", function()
    local status, answer = ask("h", '{"gpt-h":"limited"}')
    assert.same({ 200, "gemini-h" }, { status, answer.model })
    assert.same({ "1", "1" }, { gateway:seen "gpt-h", gateway:seen "gemini-h" })
    local cooling = gateway:model("gpt-h").cooling
    assert.is_true(cooling > 15 and cooling <= 20, cooling)
    assert.equal(200, (ask("h", '{"gpt-h":"limited"}')))
    assert.same({ "1", "2" }, { gateway:seen "gpt-h", gateway:seen "gemini-h" })
    becomes(26, "gemini-h", "tokens")
    assert.same({ 0, 1 }, { gateway:used("gpt-h", "tokens"), gateway:used("gpt-h", "requests") })
  end)

  it("tells a minute from a day by the body of a 429", function()
    assert.equal(429, (ask("i-gemini", '{"gemini-i":"minute"}')))
    assert.is_true(gateway:model("gemini-i").cooling < 60)
    local status, answer, headers = ask("j-gemini", '{"gemini-j":"day"}')
    assert.same({ 429, "rate_limit_exceeded" }, { status, answer.error.code })
    local cooling = gateway:model("gemini-j").cooling
    assert.is_true(cooling > 60 and cooling <= 25 * 3600, cooling)
    assert.is_true(math.abs(tonumber(headers["retry-after"]) - cooling) <= 2)
  end)

  it("asks the next model when one fails, before the first byte", function()
    local answers = { k = "error", l = "overloaded", m = "closed", n = "headless", o = "short", p = "failing" }
    for letter, answer in pairs(answers) do
      local streams = answer == "headless" or answer == "failing"
      local status, _, body = gateway:ask("any", CHAT, chat(letter, ('{"gpt-%s":"%s"}'):format(letter, answer),
        { stream = streams }))
      assert.equal(200, status, answer)
      assert.truthy(body:find('"model":"gemini-' .. letter, 1, true), answer .. body)
      assert.same({ "1", "1" }, { gateway:seen("gpt-" .. letter), gateway:seen("gemini-" .. letter) })
    end
  end)

  it("hands on what is the client's fault, and does not ask another", function()
    local status, answer = ask("q", '{"gpt-q":"invalid"}')
    assert.same({ 400, "temperature", "0" }, { status, answer.error.param, gateway:seen "gemini-q" })
    status, answer = ask("q-openai", '{"gpt-q":"error"}')
    assert.same({ 500, "The server had an error." }, { status, answer.error.message })
  end)

  it("asks Gemini nothing that it cannot translate", function()
    assert.equal(200, (ask("r", '{"gpt-r":"plain"}', { tools = { { type = "function" } } })))
    assert.equal("0", gateway:seen "gemini-r")
    assert.equal(400, (ask("r-gemini", "x", { tools = { { type = "function" } } })))
  end)

  it("changes nothing else in what the client says", function()
    local body = '{"stop":[],"model":"s-openai", "seed":12345678901234567,"x":{"a":[{}],"b":"}\\"{"},"messages":'
      .. '[{"role":"user","content":"\\u00e9"}],"stream":true}'
    support.run(("curl -s -H 'Authorization: Bearer any' -d '%s' %s"):format(body, gateway.url .. CHAT))
    assert.equal('{"stop":[],"seed":12345678901234567,"x":{"a":[{}],"b":"}\\"{"},"messages":[{"role":"user",'
      .. '"content":"\\u00e9"}],"stream":true', (gateway:seen "last:gpt-s":gsub(',"model":"gpt%-s"', "")
      :gsub(',"stream_options":{"include_usage":true}', ""):gsub("}$", "")))
  end)

  it("leaves the provider when the client goes, although nothing comes", function()
    local content = '{"gpt-t":"silent"}'
    gateway:ask("any", CHAT, chat("t-openai", content, { stream = true }), "--max-time 0.5")
    until_true(function() return gateway:seen "left" == "1" end, "the provider to be left")
    becomes(100 + math.ceil(#content / 4), "gpt-t", "tokens") -- nobody knows better
  end)

  it("reads answers however they are cut, and keeps connections", function()
    local _, _, body = gateway:ask("any", CHAT, chat("x-openai", '{"gpt-x":"odd"}', { stream = true }))
    local text = {}
    for data in body:gmatch "data: ({.-})\n\n" do text[#text + 1] = json.decode(data).choices[1].delta.content end
    assert.equal("one two three", table.concat(text))
    assert.truthy(body:find("data: [DONE]\n\n", 1, true))
    for _ = 1, 10 do assert.equal(200, (ask("x-openai", "x"))) end
    assert.is_true(tonumber(gateway:seen "reused") > 0)
  end)

  it("gives tenants their own room", function()
    for _ = 1, 10 do assert.equal(200, (gateway:ask("other", CHAT, chat("u", "x")))) end
    local status = gateway:ask("few", CHAT, chat("u", "x"))
    while status == 200 do status = gateway:ask("few", CHAT, chat("u", "x")) end
    assert.equal(429, status)
    assert.equal(200, (gateway:ask("other", CHAT, chat("u", "x"))))
    local metrics = gateway:get "/metrics?prefix=tenant:"
    assert.truthy(metrics:find('scope="tenant:few",meter="requests"', 1, true))
  end)

  it("follows its files without a restart", function()
    assert.equal(200, (gateway:ask("hot", CHAT, chat("v", "x"))))
    local function status_becomes(status)
      local n = 0
      until_true(function()
        n = gateway:ask("hot", CHAT, chat("v", "x")) == status and n + 1 or 0
        return n == 10 -- of both workers
      end, status)
    end
    support.write(gateway.dir .. "/quotas.lua", quotas '["tenant:hot"] = { rpm = 1 },')
    status_becomes(429)
    support.write(gateway.dir .. "/quotas.lua", quotas '["tenant:hot"] = { rpm = 10000 },')
    status_becomes(200)
    local before = gateway:seen "gemini-v"
    local routing = support.read(gateway.dir .. "/routing.lua"):gsub("for _, m in ipairs%(pool%) do",
      "for i = #pool, 1, -1 do local m = pool[i]")
    support.write(gateway.dir .. "/routing.lua", routing)
    until_true(function()
      gateway:ask("hot", CHAT, chat("v", "x"))
      return tonumber(gateway:seen "gemini-v") > tonumber(before) + 3
    end, "the other order")
  end)

  it("has written no error of its own", function()
    for line in gateway:log():gmatch "[^\n]*%[error%][^\n]*" do
      assert.truthy(line:find("lua tcp socket", 1, true), line)
    end
    for _, bad in ipairs { "signal 11", "%[crit%]", "%[alert%]", "%[emerg%]" } do
      assert.falsy(gateway:log():find(bad))
    end
  end)
end)
