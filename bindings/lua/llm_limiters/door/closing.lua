-- closing(thing, body, ...): body(...) with a thing that is closed when it ends, in whichever way: a coroutine that is
-- closed ends it without returning or raising. Lua 5.4 knows that; in others body's return and what it raises are all
-- that there is, and a thing is left to the collector else.

local text = [[
local thing, body = ...
local held <close> = thing
return body(select(3, ...))
]]

local function finish(close, thing, fine, ...)
  close(thing)
  if not fine then error((...), 0) end
  return ...
end

local held = load and load(text, "=closing")

-- close: what ends the thing where the language does not.
return function(close, thing, body, ...)
  if held then return held(thing, body, ...) end
  return finish(close, thing, pcall(body, ...))
end
