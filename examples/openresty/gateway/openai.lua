-- OpenAI's API towards a provider that speaks it: requests and answers go on as they are, but for the model's name and
-- what streams are asked for.

local json = require "gateway.json"

local openai = {}

-- The path, headers and body of a call; of a request that OpenAI's API can say, which is each.
function openai.request(call, model, provider)
  local members = { model = json.encode(model) }
  if call.kind == "chat" and call.document.stream == true then
    local options = call.document.stream_options
    options = type(options) == "table" and options or {}
    options.include_usage = true -- it is what settles the permit
    members.stream_options = json.encode(options)
  end
  return call.path, { Authorization = "Bearer " .. provider.key }, json.with(call.body, members)
end

-- The body for the client.
function openai.answer(_, body)
  return body
end

-- The body of an error for the client; nil if it is none of the API, but say a proxy's page.
function openai.fault(body)
  local answer = json.decode(body)
  return type(answer) == "table" and type(answer.error) == "table" and body or nil
end

-- What the client is to get of an event, or nil. Sets what the call has used, and whether it has ended or failed.
function openai.event(call, data, event)
  if data == "[DONE]" then
    call.ended = true
    return event
  end
  if not string.find(data, '"usage"', 1, true) and not string.find(data, '"error"', 1, true) then return event end
  local chunk = json.decode(data)
  if type(chunk) ~= "table" then return event end
  call.failed = type(chunk.error) == "table"
  if type(chunk.usage) ~= "table" then return event end
  call.usage = chunk.usage
  if call.kind ~= "chat" then
    call.ended = true -- images and speech tell it in their last event
  elseif not call.wants_usage and not (chunk.choices or {})[1] then
    return nil
  end
  return event
end

-- What the client is to get at the end of a stream.
function openai.last()
  return ""
end

return openai
