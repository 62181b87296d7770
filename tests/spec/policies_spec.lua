-- The shipped policies and the examples: what their hooks return for requests and candidates of every sort, which are
-- plain data here, as hooks see them. Their own tests run in the limiter, when they are loaded.

local support = dofile "tests/spec/support.lua"
local result = require "llm_limiters.result"
local scopes = require "llm_limiters.scopes"

local SHIPPED = { "cheapest", "least_loaded", "priority", "sticky", "tenants", "weighted" }
local EXAMPLES = { "business_hours", "keys", "reserve", "short_to_small" }
local METERS = {
  "requests", "tokens", "input_tokens", "output_tokens", "images", "audio_ms", "characters", "sessions", "cost",
}

-- The hours of a zone that is always two hours before UTC, from Thursday, 1 January 1970.
local function local_time(instant, zone)
  assert.equal("Europe/Berlin", zone)
  local hours = math.floor(instant / 3600) + 2
  local days = math.floor(hours / 24)
  return { hour = hours % 24, weekday = (days + 3) % 7 + 1 }
end

local function policy_of(path)
  local set, err = support.load { policy = { file = path, text = support.read(path) }, local_time = local_time }
  return assert(set, err and err.message).policy
end

local function shipped(name) return policy_of("policies/" .. name .. ".lua") end
local function example(name) return policy_of("examples/policies/" .. name .. ".lua") end

local function request(fields)
  local req = { max_output_tokens = 0, random = 0.5, at = 0 }
  for _, meter in ipairs(METERS) do req[meter] = 0 end
  for name, value in pairs(fields or {}) do req[name] = value end
  return req
end

-- Candidates by name; room is what m:room() answers.
local function pool_of(list)
  local pool = {}
  for i, item in ipairs(list) do
    local m = { name = item[1], provider = "custom", weight = item.weight or 1, price = item.price, cooling = false,
      strikes = 0, inflight = 0 }
    function m.room(self)
      if self ~= m then error("room is called with a colon", 2) end
      return item.room or 1
    end
    pool[i] = m
  end
  return pool
end

-- The names of the plan, which must hold candidates of the pool, each once; the pool itself stays as it was.
local function plan_of(policy, req, pool)
  local before, names, seen = {}, {}, {}
  for i, m in ipairs(pool) do before[m], before[i] = true, m end
  for i, m in ipairs(policy.route(req, pool)) do
    if not before[m] or seen[m] then error("the plan has another candidate, or one twice", 2) end
    names[i], seen[m] = m.name, true
  end
  for i, m in ipairs(pool) do
    if before[i] ~= m then error("the pool was changed", 2) end
  end
  return table.concat(names, " ")
end

