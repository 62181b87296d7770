-- OpenAI's API over Gemini's: chats of text and embeddings. What a request has beyond that Gemini is not asked.

local ffi = require "ffi"
local json = require "gateway.json"

local gemini = {}

local SAID = { chat = { model = true, messages = true, stream = true, stream_options = true, max_tokens = true,
  max_completion_tokens = true, temperature = true, top_p = true, user = true },
  embeddings = { model = true, input = true, encoding_format = true, dimensions = true, user = true } }

-- The text of a message's content, a text or a list of parts; nil if there is something else in it.
local function text_of(content)
  if type(content) == "string" then return content end
  if type(content) ~= "table" then return nil end
  local texts = {}
  for i, part in ipairs(content) do
    if type(part) ~= "table" or part.type ~= "text" or type(part.text) ~= "string" then return nil end
    texts[i] = part.text
  end
  return table.concat(texts)
end

local ROLES = { user = "user", assistant = "model" }

local function chat(document)
  local contents, system = {}, {}
  for _, message in ipairs(type(document.messages) == "table" and document.messages or {}) do
    local text = text_of(message.content)
    if not text then return nil end
    local role = message.role
    if role == "system" or role == "developer" then
      system[#system + 1] = { text = text }
    elseif not ROLES[role] then
      return nil
    else
      contents[#contents + 1] = { role = ROLES[role], parts = { { text = text } } }
    end
  end
  if not contents[1] then return nil end
  return { contents = contents, systemInstruction = system[1] and { parts = system },
    generationConfig = { maxOutputTokens = document.max_completion_tokens or document.max_tokens,
      temperature = document.temperature, topP = document.top_p } }
end

local function embeddings(document, model)
  local input, requests = document.input, {}
  if type(input) == "string" then input = { input } end
  for i, text in ipairs(type(input) == "table" and input or {}) do
    if type(text) ~= "string" then return nil end -- a list of tokens of another vocabulary
    requests[i] = { model = "models/" .. model, content = { parts = { { text = text } } },
      outputDimensionality = document.dimensions }
  end
  return requests[1] and { requests = requests }
end

-- The path, headers and body of a call; nil if Gemini's API cannot say it.
function gemini.request(call, model, provider)
  local document, said = call.document, SAID[call.kind]
  if not said then return nil end
  for name in pairs(document) do
    if not said[name] then return nil end
  end
  local body = call.kind == "chat" and chat(document) or call.kind == "embeddings" and embeddings(document, model)
  if not body then return nil end
  local method = call.kind == "embeddings" and ":batchEmbedContents"
    or document.stream == true and ":streamGenerateContent?alt=sse" or ":generateContent"
  return "/v1beta/models/" .. model .. method, { ["x-goog-api-key"] = provider.key }, json.encode(body)
end

local function usage_of(told)
  if type(told) ~= "table" then return nil end
  local input = (told.promptTokenCount or 0) + (told.toolUsePromptTokenCount or 0)
  local output = (told.candidatesTokenCount or 0) + (told.thoughtsTokenCount or 0)
  return { prompt_tokens = input, completion_tokens = output, total_tokens = told.totalTokenCount or input + output }
end

local REASONS = { STOP = "stop", MAX_TOKENS = "length" }

-- The text of the first candidate, and OpenAI's word for why it has ended, if it has.
local function said_by(answer)
  local candidate = (answer.candidates or {})[1] or {}
  local texts = {}
  for _, part in ipairs((candidate.content or {}).parts or {}) do
    if part.text and not part.thought then texts[#texts + 1] = part.text end
  end
  local reason = candidate.finishReason or (answer.promptFeedback or {}).blockReason
  return table.concat(texts), reason and (REASONS[reason] or "content_filter")
end

local function id(call)
  call.id = call.id or "chatcmpl-" .. ngx.var.request_id
  return call.id
end

local function chat_answer(call, answer)
  local text, reason = said_by(answer)
  return json.encode { id = id(call), object = "chat.completion", created = ngx.time(), model = call.model,
    choices = { { index = 0, finish_reason = reason or "stop", message = { role = "assistant", content = text } } },
    usage = usage_of(answer.usageMetadata) }
end

-- As the client asked for them: a list of numbers, or their bytes as floats of 32 bits.
local function vector(values, format)
  if format ~= "base64" then return values end
  local floats = ffi.new("float[?]", #values, values)
  return ngx.encode_base64(ffi.string(floats, #values * 4))
end

local function embeddings_answer(call, answer)
  local list = {}
  for i, one in ipairs(answer.embeddings or {}) do
    list[i] = { object = "embedding", index = i - 1, embedding = vector(one.values, call.document.encoding_format) }
  end
  local tokens = math.ceil(#call.request.text / 4) -- Gemini does not tell; OpenAI's clients expect a number
  return json.encode { object = "list", data = list, model = call.model,
    usage = { prompt_tokens = tokens, total_tokens = tokens } }
end

-- The body for the client; nil if there is nothing in it.
function gemini.answer(call, body)
  local answer = json.decode(body)
  if type(answer) ~= "table" then return nil end
  return (call.kind == "chat" and chat_answer or embeddings_answer)(call, answer)
end

-- The body of an error for the client.
function gemini.fault(body)
  local answer = json.decode(body)
  local fault = type(answer) == "table" and answer.error
  if type(fault) ~= "table" then return nil end
  return json.encode { error = { message = fault.message, param = json.null, code = fault.status or json.null,
    type = (fault.code or 500) < 500 and "invalid_request_error" or "server_error" } }
end

-- What the client is to get of an event. Sets what the call has used, and whether it has ended or failed.
function gemini.event(call, data)
  local answer = json.decode(data)
  if type(answer) ~= "table" then return nil end
  call.usage = answer.usageMetadata or call.usage -- the last one counts
  if answer.error then
    call.failed = true
    return "data: " .. (gemini.fault(data) or data) .. "\n\n"
  end
  local text, reason = said_by(answer)
  call.ended = call.ended or reason ~= nil
  local delta = { content = text, role = not call.begun and "assistant" or nil }
  return "data: " .. json.encode { id = id(call), object = "chat.completion.chunk", created = ngx.time(),
    model = call.model, choices = { { index = 0, delta = delta, finish_reason = reason or json.null } } } .. "\n\n"
end

-- What the client is to get at the end of a stream.
function gemini.last(call)
  local text = ""
  if call.wants_usage then
    text = string.format('data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":"%s","choices":[],'
      .. '"usage":%s}\n\n', id(call), ngx.time(), call.model, json.encode(usage_of(call.usage) or json.null))
  end
  return text .. "data: [DONE]\n\n"
end

return gemini
