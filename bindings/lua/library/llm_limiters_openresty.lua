---@meta llm_limiters.openresty

-- The gate of llm-limiters in nginx, for the Lua language server. Limiters, permits and requests: llm_limiters.lua.

---@class llm_limiters.GateOptions
---@field shape? "openai"|"gemini" of refusals; unless it is given, the request's path tells it
---@field headers? boolean true: answers tell what is left by x-ratelimit headers, in the place of the provider's own

---A limiter in front of proxied locations.
---@class llm_limiters.Gate
---@field limiter llm_limiters.Limiter
local Gate = {}

---Access: the request goes on if a model admits it, and its permit is returned; else it is answered and ended here.
---@param models? string|string[] those of the client's request, as is request
---@param request? llm_limiters.Request
---@return llm_limiters.Permit
function Gate:access(models, request) end

---Header filter.
function Gate:header_filter() end

---Body filter: reads what the answer tells of its usage, and neither keeps nor changes it.
function Gate:body_filter() end

---Log: ends the permit by what became of the call.
function Gate:log() end

---Init worker: files of quotas and policy are read again when they change, and what other workers put in force is
---followed, within a second.
function Gate:watch() end

---What the client asks for, as OpenAI's and Gemini's APIs have it: the model's name and a request for
---limiter:acquire(). For access.
---@return string? model, llm_limiters.Request|string request_or_what_is_wrong
function Gate:request() end

---Answers the request by a refusal, in the shape of its provider, and ends it. For access and content.
---@param refusal llm_limiters.Refusal
function Gate:refuse(refusal) end

---Content: what is in force and the use of each model, as JSON.
function Gate:status() end

---Content: the zone in the text format of Prometheus.
---@param prefix? string of the scopes' names; `"model:"`
function Gate:metrics(prefix) end

local openresty = {}

---@param limiter llm_limiters.Limiter best opened in init_by_lua, with a zone
---@param options? llm_limiters.GateOptions
---@return llm_limiters.Gate
function openresty.gate(limiter, options) end

---For the log option of a limiter: to nginx's error log.
---@param level "info"|"warning"
---@param text string
function openresty.log(level, text) end

return openresty
