-- What the language of quota tables says to those who use it wrongly: each row is a text with the line, the field and a
-- part of the message that must come back.

local support = dofile "tests/spec/support.lua"
local limits = support.limits
local contains, fault_of = support.contains, support.fault_of

-- The error of a whole quota table.
local function table_fault(text)
  local set, err = support.load { quotas = { text } }
  assert.is_nil(set, text)
  return err
end

-- rows: { text, line, field, part of the message }
local function check(rows, fault)
  for _, row in ipairs(rows) do
    local err = fault(row[1])
    assert.equal("ECONFIG", err.code, row[1])
    assert.equal("quota.lua", err.file, row[1])
    contains(err.message, row[4])
    assert.equal(row[2], err.line, row[1] .. "\n" .. err.message)
    assert.equal(row[3], err.field, row[1] .. "\n" .. err.message)
    contains(err.message, row[2] and "quota.lua:" .. string.format("%d", row[2]) .. ": " or "quota.lua: ")
    assert.is_truthy(err.message:find "[.?]$", err.message)
    assert.is_true(#err.message < 736, err.message)
  end
end

describe("a wrong number", function()
  it("is refused with its line and field", function()
    local whole = "must be a whole number from 1 to 1099511627775, or 0 or inf for no limit, not "
    check({
      { "rpm = -1", 3, "rpm", whole .. "-1." },
      { "tpm = 5,\n rpm = 0.5", 4, "rpm", whole .. "0.5." },
      { "rpm = 0/0", 3, "rpm", whole .. "nan." },
      { "rpm = -math.huge", 3, "rpm", whole .. "-inf." },
      { "rpm = 2^40", 3, "rpm", whole .. "1099511627776." },
      { "rpm = 2^63", 3, "rpm", whole .. "9.2233720368548e+18." },
      { "requests = -5/minute", 3, "requests", whole .. "-5." },
      { "requests = {\n1/minute,\n1.5/hour }", 3, "requests", whole .. "1.5." },
      { "sessions = gauge(-1)", 3, "sessions", whole .. "-1." },
      { "sessions = gauge(0/0)", 3, "sessions", whole .. "nan." },
      { "rpm = '10'", 3, "rpm", 'must be a number, not "10".' },
      { "requests = '10'/minute", 3, "requests", 'must be a number, not "10".' },
      { "rpm = true", 3, "rpm", "must be a number, not true." },
      { "rpm = 10/minute", 3, "rpm", "must be a number, not a rate." },
      { "sessions = gauge(1, 0.5)", 3, "sessions", "1 to 34560000 seconds to live, not 0.5." },
      { "sessions = gauge(1, 0/0)", 3, "sessions", "1 to 34560000 seconds to live, not nan." },
      { "sessions = gauge(1, 34560001)", 3, "sessions", "1 to 34560000 seconds to live" },
      { "guard = -1, rpm = 1", 3, "guard", "must be a number of seconds from 0, not -1." },
      { "guard = 0/0, rpm = 1", 3, "guard", "must be a number of seconds from 0, not nan." },
      { "guard = inf, rpm = 1", 3, "guard", "must be a number of seconds from 0, not inf." },
      { "guard = 'x'", 3, "guard", 'must be a number of seconds from 0, not "x".' },
    }, fault_of)
  end)

  it("is refused when the text says more than Lua can hold", function()
    local larger = "is larger than Lua can hold; write math.huge or inf for no limit."
    check({
      { "rpm = 1e400", 3, "1e400", "the number 1e400 " .. larger },
      { "tpm = 5,\nrpm = 10.5E+999", 4, "10.5E+999", larger },
      { "rpm = 1" .. ("0"):rep(309), 3, "1" .. ("0"):rep(39), larger },
      { "rpm = 1" .. ("0"):rep(210) .. "e99", 3, "1" .. ("0"):rep(39), larger },
      { "rpm = 0x10000000000000001", 3, "0x10000000000000001", larger },
      { "rpm = 0X10000000000000001", 3, "0X10000000000000001", larger },
    }, fault_of)
    for _, body in ipairs {
      "--[==[ 1e400 ]] ]==] rpm = 0", "-- 1e400\n rpm = 0", "rpm = tonumber 'x' or 0, --1e999\n",
      "rpm = #'1e400' * 0", 'rpm = #"\\"1e400" * 0', "rpm = #[[1e400]] * 0", "rpm = 1e-400",
      "rpm = 0x00000000000000000",
      "rpm = 1e308 * 10", "rpm = 0.000000000000000000000000000000000",
    } do
      assert.same({}, limits("openai", body), body)
    end
  end)
end)

describe("a wrong field", function()
  it("is refused with the nearest one", function()
    check({
      { "rmp = 5", 3, "rmp", 'field rmp of model "m" in tier "free" is unknown; did you mean "rpm"?' },
      { "request = 5/minute", 3, "request", 'did you mean "requests"?' },
      { "input_token = 5/minute", 3, "input_token", 'did you mean "input_tokens"?' },
      { "Blocked = true", 3, "Blocked", 'did you mean "blocked"?' },
      { "frobnicate = 5", 3, "frobnicate", "is unknown; the known fields are audio_ms, blocked, characters, charged," },
      { "5", 3, "m", "holds a value without a name" },
      { "[true] = 5", 3, "m", "holds a value without a name" },
      { "blocked = 1", 3, "blocked", "must be true or false, not 1." },
      { "law = 'fixed', rpm = 1", 3, "law", 'must be "sliding" or "bucket", not "fixed"' },
      { "law = 5, rpm = 1", 3, "law", 'must be "sliding" or "bucket", not 5' },
      { "law = 'calendar', rpm = 1", 3, "law", "a calendar is written like" },
      { "law = 'bucket'", 3, "law", "has no limit beside it that it could govern" },
    }, fault_of)
  end)

  it("is refused when its value is no limit", function()
    check({
      { "requests = 5", 3, "requests", "must be a limit like 10/minute or gauge(3), or a list of them, not 5." },
      { "requests = minute", 3, "requests", "not a unit." },
      { "requests = { 5/minute, 7 }", 3, "requests", "not 7." },
      { "requests = { minute = 5 }", 3, "requests", "must be a limit or a list of limits" },
      { "requests = { 5/minute, x = 1/hour }", 3, "requests", "must be a limit or a list of limits" },
      { "requests = { 5/minute, nil, 5/hour }", 3, "requests", "must be a limit or a list of limits" },
      { "requests = function() end", 3, "requests", "not a function." },
    }, fault_of)
  end)

  it("is refused when money and numbers are mixed up", function()
    check({
      { "cost = 50/month", 3, "cost", "limits money, which is written like usd(50)/month." },
      { "cost = gauge(5)", 3, "cost", "limits money, which is written like usd(50)/month." },
      { "cost = 50", 3, "cost", "must be a limit like usd(50)/month, or a list of them, not 50." },
      { "cost = usd(50)", 3, "cost", "or a list of them, not a sum of money." },
      { "requests = usd(5)/minute", 3, "requests", "limits no money, so that a number is expected, like 10/minute;" },
      { "rpm = usd(5)", 3, "rpm", "must be a number, not a sum of money." },
      { "sessions = gauge(usd(5))", 3, "gauge", "gauge takes how many at one time" },
      { "cost = usd(-1)/day", 3, "usd", "usd takes dollars from 0.000001 to 1099511.627775, in steps of 0.000001," },
      { "cost = usd(0.0000001)/day", 3, "usd", "not 1e-07." },
      { "cost = usd(1.0000005)/day", 3, "usd", "in steps of 0.000001" },
      { "cost = usd(1099511.627776)/day", 3, "usd", "from 0.000001 to 1099511.627775" },
      { "cost = usd(0/0)/day", 3, "usd", "not nan." },
      { "cost = usd('5')/day", 3, "usd", 'not "5".' },
      { "cost = usd(minute)/day", 3, "usd", "not a unit." },
    }, fault_of)
  end)

  it("is refused when it limits the same twice", function()
    check({
      { "requests = { 5/minute, 6/minute }", 3, "requests", "limits requests twice over the same minute" },
      { "requests = { 5/minute, 0/minute }", 3, "requests", "limits requests twice over the same minute" },
      { "requests = { 5/pacific_day, 6/day { tz = 'America/Los_Angeles' } }", 3, "requests", "over the same day" },
      { "sessions = { gauge(1), gauge(2, 60) }", 3, "sessions", "twice over the same gauge" },
      { "requests = 5/minute,\nrpm = 6", 4, "rpm", "limits requests twice over the same minute" },
    }, fault_of)
    assert.equal(2, #limits("openai", "requests = { 5/day, 5/pacific_day }"))
  end)

  it("is refused when there are more than 16 limits", function()
    local parts = {}
    for _, meter in ipairs { "tokens", "requests", "images" } do
      parts[#parts + 1] = meter .. " = { 1/second, 1/minute, 1/hour, 1/day, 1/week, 1/month }"
    end
    local err = fault_of(table.concat(parts, ", "))
    contains(err.message, "is one limit too many; a model has at most 16.")
  end)
end)

describe("a word used wrongly", function()
  it("is told so at its line", function()
    check({
      { "requests = 5/minut", 3, "minut", '"minut" is no word here; did you mean "minute"?' },
      { "requests = os.time()", 3, "os", '"os" is no word here; the known words are assert, day, error, gauge, hour,' },
      { "requests = minute/5", 3, "/", "a limit is written as a number over a unit of time" },
      { "requests = minute {}", 3, "tz", "not nil." },
      { "requests = 5/day { tz = '../../etc/passwd' }", 3, "tz", 'without "..", blanks or a leading "/"' },
      { "requests = 5/day { tz = '/etc/localtime' }", 3, "tz", 'without "..", blanks or a leading "/"' },
      { "requests = 5/day { tz = 'Europe/ Paris' }", 3, "tz", "blanks" },
      { "requests = 5/day { tz = '' }", 3, "tz", 'not "".' },
      { "requests = 5/day { tz = ('x'):rep(48) }", 3, "tz", "at most 47 bytes" },
      { "requests = 5/day { tz = 5 }", 3, "tz", "not 5." },
      { "requests = 5/day { zone = 'UTC' }", 3, "zone", 'unknown field "zone" of day; the known field is tz.' },
      { "requests = 5/day 'UTC'", 3, "tz", "takes a table with a time zone" },
      { "requests = 5/pacific_day { tz = 'UTC' }", 3, "tz", "only a unit of time takes a time zone, once" },
      { "requests = 5/second { tz = 'UTC' }", 3, "tz", "a second has no calendar" },
      { "requests = (5/minute) {}", 3, "tz", "only a unit of time takes a time zone" },
      { "sessions = gauge()", 3, "gauge", "gauge takes how many at one time" },
      { "sessions = gauge(3, 'x')", 3, "gauge", "gauge takes how many at one time" },
      { "requests = tier(5)", 3, "tier", "tier takes a name of letters" },
      { "requests = tier 'x' (5)", 3, "tier", 'tier "x" takes a table' },
      { "requests = policy(5)", 3, "policy", "policy takes a table" },
      { "requests = (function() minute.x = 5 end)()", 3, "=", "the words of the language cannot be given fields." },
    }, fault_of)
  end)

  it("is refused for a time zone that the host does not know", function()
    local text = [[return quota "a" { api = 1, modality = "text",
      tier "free" { m = { requests = 1/day { tz = "A/B" } } } }]]
    local function zone_error(name) return name == "A/B" and "there is no A/B." or nil end
    local set, err = support.load { quotas = { text }, zone_error = zone_error }
    assert.is_nil(set)
    assert.equal(2, err.line)
    assert.equal("tz", err.field)
    contains(err.message, "there is no A/B.")
  end)

  it("cannot change what the next script reads", function()
    local first = [[
      math.huge, string.len, second, tonumber = 5, nil, 5, nil
      return quota "a" { api = 1, modality = "text", tier "free" { m = { requests = 5/minute } } }]]
    local second = [[
      return quota "b" { api = 1, modality = "text",
        tier "free" { n = { requests = { string.len("abc")/second, math.huge/minute, tonumber("7")/hour } } } }]]
    local set = assert(support.load { quotas = { first, second } })
    assert.equal(3, support.model(set, "n").limits[1].amount)
    assert.equal(2, #support.model(set, "n").limits)
  end)
end)

describe("the environment", function()
  it("holds the words and nothing that reaches out", function()
    for _, name in ipairs {
      "os", "io", "debug", "load", "loadstring", "require", "package", "coroutine", "setmetatable", "getmetatable",
      "rawset", "rawget", "xpcall", "collectgarbage", "setfenv", "getfenv", "_G", "dofile", "print",
    } do
      contains(fault_of("requests = " .. name).message, '"' .. name .. '" is no word here')
    end
    for _, name in ipairs { "find", "gsub", "dump", "pack" } do
      contains(fault_of("rpm = string." .. name).message, 'string has no "' .. name .. '" here')
    end
    for _, name in ipairs { "move", "pack", "setn" } do
      contains(fault_of("rpm = table." .. name).message, 'table has no "' .. name .. '" here')
    end
    contains(fault_of("rpm = math.random").message, 'math has no "random" here')
  end)
end)

describe("a script", function()
  it("that does not run is told where", function()
    check({
      { "return quota 'x' {\n api = 1,\n oops oops }", 3, nil, "the script cannot be read as Lua: " },
      { "\27Lua", nil, nil, "the script cannot be read as Lua: a binary chunk is not accepted." },
      { "local x = nil\nreturn x.y", 2, nil, "the script failed: attempt to index" },
      { "\nerror 'no luck'", 2, nil, "the script failed: no luck." },
      { "error {}", nil, nil, "the script failed: it raised a table." },
      { "local x = 5", nil, nil, "the script returns nothing; it must end with return quota" },
      { "return 5", nil, nil, "the script returns something that is not a quota table" },
      { "return { api = 1 }", nil, nil, "the script returns something that is not a quota table" },
      { "return policy { api = 1, name = 'x' }", nil, nil, "the script returns something that is not a quota table" },
      { "return quota 'x'", nil, nil, "the script returns something that is not a quota table" },
      { "return quota 'a/b' {}", 1, "quota", "quota takes a name of letters" },
      { "return quota 'x' (5)", 1, "quota", 'quota "x" takes a table' },
      { "local a = 1\nreturn policy(5)", 2, "policy", "policy takes a table" },
    }, table_fault)
  end)

  it("is told its line when the name of its file is long", function()
    local file = ("directory/"):rep(12) .. "quota.lua"
    local set, err = support.load { quotas = { { file = file, text = "\nerror 'x'" } } }
    assert.is_nil(set)
    assert.equal(2, err.line)
    assert.equal(file .. ":2: the script failed: x.", err.message)
  end)
end)

describe("a quota table", function()
  local function with(fields)
    return "return quota 'x' {\n" .. fields .. "\n}"
  end

  it("is refused with line and field", function()
    local good = "api = 1, modality = 'text',\n"
    check({
      { with "modality = 'text'", 1, "api", "must be 1, the version of the language that this release reads, not nil" },
      { with "modality = 'text',\napi = 2", 3, "api", "not 2." },
      { with "api = 1", 1, "modality", "must be one of audio, image, live, text, not nil." },
      { with "api = 1,\nmodality = 'video'", 3, "modality", 'not "video".' },
      { with(good .. "aliasses = {}"), 3, "aliasses", 'did you mean "aliases"?' },
      { with(good .. "nicknames = {}"), 3, "nicknames", "the known fields are aliases, api, families, guard," },
      { with(good .. "guard = -1"), 3, "guard", "must be a number of seconds from 0, not -1." },
      { with(good .. "5"), 1, "x", 'holds 5 without a name, where tier "name" { ... } is expected.' },
      { with(good .. "tier 'free'"), 1, "x", "holds a function without a name" },
      { with(good .. "nil, tier 'free' {}"), 1, "x", "has a hole in its list of tiers" },
      { with(good .. "[true] = 5"), 1, "x", "a key that is not a name" },
      { with(good .. "tier 'free' {}, tier 'free' {}"), 3, "free", "is a tier that was there before" },
      { with(good .. "tier 'free' { 5 }"), 3, "free", "has an entry without a model's name" },
      { with(good .. "tier 'free' { [''] = {} }"), 3, "free", "has an entry without a model's name" },
      { with(good .. "tier 'free' { ['a\\nb'] = {} }"), 3, "free", "has an entry without a model's name" },
      { with(good .. "tier 'free' {\nm = 5 }"), 4, "m", 'the table of model "m" in tier "free" must be like {' },
      { with(good .. "tier 'free' {\nm = 5/minute }"), 4, "m", "not a rate." },
      { with(good .. "tier 'free' {},\ntier 'tier1' {\nm = { rpn = 5 } }"), 5, "rpn", 'in tier "tier1"' },
    }, table_fault)
  end)

  it("is refused for aliases and families that contradict it", function()
    local head = "api = 1, modality = 'text', tier 'free' { m = { rpm = 1 }, n = { rpm = 2 } },\n"
    check({
      { with(head .. "aliases = 5"), 3, "aliases", "must be a table like" },
      { with(head .. "aliases = { 5 }"), 3, "aliases", "has an entry without a model's name" },
      { with(head .. "aliases = { m = 'x' }"), 3, "m", 'must be a list of names, not "x".' },
      { with(head .. "aliases = { m = { 5 } }"), 3, "m", "5 is not a name" },
      { with(head .. "aliases = { m = { x = 'y' } }"), 3, "m", "must be a list of names" },
      { with(head .. "aliases = {\nmn = { 'o' } }"), 4, "mn", 'is a model that no tier has; did you mean "m"?' },
      { with(head .. "aliases = { m = { 'n' } }"), 3, "n", 'cannot be another spelling of "m", since it means "n"' },
      { with(head .. "aliases = { m = { 'o' }, n = { 'o' } }"), 3, "o", 'since it means "m" already.' },
      { with(head .. "families = { m = { 'n' } }"), 2, "n", 'draws on the row of "m" by families' },
      { with(head .. "families = { o = { 'p' } }"), 3, "p", 'draws on the row of "o" by families, which no tier has.' },
      { with(head .. "families = { m = { 'o' }, n = { 'o' } }"), 3, "o", "belongs to two families" },
      { with(head .. "families = { m = { 'o' }, o = { 'p' } }"), 3, "o", "belongs to two families" },
    }, table_fault)
  end)

  it("may not give a model that another one has", function()
    local function one(provider)
      return { file = provider .. ".lua", text = "return quota '" .. provider
        .. "' { api = 1, modality = 'text', tier 'free' { m = { rpm = 1 } } }" }
    end
    local set, err = support.load { quotas = { one "a", one "b" } }
    assert.is_nil(set)
    assert.equal('b.lua:1: the table of model "m" in tier "free" names a model that provider "a" has too; a name must '
      .. 'mean one model.', err.message)
    set, err = support.load { quotas = { one "a", one "a" } }
    assert.is_nil(set)
    contains(err.message, "has been given before by another table")
    local aliased = { file = "c.lua", text = [[return quota "c" { api = 1, modality = "text", aliases = { n = { "m" } },
      tier "free" { n = { rpm = 1 } } }]] }
    set, err = support.load { quotas = { one "a", aliased } }
    assert.is_nil(set)
    contains(err.message, 'cannot be another spelling of "n", since it means "m" already.')
    set, err = support.load { quotas = { aliased, one "a" } }
    assert.is_nil(set)
    contains(err.message, 'names a model that is another spelling of "n" already.')
  end)

  it("keeps a blocked model, with its family", function()
    local set = assert(support.load { quotas = { [[return quota "x" { api = 1, modality = "text",
      families = { m = { "n" } }, tier "free" { m = { blocked = true, rpm = 5 }, o = { blocked = false } } }]] } })
    assert.is_true(support.model(set, "m").blocked)
    assert.is_true(support.model(set, "n").blocked)
    assert.is_false(support.model(set, "o").blocked)
    assert.equal(1, #support.model(set, "n").limits)
  end)

  it("is refused when a scope's name is too long for the engine", function()
    local name = ("n"):rep(240)
    local err = table_fault("return quota 'x' { api = 1, modality = 'text', tier 'free' { " .. name .. " = {} } }")
    contains(err.message, "makes a scope of 256 bytes, longer than 255")
    assert.is_truthy(support.load { quotas = {
      "return quota 'x' { api = 1, modality = 'text', tier 'free' { " .. name:sub(2) .. " = {} } }" } })
  end)
end)
