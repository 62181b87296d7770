-- The README's program runs, and does what its comments say.

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
end)
