-- Keep a share of a model for people who wait for the answer: batch jobs may use seven tenths of it.
--
-- The lesson: to keep room for some, limit the others. A route hook that looks at m:room() and turns batch jobs away
-- would be simpler, but it judges by a glance that is old when it is used, and cannot tell the job when to ask again.
-- A scope is exact: batch jobs are charged to the model and to a share of it, at once or not at all, and what is
-- refused is told the instant at which it fits. The share must count as its model does, or a job that uses less than it
-- reserved is given room again that the model does not have: charged = "reserved" for OpenAI, law = "sliding" for
-- Gemini. Mark the jobs by the request's tag priority = "batch".

local SHARE = { -- seven tenths of each model's numbers in your tier
  ["gpt-4o"] = { rpm = 350, tpm = 21000, charged = "reserved" },
  ["gemini-2.5-flash"] = { rpm = 7, law = "sliding" },
}

return policy { api = 1, name = "reserve",
  scopes = function(req, model)
    local limits = SHARE[model.name]
    if req.priority ~= "batch" or not limits then return nil end
    return { { name = "tenant:batch/" .. model.name, limits = limits } }
  end,

  test = function(t)
    local w = t { models = {
      ["gpt-4o"] = { tpm = 30000, law = "bucket", charged = "reserved" }, other = { tpm = 30000 },
    } }
    assert(w:acquire({ "gpt-4o" }, { tokens = 21000, priority = "batch" }) == "gpt-4o")
    w:settle { tokens = 2000 }
    local name, wait = w:acquire({ "gpt-4o" }, { tokens = 9000, priority = "batch" })
    assert(name == nil and wait > 0 and wait < 60, "batch has had its share, and is told when there is more")
    assert(w:acquire({ "gpt-4o" }, { tokens = 9000 }) == "gpt-4o", "the rest is for the others")
    assert(w:acquire({ "other" }, { tokens = 30000, priority = "batch" }) == "other", "models without a share are free")
  end,
}
