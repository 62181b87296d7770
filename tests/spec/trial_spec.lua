-- The table that a policy's test gives goes over as a text: what is read back from it is what was written down.

local support = dofile "tests/spec/support.lua"
local trial = require "llm_limiters.trial"
local contains = support.contains

-- The table of models that a script writes down, and its text.
local function cross(body)
  local models
  local set, err = support.load {
    policy = "return policy { api = 1, name = 'x', test = function(t) t { models = {" .. body .. "} } end }",
  }
  assert(set, err and err.message).policy.test(function(setup)
    models = trial.text(setup)
  end)
  return models
end

local function read(text)
  local set, err = support.load { overrides = text, guard = 0 }
  assert(set, err and err.message .. "\n" .. text)
  return support.dump { set.models, set.scopes }
end

describe("the models of a policy's test", function()
  it("are the same on the other side", function()
    for _, body in ipairs {
      "", "a = {}", "a = { rpm = 1 }, b = { rpm = 2, weight = 0.1, blocked = true }",
      "a = { requests = { 10/minute, 250/pacific_day, 3/week { tz = 'Europe/Berlin' } }, tokens = 250e3/hour }",
      "a = { cost = usd(50)/month }, b = { cost = { usd(0.000001)/day, usd(inf)/hour, usd(0)/week } }",
      "a = { cost = usd(1099511.627775)/day, tokens = 1099511627775/day }",
      "a = { sessions = gauge(3, 900), requests = gauge(2) }, b = { sessions = 4 }",
      "a = { rpm = inf, tpm = 0, law = 'bucket', charged = 'reserved', guard = 0.25 }",
      "a = { price = { input = 0.15, output = 0.6 } }, b = { price = { request = 1 / 3 } }",
      "['a@k 1'] = { rpm = 1 }, ['we\"ird\\\\'] = { rpm = 1 }, ['team:*'] = { rpm = 6 }, ['user:a/b'] = { tpm = 7 }",
    } do
      assert.equal(read("return {" .. body .. "}"), read(cross(body)), body)
    end
  end)

  it("are told apart from what is none", function()
    local rows = {
      { 5, "t takes a table like { models = { a = { rpm = 1 } } }: models is missing." },
      { {}, "models is missing." },
      { { models = 5 }, "models is missing." },
      { { models = {}, tier = "free" }, "field tier is unknown; the known field is models." },
      { { models = { a = { rpm = 0 / 0 } } }, "a limit must be a number, not nan." },
      { { models = { a = { rpm = -math.huge } } }, "a limit must be a number, not -inf." },
      { { models = { a = { rpm = print } } }, "a function is no limit." },
    }
    for _, row in ipairs(rows) do
      local ok, message = pcall(trial.text, row[1])
      assert.is_false(ok)
      contains(message, row[2])
    end
    local deep = {}
    deep.a = deep
    local ok, message = pcall(trial.text, { models = deep })
    assert.is_false(ok)
    contains(message, "it is nested too deeply.")
    ok, message = pcall(cross, "a = { requests = minute }")
    assert.is_false(ok)
    contains(message, "a unit is no limit.")
  end)

  it("keep what is wrong, for the overrides to judge", function()
    local set, err = support.load { overrides = cross "a = { rmp = 1 }" }
    assert.is_nil(set)
    contains(err.message, 'field rmp of model "a" is unknown; did you mean "rpm"?')
    set, err = support.load { overrides = cross "{ rpm = 1 }" }
    assert.is_nil(set)
    contains(err.message, "an entry without a model's name")
  end)
end)
