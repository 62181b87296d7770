-- The same decisions through the Lua door, in this VM, and through the C library, in its own: 2,000 random operations
-- with a policy that has every hook, and with one that has none, and what came of each, to the nanosecond.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"

local PARITY = os.getenv "LLM_PARITY" or "build/tests/parity"
local SEED, START, OPERATIONS = 11, 1717416000, 2000

local OVERRIDES = [[return {
  m1 = { rpm = 12, tpm = 9000 },
  m2 = { rpm = 20, tpm = 12000, law = "bucket" },
  m3 = { rpm = 5, rpd = 400, price = { input = 3, output = 9 } },
  m4 = { tpm = 30000, weight = 4 },
  ["team:*"] = { tpm = 20000 },
}]]

local POLICY = [[
local SHARED = { rpm = 30 }
return policy { api = 1, name = "parity",
  estimate = function(req, m)
    if req.size == "large" then return { output_tokens = req.max_output_tokens, tokens = req.input_tokens * 2 } end
  end,
  scopes = function(req, m) return { "team:" .. req.size, { name = "user:" .. m.name, limits = SHARED } } end,
  route = function(req, pool)
    if req.random < 0.05 then error("now and then") end
    local best = {}
    for _, m in ipairs(pool) do
      if not m.cooling and (m:wait(req) < 30 or m:room("tokens") > 0.9) then best[#best + 1] = m end
    end
    table.sort(best, function(a, b)
      local x, y = a:room() + req.random * a.weight, b:room() + req.random * b.weight
      if x ~= y then return x > y end
      return a.name < b.name
    end)
    return best
  end,
  result = function(req, m, r)
    if r.kind == "rate" and r.random < 0.5 then return cool(m, backoff(m, r, 5, 60)) end
    return default_result(req, m, r)
  end }]]

local NAMES = { "m1", "m2", "m3", "m4" }
local SIZES = { "small", "large", "huge" }

-- Numbers from 0 to below n, the same in every VM.
local state = 1
local function draw(n)
  state = (state * 16807) % 2147483647
  return state % n
end

-- Whole operations, as lists; a permit may be ended twice.
local function operation(admitted, tagged)
  local kind = draw(10)
  if kind < 5 or admitted == 0 then
    return { "a", 1 + draw(15), draw(3000), draw(2000), tagged and SIZES[1 + draw(3)] or "-" }
  elseif kind == 9 then
    return { "t", draw(200) }
  end
  local permit = admitted - 1 - draw(math.min(admitted, 20))
  if kind == 5 then return { "s", permit, draw(5000) } end
  if kind == 6 then return { "c", permit } end
  if kind == 7 then return { "r", permit, draw(30) } end
  local input = draw(2000)
  return { "o", permit, input, input + draw(3000) }
end

local function told(refusal)
  return ("LLIM_%s %s %s %s %s %d %d %d %.9f %.9f"):format(refusal.code:upper(), refusal.reason, refusal.scope,
    refusal.model_name, refusal.meter or "-", refusal.limit or 0, refusal.used or 0, refusal.amount or 0, refusal.wait,
    refusal.at or 0)
end

local function outcome(done)
  return done and "LLIM_OK" or "LLIM_EENDED"
end

local play = {}

function play.a(limiter, permits, mask, input, output, size)
  local models = {}
  for i, name in ipairs(NAMES) do
    if math.floor(mask / 2 ^ (i - 1)) % 2 == 1 then models[#models + 1] = name end
  end
  local request = { input_tokens = input, max_output_tokens = output, size = size ~= "-" and size or nil }
  local permit, refusal = limiter:acquire(models, request)
  if not permit then return refusal == llm.errors.RateLimitExceeded and told(refusal) or tostring(refusal) end
  permits[#permits + 1] = permit
  return "ok " .. permit.model_name
end

function play.s(_, permits, k, tokens) return outcome(permits[k + 1]:settle { tokens = tokens }) end

function play.c(_, permits, k) return outcome(permits[k + 1]:cancel()) end

function play.o(_, permits, k, input, total)
  local live = permits[k + 1]:is_live()
  assert.equal(live, permits[k + 1]:settle { prompt_tokens = input, total_tokens = total } == true)
  return live and "ok" or "LLIM_EENDED"
end

function play.r(_, permits, k, wait)
  local meaning = permits[k + 1]:reject { status = 429, headers = { ["retry-after"] = wait }, body = "" }
  return meaning and meaning.kind or "LLIM_EENDED"
end

function play.t(limiter, _, eighths)
  limiter:advance(eighths / 8)
  return "LLIM_OK"
end

local KINDS = { "ok m", "LLIM_LATER limit", "LLIM_LATER cooldown", "LLIM_EENDED", "LLIM_OK", "rate" }

describe("parity", function()
  after_each(support.clean)

  local function compare(policy, tagged)
    local overrides = support.file(OVERRIDES)
    local limiter = llm.RateLimiter {
      overrides = overrides, policy = policy, seed = SEED, clock = "virtual", start = START,
    }
    local operations, results, permits = {}, {}, {}
    for i = 1, OPERATIONS do
      local op = operation(#permits, tagged)
      operations[i] = table.concat(op, " ")
      results[i] = play[op[1]](limiter, permits, op[2], op[3], op[4], op[5])
    end
    for _, name in ipairs(NAMES) do
      for _, limit in ipairs(limiter:usage(name)) do
        results[#results + 1] = ("%s %s %d %.9f"):format(name, limit.meter, limit.used, limit.reset)
      end
    end
    local faults = limiter:status().faults
    results[#results + 1] = faults .. " faults"

    local script, out = support.file(table.concat(operations, "\n") .. "\n"), support.file ""
    assert(os.execute(("%s %s %s %d %d <%s >%s"):format(PARITY, overrides, policy, SEED, START, script, out)))
    local i = 0
    for line in io.lines(out) do
      i = i + 1
      assert.equal(line, results[i], operations[i] and "operation " .. i .. ": " .. operations[i])
    end
    assert.equal(i, #results)

    -- It has gone everywhere.
    local kinds = {}
    for _, line in ipairs(results) do kinds[line:match "^%S+ ?%l*"] = true end
    for _, kind in ipairs(KINDS) do assert.is_true(kinds[kind], kind) end
    assert.equal(tagged, faults > 10)
  end

  it("of the Lua door with the C library", function()
    compare(support.file(POLICY), true)
  end)

  it("of the default policy, which LuaJIT asks by FFI", function()
    compare("priority", false)
  end)
end)
