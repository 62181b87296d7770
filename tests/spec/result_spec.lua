-- What follows from an answer: the built-in rules for every kind, the words of a result hook, and the reading of what
-- it returns. Candidates and answers are plain data here, as hooks see them.

local support = dofile "tests/spec/support.lua"
local result = require "llm_limiters.result"
local contains = support.contains

local words = result.words()

local function m_with(strikes) return { name = "gpt-4o", provider = "openai", strikes = strikes } end

-- What the rules do about an answer: seconds and scope, or nil.
local function by_rule(r, strikes)
  local m = m_with(strikes or 1)
  r.random = r.random or 0
  local list = assert(result.read(result.default({}, m, r), m, "policy.lua"))
  if #list == 0 then return nil end
  assert.equal(1, #list)
  assert.equal(m, list[1].model)
  assert.is_nil(list[1]["until"])
  return list[1].seconds, list[1].scope
end

local function hook(body)
  local set, err = support.load { policy = "return policy { api = 1, name = 'x', result = function(req, m, r)\n"
    .. body .. "\nend }" }
  return assert(set, err and err.message).policy.result
end

local function read_hook(body, m, r)
  local ok, value = pcall(hook(body), {}, m, r or { random = 0 })
  if not ok then return nil, value end
  return result.read(value, m, "policy.lua")
end

describe("the built-in rules", function()
  it("wait as long as a rate limit says, without chance", function()
    assert.same({ 7.5, "model" }, { by_rule { kind = "rate", retry_after = 7.5, random = 0.9 } })
    assert.equal(0, (by_rule { kind = "rate", retry_after = 0 }))
    assert.equal(7, (by_rule { kind = "rate", retry_after = 7, live = true }))
  end)

  it("back off from a rate limit that says nothing: 30 s doubling up to 300 s, and chance", function()
    local seconds = {}
    for strikes = 0, 8 do seconds[strikes + 1] = by_rule({ kind = "rate" }, strikes) end
    assert.same({ 30, 30, 60, 120, 240, 300, 300, 300, 300 }, seconds)
    assert.equal(45, (by_rule { kind = "rate", random = 0.5 }))
    assert.equal(450, (by_rule({ kind = "rate", random = 0.5 }, 2000)))
  end)

  it("back off from a live session's close from 60 s", function()
    assert.equal(60, (by_rule { kind = "rate", live = true }))
    assert.equal(240, (by_rule({ kind = "rate", live = true }, 3)))
    assert.equal(300, (by_rule({ kind = "rate", live = true }, 4)))
  end)

  it("wait for an overload as it says, else from 1 s up to 30 s", function()
    assert.equal(12, (by_rule { kind = "overload", retry_after = 12 }))
    assert.equal(1, (by_rule { kind = "overload" }))
    assert.equal(16, (by_rule({ kind = "overload" }, 5)))
    assert.equal(30, (by_rule({ kind = "overload" }, 6)))
    assert.equal(1, (by_rule { kind = "overload", live = true }))
  end)

  it("bench what is spent until the reset that is told, else for an hour", function()
    assert.same({ 3600, "model" }, { by_rule { kind = "quota" } })
    assert.same({ 40000, "model" }, { by_rule { kind = "quota", retry_after = 40000, unit = "day", scope = "model" } })
    assert.same({ 3600, "credential" }, { by_rule { kind = "quota", scope = "credential" } })
  end)

  it("bench what is not let in for a minute", function()
    assert.same({ 60, "model" }, { by_rule { kind = "auth" } })
    assert.same({ 60, "credential" }, { by_rule { kind = "auth", scope = "credential" } })
  end)

  it("cool the family that the answer names", function()
    assert.same({ 5, "family" }, { by_rule { kind = "rate", retry_after = 5, scope = "family", family = "gpt" } })
  end)

  it("cool nobody for what says nothing of the model", function()
    for _, kind in ipairs { "ok", "too_large", "error", "unknown" } do
      assert.is_nil(by_rule { kind = kind, retry_after = 5, scope = "credential" })
    end
  end)

  it("wait 400 days at most, which is what the engine can", function()
    for _, kind in ipairs { "rate", "overload", "quota" } do
      assert.equal(34560000, (by_rule { kind = kind, retry_after = 1e12 }))
    end
  end)
end)

describe("a result hook", function()
  local m = m_with(2)

  it("may return nothing, an action, or a list of them", function()
    assert.same({}, read_hook("", m))
    assert.same({}, read_hook("return {}", m))
    assert.same({ { model = m, seconds = 30, scope = "model" } }, read_hook("return cool(m, 30)", m))
    assert.same({ { model = m, ["until"] = 1.8e9, scope = "family" } },
      read_hook("return cool_until(m, 1.8e9, 'family')", m))
    assert.same({
      { model = m, seconds = 0, scope = "model" }, { model = m, seconds = 34560000, scope = "credential" },
    }, read_hook("return { cool(m, 0, 'model'), cool(m, 34560000, 'credential') }", m))
  end)

  it("has the rules and the backoff at hand", function()
    assert.same({ { model = m, seconds = 9, scope = "model" } },
      read_hook("return default_result(req, m, r)", m, { kind = "rate", retry_after = 9 }))
    assert.same({ { model = m, seconds = 15, scope = "model" } },
      read_hook("return cool(m, backoff(m, r, 5, 60))", m, { random = 0.5 }))
    assert.equal(7.5, words.backoff(m_with(0), { random = 0.5 }, 5, 60))
    assert.equal(60, words.backoff(m_with(1e6), { random = 0 }, 5, 60))
  end)

  it("is told at its line how a word is used", function()
    local cooling = "cool(m, seconds, scope) takes "
    local rows = {
      { "local x = cool(m)", cooling .. "seconds of 0 to 34560000, not nil." },
      { "local x = cool(m, -1)", "not -1." },
      { "local x = cool(m, 0/0)", "not nan." },
      { "local x = cool(m, inf)", "not inf." },
      { "local x = cool(m, '5')", 'not "5".' },
      { "local x = cool(30)", cooling .. "the model that was answered first, not 30." },
      { "local x = cool('gpt-4o', 30)", 'not "gpt-4o".' },
      { "local x = cool(m, 30, 'key')", cooling .. 'the scope "model", "family" or "credential", not "key".' },
      { "local x = cool(m, 30, 5)", "not 5." },
      { "local x = cool_until(m, 1e15)", "takes seconds since 1970 of 0 to 9223372036, not 1e+15." },
      { "local x = cool_until(nil, 5)", "cool_until(m, instant, scope) takes the model" },
      { "local x = cool_until(m, 5, 'x')", 'not "x".' },
      { "local x = backoff(m, 5, 60)", "backoff(m, r, first, most) takes the model and the answer first." },
      { "local x = backoff(m, {}, 5, 60)", "the answer that the hook was called with" },
      { "local x = backoff({}, r, 5, 60)", "whose m.strikes and r.random are numbers" },
      { "local x = default_result(req, m, { kind = 'rate' })", "default_result(req, m, r) takes the model and the" },
      { "local x = default_result(req, {}, { kind = 'rate', random = 0 })",
        "default_result(req, m, r) takes the model and the" },
      { "local x = default_result(req, m)", "default_result(req, m, r) takes the model and the answer first." },
      { "local x = default_result(req, m, { random = 0, scope = 'key' })", 'not "key".' },
      { "local x = default_result(req, m, { random = 0, retry_after = 'x' })", "retry_after" },
      { "cool(m, 5).seconds = 6", "cannot be given fields" },
      { "local x = backoff(m, r, 'x', 60)", "backoff(m, r, first, most) takes seconds of 0 to" },
      { "local x = backoff(m, r, 5)", "backoff(m, r, first, most) takes seconds of 0 to 17280000, not nil." },
    }
    for _, row in ipairs(rows) do
      local list, message = read_hook(row[1], m)
      assert.is_nil(list, row[1])
      contains(message, row[2])
      contains(message, "policy.lua:2: ")
    end
  end)

  it("is told what it may return", function()
    local rows = {
      { "return 30", "result must return nothing, an action like cool(m, 30), or a list of actions, not 30." },
      { "return minute", "not a unit." },
      { "return cool", "not a function." },
      { "return m", "or a list of actions, not a model." },
      { "return { model = m, seconds = 30 }", "not a table of names." },
      { "return { { model = m, seconds = 30 } }", "returned a list with a table, where an action like cool(m, 30)" },
      { "return { cool(m, 1), 5 }", "returned a list with 5, where" },
      { "return cool({ name = 'other' }, 30)", "result may cool the model that was answered" },
      { "local t = {} for i = 1, 17 do t[i] = cool(m, i) end return t", "result returned 17 actions; at most 16" },
    }
    for _, row in ipairs(rows) do
      local list, message = read_hook(row[1], m)
      assert.is_nil(list, row[1])
      contains(message, "policy.lua: ")
      contains(message, row[2])
    end
  end)

  it("has words that other scripts do not have", function()
    local set, err = support.load { overrides = "return { a = cool }" }
    assert.is_nil(set)
    contains(err.message, '"cool" is no word here')
  end)
end)
