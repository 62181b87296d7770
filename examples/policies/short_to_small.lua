-- Short prompts try your list from its end, where the small models are; long ones keep your order.
return policy { api = 1, name = "short to small",
  route = function(req, pool)
    if math.max(req.tokens, req.input_tokens, req.characters / 4) > 500 then return pool end
    local plan = {}
    for i = #pool, 1, -1 do plan[#plan + 1] = pool[i] end
    return plan
  end,
}
