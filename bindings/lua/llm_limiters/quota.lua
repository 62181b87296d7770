-- Quota tables: what a script of the form return quota "provider" { api, modality, tier "name" {...}, ... } means.
--
--   aliases  = { ["gpt-image-1"] = { "other-spelling" } }       spellings of one model
--   families = { ["gpt-4o"] = { "gpt-4o-audio-preview" } }      models that draw on the row of the first
--   guard    = 0.2                                              seconds, for limits that state none
-- A tier may begin with the models of one above it, each as it stands there unless it is mentioned again:
--   tier "tier2" { inherit "tier1", ["gpt-4o"] = { rpm = 5000 } }
--
-- Every tier of a table is read and judged, so that a wrong number is found before somebody moves up to it; only the
-- tier in force puts models into the book. For kernel.load only.

local book = require "llm_limiters.book"
local fault = require "llm_limiters.fault"
local limits = require "llm_limiters.limits"
local names = require "llm_limiters.names"
local providers = require "llm_limiters.providers"
local script = require "llm_limiters.script"
local words = require "llm_limiters.words"

local quota = {}

local find, format, sub = string.find, string.format, string.sub

local API = 1
local FIELDS = { "aliases", "api", "families", "guard", "modality" }
local MODALITIES = { "audio", "image", "live", "text" }

local known_field = {}
for _, field in ipairs(FIELDS) do known_field[field] = true end

local EXAMPLE = "return quota \"provider\" { api = 1, modality = \"text\", tier \"free\" { ... } }"

function quota.is_modality(name)
  for _, modality in ipairs(MODALITIES) do
    if modality == name then return true end
  end
  return false
end

-- Used for policies too: the version of the language that a script was written for.
function quota.check_api(body, place)
  if body.api ~= API then
    fault.at(place, "api", format("must be %d, the version of the language that this release reads, not %s.",
      API, fault.show(body.api)), body.api == nil)
  end
end

-- The names of a table, sorted; anything else among its keys is a fault. The message does not tell which key, lest it
-- depend on the order of pairs.
local function check_names(list, place)
  for key in pairs(list) do
    if type(key) ~= "string" or key == "" or find(key, "%c") then
      fault.about(place, "has an entry without a model's name, where [\"gpt-4o\"] = { ... } is expected.")
    end
  end
  return names.sorted(list)
end

-- Whether a table is a list and nothing else, without holes.
local function is_list(list)
  local held = 0
  for _ in pairs(list) do held = held + 1 end
  return held == #list
end

-- Reads { [name] = { "other", ... } }.
local function read_lists(body, field, place)
  local lists = body[field]
  if lists == nil then return {} end
  local inner = fault.inside(place, field, "in " .. field)
  if type(lists) ~= "table" then
    fault.at(place, field, "must be a table like { [\"name\"] = { \"other\" } }, not " .. words.show(lists) .. ".")
  end
  for _, name in ipairs(check_names(lists, inner)) do
    local others = lists[name]
    if type(others) ~= "table" or not is_list(others) then
      fault.at(inner, name, "must be a list of names, not " .. words.show(others) .. ".")
    end
    for _, other in ipairs(others) do
      if type(other) ~= "string" or other == "" or find(other, "%c") then
        fault.at(inner, name, "must be a list of names, and " .. words.show(other) .. " is not a name.")
      end
    end
  end
  return lists
end

-- The entries of a tier: { [model] = { entry, tier that it is written in, path and within of its place } }. tiers holds
-- those above it.
local function read_entries(content, tiers, source)
  local name = content.name
  local place = { source = source, path = { "tier" }, what = "of tier", name = name }
  local entries, own = {}, {}
  for key, value in pairs(content.body) do own[key] = value end
  local first = words.open(own[1])
  if first and first.kind == "tier to inherit" then
    local base = tiers[first.name]
    if not base then
      fault.at(place, first.name, "is to be inherited, but no tier of that name stands above; "
        .. (next(tiers) and names.hint(first.name, names.sorted(tiers), "tiers above") or "there is none above."))
    end
    for model, item in pairs(base) do entries[model] = item end
    own[1] = nil
  end
  for _, value in pairs(own) do
    local other = words.open(value)
    if other and other.kind == "tier to inherit" then
      fault.about(place, "may inherit one tier, which is named before its models, like tier \"tier2\" { inherit "
        .. "\"tier1\" }.")
    end
  end
  local path, within = { "tier", name }, " in tier \"" .. name .. "\""
  for _, model in ipairs(check_names(own, place)) do
    entries[model] = { entry = own[model], tier = name, path = path, within = within }
  end
  return entries
end

