-- Overrides: the user's numbers over the tier, model by model and limit by limit, and the scopes that they define.

local support = dofile "tests/spec/support.lua"

local QUOTAS = {
  [[return quota "openai" { api = 1, modality = "text",
    aliases = { big = { "large" } }, families = { big = { "audio" } },
    tier "free" { big = { requests = { 10/minute, 100/day }, tokens = 1000/minute } },
    tier "tier1" { big = { rpm = 99 }, other = { requests = 7/minute } } }]],
  [[return quota "gemini" { api = 1, modality = "text",
    tier "free" { flash = { requests = { 10/minute, 250/pacific_day }, input_tokens = 1000/minute,
                            sessions = gauge(3, 60) } } }]],
}

local function load_over(overrides, spec)
  spec = spec or {}
  spec.quotas, spec.overrides = QUOTAS, overrides
  return support.load(spec)
end

-- The limits of a model as short lines: "requests bucket 10 60 reserved".
local function lines(set, name)
  local out = {}
  for i, limit in ipairs(assert(support.model(set, name), name).limits) do
    local span = limit.unit or string.format("%d", limit.window)
    out[i] = string.format("%s %s %d %s %s", limit.meter, limit.law, limit.amount, span, limit.charged)
  end
  return out
end

local function over(overrides, name)
  local set, err = load_over(overrides)
  assert(set, err and err.message)
  return lines(set, name)
end

local BIG = { "requests bucket 10 60 reserved", "requests bucket 100 86400 reserved", "tokens bucket 1000 60 reserved" }
local FLASH = {
  "requests sliding 10 60 used", "requests calendar 250 day used", "input_tokens sliding 1000 60 used",
  "sessions gauge 3 60 used",
}

