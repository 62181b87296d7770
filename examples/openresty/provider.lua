-- A stand-in for OpenAI and Gemini, to try the gateway without a key: it echoes, in the shape of the API that is asked.

local ffi = require "ffi"
local json = require "cjson.safe"

local provider = {}

local function words(text)
  local list = {}
  for word in string.gmatch(text, "%S+%s*") do list[#list + 1] = word end
  return list
end

-- The text of the last message, in either API.
local function asked(document)
  local last = (document.messages or document.contents or {})[#(document.messages or document.contents or {})] or {}
  return last.content or ((last.parts or {})[1] or {}).text or ""
end

local function event(document)
  ngx.print("data: ", type(document) == "string" and document or json.encode(document), "\n\n")
  return ngx.flush(true)
end

local function send(document)
  ngx.header["Content-Type"] = "application/json"
  ngx.print(json.encode(document))
end

local function usage(input, output)
  return { prompt_tokens = input, completion_tokens = output, total_tokens = input + output }
end

local function chat(document)
  local text, model = "You said: " .. asked(document), document.model
  local parts = words(text)
  if not document.stream then
    return send { id = "chatcmpl-1", object = "chat.completion", created = ngx.time(), model = model,
      choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = text } } },
      usage = usage(10, #parts) }
  end
  ngx.header["Content-Type"] = "text/event-stream"
  local function chunk(delta, reason)
    event { id = "chatcmpl-1", object = "chat.completion.chunk", created = ngx.time(), model = model,
      choices = { { index = 0, delta = delta, finish_reason = reason or json.null } }, usage = json.null }
  end
  for i, part in ipairs(parts) do chunk { role = i == 1 and "assistant" or nil, content = part } end
  chunk({}, "stop")
  if (document.stream_options or {}).include_usage then
    event('{"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":' .. json.encode(usage(10, #parts))
      .. "}")
  end
  event "[DONE]"
end

local function generate(document, streams)
  local parts = words("You said: " .. asked(document))
  local function answer(text, n, reason)
    return { candidates = { { index = 0, finishReason = reason,
      content = { role = "model", parts = { { text = text } } } } },
      usageMetadata = { promptTokenCount = 10, candidatesTokenCount = n, totalTokenCount = 10 + n } }
  end
  if not streams then return send(answer(table.concat(parts), #parts, "STOP")) end
  ngx.header["Content-Type"] = "text/event-stream"
  for i, part in ipairs(parts) do event(answer(part, i, i == #parts and "STOP" or nil)) end
end

local VECTOR = { 0.25, -0.5, 1 }

local function embeddings(document)
  local inputs = type(document.input) == "table" and document.input or { document.input }
  local vector, list = VECTOR, {}
  if document.encoding_format == "base64" then
    vector = ngx.encode_base64(ffi.string(ffi.new("float[3]", VECTOR), 12))
  end
  for i = 1, #inputs do list[i] = { object = "embedding", index = i - 1, embedding = vector } end
  send { object = "list", data = list, model = document.model, usage = { prompt_tokens = 5, total_tokens = 5 } }
end

local function batch(document)
  local list = {}
  for i = 1, #document.requests do list[i] = { values = VECTOR } end
  send { embeddings = list }
end

local function images(document)
  local list = {}
  for i = 1, document.n or 1 do list[i] = { b64_json = ngx.encode_base64 "an image" } end
  send { created = ngx.time(), data = list, usage = { input_tokens = 10, output_tokens = 272, total_tokens = 282 } }
end

local function speech(document)
  ngx.header["Content-Type"] = "audio/mpeg"
  ngx.print("sound of ", document.input)
end

local OPENAI = { ["/v1/chat/completions"] = chat, ["/v1/embeddings"] = embeddings, ["/v1/images/generations"] = images,
  ["/v1/audio/speech"] = speech }

function provider.answer()
  ngx.req.read_body()
  local document = json.decode(ngx.req.get_body_data() or "")
  if not document then return ngx.exit(400) end
  local method = string.match(ngx.var.uri, "^/v1beta/models/[^:]+:(%a+)$")
  if method == "batchEmbedContents" then return batch(document) end
  if method then return generate(document, method == "streamGenerateContent") end
  local answer = OPENAI[ngx.var.uri]
  if not answer then return ngx.exit(404) end
  return answer(document)
end

return provider
