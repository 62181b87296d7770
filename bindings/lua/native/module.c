/* module.c - require "llm_limiters.native": the functions of native.h, and the metatables of what they make. */
#include <lauxlib.h>

#include "native.h"

static void make_type(lua_State *L, const char *name, lua_CFunction finalizer)
{
    luaL_newmetatable(L, name);
    if (finalizer) {
        lua_pushcfunction(L, finalizer);
        lua_setfield(L, -2, "__gc");
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

LLIM_API int luaopen_llm_limiters_native(lua_State *L);

int luaopen_llm_limiters_native(lua_State *L)
{
    static const luaL_Reg functions[] = {{"open", llim__native_open},
                                         {"close", llim__native_close},
                                         {"reload", llim__native_reload},
                                         {"status", llim__native_status},
                                         {"usage", llim__native_usage},
                                         {"now", llim__native_now},
                                         {"set_clock", llim__native_set_clock},
                                         {"acquire", llim__native_acquire},
                                         {"available", llim__native_available},
                                         {"settle", llim__native_settle},
                                         {"answered", llim__native_answered},
                                         {"cancel", llim__native_cancel},
                                         {"renew", llim__native_renew},
                                         {"is_live", llim__native_is_live},
                                         {"permit", llim__native_permit},
                                         {"wait_begin", llim__native_wait_begin},
                                         {"wait_poll", llim__native_wait_poll},
                                         {"wait_end", llim__native_wait_end},
                                         {NULL, NULL}};
    make_type(L, LLIM__NATIVE_LIMITER, llim__native_close);
    make_type(L, LLIM__NATIVE_PERMIT, NULL);
    make_type(L, LLIM__NATIVE_WAITER, llim__native_wait_end);
    luaL_newlib(L, functions);
    return 1;
}
