-- What LuaJIT calls by FFI: that it compiles and leaves no garbage, and that all else goes to the native module.

local native = require "llm_limiters.native"
local support = dofile "tests/rock/support.lua"

local jit = rawget(_G, "jit")
local LIMITS = { a = { rpm = 1e12, tpm = 1e12, rpd = 1e12 }, b = { rpm = 1e12, law = "bucket" }, c = { rpm = 1 } }
local TIMES, WARM = 1e5, 2000 -- where compiling begins is chance: at a function, too, which is given up for the loop

-- How often the native module's own function is called by what fn does.
local function calls_of(name, fn)
  local own, n = native[name], 0
  native[name] = function(...)
    n = n + 1
    return own(...)
  end
  local fine, fault = pcall(fn)
  native[name] = own
  assert(fine, fault)
  return n
end

-- How often compiling was given up, and how often compiled code was left, while a loop ran.
local function traces(loop)
  local aborts, exits = {}, 0
  local function trace(what, _, func, pc, code)
    if what ~= "abort" then return end
    local info = require("jit.util").funcinfo(func, pc)
    aborts[#aborts + 1] = ("%s: %s"):format(info.loc or "?", require("jit.vmdef").traceerr[code] or code)
  end
  local function exit() exits = exits + 1 end
  jit.off(trace)
  jit.off(exit)
  jit.flush()
  loop(WARM)
  jit.attach(trace, "trace")
  jit.attach(exit, "texit")
  loop(TIMES)
  jit.attach(trace)
  jit.attach(exit)
  return table.concat(aborts, "\n"), exits
end

describe("LuaJIT", function()
  if not (jit and jit.status()) then return end
  local limiter, permit

  before_each(function()
    limiter = support.open { custom_limits = LIMITS }
    permit = assert(limiter:acquire "a")
    permit:cancel()
    assert(limiter:acquire "c")
  end)
  after_each(support.clean)

  local loops = {
    ["of one model that are settled"] = function(times)
      local models, request, usage = { "a" }, { tokens = 10 }, { tokens = 7 }
      for _ = 1, times do
        limiter:acquire(models, request, permit)
        permit:settle(usage)
      end
    end,
    ["of a name that are settled as reserved"] = function(times)
      for _ = 1, times do
        limiter:acquire("b", nil, permit)
        permit:settle()
      end
    end,
    ["of many amounts that are cancelled"] = function(times)
      local request = { input_tokens = 10, output_tokens = 3, requests = 1, max_output_tokens = 5 }
      for _ = 1, times do
        limiter:acquire("a", request, permit)
        permit:cancel()
      end
    end,
    ["along a list that are settled"] = function(times)
      local models, request = { "c", "a", "b", "gpt-4o" }, { tokens = 10, max_output_tokens = 3 }
      local usage = { input_tokens = 5, output_tokens = 2, tokens = 7 }
      for _ = 1, times do
        limiter:acquire(models, request, permit)
        permit:settle(usage)
      end
    end,
  }
  for name, loop in pairs(loops) do
    it("compiles decisions " .. name, function()
      local aborts, exits = traces(loop)
      assert.equal("", aborts)
      assert.is_true(exits < TIMES / 100, exits)
      for _, own in ipairs { "acquire", "settle", "cancel" } do
        assert.equal(0, calls_of(own, function() loop(WARM) end))
      end
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      loop(TIMES)
      local grown = (collectgarbage "count" - before) * 1024 -- traces that side exits add are a few KiB
      collectgarbage "restart"
      assert.is_true(grown < TIMES / 4, grown)
    end)
  end

  local function falls_back(name, fn)
    it("leaves to the native module " .. name, function()
      assert.is_true(calls_of("acquire", fn) > 0)
    end)
  end

  falls_back("what is refused", function()
    local _, refusal = limiter:acquire("c", { tokens = 1 })
    assert.equal("limit", refusal.reason)
  end)
  falls_back("names that it has not met", function()
    local _, refusal = limiter:acquire "gpt-4p"
    assert.equal("unknown_model", refusal.code)
  end)
  falls_back("names with zero bytes", function()
    assert.error_matches(function() limiter:acquire "a\0b" end, "zero bytes")
  end)
  falls_back("texts, scopes and tags", function()
    local request = { text = ("x"):rep(400), max_output_tokens = 1, tenant = "acme" }
    assert(limiter:acquire("a", request, permit))
    permit:settle { tokens = 101 }
    assert.equal(101, support.used(limiter, "a", "tokens"))
  end)
  falls_back("what is wrong", function()
    for _, request in ipairs { { tokens = -1 }, { tokens = 0 / 0 }, { tokens = 2 ^ 40 }, { tokens = "1" }, { 1 } } do
      local fine, fault = pcall(function() limiter:acquire("a", request) end)
      assert.is_false(fine)
      assert.matches("ffi_spec%.lua:%d+: limiter:acquire%(models, request, permit%): ", fault)
    end
    assert.error_matches(function() limiter:acquire { "a", 1 } end, "element 2 is a number")
    assert.error_matches(function() limiter:acquire(setmetatable({}, { __index = { "a" } })) end, "list of 1 to 64")
    assert.error_matches(function() limiter:acquire("a", 7) end, "must be a table")
    assert(limiter:acquire("a", nil, permit))
    assert.error_matches(function() limiter:acquire("a", nil, permit) end, "has not ended")
  end)
  falls_back("a closed limiter", function()
    limiter:close()
    assert.error_matches(function() limiter:acquire("a", nil, permit) end, "this limiter is closed")
    assert.error_matches(function() permit:settle() end, "this limiter is closed")
    assert.error_matches(function() permit:cancel() end, "this limiter is closed")
  end)
  falls_back("policies with hooks", function()
    local other = support.open {
      custom_limits = LIMITS,
      policy = support.file 'return policy { api = 1, name = "r", route = function(_, pool) return { pool[2] } end }',
    }
    assert.equal("b", assert(other:acquire { "a", "b" }).model_name)
    other:reload { custom_limits = LIMITS, policy = "priority" }
    assert.equal(0, calls_of("acquire", function()
      assert.equal("a", assert(other:acquire { "a", "b" }).model_name)
    end))
    other:reload {
      custom_limits = LIMITS,
      policy = support.file 'return policy { api = 1, name = "e", estimate = function() return {} end }',
    }
    assert(other:acquire "a")
  end)

  it("leaves to the native module ends that are unusual", function()
    assert(limiter:acquire("a", nil, permit))
    assert.equal(1, calls_of("settle", function()
      assert.is_true(permit:settle { prompt_tokens = 3, total_tokens = 5 })
    end))
    assert.same({ nil, "the permit has ended before, or a lease of it has" }, { permit:settle() })
    assert.same({ nil, "the permit has ended before, or a lease of it has" }, { permit:cancel() })
    assert(limiter:acquire("a", nil, permit))
    local _, fault = pcall(function() permit:settle { tokens = -1 } end)
    assert.matches("ffi_spec%.lua:%d+: permit:settle%(usage%): tokens", fault)
    assert.is_true(permit:is_live())
  end)

  it("counts as the native module does", function()
    local same = support.open { custom_limits = LIMITS }
    assert(same:acquire "a"):cancel()
    assert(same:acquire "c")
    for i = 1, 200 do
      local request = { [i % 2 == 0 and "tokens" or "input_tokens"] = i + 0.5, max_output_tokens = i % 3 }
      local models = i % 5 == 0 and { "c", "a" } or { "a", "b" }
      local p = assert(limiter:acquire(models, request))
      request.tag = "x" -- by the native module
      local q = assert(same:acquire(models, request))
      assert.equal(q.model_name, p.model_name)
      if i % 3 == 0 then
        p:settle { tokens = i / 2 }
        q:settle { tokens = i / 2, other = "x" }
      elseif i % 7 == 0 then
        p:cancel()
        q:cancel()
      end
      limiter:advance(0.25)
      same:advance(0.25)
      for _, name in ipairs { "a", "b", "c" } do assert.same(same:usage(name), limiter:usage(name)) end
    end
  end)

  it("is told apart from the module of another version", function()
    local layout, file = native.layout, "llm_limiters.door.native"
    for _, field in ipairs { "version", "llim_request", "llim_permit" } do
      native.layout = setmetatable({ [field] = 7 }, { __index = layout })
      local loaded = package.loaded[file]
      package.loaded[file] = nil
      local fine, fault = pcall(require, file)
      package.loaded[file], native.layout = loaded, layout
      assert.is_false(fine)
      assert.matches("is %d+ in its Lua files and 7 in .*native%.so; they are of two versions", fault)
    end
    package.loaded[file] = nil
    assert.is_not.equal(native.acquire, require(file).acquire) -- again, in a state that has been told all before
  end)
end)
