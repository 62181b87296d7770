---@meta llm_limiters
-- What a Lua program sees of llm-limiters, for editors that run the Lua language server: point workspace.library at
-- this directory. It is never run. A spec holds it against the implementation.

-- Openings ------------------------------------------------------------------------------------------------------------

---What a limiter is opened with.
---@class llm_limiters.Options
---@field tier? string|table<string, string> `"free"` (default), `"tier1"`, or `{ openai = "tier3", gemini = "free" }`
---@field custom_limits? table<string, llm.Model> over the tier: `{ ["in-house"] = { rpm = 20 } }`
---@field overrides? string the path of a Lua or JSON file of these, in their place
---@field quotas? string `"baseline"` (default), `"published"`, or the path of a directory of tables or of one
---@field policy? string `"priority"` (default) or another shipped one, or the path of a Lua file
---@field account? string whose quota is spent; `"default"`
---@field guard? number seconds, 0.1 unless given; 0 for none
---@field seed? number of the chance in backoffs and policies, 0 to 2^53; another one each time
---@field scopes? number how many scopes of the custom limits are in use at one time
---@field clock? "real"|"virtual" a virtual one stands still until `limiter:advance()`
---@field start? number the first wall time of a virtual clock, in seconds since 1970
---@field zone? llm_limiters.Zone where the counts are; on the heap of this process, for this limiter alone
---@field log? fun(level: "info"|"warning", text: string) is told what goes on; what it raises is lost

---Where the counts of a limiter are, and the room there.
---@class llm_limiters.Zone
---@field path? string a file, shared by all processes that open it
---@field name? string of memory that is shared by children, in the place of a path
---@field mode? string permissions of a file that is made; `"0600"`
---@field sync? number seconds after which at the latest a file is written to its disk; never unless given
---@field rows? integer scopes, beyond the models; other figures than a file was made with are an error
---@field sliding? integer sliding limits likewise
---@field leases? integer slots of gauges, sessions among them, held at one time
---@field notes? integer scopes beyond the models that learn from settlements

-- Requests ------------------------------------------------------------------------------------------------------------

---What is known of a call. Any other field is a tag for the policy, a string: `tenant = "acme"`.
---@class llm_limiters.Request
---@field requests? number 1 unless given
---@field tokens? number input and output together; estimated from the others if it is not given
---@field input_tokens? number
---@field output_tokens? number
---@field max_output_tokens? number the limit declared to the provider
---@field text? string whose characters are counted
---@field characters? number
---@field images? number 1 unless given, for image models
---@field audio_ms? number
---@field audio_seconds? number
---@field sessions? number
---@field cost? number micro-dollars
---@field scopes? string[] to be charged besides: `{ "team:acme" }`, whose limits are custom limits
---@field [string] string

---How to wait.
---@class llm_limiters.WaitOptions
---@field sleep fun(seconds: number) of the host: sleeps, or yields, for at most so long
---@field timeout? number seconds, above 0
---@field priority? number higher goes first; 0

-- Refusals ------------------------------------------------------------------------------------------------------------

---What stands beside nil. `tostring()` of it is a sentence; it equals `llm.errors.RateLimitExceeded` ("later",
---"never"), `llm.errors.ModelNotFound` ("unknown_model", "no_quota") or neither.
---@class llm_limiters.Refusal
---@field code string "later", "never", "unknown_model", "no_quota", "full", "config", "unknown_tier", "io", "lua" ...
---@field message string
---@field reason? "limit"|"cooldown"|"blocked"|"policy"|"queue"
---@field scope? string whose limit
---@field model_name? string the model that it is about, as the caller spelt it
---@field meter? string of the limit, as are limit, used and amount
---@field limit? integer
---@field used? integer reservations included
---@field amount? integer that was asked for
---@field window? number seconds of the limit, or unit, of a calendar's
---@field unit? "minute"|"hour"|"day"|"week"|"month"
---@field wait? number seconds until the same request fits; `math.huge` never
---@field at? number that instant, in seconds since 1970
---@field cause? any what the provider answered last, of a limited function
---@field file? string of a wrong file, as are line and field
---@field line? integer
---@field field? string

-- Permits -------------------------------------------------------------------------------------------------------------

---A provider's answer. A table with a status that a limited function returns beside nil, or raises, is one.
---@class llm_limiters.Response
---@field status? integer of HTTP
---@field close_code? integer of a WebSocket's close, in its place; body is the reason
---@field headers? string|string[]|table<string, string|string[]>
---@field body? string|table the text, or what it was decoded to

