-- The README's Lua: every example loads, and the policy guide tells every field and word that scripts have.

local support = dofile "tests/spec/support.lua"

local README = support.read "README.md"

local function examples()
  local list = {}
  for text in README:gmatch "\n```lua\n(.-)```" do list[#list + 1] = text end
  return list
end

describe("the README", function()
  it("has examples that load", function()
    local seen = { policy = 0, quota = 0, overrides = 0, program = 0 }
    for _, text in ipairs(examples()) do
      local set, err
      if text:find "%f[%w]llm%." then -- a program: the specs of the rock run it
        seen.program = seen.program + 1
        set = true
      elseif text:find("return policy", 1, true) then
        seen.policy = seen.policy + 1
        set, err = support.load { policy = text }
      elseif text:find("return quota", 1, true) then
        seen.quota = seen.quota + 1
        set, err = support.load { quotas = { text } }
      else
        seen.overrides = seen.overrides + 1
        set, err = support.load { overrides = text }
      end
      assert(set, err and err.message .. "\n" .. text)
    end
    assert.same({ policy = 1, quota = 1, overrides = 1, program = 2 }, seen)
  end)

  it("tells every field and word of policies", function()
    local guide = README:match "\n## Policies\n(.-)\n## "
    local class
    local function told(name)
      assert.is_truthy(guide:find("%f[%w_]" .. name .. "%f[^%w_]"), name .. " is not told by the guide")
    end
    for line in io.lines "bindings/lua/library/llm_policy.lua" do
      class = line:match "^%-%-%-@class llm%.([%w_]+)" or class
      local field = line:match "^%-%-%-@field ([%w_]+)%??%s"
      local is_policy = class == "Request" or class == "Candidate" or class == "Answer" or class == "Price"
        or class == "LocalTime" or class == "Scope" or class == "PolicyTable" or class == "TestLimiter"
      if field and is_policy then told(field) end
    end
    for word in pairs(require("llm_limiters.result").words()) do told(word) end
    told "local_time"
  end)

  it("names the policies that are shipped", function()
    for _, name in ipairs { "priority", "weighted", "least_loaded", "cheapest", "sticky", "tenants" } do
      assert.is_truthy(README:find("\n| `" .. name .. "` |", 1, true), name)
    end
  end)
end)
