-- A candidate in the shadow of a simulation, by the built binary: it tells the differences of two runs apart.
-- Run from the top of the checkout: busted --lua=lua5.4 tests/cli
local shell = dofile "tests/cli/shell.lua"
local file, contents, run = shell.file, shell.contents, shell.run
local fixture = "tests/fixtures/trace_models.lua"
local azure = "../shared/traces/azure_llm_2023_code.csv"
local models = " --models trace-large,trace-medium,trace-small"

local changed = [[
return {
  ["trace-large"] = { rpm = 120, tpm = 260000 },
  ["trace-medium"] = { rpm = 90, tpm = 1500 },
  ["trace-small"] = { rpm = 30, tpm = 90000 },
}
]]
local reversed = [[
return policy { api = 1, name = "reversed", route = function(req, pool)
  local plan = {}
  for i = #pool, 1, -1 do plan[#plan + 1] = pool[i] end
  return plan
end }
]]

local function good(command)
  local code, out, err = run(command)
  assert.equal("", err, command)
  assert.equal(0, code, command)
  return out
end

local function refused(code, command, ...)
  local got, out, err = run(command)
  assert.equal(code, got, command .. "\n" .. err)
  assert.equal("", out, command)
  for _, part in ipairs { ... } do assert.truthy(err:find(part, 1, true), err) end
end