describe("an override", function()
  it("replaces a limit of its meter and span, whatever the law", function()
    assert.same({ "requests sliding 5 60 reserved", BIG[2], BIG[3] }, over("return { big = { rpm = 5 } }", "big"))
    assert.same({ BIG[1], "requests sliding 5 86400 reserved", BIG[3] }, over("return { big = { rpd = 5 } }", "big"))
    assert.same({ FLASH[1], "requests sliding 5 86400 used", FLASH[3], FLASH[4] },
      over("return { flash = { rpd = 5 } }", "flash"))
    assert.same({ FLASH[1], FLASH[2], FLASH[3], "sessions gauge 9 3600 used" },
      over("return { flash = { sessions = 9 } }", "flash"))
    assert.same({ FLASH[1], FLASH[2], "input_tokens sliding 8 60 used", FLASH[4] },
      over("return { flash = { itpm = 8 } }", "flash"))
  end)

  it("may follow the bucket law", function()
    assert.same({ "requests bucket 5 60 used", "requests bucket 6 86400 used", FLASH[3], FLASH[4] },
      over("return { flash = { rpm = 5, rpd = 6, law = 'bucket' } }", "flash"))
  end)

  it("may say what the provider counts in the end", function()
    assert.same({ "requests sliding 5 60 used", BIG[2], BIG[3] },
      over("return { big = { rpm = 5, charged = 'used' } }", "big"))
    assert.same({ "requests sliding 5 60 reserved" },
      over("return { mine = { rpm = 5, charged = 'reserved' } }", "mine"))
    for text, says in pairs {
      ["charged = 'later', rpm = 5"] = 'charged of model "mine" must be "used" or "reserved", not "later".',
      ["charged = 'used'"] = "charged of model \"mine\" has no limit beside it",
    } do
      local set, err = load_over("return { mine = { " .. text .. " } }")
      assert.is_nil(set)
      assert.truthy(err.message:find(says, 1, true), err.message)
    end
  end)

  it("may speak the language, under the law of the provider", function()
    assert.same({ "requests bucket 5 60 reserved", BIG[2], BIG[3] },
      over("return { big = { requests = 5/minute } }", "big"))
    assert.same({ "requests sliding 5 60 used", "requests calendar 6 day used", FLASH[3], FLASH[4] },
      over("return { flash = { requests = { 5/minute, 6/pacific_day } } }", "flash"))
    assert.same({ BIG[1], "requests bucket 9 3600 reserved", BIG[2], BIG[3] },
      over("return { big = { requests = 9/hour } }", "big"))
    assert.same({ "requests sliding 4 60 reserved", "requests bucket 9 3600 reserved", BIG[2], BIG[3] },
      over("return { big = { rpm = 4, requests = 9/hour } }", "big"))
  end)

  it("takes a limit away by 0 or infinity, and keeps what it does not mention", function()
    assert.same({ BIG[2], BIG[3] }, over("return { big = { rpm = 0 } }", "big"))
    assert.same({ BIG[1], BIG[2] }, over("return { big = { tpm = math.huge } }", "big"))
    assert.same({ BIG[1], BIG[3] }, over("return { big = { requests = inf/day } }", "big"))
    assert.same({ FLASH[1], FLASH[3], FLASH[4] }, over("return { flash = { rpd = inf } }", "flash"))
    assert.same({ FLASH[1], FLASH[2], FLASH[3] }, over("return { flash = { sessions = 0 } }", "flash"))
    assert.same(BIG, over("return { big = { tpd = 0, ipm = inf, rpm = nil } }", "big"))
    assert.same(BIG, over("return { big = {} }", "big"))
    assert.same(BIG, over("return {}", "big"))
    assert.same({}, over("return { big = { rpm = 0, rpd = 0, tpm = 0 } }", "big"))
  end)

  it("may block a model, and unblock it", function()
    local set = assert(load_over "return { big = { blocked = true }, flash = { blocked = false } }")
    assert.is_true(support.model(set, "big").blocked)
    assert.is_false(support.model(set, "audio").blocked)
    assert.is_false(support.model(set, "flash").blocked)
    assert.same(BIG, lines(set, "big"))
    local text = "return { ['gpt-5'] = { blocked = false, rpm = 3 } }"
    local published = assert(support.load { quotas = support.set "published", overrides = text })
    local unblocked = support.model(published, "gpt-5")
    assert.is_false(unblocked.blocked)
    assert.equal(3, unblocked.limits[1].amount)
  end)

  it("may set the guard of all limits of the model, gauges excepted", function()
    local set = assert(load_over "return { flash = { rpm = 5, guard = 0.5 } }")
    local guards = {}
    for i, limit in ipairs(support.model(set, "flash").limits) do guards[i] = limit.guard end
    assert.same({ 0.5, 0.5, 0.5, 0 }, guards)
    assert.equal(0.1, support.model(set, "big").limits[1].guard)
    assert.equal(0, support.model(assert(load_over "return { big = { guard = 0 } }"), "audio").limits[3].guard)
  end)

  it("reaches a model by any spelling", function()
    for _, name in ipairs { "big", "large", "big-2024-05-13", "large-2024-05-13" } do
      local set = assert(load_over("return { ['" .. name .. "'] = { rpm = 5 } }"))
      assert.equal("requests sliding 5 60 reserved", lines(set, "big")[1])
      assert.is_nil(support.model(set, name ~= "big" and name or "none"))
    end
    assert.equal("requests sliding 5 60 used", over("return { ['models/flash'] = { rpm = 5 } }", "flash")[1])
  end)

  it("of one of a family is an override of all", function()
    for _, name in ipairs { "big", "audio" } do
      local set = assert(load_over("return { " .. name .. " = { rpm = 5 } }"))
      local big, audio = support.model(set, "big"), support.model(set, "audio")
      assert.equal(5, big.limits[1].amount)
      assert.same(big.limits, audio.limits)
      assert.equal(big.scope, audio.scope)
    end
  end)

  it("adds a model that no table knows", function()
    local set = assert(load_over("return { ['in-house'] = { rpm = 20, tpm = 0, rpd = 100 } }", { account = "acme" }))
    local model = support.model(set, "in-house")
    assert.equal("custom", model.provider)
    assert.equal("model:acme/custom/in-house", model.scope)
    assert.is_true(set.known["in-house"])
    assert.is_false(model.blocked)
    assert.same({ "requests sliding 20 60 used", "requests sliding 100 86400 used" }, lines(set, "in-house"))
    assert.same({}, over("return { empty = {} }", "empty"))
    assert.same({ "requests sliding 5 60 used" },
      over("return { ['llama3:8b'] = { requests = 5/minute } }", "llama3:8b"))
    assert.equal("model:acme/openai/big", support.model(set, "big").scope)
  end)

  it("adds a model that only another tier has, under its provider", function()
    local set = assert(load_over "return { other = { rpm = 3 } }")
    local model = support.model(set, "other")
    assert.equal("openai", model.provider)
    assert.equal("model:default/openai/other", model.scope)
    assert.same({ "requests sliding 3 60 reserved" }, lines(set, "other"))
    assert.is_nil(support.model(assert(load_over "return {}"), "other"))
  end)
end)

describe("a scope in the overrides", function()
  it("has limits of the bucket law, charged as used, without a guard", function()
    local set = assert(load_over [[return {
      ["team:acme"] = { rpm = 60, tokens = { 1000/minute, 5/day { tz = "UTC" } } }, ["team:*"] = { rpm = 6 },
      ["org:x"] = { rpm = 1, law = "sliding" }, ["user:acme/ann"] = { sessions = 2 }, ["tenant:t"] = { rpm = 0 },
      ["key:k:1"] = { rpm = 3, guard = 0.5 } }]])
    local function rate(meter, law, amount, guard)
      return { meter = meter, law = law, amount = amount, window = 60, guard = guard, charged = "used" }
    end
    assert.same({
      { name = "key:k:1", limits = { rate("requests", "bucket", 3, 0.5) } },
      { name = "org:x", limits = { rate("requests", "sliding", 1, 0) } },
      { name = "team:*", limits = { rate("requests", "bucket", 6, 0) } },
      {
        name = "team:acme",
        limits = {
          rate("requests", "bucket", 60, 0), rate("tokens", "bucket", 1000, 0),
          { meter = "tokens", law = "calendar", amount = 5, unit = "day", zone = "UTC", guard = 0, charged = "used" },
        },
      },
      { name = "tenant:t", limits = {} },
      {
        name = "user:acme/ann",
        limits = { { meter = "sessions", law = "gauge", amount = 2, window = 3600, guard = 0, charged = "used" } },
      },
    }, set.scopes)
    assert.is_nil(set.known["team:acme"])
  end)

  it("is an empty list without any", function()
    assert.same({}, load_over("return {}").scopes)
    assert.same({}, support.load({}).scopes)
  end)
end)

