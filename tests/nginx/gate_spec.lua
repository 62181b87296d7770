-- The gate in a real nginx of four workers, with a real upstream: what is admitted, settled, told and left behind.

local json = require "cjson"
local llm = require "llm_limiters"
local support = dofile "tests/nginx/support.lua"
local until_true = support.until_true

local HTTP = [[
  init_by_lua_block {
    require "cjson.safe"
    seen, upstream = ngx.shared.seen, require "upstream"
    openresty = require "llm_limiters.openresty"
    limiter = require "llm_limiters".RateLimiter {
      overrides = "$DIR/quotas.lua", guard = 0, log = openresty.log, zone = { $ZONE },
    }
    gate = openresty.gate(limiter)
    telling = openresty.gate(limiter, { headers = true, shape = "gemini" })
  }
  init_worker_by_lua_block {
    gate:watch()
    faulty = require "llm_limiters".RateLimiter {
      custom_limits = { a = { rpm = 100 } }, policy = "$DIR/faulty.lua", log = openresty.log,
    }
  }
  proxy_http_version 1.1;
  upstream provider { server unix:$DIR/provider.sock; keepalive 100; }
  server { listen unix:$DIR/provider.sock; location / { content_by_lua_block { upstream.content() } } }
  server {
    listen unix:$DIR/gate.sock backlog=4096;
    header_filter_by_lua_block { gate:header_filter() }
    body_filter_by_lua_block { gate:body_filter() }
    log_by_lua_block { gate:log() }
    proxy_set_header Connection "";
    location = /up { return 200 "up"; }
    location = /status { content_by_lua_block { gate:status() } }
    location = /metrics { content_by_lua_block { gate:metrics() } }
    location = /worker {
      keepalive_timeout 0;
      content_by_lua_block { ngx.print(ngx.worker.pid(), " ", limiter:status().generation) }
    }
    location = /faulty { content_by_lua_block { ngx.print(faulty:acquire("a") and "admitted") } }
    location /seen/ { content_by_lua_block { ngx.print(seen:get(ngx.var.uri:match "([^/]+)$") or 0) } }

    # /n/MODEL/TOKENS/... : explicit
    location ~ ^/n/([^/]+)/(\d+)/ {
      access_by_lua_block {
        local sessions = tonumber(ngx.var.arg_sessions or 0)
        gate:access(ngx.var[1], { tokens = tonumber(ngx.var[2]), sessions = sessions })
      }
      proxy_read_timeout 1s;
      proxy_pass http://provider;
    }
    # as the client says
    location ~ ^/(v1|v1beta)/ { access_by_lua_block { gate:access() } proxy_pass http://provider; }

    location /exec/ {
      access_by_lua_block { gate:access("exec", { tokens = 500 }) ngx.exec("/inner/plain") }
    }
    location /inner/ {
      internal;
      access_by_lua_block { collectgarbage() collectgarbage() gate:access("exec", { tokens = 500 }) }
      proxy_pass http://provider;
    }
    location /fallback/ {
      access_by_lua_block { gate:access("first", { tokens = 500 }) }
      proxy_intercept_errors on;
      error_page 429 502 = @second;
      proxy_pass http://provider;
    }
    location @second {
      access_by_lua_block { gate:access("second", { tokens = 500 }) }
      rewrite ^ /plain break;
      proxy_pass http://provider;
    }
    location /page/ {
      access_by_lua_block { gate:access("page", { tokens = 500 }) }
      proxy_intercept_errors on;
      error_page 429 /page.html;
      proxy_pass http://provider;
    }
    location /telling/ {
      access_by_lua_block { telling:access("told", { tokens = 500 }) }
      header_filter_by_lua_block { telling:header_filter() }
      body_filter_by_lua_block { telling:body_filter() }
      log_by_lua_block { telling:log() }
      proxy_pass http://provider;
    }
    location /mirror/ {
      access_by_lua_block { gate:access("mirror", { tokens = 500 }) }
      mirror /mirrored;
      proxy_pass http://provider;
    }
    location = /mirrored { internal; proxy_pass http://provider/encoding; }
    location /captured/ {
      access_by_lua_block { gate:access("mirror", { tokens = 500 }) }
      content_by_lua_block { ngx.print(ngx.location.capture("/mirrored").body) }
    }
    location = /page.html { internal; return 429 '{"usage":{"total_tokens":1}}'; }
    location /dead/ {
      access_by_lua_block { gate:access("dead", { tokens = 500 }) }
      proxy_pass http://unix:$DIR/nobody.sock;
    }
    location /local/ {
      access_by_lua_block { gate:access("dead", { tokens = 500 }) }
      return 204;
    }
  }
  server {
    listen unix:$DIR/h2.sock http2;
    header_filter_by_lua_block { gate:header_filter() }
    body_filter_by_lua_block { gate:body_filter() }
    log_by_lua_block { gate:log() }
    location / { access_by_lua_block { gate:access("h2", { tokens = 500 }) } proxy_pass http://provider; }
  }
]]

local QUOTAS = [[
  return { a = { rpd = 1000 }, b = { rpd = 1000 }, c = { rpd = 1000 }, few = { rpm = 2, rpd = 900, law = "bucket" },
    tokens = { tpm = 100000 }, exec = { tpm = 100000, rpm = 100 }, first = { tpm = 100000, rpm = 100 },
    second = { tpm = 100000, rpm = 100 }, page = { tpm = 100000, rpm = 100 }, dead = { tpm = 100000, rpm = 100 },
    told = { tpm = 1000, rpm = 100 },
    mirror = { tpm = 100000, rpm = 100 }, h2 = { tpm = 1000000 }, gone = { sessions = 2, tpm = 100000 },
    held = { sessions = 2 }, blocked = { blocked = true },
    left = { sessions = 1, tpm = 100000 }, limited = { rpm = 100 }, broken = { tpm = 100000 },
    late = { tpm = 100000 }, ["gpt-x"] = { tpm = 1000 } }
]]

local server

local function start(zone)
  server = support.start((HTTP:gsub("%$ZONE", zone)), { ["quotas.lua"] = QUOTAS,
    ["faulty.lua"] = 'return policy { api = 1, name = "faulty", route = function() return 5 end }' })
end

local function used(model, meter)
  local found = json.decode(server:get "/status").models[model]
  for _, limit in ipairs(found.limits) do
    if limit.meter == meter then return limit.used end
  end
end

local function becomes(value, ...)
  local args = { ... }
  local last
  local fine = pcall(until_true, function()
    last = used(support.unpack(args))
    return last == value
  end)
  assert(fine, ("%s %s is %s, not %s\n%s"):format(args[1], args[2], tostring(last), value, server:log():sub(-2000)))
end

local function seen(name)
  return tonumber(server:get("/seen/" .. name))
end

-- 5,000 requests, 200 at once; what comes back is in the file.
local function flood(path)
  return server:curl(path .. "?[1-5000]", "-Z --parallel-max 200 -o /dev/null -w '%{http_code}\\n'")
    .. " 2>/dev/null"
end

local function count(text, code)
  return select(2, text:gsub(code, ""))
end

describe("a gate", function()
  setup(function() start 'name = "llm"' end)
  teardown(function() server:remove() end)

  it("admits exactly the limit to all workers", function()
    local text = support.run(flood("/n/a/0/plain"))
    assert.same({ 1000, 4000, 1000, 1000 },
      { count(text, "200"), count(text, "429"), seen "plain", used("a", "requests") })
  end)

  it("goes on with its counts through a reload of nginx", function()
    local before = server:workers()
    local base = seen "encoding"
    os.execute("(" .. flood("/n/b/0/encoding") .. "; echo done) >" .. server.dir .. "/codes &")
    until_true(function() return seen "encoding" - base > 200 end)
    server:nginx "-s reload"
    until_true(function()
      for _, pid in ipairs(server:workers()) do
        for _, old in ipairs(before) do
          if pid == old then return false end
        end
      end
      return #server:workers() == 4
    end, "other workers")
    until_true(function() return support.read(server.dir .. "/codes"):find "done" end, "the flood")
    assert.same({ 1000, 1000 }, { seen "encoding" - base, used("b", "requests") })
  end)

  it("goes on with its counts when a worker is killed", function()
    local base = seen "encoding"
    os.execute("(" .. flood("/n/c/0/encoding") .. "; echo done) >" .. server.dir .. "/codes &")
    until_true(function() return seen "encoding" - base > 100 end)
    os.execute("kill -9 " .. server:workers()[1])
    until_true(function() return support.read(server.dir .. "/codes"):find "done" end, "the flood")
    becomes(1000, "c", "requests")
    assert.is_true(seen "encoding" - base <= 1000 and seen "encoding" - base >= 800)
    assert.equal(4, #until_true(function()
      local all = server:workers()
      return #all == 4 and all
    end))
  end)

  it("settles by what answers and streams have used", function()
    assert.equal(200, (server:ask("/n/tokens/5000/plain")))
    becomes(100, "tokens", "tokens")
    assert.equal(200, (server:ask("/n/tokens/5000/stream")))
    becomes(133, "tokens", "tokens")
    assert.equal(200, (server:ask("/n/tokens/5000/large")))
    becomes(140, "tokens", "tokens")
    local _, _, body = server:ask("/n/tokens/5000/encoding", nil, "-H 'Accept-Encoding: gzip'")
    assert.equal("identity", json.decode(body).encoding)
    becomes(142, "tokens", "tokens")
    server:ask("/n/tokens/5000/compressed") -- all the same: as reserved
    becomes(5142, "tokens", "tokens")
  end)

  it("passes on what it reads as it is", function()
    local _, _, through = server:ask("/n/tokens/10/stream")
    server.socket = server.dir .. "/provider.sock"
    local _, _, straight = server:ask("/stream")
    server.socket = server.dir .. "/gate.sock"
    assert.equal(straight, through)
  end)

  it("leaves nothing of clients that go away", function()
    for _ = 1, 3 do
      support.run(server:curl("/n/gone/700/endless?sessions=1", "-N") .. " 2>/dev/null | head -c 3000")
    end
    becomes(0, "gone", "sessions")
    becomes(2100, "gone", "tokens") -- nobody knows the output of a stream that broke off
  end)

  it("gives back the leases of a worker that was killed", function()
    for _ = 1, 2 do
      os.execute(server:curl("/n/held/0/endless?sessions=1", "-N") .. " >/dev/null 2>&1 &")
    end
    becomes(2, "held", "sessions")
    assert.equal(429, (server:ask("/n/held/0/plain?sessions=1")))
    for _, pid in ipairs(server:workers()) do os.execute("kill -9 " .. pid) end
    until_true(function() return server:ask("/n/held/0/plain?sessions=1") == 200 end)
  end)

  it("keeps a permit through internal redirects", function()
    assert.equal(200, (server:ask "/exec/x"))
    becomes(100, "exec", "tokens")
    assert.equal(1, used("exec", "requests"))
  end)

  it("ends a permit by the answer that error_page replaces, and asks for the next", function()
    assert.equal(200, (server:ask "/fallback/limited"))
    becomes(100, "second", "tokens")
    assert.same({ 0, 1, 1 }, { used("first", "tokens"), used("first", "requests"), used("second", "requests") })
    local cooling = json.decode(server:get "/status").models.first.cooling
    assert.is_true(cooling > 10 and cooling <= 20)
    assert.equal(429, (server:ask "/page/limited"))
    becomes(0, "page", "tokens")
    assert.equal(1, used("page", "requests"))
  end)

  it("leaves subrequests alone", function()
    assert.equal(200, (server:ask "/mirror/plain"))
    becomes(100, "mirror", "tokens")
    assert.equal(200, (server:ask "/captured/")) -- which the limiter knows nothing of: nothing was sent in its name
    becomes(1, "mirror", "requests")
    assert.equal(100, used("mirror", "tokens"))
  end)

  it("tells the streams of HTTP/2 apart", function()
    assert.equal("100\n", support.run("node tests/nginx/streams.js " .. server.dir .. "/h2.sock 100"))
    becomes(10000, "h2", "tokens")
  end)

  it("tells what is left, if it is to", function()
    local status, headers = server:ask "/telling/plain"
    assert.same({ 200, "1000", "500", "100", "99" }, { status, headers["x-ratelimit-limit-tokens"],
      headers["x-ratelimit-remaining-tokens"], headers["x-ratelimit-limit-requests"],
      headers["x-ratelimit-remaining-requests"] })
    becomes(100, "told", "tokens")
    server:ask "/telling/compressed"
    local _, _, body = server:ask "/telling/plain"
    assert.equal("RESOURCE_EXHAUSTED", json.decode(body).error.status)
  end)

  it("cools by a provider's refusal, in a stream too", function()
    assert.equal(429, (server:ask "/n/limited/0/limited"))
    until_true(function() return json.decode(server:get "/status").models.limited.cooling > 10 end)
    local status, headers, body = server:ask "/n/limited/0/plain"
    assert.equal(429, status)
    assert.is_true(tonumber(headers["retry-after"]) > 10 and tonumber(headers["retry-after"]) <= 20)
    assert.truthy(json.decode(body).error.message:find "cooldown")
    assert.equal(200, (server:ask "/n/broken/900/broken"))
    becomes(900, "broken", "tokens") -- what it had used it does not tell
    assert.is_true(json.decode(server:get "/status").models.broken.cooling > 5)
  end)

  it("gives all back for what was never sent, and keeps what nobody answered", function()
    assert.equal(502, (server:ask "/dead/x"))
    becomes(0, "dead", "tokens")
    assert.equal(204, (server:ask "/local/x"))
    becomes(0, "dead", "requests")
    assert.equal(504, (server:ask "/n/late/800/silent"))
    becomes(800, "late", "tokens")
    assert.equal("", server:get("/n/left/600/silent?sessions=1", "--max-time 0.2")) -- the client goes first
    becomes(0, "left", "sessions")
    assert.same({ 600, 0 }, { used("left", "tokens"), json.decode(server:get "/status").models.left.cooling })
  end)

  it("reads requests of OpenAI's and Gemini's clients", function()
    local text = ("word "):rep(80) -- 100 tokens
    assert.equal(200, (server:ask("/v1/silly/compressed",
      '{"model":"gpt-x","max_tokens":150,"messages":[{"role":"user","content":"' .. text .. '"}]}')))
    becomes(250, "gpt-x", "tokens")
    local body = '{"contents":[{"parts":[{"text":"' .. text .. '"}]}],"generationConfig":{"maxOutputTokens":2000}}'
    local status, _, refusal = server:ask("/v1beta/models/gpt-x:generateContent/plain", body)
    refusal = json.decode(refusal)
    assert.same({ 400, "INVALID_ARGUMENT", 400 }, { status, refusal.error.status, refusal.error.code })
    assert.equal(400, (server:ask("/v1/plain", "{}")))
  end)

  it("refuses as OpenAI does", function()
    for _ = 1, 2 do assert.equal(200, (server:ask "/n/few/0/plain")) end
    local status, headers, body = server:ask "/n/few/0/plain"
    assert.equal(429, status)
    local ms = tonumber(headers["retry-after-ms"])
    assert.is_true(ms > 20000 and ms <= 30000)
    assert.equal(math.ceil(ms / 1000), tonumber(headers["retry-after"]))
    assert.same({ "900", "898" }, { headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"] })
    assert.truthy(headers["x-ratelimit-reset-requests"]:find "^3m%d+")
    local fault = json.decode(body).error
    assert.same({ "requests", "rate_limit_exceeded", json.null }, { fault.type, fault.code, fault.param })
    -- and a client with llm-limiters of its own understands it
    local mine = llm.RateLimiter { clock = "virtual", start = 1.7e9, tier = "tier1" }
    local meaning = mine:acquire("gpt-4o"):reject { status = status, headers = { retry = "" }, body = body }
    assert.same({ "rate", "requests", "minute" }, { meaning.kind, meaning.dimension, meaning.unit })
    assert.is_true(math.abs(meaning.retry_after * 1000 - ms) <= 1)
  end)

  it("refuses as Gemini does", function()
    local status, _, body = server:ask("/v1beta/models/few:generateContent/plain", "{}")
    local fault = json.decode(body).error
    assert.same({ 429, 429, "RESOURCE_EXHAUSTED" }, { status, fault.code, fault.status })
    local mine = llm.RateLimiter { clock = "virtual", start = 1.7e9 }
    local meaning = mine:acquire("gemini-2.5-flash"):reject { status = status, body = body }
    assert.same({ "rate", "requests", "minute" }, { meaning.kind, meaning.dimension, meaning.unit })
    assert.is_true(meaning.retry_after > 20 and meaning.retry_after <= 30)
  end)

  it("refuses for good what can never go", function()
    local status, headers, body = server:ask "/n/gpt-x/1001/plain"
    assert.same({ 413, "false" }, { status, headers["x-should-retry"] })
    assert.truthy(json.decode(body).error.message:find("Request too large for gpt-x on tokens per min (TPM): "
      .. "Limit 1000, Requested 1001.", 1, true))
    assert.equal(403, (server:ask "/n/blocked/1/plain"))
    assert.equal(404, (server:ask "/n/unheard/1/plain"))
  end)

  it("tells its state as JSON and to Prometheus", function()
    local status = json.decode(server:get "/status")
    assert.equal(16, #status.hash)
    assert.equal(1000, status.models.a.limits[1].used)
    assert.truthy(server:get("/metrics"):find('llm_limiters_used{scope="model:default/custom/a",meter="requests",'
      .. 'law="sliding",window="day"} 1000', 1, true))
  end)

  it("follows files in all workers, and tells what is wrong with them", function()
    local first = tonumber(server:get("/worker"):match "%d+ (%d+)")
    support.write(server.dir .. "/quotas.lua", (QUOTAS:gsub("a = { rpd = 1000 }", "a = { rpd = 1001 }")))
    local followed, n = {}, 0
    until_true(function()
      local pid, generation = server:get("/worker"):match "(%d+) (%d+)"
      if tonumber(generation) == first + 1 and not followed[pid] then followed[pid], n = true, n + 1 end
      return n == 4
    end, "four workers")
    assert.equal(200, (server:ask "/n/a/0/plain"))
    assert.equal(429, (server:ask "/n/a/0/plain"))
    support.write(server.dir .. "/quotas.lua", "return { a = { rpd = 'many' } }")
    until_true(function() return select(2, server:log():gsub("quotas.lua:1:[^\n]*rpd", "")) >= 4 end, "the fault")
    assert.equal(429, (server:ask "/n/a/0/plain"))
  end)

  it("logs what goes on in the name of the request", function()
    assert.equal("admitted", server:get "/faulty")
    assert.truthy(server:log():find('route hook failed[^\n]*request: "GET /faulty'))
  end)

  it("has written no error of its own", function()
    for line in server:log():gmatch "[^\n]*%[error%][^\n]*" do
      assert.truthy(line:find "quotas.lua" or line:find "upstream" or line:find "nobody.sock", line)
    end
    assert.falsy(server:log():find("signal 11", 1, true))
  end)
end)

describe("the README's nginx.conf", function()
  it("works", function()
    local text = support.read "README.md":match "\n```nginx\n(.-)\n```"
    text = text:gsub("listen 8080;", 'listen unix:$DIR/gate.sock; location = /up { return 200 "up"; }')
    text = text:gsub("https://[%w.]+;", "http://unix:$DIR/provider.sock;"):gsub("/etc/llm", "$DIR")
    server = support.start(text .. [[

      server {
        listen unix:$DIR/provider.sock;
        location / { content_by_lua_block { require("upstream").content() } }
      }
    ]], { ["quotas.lua"] = [[return { ["gpt-4o-mini"] = { rpm = 3 },
      ["in-house"] = { rpm = 1, law = "bucket" } }]] }, true)
    finally(function() server:remove() end)
    local body = '{"model":"in-house","messages":[]}'
    assert.equal(200, (server:ask("/v1/plain", body)))
    assert.equal(429, (server:ask("/v1/plain", body)))
    assert.equal(429, (server:ask("/ask/limited"))) -- by both
    becomes(0, "gemini-2.5-flash", "tokens")
    assert.same({ 1, 1 }, { used("gemini-2.5-flash", "requests"), used("gpt-4o-mini", "requests") })
    assert.truthy(server:get("/metrics"):find("llm_limiters_used", 1, true))
  end)
end)

describe("the annotations of the gate", function()
  it("have its functions", function()
    local openresty = require "llm_limiters.openresty"
    local here, told = {}, {}
    for name, value in pairs(getmetatable(openresty.gate(llm.RateLimiter()))) do
      if type(value) == "function" then here["Gate:" .. name] = true end
    end
    for name in pairs(openresty) do here["openresty." .. name] = true end
    for line in io.lines "bindings/lua/library/llm_limiters_openresty.lua" do
      local name = line:match "^function ([%w_.:]+)"
      if name then told[name] = true end
    end
    assert.same(here, told)
  end)
end)

describe("a gate whose zone is a file", function()
  it("goes on with its counts after a restart", function()
    start 'path = "$DIR/zone"'
    finally(function() server:remove() end)
    for _ = 1, 2 do assert.equal(200, (server:ask "/n/few/0/plain")) end
    -- of the master's user, which the workers need not be: they have it from the master
    assert.matches("^-rw%-%-%-%-%-%-%- ", support.run("ls -l " .. server.dir .. "/zone"))
    server:stop()
    server:up()
    assert.equal(429, (server:ask "/n/few/0/plain"))
    assert.equal(2, used("few", "requests"))
  end)
end)
