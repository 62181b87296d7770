-- What the specs of the kernel share: the shipped files as sources, the host's part of kernel.load, and short ways to
-- load a table that a spec writes down. Run from the root of the checkout; used by specs only, by dofile.

local kernel = require "llm_limiters.kernel"

local support = { kernel = kernel }

local TABLES = {
  baseline = {
    "gemini_audio", "gemini_image", "gemini_live", "gemini_text", "openai_audio", "openai_image", "openai_text",
  },
  published = {
    "gemini_audio", "gemini_image", "gemini_live", "gemini_text", "openai_audio", "openai_image", "openai_live",
    "openai_text",
  },
}

function support.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- The quota tables of a shipped set, as sources.
function support.set(name)
  local sources = {}
  for i, stem in ipairs(TABLES[name]) do
    local path = "policies/quotas/" .. name .. "/" .. stem .. ".lua"
    sources[i] = { file = path, text = support.read(path) }
  end
  return sources
end

-- The host's part: text chunks only, in the environment given.
function support.compile(text, chunkname, env)
  if text:sub(1, 1) == "\27" then return nil, "a binary chunk is not accepted" end
  if setfenv then
    local chunk, message = loadstring(text, chunkname)
    if chunk then setfenv(chunk, env) end
    return chunk, message
  end
  return load(text, chunkname, "t", env)
end

-- kernel.load with what most specs do not care about filled in. Strings stand for the text of a file.
function support.load(spec)
  local function source(value, file)
    if type(value) == "string" then return { file = file, text = value } end
    return value
  end
  local quotas = {}
  for i, value in ipairs(spec.quotas or support.set "baseline") do quotas[i] = source(value, "quota.lua") end
  return kernel.load {
    modality = spec.modality or "text",
    tier = spec.tier or "free",
    account = spec.account or "default",
    quotas = quotas,
    overrides = source(spec.overrides, "my.lua"),
    policy = source(spec.policy or support.read "policies/priority.lua", "policy.lua"),
    guard = spec.guard,
    compile = spec.compile or support.compile,
    zone_error = spec.zone_error,
    local_time = spec.local_time,
    json = spec.json,
  }
end

-- The limits of one model "m" of a table that a spec writes down: body is the inside of its braces.
function support.limits(provider, body, guard)
  local text = 'return quota "' .. provider .. '" { api = 1, modality = "text",\n  tier "free" {\n    ["m"] = {'
    .. body .. "},\n  },\n}"
  local set, err = support.load { quotas = { text }, guard = guard }
  if not set then return nil, err end
  return set.models[1].limits
end

-- The error of a table of openai with one model "m" whose braces hold body; body begins on line 3.
function support.fault_of(body, guard)
  local list, err = support.limits("openai", body, guard)
  if list then error("this was accepted: " .. body, 2) end
  return err
end

function support.contains(message, part)
  if not message:find(part, 1, true) then error(message .. "\nlacks: " .. part, 2) end
end

function support.model(set, name)
  for _, model in ipairs(set.models) do
    if model.name == name then return model end
  end
  return nil
end

-- The amount of the first limit of a meter with that window in seconds or that calendar unit, or nil.
function support.amount(model, meter, span)
  for _, limit in ipairs(model.limits) do
    if limit.meter == meter and (limit.window == span or limit.unit == span) then return limit.amount end
  end
  return nil
end

-- Plain data as text, the same in every Lua.
function support.dump(value)
  if type(value) == "number" then return string.format("%.17g", value) end
  if type(value) == "function" then return "function" end -- its address differs in every load
  if type(value) ~= "table" then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i, key in ipairs(keys) do parts[i] = tostring(key) .. "=" .. support.dump(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

return support
