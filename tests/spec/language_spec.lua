-- The language of quota tables: what its words and the plain shape mean as limits. How it takes mistakes is in
-- mistakes_spec.lua.

local support = dofile "tests/spec/support.lua"
local limits = support.limits
local contains, fault_of = support.contains, support.fault_of

local PACIFIC = "America/Los_Angeles"

local function only(provider, body, guard)
  local list, err = limits(provider, body, guard)
  assert(list, err and err.message)
  assert.equal(1, #list)
  return list[1]
end

describe("a limit over a unit of time", function()
  it("follows the law of its provider", function()
    local body = "requests = 10/minute"
    assert.same({ meter = "requests", law = "bucket", amount = 10, window = 60, guard = 0.1, charged = "reserved" },
      only("openai", body))
    assert.same({ meter = "requests", law = "sliding", amount = 10, window = 60, guard = 0.1, charged = "used" },
      only("gemini", body))
    assert.same({ meter = "requests", law = "sliding", amount = 10, window = 60, guard = 0.1, charged = "used" },
      only("somebody", body))
  end)

  it("has the window of the unit", function()
    local windows = { second = 1, minute = 60, hour = 3600, day = 86400, week = 604800, month = 2678400 }
    for unit, window in pairs(windows) do assert.equal(window, only("openai", "tokens = 5/" .. unit).window) end
  end)

  it("is a calendar when the unit has a time zone, whatever the provider", function()
    for _, unit in ipairs { "minute", "hour", "day", "week", "month" } do
      assert.same({
        meter = "tokens", law = "calendar", amount = 5, unit = unit, zone = "Europe/Paris", guard = 0.1,
        charged = "reserved",
      }, only("openai", "tokens = 5/" .. unit .. " { tz = 'Europe/Paris' }"))
    end
    assert.equal(PACIFIC, only("gemini", "requests = 5/pacific_day").zone)
  end)

  it("follows a law that is stated", function()
    assert.equal("sliding", only("openai", "law = 'sliding', requests = 10/minute").law)
    assert.equal("bucket", only("gemini", "law = 'bucket', requests = 10/minute").law)
    assert.equal("calendar", only("gemini", "law = 'bucket', requests = 10/pacific_day").law)
    assert.equal("bucket", only("gemini", "law = 'bucket', rpm = 10").law)
  end)

  it("has every meter, in the order of the engine", function()
    local list = assert(limits("x", [[cost = usd(9)/day, sessions = gauge(8), characters = 7/minute,
      audio_ms = 6/minute, images = 5/minute, output_tokens = 4/minute, input_tokens = 3/minute, tokens = 2/minute,
      requests = { 10/day, gauge(5), 1/minute, 1/day { tz = "UTC" } }]]))
    local seen = {}
    for i, limit in ipairs(list) do seen[i] = limit.meter .. " " .. limit.law .. " " .. (limit.unit or "") end
    assert.same({
      "requests sliding ", "requests calendar day", "requests sliding ", "requests gauge ", "tokens sliding ",
      "input_tokens sliding ", "output_tokens sliding ", "images sliding ", "audio_ms sliding ", "characters sliding ",
      "sessions gauge ", "cost sliding ",
    }, seen)
  end)

  it("is not enforced when it is 0 or infinite, and the model exists", function()
    for _, body in ipairs {
      "", "requests = 0/minute", "requests = inf/minute", "requests = math.huge/day", "requests = {}", "rpm = 0",
      "rpm = math.huge, tpm = inf, rpd = -0", "sessions = gauge(0)", "requests = nil", "requests = 1e300*1e300/minute",
    } do
      assert.same({}, limits("openai", body), body)
    end
  end)

  it("takes the largest amount, and whole numbers of any form", function()
    assert.equal(1099511627775, only("openai", "tokens = 1099511627775/day").amount)
    assert.equal(1099511627775, only("openai", "tpm = 2^40 - 1").amount)
    assert.equal(250000, only("openai", "tokens = 250e3/minute").amount)
    assert.equal(16, only("openai", "tokens = 0x10/minute").amount)
    assert.equal(250000, only("openai", "tokens = 2.5e5/minute").amount)
  end)
end)

describe("the plain shape", function()
  it("slides, for every provider", function()
    local list = assert(limits("openai",
      "rpm = 1, rpd = 2, tpm = 3, tpd = 4, ipm = 5, itpm = 6, otpm = 7, sessions = 8"))
    local seen = {}
    for i, limit in ipairs(list) do
      seen[i] = string.format("%s %s %d %d", limit.meter, limit.law, limit.amount, limit.window)
    end
    assert.same({
      "requests sliding 1 60", "requests sliding 2 86400", "tokens sliding 3 60", "tokens sliding 4 86400",
      "input_tokens sliding 6 60", "output_tokens sliding 7 60", "images sliding 5 60", "sessions gauge 8 3600",
    }, seen)
  end)
end)

describe("a gauge", function()
  it("has a time to live and no guard", function()
    assert.same({ meter = "sessions", law = "gauge", amount = 3, window = 900, guard = 0, charged = "used" },
      only("gemini", "sessions = gauge(3, 900), guard = 5"))
    assert.equal(3600, only("gemini", "requests = gauge(3)").window)
  end)
end)

describe("the guard", function()
  it("is the model's, else the table's, else the caller's, else 100 ms", function()
    assert.equal(0.1, only("openai", "rpm = 1").guard)
    assert.equal(0.5, only("openai", "rpm = 1", 0.5).guard)
    assert.equal(0, only("openai", "rpm = 1", 0).guard)
    assert.equal(2, only("openai", "rpm = 1, guard = 2", 0.5).guard)
    local set = assert(support.load { guard = 0.5, quotas = { [[return quota "x" { api = 1, modality = "text",
      guard = 0.3, tier "free" { m = { rpm = 1 }, n = { rpm = 1, guard = 0 } } }]] } })
    assert.equal(0.3, support.model(set, "m").limits[1].guard)
    assert.equal(0, support.model(set, "n").limits[1].guard)
  end)

  it("is at most a quarter of the window", function()
    assert.equal(15, only("openai", "rpm = 1, guard = 15").guard)
    assert.equal(20700, only("openai", "requests = 1/pacific_day, guard = 20700").guard)
    local body = "requests = 1/hour,\nguard = "
    for _, guard in ipairs { "900.1", "1e9" } do
      local err = fault_of(body .. guard)
      assert.equal(4, err.line)
      assert.equal("guard", err.field)
      contains(err.message, "0 to 900 seconds")
    end
    contains(fault_of "requests = 1/second, guard = 0.26".message, "0 to 0.25 seconds")
    contains(fault_of "requests = 1/pacific_day, guard = 20701".message, "0 to 20700 seconds")
    local err = fault_of("requests = 1/hour,\nrpm = 1", 16)
    assert.equal("rpm", err.field)
    assert.equal(4, err.line)
    contains(err.message, "not 16, the guard of limits that state none.")
  end)
end)

describe("money", function()
  it("is counted in micro-dollars, over any unit", function()
    assert.same({ meter = "cost", law = "sliding", amount = 50e6, window = 2678400, guard = 0.1, charged = "used" },
      only("x", "cost = usd(50)/month"))
    local rows = {
      ["usd(0.000001)/day"] = 1, ["usd(1.1)/day"] = 1100000, ["usd(0.1 + 0.2)/day"] = 300000,
      ["usd(1099511.627775)/day"] = 1099511627775, ["usd(19.99)/day { tz = 'UTC' }"] = 19990000,
    }
    for body, amount in pairs(rows) do assert.equal(amount, only("x", "cost = " .. body).amount, body) end
    assert.equal(2, #limits("x", "cost = { usd(1)/day, usd(20)/month }"))
  end)

  it("is not enforced when it is 0 or infinite", function()
    assert.same({}, limits("x", "cost = { usd(0)/day, usd(inf)/month }"))
  end)
end)

describe("local_time", function()
  local BERLIN = { year = 2026, month = 11, day = 24, hour = 13, minute = 30, weekday = 2 }

  local function ask(call, local_time)
    local text = "return policy { api = 1, name = 'x', route = function()\n return " .. call .. ", 0 end }"
    local set = assert(support.load { policy = text, local_time = local_time })
    return pcall(set.policy.route)
  end

  it("is the host's", function()
    local ok, fields = ask("local_time(1795523400.5, 'Europe/Berlin')", function(instant, zone)
      assert.equal(1795523400.5, instant)
      assert.equal("Europe/Berlin", zone)
      return BERLIN
    end)
    assert(ok, fields)
    assert.same(BERLIN, fields)
  end)

  it("says what is wrong, at the line that asks", function()
    local function unknown(_, zone) return nil, "there is no time zone " .. zone .. "." end
    local rows = {
      { "local_time(0, 'A/B')", unknown, "policy.lua:2: there is no time zone A/B." },
      { "local_time(0, 'UTC')", nil, "policy.lua:2: this host knows no local time." },
      { "local_time('now', 'UTC')", unknown, 'local_time takes seconds since 1970, like local_time(req.at, "Europe/' },
      { "local_time(0/0, 'UTC')", unknown, "not nan." },
      { "local_time(math.huge, 'UTC')", unknown, "not inf." },
      { "local_time(0)", unknown, "the second argument of local_time must be the name of a time zone" },
      { "local_time(0, '../x')", unknown, 'not "../x".' },
    }
    for _, row in ipairs(rows) do
      local ok, message = ask(row[1], row[2])
      assert.is_false(ok)
      contains(message, row[3])
    end
  end)
end)
