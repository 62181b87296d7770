-- How the specs of the command line run it: files that go when the specs end, and shell lines. LLM_LIMITERS names the
-- binary. By dofile, from the top of the checkout.
local shell = { binary = os.getenv("LLM_LIMITERS") or "build/llm-limiters" }

local made = {}

-- A file with that text, and that end to its name; removed by shell.clean.
function shell.file(text, suffix)
  local name = os.tmpname()
  made[#made + 1] = name
  if suffix then
    name = name .. suffix
    made[#made + 1] = name
  end
  local f = assert(io.open(name, "wb"))
  f:write(text)
  f:close()
  return name
end

function shell.contents(name)
  local f = assert(io.open(name, "rb"))
  local text = f:read("a")
  f:close()
  return text
end

-- Runs a shell command line in which $B is the binary: exit code, standard output, standard error.
function shell.run(command)
  local out, err = shell.file "", shell.file ""
  local line = ("(B='%s'; %s) >%s 2>%s </dev/null"):format(shell.binary, command, out, err)
  local _, how, code = os.execute(line)
  assert(how == "exit", command)
  return code, shell.contents(out), shell.contents(err)
end

function shell.clean()
  for _, name in ipairs(made) do os.remove(name) end
end

return shell