---What a provider's answer means.
---@class llm_limiters.Answer
---@field kind "ok"|"rate"|"quota"|"too_large"|"overload"|"auth"|"error"|"unknown"
---@field dimension? string the meter that refused
---@field unit? string its window
---@field scope? "model"|"family"|"credential"
---@field family? string
---@field retry_after? number seconds
---@field usage table<string, integer> by meter, as far as it was told

---The reservation of one call, which ends by settle, reject or cancel. Closed, or collected, without one of these it
---stands as its estimate: the engine believes that the call was made. Never a refund.
---@class llm_limiters.Permit
---@field model_name string the model to call
---@field limiter llm_limiters.Limiter
local Permit = {}

---Ends it by what the call used: amounts by meter, a usage or an answer as the provider has it, the text of a body,
---or nothing if that is not known.
---@param usage? table|string
---@return true?, string? why_not
function Permit:settle(usage) end

---Ends it by what the provider answered, and cools whom that is about.
---@param answer llm_limiters.Response
---@return llm_limiters.Answer?, string? why_not
function Permit:reject(answer) end

---The call was never sent: everything is given back.
---@return true?, string? why_not
function Permit:cancel() end

---Starts the time to live of its leases anew.
---@return true?, string? why_not
function Permit:renew() end

---Whether it has not ended, and its limiter is open.
---@return boolean
function Permit:is_live() end

---Ends it as its estimate, unless it has ended; so does leaving the scope of `local permit <close>`.
function Permit:close() end

-- Limiters ------------------------------------------------------------------------------------------------------------

---Decides for the models of one modality: quotas, policy and counts.
---@class llm_limiters.Limiter
---@field modality "text"|"image"|"audio"|"live"
local Limiter = {}

---Admits the first of the models that fits.
---@param models string|string[]
---@param request? llm_limiters.Request
---@param permit? llm_limiters.Permit one that has ended, to be used again
---@return llm_limiters.Permit?, llm_limiters.Refusal?
function Limiter:acquire(models, request, permit) end

---The name that acquire() would admit now. Charges nothing.
---@param models string|string[]
---@param request? llm_limiters.Request
---@return string?, llm_limiters.Refusal?
function Limiter:available(models, request) end

---acquire() that sleeps, by the host's function, until the request is admitted or cannot be before the timeout.
---@param models string|string[]
---@param request llm_limiters.Request?
---@param options llm_limiters.WaitOptions
---@return llm_limiters.Permit?, llm_limiters.Refusal?
function Limiter:wait(models, request, options) end

---A function that goes along the models until a call succeeds; the call gets its arguments and `{ model_name =,
---permit = }`.
---@param models string|string[]
---@param call function returns an answer with its usage, a body, or a response; or nil and a response, or raises one
---@param request? llm_limiters.Request|fun(...): llm_limiters.Request?
---@return function # what the call returns; or nil and a refusal, or what the provider said last
function Limiter:limit(models, call, request) end

---The limits of a model or scope with their use, and the seconds that it cools.
---@param name string
---@return llm_limiters.Usage?, llm_limiters.Refusal?
function Limiter:usage(name) end

---What is in force, and what went wrong last.
---@return llm_limiters.Status
function Limiter:status() end

---The names of the models of the tier in force, sorted.
---@return string[]
function Limiter:models() end

---Reads the files again, or what other options name (not seed, scopes, clock, start, zone and log), and puts them in
---force.
---@param options? llm_limiters.Options
---@return integer? generation, llm_limiters.Refusal?
function Limiter:reload(options) end

---A descriptor for the host's event loop: when it is readable, watch_poll() is to be called. It is the limiter's.
---@return integer?, llm_limiters.Refusal?
function Limiter:watch_fd() end

---Reloads if files have changed, or another process of the zone has put others in force; else does nothing.
---@return integer? generation, llm_limiters.Refusal?
function Limiter:watch_poll() end

---The zone in the text format of Prometheus.
---@param prefix? string of the scopes' names; `"model:"`
---@return string?, llm_limiters.Refusal?
function Limiter:prometheus(prefix) end

---Lets a candidate decide the same calls beside what is in force, without effect; nil ends it.
---@param options? llm_limiters.Options without clock, start, zone and log
---@return true?, llm_limiters.Refusal?
function Limiter:shadow(options) end

---How the candidate has decided since.
---@return llm_limiters.ShadowReport?
function Limiter:shadow_report() end

---The steady and the wall clock, in seconds.
---@return number steady, number wall
function Limiter:now() end

---Moves a virtual clock on, and its wall part by the step beyond that.
---@param seconds number
---@param wall_step? number
function Limiter:advance(seconds, wall_step) end

---Ends it, and who waits for it. Its permits are of no use any more.
function Limiter:close() end

---The limits of a scope with their use, as a list.
---@class llm_limiters.Usage
---@field cooling number seconds
---@field [integer] llm_limiters.LimitUsage

