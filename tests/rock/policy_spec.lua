-- Policies in a host's own VM: hooks, faults, reloads, and what of the host stays as it was.

local support = dofile "tests/rock/support.lua"
local open, used = support.open, support.used

local LIMITS = { a = { rpm = 5, tpm = 1000 }, b = { rpm = 5, tpm = 1000 }, c = { rpm = 5 } }

local function policy(body)
  return support.file('return policy { api = 1, name = "spec", ' .. body .. " }")
end

local REVERSED = "route = function(req, pool) return { pool[2], pool[1] } end"

describe("a policy in the host's VM", function()
  after_each(support.clean)

  it("routes, estimates, adds scopes and judges answers", function()
    local limiter = open { custom_limits = LIMITS, policy = policy [[
      estimate = function(req) return { tokens = req.size == "large" and 500 or 5 } end,
      scopes = function(req) return { { name = "team:" .. (req.team or "none"), limits = { rpm = 2 } } } end,
      route = function(req, pool)
        if req.wants == "b" then return { pool[2], pool[1] } end
        return pool
      end,
      result = function(req, m, r) if r.kind == "rate" then return cool(m, 7) end end]] }
    local permit = limiter:acquire({ "a", "b" }, { size = "large", wants = "b", team = "x" })
    assert.equal("b", permit.model_name)
    assert.same({ 500, 1 }, { used(limiter, "b", "tokens"), used(limiter, "team:x", "requests") })
    permit:reject { status = 429 }
    assert.equal(7, limiter:usage("b").cooling)
    assert.equal("a", limiter:acquire({ "a", "b" }, { wants = "b", team = "x" }).model_name)
    assert.equal("team:x", select(2, limiter:acquire({ "a", "b" }, { team = "x" })).scope)
    assert.equal(0, limiter:status().faults)
  end)

  it("that fails leaves the decision to the default, and the fault in sight", function()
    local limiter = open { custom_limits = LIMITS, policy = policy 'route = function() error("bad day") end' }
    assert.equal("a", limiter:acquire({ "a", "b" }).model_name)
    local status = limiter:status()
    assert.equal(1, status.faults)
    assert.matches("the policy's route hook failed: .*bad day", tostring(status.fault))
  end)

  it("returns a list however it was made, and nothing beside", function()
    for text, fault in pairs {
      ["return { [1] = pool[2], [2] = pool[1] }"] = false, ["return { [2] = pool[1], [1] = pool[2] }"] = false,
      ["return { [3] = pool[1], [2] = pool[3], [1] = pool[2] }"] = false,
      ["local t = {} for i = 3, 1, -1 do t[i] = pool[i % 3 + 1] end return t"] = false,
      ["return { [1] = pool[2], x = 1 }"] = true, ["return { x = 1, [2] = pool[1], [1] = pool[2] }"] = true,
    } do
      local limiter = open { custom_limits = LIMITS, policy = policy("route = function(_, pool) " .. text .. " end") }
      assert.equal(fault and "a" or "b", limiter:acquire({ "a", "b", "c" }).model_name, text)
      assert.equal(fault and 1 or 0, limiter:status().faults, text)
    end
  end)

  it("finds its pool as it should be, whatever an earlier call has left there", function()
    local limiter = open { custom_limits = LIMITS, policy = policy [[
      route = function(req, pool)
        local n = 0
        for _ in pairs(pool) do n = n + 1 end
        assert(n == 3 and #pool == 3 and pool[1].name == "a" and pool[3].name == "c")
        for i = 1, 3 do pool[i] = nil end
        for i = 1, 20 do pool["k" .. i] = i end
        pool[1.5], pool[7] = 1, 1
      end]] }
    for _ = 1, 3 do limiter:available { "a", "b", "c" } end
    assert.equal("route must return a list of candidates, not nil",
      tostring(limiter:status().fault):match "failed: (.*)$")
  end)

  it("is never bytecode, and reaches only its own words", function()
    local code = string.dump(function() return 1 end)
    for _, head in ipairs { "", "\239\187\191", "#!lua\n" } do
      assert.error_matches(function() open { policy = support.file(head .. code) } end, "cannot be read as Lua")
    end
    for _, word in ipairs { "_G", "getfenv", "jit", "load", "loadstring",
      "newproxy", "rawset", "require", "setfenv" } do
      assert.error_matches(function() open { policy = support.file(word .. "(1)\nreturn policy {}") } end,
        '"' .. word .. '" is no word here')
    end
    local leaking = policy "route = function(_, pool) leak = 1 return pool end"
    local limiter = open { custom_limits = LIMITS, policy = leaking }
    assert.is_truthy(limiter:acquire { "a", "b" })
    assert.is_nil(rawget(_G, "leak"))
  end)

  it("is tested in virtual time when it is loaded", function()
    local body = REVERSED .. [[, test = function(t)
      local w = t { models = { x = { rpm = 1 }, y = { rpm = %d } } }
      assert(w:acquire { "x", "y" } == "y")
      assert(w:acquire { "x", "y" } == "y", "y has room for two")
    end]]
    assert.equal("b", open { custom_limits = LIMITS, policy = policy(body:format(2)) }:acquire({ "a", "b" }).model_name)
    assert.error_matches(function() open { policy = policy(body:format(1)) } end, "test failed: y has room for two")
    collectgarbage()
    collectgarbage()
  end)

  it("may be a shipped one", function()
    for _, name in ipairs { "priority", "weighted", "least_loaded", "cheapest", "sticky", "tenants" } do
      local limiter = open { custom_limits = LIMITS, policy = name }
      assert.is_truthy(limiter:acquire({ "a", "b" }, { session = "s", user = "u" }))
    end
  end)

  it("changes nothing of the host", function()
    local globals, methods = {}, getmetatable("").__index
    for name, value in pairs(_G) do globals[name] = value end
    local hook = { debug.gethook() }
    local limiter = open { custom_limits = LIMITS, policy = policy(REVERSED .. ", scopes = function() x = 1 end") }
    limiter:acquire { "a", "b" }
    limiter:close()
    for name, value in pairs(_G) do assert.equal(globals[name], value, name) end
    assert.equal(string, methods)
    assert.equal("aa", ("a"):rep(2))
    assert.same(hook, { debug.gethook() })
    assert.equal(#("x"):rep(2000), 2000)
  end)

  it("works from any coroutine, also if that which opened it is gone", function()
    local path = policy(REVERSED)
    local limiter = coroutine.wrap(function() return open { custom_limits = LIMITS, policy = path } end)()
    collectgarbage()
    collectgarbage()
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = coroutine.wrap(function()
        local permit = limiter:acquire({ "a", "b" }, { tokens = i })
        coroutine.yield(permit.model_name)
        return permit:settle { tokens = 10 * i }
      end)
    end
    for _, task in ipairs(tasks) do assert.equal("b", task()) end
    for _, task in ipairs(tasks) do assert.is_true(task()) end
    assert.equal(150, used(limiter, "b", "tokens"))
  end)

  it("leaves nothing in the registry when its limiter ends", function()
    local function size()
      collectgarbage()
      collectgarbage()
      local n = 0
      for key in pairs(debug.getregistry()) do n = n + (type(key) == "userdata" and 1 or 0) end
      return n
    end
    local path = policy(REVERSED)
    local before = size()
    for i = 1, 3 do
      local limiter = open { custom_limits = LIMITS, policy = path }
      limiter:acquire { "a", "b" }
      assert(limiter:reload { policy = "tenants" })
      if i == 1 then limiter:close() end
    end
    assert.equal(before, size())
  end)

  it("keeps away from a limiter at work: a finalizer may end permits, and ask others", function()
    local other = open { custom_limits = LIMITS }
    local limiter = open { custom_limits = LIMITS, policy = policy [[route = function(req, pool)
      local waste = {}
      for i = 1, 2000 do waste[i % 10] = { i } end
      return pool[2] and { pool[2], pool[1] } or pool
    end]] }
    local told, live = {}, 0
    local function litter()
      for _ = 1, 50 do
        live = live + 1
        local permit = limiter:acquire("a", { tokens = 1 })
        support.finalized(function()
          told.ended = permit and permit:cancel() or told.ended
          told.other = other:acquire("a") ~= nil or told.other
          local fine, why = pcall(limiter.acquire, limiter, { "a", "b" })
          told.fine, told.why = told.fine or fine, not fine and why or told.why
        end)
      end
    end
    for _ = 1, 20 do
      litter()
      assert.is_truthy(limiter:acquire({ "a", "b" }) or true)
      limiter:advance(60)
    end
    assert.matches("this limiter is at work", told.why)
    assert.equal(0, limiter:status().faults)
  end)
end)

describe("a reload", function()
  after_each(support.clean)

  it("puts another policy in force, and counts stay", function()
    local path = policy(REVERSED)
    local limiter = open { custom_limits = LIMITS, policy = path }
    assert.equal("b", limiter:acquire({ "a", "b" }, { tokens = 10 }).model_name)
    assert.equal(1, limiter:reload())
    support.file('return policy { api = 1, name = "spec" }', path)
    assert.equal(2, limiter:reload())
    assert.equal("a", limiter:acquire({ "a", "b" }).model_name)
    assert.equal(10, used(limiter, "b", "tokens"))
  end)

  it("keeps nothing of what was in force before, though a hook may reach the policy", function()
    local text = 'here = policy { api = 1, name = "spec", route = function() return here and {} end }\nreturn here'
    local paths = { support.file(text), support.file(text .. "\n") }
    local limiter = open { custom_limits = LIMITS }
    local function more()
      for i = 1, 30 do assert(limiter:reload { custom_limits = LIMITS, policy = paths[1 + i % 2] }) end
      for _ = 1, 10 do collectgarbage() end
      return collectgarbage "count"
    end
    local kept = support.interpreted(function()
      more()
      local before = more()
      return more() - before
    end)
    assert.is_true(kept < 200, kept .. " KiB")
  end)

  it("that is wrong changes nothing", function()
    local path = policy(REVERSED)
    local limiter = open { custom_limits = LIMITS, policy = path }
    support.file("return policy { api = 1,\n rute = 5 }", path)
    local generation, fault = limiter:reload()
    assert.is_nil(generation)
    assert.same({ "config", path, 2, "rute" }, { fault.code, fault.file, fault.line, fault.field })
    assert.matches("did you mean \"route\"", tostring(fault))
    assert.equal("b", limiter:acquire({ "a", "b" }).model_name)
    local status = limiter:status()
    assert.same({ 1, 1, tostring(fault) }, { status.generation, status.failed_reloads, tostring(status.reload_fault) })
  end)

  it("takes other limits, and leaves what it does not mention as the tier has it", function()
    local limiter = open { custom_limits = { a = { rpm = 1 } } }
    local permit = limiter:acquire("a")
    assert.is_nil(limiter:acquire "a")
    assert.equal(2, limiter:reload { custom_limits = { a = { rpm = 2 } } })
    assert.is_truthy(limiter:acquire "a")
    assert.is_nil(limiter:acquire "a")
    assert.equal(2, limiter:reload())
    assert.equal(3, limiter:reload {})
    assert.equal("unknown_model", select(2, limiter:acquire "a").code)
    assert.is_true(permit:cancel())
    local _, fault = limiter:reload { custom_limits = { a = { rpm = "x" } } }
    assert.same({ "config", "custom_limits" }, { fault.code, fault.file })
    assert.matches("^custom_limits: field rpm of model \"a\"", tostring(fault))
  end)
end)
