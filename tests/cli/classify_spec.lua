-- Drives "llm-limiters classify" as its users do: outputs, exit codes, messages. LLM_LIMITERS names the binary.
-- What an answer means is tested in C; here is how it is told.
local binary = os.getenv("LLM_LIMITERS") or "build/llm-limiters"
local fixtures = "tests/fixtures/provider/"

-- Runs the command on standard input: exit code, standard output, standard error.
local function run(arguments, input)
  local names = { os.tmpname(), os.tmpname(), os.tmpname() }
  local f = assert(io.open(names[1], "wb"))
  f:write(input or "")
  f:close()
  local line = ("%s classify %s <%s >%s 2>%s"):format(binary, arguments, table.unpack(names))
  local _, how, code = os.execute(line)
  assert.equal("exit", how, arguments)
  local texts = {}
  for i = 2, 3 do
    local g = assert(io.open(names[i], "rb"))
    texts[i] = g:read("a")
    g:close()
  end
  for _, name in ipairs(names) do os.remove(name) end
  return code, texts[2], texts[3]
end

local function good(arguments, input)
  local code, out, err = run(arguments, input)
  assert.equal("", err, arguments)
  assert.equal(0, code, arguments)
  return out
end

local function refused(want, arguments, input, ...)
  local code, out, err = run(arguments, input)
  assert.equal(want, code, err)
  assert.equal("", out)
  assert.truthy(err:find("^llm%-limiters: "), err)
  for _, part in ipairs { ... } do assert.truthy(err:find(part, 1, true), ("%s\nlacks: %s"):format(err, part)) end
end

