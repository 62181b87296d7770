-- status, top and verify, as their users run them, on a zone in a file whose clock stands still.
-- Run from the top of the checkout: busted --lua=lua5.4 tests/cli
local shell = dofile "tests/cli/shell.lua"
local run, contents = shell.run, shell.contents
local build = shell.binary:match("^(.*)/") or "."
local zone, before

local function good(command)
  local code, out, err = run(command)
  assert.equal("", err, command)
  assert.equal(0, code, command .. "\n" .. out)
  return out
end

local function refused(expected, command, ...)
  local code, out, err = run(command)
  assert.equal(expected, code, command .. "\n" .. err)
  assert.equal("", out, command)
  assert.truthy(err:find("^llm%-limiters: "), err)
  for _, part in ipairs { ... } do assert.truthy(err:find(part, 1, true), err) end
end

local function has(text, part)
  assert.truthy(text:find(part, 1, true), "lacks " .. part .. "\nis\n" .. text)
end

-- A copy of the zone with its first n bytes, or with a byte changed that is somewhere in a text it holds.
local function copy_of(changed)
  local name = shell.file(changed)
  assert(os.execute("chmod 600 " .. name))
  return name
end

describe("a zone in a file", function()
  setup(function()
    local maker = shell.file ""
    zone = shell.file ""
    os.remove(zone)
    good(("cc -Iinclude tests/cli/zone.c %s/libllm_limiters.a $(pkg-config --libs lua5.4) -lcjson -lm -pthread -o %s")
      :format(build, maker))
    good(maker .. " " .. zone)
    before = contents(zone)
  end)

  teardown(function()
    shell.clean()
  end)

  it("is told as text", function()
    local out = good("$B status " .. zone)
    has(out, "model:default/gemini/gemini-2.5-flash requests/min ")
    assert.truthy(out:find("gemini%-2.5%-flash requests/min%s+sliding%s+10%s+10%s+100.0 %%%s+1 min 01 s\n"), out)
    assert.truthy(out:find("gemini%-2.5%-flash requests/day%s+calendar%s+10%s+250%s+4.0 %%%s+19 h 00 min\n"), out)
    assert.truthy(out:find("gemini%-2.5%-flash +10 +3 +0 +0 +%- +1\n"), out)
    assert.truthy(out:find("gpt%-4o%-mini +1 +0 +1 +1 +6.0 s +1\n"), out)
    assert.truthy(out:find("rows are used; "), out)
    assert.falsy(out:find("user:", 1, true))
    has(good("$B status --scopes user: " .. zone), [[user:"an\n?[31m?" requests/min]])
    has(good("$B status --scopes none: " .. zone), "There are no such scopes.")
  end)

  it("is told as JSON", function()
    local out = good("$B status --json --scopes '' " .. zone)
    has(out, [["scope":	"user:\"an\\n?[31m?\""]])
    local flash = assert(out:match('"model:default/gemini/gemini%-2.5%-flash",(.-)%]'), out)
    local expected = { admitted = 10, refused = 3, limited = 0, strikes = 0, generation = 1, limit = 10, used = 10 }
    for name, value in pairs(expected) do
      assert.equal(value, tonumber(flash:match('"' .. name .. '":%s*([%d.]+)')), name)
    end
    has(flash, [["window":	"min"]])
    has(flash, [["time_zone":	"America/Los_Angeles"]])
    has(out, [["nearly_full":	false]])
  end)

  it("is told to Prometheus", function()
    local out = good("$B status --prometheus --scopes '' " .. zone)
    has(out, 'llm_limiters_admitted_total{scope="model:default/gemini/gemini-2.5-flash"} 10\n')
    has(out, 'llm_limiters_limited_total{scope="model:default/openai/gpt-4o-mini"} 1\n')
    has(out, 'llm_limiters_cooldown_seconds{scope="model:default/openai/gpt-4o-mini"} 6\n')
    -- The client that Prometheus' own project makes reads it, and finds no metric twice and no sample twice.
    local script = shell.file [[
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
families, samples = {}, set()
for family in parse(sys.stdin.read()):
    assert family.name not in families and family.documentation and family.type in ("gauge", "counter"), family
    families[family.name] = family
    for s in family.samples:
        key = (s.name, tuple(sorted(s.labels.items())))
        assert key not in samples, key
        samples.add(key)
        assert (family.type == "counter") == s.name.endswith("_total"), s
names = set(s.labels["scope"] for s in families["llm_limiters_limit"].samples)
assert 'user:"an\\n?[31m?"' in names, names
used = [s.value for s in families["llm_limiters_used"].samples
        if s.labels["scope"].endswith("/gemini-2.5-flash") and s.labels["law"] == "calendar"]
assert used == [10], used
print("good", len(families))
]]
    local read = good(("$B status --prometheus --scopes '' %s | /usr/bin/python3 %s"):format(zone, script))
    assert.equal("good 21\n", read)
    assert.falsy(good("$B status --prometheus " .. zone):find("user:", 1, true))
  end)

  it("is shown, without a terminal one look at a time", function()
    local out = good("$B top --once " .. zone)
    assert.falsy(out:find("\27", 1, true))
    has(out, "model:default/gemini/gemini-2.5-flash")
    assert.truthy(out:find("10 of 10 %[#+%] 100.0 %%"), out)
    has(out, "  cools down for 6.0 s, 1 strike\n")
    local names = {}
    for name in good("$B top --once --sort name --filter GPT " .. zone):gmatch("model:(%S+)") do
      names[#names + 1] = name
    end
    local sorted = { table.unpack(names) }
    table.sort(sorted)
    assert.same(sorted, names)
    assert.truthy(#names > 0)
    for _, name in ipairs(names) do has(name, "gpt") end
    has(out, "  every 1 s  by use  ")
    -- Each interval another look, until nobody reads any more.
    local two = good("$B top --interval 0.1 " .. zone .. " | grep --line-buffered gen | head -2")
    assert.equal(2, select(2, two:gsub("admitted/s", "")))
  end)

  -- Runs a command line in a terminal of its own, and another as soon as top has drawn there, whose output is typed:
  -- what the terminal has got.
  local function in_terminal(command, meanwhile)
    local log = shell.file ""
    good(("export B L=%s; (until grep -q 1049h $L; do sleep 0.01; done; %s) | script -qefc '%s' $L >$L.out"):format(
      log, meanwhile, command:format(zone)))
    os.remove(log .. ".out")
    return contents(log)
  end

  -- What types keys, waits until a text is shown, at most for 20 seconds, and types others.
  local function types(keys, shown, others)
    return ("printf '%s'; i=0; until grep -q '%s' $L || [ $((i+=1)) = 2000 ]; do sleep 0.01; done; printf '%s'"):format(
      keys, shown, others)
  end

  it("is shown in a terminal, which is given back as it was", function()
    local out = in_terminal("stty rows 24 cols 80; stty -g; $B top %s; echo code $?; stty -g",
      types("s/gpt", "filter: gpt_", "\\rq"))
    local saved, drawn, after =
      out:match("\n(%S+)\r\n\27%[%?1049h\27%[%?25l(.*)\27%[%?25h\27%[%?1049lcode 0\r\n(%S+)")
    assert.truthy(drawn, out)
    assert.equal(saved, after)
    has(drawn, "by name")
    has(drawn, "filter: gpt_")
    has(drawn, "with gpt")
    local pid = shell.file ""
    local ended = ("stty -g; sh -c \"echo \\$\\$ >%s; exec $B top %%s\"; echo code $?; stty -g"):format(pid)
    out = in_terminal(ended, ("kill -TERM $(cat %s)"):format(pid))
    saved, after = out:match("\n(%S+)\r\n\27%[%?1049h.*\27%[%?1049l.*code 143\r\n(%S+)")
    assert.truthy(saved, out)
    assert.equal(saved, after)
  end)

  it("is shown by amounts and resets that fit into 80 columns", function()
    local out = in_terminal("stty rows 24 cols 80; LC_ALL=C.UTF-8 $B top --scopes team: %s", "printf q")
    out = out:gsub("\27%[%??%d*%a", "")
    has(out, "team:01234567890123456789012345678901234567890           -         -      -    0\r")
    has(out, "  output_tokens/400 days       123.456G of 1.099T [#.......]  11.2 %   44 d 21 h\r")
    has(out, "  cost/month              $1,234.56 of $1,099,511 [#.......]   0.1 %   15 d 12 h\r")
    has(out, "  tokens/day             12,499,999 of 12,500,000 [#######.] 100.0 %    1 d 00 h\r")
    out = good("LC_ALL=C.UTF-8 $B status --scopes team: " .. zone)
    has(out, "  123.456G      1.099T   11.2 %  44 d 21 h\n")
    has(out, "  $1,234.56  $1,099,511    0.1 %  15 d 12 h\n")
  end)

  it("is shown with names of all kinds, in columns", function()
    for _, command in ipairs { "top --once", "status" } do
      local line = ("$B %s --scopes team: %s"):format(command, zone)
      local name, blanks = good("LC_ALL=C.UTF-8 " .. line):match("\n(team:\xe6[^\n ]*)( +)[-%d]")
      assert.equal("team:日本/😀/e\xcc\x81?", name)
      -- What has no letters but those of ASCII shows as many columns, and no more bytes than columns.
      local plain, more = good("LC_ALL=C " .. line):match("\n(team:%?[^\n ]*)( +)[-%d]")
      assert.equal("team:??/?/e??", plain)
      -- Two ideographs and an emoji take a column more each than what stands for them, a mark on its letter none.
      assert.equal(#blanks + 2, #more)
    end
  end)

  it("is filtered by what is typed, whatever the alphabet", function()
    local out = in_terminal('stty rows 24 cols 80; LC_ALL=C.UTF-8 $B top --scopes "" %s',
      types("/日本語\\177", "filter: 日本_", "\\rq"))
    assert.truthy(out:find("\n1 of 11 scopes with 日本\27"), out)
  end)

  it("is scrolled by keys that come fast", function()
    local keys = types(("\\033[B"):rep(5), "not shown: 5 before, 2 after", "q")
    has(in_terminal("stty rows 9 cols 80; $B top %s", keys), "not shown: 5 before, 2 after")
  end)

  it("is cut off while it is looked at", function()
    local library = shell.file ""
    good("cc -D_GNU_SOURCE -shared -fPIC tests/cli/cut.c -o " .. library)
    for _, command in ipairs { "status", "status --json", "status --prometheus", "top --once" } do
      local cut = copy_of(before)
      local line = ("CUT=%s LD_PRELOAD=%s $B %s %s"):format(cut, library, command, cut)
      refused(1, line, cut .. " was cut off while it was read")
    end
    local cut = copy_of(before)
    refused(1, ("CUT=%s LD_PRELOAD=%s $B verify %s"):format(cut, library, cut), cut)
    cut = copy_of(before)
    local command = ("stty -g; $B top --interval 0.1 %s; echo code $?; stty -g"):format(cut)
    local out = in_terminal(command, "truncate -s 0 " .. cut)
    local saved, told, after = out:match("\n(%S+)\r\n\27%[%?1049h.*\27%[%?1049l(.-)\r\ncode 1\r\n(%S+)")
    assert.equal(saved, after)
    assert.equal(("llm-limiters: The zone %s was cut off while it was read, or cannot be read by its disk."):format(
      cut), told)
  end)

  it("is proved sound, or not", function()
    local out = good("$B verify " .. zone)
    assert.truthy(out:find("^looked at: %d+ scopes with %d+ limits"), out)
    assert.truthy(out:find("\nsound\n$"), out)
    local at = assert(before:find("model:default/gemini/gemini-2.5-flash\0", 1, true))
    local code, told = run("$B verify " .. copy_of(before:sub(1, at) .. "0" .. before:sub(at + 2)))
    assert.equal(1, code)
    assert.truthy(told:find("^fault: this is a damaged zone: row %d+: the name of a scope is not that of its key\n"),
      told)
    has(told, "not sound: 1 fault\n")
    refused(1, "$B verify " .. copy_of(before:sub(1, 5000)), "5000 bytes")
    refused(1, "$B verify " .. copy_of("hello"), "less than a zone's header")
    refused(1, "$B status " .. copy_of(("x"):rep(100000)), "is not a zone")
  end)

  it("is not made, nor changed", function()
    for _, command in ipairs { "status", "top --once", "verify" } do
      refused(1, ("$B %s %s.none"):format(command, zone), zone .. ".none")
      assert.falsy(io.open(zone .. ".none"))
    end
    assert.equal(before, contents(zone))
  end)

  it("is asked for as it should be", function()
    for _, command in ipairs { "status", "top", "verify" } do
      refused(2, "$B " .. command, "zone's file is missing", "--help'.")
      refused(2, ("$B %s a b"):format(command), "One zone's file")
      refused(2, ("$B %s --what a"):format(command), "no option --what")
      has(good(("$B %s --help"):format(command)), "usage: llm-limiters " .. command .. " ZONE")
    end
    refused(2, "$B status --json --prometheus a", "exclude one another")
    refused(2, "$B top --interval 0 a", "0.1 to 3600")
    refused(2, "$B top --sort size a", "use, name, admitted or refused")
  end)
end)
