-- A Lua state that ends while limiters are open: finalizers run in any order, and may make what has one.

local support = dofile "tests/rock/support.lua"

local PROGRAM = [[
local support = dofile "tests/rock/support.lua"
local policy = support.file 'return policy { api = 1, name = "end", route = function(_, pool) return { pool[1] } end }'
held = {}
for i = 1, 4 do
  local limiter = support.open { custom_limits = { a = { rpm = 1 } }, policy = policy }
  local permit = assert(limiter:acquire "a")
  local task = coroutine.create(function() return limiter:wait("a", {}, { sleep = coroutine.yield }) end)
  assert(coroutine.resume(task))
  held[i] = i % 2 == 0 and task or permit
end
support.clean()
local last = support.open { custom_limits = { a = { rpm = 1 } } }
held[5] = support.finalized(function() assert(last:wait("a", {}, { sleep = error })) end)
if arg[1] == "collect" then
  held = nil
  collectgarbage()
  collectgarbage()
end
print "done"
]]

-- The program that runs this spec.
local function lua()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

describe("a Lua state", function()
  after_each(support.clean)

  for _, how in ipairs { "end", "collect" } do
    it("ends with limiters, permits and waiters: " .. how, function()
      local run = io.popen(("%s %s %s 2>&1; echo $?"):format(lua(), support.file(PROGRAM), how))
      assert.equal("done\n0\n", run:read "*a")
      run:close()
    end)
  end
end)
