---@meta
-- Everything that quota tables, overrides and policies see, for editors that run the Lua language server. Point one at
-- this directory from a .luarc.json beside your scripts, which also takes away what scripts do not have:
--   { "runtime.version": "Lua 5.4", "workspace.library": ["/usr/local/share/llm-limiters/library"],
--     "runtime.builtin": { "basic": "disable", "bit": "disable", "bit32": "disable", "coroutine": "disable",
--       "debug": "disable", "ffi": "disable", "io": "disable", "jit": "disable", "math": "disable", "os": "disable",
--       "package": "disable", "string": "disable", "table": "disable", "utf8": "disable" } }
-- It is never run. A spec holds it against the implementation.

-- Quantities ----------------------------------------------------------------------------------------------------------

---A unit of time. `day { tz = "Europe/Berlin" }` is a calendar day there; without a zone it is a rolling window, or a
---bucket for providers that refill.
---@class llm.Unit
---@operator call(llm.ZoneOptions): llm.Unit

---@class llm.ZoneOptions
---@field tz string name of a time zone, at most 47 bytes

---A sum of US dollars, made by `usd`.
---@class llm.Money
---@operator div(llm.Unit): llm.Rate

---Leases held at one time, made by `gauge`.
---@class llm.Gauge

---@class llm.RateValue

---A limit over a unit of time, written like `10/minute` or `usd(50)/month`. (The language server takes a quotient for a
---number.)
---@alias llm.Rate llm.RateValue|number

---@alias llm.Limit llm.Rate|llm.Gauge

---@type llm.Unit
second = {}
---@type llm.Unit
minute = {}
---@type llm.Unit
hour = {}
---@type llm.Unit
day = {}
---@type llm.Unit
week = {}
---@type llm.Unit
month = {}
---The day of Gemini's quotas: `day { tz = "America/Los_Angeles" }`.
---@type llm.Unit
pacific_day = {}

---No limit.
---@type number
inf = 0

---Money, for limits of `cost`: `cost = usd(50)/month`.
---@param dollars number 0.000001 to 1099511.627775, in steps of 0.000001; 0 or inf is no limit
---@return llm.Money
function usd(dollars) end

---At most that many leases at one time.
---@param amount number a whole number; 0 or inf is no limit
---@param ttl? number seconds that a lease lives unless renewed, 1 to 34560000; 3600 unless given
---@return llm.Gauge
function gauge(amount, ttl) end

-- Quota tables and overrides ------------------------------------------------------------------------------------------

---Amounts by meter: whole numbers from 0 to 2^40 - 1.
---@class llm.Charge
---@field requests? number
---@field tokens? number input and output together
---@field input_tokens? number
---@field output_tokens? number
---@field images? number
---@field audio_ms? number milliseconds
---@field characters? number
---@field sessions? number
---@field cost? number micro-dollars

---The limits of a scope. 0 and inf mean "not enforced".
---@class llm.Limits
---@field requests? llm.Limit|llm.Limit[]
---@field tokens? llm.Limit|llm.Limit[] input and output together
---@field input_tokens? llm.Limit|llm.Limit[]
---@field output_tokens? llm.Limit|llm.Limit[]
---@field images? llm.Limit|llm.Limit[]
---@field audio_ms? llm.Limit|llm.Limit[] milliseconds
---@field characters? llm.Limit|llm.Limit[]
---@field sessions? number|llm.Limit|llm.Limit[] a plain number is held at one time
---@field cost? llm.Rate|llm.Rate[] of money: usd(50)/month
---@field rpm? number requests a minute
---@field rpd? number requests in 24 hours
---@field tpm? number tokens a minute
---@field tpd? number tokens in 24 hours
---@field ipm? number images a minute
---@field itpm? number input tokens a minute
---@field otpm? number output tokens a minute
---@field law? "sliding"|"bucket" of the limits beside it
---@field charged? "used"|"reserved" what counts in the end
---@field guard? number seconds, 0 to a quarter of the window

---The entry of a model in a tier or in overrides.
---@class llm.Model: llm.Limits
---@field blocked? boolean not to be used in this tier
---@field weight? number above 0, for policies; 1 unless given
---@field price? llm.Price for policies

---US dollars.
---@class llm.Price
---@field input? number for a million tokens
---@field output? number for a million tokens
---@field request? number for one
---@field image? number for one

---@class llm.Quota

---@class llm.Tier

---@class llm.Inherited

---@class llm.QuotaTable
---@field api 1 the version of the language
---@field modality "text"|"image"|"audio"|"live"
---@field aliases? table<string, string[]> other spellings of a model
---@field families? table<string, string[]> models that draw on the row of the first
---@field guard? number seconds, for limits that state none
---@field [integer] llm.Tier

