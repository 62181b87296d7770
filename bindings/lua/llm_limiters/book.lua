-- The models of one set while it is being put together: who is known by which name, and which row each draws on.
--
-- Invariants: a name means one model of one provider in the whole set; every model of a family has the same row, and a
-- row holds the limits once, so that models of a family cannot differ. Quotas write first, then overrides; the kernel
-- reads.
--   known    { [name] = true }, every spelling        aliases  { [spelling] = name }
--   homes    { [name] = { provider, family } }        models   { [name] = { name, home, row, blocked,
--                                                              weight, price } }, of the tier; the last two may be nil
--   rows     { [scope] = { scope, limits } }

local fault = require "llm_limiters.fault"

local book = {}

local format, match, sub = string.format, string.match, string.sub

local SCOPE_MAX = 255 -- bytes, the engine's

function book.new(account)
  return { account = account, known = {}, aliases = {}, homes = {}, models = {}, rows = {} }
end

-- The model that a spelling means, or nil. A dated snapshot draws on its alias, whether or not a table lists it.
function book.resolve(known, aliases, name)
  if known[name] then return aliases[name] or name end
  if #name < 12 then return nil end
  local month, day = match(name, "^%-%d%d%d%d%-(%d%d)%-(%d%d)", -11)
  if not month or month < "01" or month > "12" or day < "01" or day > "31" then return nil end
  local undated = sub(name, 1, -12)
  return known[undated] and (aliases[undated] or undated)
end

-- Notes that a model exists, in whichever tier.
function book.add_name(self, name, provider, family, place)
  local home = self.homes[name]
  if home and home.provider ~= provider then
    fault.about(place, format("names a model that provider %q has too; a name must mean one model.",
      home.provider))
  end
  if self.aliases[name] then
    fault.about(place, format("names a model that is another spelling of %q already.", self.aliases[name]))
  end
  if not home then
    self.known[name] = true
    self.homes[name] = { provider = provider, family = family }
  end
end

function book.add_alias(self, spelling, name, place)
  local other = self.aliases[spelling] or (self.homes[spelling] and spelling)
  if other and other ~= name then
    fault.at(place, spelling, format("cannot be another spelling of %q, since it means %q already.", name,
      other))
  end
  if spelling ~= name then
    self.known[spelling] = true
    self.aliases[spelling] = name
  end
end

-- Puts a known model into the tier in force, on the row of its family.
function book.add_model(self, name, blocked, place)
  local home = self.homes[name]
  local scope = "model:" .. self.account .. "/" .. home.provider .. "/" .. home.family
  if #scope > SCOPE_MAX then
    fault.about(place, format("makes a scope of %d bytes, longer than %d; use a shorter name or account.",
      #scope, SCOPE_MAX))
  end
  local row = self.rows[scope] or { scope = scope, limits = {} }
  self.rows[scope] = row
  self.models[name] = { name = name, home = home, row = row, blocked = blocked }
  return self.models[name]
end

return book