describe("every policy that comes with the library", function()
  it("is a lesson of 10 to 60 lines with a test of its own", function()
    local paths = {}
    for _, name in ipairs(SHIPPED) do paths[#paths + 1] = "policies/" .. name .. ".lua" end
    for _, name in ipairs(EXAMPLES) do paths[#paths + 1] = "examples/policies/" .. name .. ".lua" end
    for _, path in ipairs(paths) do
      local _, lines = support.read(path):gsub("\n", "\n")
      if path ~= "examples/policies/short_to_small.lua" then -- ten lines for a beginner
        assert.is_true(lines >= 10 and lines <= 60, path .. " has " .. lines .. " lines")
        assert.is_function(policy_of(path).test, path)
        assert.is_truthy(support.read(path):find("\n-- The lesson: ", 1, true), path)
      end
    end
    for _, name in ipairs(SHIPPED) do assert.equal(name, shipped(name).name) end
  end)
end)

describe("weighted", function()
  local weighted = shipped "weighted"

  local function plan(random, list)
    return plan_of(weighted, request { random = random }, pool_of(list))
  end

  it("draws the first by weight, and the others from what is left of the number", function()
    local list = { { "a", weight = 3 }, { "b" } }
    assert.equal("a b", plan(0, list))
    assert.equal("a b", plan(0.7499, list))
    assert.equal("b a", plan(0.75, list))
    assert.equal("b a", plan(0.9999999, list))
    assert.equal("a c b", plan(0.25, { { "a" }, { "b" }, { "c" } })) -- the middle of a's third is c's half
    assert.equal("a", plan(0.3, { { "a", weight = 1e-9 } }))
    assert.equal("", plan(0.3, {}))
  end)

  it("gives every order its share", function()
    local count, n = {}, 6000
    for i = 0, n - 1 do
      local order = plan((i + 0.5) / n, { { "a", weight = 3 }, { "b", weight = 2 }, { "c", weight = 1 } })
      count[order] = (count[order] or 0) + 1
    end
    local expected = {
      ["a b c"] = 2000, ["a c b"] = 1000, ["b a c"] = 1500, ["b c a"] = 500, ["c a b"] = 600, ["c b a"] = 400,
    }
    for order, share in pairs(expected) do assert.is_true(math.abs(count[order] - share) <= 2, order) end
  end)

  it("keeps every model whatever the weights and the number", function()
    for i = 0, 999 do
      local order = plan(i / 1000, { { "a", weight = 1e-9 }, { "b", weight = 1e9 }, { "c", weight = 0.1 } })
      assert.equal(5, #order)
    end
  end)
end)

describe("least_loaded", function()
  local least_loaded = shipped "least_loaded"

  it("orders by the room that is left, and equals as the caller has them", function()
    local list = { { "a", room = 0.5 }, { "b", room = 0.9 }, { "c", room = 0.5 }, { "d", room = 0 }, { "e" } }
    assert.equal("e b a c d", plan_of(least_loaded, request(), pool_of(list)))
    local equals, names = {}, {}
    for i = 1, 40 do
      names[i] = "m" .. i
      equals[i] = { names[i], room = 0.3 }
    end
    assert.equal(table.concat(names, " "), plan_of(least_loaded, request(), pool_of(equals)))
    assert.equal("", plan_of(least_loaded, request(), {}))
  end)

  it("asks each model for its room once", function()
    local asked = 0
    local pool = pool_of { { "a" }, { "b" }, { "c" } }
    for _, m in ipairs(pool) do
      m.room = function()
        asked = asked + 1
        return 1
      end
    end
    plan_of(least_loaded, request(), pool)
    assert.equal(3, asked)
  end)
end)

describe("cheapest", function()
  local cheapest = shipped "cheapest"

  local function plan(fields, list) return plan_of(cheapest, request(fields), pool_of(list)) end

  local IN_OUT = { { "reader", price = { input = 1, output = 9 } }, { "talker", price = { input = 3, output = 3 } } }

  it("compares what the request costs, not a price", function()
    assert.equal("reader talker", plan({ input_tokens = 900, output_tokens = 100 }, IN_OUT))
    assert.equal("talker reader", plan({ input_tokens = 100, output_tokens = 900 }, IN_OUT))
    assert.equal("talker reader", plan({ input_tokens = 100, max_output_tokens = 900 }, IN_OUT))
    assert.equal("reader talker", plan({ tokens = 1000, output_tokens = 100 }, IN_OUT))
    assert.equal("talker reader", plan({ tokens = 1000, output_tokens = 900 }, IN_OUT))
    assert.equal("reader talker", plan({ characters = 4000, max_output_tokens = 100 }, IN_OUT))
    assert.equal("talker reader", plan({ characters = 400, max_output_tokens = 900 }, IN_OUT))
    assert.equal("talker reader", plan({ max_output_tokens = 900 }, IN_OUT))
  end)

  it("counts requests and images", function()
    local list = { { "flat", price = { request = 0.01 } }, { "image", price = { image = 0.004 } } }
    assert.equal("image flat", plan({ images = 1 }, list))
    assert.equal("flat image", plan({ images = 3 }, list))
  end)

  it("compares something typical when nothing is declared", function()
    assert.equal("talker reader", plan({}, IN_OUT))
    assert.equal("b a", plan({}, { { "a", price = { image = 2 } }, { "b", price = { image = 1 } } }))
  end)

  it("puts what has no price last, and equals as the caller has them", function()
    local list = { { "x" }, { "a", price = { input = 2 } }, { "y" }, { "b", price = { input = 2 } } }
    assert.equal("a b x y", plan({ input_tokens = 5 }, list))
    assert.equal("x", plan({}, { { "x" } }))
  end)
end)

describe("sticky", function()
  local sticky = shipped "sticky"

  local function favourites(list, n, from)
    local first = {}
    for i = 1, n do
      local session = "session-" .. i + (from or 0)
      first[session] = plan_of(sticky, request { session = session }, pool_of(list)):match "^%S+"
    end
    return first
  end

  local function count(first)
    local of = {}
    for _, name in pairs(first) do of[name] = (of[name] or 0) + 1 end
    return of
  end

  it("keeps the caller's order without a session", function()
    local pool = pool_of { { "b" }, { "a" } }
    assert.equal(pool, sticky.route(request(), pool))
  end)

  it("gives a session one order, whatever the caller's", function()
    local one = plan_of(sticky, request { session = "s" }, pool_of { { "a" }, { "b" }, { "c" } })
    assert.equal(one, plan_of(sticky, request { session = "s", random = 0.9 }, pool_of { { "c" }, { "a" }, { "b" } }))
    assert.equal("a", plan_of(sticky, request { session = "" }, pool_of { { "a" } }))
  end)

  it("spreads the sessions evenly, or by weight", function()
    local even = count(favourites({ { "gpt-4o" }, { "gpt-4o-mini" }, { "gemini-2.5-flash" } }, 3000))
    for _, n in pairs(even) do assert.is_true(n > 900 and n < 1100, tostring(n)) end
    local heavy = count(favourites({ { "a", weight = 3 }, { "b" } }, 4000))
    assert.is_true(heavy.a > 2880 and heavy.a < 3120, tostring(heavy.a))
  end)

  it("moves only the sessions of a model that goes", function()
    local with = favourites({ { "a" }, { "b" }, { "c" } }, 500)
    local without = favourites({ { "a" }, { "c" } }, 500)
    local moved = {}
    for session, name in pairs(with) do
      if name == "b" then
        moved[without[session]] = true
      else
        assert.equal(name, without[session])
      end
    end
    assert.same({ a = true, c = true }, moved) -- to more than one
  end)

  it("keeps the caller's order for a name that is there twice", function()
    local pool = pool_of { { "a", weight = 1 }, { "a", weight = 1 } }
    assert.equal(pool[1], sticky.route(request { session = "s" }, pool)[1])
  end)
end)

describe("tenants", function()
  local function names(fields)
    local list = {}
    local read = assert(scopes.read(shipped("tenants").scopes(request(fields), {}), "tenants.lua"))
    for i, scope in ipairs(read) do
      assert.is_nil(scope.limits)
      list[i] = scope.name
    end
    return table.concat(list, " ")
  end

  it("names the scopes of the tags, within their organisation", function()
    assert.equal("", names {})
    assert.equal("org:acme", names { org = "acme" })
    assert.equal("team:red", names { team = "red" })
    assert.equal("user:ann", names { user = "ann" })
    assert.equal("org:acme team:acme/red", names { org = "acme", team = "red" })
    assert.equal("org:acme user:acme/ann", names { org = "acme", user = "ann" })
    assert.equal("team:red user:ann", names { team = "red", user = "ann" })
    assert.equal("org:acme team:acme/red user:acme/ann", names { org = "acme", team = "red", user = "ann" })
  end)
end)

describe("the example", function()
  it("keys orders by model, then by the room of its keys", function()
    local keys = example "keys"
    local list = { { "big@k1", room = 0.2 }, { "small@k1" }, { "big@k2", room = 0.8 }, { "plain" }, { "big@k3",
      room = 0.2 } }
    assert.equal("big@k2 big@k1 big@k3 small@k1 plain", plan_of(keys, request(), pool_of(list)))
  end)

  it("keys cools no key but the one that was refused", function()
    local keys = example "keys"
    local m = { name = "big@k1", strikes = 1 }
    local function seconds(r)
      r.random = 0
      local list = assert(result.read(keys.result({}, m, r), m, "keys.lua"))
      if list[1] then assert.equal("model", list[1].scope) end
      return list[1] and list[1].seconds
    end
    assert.equal(3600, seconds { kind = "quota", scope = "credential" })
    assert.equal(5, seconds { kind = "rate", scope = "family", family = "big", retry_after = 5 })
    assert.equal(60, seconds { kind = "rate", live = true })
    assert.is_nil(seconds { kind = "ok" })
  end)

  it("reserve charges batch jobs to a share", function()
    local reserve = example "reserve"
    local function read(fields, name)
      return assert(scopes.read(reserve.scopes(request(fields), { name = name }), "reserve.lua"))
    end
    assert.same({}, read({}, "gpt-4o"))
    assert.same({}, read({ priority = "interactive" }, "gpt-4o"))
    assert.same({}, read({ priority = "batch" }, "other"))
    local list = read({ priority = "batch" }, "gpt-4o")
    assert.equal("tenant:batch/gpt-4o", list[1].name)
    assert.equal(2, #list[1].limits)
    assert.equal("bucket", list[1].limits[1].law)
    assert.equal("sliding", read({ priority = "batch" }, "gemini-2.5-flash")[1].limits[1].law)
  end)

  it("business_hours charges batch jobs by the hour", function()
    local business_hours = example "business_hours"
    local function scope_at(hours, priority)
      local req = request { priority = priority or "batch", at = hours * 3600 }
      local list = assert(scopes.read(business_hours.scopes(req, {}), "business_hours.lua"))
      return list[1] and list[1].name
    end
    assert.is_nil(scope_at(7, "interactive"))
    assert.equal("tenant:batch/free", scope_at(6.9)) -- Thursday, 8:54 there
    assert.equal("tenant:batch/work", scope_at(7))
    assert.equal("tenant:batch/work", scope_at(15.9))
    assert.equal("tenant:batch/free", scope_at(16))
    assert.equal("tenant:batch/work", scope_at(24 + 10))
    assert.equal("tenant:batch/free", scope_at(48 + 10)) -- Saturday
    assert.equal("tenant:batch/free", scope_at(72 + 10))
    assert.equal("tenant:batch/work", scope_at(96 + 10))
  end)

  it("short_to_small turns the list around for short prompts", function()
    local short = example "short_to_small"
    local list = { { "a" }, { "b" }, { "c" } }
    assert.equal("c b a", plan_of(short, request { tokens = 500 }, pool_of(list)))
    assert.equal("a b c", plan_of(short, request { tokens = 501 }, pool_of(list)))
  end)
end)
