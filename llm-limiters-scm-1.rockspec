-- luarocks make: from a checkout, without network, for Lua 5.4.
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
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = { CJSON = { header = "cjson/cJSON.h" } }
build = {
  type = "make",
  build_target = "rock",
  build_variables = { BUILD = "build/rock", LUA = "$(LUA)", LUA_CFLAGS = "-I$(LUA_INCDIR)", WERROR = "" },
  install_target = "install-rock",
  install_variables = {
    BUILD = "build/rock", LUA = "$(LUA)", LUA_CFLAGS = "-I$(LUA_INCDIR)", WERROR = "",
    ROCK_LUA = "$(LUADIR)", ROCK_LIB = "$(LIBDIR)",
  },
}