describe("a wrong override", function()
  local rows = {
    { "return {\n\nbig = { rpn = 20, tpm = 5 } }", 3, "rpn", 'field rpn of model "big" is unknown; did you mean' },
    { "return {\nbig = {\ntpm = 5,\nrpm = -20 } }", 4, "rpm", "must be a whole number from 1" },
    { "return {\n['in-house'] = { rpm = 0.5 } }", 2, "rpm", "not 0.5." },
    { "return {\nbig = { rpm = 1e400 } }", 2, "1e400", "write math.huge or inf" },
    { "return {\nbig = 5 }", 2, "big", 'the table of model "big" must be like { rpm = 10 }' },
    { "return {\n5 }", nil, nil, "has an entry without a model's name" },
    { "return 5", nil, nil, "the script returns 5; it must end with return {" },
    { "return minute", nil, nil, "the script returns a unit; it must end with return {" },
    { "big = { rpm = 5 }", nil, nil, "the script returns nothing; it must end with return {" },
    { "return {", 1, nil, "the script cannot be read as Lua: " },
    { "return {\nbig = { guard = 16 } }", 2, "guard", "0 to 15 seconds (a quarter of the window of the limit on req" },
    { "return {\nbig = { rpm = 1 },\nlarge = { rpm = 2 } }", 3, "large", 'overrides the same row as "big" does' },
    { "return {\nbig = { rpm = 1 },\naudio = { tpm = 2 } }", 2, "big", 'overrides the same row as "audio" does' },
    { "return { big = { requests = {\n5/minute, 5/minute } } }", 1, "requests", "twice over the same minute" },
    { "return {\n['team:'] = {} }", 2, "team:", "team:name or team:* is expected." },
    { "return {\n['tem:acme'] = {} }", 2, "tem:acme", 'did you mean "team:acme"?' },
    { "return {\nbig = { rpm = 5, requests = 6/minute } }", 2, nil, "limits requests twice over the same minute" },
    { "return {\nbig = { rpm = math.hugee } }", 2, nil, 'math has no "hugee" here; did you mean "huge"?' },
    { "return {\n['b\\255'] = {} }", 2, '"b?"', 'an entry whose name is not UTF-8: "b?".' },
    { "return {\n['b\\n'] = {} }", 2, '"b?"', 'an entry whose name holds control characters: "b?".' },
    { "return { [3] = {}, a = {},\n[1] = {} }", 2, "1", "an entry without a model's name" },
    { "return { a = {},\n{} }", nil, "1", "an entry without a model's name" },
    { "return {\n[''] = {} }", 2, '""', "an entry without a model's name" },
    { "return { 5 }", nil, nil, "an entry without a model's name" },
    { "return { a = { tpm = 5 },\n['b' .. 'c'] = { tpm = -1 } }", nil, "tpm", 'of model "bc"' },
    { "local function m(n) return { rpm = n } end return { a = m(1),\nb = m(-1) }", 2, "rpm", 'of model "b"' },
    { "return {\n['Flash'] = { rpm = 1 } }", 2, "Flash", 'only by case; did you mean "flash"?' },
    { "return {\n['team:acme'] = { rpm = 1, blocked = true } }", 2, "blocked", 'of scope "team:acme" is unknown' },
    { "return {\n['team:acme'] = { rpm = -1 } }", 2, "rpm", 'field rpm of scope "team:acme" must be a whole' },
    { "return {\n['team:" .. ("x"):rep(251) .. "'] = {} }", 2, nil, "has a name of 256 bytes; at most 255 are" },
  }

  it("is told with file, line and field", function()
    for _, row in ipairs(rows) do
      local set, err = load_over(row[1])
      assert.is_nil(set, row[1])
      assert.equal("ECONFIG", err.code)
      assert.equal("my.lua", err.file)
      assert.is_truthy(err.message:find(row[4], 1, true), row[1] .. "\n" .. err.message)
      assert.equal(row[2], err.line, err.message)
      if row[3] then assert.equal(row[3], err.field, err.message) end
      assert.is_truthy(err.message:find("my.lua:" .. (row[2] and string.format("%d: ", row[2]) or " "), 1, true))
      assert.is_true(#err.message < 736)
    end
  end)

  it("may not add up to more than 16 limits", function()
    local many = "{ 1/second, 1/hour, 1/week, 1/month }"
    local set, err = load_over("return { big = { requests = " .. many .. ", tokens = " .. many .. ", images = " .. many
      .. ", characters = 1/minute, cost = usd(1)/day } }")
    assert.is_nil(set)
    assert.is_truthy(err.message:find("one limit too many; a model has at most 16.", 1, true))
  end)
end)
