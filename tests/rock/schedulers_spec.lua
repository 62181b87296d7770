-- Waiting, sessions and watching under real schedulers. They switch between the tasks; time is virtual, and who sleeps
-- moves it on when every other task has had its turn.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"

local cqueues, luv = require "cqueues", require "luv"

local schedulers = {}

local queue = cqueues.new()
schedulers.cqueues = {
  spawn = function(task) queue:wrap(task) end,
  yield = function() cqueues.sleep(0) end,
  run = function() assert(queue:loop()) end,
}

local failure -- of a task under luv, which has no way to tell

local function resume(task)
  local fine, why = coroutine.resume(task)
  if not fine then failure = why end
end

local function after(milliseconds, task)
  local timer = luv.new_timer()
  timer:start(milliseconds, 0, function()
    timer:close()
    resume(task)
  end)
end

schedulers.luv = {
  spawn = function(task) after(0, coroutine.create(task)) end,
  yield = function()
    after(0, coroutine.running())
    coroutine.yield()
  end,
  run = luv.run,
}

for _, name in ipairs { "cqueues", "luv" } do
  local scheduler = schedulers[name]

  describe("under " .. name, function()
    local limiter
    local function sleep(seconds)
      scheduler.yield()
      limiter:advance(seconds)
    end

    -- Runs so many tasks at once until all have ended.
    local function run(n, task)
      local ended = 0
      for i = 1, n do
        scheduler.spawn(function()
          task(i)
          ended = ended + 1
        end)
      end
      scheduler.run()
      assert.is_nil(failure)
      assert.equal(n, ended)
    end

    it("tasks wait their turns", function()
      limiter = support.open { custom_limits = { a = { rpm = 2 } } }
      local began, order, at = {}, {}, {}
      run(6, function(i)
        began[#began + 1] = i
        local permit = assert(limiter:wait("a", nil, { sleep = sleep }))
        order[#order + 1], at[#at + 1] = i, limiter:now()
        permit:settle()
      end)
      assert.same(began, order)
      for i = 3, 6 do assert.is_true(at[i] - at[i - 2] >= 60) end
      assert.is_true(at[6] - at[1] < 121)
    end)

    it("limited functions fall back while others are under way", function()
      limiter = support.open { custom_limits = { a = { rpm = 10 }, b = { rpm = 10 } } }
      local call = limiter:limit({ "a", "b" }, function(i, call)
        scheduler.yield()
        if call.model_name == "a" then return nil, { status = 429 } end
        return { usage = { total_tokens = i } }
      end)
      local sum = 0
      run(5, function(i)
        local answer = assert(call(i))
        sum = sum + answer.usage.total_tokens
      end)
      assert.equal(15, sum)
      assert.is_true(limiter:usage("a").cooling > 0)
    end)

    it("sessions take turns on their slots", function()
      limiter = support.open({ custom_limits = { live = { sessions = 2 } } }, llm.LiveRateLimiter)
      local now, most, served = 0, 0, 0
      run(7, function()
        local session = limiter:acquire_session "live"
        while not session do
          sleep(1)
          session = limiter:acquire_session "live"
        end
        now = now + 1
        most = math.max(most, now)
        for _ = 1, 3 do
          sleep(10)
          session:record_token_usage(5)
          assert(session:heartbeat())
        end
        now, served = now - 1, served + 1
        session:close()
      end)
      assert.same({ 2, 7, 0 }, { most, served, support.used(limiter, "live", "sessions") })
    end)
  end)
end

describe("an event loop", function()
  after_each(support.clean)

  it("reloads when a file changes", function()
    local path = support.file "return { a = { rpm = 10 } }"
    local limiter = llm.RateLimiter { overrides = path }
    local poll, guard, generation, why = luv.new_poll(limiter:watch_fd()), luv.new_timer(), nil, nil
    local function stop()
      if poll:is_closing() then return end
      poll:close()
      guard:close()
    end
    poll:start("r", function()
      generation, why = limiter:watch_poll()
      if generation ~= 1 then stop() end
    end)
    guard:start(30000, 0, stop)
    support.file("return { a = { rpm = 20 } }", path)
    luv.run()
    assert.same({ 2, nil }, { generation, why })
    assert.equal(20, limiter:usage("a")[1].limit)
  end)

  it("is told once of a file that is wrong, and of what to call first", function()
    local path = support.file "return { a = { rpm = 10 } }"
    local limiter = llm.RateLimiter { overrides = path }
    local fine, message = pcall(limiter.watch_poll, limiter)
    assert.is_false(fine)
    assert.matches("limiter:watch_poll%(%): limiter:watch_fd%(%) comes first", message)
    local fd = assert(limiter:watch_fd())
    assert.equal(fd, limiter:watch_fd())
    assert.equal(1, limiter:watch_poll())
    local poll, guard, fault = luv.new_poll(fd), luv.new_timer(), nil
    poll:start("r", function()
      local generation, why = limiter:watch_poll()
      if generation then return end
      fault = why
      poll:close()
      guard:close()
    end)
    guard:start(30000, 0, function() error "nobody was told" end)
    support.file("return { a = { rpm = -1 } }", path)
    luv.run()
    assert.equal("config", fault.code)
    assert.equal(1, limiter:status().failed_reloads)
    assert.equal(1, limiter:watch_poll())
  end)
end)
