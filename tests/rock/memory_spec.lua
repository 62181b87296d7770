-- Memory while many decisions are taken, and refused: that of the Lua state and that of the process. LLIM_DECISIONS
-- says how many; some thousands before them are for what is allocated once.

local support = dofile "tests/rock/support.lua"

local DECISIONS = tonumber(os.getenv "LLIM_DECISIONS" or 1e5)

-- Of the process, KiB.
local function resident()
  local f = assert(io.open("/proc/self/statm", "r"))
  local _, pages = f:read("*n", "*n")
  f:close()
  return pages * 4
end

local function state()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

describe("memory", function()
  it("is flat over decisions, whether or not their permits are used again", function()
    local limiter = support.open { custom_limits = { a = { rpm = 1e12, tpm = 1e12, rpd = 1e12 }, full = { rpm = 1 } } }
    local models, request, usage = { "a" }, { tokens = 10 }, { tokens = 7 }
    local permit = assert(limiter:acquire(models, request))
    permit:settle()
    assert(limiter:acquire "full")
    local function decide(n)
      for i = 1, n do
        limiter:acquire(models, request, permit)
        permit:settle(usage)
        if i % 10 == 0 then
          limiter:acquire(models, request):cancel()
          limiter:acquire("full", request)
          limiter:advance(0.01)
        end
      end
    end
    decide(20000)
    local lua, process = state(), resident()
    decide(DECISIONS)
    lua, process = state() - lua, resident() - process
    assert.is_true(lua < 64, "the Lua state has grown by " .. lua .. " KiB")
    if not (os.getenv "LD_PRELOAD" or ""):find "asan" then -- which keeps what was freed
      assert.is_true(process < 4096, "the process has grown by " .. process .. " KiB")
    end
  end)
end)
