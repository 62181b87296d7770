-- Waiting by the sleep function of a host. Time is virtual: who sleeps moves the clock, or yields to who does.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"
local open, used = support.open, support.used

local LIMITS = { custom_limits = { a = { tpm = 1000 }, b = { tpm = 1000 } } }

describe("waiting", function()
  local limiter, slept
  local function sleep(seconds)
    slept = slept + seconds
    limiter:advance(seconds)
  end

  before_each(function() limiter, slept = open(LIMITS), 0 end)

  it("sleeps until the very instant", function()
    assert.equal("a", limiter:wait("a", { tokens = 600 }, { sleep = sleep }).model_name)
    assert.equal(0, slept)
    local permit = limiter:wait({ "a" }, { tokens = 600 }, { sleep = sleep, timeout = 90 })
    assert.equal("a", permit.model_name)
    assert.is_true(math.abs(slept - 60) < 1e-6)
    permit:settle { tokens = 7 }
    assert.equal(7, used(limiter, "a", "tokens"))
  end)

  it("ends at its timeout, or at once where nothing helps", function()
    limiter:acquire("a", { tokens = 1000 })
    local permit, refusal = limiter:wait("a", { tokens = 1 }, { sleep = sleep, timeout = 5 })
    assert.is_nil(permit)
    assert.equal("later", refusal.code)
    assert.is_true(math.abs(slept - 5) < 1e-6)
    assert.equal("never", select(2, limiter:wait("a", { tokens = 1001 }, { sleep = sleep })).code)
    assert.is_true(select(2, limiter:wait("nobody", {}, { sleep = sleep })) == llm.errors.ModelNotFound)
  end)

  it("raises what the sleep function raises, and leaves the queue", function()
    limiter:acquire("a", { tokens = 1000 })
    local fine, why = pcall(limiter.wait, limiter, "a", { tokens = 1000 }, { sleep = function() error("woken", 0) end })
    assert.same({ false, "woken" }, { fine, why })
    assert.is_truthy(limiter:wait("a", { tokens = 1 }, { sleep = sleep, timeout = 60.1 }))
  end)

  it("leaves the queue when its sleep function raises in a coroutine, at the latest when that is collected", function()
    limiter:acquire("a", { tokens = 1000 })
    local function woken() error("woken", 0) end
    local fine, why = coroutine.resume(coroutine.create(function()
      return limiter:wait("a", { tokens = 1000 }, { sleep = woken })
    end))
    assert.same({ false, "woken" }, { fine, why })
    collectgarbage()
    collectgarbage()
    assert.is_truthy(limiter:wait("a", { tokens = 1 }, { sleep = sleep, timeout = 60.1 }))
  end)

  it("serves coroutines by priority and in order, and wakes by what is given back", function()
    local held, order, tasks = limiter:acquire("a", { tokens = 1000 }), {}, {}
    for i, priority in ipairs { 0, 0, 1 } do
      tasks[i] = coroutine.create(function()
        local permit = limiter:wait("a", { tokens = 1000 }, { sleep = coroutine.yield, priority = priority })
        order[#order + 1] = i
        permit:cancel()
      end)
    end
    local function round()
      for _, task in ipairs(tasks) do
        if coroutine.status(task) == "suspended" then assert(coroutine.resume(task)) end
      end
    end
    round()
    round()
    assert.same({}, order)
    held:cancel()
    for _ = 1, 3 do round() end
    assert.same({ 3, 1, 2 }, order)
  end)

  it("is over when nobody keeps the coroutine, or the limiter is closed", function()
    limiter:acquire("a", { tokens = 1000 })
    local function wait()
      local task = coroutine.create(function()
        return limiter:wait("a", { tokens = 1 }, { sleep = coroutine.yield })
      end)
      assert(coroutine.resume(task))
      return task
    end
    wait()
    collectgarbage()
    collectgarbage()
    limiter:advance(60)
    assert.is_truthy(limiter:wait("a", { tokens = 1000 }, { sleep = sleep, timeout = 0.001 }))
    local task = wait()
    limiter:close()
    local fine, permit, why = coroutine.resume(task)
    assert.is_true(fine)
    assert.is_nil(permit)
    assert.equal("the limiter was closed meanwhile", tostring(why))
  end)

  if coroutine.close then
    it("is over when its coroutine is closed", function()
      local held = limiter:acquire("a", { tokens = 1000 })
      local task = coroutine.create(function()
        return limiter:wait("a", { tokens = 1000 }, { sleep = coroutine.yield })
      end)
      assert(coroutine.resume(task))
      assert.is_true(coroutine.close(task))
      held:cancel()
      assert.is_truthy(limiter:wait("a", { tokens = 1000 }, { sleep = sleep, timeout = 0.001 }))
    end)
  end

  it("does not mind who waits beyond its deadline", function()
    local held = limiter:acquire("a", { tokens = 1000 })
    local task = coroutine.create(function()
      return limiter:wait("a", { tokens = 1000 }, { sleep = coroutine.yield, timeout = 10 })
    end)
    assert(coroutine.resume(task))
    limiter:advance(11)
    held:cancel()
    assert.is_truthy(limiter:wait("a", { tokens = 1000 }, { sleep = sleep, timeout = 5 }))
  end)

  it("goes on by the limits that a reload gives a scope", function()
    limiter = support.open { custom_limits = { a = { rpm = 100 }, ["team:x"] = { tpm = 10 } }, scopes = 4 }
    assert(limiter:acquire("a", { tokens = 10, scopes = { "team:x" } }))
    local task = coroutine.create(function()
      return limiter:wait("a", { tokens = 10, scopes = { "team:x" } }, { sleep = coroutine.yield })
    end)
    assert(coroutine.resume(task))
    assert(limiter:reload { custom_limits = { a = { rpm = 100 }, ["team:x"] = { tpm = 100 } } })
    local _, permit = coroutine.resume(task)
    assert.equal("dead", coroutine.status(task))
    assert.equal("a", permit.model_name)
  end)

  it("survives a finalizer that closes the limiter", function()
    local function litter()
      for _ = 1, 200 do support.finalized(function() limiter:close() end) end
    end
    litter()
    local fine, why
    local pause = collectgarbage("setpause", 0)
    for _ = 1, 20000 do
      fine, why = pcall(limiter.wait, limiter, "a", { tokens = 1 }, { sleep = sleep, timeout = 0.001 })
      if not fine then break end
    end
    collectgarbage("setpause", pause)
    assert.is_false(fine)
    assert.matches("this limiter is closed", why)
  end)
end)