---One limit with its use.
---@class llm_limiters.LimitUsage
---@field meter string
---@field law "sliding"|"calendar"|"bucket"|"gauge"
---@field window? number seconds
---@field unit? string of a calendar, as is zone
---@field zone? string
---@field limit integer
---@field used integer reservations included
---@field reset number seconds until nothing is used any more, if nothing else happens

---What is in force, and what has gone wrong.
---@class llm_limiters.Status
---@field generation integer
---@field hash string equal where quotas, policy, tier and account are
---@field faults integer decisions that a default took because a hook failed
---@field reloads integer
---@field failed_reloads integer
---@field conflicts integer generations of the zone whose contents were not those of this process's files
---@field zone_generation integer in force in the zone; another one than generation has not been followed
---@field fault? llm_limiters.Refusal the last one of a hook
---@field reload_fault? llm_limiters.Refusal

---Counts of calls. From same to failed they add up to decisions.
---@class llm_limiters.ShadowReport
---@field decisions integer
---@field same integer the same model, or the same refusal
---@field only_here integer admitted, and refused by the candidate
---@field only_there integer refused, and admitted by the candidate
---@field other_model integer
---@field other_wait integer refused by both, for another time
---@field never_or_later integer refused by both, for good by one
---@field unknown_model integer known to one only
---@field failed integer the candidate could not decide
---@field failure? llm_limiters.Refusal why, the last time
---@field lost integer permits that ended too late for the candidate to be told
---@field faults integer decisions that a default took because a hook of the candidate failed
---@field fault? llm_limiters.Refusal the last of these
---@field hash string as that of the status

-- Live sessions -------------------------------------------------------------------------------------------------------

---A live session: holds its slots until it is closed, or until it was not renewed for their time to live.
---@class llm_limiters.Session
---@field model_name string the model to connect to
---@field permit llm_limiters.Permit
---@field recorded boolean whether it has told anything of what it used
local Session = {}

---Starts the time to live of its slots anew.
---@return true?, string? why_not
function Session:heartbeat() end

---Charges what a turn has used, at once. A number of tokens counts as input, too.
---@param usage number|table|string tokens, amounts by meter, or a usage or message as the provider has it
---@return true?, llm_limiters.Refusal?
function Session:record_token_usage(usage) end

---Ends it by what the provider told when it closed or refused it, and cools whom that is about.
---@param answer llm_limiters.Response
---@return llm_limiters.Answer?, string? why_not
function Session:reject(answer) end

---Whether it has not ended, and its limiter is open.
---@return boolean
function Session:is_live() end

---Ends it, and gives its slots back; so does leaving the scope of `local session <close>`.
function Session:close() end

---A limiter whose calls are sessions; it has the methods of Limiter, too.
---@class llm_limiters.LiveLimiter: llm_limiters.Limiter
local LiveLimiter = {}

---Whether acquire_session() would open one now. Charges nothing.
---@param models string|string[]
---@param request? llm_limiters.Request
---@return boolean, llm_limiters.Refusal? reason
function LiveLimiter:check_availability(models, request) end

---Opens a session with the first of the models that has room for one.
---@param models string|string[]
---@param request? llm_limiters.Request
---@return llm_limiters.Session?, llm_limiters.Refusal?
function LiveLimiter:acquire_session(models, request) end

---The same as of a session, charged to the model alone: for what is told when its session has ended.
---@param model string
---@param usage number|table|string
---@return true?, llm_limiters.Refusal?
function LiveLimiter:record_token_usage(model, usage) end

---Keeps a model from being admitted; a cooldown that ends later stays.
---@param model string
---@param seconds? number 30
---@return true?, llm_limiters.Refusal?
function LiveLimiter:trigger_cooldown(model, seconds) end

-- The module ----------------------------------------------------------------------------------------------------------

local llm = {}

---Opens a limiter of text models. Raises what is wrong with the options, or with a file, by its line and field.
---@param options? llm_limiters.Options
---@return llm_limiters.Limiter
function llm.RateLimiter(options) end

---Of models that make images.
---@param options? llm_limiters.Options
---@return llm_limiters.Limiter
function llm.ImageRateLimiter(options) end

---Of models that speak or listen.
---@param options? llm_limiters.Options
---@return llm_limiters.Limiter
function llm.AudioRateLimiter(options) end

---Of models that hold a session.
---@param options? llm_limiters.Options
---@return llm_limiters.LiveLimiter
function llm.LiveRateLimiter(options) end

---@type { RateLimitExceeded: llm_limiters.Refusal, ModelNotFound: llm_limiters.Refusal }
llm.errors = {}

return llm