---The quotas of one provider: `return quota "gemini" { api = 1, modality = "text", tier "free" { ... } }`.
---@param provider string
---@return fun(body: llm.QuotaTable): llm.Quota
function quota(provider) end

---The models of one tier: `tier "free" { ["gemini-2.5-flash"] = { requests = 10/minute } }`.
---@param name string
---@return fun(body: table<string, llm.Model>|{ [1]: llm.Inherited }): llm.Tier
function tier(name) end

---First in a tier: the models of a tier above it; one that is mentioned again is replaced wholly.
---@param name string
---@return llm.Inherited
function inherit(name) end

-- Policies ------------------------------------------------------------------------------------------------------------

---What the caller declared. Read-only. Whatever else it holds are the caller's tags, which are strings: `req.team`.
---@class llm.Request
---@field requests number
---@field tokens number input and output together; 0 where it was not declared
---@field input_tokens number
---@field output_tokens number
---@field images number
---@field audio_ms number milliseconds
---@field characters number
---@field sessions number
---@field cost number micro-dollars
---@field max_output_tokens number the limit that the caller gives the provider; 0 if none
---@field random number at least 0 and below 1, another one for each request, from the limiter's seed
---@field at number the instant of the decision, in seconds since 1970
---@field [string] string|nil

---A model that the request may go to. Read-only, and of use during the hook only.
---@class llm.Candidate
---@field name string
---@field provider string "custom" for models of the overrides
---@field weight number above 0; 1 unless the tables say otherwise
---@field price? llm.Price
---@field cooling false|number seconds that are left
---@field strikes number refusals of late, from 0
---@field inflight number leases that are held of the model's gauge
---@field fits fun(self: llm.Candidate, req?: llm.Request|llm.Charge): boolean whether it would be admitted now
---@field room fun(self: llm.Candidate, meter?: string): number 0 to 1: share left of the fullest limit
---@field wait fun(self: llm.Candidate, req?: llm.Request|llm.Charge): number seconds until it fits: 0 now, inf never

---A provider's answer.
---@class llm.Answer
---@field kind "ok"|"rate"|"quota"|"too_large"|"overload"|"auth"|"error"|"unknown"
---@field dimension? string the meter whose limit refused
---@field unit? "minute"|"hour"|"day"|"week"|"month" of that limit
---@field scope? "model"|"family"|"credential" whose limit it is
---@field family? string what the names of the family's models begin with
---@field retry_after? number seconds
---@field status number of HTTP; 0 if there was none
---@field usage llm.Charge what the call used, as far as it is told
---@field live? boolean true for the close of a live session
---@field random number at least 0 and below 1, from the limiter's seed

---A scope with limits of its own. The table of limits is read at the first sight of it: make it once.
---@class llm.Scope
---@field name string "org:", "team:", "user:", "tenant:" or "key:" and a name, at most 255 bytes
---@field limits llm.Limits

---@class llm.Policy

---@class llm.PolicyTable
---@field api 1 the version of the language
---@field name string
---@field estimate? fun(req: llm.Request, m: llm.Candidate): llm.Charge? what it leaves out stays as the default has it
---@field scopes? fun(req: llm.Request, m: llm.Candidate): (string|llm.Scope)[]? at most 7, each once
---@field route? fun(req: llm.Request, pool: llm.Candidate[]): llm.Candidate[] the order to try
---@field result? fun(req: llm.Request, m: llm.Candidate, r: llm.Answer): llm.Action|llm.Action[]|nil at most 16
---@field test? fun(t: llm.Test) runs when the policy is loaded

---What a policy file returns.
---@param body llm.PolicyTable
---@return llm.Policy
function policy(body) end

---@class llm.LocalTime
---@field year number
---@field month number 1 to 12
---@field day number 1 to 31
---@field hour number 0 to 23
---@field minute number 0 to 59
---@field weekday number 1 is Monday

---What the clocks of a time zone show.
---@param instant number seconds since 1970: req.at
---@param zone string such as "Europe/Berlin"
---@return llm.LocalTime
function local_time(instant, zone) end

---Who is to cool, for the result hook to return.
---@class llm.Action

---@alias llm.ActionScope
---| "model" m alone
---| "family" m and the models of its provider whose names begin with r.family
---| "credential" all models of its provider

---Admit nothing for that long. A later end wins, an earlier one never shortens it.
---@param m llm.Candidate the hook's own
---@param seconds number 0 to 34560000
---@param scope? llm.ActionScope "model" unless given
---@return llm.Action
function cool(m, seconds, scope) end

---Admit nothing until then.
---@param m llm.Candidate the hook's own
---@param instant number seconds since 1970
---@param scope? llm.ActionScope "model" unless given
---@return llm.Action
function cool_until(m, instant, scope) end

---A wait that doubles with each refusal: min(first * 2^(m.strikes - 1), most) * (1 + r.random).
---@param m llm.Candidate
---@param r llm.Answer
---@param first number seconds
---@param most number seconds
---@return number seconds
function backoff(m, r, first, most) end

