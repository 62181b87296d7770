-- The annotations for editors have the methods and fields of the door, and none more.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"

local PATH = "bindings/lua/library/llm_limiters.lua"

local unpack = rawget(_G, "unpack") or rawget(table, "unpack")

local fields, methods = {}, {}
do
  local class
  for line in io.lines(PATH) do
    local name, field = line:match "^%-%-%-@class llm_limiters%.(%w+)", line:match "^%-%-%-@field ([%w_]+)"
    local owner, method = line:match "^function (%w+)[:.]([%w_]+)"
    if name then class, fields[name] = name, {} end
    if field then table.insert(fields[class], field) end
    if owner then
      methods[owner] = methods[owner] or {}
      table.insert(methods[owner], method)
    end
  end
end

local function sorted(list)
  local copy = {}
  for i, name in ipairs(list) do copy[i] = name end
  table.sort(copy)
  return copy
end

local function keys(value, kind)
  local list = {}
  for name, held in pairs(value) do
    local counts = type(name) == "string" and not name:match "^__" and (not kind or type(held) == kind)
    if counts then list[#list + 1] = name end
  end
  return sorted(list)
end

-- The fields that a message about an unknown one lists.
local function listed(...)
  local _, message = pcall(...)
  local list = {}
  for name in message:match("the known options are (.-)%."):gmatch "[%w_]+" do list[#list + 1] = name end
  return sorted(list)
end

describe("the annotations of the door", function()
  local limiter = support.open { custom_limits = { a = { rpm = 1, rpd = 3, tpm = 10 } } }
  local permit = limiter:acquire "a"
  local live = support.open({ custom_limits = { a = { sessions = 5 } } }, llm.LiveRateLimiter)
  local session = live:acquire_session "a"

  it("can be read as Lua", function() assert(loadfile(PATH)) end)

  it("have its functions", function()
    assert.same(keys(llm, "function"), sorted(methods.llm))
    assert.same(keys(getmetatable(limiter), "function"), sorted(methods.Limiter))
    assert.same(keys(getmetatable(permit), "function"), sorted(methods.Permit))
    local all = { unpack(methods.Limiter) }
    for _, name in ipairs(methods.LiveLimiter) do all[#all + 1] = name end
    assert.same(keys(getmetatable(live), "function"), sorted(all))
    assert.same(keys(getmetatable(session), "function"), sorted(methods.Session))
  end)

  it("have its options", function()
    assert.same(listed(llm.RateLimiter, { frobnicate = 1 }), sorted(fields.Options))
    assert.same(listed(llm.RateLimiter, { zone = { frobnicate = 1 } }), sorted(fields.Zone))
    assert.same(listed(limiter.wait, limiter, "a", nil, { frobnicate = 1 }), sorted(fields.WaitOptions))
  end)

  -- Each of the values has no field that is not told, and each field that is told is one of some value's.
  local function have(class, ...)
    local known, found = {}, {}
    for _, field in ipairs(fields[class]) do known[field] = true end
    for _, value in ipairs { ... } do
      for _, field in ipairs(keys(value)) do
        assert.is_true(known[field], class .. "." .. field)
        found[field] = true
      end
    end
    assert.same(sorted(fields[class]), keys(found))
  end

  it("have the fields of what it returns", function()
    local _, refusal = limiter:acquire "a"
    refusal.cause = "which a limited function sets"
    local path = support.file "return policy { api = 1,\n rute = 5 }"
    local _, fault = limiter:reload { policy = path }
    local quota = support.open()
    local spent
    for _ = 1, 101 do -- of a day
      _, spent = quota:acquire "gemini-2.5-pro"
      quota:advance(15)
    end
    have("Refusal", refusal, fault, spent, select(2, limiter:acquire "b"))
    local answered = quota:acquire("gemini-2.5-flash"):reject(support.answer "gemini_429_rpd_free.http")
    local family = quota:acquire("gpt-4o"):reject { status = 429, body = { error = { code = "insufficient_quota",
      message = "You exceeded your current quota", type = "insufficient_quota" } } }
    answered.family = answered.family or "which few answers name"
    have("Answer", answered, family)
    local usage = quota:usage "gemini-2.5-flash"
    have("Usage", usage)
    have("LimitUsage", usage[1], usage[2])
    local failing = support.open { policy = support.file
      'return policy { api = 1, name = "x", route = function() error("x") end }' }
    failing:acquire "gpt-4o"
    have("Status", failing:status(), limiter:status())
    failing:shadow { policy = support.file
      'return policy { api = 1, name = "x", route = function() error("x") end }' }
    failing:acquire "gpt-4o"
    local report = failing:shadow_report()
    report.failure = "which hardly ever happens"
    have("ShadowReport", report)
    have("Session", session)
    support.clean()
  end)
end)
