/* module.c - require "llm_limiters.native": the functions of native.h, and the metatables of what they make. */
#include <dlfcn.h>
#include <lauxlib.h>

#include "native.h"

static const char kinds[LLIM__NATIVE_KINDS]; /* the registry holds their metatables under these addresses */

void *llim__native_userdata(lua_State *L, int index, int kind)
{
    void *userdata = lua_touserdata(L, index);
    if (userdata && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &kinds[kind]);
        const bool same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (same) return userdata;
    }
    luaL_argerror(L, index, "another kind of value is expected");
    return NULL;
}

void llim__native_set_kind(lua_State *L, int kind)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kinds[kind]);
    lua_setmetatable(L, -2);
}

/* Once in a state, though the module may be loaded again. */
static void make_kind(lua_State *L, int kind, lua_CFunction finalizer)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kinds[kind]);
    const bool made = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (made) return;
    lua_createtable(L, 0, 2);
    if (finalizer) {
        lua_pushcfunction(L, finalizer);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, finalizer);
        lua_setfield(L, -2, "__close");
    }
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kinds[kind]);
}

LLIM_API int luaopen_llm_limiters_native(lua_State *L);

static void set_number(lua_State *L, const char *field, size_t value)
{
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, field);
}

/* What door/native.lua must know to call this very module by LuaJIT's FFI: where it is, what its structs are, what meters are
   called. */
static void set_layout(lua_State *L)
{
    Dl_info info;
    lua_createtable(L, 0, 8);
    set_number(L, "version", llim_version());
    set_number(L, "llim_charge", sizeof(llim_charge));
    set_number(L, "llim_row", sizeof(llim_row));
    set_number(L, "llim_lease", sizeof(llim_lease));
    set_number(L, "llim_permit", sizeof(llim_permit));
    set_number(L, "llim_tag", sizeof(llim_tag));
    set_number(L, "llim_request", sizeof(llim_request));
    lua_createtable(L, 0, LLIM_METERS);
    for (int m = 0; m < LLIM_METERS; m++) set_number(L, llim_meter_name(m), (size_t)m);
    lua_setfield(L, -2, "meters");
    if (dladdr(kinds, &info) && info.dli_fname) {
        lua_pushstring(L, info.dli_fname);
        lua_setfield(L, -2, "path");
    }
    lua_setfield(L, -2, "layout");
}

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
                                         {"reader", llim__native_reader_make},
                                         {"reader_begin", llim__native_reader_begin},
                                         {"reader_feed", llim__native_reader_feed},
                                         {"models", llim__native_models},
                                         {"cancel", llim__native_cancel},
                                         {"renew", llim__native_renew},
                                         {"is_live", llim__native_is_live},
                                         {"permit", llim__native_permit},
                                         {"record", llim__native_record},
                                         {"cool", llim__native_cool},
                                         {"give_back", llim__native_give_back},
                                         {"watch_fd", llim__native_watch_fd},
                                         {"watch_poll", llim__native_watch_poll},
                                         {"prometheus", llim__native_prometheus},
                                         {"shadow", llim__native_shadow},
                                         {"shadow_report", llim__native_shadow_report},
                                         {"wait_begin", llim__native_wait_begin},
                                         {"wait_poll", llim__native_wait_poll},
                                         {"wait_end", llim__native_wait_end},
                                         {NULL, NULL}};
    make_kind(L, LLIM__NATIVE_LIMITER, llim__native_close);
    make_kind(L, LLIM__NATIVE_PERMIT, NULL);
    make_kind(L, LLIM__NATIVE_READER, NULL);
    make_kind(L, LLIM__NATIVE_WAITER, llim__native_wait_end); /* and to be closed, see door/closing.lua */
    luaL_newlib(L, functions);
    set_layout(L);
    return 1;
}
