-- The native module, as the other files of the door call it. Under LuaJIT what admits a request and ends its permit is
-- called by FFI, so that it compiles: it takes and returns what the native module's functions do.
--
-- A function that is called by FFI runs no Lua and raises nothing. So whatever is unusual, refused or wrong is left to
-- the native module's own: a field that is no amount, names that were not met before, hooks, a closed limiter. A LuaJIT
-- without its FFI has these alone, and so has one that does not compile: calls by FFI take twice as long then.

local native = require "llm_limiters.native"

local found, ffi = pcall(require, "ffi")
local jit = rawget(_G, "jit")
if not (found and jit and jit.status()) then return native end

local declared = require "llm_limiters.door.declarations"

local layout = native.layout
local ceil, getmetatable, next, rawget, type = math.ceil, getmetatable, next, rawget, type

-- Files and module of two versions are not to be used together at all, but here that would be worse than wrong.
local function mixed(what, here, there)
  error(("llm_limiters: %s is %s in its Lua files and %s in %s; they are of two versions, install both anew"):format(
    what, tostring(here), tostring(there), tostring(layout and layout.path)), 0)
end

if not layout or layout.version ~= declared.version then
  mixed("the version", declared.version, layout and layout.version)
end
pcall(ffi.cdef, declared.text) -- raises if this state was told before, be it by another user of the headers
for _, name in ipairs(declared.structs) do
  local size = ffi.sizeof(name)
  if size ~= layout[name] then mixed("the size of " .. name, size, layout[name]) end
end

-- The same shared object: loading it again gives its handle, and it is never unloaded.
local lib
local loaded = pcall(function()
  lib = ffi.load(layout.path)
  return lib.llim_ffi_acquire, lib.llim_ffi_settle, lib.llim_ffi_cancel
end)
if not loaded then return native end -- it was linked into a program, or another has told the FFI half of its headers

-- One of each for all calls: between what fills them and the call that reads them nothing allocates, so that no
-- finalizer comes between, which might call the door, too.
local MODELS, CHARGE = 4, ffi.sizeof "llim_charge"
local request, facts = ffi.new "llim_request", ffi.new "llim_charge"
local models_, sizes = ffi.new("const char *[?]", MODELS), ffi.new("uint32_t[?]", MODELS)
request.size, request.models = ffi.sizeof(request), models_
local asked_, told_ = request.charge.amount, facts.amount
local METERS, MOST = layout.meters, 2 ^ 40 - 1

-- What follows has no loops: a loop within a loop of the program is compiled by itself, and what is around it is not.
-- Longer lists and tables are the native module's.

-- Names are not kept beyond the call: the list is what keeps them.
local function take_name(i, name)
  if type(name) ~= "string" then return false end
  models_[i], sizes[i] = name, #name
  return true
end

local function take_models(models)
  if type(models) == "string" then
    request.n_models = 1
    return take_name(0, models)
  end
  if type(models) ~= "table" or getmetatable(models) ~= nil then return false end
  local n = #models
  if n < 1 or n > 4 then return false end
  request.n_models = n
  return take_name(0, models[1]) and (n < 2 or take_name(1, models[2])) and (n < 3 or take_name(2, models[3]))
    and (n < 4 or take_name(3, models[4]))
end

local function take_amount(amounts, name, value)
  if type(value) ~= "number" or not (value >= 0 and value <= MOST) then return false end
  local meter = METERS[name]
  if meter then
    amounts[meter] = ceil(value)
  elseif name == "max_output_tokens" and amounts == asked_ then
    request.max_output_tokens = ceil(value)
  else
    return false
  end
  return true
end

-- How many amounts a table has, or nil.
local function take_amounts(amounts, from)
  local name, value = next(from)
  if name == nil then return 0 end
  if not take_amount(amounts, name, value) then return nil end
  name, value = next(from, name)
  if name == nil then return 1 end
  if not take_amount(amounts, name, value) then return nil end
  name, value = next(from, name)
  if name == nil then return 2 end
  if not take_amount(amounts, name, value) then return nil end
  name, value = next(from, name)
  if name == nil then return 3 end
  if not take_amount(amounts, name, value) then return nil end
  if next(from, name) == nil then return 4 end
  return nil
end

local function take_request(asked)
  ffi.fill(asked_, CHARGE)
  request.max_output_tokens = 0
  return asked == nil or type(asked) == "table" and take_amounts(asked_, asked) ~= nil
end

-- As the native module's: a table of input and output tokens alone may be a provider's.
local function take_facts(usage)
  ffi.fill(told_, CHARGE, 255) -- LLIM_UNKNOWN
  local n = take_amounts(told_, usage)
  return n ~= nil and n > (rawget(usage, "input_tokens") and 1 or 0) + (rawget(usage, "output_tokens") and 1 or 0)
end

local compiled = {}

function compiled.acquire(limiter, models, asked, permit)
  if take_models(models) and take_request(asked) then
    local index = lib.llim_ffi_acquire(limiter, request, sizes, permit)
    if index >= 0 then return index + 1 end
  end
  return native.acquire(limiter, models, asked, permit)
end

function compiled.settle(limiter, permit, usage)
  if usage == nil then
    if lib.llim_ffi_settle(limiter, permit, nil) == 0 then return true end
  elseif take_facts(usage) then
    if lib.llim_ffi_settle(limiter, permit, facts) == 0 then return true end
  end
  return native.settle(limiter, permit, usage)
end

function compiled.cancel(limiter, permit)
  if lib.llim_ffi_cancel(limiter, permit) == 0 then return true end
  return native.cancel(limiter, permit)
end

return setmetatable(compiled, { __index = native })
