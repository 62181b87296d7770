-- What the specs of the rock share: limiters in virtual time, providers' answers from the fixtures, and files that go.
-- By dofile, from the top of the checkout.
local llm = require "llm_limiters"

local support = {}

local START = 1717416000 -- 2024-06-03 12:00 UTC, a Monday

-- A limiter whose clock stands still.
function support.open(options, constructor)
  local all = { clock = "virtual", start = START, seed = 1, guard = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return (constructor or llm.RateLimiter)(all)
end

-- { status =, headers =, body = } of a file as curl -i prints it.
function support.answer(name)
  local f = assert(io.open("tests/fixtures/provider/" .. name, "rb"))
  local text = f:read("*a"):gsub("\r\n", "\n")
  f:close()
  local head, body = text:match "^(.-)\n\n(.*)$"
  local headers = {}
  for key, value in head:gmatch "\n([^:\n]+): ([^\n]*)" do headers[key] = value end
  return { status = tonumber(head:match "^HTTP/%S+ (%d+)"), headers = headers, body = body }
end

function support.read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("*a")
  f:close()
  return text
end

-- A text as a function with these globals, in any Lua.
function support.compile(text, name, env)
  if not setfenv then return assert(load(text, name, "t", env)) end
  return setfenv(assert(loadstring(text, name)), env)
end

-- A value that calls the function when it is collected: tables do before 5.2 and in LuaJIT not.
function support.finalized(finalizer)
  if not newproxy then return setmetatable({}, { __gc = finalizer }) end
  local value = newproxy(true)
  getmetatable(value).__gc = finalizer
  return value
end

-- Runs the function where nothing is compiled: LuaJIT's traces take memory, and those that there are lead to more.
function support.interpreted(body)
  if not (jit and jit.status()) then return body() end
  jit.off()
  jit.flush()
  local result = body()
  jit.on()
  return result
end

local made = {}

-- The path of a file with that text; written again if it is given.
function support.file(text, path)
  if not path then
    path = os.tmpname()
    made[#made + 1] = path
  end
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
  return path
end

-- The path of a file that is not there yet.
function support.path()
  local path = support.file ""
  os.remove(path)
  return path
end

function support.clean()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end

-- What is used of a model's or scope's limit on that meter.
function support.used(limiter, name, meter)
  for _, limit in ipairs(assert(limiter:usage(name))) do
    if limit.meter == meter then return limit.used end
  end
end

return support
