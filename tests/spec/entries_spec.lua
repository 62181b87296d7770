-- What the entry of a model says beyond its limits (weight, price), and what a tier takes over from another.

local support = dofile "tests/spec/support.lua"
local contains, model = support.contains, support.model

local function quota(body)
  return 'return quota "openai" { api = 1, modality = "text",\n' .. body .. "\n}"
end

local function load_tiers(body, tier, overrides)
  return support.load { quotas = { quota(body) }, tier = tier, overrides = overrides }
end

local function check(rows, load)
  for _, row in ipairs(rows) do
    local set, err = load(row[1])
    assert.is_nil(set, row[1])
    assert.equal("ECONFIG", err.code)
    assert.equal(row[2], err.line, row[1] .. "\n" .. err.message)
    assert.equal(row[3], err.field, row[1] .. "\n" .. err.message)
    contains(err.message, row[4])
  end
end

describe("a tier that inherits", function()
  local TIERS = [[
    tier "tier1" { a = { rpm = 1, tpm = 10, weight = 2, price = { input = 3 } }, b = { rpm = 2, blocked = true } },
    tier "tier2" { inherit "tier1", b = { rpd = 5 }, c = { rpm = 3 } },
    tier "tier3" { inherit "tier2", a = { rpm = 100 } },
    tier "tier4" { inherit "tier3" },
    aliases = { a = { "aa" } }, families = { a = { "fine" } }]]

  local function amounts(tier, name)
    local found = model(assert(load_tiers(TIERS, tier)), name)
    local list = {}
    for i, limit in ipairs(found.limits) do list[i] = limit.meter .. " " .. string.format("%d", limit.amount) end
    return table.concat(list, ", ")
  end

  it("has the other's models as they are", function()
    assert.equal("requests 1, tokens 10", amounts("tier2", "a"))
    local a = model(assert(load_tiers(TIERS, "tier2")), "a")
    assert.equal(2, a.weight)
    assert.same({ input = 3 }, a.price)
    assert.equal("requests 1, tokens 10", amounts("tier2", "fine"))
  end)

  it("replaces wholly what it mentions again", function()
    assert.equal("requests 5", amounts("tier2", "b"))
    assert.is_false(model(assert(load_tiers(TIERS, "tier2")), "b").blocked)
    assert.equal("requests 100", amounts("tier3", "a"))
    assert.equal(1, model(assert(load_tiers(TIERS, "tier3")), "a").weight)
    assert.is_nil(model(assert(load_tiers(TIERS, "tier3")), "a").price)
  end)

  it("takes over what the other has taken over", function()
    assert.equal("requests 5", amounts("tier4", "b"))
    assert.equal("requests 3", amounts("tier4", "c"))
    assert.equal("requests 100", amounts("tier4", "a"))
    assert.is_nil(model(assert(load_tiers(TIERS, "tier1")), "c"))
  end)

  it("does not change the other", function()
    assert.equal("requests 1, tokens 10", amounts("tier1", "a"))
    assert.is_true(model(assert(load_tiers(TIERS, "tier1")), "b").blocked)
  end)

  it("is told where a wrong number was written", function()
    local body = "tier 'tier1' {\na = { rpm = -1 } },\ntier 'tier2' { inherit 'tier1' }"
    check({ { body, 3, "rpm", 'in tier "tier1"' } }, function(text) return load_tiers(text, "tier2") end)
  end)

  it("must name a tier above it, first and once", function()
    check({
      { "tier 'tier1' {},\ntier 'tier2' {\ninherit 'tire1' }", 4, "tire1",
        'tire1 of tier "tier2" is to be inherited, but no tier of that name stands above; did you mean "tier1"?' },
      { "tier 'tier2' { inherit 'tier1' },\ntier 'tier1' {}", 2, "tier1", "stands above; there is none above." },
      { "tier 'tier1' { inherit 'tier1' }", 2, "tier1", "no tier of that name stands above" },
      { "tier 'a' { inherit 'b' },\ntier 'b' { inherit 'a' }", 2, "b", "no tier of that name stands above" },
      { "tier 'a' {},\ntier 'b' {},\ntier 'c' { inherit 'a',\ninherit 'b' }", 4, "c", "may inherit one tier" },
      { "tier 'a' {},\ntier 'c' { m = inherit 'a' }", 3, "c", "may inherit one tier, which is named" },
      { "tier 'a' {},\ntier 'c' {\ninherit 'a', 5 }", 3, "c", "has an entry without a model's name" },
      { "tier 'a' {},\ntier 'c' {\ninherit { 'a' } }", 4, "inherit", 'like inherit "tier1", not a table.' },
      { "inherit 'a',\ntier 'c' {}", 1, "openai", "holds a tier to inherit without a name" },
    }, function(body) return load_tiers(body, "free") end)
  end)
end)

