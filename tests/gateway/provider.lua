-- The example's stand-in for the providers, and what goes wrong with them: a request whose text is a JSON object of
-- models and one of the answers below, like {"gpt-a": "limited"}, is answered so by these. It counts the calls of each.
local json = require "cjson.safe"
local plain = require "plain"

local provider = {}

local seen = ngx.shared.seen

local function send(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.print(body)
end

-- Writes bytes as they are, and closes the connection. The socket is there only once in a request.
local function raw(text, sock)
  sock = sock or ngx.req.socket(true)
  sock:send(text)
  ngx.flush(true)
  ngx.exit(444)
end

local HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "

local function chunk(text)
  return string.format("%x\r\n%s\r\n", #text, text)
end

local LIMITED = '{"error":{"message":"Rate limit reached for gpt-a in organization o on requests per min (RPM): '
  .. 'Limit 3, Used 3, Requested 1. Please try again in %s.","type":"requests","param":null,'
  .. '"code":"rate_limit_exceeded"}}'

local EXCEEDED = [[{"error":{"code":429,"message":"You exceeded your current quota.\nPlease retry in 2.1s.",
  "status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"},
  {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":
  "generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":
  "GenerateRequestsPer%sPerProjectPerModel-FreeTier","quotaValue":"10"}]}]}}]]

local EVENT = 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
  .. '"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"usage":null}\n\n'

local answers = {}

function answers.limited() send(429, LIMITED:format "20s") end
function answers.day() send(429, EXCEEDED:format "Day") end
function answers.minute() send(429, EXCEEDED:format "Minute") end
function answers.error() send(500, '{"error":{"message":"The server had an error.","type":"server_error"}}') end
function answers.overloaded() send(503, '{"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}') end
function answers.closed() ngx.exit(444) end
function answers.headless() raw(HEAD .. "text/event-stream\r\n\r\n") end
function answers.short() raw "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{" end
function answers.cut() raw(HEAD .. "audio/mpeg\r\n\r\n" .. chunk "sound") end
function answers.broken() raw(HEAD .. "text/event-stream\r\n\r\n" .. chunk(EVENT:format "word")) end

-- Chunks that end anywhere, with extensions and trailers; lines that end by CR LF; a comment and a name.
function answers.odd()
  local text = ": hello\r\n\r\n"
  for _, word in ipairs { "one ", "two ", "three" } do
    text = text .. "event: x\r\n" .. EVENT:format(word):gsub("\n", "\r\n")
  end
  text = text .. "data: [DONE]\r\n\r\n"
  local sock, pieces = ngx.req.socket(true), {}
  for at = 1, #text, 7 do
    local piece = text:sub(at, at + 6)
    pieces[#pieces + 1] = ("%x;name=value\r\n%s\r\n"):format(#piece, piece)
  end
  sock:send(HEAD .. "text/event-stream\r\n\r\n")
  for at, piece in ipairs(pieces) do
    sock:send(piece)
    if at % 5 == 0 then ngx.sleep(0.001) end -- so that it goes out
  end
  raw("0\r\nTrailer: x\r\n\r\n", sock)
end

function answers.invalid()
  send(400, '{"error":{"message":"temperature is too high","type":"invalid_request_error","param":"temperature",'
    .. '"code":null}}')
end

function answers.failing()
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.print("data: ", LIMITED:format "20s", "\n\n")
end

-- Refuses once.
function answers.moody(document, model)
  if seen:get(model) == 1 then return send(429, LIMITED:format "700ms") end
  plain.answer(document)
end

-- Counts who has left before the end.
local function count_leaving(name)
  ngx.on_abort(function()
    seen:incr(name, 1, 0)
    ngx.exit(499)
  end)
end

-- Until nobody reads it.
function answers.endless()
  count_leaving "gone"
  ngx.header["Content-Type"] = "text/event-stream"
  for _ = 1, 2000 do
    ngx.print('data: {"candidates":[{"content":{"parts":[{"text":"word "}]}}],"usageMetadata":{"promptTokenCount":9,',
      '"candidatesTokenCount":4,"totalTokenCount":13}}\n\n')
    ngx.flush(true)
    ngx.sleep(0.01)
  end
end

-- Says one thing, and then nothing for longer than anybody waits here.
function answers.silent()
  count_leaving "left"
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.print((EVENT:format "word"))
  ngx.flush(true)
  ngx.sleep(60)
end

local function text_of(document)
  local last = document.messages and document.messages[#document.messages].content
    or document.contents and document.contents[#document.contents].parts[1].text
  return last or document.prompt or type(document.input) == "string" and document.input or ""
end

function provider.answer()
  local name = ngx.var.uri:match "^/seen/(.+)"
  if name then return ngx.print(seen:get(name) or 0) end
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  local document = json.decode(text)
  local model = ngx.var.uri:match "/models/([^:]+)" or document.model
  seen:incr(model, 1, 0)
  if ngx.var.connection_requests ~= "1" then seen:incr("reused", 1, 0) end
  seen:set("last:" .. model, text)
  local told = json.decode(text_of(document))
  local answer = type(told) == "table" and answers[told[model]]
  if answer then return answer(document, model) end
  return plain.answer()
end

return provider
