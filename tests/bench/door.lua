-- What a decision costs that a Lua program asks for: time under LuaJIT, as a ratio to the floor of bench.c, which is
-- called by FFI; and in every VM the garbage that it leaves.
--   lua door.lua build/floor.so

local llm = require "llm_limiters"

local jit = rawget(_G, "jit")
local VM = jit and "LuaJIT" or _VERSION
local REPETITIONS, BATCH, PERMITS = 51, 4000, 50 -- as bench.h; so many permits are held at one time

local request, facts = { tokens = 10 }, { tokens = 7 }

-- Limits that are not reached.
local function open(law)
  return llm.RateLimiter { custom_limits = { m = { rpm = 1e12, tpm = 1e12, rpd = 1e12, law = law } } }
end

local function permits_of(limiter)
  local permits = {}
  for i = 1, PERMITS do
    permits[i] = assert(limiter:acquire("m", request))
    permits[i]:cancel()
  end
  return permits
end

local function admit(limiter, models, permits)
  for i = 1, PERMITS do limiter:acquire(models, request, permits[i]) end
end

local function settle(permits)
  for i = 1, PERMITS do permits[i]:settle(facts) end
end

local function median(values)
  table.sort(values)
  return values[math.floor(#values / 2) + 1]
end

-- One line as bench.c has it.
local function report(what, values, floors, bar)
  local base, m = median(floors), median(values)
  print(("%-54s %8.1f ns  %7.1f .. %-8.1f floor %6.1f  %5.2f x floor%s"):format(what, m, values[1], values[#values],
    base, m / base, bar and ("  bar %.1f%s"):format(bar, m / base <= bar and "" or "  MISSED") or ""))
end

local function times(lib, what, law)
  local limiter, models = open(law), { "m" }
  local permits = permits_of(limiter)
  local floors, admitted, settled = {}, {}, {}
  for r = 0, REPETITIONS do -- the first is for the compiler
    local floor, a, s = lib.floor_once(), 0, 0
    for _ = 1, BATCH / PERMITS do
      local begin = lib.read_ns()
      admit(limiter, models, permits)
      local between = lib.read_ns()
      settle(permits)
      a, s = a + tonumber(between - begin), s + tonumber(lib.read_ns() - between)
    end
    if r > 0 then floors[r], admitted[r], settled[r] = floor, a / BATCH, s / BATCH end
  end
  report("a decision from LuaJIT by FFI, default policy, " .. what, admitted, floors, 3)
  report("its settlement, " .. what, settled, floors)
end

-- Bytes that fn leaves each time.
local function garbage(fn)
  fn(BATCH)
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  fn(BATCH)
  local left = (collectgarbage "count" - before) * 1024 / BATCH
  collectgarbage "restart"
  return left
end

if jit then
  local ffi = require "ffi"
  ffi.cdef "int64_t read_ns(void); double floor_once(void);"
  local lib = ffi.load(arg[1])
  times(lib, "buckets", "bucket")
  times(lib, "sliding", "sliding")
end

local limiter, models = open(), { "m" }
local held = assert(limiter:acquire(models, request))
held:cancel()
local again = garbage(function(n)
  for _ = 1, n do
    limiter:acquire(models, request, held)
    held:settle(facts)
  end
end)
local new = garbage(function(n)
  for _ = 1, n do limiter:acquire(models, request):settle(facts) end
end)
print(("%-54s %8.1f bytes; with a permit of its own %.1f"):format("garbage per admitted decision, " .. VM, again, new))
