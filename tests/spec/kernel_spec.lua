-- kernel.load as its hosts call it: tiers, names, policies, faults of the call itself, and the compile function.

local support = dofile "tests/spec/support.lua"
local kernel = support.kernel
local names = require "llm_limiters.names"
local source = require "llm_limiters.source"

local function fails(spec)
  local set, err = support.load(spec)
  assert.is_nil(set)
  return err
end

local function provider_names(set)
  local seen = {}
  for _, model in ipairs(set.models) do seen[model.provider] = (seen[model.provider] or 0) + 1 end
  return seen
end

describe("a tier", function()
  it("is one for all providers", function()
    assert.same({ openai = 3, gemini = 5 }, provider_names(assert(support.load { tier = "tier1" })))
    assert.same({ gemini = 5 }, provider_names(assert(support.load { tier = "tier2" })))
  end)

  it("is valid if any provider has it in any modality", function()
    local set = assert(support.load { tier = "tier5" })
    assert.same({}, set.models)
    assert.is_true(set.known["gemini-2.5-pro"])
    assert.same({}, assert(support.load { tier = "tier4", modality = "live" }).models)
  end)

  it("may differ by provider", function()
    local set = assert(support.load { tier = "openai=tier1,gemini=free" })
    assert.equal(200, support.model(set, "gpt-4o-mini").limits[1].amount)
    assert.equal(10, support.model(set, "gemini-2.5-flash").limits[1].amount)
    assert.same(support.dump(set), support.dump(assert(support.load { tier = " gemini = free , openai=tier1" })))
    assert.same({ openai = 3 }, provider_names(assert(support.load { tier = "openai=free" })))
    assert.same({ openai = 3 }, provider_names(assert(support.load { tier = "openai=free,gemini=tier5" })))
  end)

  it("that does not exist is told with those that do", function()
    for _, tier in ipairs { "tier9", "", "Free", "openai=tier9", "gemini=free,openai=tier9" } do
      local err = fails { tier = tier }
      assert.equal("UNKNOWN_TIER", err.code)
      assert.equal("tier", err.field)
      assert.equal("tier \"" .. (tier:match "tier9" or tier)
        .. "\" does not exist; the tiers are free, tier1, tier2, tier3, tier4, tier5.", err.message)
    end
  end)

  it("that is not a list is told what one is", function()
    local rows = {
      { "openai=", "is not provider=tier." },
      { "=free", "is not provider=tier." },
      { "openai=free,", "is not provider=tier." },
      { "openai=free=tier1", "is not provider=tier." },
      { "opnai=free", 'which no quota table has; did you mean "openai"?' },
      { "mistral=free", "which no quota table has; the known providers are gemini, openai." },
      { "openai=free,openai=tier1", 'the provider "openai" twice' },
      { 5, "not 5." },
    }
    for _, row in ipairs(rows) do
      local err = fails { tier = row[1] }
      assert.equal("ECONFIG", err.code)
      assert.is_truthy(err.message:find(row[2], 1, true), err.message)
    end
  end)
end)

