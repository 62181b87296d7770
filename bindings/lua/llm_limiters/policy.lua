-- Policies: what a script of the form
--   return policy { api = 1, name = "...", route = function(req, pool) ... end }
-- means. What the hooks return is judged by scopes.lua and result.lua, and by the host.
--
-- A hook that is absent costs nothing: the engine has a default and does not enter Lua for it. A misspelt hook would
-- silently never run, so unknown fields are refused.
-- For kernel.load only.

local fault = require "llm_limiters.fault"
local names = require "llm_limiters.names"
local quota = require "llm_limiters.quota"
local result = require "llm_limiters.result"
local script = require "llm_limiters.script"
local words = require "llm_limiters.words"

local policy = {}

local HOOKS = { "estimate", "result", "route", "scopes", "test" }
local FIELDS = { "api", "estimate", "name", "result", "route", "scopes", "test" }
local EXAMPLE = "return policy { api = 1, name = \"priority\" }"

local known_field = {}
for _, field in ipairs(FIELDS) do known_field[field] = true end

-- Runs the source and returns { name, file, and the hooks that it has }.
function policy.run(src, host)
  local content = words.open(script.run(src, host, EXAMPLE, result.words()))
  if not content or content.kind ~= "policy" then
    fault.raise("ECONFIG", "the script returns something that is not a policy; it must end with " .. EXAMPLE .. ".",
      src.file)
  end
  local body = content.body
  content.body = nil -- which may reach the value: before Lua 5.2 and in LuaJIT, it would hold itself for ever
  local place = { source = src, path = { "policy" }, what = "of the policy" }
  for key in pairs(body) do
    if type(key) ~= "string" then
      fault.about(place, "holds a value without a name; a form like " .. EXAMPLE .. " is expected.")
    end
  end
  for _, field in ipairs(names.sorted(body)) do
    if not known_field[field] then fault.at(place, field, "is unknown; " .. names.hint(field, FIELDS, "fields")) end
  end
  quota.check_api(body, place)
  if type(body.name) ~= "string" or body.name == "" then
    fault.at(place, "name", "must be the policy's name, not " .. words.show(body.name) .. ".", body.name == nil)
  end
  local read = { name = body.name, file = src.file }
  for _, hook in ipairs(HOOKS) do
    if body[hook] ~= nil and type(body[hook]) ~= "function" then
      fault.at(place, hook, "must be a function, not " .. words.show(body[hook]) .. ".")
    end
    read[hook] = body[hook]
  end
  return read
end

return policy
