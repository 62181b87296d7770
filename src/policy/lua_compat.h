/*
 * lua_compat.h - the names of Lua 5.4's C API that we use and an older one lacks, for the rock in Lua 5.1 to 5.3 and LuaJIT (which
 * says that it is 5.1). The library's own Lua is 5.4, where nothing of this is compiled.
 *
 * What all versions can say is written so instead: functions that push a value are asked for its type by lua_type(), since they
 * return nothing before 5.3. Integers are doubles before 5.3, and exact to 2^53: what is pushed is an amount, 2^40 at most, or counts
 * what happens.
 */
#ifndef LLIM_POLICY_LUA_COMPAT_H
#define LLIM_POLICY_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM < 504
/* One user value, a table, is what there is: lua_setiuservalue() is for the first one. */
#define lua_newuserdatauv(L, size, n) lua_newuserdata(L, size)
#if LUA_VERSION_NUM < 502
#define lua_setiuservalue(L, index, n) ((void)lua_setfenv(L, index))
#else
#define lua_setiuservalue(L, index, n) lua_setuservalue(L, index)
#endif
#endif

#if LUA_VERSION_NUM < 502
#ifndef LUA_OK
#define LUA_OK 0
#endif
#define lua_rawlen(L, index) lua_objlen(L, index)
#undef luaL_newlib
#define luaL_newlib(L, functions) (lua_newtable(L), luaL_register(L, NULL, functions))

static inline void lua_rawgetp(lua_State *L, int table, const void *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, table); /* an absolute index, as everywhere below */
}

static inline void lua_rawsetp(lua_State *L, int table, const void *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_insert(L, -2);
    lua_rawset(L, table);
}
#endif

#endif
