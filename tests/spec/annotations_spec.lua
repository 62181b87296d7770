-- The annotations for editors say what scripts see: every word and field of the implementation, and none more. What the
-- kernel knows is asked of its messages, which list the fields; what the host gives to hooks stands in its C text.

local support = dofile "tests/spec/support.lua"
local result = require "llm_limiters.result"
local scopes = require "llm_limiters.scopes"
local words = require "llm_limiters.words"

local PATH = "bindings/lua/library/llm_policy.lua"

-- { classes = { [name] = { [field] = true } }, globals = { [name] = true } }, functions of libraries as "math.abs".
local function read_annotations()
  local found = { classes = {}, globals = {} }
  local class
  for line in io.lines(PATH) do
    local name, parent = line:match "^%-%-%-@class ([%w_.]+):? ?([%w_.]*)"
    local field = line:match "^%-%-%-@field ([%w_]+)%??%s"
    if name then
      class = {}
      for inherited in pairs(found.classes[parent] or {}) do class[inherited] = true end
      found.classes[name] = class
    elseif field then
      assert.is_nil(class[field], line)
      class[field] = true
    elseif not line:match "^%-%-" then
      local global = line:match "^function ([%w_.]+)%(" or line:match "^([%w_.]+) = "
      assert.is_truthy(global or line == "", line)
      if global then
        assert.is_nil(found.globals[global], global)
        found.globals[global] = true
      end
    end
  end
  return found
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function split(text)
  local list = {}
  for name in text:gmatch "[%w_]+" do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- The fields that a message lists as known.
local function listed(message)
  return split((message:match "the known fields are ([%w_, ]+)%."))
end

local found = read_annotations()

local function fields(class)
  return sorted(assert(found.classes[class], class))
end

describe("the annotations", function()
  it("can be read as Lua", function()
    assert(support.compile(support.read(PATH), "@" .. PATH, {}))
  end)

  it("have the words of the environment", function()
    local globals = {}
    for name, value in pairs(words.environment({}, {}, result.words())) do
      globals[name] = true
      if type(value) == "table" and not words.open(value) then
        for inner in pairs(value) do globals[name .. "." .. inner] = true end
      end
    end
    assert.same(sorted(globals), sorted(found.globals))
  end)

  it("have the fields of what scripts write", function()
    local odd = "frobnicate"
    local function quota(body) return select(2, support.load { quotas = { "return quota 'x' {" .. body .. "}" } }) end
    local function overrides(entry) return select(2, support.load { overrides = "return {" .. entry .. "}" }) end
    assert.same(listed(quota(odd .. " = 1").message), fields "llm.QuotaTable")
    assert.same(listed(overrides("a = { " .. odd .. " = 1 }").message), fields "llm.Model")
    assert.same(listed(overrides("['team:a'] = { " .. odd .. " = 1 }").message), fields "llm.Limits")
    assert.same(listed(overrides("a = { price = { " .. odd .. " = 1 } }").message), fields "llm.Price")
    assert.same(listed(select(2, support.load { policy = "return policy { " .. odd .. " = 1 }" }).message),
      fields "llm.PolicyTable")
    assert.same(listed(select(2, scopes.read { { [odd] = 1 } })), fields "llm.Scope")
    assert.same({ "tz" }, fields "llm.ZoneOptions")
  end)

  -- The names in C's text, between two marks.
  local function literals(path, from, to, patterns)
    local text = support.read(path)
    local first = assert(text:find(from, 1, true), from)
    text = text:sub(first, assert(text:find(to, first, true), to))
    local list = {}
    for _, pattern in ipairs(patterns) do
      for name in text:gmatch(pattern) do list[#list + 1] = name end
    end
    return list
  end

  local METERS = {
    "requests", "tokens", "input_tokens", "output_tokens", "images", "audio_ms", "characters", "sessions", "cost",
  }

  local function with_meters(list)
    for _, meter in ipairs(METERS) do list[#list + 1] = meter end
    return list
  end

  local SET, GET = 'lua_setfield%(L, %-2, "(%l[%w_]*)"%)', 'lua_getfield%(L, [23], "([%w_]+)"%)'

  it("have the fields of what the host gives", function()
    local pool, hooks, trial = "src/policy/pool.c", "src/policy/hooks.c", "src/host/trial.c"
    local candidate = support.read(pool):match 'it has (.-)",\n':gsub('"%s*"', ""):gsub(" and ", " ")
    local given = {
      ["llm.Charge"] = METERS,
      ["llm.Request"] = with_meters(literals(pool, "static void push_request(", "\n}", { SET })),
      ["llm.Candidate"] = split(candidate),
      ["llm.Answer"] = literals(hooks, "static void push_outcome(", "\n}", { 'set_%l+%(L, "([%w_]+)"', SET }),
      ["llm.LocalTime"] = literals("src/policy/vm.c", "static int local_time(", "\n}", { '{"(%l+)", %(?tm' }),
      ["llm.TestSetup"] = { "models" },
      ["llm.TestRequest"] = with_meters(literals(trial, "static void read_request(", "\n}", { GET })),
      ["llm.TestAnswer"] = with_meters(literals(trial, "static int answer(", "\n}", { 'find%(L, "(%l+)"', GET })),
      ["llm.TestLimiter"] = literals(trial, "luaL_Reg methods[]", ";", { '{"(%l+)", %l+}' }),
    }
    for class, names in pairs(given) do
      table.sort(names)
      assert.same(names, fields(class), class)
    end
  end)

  it("have no other fields", function()
    local known = {}
    for _, class in ipairs { "QuotaTable", "Model", "Limits", "Price", "PolicyTable", "Scope", "ZoneOptions", "Charge",
      "Request", "Candidate", "Answer", "LocalTime", "TestSetup", "TestRequest", "TestAnswer", "TestLimiter" } do
      known["llm." .. class] = true
    end
    for class, set in pairs(found.classes) do
      if not known[class] then assert.same({}, sorted(set), class) end
    end
  end)
end)
