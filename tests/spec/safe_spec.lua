-- The libraries that scripts get: they work as the standard ones do, up to their caps. In any Lua.

local safe = require "llm_limiters.safe"

local list, text = safe.table(), safe.string()

local function refused(part, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find(part, 1, true), message)
end

local function numbers(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end

describe("safe libraries", function()
  it("work as the standard ones do", function()
    local t = { 3, 1, 2 }
    list.sort(t)
    assert.same({ 1, 2, 3 }, t)
    list.sort(t, function(a, b) return a > b end)
    assert.same({ 3, 2, 1 }, t)
    list.insert(t, 0)
    list.insert(t, 1, 9)
    assert.same({ 9, 3, 2, 1, 0 }, t)
    assert.equal(0, list.remove(t))
    assert.equal(9, list.remove(t, 1))
    assert.equal("3-2-1", list.concat(t, "-"))
    assert.equal("2-1", list.concat(t, "-", 2, 3))
    assert.same({ 3, 2, 1 }, { list.unpack(t) })
    assert.same({ 2 }, { list.unpack(t, 2, 2) })
    assert.equal("ababab", text.rep("ab", 3))
    assert.same({ "ab-ab-ab", "ab", "" }, { text.rep("ab", 3, "-"), text.rep("ab", 1, "-"), text.rep("ab", 0, "-") })
    local log = safe.math().log
    assert.same({ math.log(7), 3, 29, 3 }, { log(7), log(8, 2), log(2 ^ 29, 2), log(1000, 10) })
    assert.is_true(math.abs(log(7, 3) - 1.7712437491614221) < 1e-15)
    local number = safe.functions.tonumber
    assert.same({ 10, 16, 255 }, { number "1e1", number "0x10", number("ff", 16) })
  end)

  it("do the same in every Lua", function()
    for _, position in ipairs { 0, 5, -1, 1.5 } do
      refused("table.insert takes", list.insert, { 1, 2 }, position, 1)
      refused("table.remove takes", list.remove, { 1, 2 }, position)
    end
    local t = { 1, 2 }
    list.insert(t, 3, 3)
    assert.is_nil(list.remove(t, 4))
    assert.equal(1, select("#", list.remove(t, 4)))
    assert.same({ 1, 2, 3 }, t)
    assert.is_nil(list.remove({}, 0))
    refused("whole number", text.rep, "ab", 1.5)
    for _, word in ipairs { "inf", "nan", "-NaN", "infinity" } do assert.is_nil(safe.functions.tonumber(word)) end
  end)

  it("take what the standard ones take, and refuse what they refuse", function()
    refused("table.sort takes a list", list.sort, "x")
    refused("table.insert takes a list", list.insert, nil, 1)
    refused("numbers", list.concat, {}, "", "a")
    refused("numbers", list.unpack, {}, {})
    assert.is_false(pcall(list.insert, {}, 5, 1))
    assert.is_false(pcall(text.rep))
    refused("a pattern of at most 1000 bytes", text.format, ("%1"):rep(501))
  end)

  it("are capped", function()
    local many, full = numbers(251), numbers(250)
    for _, name in ipairs { "concat", "insert", "remove", "sort" } do
      refused("table." .. name .. " takes a list of at most 250", list[name], many, 1)
    end
    list.sort(full)
    assert.equal(642, #list.concat(full))
    refused("at most 250", list.concat, {}, "", 1, 251)
    refused("at most 250", list.concat, {}, "", -1e15, 1)
    assert.equal(250, select("#", list.unpack(full, 1, 250)))
    refused("at most 250", list.unpack, full, 1, 251)
    refused("at most 250", list.unpack, {}, 1, 1e15)
    refused("at most 250", list.unpack, {}, 0 / 0, 1)
    assert.equal(1000, #text.rep("x", 1000))
    for _, arguments in ipairs { { "x", 1001 }, { "xx", 40000 }, { "", 1e15 }, { "x", 40000, "y" } } do
      refused("at most 1000 bytes", text.rep, arguments[1], arguments[2], arguments[3])
    end
  end)

  it("are fresh for each script, and reach nothing", function()
    list.sort = nil
    assert.is_function(safe.table().sort)
    for _, name in ipairs { "find", "gmatch", "gsub", "match", "dump" } do assert.is_nil(text[name]) end
    assert.is_nil(list.move)
    assert.is_nil(safe.math().random)
  end)
end)
