-- What limiters share with other processes, and what they tell: zones, logs, metrics, candidates in the shadow.

local llm = require "llm_limiters"
local support = dofile "tests/rock/support.lua"
local open, used = support.open, support.used

local A = { a = { rpm = 1000, tpm = 1e6 } }

local PROGRAM = arg[0] -- that runs this
for i = -1, -9, -1 do PROGRAM = arg[i] or PROGRAM end

-- A child that runs a text with the arguments, whose output is read; several may run at once.
local function spawn(text, ...)
  local path = support.file('local llm, support = require "llm_limiters", dofile "tests/rock/support.lua"\n' .. text)
  return assert(io.popen(table.concat({ PROGRAM, path, ... }, " ") .. " 2>&1"))
end

local function output(child)
  local text = child:read "*a"
  child:close()
  return text
end

describe("a zone in a file", function()
  local path
  before_each(function() path = support.path() end)
  after_each(support.clean)

  it("has the counts of all processes, and their clock", function()
    local limiter = open { zone = { path = path }, custom_limits = A }
    limiter:acquire("a", { tokens = 5 }):settle()
    assert.equal("8 1717416000\n", output(spawn([[
      local limiter = support.open { zone = { path = arg[1] }, custom_limits = { a = { rpm = 1000, tpm = 1e6 } } }
      limiter:acquire("a", { tokens = 3 }):settle()
      local _, wall = limiter:now()
      limiter:advance(20)
      print(string.format("%d %d", support.used(limiter, "a", "tokens"), wall))]], path)))
    assert.same({ 8, 2 }, { used(limiter, "a", "tokens"), used(limiter, "a", "requests") })
    assert.equal(1717416020, select(2, limiter:now()))
    limiter:close()
    limiter = open { zone = { path = path }, custom_limits = A }
    assert.equal(8, used(limiter, "a", "tokens"))
    limiter:advance(41)
    assert.equal(0, used(limiter, "a", "tokens"))
  end)

  it("admits exactly the limit to processes that ask at once", function()
    local limiter = open { zone = { path = path }, custom_limits = A }
    local children, admitted = {}, 0
    for i = 1, 4 do
      children[i] = spawn([[
        local limiter = support.open { zone = { path = arg[1] }, custom_limits = { a = { rpm = 1000, tpm = 1e6 } } }
        local n = 0
        for _ = 1, 400 do if limiter:acquire "a" then n = n + 1 end end
        print(n)]], path)
    end
    for i = 1, 4 do
      local text = output(children[i])
      admitted = admitted + assert(tonumber(text), text)
    end
    assert.same({ 1000, 1000 }, { admitted, used(limiter, "a", "requests") })
    assert.equal("later", select(2, limiter:acquire "a").code)
  end)

  it("gets back the slots of a process that has ended", function()
    local limits = { live = { sessions = 2, tpm = 1000 } }
    local limiter = open({ zone = { path = path }, custom_limits = limits }, llm.LiveRateLimiter)
    local mine = limiter:acquire_session "live"
    assert.equal("true\n", output(spawn([[
      local limits = { live = { sessions = 2, tpm = 1000 } }
      local limiter = support.open({ zone = { path = arg[1] }, custom_limits = limits }, llm.LiveRateLimiter)
      local session = limiter:acquire_session "live"
      session:record_token_usage(100)
      print(limiter:acquire_session "live" == nil)
      io.stdout:flush()
      os.exit(1, false)]], path)))
    assert.same({ 2, 100 }, { used(limiter, "live", "sessions"), used(limiter, "live", "tokens") })
    assert.is_truthy(limiter:acquire_session "live")
    assert.is_nil(limiter:acquire_session "live")
    assert.is_true(mine:heartbeat())
  end)

  it("has one generation, which all follow", function()
    local told = {}
    local limiter = open { zone = { path = path }, custom_limits = A,
      log = function(level, text) told[#told + 1] = level .. " " .. text end }
    assert.same({ 1, 1 }, { limiter:status().generation, limiter:status().zone_generation })
    assert.equal("2\n", output(spawn([[
      local limiter = support.open { zone = { path = arg[1] }, custom_limits = { a = { rpm = 1000, tpm = 1e6 } } }
      print(limiter:reload { custom_limits = { a = { rpm = 5, tpm = 1e6 } } })]], path)))
    assert.equal(5, assert(limiter:usage "a")[1].limit)
    assert.same({ 1, 2 }, { limiter:status().generation, limiter:status().zone_generation })
    limiter:reload()
    assert.equal(1, limiter:status().conflicts)
    assert.matches("^warning ", told[1])
  end)

  it("has the mode and the room that it was made with", function()
    local limiter = open { zone = { path = path, mode = "0640", rows = 5000, leases = 7, sliding = 9, notes = 300 } }
    assert.equal("640\n", output(assert(io.popen("stat -c %a " .. path))))
    local text = limiter:prometheus()
    assert.equal(7, tonumber(text:match "\nllm_limiters_zone_leases (%d+)"))
    assert.is_true(tonumber(text:match "\nllm_limiters_zone_rows (%d+)") >= 5000)
    local fine, why = pcall(open, { zone = { path = path, rows = 10 } })
    assert.is_false(fine)
    assert.matches("rows", why)
  end)

  it("is refused where it is none", function()
    local other = support.file "not a zone"
    for _, case in ipairs {
      { { path = other }, "RateLimiter: .*" .. other:gsub("%p", "%%%0") },
      { { path = "/nonexistent/zone" }, "RateLimiter: the zone /nonexistent/zone cannot be made" },
      { { path = path, name = "x" }, "path and name of a zone take the place of each other" },
      { { path = 5 }, "path must be a string, not 5" },
      { { mode = "rw" }, "mode must be octal digits like \"0600\", not \"rw\"" },
      { { rows = 1.5 }, "rows must be a whole number" },
      { { leases = 1e9 }, "leases must be a number from 0 to 1048576" },
      { { paht = path }, 'option paht is unknown; did you mean "path"%?' },
      { "x", "zone must be a table" },
    } do
      local fine, why = pcall(llm.RateLimiter, { zone = case[1] })
      assert.is_false(fine)
      assert.matches(case[2], why)
    end
  end)
end)

describe("a limiter tells", function()
  after_each(support.clean)

  it("its log, whose function may do what it likes", function()
    local told, limiter = {}, nil
    local path = support.file 'return policy { api = 1, name = "x", route = function() error("bad day") end }'
    limiter = open { custom_limits = A, policy = path, log = function(level, text)
      told[#told + 1] = { level, text }
      if limiter then
        pcall(limiter.close, limiter)
        told[#told].reentered = pcall(limiter.acquire, limiter, "a")
      end
      error "and more"
    end }
    assert.is_truthy(limiter:acquire "a")
    assert.is_truthy(limiter:acquire "a")
    assert.equal(1, #told)
    assert.equal("warning", told[1][1])
    assert.matches("bad day", told[1][2])
    assert.is_false(told[1].reentered)
    support.file('return policy { api = 1, name = "y" }', path)
    limiter:reload()
    assert.equal("info", told[2][1])
  end)

  it("its log of what it finds when it is opened", function()
    local told = {}
    open {
      quotas = support.file [[return quota "gemini" { api = 1, modality = "text",
        tier "free" { b = { cost = usd(1)/day } } }]],
      log = function(level, text) told[#told + 1] = level .. ": " .. text end,
    }
    assert.same({ 'warning: cost is limited, but model "b" has no price, so that it costs nothing' }, told)
  end)

  it("its log no longer than anybody needs it", function()
    local gone = setmetatable({}, { __mode = "k" })
    do
      local limiter
      limiter = open { custom_limits = A, log = function() return limiter end }
      gone[limiter] = true
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
  end)

  it("Prometheus, of the scopes that it asks for", function()
    local limiter = open { scopes = 4, custom_limits = { a = { rpm = 7 }, ["team:x"] = { rpm = 3 } } }
    limiter:acquire("a", { scopes = { "team:x" } })
    local series = 'llm_limiters_used{scope="%s",meter="requests",law="%s",window="min"} 1\n'
    local model, team = series:format("model:default/custom/a", "sliding"), series:format("team:x", "bucket")
    local function has(text, line) return text:find(line, 1, true) ~= nil end
    assert.same({ true, false }, { has(limiter:prometheus(), model), has(limiter:prometheus(), team) })
    assert.same({ false, true }, { has(limiter:prometheus "team:", model), has(limiter:prometheus "team:", team) })
    assert.is_true(has(limiter:prometheus "", model) and has(limiter:prometheus "", team))
    local many = {}
    for i = 1, 300 do many["model-" .. i] = { rpm = 5, tpm = 6, rpd = 7 } end
    local text = open { custom_limits = many }:prometheus()
    assert.equal(900, select(2, text:gsub("\nllm_limiters_limit{[^\n]*model%-%d+\"", "")))
    assert.matches("prefix must be a string, not 5", select(2, pcall(limiter.prometheus, limiter, 5)))
  end)

  it("how a candidate would have decided", function()
    local limiter = open { custom_limits = { a = { rpm = 3 }, b = { rpm = 3 } } }
    assert.is_nil(limiter:shadow_report())
    assert.is_true(limiter:shadow { custom_limits = { a = { rpm = 1 }, b = { rpm = 3 } }, guard = 0, seed = 1 })
    limiter:acquire { "a", "b" }
    limiter:acquire { "a", "b" }
    limiter:acquire "a"
    local report = limiter:shadow_report()
    assert.same({ 3, 1, 1, 1 }, { report.decisions, report.same, report.other_model, report.only_here })
    assert.matches("^%x+$", report.hash)
    local done, why = limiter:shadow { policy = support.file "return 5" }
    assert.is_nil(done)
    assert.equal("config", why.code)
    assert.equal(3, limiter:shadow_report().decisions)
    assert.is_true(limiter:shadow())
    assert.is_nil(limiter:shadow_report())
    local fine, wrong = pcall(limiter.shadow, limiter, { zone = {} })
    assert.is_false(fine)
    assert.matches("limiter:shadow { .* }: option zone is unknown", wrong)
  end)

  it("that a candidate's hook failed", function()
    local limiter = open { custom_limits = A }
    limiter:shadow { custom_limits = A, policy = support.file
      'return policy { api = 1, name = "x", route = function() error("bad day") end }' }
    limiter:acquire "a"
    local report = limiter:shadow_report()
    assert.same({ 1, 1 }, { report.same, report.faults })
    assert.matches("bad day", tostring(report.fault))
    assert.equal(0, limiter:status().faults)
  end)
end)