---What follows where a policy has no result hook.
---@param req llm.Request
---@param m llm.Candidate
---@param r llm.Answer
---@return llm.Action?
function default_result(req, m, r) end

---Makes a limiter with this policy, in virtual time.
---@alias llm.Test fun(setup: llm.TestSetup): llm.TestLimiter

---@class llm.TestSetup
---@field models table<string, llm.Model|llm.Limits> models, and scopes like ["team:*"], as in overrides

---The request of a test. Whatever else it holds are tags, which are strings.
---@class llm.TestRequest: llm.Charge
---@field max_output_tokens? number
---@field [string] string|number|nil

---The answer of a test, with the usage by meter.
---@class llm.TestAnswer: llm.Charge
---@field kind "ok"|"rate"|"quota"|"too_large"|"overload"|"auth"|"error"|"unknown"
---@field dimension? string
---@field scope? "model"|"family"|"credential"
---@field family? string
---@field unit? "minute"|"hour"|"day"|"week"|"month"
---@field retry_after? number seconds
---@field status? number
---@field live? boolean of a live session's close

---@class llm.TestLimiter
---@field acquire fun(self: llm.TestLimiter, models: string[], req?: llm.TestRequest): string?, number? or nil, wait
---@field settle fun(self: llm.TestLimiter, used: llm.Charge) the last permit
---@field cancel fun(self: llm.TestLimiter) the last permit
---@field answer fun(self: llm.TestLimiter, r: llm.TestAnswer) ends the last permit; the result hook is asked
---@field advance fun(self: llm.TestLimiter, seconds: number)
---@field room fun(self: llm.TestLimiter, model: string, meter?: string): number

-- Of the standard libraries -------------------------------------------------------------------------------------------

---@generic T
---@param v? T
---@param message? any
---@return T
function assert(v, message, ...) end
---@param message any
---@param level? integer
function error(message, level) end
---@generic V
---@param list V[]
---@return fun(list: V[], i?: integer): integer, V
---@return V[]
---@return integer
function ipairs(list) end
---@generic K, V
---@param t table<K, V>
---@param key? K
---@return K?
---@return V?
function next(t, key) end
---@generic K, V
---@param t table<K, V>
---@return fun(t: table<K, V>, key?: K): K, V
---@return table<K, V>
function pairs(t) end
---@param f function
---@return boolean
---@return any ...
function pcall(f, ...) end
---@param n integer|"#"
---@return any ...
function select(n, ...) end
---@param value any
---@param base? integer
---@return number?
function tonumber(value, base) end
---@param value any
---@return string
function tostring(value) end
---@param value any
---@return string
function type(value) end

---@class mathlib
math = {}
---@type number
math.huge = 0
---@type number
math.pi = 0
---@param x number
---@return number
function math.abs(x) end
---@param x number
---@return integer
function math.ceil(x) end
---@param x number
---@return number
function math.exp(x) end
---@param x number
---@return integer
function math.floor(x) end
---@param x number
---@param y number
---@return number
function math.fmod(x, y) end
---@param x number
---@return number
function math.log(x) end
---@param x number
---@return number
function math.max(x, ...) end
---@param x number
---@return number
function math.min(x, ...) end
---@param x number
---@return number
---@return number
function math.modf(x) end
---@param x number
---@return number
function math.sqrt(x) end

---@class stringlib
string = {}
---@param s string
---@param i? integer
---@param j? integer
---@return integer ...
function string.byte(s, i, j) end
---@param byte integer
---@return string
function string.char(byte, ...) end
---@param s string
---@return string
function string.format(s, ...) end
---@param s string
---@return integer
function string.len(s) end
---@param s string
---@return string
function string.lower(s) end
---At most 1000 bytes.
---@param s string
---@param n integer
---@param separator? string
---@return string
function string.rep(s, n, separator) end
---@param s string
---@return string
function string.reverse(s) end
---@param s string
---@param i integer
---@param j? integer
---@return string
function string.sub(s, i, j) end
---@param s string
---@return string
function string.upper(s) end

---Of lists of at most 250 elements.
---@class tablelib
table = {}
---@param list any[]
---@param separator? string
---@param i? integer
---@param j? integer
---@return string
function table.concat(list, separator, i, j) end
---@generic T
---@param list T[]
---@param value T
---@overload fun(list: any[], position: integer, value: any)
function table.insert(list, value) end
---@generic T
---@param list T[]
---@param position? integer
---@return T?
function table.remove(list, position) end
---@generic T
---@param list T[]
---@param before? fun(a: T, b: T): boolean
function table.sort(list, before) end
---@generic T
---@param list T[]
---@param i? integer
---@param j? integer
---@return T ...
function table.unpack(list, i, j) end