describe("the call", function()
  it("is judged before anything runs", function()
    local rows = {
      { { modality = "video" }, "modality", 'modality must be one of audio, image, live, text, not "video".' },
      { { account = "a/b" }, "account", 'account must be a name without "/" and control characters, not "a/b".' },
      { { account = "a\nb" }, "account", 'not "a?b".' },
      { { account = 5 }, "account", "not 5." },
      { { guard = -1 }, "guard", "guard must be a number of seconds from 0, not -1." },
      { { guard = 0 / 0 }, "guard", "not nan." },
      { { guard = math.huge }, "guard", "not inf." },
      { { guard = "x" }, "guard", 'not "x".' },
    }
    for _, row in ipairs(rows) do
      row[1].compile = function()
        error "nothing may be compiled"
      end
      local err = fails(row[1])
      assert.equal("ECONFIG", err.code)
      assert.equal(row[2], err.field)
      assert.is_nil(err.file)
      assert.is_truthy(err.message:find(row[3], 1, true), err.message)
    end
  end)

  it("compiles each source once, under its file's name, in an environment of its own", function()
    local seen, environments = {}, {}
    assert(support.load {
      overrides = "return {}",
      compile = function(text, chunkname, env)
        seen[#seen + 1] = chunkname
        assert.is_nil(environments[env])
        environments[env] = true
        return support.compile(text, chunkname, env)
      end,
    })
    assert.equal(9, #seen)
    assert.equal("@policies/quotas/baseline/gemini_audio.lua", seen[1])
    assert.equal("@my.lua", seen[8])
    assert.equal("@policy.lua", seen[9])
  end)

  it("needs no methods of strings, which a host may strip for its scripts", function()
    local quotas, policy = support.set "published", support.read "policies/priority.lua"
    local spec = { quotas = quotas, policy = policy, tier = "tier1", overrides = "return { ['gpt-4o'] = { rmp = 1 } }" }
    local methods = getmetatable ""
    local original = methods.__index
    spec.compile = function(text, chunkname, env)
      methods.__index = original
      local chunk, message = support.compile(text, chunkname, env)
      methods.__index = {}
      return chunk, message
    end
    local ok, set, err = pcall(support.load, spec)
    methods.__index = original
    assert(ok, set)
    assert.is_nil(set)
    assert.is_truthy(err.message:find 'did you mean "rpm"')
  end)

  it("does not swallow an error of its host", function()
    assert.has_error(function()
      support.load { compile = function()
        error("out of memory", 0)
      end }
    end, "out of memory")
  end)

  it("names the scope by account, provider and family", function()
    local set = assert(support.load { account = "team-a" })
    assert.equal("model:team-a/openai/gpt-4o", support.model(set, "gpt-4o").scope)
  end)

  it("judges every tier of the modality, and only that modality's numbers", function()
    local text = [[return quota "x" { api = 1, modality = "audio", tier "tier1" { m = { rpm = -1 } } }]]
    local quotas = support.set "baseline"
    quotas[#quotas + 1] = text
    assert(support.load { quotas = quotas })
    assert.equal("rpm", fails({ quotas = quotas, modality = "audio" }).field)
  end)
end)

describe("the nearest name", function()
  local set = assert(support.load { tier = "tier1", overrides = "return { ['in-house'] = { rpm = 1 } }" })

  it("is found when it is near", function()
    local rows = {
      ["gpt-4o-mimi"] = "gpt-4o-mini", ["gpt4o"] = "gpt-4o", ["GPT-4O"] = "gpt-4o", ["gtp-4o"] = "gpt-4o",
      ["gemini-2.5-flsh"] = "gemini-2.5-flash", ["gemini-2.5flash-light"] = "gemini-2.5-flash-lite",
      ["inhouse"] = "in-house", ["gpt-4o-2024-08-07x"] = "gpt-4o-2024-08-06",
      ["models/gemini-2.5-prp"] = "models/gemini-2.5-pro",
      ["models/gpt-4o"] = "gpt-4o", ["openai/gpt-4o"] = "gpt-4o", ["gpt-4o-mini-latest"] = "gpt-4o-mini",
      ["gemini-2.5"] = "gemini-2.5-pro",
    }
    for wrong, right in pairs(rows) do assert.equal(right, kernel.nearest(set, wrong)) end
  end)

  it("is none when nothing is", function()
    for _, name in ipairs { "claude-3", "", "x", "llama-3.1-70b-instruct", ("gpt-4o"):rep(1000) } do
      assert.is_nil(kernel.nearest(set, name))
    end
    assert.is_nil(kernel.nearest(set, nil))
  end)

  it("counts insertions, deletions, substitutions and swaps as one slip", function()
    for _, wrong in ipairs { "abcdx", "abc", "abxd", "acbd", "bacd", "abdc", "abcd", "xabcd" } do
      assert.equal("abcd", names.nearest(wrong, { "abcd" }), wrong)
    end
    for _, wrong in ipairs { "abxy", "cabd", "ab", "abcdxy", "badc" } do
      assert.is_nil(names.nearest(wrong, { "abcd" }), wrong)
    end
    assert.equal("aab", names.nearest("aaa", { "aab", "aba" }))
  end)
end)

describe("the shipped policy", function()
  it("has no hook", function()
    local set = assert(support.load {})
    for _, hook in ipairs { "estimate", "scopes", "route", "result" } do assert.is_nil(set.policy[hook]) end
    assert.equal("priority", set.policy.name)
  end)
end)

describe("a policy", function()
  local function policy(text)
    return support.load { policy = text }
  end

  it("brings its hooks", function()
    local set = assert(policy [[
      return policy { api = 1, name = "mine", route = function(req, pool) return { pool, req } end }]])
    assert.equal("mine", set.policy.name)
    assert.equal("policy.lua", set.policy.file)
    assert.same({ 2, 1 }, set.policy.route(1, 2))
  end)

  it("has what its hooks return read by the kernel, which raises a sentence that names its file", function()
    local set = assert(policy "return policy { api = 1, name = 'x' }")
    local m = { name = "gpt-4o", strikes = 1 }
    assert.same({ { name = "team:a" } }, kernel.scopes(set, { "team:a" }))
    assert.same({ { model = m, seconds = 60, scope = "model" } },
      kernel.actions(set, kernel.default_result({}, m, { kind = "auth" }), m))
    for name, wrong in pairs { scopes = { "acme" }, actions = 5 } do
      local ok, message = pcall(kernel[name], set, wrong, m)
      assert.is_false(ok)
      assert.is_truthy(message:find("^policy%.lua: .+%.$"), message)
    end
  end)

  it("runs its hooks in its environment", function()
    local set = assert(policy [[return policy { api = 1, name = "x", route = function()
      return os.getenv "HOME"
    end }]])
    local ok, message = pcall(set.policy.route)
    assert.is_false(ok)
    assert.is_truthy(message:find('policy.lua:2: "os" is no word here', 1, true), message)
  end)

  it("is refused with line and field", function()
    local rows = {
      { "return policy {\nname = 'x' }", 1, "api", "must be 1, the version" },
      { "return policy {\nname = 'x', api = 2 }", 2, "api", "not 2." },
      { "return policy {\napi = 1 }", 1, "name", "must be the policy's name, not nil." },
      { "return policy {\napi = 1,\nroute = function(m)\nreturn m.name end }", 1, "name", "not nil." },
      { "return policy {\napi = 1,\nname = 5 }", 3, "name", "must be the policy's name, not 5." },
      { "return policy {\napi = 1,\nname = '' }", 3, "name", 'not "".' },
      { "return policy {\napi = 1, name = 'x',\nrouet = 5 }", 3, "rouet", 'did you mean "route"?' },
      { "return policy {\napi = 1, name = 'x',\nroute = 5 }", 3, "route", "must be a function, not 5." },
      { "return policy {\napi = 1, name = 'x',\nroute = minute }", 3, "route", "must be a function, not a unit." },
      { "return policy {\napi = 1, name = 'x',\nscope = tostring }", 3, "scope", 'did you mean "scopes"?' },
      { "return policy {\napi = 1, name = 'x',\non_error = tostring }", 3, "on_error",
        "is unknown; the known fields are api, estimate, name, result, route, scopes, test." },
      { "return policy {\napi = 1, name = 'x', 5 }", 1, "policy", "holds a value without a name" },
      { "return { api = 1, name = 'x' }", nil, nil, "the script returns something that is not a policy" },
      { "return quota 'x' {}", nil, nil, "the script returns something that is not a policy" },
      { "", nil, nil, "the script returns nothing; it must end with return policy {" },
      { "return policy 'x'", 1, "policy", "policy takes a table" },
    }
    for _, row in ipairs(rows) do
      local set, err = policy(row[1])
      assert.is_nil(set, row[1])
      assert.equal("policy.lua", err.file)
      assert.equal(row[2], err.line, err.message)
      assert.equal(row[3], err.field, err.message)
      assert.is_truthy(err.message:find(row[4], 1, true), err.message)
    end
  end)
end)

describe("the scanner of sources", function()
  it("finds a path of names by tokens, not inside comments or other strings", function()
    local text = '-- m rpm\nlocal x = "m rpm" --[[\nm rpm ]]\nreturn {\n  ["m"] = {\n    tpm = 1,\n    rpm = 2 } }'
    assert.equal(7, source.locate(text, { "m", "rpm" }))
    assert.equal(5, source.locate(text, { "m" }))
    assert.equal(5, source.locate(text, { "m", "absent" }))
    assert.is_nil(source.locate(text, { "absent", "rpm" }))
    assert.is_nil(source.locate(text, { "absent" }))
    assert.equal(2, source.locate("x = [[m\n]] m = 1", { "m" }))
  end)

  it("finds names as they are spelt", function()
    local spellings = {
      [["ab"]], [['\97b']], [["\x61b"]], [["\u0061b"]], [["\u{61}b"]], [["a\z  b"]], "[[ab]]",
    }
    for i, spelt in ipairs(spellings) do
      assert.equal(3, source.locate('"a\\""\n"\\\\u0061b"\n[ ' .. spelt .. "] = 1", { "ab" }), i)
    end
    assert.equal(2, source.locate('[["\\n"]] "x"\n"\\n"', { "\n" }))
    assert.equal(2, source.locate('\n"\\u00e9\\ud83d\\ude00\\u20AC"', { "\195\169\240\159\152\128\226\130\172" }))
    assert.equal(3, source.locate("{ 1,\nx = 1,\n[ 1 ] = 2 }", { 1 }))
    assert.is_nil(source.locate("{ 1, x = 1 }", { 1 }))
  end)

  it("survives text that ends anywhere", function()
    local text = 'x = "a\\"b" .. [==[ c ]==] --[[ d ]] .. 0x1p4 + 1e5 -- e'
    for i = 0, #text do
      local cut = text:sub(1, i)
      source.locate(cut, { "absent" })
      assert.is_nil(source.bad_number(cut .. " "))
    end
    assert.equal(2, (source.bad_number(text .. "\n1e999")))
  end)
end)
