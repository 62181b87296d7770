-- Batch jobs get little while people work, and much at night and at weekends.
--
-- The lesson: the limits of a scope are constants; what changes with the hour is which scope is charged. Both quotas
-- keep their own count, so that nothing is forgotten at nine or at six. req.at is the instant of the decision and
-- local_time reads a zone's clock, summer time included; a hook has no other clock, which is why it can be tested and
-- replayed. Mark the jobs by the request's tag priority = "batch".

local ZONE = "Europe/Berlin"
local WORK, FREE = { rpm = 20 }, { rpm = 200 }

local function at_work(instant)
  local now = local_time(instant, ZONE)
  return now.weekday <= 5 and now.hour >= 9 and now.hour < 18 -- Monday is 1
end

return policy { api = 1, name = "business hours",
  scopes = function(req)
    if req.priority ~= "batch" then return nil end
    if at_work(req.at) then return { { name = "tenant:batch/work", limits = WORK } } end
    return { { name = "tenant:batch/free", limits = FREE } }
  end,

  test = function(t)
    assert(at_work(1795510800), "Tuesday, 24 November 2026, 10:00")
    assert(not at_work(1795541400), "18:30 of that day")
    assert(not at_work(1795856400), "Saturday, 28 November, 10:00")
    assert(not at_work(1782889140) and at_work(1782889200), "1 July, 8:59 and 9:00, in summer time")
    local w = t { models = { m = { rpm = 1000 } } }
    assert(w:acquire({ "m" }, { priority = "batch" }) == "m")
  end,
}