describe("weight and price", function()
  it("are 1 and none unless an entry says otherwise", function()
    local set = assert(load_tiers [[tier "free" { a = { rpm = 1 },
      b = { weight = 0.5, price = { input = 0.15, output = 0.6, request = 0, image = 0.04 } } }]])
    assert.equal(1, model(set, "a").weight)
    assert.is_nil(model(set, "a").price)
    assert.equal(0.5, model(set, "b").weight)
    assert.same({ input = 0.15, output = 0.6, request = 0, image = 0.04 }, model(set, "b").price)
  end)

  it("of an override win, each on its own, and are no limits", function()
    local body = "tier 'free' { a = { rpm = 1, weight = 3, price = { input = 1 } } }, families = { a = { 'fine' } }"
    local set = assert(load_tiers(body, "free", "return { a = { weight = 4 }, new = { price = { request = 2 } } }"))
    assert.equal(4, model(set, "a").weight)
    assert.same({ input = 1 }, model(set, "a").price)
    assert.equal(1, #model(set, "a").limits)
    assert.same({ request = 2 }, model(set, "new").price)
    assert.equal(1, model(set, "new").weight)
    set = assert(load_tiers(body, "free", "return { a = { price = { output = 2 } }, fine = { weight = 9 } }"))
    assert.same({ output = 2 }, model(set, "a").price)
    assert.equal(3, model(set, "a").weight)
    assert.equal(9, model(set, "fine").weight)
  end)

  it("of a family are its head's unless a member says otherwise", function()
    local body = "tier 'free' { a = { weight = 3, price = { input = 1 } } }, families = { a = { 'fine', 'loud' } }"
    local set = assert(load_tiers(body, "free", "return { a = { weight = 4 }, loud = { price = { input = 8 } } }"))
    assert.equal(4, model(set, "fine").weight)
    assert.same({ input = 1 }, model(set, "fine").price)
    assert.equal(4, model(set, "loud").weight)
    assert.same({ input = 8 }, model(set, "loud").price)
    assert.same({ input = 1 }, model(set, "a").price)
  end)

  it("are read from JSON as from Lua", function()
    local function json(text)
      assert.equal("{}", text)
      return { a = { rpm = 5, weight = 2, price = { input = 1, output = 2 } } }
    end
    local set = assert(support.load { overrides = { file = "my.json", text = "{}" }, json = json })
    assert.equal(2, model(set, "a").weight)
    assert.same({ input = 1, output = 2 }, model(set, "a").price)
  end)

  it("are a copy, which the script does not hold", function()
    local set = assert(load_tiers("tier 'free' {}", "free",
      "local p = { input = 1 } return { a = { price = p }, b = { price = p } }"))
    assert.are_not.equal(model(set, "a").price, model(set, "b").price)
  end)

  local rows = {
    { "weight = 0", "weight", "must be a number above 0, not 0." },
    { "weight = -1", "weight", "not -1." },
    { "weight = 0/0", "weight", "not nan." },
    { "weight = inf", "weight", "not inf." },
    { "weight = '3'", "weight", 'not "3".' },
    { "weight = usd(3)", "weight", "not a sum of money." },
    { "price = 5", "price", "must be a table like { input = 0.15, output = 0.60 }, US dollars for a million tokens," },
    { "price = usd(5)", "price", "not a sum of money." },
    { "price = {}", "price", "must be a table like" },
    { "price = { 5 }", "price", "holds a value without a name" },
    { "price = { inptu = 5 }", "inptu", 'is unknown; did you mean "input"?' },
    { "price = { cached = 5 }", "cached", "is unknown; the known fields are image, input, output, request." },
    { "price = { input = -5 }", "input", 'in the price of model "a"' },
    { "price = { input = usd(5) }", "input", "must be a number of US dollars from 0, not a sum of money." },
    { "price = { input = 0/0 }", "input", "not nan." },
    { "price = { input = inf }", "input", "not inf." },
    { "wieght = 2", "wieght", 'did you mean "weight"?' },
  }

  it("are judged in tables and overrides alike", function()
    for _, row in ipairs(rows) do
      local with_line = { { "a = {\n" .. row[1] .. " }", 3, row[2], row[3] } }
      check(with_line, function(entry) return load_tiers("tier 'free' { " .. entry .. " }") end)
      with_line[1][2] = 2
      check(with_line, function(entry) return load_tiers("tier 'free' {}", "free", "return { " .. entry .. " }") end)
    end
  end)

  it("are no fields of a scope", function()
    for _, field in ipairs { "weight", "price", "blocked" } do
      check({ { "return {\n['team:a'] = { " .. field .. " = 1 } }", 2, field, 'of scope "team:a" is unknown' } },
        function(text) return support.load { overrides = text } end)
    end
  end)
end)
