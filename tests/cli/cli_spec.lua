-- Drives the built binary as its users do: outputs, exit codes, messages. LLM_LIMITERS names the binary.
-- Run from the top of the checkout: busted --lua=lua5.4 tests/cli
local shell = dofile "tests/cli/shell.lua"
local file, contents, run = shell.file, shell.contents, shell.run
local fixture = "tests/fixtures/trace_models.lua"
local azure = "../shared/traces/azure_llm_2023_code.csv"
local models = " --models trace-large,trace-medium,trace-small"

-- The run fails with that code, prints nothing on standard output, and one message with each of the given parts.
local function refused(code, command, ...)
  local got, out, err = run(command)
  assert.equal(code, got, command .. "\n" .. err)
  assert.equal("", out, command)
  assert.truthy(err:find("^llm%-limiters: "), err)
  for _, part in ipairs { ... } do
    assert.truthy(err:find(part, 1, true), ("%s\nlacks: %s\nhas: %s"):format(command, part, err))
  end
  assert.equal(code == 2, err:find("--help'.", 1, true) ~= nil, err)
end

-- The run succeeds silently: its standard output.
local function good(command)
  local code, out, err = run(command)
  assert.equal("", err, command)
  assert.equal(0, code, command)
  return out
end

local function simulate(trace, options)
  return ("$B simulate %s --quotas %s%s"):format(trace, fixture, options or models)
end

