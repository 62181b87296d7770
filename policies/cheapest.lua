-- Cheapest: the model that does this request for the least money comes first.
--
-- The lesson: which model is the cheapest depends on the request. One with dear input and cheap output wins short
-- questions with long answers and loses long documents with short ones, so that no fixed list can be right. Prices
-- stand beside the limits, in US dollars: ["gpt-4o"] = { price = { input = 2.50, output = 10 } }, for a million tokens
-- each; request and image are for one. A model without a price comes last, in the caller's order: unknown is not free.
-- Declare max_output_tokens, or only the input is compared.

-- Dollars for the request, by what the caller declared of it.
local function cost_of(price, req)
  local output = req.output_tokens > 0 and req.output_tokens or req.max_output_tokens
  local input = req.input_tokens > 0 and req.input_tokens or math.max(req.tokens - output, req.characters / 4)
  local images = math.max(req.images, 1) -- a price for one is a picture's, and nobody asks for none
  -- Of a request of which nothing is known, compare a thousand tokens each way.
  if input + output == 0 then input, output = 1000, 1000 end
  return ((price.input or 0) * input + (price.output or 0) * output) / 1e6
    + (price.image or 0) * images + (price.request or 0)
end

return policy { api = 1, name = "cheapest",
  route = function(req, pool)
    local plan, cost, rank = {}, {}, {}
    for i, m in ipairs(pool) do
      plan[i], cost[m], rank[m] = m, m.price and cost_of(m.price, req) or math.huge, i
    end
    table.sort(plan, function(a, b)
      if cost[a] ~= cost[b] then return cost[a] < cost[b] end
      return rank[a] < rank[b]
    end)
    return plan
  end,

  test = function(t)
    local w = t { models = {
      talker = { rpm = 9, price = { input = 3, output = 3 } }, reader = { rpm = 1, price = { input = 1, output = 9 } },
      unknown = { rpm = 9 },
    } }
    local list = { "unknown", "talker", "reader" }
    assert(w:acquire(list, { input_tokens = 100, max_output_tokens = 900 }) == "talker")
    assert(w:acquire(list, { input_tokens = 900, max_output_tokens = 100 }) == "reader")
    assert(w:acquire(list, { input_tokens = 900, max_output_tokens = 100 }) == "talker", "reader is full")
  end,
}
