-- llm-limiters check: what it says of good and bad files of every kind, the differences it tells, and its exit codes.
-- LLM_LIMITERS names the binary. Run from the top of the checkout: busted --lua=lua5.4 tests/cli
local binary = os.getenv("LLM_LIMITERS") or "build/llm-limiters"

local top

-- A file of that name in the test's directory.
local function file(name, text)
  local path = top .. "/" .. name
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
  return path
end

-- Runs check in the test's directory: exit code, standard output, standard error.
local function check(arguments)
  local out, err = os.tmpname(), os.tmpname()
  local line = ("cd '%s' && '%s' check %s >%s 2>%s </dev/null"):format(top, binary, arguments, out, err)
  local _, how, code = os.execute(line)
  assert.equal("exit", how, arguments)
  local texts = {}
  for i, name in ipairs { out, err } do
    local f = assert(io.open(name, "rb"))
    texts[i] = f:read("a")
    f:close()
    os.remove(name)
  end
  return code, texts[1], texts[2]
end

local function says(code, arguments, ...)
  local got, out, err = check(arguments)
  assert.equal(code, got, arguments .. "\n" .. out .. err)
  assert.equal("", err, arguments)
  for _, part in ipairs { ... } do
    assert.truthy(out:find(part, 1, true), ("%s\nlacks: %s\nhas: %s"):format(arguments, part, out))
  end
  return out
end