-- The lines of a log, each a table by the names of the header.
local function log_of(name)
  local rows, header = {}, {}
  for line in io.lines(name) do
    local row, i = {}, 0
    for field in (line .. ","):gmatch("([^,]*),") do
      i = i + 1
      if #rows == 0 and not header.done then header[i] = field else row[header[i]] = field end
    end
    if header.done then rows[#rows + 1] = row end
    header.done = true
  end
  return rows
end

-- "name": number of JSON within the part that begins at a text; the summary has no nested braces of the same name.
local function number(json, from, name)
  local start = assert(json:find(from, 1, true), from)
  return tonumber((json:match('"' .. name .. '":%s*(-?[%d.e+-]+)', start)))
end

describe("llm-limiters", function()
  teardown(function()
    shell.clean()
  end)

  it("explains itself", function()
    assert.truthy(good("$B --help"):find("simulate", 1, true))
    assert.truthy(good("$B --version"):find("^llm%-limiters %d+%.%d+%.%d+\n$"))
    for _, option in ipairs { "tier", "quotas", "modality", "set", "models", "deadline", "guard", "speed", "demand",
                              "log", "json", "unknown-output", "provider" } do
      assert.truthy(good("$B simulate --help"):find("--" .. option, 1, true), option)
    end
    assert.truthy(good("$B generate --help"):find("--burst", 1, true))
  end)

  it("holds live sessions for their leases' time to live", function()
    local trace = file("time,tokens\n0,1\n0,1\n0,1\n0,1\n3601,1\n")
    local json = good("$B simulate " .. trace .. " --modality live --set published --json"
      .. " --models gemini-2.0-flash-live-001")
    assert.equal(4, number(json, '"admitted"', "requests"))
    assert.equal(1, number(json, '"expired"', "requests"))
  end)

  it("refuses what it does not know, with a hint", function()
    refused(2, "$B", "command is missing")
    refused(2, "$B simulat", '"simulat"', "classify, check, status, top and verify")
    refused(2, "$B --verbose", "--verbose")
    refused(2, "$B simulate --fast x", "--fast")
    refused(2, "$B simulate -q x", "-q")
    refused(2, "$B simulate --json -q x", "-q")
    refused(2, "$B simulate --json=yes x", "takes no value")
    refused(2, "$B simulate x --log", "--log", "wants a value")
    refused(2, "$B simulate --de 1 x", "--de")
    refused(2, "$B simulate", "trace is missing")
    refused(2, "$B simulate a b", '"b"')
    refused(2, "$B generate here.csv", "here.csv", "--out")
  end)

  it("reports a standard output that is full", function()
    for _, command in ipairs { "$B --help", "$B --version", "$B generate", "$B simulate --help" } do
      local code, _, err = run(command .. " >/dev/full")
      assert.equal(1, code)
      assert.truthy(err:find("standard output cannot be written: No space left", 1, true), err)
    end
  end)
end)

describe("generate", function()
  teardown(function()
    shell.clean()
  end)

  it("writes as many rows as asked, in order, the same for the same seed", function()
    local one = good "$B generate --requests 2000"
    assert.equal(one, good "$B generate --requests 2000 --seed 1")
    assert.not_equal(one, good "$B generate --requests 2000 --seed 2")
    local n, last = 0, ""
    assert.equal("TIMESTAMP,ContextTokens,GeneratedTokens", one:match("^[^\n]*"))
    for stamp, context, generated in one:gmatch("\n(%d+%-%d%d%-%d%d %d%d:%d%d:%d%d%.%d%d%d%d%d%d%d),(%d+),(%d+)") do
      n = n + 1
      assert.is_true(stamp >= last)
      assert.is_true(tonumber(context) >= 1 and tonumber(generated) >= 1)
      last = stamp
    end
    assert.equal(2000, n)
  end)

  it("writes the same on every machine", function()
    assert.equal([[
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.5000000,1960,23
2023-11-16 18:17:04.1522015,596,175
2023-11-16 18:17:04.3024425,3455,63
2023-11-16 18:17:04.4316031,230,31
2023-11-16 18:17:04.5424011,1606,20
]], good "$B generate --requests 5 --seed 7 --start '2023-11-16 18:17:03.5'")
  end)

  it("has the rate, the medians and the bursts that were asked for", function()
    local function measure(options)
      local times, context = {}, {}
      for h, m, s, tokens in good("$B generate --requests 20000 " .. options):gmatch(
        "\n%d+%-%d%d%-%d%d (%d%d):(%d%d):([%d.]+),(%d+)") do
        times[#times + 1] = h * 3600 + m * 60 + s
        context[#context + 1] = tonumber(tokens)
      end
      table.sort(context)
      local seconds, square, sum = {}, 0, 0
      for _, t in ipairs(times) do seconds[t // 1] = (seconds[t // 1] or 0) + 1 end
      for t = 0, times[#times] // 1 do
        sum = sum + (seconds[t] or 0)
        square = square + (seconds[t] or 0) ^ 2
      end
      local mean = sum / (times[#times] // 1 + 1)
      return 60 * #times / times[#times], context[#context // 2], (square / (times[#times] // 1 + 1) - mean ^ 2) / mean
    end
    local rate, median, dispersion = measure "--rate 600 --context-median 500 --burst 1"
    assert.is_true(rate > 570 and rate < 630, rate)
    assert.is_true(median > 470 and median < 530, median)
    assert.is_true(dispersion > 0.8 and dispersion < 1.2, dispersion) -- Poisson
    rate, median, dispersion = measure "--rate 600 --burst 6 --sigma 0"
    assert.is_true(rate > 420 and rate < 800, rate)
    assert.equal(800, median)
    assert.is_true(dispersion > 5, dispersion)
  end)

  it("refuses bad numbers, by name", function()
    for _, bad in ipairs { "-1", "nan", "1e400", "0", "x", "''", "0x10" } do
      refused(2, "$B generate --rate " .. bad, "--rate", "expected a number from 0.001")
      refused(2, "$B generate --requests " .. bad, "--requests", "whole number from 1 to 100000000")
    end
    refused(2, "$B generate --requests 9223372036854775808", "--requests")
    refused(2, "$B generate --requests 0.5", "--requests")
    refused(2, "$B generate --burst 0.5", "--burst", "from 1 to 1000")
    refused(2, "$B generate --context-median 0", "--context-median")
    refused(2, "$B generate --generated-median inf", "--generated-median")
    refused(2, "$B generate --sigma 5", "--sigma", "from 0 to 4")
    refused(2, "$B generate --seed 18446744073709551616", "--seed")
    refused(2, "$B generate --start tomorrow", "--start", "tomorrow", "2024-01-01 00:00:00")
  end)

  it("refuses what cannot be written", function()
    refused(1, "$B generate --out /dev/full", "/dev/full cannot be written: No space left")
    refused(1, "$B generate --out /no/such/dir/x", "/no/such/dir/x cannot be written: No such file")
    local code, _, err = run "$B generate --start '2199-12-31 23:59:59' --rate 1"
    assert.equal(1, code)
    assert.truthy(err:find("past the year 2199", 1, true))
  end)
end)

describe("simulate", function()
  teardown(function()
    shell.clean()
  end)

  local small = "time,tokens\n" .. ("0,1000\n"):rep(40)

  it("admits along the list, makes the rest wait and expires it at its deadline", function()
    local log = file ""
    local json = good(simulate(file(small), " --models trace-small --deadline 60.2 --json --log " .. log))
    assert.equal(40, number(json, '"admitted"', "requests"))
    assert.equal(30, number(json, '"limits"', "peak"))
    assert.equal(10, number(json, '"waited"', "waited"))
    local rows = log_of(log)
    assert.equal(40, #rows)
    assert.same({ arrival = "0.000000", decided = "0.000000", outcome = "admitted", model = "trace-small",
                  tokens = "1000", wait = "0.000000", reason = "" }, rows[30])
    assert.equal("trace-small requests/min", rows[31].reason)
    assert.equal("admitted", rows[40].outcome)
    assert.is_true(tonumber(rows[40].wait) >= 60.1 and tonumber(rows[40].wait) <= 60.2, rows[40].wait)

    json = good(simulate(file(small), " --models trace-small --deadline 60 --json --log " .. log))
    assert.equal(30, number(json, '"admitted"', "requests"))
    assert.equal(10, number(json, '"expired"', "requests"))
    rows = log_of(log)
    assert.same({ arrival = "0.000000", decided = "60.000000", outcome = "expired", model = "", tokens = "1000",
                  wait = "60.000000", reason = "trace-small requests/min" }, rows[31])

    json = good(simulate(file(small), " --models trace-small --deadline 60.001 --guard 0 --json"))
    assert.equal(40, number(json, '"admitted"', "requests"))

    json = good(simulate(file(small), " --models trace-small,trace-medium --deadline 0 --json"))
    assert.equal(40, number(json, '"admitted"', "requests"))
    assert.equal(30, number(json, '"models"', "requests"))
  end)

  it("serves those who fit in the order of arrival, and lets the small pass the large", function()
    local log = file ""
    local trace = file "time,tokens\n0,60000\n1,30000\n2,50000\n3,10000\n4,40000\n"
    good(simulate(trace, " --models trace-small --guard 0 --deadline 1000 --log " .. log))
    local at = {}
    for i, row in ipairs(log_of(log)) do at[i] = tonumber(row.decided) end
    assert.is_true(at[1] == 0 and at[2] == 1 and at[4] == 3)
    assert.is_true(at[3] >= 60 and at[3] < 61.5, at[3])
    assert.is_true(at[5] >= 61 and at[5] < 64.5, at[5])
  end)

  it("ends at once what never fits", function()
    local log = file ""
    local json = good(simulate(file "time,tokens\n0,100001\n0,100000\n", " --models trace-small --json --log " .. log))
    assert.equal(1, number(json, '"never"', "requests"))
    assert.equal(1, number(json, '"admitted"', "requests"))
    local row = log_of(log)[1]
    assert.equal("never", row.outcome)
    assert.equal("0.000000", row.wait)
    assert.equal("trace-small tokens/min", row.reason)
  end)

  it("takes models and scopes from rows", function()
    local log = file ""
    local rows = "time,tokens,model,scope\n" .. ("0,1,trace-small,team:acme\n"):rep(3) .. "0,1,trace-small,team:other\n"
      .. ("0,1,trace-open,user:x\n"):rep(6) .. "0,1,trace-open,user:y\n"
    local out = good(simulate(file(rows), " --deadline 0 --guard 0 --log " .. log))
    local outcomes = {}
    for i, row in ipairs(log_of(log)) do outcomes[i] = row.outcome:sub(1, 1) .. row.model:sub(7, 7) end
    assert.same({ "as", "as", "e", "as", "ao", "ao", "ao", "ao", "ao", "e", "ao" }, outcomes)
    assert.equal("team:acme requests/min", log_of(log)[3].reason)
    assert.equal("user:x requests/min", log_of(log)[10].reason)
    assert.truthy(out:find("\nteam:acme requests/min +%a+ +2 +2 +100.0 %%\n"), out)
    assert.truthy(out:find("\ntrace%-open requests/min +%- +6 +%- +%-\n"), out)
    assert.falsy(out:find("team:other", 1, true))
  end)

  it("keeps thousands of scopes apart while they wait for one model", function()
    local rows, log = { "time,tokens,scope" }, file ""
    for i = 1, 4000 do rows[#rows + 1] = ("%.2f,100,user:%d"):format(i / 100, i % 1500) end
    good(simulate(file(table.concat(rows, "\n")), " --models trace-large --deadline 600 --log " .. log))
    local last, n = {}, 0
    for i, row in ipairs(log_of(log)) do
      if row.outcome == "admitted" then
        n = n + 1
        local scope = i % 1500
        assert.is_true(tonumber(row.decided) >= (last[scope] or 0))
        last[scope] = tonumber(row.decided)
      end
    end
    assert.is_true(n >= 2000 and n <= 2200, n) -- 200 a minute in 640 s
    assert.equal(0, (select(2, run("lua5.4 tests/cli/check_log.lua " .. log .. " trace-large 200 200000 >&2"))):len())
  end)

  it("has room for scopes with many limits, and shows their names whole", function()
    local rows = { "time,tokens,scope" }
    for i = 1, 300 do rows[#rows + 1] = ("0,1,user:é%d"):format(i) end
    rows[#rows + 1] = "0,1,team:" .. ("é"):rep(30)
    local quotas = file [[return { ["user:*"] = { rpm = 2, tpm = 60, law = "sliding" },
      ["team:*"] = { rpm = 2, tpm = 9, rpd = 9, tpd = 9, ipm = 9, itpm = 9, otpm = 9, sessions = 9 } }]]
    local command = simulate(file(table.concat(rows, "\n")), " --models gpt-4o --tier tier1 --json --quotas " .. quotas)
    local json = good(command)
    assert.is_true(number(json, '"admitted"', "requests") > 80)
    assert.is_number(utf8.len(json))
  end)

  it("prints a table that adds up", function()
    local out = good(simulate(file(small)))
    assert.truthy(out:find("\ntrace%-large +40 +100.0 %% +40,000\n"), out)
    assert.truthy(out:find("\ntrace%-large tokens/min +sliding +40,000 +200,000 +20.0 %%\n"), out)
    assert.truthy(out:find("\n%(all%) +40 +100.0 %% +40,000\n"), out)
    assert.truthy(out:find("p50 0.000 s", 1, true))
  end)

  it("reads standard input, CRLF, and a last line without an end", function()
    local rows = file "time,tokens\r\n0,5\r\n1,6"
    local out = good(("cat %s | %s"):format(rows, simulate "-"))
    assert.truthy(out:find("^standard input: 2 requests in 1.0 s\n"), out)
  end)

  it("sorts rows that are out of order, and says so", function()
    local log = file ""
    local out = good(simulate(file "time,tokens\n3,1\n1,2\n2,3\n", models .. " --log " .. log))
    assert.truthy(out:find("1 rows were out of order", 1, true), out)
    assert.equal("2", log_of(log)[1].tokens)
  end)

  it("changes speed and demand", function()
    local log = file ""
    local trace = file "time,tokens\n10,1\n11,2\n12,3\n13,4\n"
    good(simulate(trace, models .. " --speed 4 --demand 1.5 --log " .. log))
    local got = {}
    for i, row in ipairs(log_of(log)) do got[i] = row.arrival .. " " .. row.tokens end
    assert.same({ "0.000000 1", "0.000000 1", "0.250000 2", "0.500000 3", "0.500000 3", "0.750000 4" }, got)
  end)

  it("rounds times up in the log", function()
    local log = file ""
    good(simulate(file "time,tokens\n0,1\n0.0000001,2\n0.0000019,3\n", models .. " --log " .. log))
    local got = {}
    for i, row in ipairs(log_of(log)) do got[i] = row.arrival .. " " .. row.decided end
    assert.same({ "0.000000 0.000000", "0.000001 0.000001", "0.000002 0.000002" }, got)
  end)

  it("gives the same bytes again", function()
    local trace, one, two = file(good "$B generate --requests 3000"), file "", file ""
    local a = good(simulate(trace, models .. " --json --log " .. one))
    assert.equal(a, good(simulate(trace, models .. " --json --log " .. two)))
    assert.equal(contents(one), contents(two))
  end)

  it("uses the tables that ship", function()
    local out = good("$B simulate " .. file(small) .. " --tier openai=tier1,gemini=free --models gpt-4o-mini")
    assert.truthy(out:find("tier openai=tier1,gemini=free, quotas baseline", 1, true), out)
    assert.truthy(out:find("\ngpt%-4o%-mini +40 "), out)
  end)

  it("refuses bad options, by name", function()
    local trace = file(small)
    for _, bad in ipairs { "-1", "nan", "1e400", "x", "''" } do
      refused(2, simulate(trace, models .. " --deadline " .. bad), "--deadline", "from 0 to 31536000")
      refused(2, simulate(trace, models .. " --guard " .. bad), "--guard", "seconds from 0 to 86400")
      refused(2, simulate(trace, models .. " --speed " .. bad), "--speed", "from 0.001 to 1000000")
      refused(2, simulate(trace, models .. " --demand " .. bad), "--demand", "from 0.001 to 1000")
    end
    refused(2, simulate(trace, models .. " --speed 0"), "--speed")
    refused(2, simulate(trace, models .. " --modality video"), "video", "text, image, audio or live")
    refused(2, simulate(trace, " --models a,,b"), "--models has an empty name")
    refused(2, simulate(trace, ""), "--models is missing", trace .. ":2")
    refused(1, simulate(trace, models .. " --tier platinum"), "platinum", "tier1")
    refused(1, simulate(trace, " --models trace-smal"), "trace-smal", "trace-small")
    refused(1, simulate(trace, models .. " --set /no/such/set"), "/no/such/set")
  end)

  it("refuses bad traces, with their place", function()
    local function bad(text, ...)
      local trace = file(text)
      refused(1, simulate(trace), trace .. ":", ...)
    end
    refused(1, simulate "/no/such/trace.csv", "/no/such/trace.csv cannot be read: No such file")
    refused(1, simulate "/tmp", "/tmp", "Is a directory")
    refused(1, "echo time,token | " .. simulate "-", "standard input:1: ")
    bad("", ":1: ", "empty")
    bad("time,tokens\n", "No row")
    bad("a,b\n1,2\n", ":1: ", "expected TIMESTAMP,ContextTokens,GeneratedTokens or time,tokens")
    bad("time,tokens\n0,5\n1\n", ":3: ", "tokens is missing", "cut off")
    for _, amount in ipairs { "-1", "0.5", "NaN", "1e400", "9223372036854775808", "1099511627776", "" } do
      bad("time,tokens\n0,5\n1," .. amount .. "\n", ":3: ", 'tokens is "' .. amount .. '"', "0 to 1099511627775")
    end
    bad("time,tokens\n-1,5\n", ":2: ", "time")
    bad("time,tokens,model\n0,5,trace-small\n0,5,trace-smal\n", ":3: model: ", "trace-small")
    bad("time,tokens,scope\n0,5,acme\n", ":2: ", "scope", "team:acme")
    for _, name in ipairs { "\255\254", "\27[31m", "\192\128", "\195", "\237\160\128", "\244\144\128\128", "\127" } do
      bad("time,tokens,scope\n0,5,team:" .. name .. "\n", ":2: ", "scope", "UTF-8 without control characters")
    end
  end)

  it("refuses bad overrides, with their place", function()
    local trace = file(small)
    local quotas = file 'return {\n  ["in-house"] = {\n    rpm = 5,\n    rmp = 6,\n  },\n}\n'
    refused(1, ("$B simulate %s --models in-house --quotas %s"):format(trace, quotas), quotas, ":4", "rmp", "rpm")
    refused(1, ("$B simulate %s --models in-house --quotas /no/such.lua"):format(trace), "/no/such.lua")
    refused(1, ("$B simulate %s --models in-house --quotas %s"):format(trace, file "return {"), "")
  end)

  it("reads overrides as JSON, as strictly as Lua", function()
    local trace = file(small)
    local function with(text) return ("$B simulate %s --models own --quotas %s"):format(trace, file(text, ".json")) end
    local json = good(with '{ "own": { "rpm": 7, "tpm": 0 }, "team:acme": { "rpm": 5 }, "gpt-4o": { "blocked": true } }'
      .. " --json")
    assert.equal(7, number(json, '"limits"', "peak"))
    for _, case in ipairs {
      { '{"own":{"rpm":1},\n"own":{"rpm":2}}', ":2: ", 'the key "own" stands twice' },
      { '{"own":{"rpm":1,\n"rpm":2}}', ":2: ", 'the key "rpm" stands twice' },
      { '{"own":{\n"rpm":1e400}}', ":2: ", "larger than can be held" },
      { '{"own":{\n"rpm":null}}', ":2: ", "null" },
      { '{"own":\n{"a":{"b":{"c":{"d":{"e":{"f":{"g":{}}}}}}}}}', "nested deeper than 8" },
      { ('{"own":' .. ("["):rep(5000)), "cannot be read as JSON" },
      { '{"own":{"rpm":1}', "cannot be read as JSON" },
      { '{"own":{"rpm":1}} x', "cannot be read as JSON" },
      { [[{"a\u0000b":{"rpm":1}}]], "a string holds a zero byte" },
      { '{"own":{"rpm":1}}\0', "cannot be read as JSON" },
      { "", "cannot be read as JSON" },
      { "[1]", "no JSON object" },
      { '{"own":5}', "must be like" },
      { '{"own":{"rpx":1}}', ":1: ", "rpx", "did you mean" },
      { '{"own":{"rpm":-1}}', "whole number from 1" },
      { '{"own":{"rpm":0.5}}', "whole number from 1" },
      { '{"own":{"rpm":1099511627776}}', "whole number from 1" },
      { '{"own":{"rpm":"7"}}', "must be a number" },
      { '{"own":{"rpm":true}}', "must be a number" },
      { '{"own":{"requests":"7/minute"}}', "requests" },
      { '{"":{"rpm":1}}', "without a model's name" },
      { '{"own\\u0001":{"rpm":1}}', "control characters" },
    } do
      refused(1, with(case[1]), table.unpack(case, 2))
    end
  end)

  it("never writes the log over an input", function()
    local mine = file "time,tokens\n0,5\n"
    refused(1, simulate(mine, models .. " --log " .. mine), "is an input of this run and would be overwritten")
    refused(1, simulate("-", models .. " --log " .. mine .. " < " .. mine), "is an input of this run")
    local kept = assert(io.open(mine))
    assert.equal("time,tokens\n0,5\n", kept:read "a")
    kept:close()
    refused(2, simulate(mine, models .. " --log -"), "--log needs the path of a file")
  end)

  it("refuses outputs that cannot be written", function()
    local trace = file(small)
    refused(1, simulate(trace, models .. " --log /no/such/dir/log"), "/no/such/dir/log cannot be written: No such file")
    local code, out, err = run(simulate(trace, models .. " --log /dev/full"))
    assert.equal(1, code)
    assert.truthy(out:find("(all)", 1, true)) -- the summary is still worth having
    assert.truthy(err:find("/dev/full cannot be written: No space left", 1, true), err)
    code, out, err = run(simulate(trace, models .. " --json >/dev/full"))
    assert.equal("", out)
    assert.equal(1, code)
    assert.truthy(err:find("standard output cannot be written: No space left", 1, true), err)
  end)

  -- Against each kind of provider: the tokens that unknown outputs give, as a share of those that known ones do.
  local function learns(trace)
    local known = number(good(simulate(trace, models .. " --json")), '"admitted"', "tokens")
    for _, law in ipairs { "sliding", "calendar", "bucket" } do
      local json = good(simulate(trace, models .. " --json --unknown-output --provider " .. law))
      local sent, refusals = number(json, '"provider"', "sent"), number(json, '"provider"', "answered_429")
      local tokens = number(json, '"admitted"', "tokens")
      print(("%s, %s: %d of %d calls answered 429, %.2f %%; %.1f %% of the tokens of known outputs"):format(
        trace, law, refusals, sent, 100 * refusals / sent, 100 * tokens / known))
      assert.equal(number(json, '"admitted"', "requests"), sent - refusals)
      assert.is_true(refusals <= 0.01 * sent)
      assert.is_true(tokens >= 0.95 * known)
    end
  end

  it("learns how long outputs get, on generated traces", function()
    for seed = 1, 3 do
      local trace = file ""
      good(("$B generate --seed %d --out %s"):format(seed, trace))
      learns(trace)
    end
  end)

  it("learns how long outputs get, on a production trace", function()
    local found = io.open(azure)
    if not found then
      print("there is no " .. azure)
      pending("there is no " .. azure)
      return
    end
    found:close()
    learns(azure)
  end)

  it("tells what an exact provider answers", function()
    -- The first two are in flight with 512 tokens of output each; the second of them is short of its 3,000.
    local trace = file("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:00,97000,1\n"
      .. "2024-01-01 00:00:01,1000,3000\n2024-01-01 00:00:01,800,200\n")
    local only = " --models trace-small --unknown-output"
    local out = good(simulate(trace, only))
    assert.truthy(out:find("unknown outputs, sliding provider: 4 calls sent, 1 answered 429 (25.0 %)\n", 1, true), out)
    local log = file ""
    good(simulate(trace, only .. " --log " .. log))
    local rows = log_of(log)
    assert.equal("0.000000", rows[1].decided)
    assert.equal("60.000000", rows[2].decided) -- when the provider had said
    assert.equal("60.000000", rows[3].decided) -- all wait while the model cools
    good(simulate(trace, only .. " --provider calendar --log " .. log))
    assert.equal("60.000000", log_of(log)[2].decided)
    good(simulate(trace, only .. " --provider bucket --log " .. log))
    local wait = (97001 + 4000 - 100000) * 60 / 100000 - 1 -- of a bucket that refills all the time
    assert.equal(("%.6f"):format(1 + math.max(wait, 0)), log_of(log)[2].decided)
    -- What is larger than the provider's limit never goes.
    trace = file "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:00,99000,2000\n"
    assert.equal(1, number(good(simulate(trace, only .. " --json")), '"never"', "requests"))
    refused(2, simulate(trace, only .. " --provider gauge"), "--provider", "sliding, calendar or bucket")
    refused(2, simulate(trace, models .. " --provider bucket"), "--provider", "--unknown-output")
  end)

  it("keeps every limit on a production trace, and its goodput", function()
    local found = io.open(azure)
    if not found then
      pending("there is no " .. azure)
      return
    end
    found:close()
    local log = file ""
    local json = good(simulate(azure, models .. " --json --log " .. log))
    print(good("lua5.4 tests/cli/check_log.lua " .. log
      .. " trace-large 200 200000 trace-medium 60 150000 trace-small 30 100000"))
    assert.equal(8819, number(json, '"all"', "requests"))
    -- What binds each model is as full as an exact log of every admission with the same guard makes it. The totals are
    -- no measure: which requests go where depends on who passes whom.
    assert.is_true(number(json, '"trace-large"', "tokens") >= 0.99 * 8214274)
    assert.is_true(number(json, '"trace-medium"', "requests") >= 0.99 * 2018)
    assert.is_true(number(json, '"trace-small"', "requests") >= 0.99 * 969)
  end)
end)
