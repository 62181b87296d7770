-- What a scopes hook may return, and what becomes of it.

local support = dofile "tests/spec/support.lua"
local scopes = require "llm_limiters.scopes"
local contains = support.contains

local function hook(body)
  local set, err = support.load { policy = "local LIMITS = { rpm = 60 }\nreturn policy { api = 1, name = 'x', "
    .. "scopes = function(req, model)\n" .. body .. "\nend }" }
  return assert(set, err and err.message).policy.scopes
end

local function read(body)
  return scopes.read(hook(body)({}, {}), "policy.lua")
end

local RPM_60 = { meter = "requests", law = "bucket", amount = 60, window = 60, guard = 0, charged = "used" }

describe("a scopes hook", function()
  it("may return nothing, names, and tables with limits", function()
    assert.same({}, read "")
    assert.same({}, read "return {}")
    assert.same({ { name = "team:acme" }, { name = "user:acme/ann", limits = { RPM_60 } } },
      read "return { 'team:acme', { name = 'user:acme/ann', limits = LIMITS } }")
  end)

  it("has the whole language for limits", function()
    local list = assert(read [[return { { name = "org:a", limits = { law = "sliding", rpm = 1, cost = usd(5)/month,
      tokens = 7/day { tz = "UTC" }, sessions = gauge(2), guard = 0.5 } } }]])
    assert.same({
      { meter = "requests", law = "sliding", amount = 1, window = 60, guard = 0.5, charged = "used" },
      { meter = "tokens", law = "calendar", amount = 7, unit = "day", zone = "UTC", guard = 0.5, charged = "used" },
      { meter = "sessions", law = "gauge", amount = 2, window = 3600, guard = 0, charged = "used" },
      { meter = "cost", law = "sliding", amount = 5e6, window = 2678400, guard = 0.5, charged = "used" },
    }, list[1].limits)
  end)

  it("is read once for each table that it wrote down", function()
    local ask = hook "return { { name = 'user:' .. req.user, limits = LIMITS } }"
    local first = assert(scopes.read(ask({ user = "ann" }), "policy.lua"))
    local second = assert(scopes.read(ask({ user = "bob" }), "policy.lua"))
    assert.equal("user:bob", second[1].name)
    assert.equal(first[1].limits, second[1].limits)
    local other = assert(scopes.read({ { name = "user:ann", limits = { rpm = 60 } } }, "policy.lua"))
    assert.are_not.equal(first[1].limits, other[1].limits)
  end)

  it("is not charged to a scope that enforces nothing", function()
    assert.same({ { name = "team:b" } },
      read "return { { name = 'team:a', limits = { rpm = 0, tpm = inf } }, { name = 'org:a', limits = {} }, 'team:b' }")
  end)

  it("takes names up to the engine's length", function()
    local name = "user:" .. ("x"):rep(250)
    assert.same({ { name = name } }, scopes.read { name })
  end)

  it("is told what is wrong", function()
    local rows = {
      { "return 'team:acme'", 'scopes must return a list, like { "team:acme" }, not "team:acme".' },
      { "return 5", "not 5." },
      { "return minute", "not a unit." },
      { "return { name = 'team:acme', limits = LIMITS }", "not a scope." },
      { "return { 5 }", 'names like "team:acme" or tables like { name = "user:ann", limits = { rpm = 60 } }, not 5.' },
      { "return { minute }", "not a unit." },
      { "return { { limits = LIMITS } }", "not nil." },
      { "return { 'acme' }", 'scope "acme" has no kind; it is one of key, org, team, tenant, user, as in team:acme.' },
      { "return { 'model:x' }", 'the scope "model:x" has no kind' },
      { "return { 'tem:acme' }", 'has an unknown kind of scope; did you mean "team:acme"?' },
      { "return { 'team:' }", "names a kind of scope only; team:name or team:* is expected." },
      { "return { 'team:*' }", "is of any name; the name of one is expected, like team:acme." },
      { "return { 'team:a\\nb' }", "must have a name of UTF-8 without control characters." },
      { "return { 'team:\\255' }", "must have a name of UTF-8 without control characters." },
      { "return { 'team:' .. ('x'):rep(251) }", "has a name of 256 bytes; at most 255 are expected." },
      { "return { 'team:a', { name = 'team:a', limits = LIMITS } }", 'returned "team:a" twice' },
      { "return { { name = 'team:a' } }", 'of scope "team:a" must be a table like { rpm = 60 }, not nil; a scope' },
      { "return { { name = 'team:a', limits = 60/minute } }", "must be like { rpm = 10 }" },
      { "return { { name = 'team:a', limits = 60 } }", "not 60; a scope whose limits the overrides give is its name" },
      { "return { { name = 'team:a', limit = LIMITS } }", 'field limit of a scope is unknown; did you mean "limits"?' },
      { "return { { name = 'team:a', limits = { rmp = 5 } } }", 'of scope "team:a" is unknown; did you mean "rpm"?' },
      { "return { { name = 'team:a', limits = { rpm = -5 } } }", "must be a whole number from 1" },
      { "return { { name = 'team:a', limits = { weight = 5 } } }", 'weight of scope "team:a" is unknown' },
      { "local t = {} for i = 1, 8 do t[i] = 'team:' .. i end return t",
        "scopes returned 8 scopes; a call is charged to at most 7." },
    }
    for _, row in ipairs(rows) do
      local list, message = read(row[1])
      assert.is_nil(list, row[1])
      contains(message, row[2])
      contains(message, "policy.lua: ")
    end
  end)

  it("that fails for another reason is not explained away", function()
    local broken = setmetatable({}, { __index = function() error("no memory", 0) end })
    assert.has_error(function() scopes.read(broken, "policy.lua") end, "no memory")
  end)

  it("is judged anew after a mistake", function()
    local limits = { rpm = -1 }
    assert.is_nil(scopes.read { { name = "team:a", limits = limits } })
    limits.rpm = 60
    assert.same({ RPM_60 }, scopes.read({ { name = "team:a", limits = limits } })[1].limits)
  end)
end)