local function read_tiers(body, place)
  local tiers = {}
  local unnamed = 0
  for key in pairs(body) do
    if type(key) ~= "string" then unnamed = unnamed + 1 end
  end
  for _, item in ipairs(body) do
    unnamed = unnamed - 1
    local content = words.open(item)
    if not content or content.kind ~= "tier" then
      fault.about(place, "holds " .. words.show(item) .. " without a name, where tier \"name\" { ... } is expected.")
    end
    if tiers[content.name] then
      fault.at(place, content.name, "is a tier that was there before; one table for each tier is expected.")
    end
    tiers[content.name] = read_entries(content, tiers, place.source)
  end
  if unnamed ~= 0 then fault.about(place, "has a hole in its list of tiers, or a key that is not a name.") end
  return tiers
end

-- Runs a source and judges what all modalities share. Returns a table for quota.fill.
function quota.run(src, host)
  local content = words.open(script.run(src, host, EXAMPLE))
  if not content or content.kind ~= "quota" then
    fault.raise("ECONFIG", "the script returns something that is not a quota table; it must end with " .. EXAMPLE
      .. ".", src.file)
  end
  local body = content.body
  local place = { source = src, what = "of quota", name = content.name }
  for _, field in ipairs(names.sorted(body)) do
    if not known_field[field] then fault.at(place, field, "is unknown; " .. names.hint(field, FIELDS, "fields")) end
  end
  quota.check_api(body, place)
  if not quota.is_modality(body.modality) then
    fault.at(place, "modality", "must be one of " .. table.concat(MODALITIES, ", ") .. ", not "
      .. fault.show(body.modality) .. ".", body.modality == nil)
  end
  limits.check_guard(body.guard, place)
  return {
    provider = content.name,
    modality = body.modality,
    guard = body.guard,
    tiers = read_tiers(body, place),
    aliases = read_lists(body, "aliases", place),
    families = read_lists(body, "families", place),
    place = place,
  }
end

-- { [member] = head } of the families.
local function read_members(self)
  local place = fault.inside(self.place, "families", "in families")
  local head_of = {}
  for _, head in ipairs(names.sorted(self.families)) do
    for _, member in ipairs(self.families[head]) do
      if head_of[member] or self.families[member] then
        fault.at(place, member, "belongs to two families; a model draws on one row.")
      end
      head_of[member] = head
    end
  end
  return head_of
end

local function add_model(into, name, entry, list, price, place)
  if into.models[name] then
    fault.about(place, "has been given before by another table; one table for each model of a tier is expected.")
  end
  local model = book.add_model(into, name, entry.blocked == true, place)
  model.weight, model.price = entry.weight, price
  for _, limit in ipairs(list) do
    if limit.amount then model.row.limits[#model.row.limits + 1] = limit end
  end
end

-- What a tier inherits is judged where it is written.
local function fill_tier(self, into, tier, chosen, guard, head_of)
  local entries, counts = self.tiers[tier], providers.of(self.provider)
  for _, name in ipairs(names.sorted(entries)) do
    local item = entries[name]
    if chosen or item.tier == tier then
      local place = {
        source = self.place.source, path = item.path, what = "of model", name = name, within = item.within,
      }
      if head_of[name] then
        fault.about(place, "has numbers of its own, but draws on the row of " .. fault.show(head_of[name])
          .. " by families; give them there.")
      end
      local list, price = limits.read(item.entry, counts, guard, place)
      book.add_name(into, name, self.provider, name, place)
      if chosen then add_model(into, name, item.entry, list, price, place) end
    end
  end
end

local function fill_families(self, into, head_of)
  for _, member in ipairs(names.sorted(head_of)) do
    local head = head_of[member]
    local place = {
      source = self.place.source,
      path = { "families" },
      what = "of model",
      name = member,
    }
    if not into.homes[head] then
      fault.about(place, "draws on the row of " .. fault.show(head) .. " by families, which no tier has.")
    end
    book.add_name(into, member, self.provider, head, place)
    local model = into.models[head]
    if model then book.add_model(into, member, model.blocked, place) end
  end
end

local function fill_aliases(self, into)
  local place = fault.inside(self.place, "aliases", "in aliases")
  for _, name in ipairs(names.sorted(self.aliases)) do
    if not into.homes[name] then
      fault.at(place, name, "is a model that no tier has; " .. names.hint(name, names.sorted(into.homes), "models"))
    end
    for _, spelling in ipairs(self.aliases[name]) do book.add_alias(into, spelling, name, place) end
  end
end

-- Puts the models of the chosen tier, which may be nil, and the names of all tiers into the book.
function quota.fill(self, into, chosen, guard)
  if self.guard ~= nil then guard = self.guard end
  local head_of = read_members(self)
  for _, tier in ipairs(names.sorted(self.tiers)) do
    fill_tier(self, into, tier, tier == chosen, guard, head_of)
  end
  fill_families(self, into, head_of)
  fill_aliases(self, into)
  local prefix = providers.of(self.provider).prefix
  if prefix then
    for _, name in ipairs(names.sorted(into.known)) do
      local model = into.aliases[name] or name
      if into.homes[model].provider == self.provider and sub(name, 1, #prefix) ~= prefix then
        book.add_alias(into, prefix .. name, model, self.place)
      end
    end
  end
end

return quota
