-- A provider for the specs: what it answers is in the path's last part. It counts what reaches it.
local upstream = {}

local USAGE = '{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}'

local function usage(input, output)
  return string.format(USAGE, input, output, input + output)
end

local answers = {}

function answers.plain()
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"id":"x","choices":[{"message":{"content":"usage: {\\"total_tokens\\": 5}"}}],"usage":',
    usage(70, 30), "}")
end

-- In pieces whose ends mean nothing.
function answers.stream()
  ngx.header["Content-Type"] = "text/event-stream"
  local text = {}
  for i = 1, 40 do text[i] = 'data: {"choices":[{"delta":{"content":"word"}}],"usage":null}\n\n' end
  text[#text + 1] = 'data: {"choices":[],"usage":' .. usage(11, 22) .. '}\n\ndata: [DONE]\n\n'
  local all, at = table.concat(text), 1
  while at <= #all do
    ngx.print(all:sub(at, at + 96))
    ngx.flush(true)
    at = at + 97
  end
end

-- Far more than a client takes that goes away; ends when the gate has.
function answers.endless()
  ngx.header["Content-Type"] = "text/event-stream"
  local piece = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" .. string.rep("word ", 200)
    .. "\"}]}}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":4,\"totalTokenCount\":13}}\n\n"
  for _ = 1, 3000 do
    ngx.print(piece)
    if not ngx.flush(true) then break end
    ngx.sleep(0.01)
  end
end

local LIMITED = '{"error":{"message":"Rate limit reached for gpt-4o in organization o on %s. Please try again in %s.",'
  .. '"type":"%s","param":null,"code":"rate_limit_exceeded"}}'

function answers.broken()
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.print('data: {"choices":[{"delta":{"content":"word"}}],"usage":null}\n\n')
  local limit = "tokens per min (TPM): Limit 30000, Used 29446, Requested 821"
  ngx.print("data: ", string.format(LIMITED, limit, "7s", "tokens"), "\n\n")
end

function answers.large()
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"choices":[{"message":{"content":"')
  for _ = 1, 400 do ngx.print(string.rep("x", 10000)) end
  ngx.print('"}}],"usage":', usage(3, 4), "}")
end

function answers.limited()
  ngx.status = 429
  ngx.header["Content-Type"] = "application/json"
  ngx.header["retry-after-ms"] = "20000"
  ngx.print(string.format(LIMITED, "requests per min (RPM): Limit 3, Used 3, Requested 1", "20s", "requests"))
end

function answers.encoding()
  ngx.print('{"encoding":"', tostring(ngx.var.http_accept_encoding), '","usage":', usage(1, 1), "}")
end

function answers.compressed()
  ngx.header["Content-Encoding"] = "br"
  ngx.print '{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
end

function answers.silent()
  ngx.sleep(3)
end

function upstream.content()
  ngx.req.read_body()
  local name = ngx.var.uri:match "([^/]+)$"
  ngx.shared.seen:incr(name, 1, 0)
  answers[name]()
end

return upstream