describe("llm-limiters check", function()
  lazy_setup(function()
    if not binary:find("^/") then
      local f = assert(io.popen("pwd"))
      binary = f:read("l") .. "/" .. binary
      f:close()
    end
  end)

  before_each(function()
    top = os.tmpname()
    os.remove(top)
    assert(os.execute("mkdir " .. top))
  end)

  after_each(function()
    os.execute("rm -r " .. top)
  end)

  it("finds out what a file is", function()
    file("q.lua", [[return quota "openai" { api = 1, modality = "audio", tier "gold" {}, tier "free" {} }]])
    file("p.lua", [[return policy { api = 1, name = "x" }]])
    file("o.lua", [[return { ["in-house"] = { rpm = 20 } }]])
    file("o.json", [[{ "in-house": { "rpm": 20 } }]])
    says(0, "q.lua p.lua o.lua o.json", "q.lua: good, a quota table", "p.lua: good, a policy\n",
      "o.lua: good, a table of overrides\n", "o.json: good, a table of overrides\n")
  end)

  it("tells each fault with its line", function()
    file("syntax.lua", "return {\n  x = \n}")
    file("q.lua", 'return quota "openai" { api = 1, modality = "image",\n tier "free" { a = { rpn = 5 } } }')
    file("p.lua", 'return policy { api = 1,\n nam = "x" }')
    file("o.lua", "return {\n ['in-house'] = {\n rpn = 20 } }")
    file("o.json", '{\n "a": { "rpm": 5, }')
    file("five.lua", "return 5")
    file("nothing.lua", "")
    file("endless.lua", "while true do end")
    file("good.lua", "return { a = { rpm = 5 } }")
    says(1, "syntax.lua q.lua p.lua o.lua o.json five.lua nothing.lua endless.lua nowhere.lua good.lua",
      "syntax.lua:3: the script cannot be read as Lua", "q.lua:2: field rpn", "p.lua:2: field nam of the policy",
      "o.lua:3: field rpn", "o.json:2: the file cannot be read as JSON", "five.lua: the script returns neither",
      "nothing.lua: ", "endless.lua: ", "nowhere.lua: cannot be read", "good.lua: good")
  end)

  it("tells the line of a key, however it is spelt", function()
    file("twice.json", '{\n "A": { "rpm": 3 },\n "\\u0041": { "rpm": 3 } }')
    file("spelt.json", '{\n "first": { "rpm": 10 },\n "\\u0061b": { "rpm": 10,\n  "tpm": -1 } }')
    file("empty.json", '{\n "": { "rpm": 3 } }')
    file("zeros.json", '{ "a-01": { "rpm": 1 },\n "b": { "rpm": 01 } }')
    file("dot.json", '{ "a": { "rpm": 0, "tpm": 10, "rpd": 1.5e+2, "tpd": -0.5E1 },\n "b": { "rpm": 1. } }')
    file("list.lua", "return {\n  a = { rpm = 10 },\n  [1] = { rpm = 10 } }")
    says(1, "twice.json spelt.json empty.json zeros.json dot.json list.lua", "twice.json:3: the key \"A\"",
      "spelt.json:4: field tpm", "empty.json:2: the table of overrides has an entry without",
      "zeros.json:2: a number here is not as JSON has it", "dot.json:2: a number here is not",
      "list.lua:3: the table of overrides has an entry without")
  end)

  it("tells what overrides change", function()
    file("o.lua", [[return {
      ["gpt-4o-mini"] = { requests = { 20/minute } },
      ["gemini-2.5-flash"] = { rpm = 11 }, ["gemini-2.5-pro"] = { rpm = 4, rpd = 0 },
      ["gemini-2.0-flash"] = { blocked = true }, ["in-house"] = { rpm = 20, sessions = 2 } }]])
    local out = says(0, "o.lua", "gemini-2.5-flash requests/min: raised from 10 sliding to 11 sliding\n",
      "gemini-2.5-pro requests/min: lowered from 5 sliding to 4 sliding\n",
      "gemini-2.5-pro requests/day: removed, was 100 calendar America/Los_Angeles\n",
      "gemini-2.0-flash: blocked\n", "in-house: added\n", "in-house requests/min: added, 20 sliding\n",
      "in-house sessions at once: added, 2\n")
    assert.falsy(out:find("gpt-4o:", 1, true), out)
    file("o.lua", [[return { ["gpt-4o-mini"] = { requests = 50/minute { tz = "UTC" } } }]])
    says(0, "o.lua", "gpt-4o-mini requests/min: changed from 50 bucket, guard 0.1 s, charged as reserved to 50 "
      .. "calendar UTC, guard 0.1 s, charged as reserved\n")
    for _, text in ipairs { "{}", "{ ['gpt-4o'] = { weight = 3, price = { input = 1 } } }",
      "{ ['team:*'] = { rpm = 5 } }" } do
      file("o.lua", "return " .. text)
      says(0, "o.lua", "o.lua: good, a table of overrides that changes no model's limits\n")
    end
  end)

  it("compares with another set, and tables of one provider with that provider's", function()
    assert(os.execute("mkdir " .. top .. "/old " .. top .. "/new"))
    local text = [[return quota "%s" { api = 1, modality = "text", tier "free" { ["%s"] = { rpm = %d } } }]]
    file("old/1.lua", text:format("openai", "a", 5))
    file("old/2.lua", text:format("gemini", "b", 5))
    file("new/1.lua", text:format("openai", "a", 6))
    file("new/2.lua", text:format("gemini", "c", 5))
    local out = says(0, "new --against old", "new/1.lua: good, a quota table\n", "new: good, a set of quota tables\n",
      "  a requests/min: raised from 5 sliding to 6 sliding\n", "  b: removed\n", "  c: added\n")
    assert.equal(1, select(2, out:gsub("raised", "")), out)
    out = says(0, "new/1.lua --against old", "raised")
    assert.falsy(out:find("b: removed", 1, true), out)
    says(0, "old --against old", "old: good, a set of quota tables that changes no model's limits\n")
    file("new/2.lua", text:format("openai", "a", 7))
    says(1, "new --against old", "model \"a\"")
  end)

  it("takes a tier and a modality", function()
    file("q.lua", [[return quota "openai" { api = 1, modality = "image",
      tier "free" { ["dall-e-3"] = { ipm = 1 } }, tier "gold" { ["dall-e-3"] = { ipm = 100 } } }]])
    says(0, "q.lua --tier gold", "  image dall-e-3 images/min: ", "100 ")
    says(0, "q.lua --modality text", "q.lua: good, a quota table that changes no model's limits\n")
    says(1, "q.lua --tier silver", 'tier "silver" does not exist; the tiers are free, gold.')
  end)

  it("judges a table by a tier that it has, and the set of a directory by the one that was given", function()
    assert(os.execute("mkdir " .. top .. "/set"))
    local text = [[return quota "%s" { api = 1, modality = "text", tier "%s" { ["%s"] = { rpm = %d } } }]]
    file("ent.lua", text:format("openai", "enterprise-1.0", "a", 1))
    file("set/1.lua", text:format("openai", "tier1", "a", 2))
    file("set/2.lua", text:format("gemini", "free", "b", 3))
    file("o.json", [[{ "a": { "rpm": 20 } }]])
    file("p.lua", [[return policy { api = 1, name = "x" }]])
    says(0, "ent.lua", "ent.lua: good", "a requests/min: added, 1 sliding")
    says(0, "set", "set: good, a set of quota tables\n", "  b requests/min: added, 3 sliding\n")
    local lists = "--tier openai=tier1,gemini=free"
    says(0, "set " .. lists, "set/1.lua: good", "set/2.lua: good", "  a requests/min: added, 2 sliding\n",
      "  b requests/min: added, 3 sliding\n")
    says(0, "set/1.lua " .. lists, "  a requests/min: added, 2 sliding\n")
    says(0, "set --tier tier1", "set/2.lua: good, a quota table\n", "  a requests/min: added, 2 sliding\n")
    says(1, "set --tier silver", "set/2.lua: good", 'tier "silver" does not exist; the tiers are free, tier1.')
    says(1, "set --tier openai=tier1,acme=free", 'tier names the provider "acme"')
    says(1, "set/1.lua --tier openai=tier1,", 'is not provider=tier')
    -- What the tables lack that are compared with.
    says(0, "o.json p.lua --against ent.lua", "o.json: good", "  a requests/min: raised from 1 sliding to 20 sliding\n",
      "p.lua: good, a policy\n")
    local out = says(0, "o.json p.lua --against ent.lua --tier gold",
      "o.json: good, a table of overrides, not compared: ")
    assert.falsy(out:find("requests", 1, true), out)
    says(0, "set --tier tier1 --against ent.lua", "set: good")
  end)

  it("reads a directory of other files too", function()
    file("p.lua", [[return policy { api = 1, name = "x" }]])
    file("o.json", [[{ "in-house": { "rpm": 20 } }]])
    file("readme.txt", "no script")
    local out = says(0, ".", "./p.lua: good, a policy", "./o.json: good")
    assert.falsy(out:find("readme", 1, true), out)
    assert(os.execute("mkdir " .. top .. "/empty"))
    says(1, "empty", "empty: holds no *.lua or *.json")
  end)

  it("writes JSON", function()
    file("p.lua", "return policy { api = 1, nam = 'x' }")
    file("o.json", [[{ "in-house": { "rpm": 20 } }]])
    local out = says(1, "--json p.lua o.json", '"good":\tfalse', '"line":\t1', '"field":\t"nam"', '"good":\ttrue',
      '"kind":\t"table of overrides"', '"limit":\t"requests/min"', '"change":\t"added"', '"after":\t"20 sliding"')
    assert.equal("[", out:sub(1, 1))
  end)

  it("is misused", function()
    for _, arguments in ipairs { "", "--tier", "--nope", "--modality video x.lua" } do
      local code, out, err = check(arguments)
      assert.equal(2, code, arguments)
      assert.equal("", out)
      assert.truthy(err:find("check --help", 1, true), err)
    end
    local code, out = check("--help")
    assert.equal(0, code)
    assert.truthy(out:find("--against SET", 1, true))
  end)
end)