local function rows_of(log)
  local rows, first = {}, true
  for line in io.lines(log) do
    local outcome, model, wait = line:match("^[%d.]+,[%d.]+,(%l+),([^,]*),%d+,([%d.]+),")
    if not first then rows[#rows + 1] = { outcome = assert(outcome, line), model = model, wait = tonumber(wait) } end
    first = false
  end
  return rows
end

local kinds = { "same", "only_here", "only_there", "other_model", "other_wait", "never_or_later", "unknown_model" }

-- Of two logs, line by line, in the words of the JSON summary.
local function differences(here, there)
  local counts, a, b = {}, rows_of(here), rows_of(there)
  for _, kind in ipairs(kinds) do counts[kind] = 0 end
  assert.equal(#a, #b)
  for i, x in ipairs(a) do
    local y = b[i]
    local kind = "same"
    if x.outcome == "admitted" and y.outcome == "admitted" then
      if x.model ~= y.model then
        kind = "other_model"
      elseif math.abs(x.wait - y.wait) > 0.001 then
        kind = "other_wait"
      end
    elseif x.outcome == "admitted" then
      kind = "only_here"
    elseif y.outcome == "admitted" then
      kind = "only_there"
    elseif x.outcome ~= y.outcome then
      kind = "never_or_later"
    end
    counts[kind] = counts[kind] + 1
  end
  return counts
end

local function told(json)
  local counts, part = {}, assert(json:match('"shadow":%s*(%b{})'), json)
  for _, kind in ipairs(kinds) do counts[kind] = tonumber(part:match('"' .. kind .. '":%s*(%d+)')) end
  return counts, part
end

local function simulate(trace, options)
  return ("$B simulate %s --quotas %s%s%s"):format(trace, fixture, models, options or "")
end

-- The shadow of a run against the run, and one with that option instead.
local function check_apart(trace, option, path, more)
  local here, there, beside = file "", file "", file ""
  local json = good(simulate(trace, more .. " --json --shadow " .. path .. " --log " .. beside))
  good(simulate(trace, more .. " --log " .. here))
  good(simulate(trace, more .. " " .. option .. " " .. path .. " --log " .. there))
  local expected = differences(here, there)
  assert.same(expected, (told(json)))
  assert.equal(contents(here), contents(beside)) -- it has no effect
  return expected
end

describe("simulate --shadow", function()
  local generated = file ""
  local traces = { generated }

  setup(function()
    good("$B generate --requests 3000 --seed 5 --out " .. generated)
    local found = io.open(azure)
    if found then
      found:close()
      traces[#traces + 1] = azure
    else
      print("there is no " .. azure .. ": on a generated trace only")
    end
  end)
  teardown(function()
    shell.clean()
  end)

  it("tells the differences of two simulations, for a changed quota", function()
    local candidate = file(changed, ".lua")
    for _, trace in ipairs(traces) do
      local at_once = check_apart(trace, "--quotas", candidate, " --deadline 0")
      assert.is_true(at_once.only_here > 0 and at_once.only_there > 0 and at_once.other_model > 0)
      assert.equal(0, at_once.other_wait)
      local waiting = check_apart(trace, "--quotas", candidate, " --deadline 30")
      assert.is_true(waiting.other_wait > 0)
    end
  end)

  it("tells them for a changed order", function()
    local candidate = file(reversed, ".lua")
    for _, trace in ipairs(traces) do
      local at_once = check_apart(trace, "--policy", candidate, " --deadline 0")
      assert.is_true(at_once.other_model > 0 and at_once.only_here > 0 and at_once.only_there > 0)
      check_apart(trace, "--policy", candidate, " --deadline 30")
    end
  end)

  it("tells them for chance, scripts by name, unknown outputs and another policy in force", function()
    local few = " --demand 0.3 --speed 3"
    assert.is_true(check_apart(generated, "--policy", "weighted", few).other_model > 0)
    assert.is_true(check_apart(generated, "--policy", "least_loaded", few .. " --unknown-output").other_model > 0)
    assert.equal(900, check_apart(generated, "--policy", "weighted", few .. " --policy weighted").same)
    assert.equal(3000, check_apart(generated, "--quotas", fixture, "").same)
  end)

  it("takes tables, directories and JSON for what they are", function()
    local trace = file("time,tokens\n" .. ("0,10\n"):rep(12))
    local table_of_own = file([[return quota "openai" { api = 1, modality = "text",
      tier "free" { ["gpt-4o-mini"] = { requests = 5/minute } } }]], ".lua")
    local base = "$B simulate " .. trace .. " --guard 0 --models gpt-4o-mini --deadline 0"
    local out = good(base .. " --shadow " .. table_of_own)
    assert.truthy(out:find("in the shadow: " .. table_of_own .. ", a quota table", 1, true), out)
    assert.truthy(out:find("admitted, refused there +7 +58.3 %%"), out)
    assert.truthy(out:find("gpt%-4o%-mini +12 +5\n"), out)
    local directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory .. " && cp " .. table_of_own .. " " .. directory .. "/mine.lua"))
    local counts, json = told(good(base .. " --json --shadow " .. directory))
    assert.equal(7, counts.only_here)
    assert.truthy(json:find('"kind":%s*"set of quota tables"'), json)
    os.execute("rm -r " .. directory)
    counts, json = told(good(base .. " --json --shadow " .. file('{ "gpt-4o-mini": { "rpm": 2 } }', ".json")))
    assert.equal(10, counts.only_here)
    assert.truthy(json:find('"kind":%s*"table of overrides"'), json)
  end)

  it("tells what never fits apart, and models that the candidate does not know", function()
    local trace = file("time,tokens,model\n0,80000,trace-small\n0,80000,trace-small\n0,5,trace-open\n0,5,trace-large\n")
    local base = ("$B simulate %s --quotas %s --deadline 0 --json --shadow "):format(trace, fixture)
    local candidate = file 'return { ["trace-small"] = { tpm = 50000 }, ["trace-open"] = { rpm = 0 } }'
    local counts = told(good(base .. candidate))
    assert.same({ same = 1, only_here = 1, only_there = 0, other_model = 0, other_wait = 0, never_or_later = 1,
                  unknown_model = 1 }, counts)
  end)

  it("refuses what is no candidate, and never writes over it", function()
    local trace = file "time,tokens\n0,5\n"
    local bad, candidate = file("return { ['trace-large'] = { rpx = 1 } }", ".lua"), file(changed, ".lua")
    refused(1, simulate(trace, " --shadow /no/such/file.lua"), "/no/such/file.lua", "No such file")
    refused(1, simulate(trace, " --shadow " .. bad), bad .. ":1:", "rpx")
    refused(1, simulate(trace, " --shadow " .. candidate .. " --log " .. candidate), "is an input of this run")
    refused(1, simulate(trace, " --policy " .. candidate), candidate)
    refused(2, simulate(trace, " --shadow"), "wants a value")
    assert.equal(changed, contents(candidate))
  end)
end)

describe("simulate --policy", function()
  teardown(function()
    shell.clean()
  end)

  local function decided(rows, policy, options)
    local log, at = file "", {}
    good(("$B simulate %s --policy %s --quotas %s%s --guard 0 --log %s"):format(file(rows), policy, fixture,
      options or " --models trace-small,trace-large", log))
    for line in io.lines(log) do at[#at + 1] = tonumber(line:match("^[%d.]+,([%d.]+)")) end
    return at, contents(log)
  end

  it("asks for each request that waits, since a policy may send it elsewhere than a smaller one", function()
    local rows = { "time,tokens", "0,150000" }
    for _ = 1, 30 do rows[#rows + 1] = "30,10" end
    rows[#rows + 1] = "31,100000"
    rows[#rows + 1] = "31,10"
    local by_size = file([[return policy { api = 1, name = "by size",
      route = function(req, pool) return { req.tokens < 100 and pool[1] or pool[2] } end }]], ".lua")
    local at = decided(table.concat(rows, "\n") .. "\n", by_size)
    assert.is_true(at[#at - 1] >= 60 and at[#at - 1] < 62, at[#at - 1])
    assert.is_true(at[#at] >= 90 and at[#at] < 92, at[#at])
  end)

  it("asks again after a tenth of a second what only the policy refuses", function()
    local nobody = file("return policy { api = 1, name = 'nobody', route = function(req) return {} end }", ".lua")
    local at, log = decided("time,tokens\n0,5\n", nobody, " --models trace-small --deadline 20")
    assert.equal(20, at[1])
    assert.truthy(log:find(",expired,,5,20.000000,trace-small policy\n", 1, true), log)
  end)
end)
