-- Writes door/declarations.lua: of the C headers given, what LuaJIT's FFI must know to call the functions of the last.
--   lua declare.lua include/llm_limiters_core.h include/llm_limiters.h bindings/lua/native/ffi.h
-- It reads what these headers are made of, no C at large: a declaration ends by a semicolon outside of braces, and
-- macros that matter are whole numbers.

local function read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("*a")
  f:close()
  return text
end

local macros = {}

-- What is left of a header: its declarations, in lines.
local function declarations(text)
  local list, depth, from = {}, 0, 1
  text = text:gsub("/%*.-%*/", " "):gsub("\n#ifdef __cplusplus.-\n#endif", "\n")
  for line in text:gmatch("[^\n]+") do
    local name, value = line:match("^#define +([%w_]+) +%(?(%-?%d+)%)?%s*$")
    if name then macros[name] = value end
  end
  text = ("\n" .. text):gsub("\n#[^\n]*", ""):gsub("%s+", " ")
  for at, sign in text:gmatch("()([;{}])") do
    if sign == "{" then depth = depth + 1 end
    if sign == "}" then depth = depth - 1 end
    if sign == ";" and depth == 0 then
      list[#list + 1] = text:sub(from, at)
      from = at + 1
    end
  end
  return list
end

-- The names that a declaration gives, and all that it holds.
local function names_of(declaration)
  local given, held = {}, {}
  for name in declaration:gmatch("[%a_][%w_]*") do held[name] = true end
  local body = declaration:match("%b{}")
  if declaration:match("^%s*enum") then
    for name in body:gmatch("[{,]%s*([%a_][%w_]*)") do given[name] = true end
  end
  local name = declaration:match("^%s*typedef.-%(%s*%*%s*([%w_]+)%s*%)") -- of a pointer to a function
    or declaration:match("^%s*typedef.-([%w_]+)%s*;$") or declaration:match("([%w_]+)%s*%b()%s*;")
  if name then given[name] = true end
  return given, held
end

local all, wanted = {}, {}
for i, path in ipairs(arg) do
  for _, text in ipairs(declarations(read(path))) do
    local given, held = names_of(text)
    all[#all + 1] = { text = text, given = given, held = held, used = i == #arg and text:find "LLIM_API" }
  end
end
repeat
  local more = false
  for _, one in ipairs(all) do
    if one.used then
      for name in pairs(one.held) do wanted[name] = true end
    end
  end
  for _, one in ipairs(all) do
    for name in pairs(one.given) do
      if wanted[name] and not one.used then one.used, more = true, true end
    end
  end
until not more

local structs, lines = {}, {}
for pass = 1, 2 do -- the functions come last, and what they need before
  for _, one in ipairs(all) do
    local is_function = one.text:find "LLIM_API" ~= nil
    if one.used and is_function == (pass == 2) then
      local text = one.text:gsub("LLIM_API ", ""):gsub("[%a_][%w_]*", macros):gsub("^ ", "")
      local name = text:match("^typedef struct [%w_]+ {.*} ([%w_]+);$")
      if name then structs[#structs + 1] = name end
      if is_function and #text > 110 then text = text:gsub(", ([^,]-;)", ",\n  %1") end
      if text:find("^enum") then text = text:gsub(", ", ",\n  "):gsub("{ ", "{\n  "):gsub(" }", "\n}") end
      if text:find("^typedef") then text = text:gsub("{ ", "{\n  "):gsub("; }", ";\n}"):gsub("; ", ";\n  ") end
      lines[#lines + 1] = text
    end
  end
end

local version = macros.LLIM_VERSION_MAJOR * 10000 + macros.LLIM_VERSION_MINOR * 100 + macros.LLIM_VERSION_PATCH
io.write("-- What LuaJIT's FFI knows of the C headers: made of them by bindings/lua/native/declare.lua.\n\nreturn {\n",
  ("  version = %d,\n  structs = { \"%s\" },\n  text = [[\n"):format(version, table.concat(structs, "\", \"")),
  table.concat(lines, "\n"), "\n]],\n}\n")
