-- The shipped quota tables: the baseline says what tests/fixtures/baseline.csv says, both ways; every spelling of a
-- model means one row; the published set is spot-checked against the providers' pages.

local support = dofile "tests/spec/support.lua"
local kernel = support.kernel

local MODALITIES = { "text", "image", "audio", "live" }
local TIERS = { "free", "tier1", "tier2", "tier3", "tier4", "tier5" }

local function csv_rows()
  local rows = {}
  for line in io.lines "tests/fixtures/baseline.csv" do
    local group, tier, model, rpm, tpm, rpd = line:match "^(%w+_%w+),(%w+),([^,]+),(%w+),(%w+),(%w+)$"
    if group then
      rows[#rows + 1] = { group = group, tier = tier, model = model, rpm = rpm, tpm = tpm, rpd = rpd }
    end
  end
  return rows
end

local function enforced(text)
  local number = text ~= "inf" and tonumber(text) or 0
  return number ~= 0 and number or nil
end

local function load_all(set)
  local sets = {}
  for _, modality in ipairs(MODALITIES) do
    sets[modality] = {}
    for _, tier in ipairs(TIERS) do
      sets[modality][tier] = assert(support.load { quotas = support.set(set), modality = modality, tier = tier })
    end
  end
  return sets
end

describe("the baseline set", function()
  local sets = load_all "baseline"
  local rows = csv_rows()

  it("has the 72 rows of the fixture", function()
    assert.equal(72, #rows)
    for _, row in ipairs(rows) do
      local provider, modality = row.group:match "^(%w+)_(%w+)$"
      local set = sets[modality][row.tier]
      local name = row.tier .. " " .. row.model
      local model = support.model(set, kernel.resolve(set, row.model))
      assert.is_truthy(model, name)
      assert.equal(provider, model.provider, name)
      assert.is_false(model.blocked, name)
      local rpm, tpm, rpd = enforced(row.rpm), enforced(row.tpm), enforced(row.rpd)
      local day = provider == "gemini" and "day" or 86400
      assert.equal(rpm, support.amount(model, "requests", 60), name)
      assert.equal(tpm, support.amount(model, "tokens", 60), name)
      assert.equal(rpd, support.amount(model, "requests", day), name)
      assert.equal((rpm and 1 or 0) + (tpm and 1 or 0) + (rpd and 1 or 0), #model.limits, name)
    end
  end)

  it("has no other rows", function()
    local expected = {}
    for _, row in ipairs(rows) do
      local provider, modality = row.group:match "^(%w+)_(%w+)$"
      local name = kernel.resolve(sets[modality][row.tier], row.model)
      expected[table.concat({ provider, modality, row.tier, name }, " ")] = true
    end
    local count = 0
    for _, modality in ipairs(MODALITIES) do
      for _, tier in ipairs(TIERS) do
        for _, model in ipairs(sets[modality][tier].models) do
          local key = table.concat({ model.provider, modality, tier, model.name }, " ")
          assert.is_true(expected[key], key)
          count = count + 1
        end
      end
    end
    assert.equal(72, count)
  end)

  it("counts by the provider's law", function()
    local openai = support.model(sets.audio.free, "tts-1").limits
    assert.same({
      { meter = "requests", law = "bucket", amount = 3, window = 60, guard = 0.1, charged = "reserved" },
      { meter = "requests", law = "bucket", amount = 200, window = 86400, guard = 0.1, charged = "reserved" },
    }, openai)
    local gemini = support.model(sets.text.free, "gemini-2.5-flash").limits
    assert.same({
      { meter = "requests", law = "sliding", amount = 10, window = 60, guard = 0.1, charged = "used" },
      {
        meter = "requests", law = "calendar", amount = 250, unit = "day", zone = "America/Los_Angeles", guard = 0.1,
        charged = "used",
      },
      { meter = "tokens", law = "sliding", amount = 250000, window = 60, guard = 0.1, charged = "used" },
    }, gemini)
  end)

  it("keeps a tier without numbers, empty", function()
    for _, tier in ipairs { "free", "tier2", "tier3" } do
      for _, model in ipairs(sets.image[tier].models) do assert.equal("openai", model.provider) end
    end
    assert.same({}, sets.image.free.models)
    assert.is_true(sets.image.free.known["gpt-image-1"])
    assert.is_true(sets.image.free.known["gemini-2.5-flash-image"])
  end)

  it("resolves every spelling to one model in every tier", function()
    local spellings = {
      image = {
        ["gemini-2.5-flash-image"] = { "gemini-2.5-flash-preview-image", "gemini-2.5-flash-image-preview" },
        ["gemini-3-pro-image"] = { "gemini-3-pro-image-preview" },
        ["imagen-4.0-fast-generate-001"] = { "imagen-4.0-fast-generate" },
        ["imagen-4.0-generate-001"] = { "imagen-4.0-generate" },
        ["imagen-4.0-ultra-generate-001"] = { "imagen-4.0-ultra-generate" },
      },
      audio = {
        ["gemini-2.5-flash-tts"] = { "gemini-2.5-flash-preview-tts" },
        ["gemini-2.5-pro-tts"] = { "gemini-2.5-pro-preview-tts" },
        ["gemini-2.5-flash-native-audio-dialog"] = {
          "gemini-2.5-flash-native-audio", "gemini-2.5-flash-native-audio-preview-09-2025",
          "gemini-2.5-flash-native-audio-preview-12-2025", "gemini-2.5-flash-native-audio-latest",
          "gemini-2.5-flash-preview-native-audio-dialog",
        },
      },
      live = { ["gemini-2.0-flash-live-001"] = {} },
    }
    for _, name in ipairs { "baseline", "published" } do
      for modality, models in pairs(spellings) do
        for _, tier in ipairs(TIERS) do
          local set = assert(support.load { quotas = support.set(name), modality = modality, tier = tier })
          for canonical, others in pairs(models) do
            assert.equal(canonical, kernel.resolve(set, canonical))
            assert.equal(canonical, set.aliases["models/" .. canonical])
            for _, other in ipairs(others) do
              assert.equal(canonical, set.aliases[other])
              assert.equal(canonical, set.aliases["models/" .. other])
              assert.equal(canonical, kernel.resolve(set, other))
              assert.is_true(set.known[other])
            end
          end
        end
      end
    end
  end)

  it("resolves dated snapshots, listed or not", function()
    local set = sets.text.tier1
    assert.equal("gpt-4o", set.aliases["gpt-4o-2024-08-06"])
    assert.equal("gpt-4o-mini", kernel.resolve(set, "gpt-4o-mini-2024-07-18"))
    assert.equal("gpt-4.1", kernel.resolve(set, "gpt-4.1-2031-12-31"))
    assert.is_nil(kernel.resolve(set, "gpt-9-2031-12-31"))
    for _, date in ipairs { "2024-8-06", "2024-99-99", "2024-00-01", "2024-13-01", "2024-01-00", "2024-12-32" } do
      assert.is_nil(kernel.resolve(set, "gpt-4o-" .. date), date)
    end
    assert.equal("gpt-4o", kernel.resolve(set, "gpt-4o-2031-12-31"))
    assert.is_nil(set.aliases["models/gpt-4o"])
  end)

  it("gives a model of another tier no numbers, but knows it", function()
    local set = sets.text.tier5
    assert.same({}, set.models)
    assert.is_true(set.known["gpt-4o"])
    assert.equal("gpt-4o", kernel.resolve(set, "gpt-4o"))
  end)

  it("sorts the models", function()
    for _, modality in ipairs(MODALITIES) do
      local models = sets[modality].tier1.models
      for i = 2, #models do assert.is_true(models[i - 1].name < models[i].name) end
    end
  end)
end)

describe("the published set", function()
  local sets = load_all "published"

  local function amount(modality, tier, name, meter, span)
    return support.amount(assert(support.model(sets[modality][tier], name), name), meter, span)
  end

  it("has the numbers of the providers' pages", function()
    assert.equal(30000000, amount("text", "tier5", "gpt-4o", "tokens", 60))
    assert.equal(10000, amount("text", "tier1", "gpt-4o-mini", "requests", 86400))
    assert.equal(200000, amount("text", "tier1", "gpt-4.1-nano", "tokens", 60))
    assert.equal(180000000, amount("text", "tier5", "gpt-5-nano", "tokens", 60))
    assert.equal(4000, amount("text", "tier5", "gpt-4.1-long-context", "requests", 60))
    assert.equal(2000, amount("text", "free", "text-embedding-3-small", "requests", 86400))
    assert.equal(2, amount("text", "free", "gemini-2.5-pro", "requests", 60))
    assert.equal(600000, amount("audio", "tier3", "gpt-4o-mini-tts", "tokens", 60))
    assert.equal(6000000, amount("audio", "tier5", "gpt-4o-transcribe", "tokens", 60))
    assert.equal(10000, amount("audio", "tier2", "gemini-2.5-flash-tts", "requests", "day"))
    assert.equal(5000, amount("image", "tier3", "imagen-4.0-ultra-generate-001", "requests", "day"))
    assert.equal(1000, amount("live", "tier1", "gpt-realtime-mini", "requests", 86400))
  end)

  it("counts what the providers count", function()
    assert.equal(125000, amount("text", "free", "gemini-2.5-pro", "input_tokens", 60))
    assert.is_nil(amount("text", "free", "gemini-2.5-pro", "tokens", 60))
    assert.equal(250, amount("image", "tier5", "gpt-image-1", "images", 60))
    assert.is_nil(amount("image", "tier5", "gpt-image-1", "requests", 60))
    local live = support.model(sets.live.tier1, "gemini-2.0-flash-live-001").limits
    assert.same({ meter = "sessions", law = "gauge", amount = 50, window = 3600, guard = 0, charged = "used" }, live[2])
  end)

  it("says what a tier does not offer", function()
    assert.is_true(support.model(sets.text.free, "gpt-5").blocked)
    assert.is_nil(support.model(sets.text.free, "gemini-3-pro-preview"))
    assert.is_true(sets.text.free.known["gemini-3-pro-preview"])
  end)

  it("puts the models of a family on one row", function()
    local big, audio = support.model(sets.text.tier1, "gpt-4o"), support.model(sets.text.tier1, "gpt-4o-audio-preview")
    assert.equal("model:default/openai/gpt-4o", big.scope)
    assert.equal(big.scope, audio.scope)
    assert.same(big.limits, audio.limits)
    assert.equal("model:default/gemini/gemma-3", support.model(sets.text.free, "gemma-3-27b-it").scope)
    assert.is_true(support.model(sets.text.free, "gpt-4o-audio-preview").blocked)
  end)
end)

describe("every shipped table", function()
  it("loads the same whatever the order of pairs", function()
    local original = pairs
    local seed = 7
    local function random(n)
      seed = (seed * 16807) % 2147483647
      return seed % n + 1
    end
    local calls = 0
    local function shuffled(t)
      calls = calls + 1
      local keys = {}
      for key in original(t) do keys[#keys + 1] = key end
      for i = #keys, 2, -1 do
        local j = random(i)
        keys[i], keys[j] = keys[j], keys[i]
      end
      local i = 0
      return function()
        i = i + 1
        return keys[i], t[keys[i]]
      end
    end
    local overrides = [[return {
      ["gpt-4o"] = { rpm = 1, tpd = 2, guard = 0 },
      ["b"] = { rpm = 1 }, ["a"] = { tpm = 5, rpd = 6, requests = 1/hour },
      ["team:x"] = { rpm = 1 }, ["team:*"] = { rpm = 2, tpm = 3 }, ["org:o"] = { sessions = 3 } }]]
    local spec = { quotas = support.set "published", tier = "tier1", overrides = overrides }
    local wanted = support.dump(assert(support.load(spec)))
    local wrong = "return { b = { rpn = 1, tpn = 2 }, a = { x = 1, y = 2 } }"
    local bad = { quotas = support.set "published", overrides = wrong }
    local _, wanted_err = support.load(bad)
    local G = _G
    for _ = 1, 20 do
      G.pairs = shuffled
      local set, err = support.load(spec)
      local _, bad_err = support.load(bad)
      G.pairs = original
      assert(set, err and err.message)
      assert.equal(wanted, support.dump(set))
      assert.equal(wanted_err.message, bad_err.message)
    end
    assert.is_true(calls > 100)
  end)
end)
