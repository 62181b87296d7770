-- luarocks make: from a checkout, without network, for Lua 5.1 to 5.4 and LuaJIT.
package = "llm-limiters"
version = "scm-1"
rockspec_format = "3.0"
source = { url = "git+file://." }
description = {
  summary = "A policy engine for programs that call large language models",
  detailed = "Decides for every call whether it may go now, to which model, and if not, exactly when.",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = { CJSON = { header = "cjson/cJSON.h" } }
build = {
  type = "make",
  build_target = "rock",
  build_variables = { BUILD = "build/rock", LUA_PROGRAM = "$(LUA)", LUA_CFLAGS = "-I$(LUA_INCDIR)", WERROR = "" },
  install_target = "install-rock",
  install_variables = {
    BUILD = "build/rock", LUA_PROGRAM = "$(LUA)", LUA_CFLAGS = "-I$(LUA_INCDIR)", WERROR = "",
    ROCK_LUA = "$(LUADIR)", ROCK_LIB = "$(LIBDIR)",
  },
}
