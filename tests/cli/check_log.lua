-- Checks a log of `llm-limiters simulate` against limits, with nothing of the library:
--   lua5.4 check_log.lua LOG MODEL RPM TPM [MODEL RPM TPM]...
-- No half-open interval of 60 s may hold more admitted requests or tokens of a model. Prints the peaks; exits 1 if one
-- is over its limit, if a model served nothing, or if a line is not what the header promises.
local log, limits = arg[1], {}
for i = 2, #arg, 3 do
  limits[arg[i]] = { requests = tonumber(arg[i + 1]), tokens = tonumber(arg[i + 2]), admitted = {} }
end

local function microseconds(text)
  local whole, part = text:match("^(%d+)%.(%d%d%d%d%d%d)$")
  return math.tointeger(whole .. part)
end

local lines = io.lines(log)
assert(lines() == "arrival,decided,outcome,model,tokens,wait,reason", "the header is another")
for line in lines do
  local arrival, decided, outcome, model, tokens, wait =
    line:match("^([%d.]+),([%d.]+),(%l+),([^,]*),(%d+),([%d.]+),[^,]*$")
  assert(arrival, "not a line of a log: " .. line)
  assert(microseconds(decided) - microseconds(arrival) == microseconds(wait), "another wait: " .. line)
  if outcome == "admitted" then
    local limit = assert(limits[model], "a model without limits served: " .. line)
    table.insert(limit.admitted, { at = microseconds(decided), requests = 1, tokens = math.tointeger(tokens) })
  end
end

local over = false
for i = 2, #arg, 3 do
  local limit = limits[arg[i]]
  table.sort(limit.admitted, function(a, b) return a.at < b.at end)
  over = over or #limit.admitted == 0
  for _, meter in ipairs { "requests", "tokens" } do
    local sum, peak, tail = 0, 0, 1
    for _, one in ipairs(limit.admitted) do
      while limit.admitted[tail].at <= one.at - 60000000 do
        sum = sum - limit.admitted[tail][meter]
        tail = tail + 1
      end
      sum = sum + one[meter]
      peak = math.max(peak, sum)
    end
    over = over or peak > limit[meter]
    print(("%s %s/min: peak %d of %d"):format(arg[i], meter, peak, limit[meter]))
  end
end
os.exit(not over)