describe("classify", function()
  it("explains itself", function()
    local text = good "--help"
    for _, option in ipairs { "--provider", "--json" } do assert.truthy(text:find(option, 1, true), option) end
  end)

  it("tells a refusal as text", function()
    assert.equal([[
kind           rate
provider       openai
scope          model
model          gpt-4o
meter          tokens
window         minute
limit          30000
used           14567
requested      24754
retry after    18.642 s
learned        requests/minute, limit 500, 499 left, full again in 0.12 s
learned        tokens/minute, limit 30000, 15433 left, full again in 29.134 s
tokens         0
input_tokens   0
output_tokens  0
images         0
]], good(fixtures .. "openai_429_tpm.http"))
  end)

  it("tells a day and its time zone", function()
    local text = good(fixtures .. "gemini_429_rpd_free.http")
    assert.truthy(text:find("window         day of America/Los_Angeles\n", 1, true), text)
    assert.truthy(text:find("retry after    43200 s\n", 1, true), text)
  end)

  it("tells it as JSON, with null for what is not told", function()
    local text = good(fixtures .. "openai_429_insufficient_quota.http --json")
    for _, part in ipairs { '"kind":%s*"quota"', '"provider":%s*"openai"', '"scope":%s*"credential"',
                            '"meter":%s*null', '"retry_after_seconds":%s*null', '"learned":%s*%[%]',
                            '"tokens":%s*0', '"audio_ms":%s*null' } do
      assert.truthy(text:find(part), part)
    end
    text = good("- --json", "HTTP/1.1 200 OK\nx-id: 1\n\n" ..
      '{"usage":{"prompt_tokens":19,"completion_tokens":10}}')
    assert.truthy(text:find('"input_tokens":%s*19') and text:find('"tokens":%s*29'), text)
  end)

  it("reads CRLF, other versions of HTTP, streams, and answers without headers or body", function()
    assert.truthy(good("-", "HTTP/2 429\r\nretry-after: 7\r\n\r\n"):find("retry after    7 s", 1, true))
    assert.truthy(good("-", "HTTP/2 429\nretry-after: 7"):find("retry after    7 s", 1, true))
    assert.truthy(good("-", "HTTP/1.0 503 x\n\n"):find("kind           overload", 1, true))
    local stream = "HTTP/1.1 200 OK\ncontent-type: text/event-stream\n\n" ..
      'data: {"usage":{"total_tokens":22}}\n\ndata: [DONE]\n\n'
    assert.truthy(good("-", stream):find("tokens         22", 1, true))
  end)

  it("passes over what proxies and interim responses say", function()
    for _, before in ipairs {
      "HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.1 100 Continue\n\n",
      "HTTP/1.1 200 x\nvia: y\n\nHTTP/1.1 100 Continue\n\n",
    } do
      local text = good("-", before .. "HTTP/1.1 429 x\r\nretry-after: 7\r\n\r\n{}")
      assert.truthy(text:find("^kind           rate\n") and text:find("retry after    7 s", 1, true), text)
    end
    refused(1, "-", "HTTP/1.1 100 Continue\n\nHTTP/1.1 429 x\nwhat\n\n", "standard input:4:", "no header")
  end)

  it("takes the provider where the answer does not show it", function()
    local answer = "HTTP/1.1 200 OK\nx-ratelimit-limit-requests: 14400\n\n"
    assert.falsy(good("-", answer):find("learned", 1, true))
    assert.truthy(good("- --provider groq", answer):find("learned        requests/day, limit 14400", 1, true))
  end)

  it("reads a body alone, whole or as a stream", function()
    local text = good("-", '{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).",' ..
      '"status":"RESOURCE_EXHAUSTED"}}\n')
    assert.truthy(text:find("^kind           rate\nprovider       gemini\n"), text)
    assert.truthy(good(fixtures .. "gemini_200.json"):find("tokens         389\n", 1, true))
    assert.truthy(good(fixtures .. "gemini_stream.sse"):find("tokens         150\n", 1, true))
    assert.truthy(good(fixtures .. "openai_stream_usage.sse"):find("tokens         22\n", 1, true))
    local stream = 'data: {"error":{"message":"x","type":"tokens","param":null,"code":"rate_limit_exceeded"}}\n\n'
    assert.truthy(good("-", stream):find("^kind           rate\nprovider       openai\n"))
    assert.truthy(good("-", "\239\187\191\n [ ]"):find("kind           unknown", 1, true))
  end)

  it("reads messages line by line", function()
    local text = good(fixtures .. "openai_realtime_events.jsonl")
    assert.equal(5, select(2, text:gsub("\n\n", "")))
    assert.truthy(text:find("\n\nkind           rate\nprovider       openai\n.*retry after    6.33 s\n"), text)
    local lines = {}
    for line in good(fixtures .. "gemini_live_messages.jsonl --json"):gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(6, #lines)
    assert.truthy(lines[4]:find('"tokens":471', 1, true))
    assert.truthy(lines[5]:find('"ends_after_seconds":50', 1, true))
    assert.truthy(lines[6]:find('"kind":"rate"', 1, true), lines[6])
    for _, before in ipairs { "\n", "\239\187\191", " \r\n" } do
      local messages = good("-", before .. '{"setupComplete":{}}\n{"goAway":{"timeLeft":"50s"}}\n')
      assert.truthy(messages:find("\n\nkind           ok\n.*ends after     50 s\n"), messages)
    end
    assert.truthy(good("-", '{\n "usage": {\n"total_tokens": 3\n}\n}\n'):find("tokens         3", 1, true))
  end)

  it("reads the reason of a close", function()
    local reason = "You exceeded your current quota, please check your plan and billing details.\n"
    local text = good("- --close 1011", reason)
    assert.truthy(text:find("^kind           rate\nprovider       gemini\nscope          model\n"), text)
    assert.truthy(good("- --close 1006", ""):find("^kind           error\n"))
    refused(2, "- --close 99", "", '"99"', "1000 to 4999")
    refused(2, "- --close soon", "", '"soon"')
  end)

  it("refuses what is no answer, with file and line", function()
    refused(1, "-", "", "standard input:1:", "status line")
    refused(1, "-", "429 Too Many Requests\n", "standard input:1:", "status line")
    refused(1, "-", "HTTP/1.1 99 x\n\n", "standard input:1:", "HTTP/1.1 99 x")
    refused(1, "-", "HTTP/1.1 4290\n\n", "standard input:1:")
    refused(1, "-", "HTTP/1.1 429\nretry-after: 7\nwhat\27[2J\n\n", "standard input:3:", "what?[2J", "no header")
    refused(1, "/nonexistent", "", "/nonexistent cannot be read")
    refused(1, "/", "", "/:1:", "cannot be read")
    refused(2, "", "", "file is missing")
    refused(2, "a b", "", '"b"')
    refused(2, "a --provider mistral", "", '"mistral"', "gemini_openai")
    refused(2, "a --fast", "", "--fast")
  end)
end)
