-- Sticky: the requests of a session go to one model as long as it has room.
--
-- The lesson: providers keep the beginning of recent prompts, and the next turn of a conversation is cheaper and
-- faster where the last one went. A table of sessions would need a home and an end; rendezvous hashing (Thaler and
-- Ravishankar, 1998) needs neither. Every model draws a number from the session's name and its own, and the highest
-- wins. The numbers are the same in every process; a model that comes or goes moves only the sessions that it wins or
-- had won; and a session whose favourite does not fit goes to its second, which is another one for every session, and
-- comes back. Weights are honoured: -weight / log(draw) wins as often as the weight says. Give the session as the
-- request's tag "session"; without one the caller's order stands.

local PRIME = 67108859 -- the largest below 2^26: squares are exact in every Lua

local function hash(text)
  local h = 7
  for i = 1, #text do h = (h * 31 + string.byte(text, i)) % PRIME end
  return h
end

-- A number between 0 and 1. Squaring twice: without it, sums of two hashes would rank alike for neighbouring sessions.
local function draw(session, name)
  local h = (session * 31 + name) % PRIME
  for _ = 1, 2 do h = (h * h + 12345) % PRIME end
  return (h + 1) / (PRIME + 1)
end

return policy { api = 1, name = "sticky",
  route = function(req, pool)
    if not req.session then return pool end
    local session, plan, score, rank = hash(req.session), {}, {}, {}
    for i, m in ipairs(pool) do
      plan[i], score[m], rank[m] = m, -m.weight / math.log(draw(session, hash(m.name))), i
    end
    table.sort(plan, function(a, b)
      if score[a] ~= score[b] then return score[a] > score[b] end
      return rank[a] < rank[b]
    end)
    return plan
  end,

  test = function(t)
    local w = t { models = { a = { rpm = 2 }, b = { rpm = 2 }, c = { rpm = 2 } } }
    local favourite = w:acquire({ "a", "b", "c" }, { session = "ann" })
    assert(w:acquire({ "c", "b", "a" }, { session = "ann" }) == favourite, "whatever the order of the list")
    local second = w:acquire({ "a", "b", "c" }, { session = "ann" })
    assert(second and second ~= favourite, "the favourite is full")
    w:advance(61)
    assert(w:acquire({ "a", "b", "c" }, { session = "ann" }) == favourite, "and comes back")
  end,
}
