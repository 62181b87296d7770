-- Calls of what the program gave, which may raise, yield, or never come back.
--
-- Nothing yields through a pcall of plain Lua 5.1. Within a coroutine there, calls are not protected, so that they may
-- yield, and what they raise goes by.

local closing = {}

-- Not found out by trying: in a request of nginx a coroutine that is resumed while a file is loaded is an error.
local yields = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- pcall, if what is called may yield within it.
function closing.pcall(call, ...)
  if yields or not coroutine.running() then return pcall(call, ...) end
  return true, call(...)
end

local text = [[
local thing, body = ...
local held <close> = thing
return body(select(3, ...))
]]

local readable, held = pcall(load, text, "=closing") -- that of Lua 5.1 takes no text
if not readable then held = nil end

local function finish(close, thing, fine, ...)
  close(thing)
  if not fine then error((...), 0) end
  return ...
end

-- body(...) with a thing that is closed when it ends, in whichever way: a coroutine that is closed ends it without
-- returning or raising. Lua 5.4 knows that; in others body's return and what closing.pcall() catches are all that there
-- is, and a thing is left to the collector else. close: what ends the thing where the language does not.
function closing.with(close, thing, body, ...)
  if held then return held(thing, body, ...) end
  return finish(close, thing, closing.pcall(body, ...))
end

return closing
