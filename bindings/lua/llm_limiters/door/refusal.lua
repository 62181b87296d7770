-- What is returned beside nil: a refusal, or what else kept a call of the door from doing what it is for.
--
-- tostring() of one is a sentence; code tells what it is in one word. It equals one of llm.errors:
--   RateLimitExceeded   later, never: wait and at tell when, reason and scope what refused
--   ModelNotFound       unknown_model, no_quota
-- and further codes (full, config, lua, io ...) equal none.

local refusal = {}

local CLASSES = { later = "RateLimitExceeded", never = "RateLimitExceeded",
  unknown_model = "ModelNotFound", no_quota = "ModelNotFound" }

local Refusal = {}
Refusal.__index = Refusal

function Refusal.__tostring(self)
  return self.message
end

function Refusal.__eq(a, b)
  local class = CLASSES[a.code]
  return class ~= nil and class == CLASSES[b.code] and (rawget(a, "class") or rawget(b, "class")) ~= nil
end

local function class(code, name)
  return setmetatable({ code = code, class = name, message = name }, Refusal)
end

refusal.errors = {
  RateLimitExceeded = class("later", "RateLimitExceeded"),
  ModelNotFound = class("unknown_model", "ModelNotFound"),
}

-- Makes one of what the native module tells.
function refusal.new(told)
  told.code = string.lower((string.gsub(told.code, "^LLIM_E?", "")))
  if told.file == "overrides_text" then -- as the C API calls the limits that were given as a table
    told.file, told.line = "custom_limits", nil
    told.message = string.gsub(told.message, "overrides_text:%d+", "custom_limits")
  end
  return setmetatable(told, Refusal)
end

return refusal
