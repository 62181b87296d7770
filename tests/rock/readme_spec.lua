-- The README's programs run, and do what their comments say.

local support = dofile "tests/rock/support.lua"

describe("the README's program", function()
  it("runs", function()
    local text = assert(support.read "README.md":match "\n```lua\n(local llm = require.-)```")
    local called = {}
    local function answer(name)
      called[#called + 1] = name
      return { usage = { prompt_tokens = 700, total_tokens = 987 } }
    end
    local env = setmetatable({
      call = answer, client = { generate = answer }, models = { "gpt-4o-mini" }, request = { tokens = 5 },
      headers = {}, body = "", copas = { pause = error },
    }, { __index = _G })
    local limiter, result, err = support.compile(text .. "\nreturn limiter, answer, err", "=README", env)()
    assert.same({ "gemini-2.5-flash", "gemini-2.5-flash" }, called)
    assert.same({ 987, nil }, { result.usage.total_tokens, err })
    assert.equal(2, support.used(limiter, "gpt-4o-mini", "requests"))
  end)

  it("holds a live session", function()
    local text = assert(support.read "README.md":match "\n```lua\n(local live = .-)```")
    local path, printed = support.path(), nil
    text = text:gsub('"/dev/shm/llm/zone"', string.format("%q", path))
    local messages = { { usageMetadata = { promptTokenCount = 30, totalTokenCount = 42 } }, { goAway = {} } }
    local env = setmetatable({
      llm = require "llm_limiters", print = function(...) printed = { ... } end,
      connect = function(name)
        assert.equal("gemini-2.5-flash-live", name)
        return function() return table.remove(messages, 1) end
      end,
    }, { __index = _G })
    local live, session = support.compile(text .. "\nreturn live, session", "=README", env)()
    assert.is_false(session:is_live())
    assert.same({ 30, 0 }, { support.used(live, "gemini-2.5-flash-live", "input_tokens"),
      support.used(live, "gemini-2.5-flash-live", "sessions") })
    assert.is_false(printed[1])
    assert.equal("cooldown", printed[2].reason)
    support.clean()
  end)
end)
