-- Which tier of each provider is in force.
--
-- A tier is one name for all ("tier1") or one per provider ("openai=tier3,gemini=free"). A name is valid if any
-- provider has it in any modality: gemini stops at tier3, yet "tier5" is a sensible choice for a program that uses
-- both, and then gemini contributes no models. A provider that a list leaves out contributes none either.
-- For kernel.load only.

local fault = require "llm_limiters.fault"
local names = require "llm_limiters.names"

local tiers = {}

local find, gmatch, match = string.find, string.gmatch, string.match

local function must_exist(tier, existing)
  if existing[tier] then return end
  local message = "tier " .. fault.show(tier) .. " does not exist; the tiers are "
    .. table.concat(names.sorted(existing), ", ") .. "."
  fault.raise("UNKNOWN_TIER", message, nil, nil, "tier")
end

-- choice is what the caller gave; existing and providers are sets of the names that the tables know.
-- Returns a function from a provider to its tier, or nil.
function tiers.choose(choice, existing, providers)
  if type(choice) ~= "string" then
    fault.raise("ECONFIG", "tier must be a name or a list like openai=tier3,gemini=free, not "
      .. fault.show(choice) .. ".", nil, nil, "tier")
  end
  if not find(choice, "=", 1, true) then
    must_exist(choice, existing)
    return function()
      return choice
    end
  end
  local by_provider = {}
  for part in gmatch(choice .. ",", "([^,]*),") do
    local provider, tier = match(part, "^%s*([^%s=]+)%s*=%s*([^%s=]+)%s*$")
    if not provider then
      fault.raise("ECONFIG", "tier must be a name or a list like openai=tier3,gemini=free, and "
        .. fault.show(part) .. " is not provider=tier.", nil, nil, "tier")
    end
    if not providers[provider] then
      fault.raise("ECONFIG", "tier names the provider " .. fault.show(provider) .. ", which no quota table has; "
        .. names.hint(provider, names.sorted(providers), "providers"), nil, nil, "tier")
    end
    if by_provider[provider] then
      fault.raise("ECONFIG", "tier names the provider " .. fault.show(provider) .. " twice; one tier each is expected.",
        nil, nil, "tier")
    end
    must_exist(tier, existing)
    by_provider[provider] = tier
  end
  return function(provider)
    return by_provider[provider]
  end
end

return tiers
