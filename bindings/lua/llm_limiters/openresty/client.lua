-- What a client asks for, by its HTTP request: OpenAI's and Gemini's APIs name the model, the text and the most output.

local ngx = rawget(_G, "ngx")
local find, match = string.find, string.match

local client = {}

-- The shape of errors that the client expects: Gemini's own door has the model in its path.
function client.shape()
  return find(ngx.var.uri, "/models/[^/:]+:%a") and "gemini" or "openai"
end

-- The body, from memory or the file where nginx has put it.
local function body()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  if data then return data end
  local path = ngx.req.get_body_file()
  local file = path and io.open(path, "rb")
  if not file then return "" end
  data = file:read("*a")
  file:close()
  return data
end

local SKIPPED = { data = true, url = true, image_url = true, b64_json = true, file_data = true, image = true,
  input_audio = true, type = true, role = true, mimeType = true, mime_type = true, id = true }

-- Adds the texts within a value.
local function texts(value, list, depth)
  if type(value) == "string" then list[#list + 1] = value end
  if type(value) ~= "table" or depth > 16 then return end
  for key, item in pairs(value) do
    if not SKIPPED[key] then texts(item, list, depth + 1) end
  end
end

local TEXTS = { "messages", "input", "prompt", "instructions", "tools", "functions", "contents", "systemInstruction",
  "system_instruction" }
local MOST = { "max_completion_tokens", "max_output_tokens", "max_tokens" }

local function amount(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 40 and value or nil
end

local function read_json(document, request)
  local list = {}
  for _, name in ipairs(TEXTS) do texts(document[name], list, 1) end
  request.text = table.concat(list)
  for _, name in ipairs(MOST) do
    request.max_output_tokens = request.max_output_tokens or amount(document[name])
  end
  local config = document.generationConfig or document.generation_config
  if type(config) == "table" then
    request.max_output_tokens = amount(config.maxOutputTokens) or amount(config.max_output_tokens)
  end
  if find(ngx.var.uri, "/images/") then request.images = amount(document.n) end
  return document.model
end

-- The model's name and a request for limiter:acquire(); nil and what is wrong.
function client.read()
  local text, request = body(), {}
  local named = match(ngx.var.uri, "/models/([^/:]+):")
  local document = require "cjson.safe".decode(text)
  local model
  if type(document) == "table" then
    model = read_json(document, request)
  else
    model = match(text, 'name="model"\r\n\r\n([^\r\n]+)') -- a form, with a file
  end
  model = named or model
  if type(model) ~= "string" or model == "" or find(model, "%z") then
    return nil, "you must provide a model parameter"
  end
  return model, request
end

return client
