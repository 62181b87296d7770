/* report.c - what can be told of a limiter to others: its zone for Prometheus, and how a candidate in its shadow decides. */
#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

#include "native.h"

/* (limiter, prefix of the scopes' names | nil) -> text | nil, error */
int llim__native_prometheus(lua_State *L)
{
    static const char method[] = "limiter:prometheus(prefix)";
    llim_error err;
    size_t size = 0;
    lua_settop(L, 2);
    const char *prefix = lua_isnil(L, 2) ? NULL : llim__native_string(L, 2, method, "prefix");
    err.code = LLIM_OK;
    for (;;) {
        const size_t cap = size + size / 8 + 16384; /* scopes may come meanwhile */
        char *out = lua_newuserdata(L, cap);
        llim_zone *zone = llim_limiter_zone(llim__native_check_idle(L)->limiter); /* making it may have closed that */
        const int code = llim_prometheus(zone, prefix, out, cap, &size);
        if (code == LLIM_OK) {
            lua_pushlstring(L, out, size);
            return 1;
        }
        if (code != LLIM_ERANGE) return llim__native_refuse(L, code, NULL, &err, NULL);
        lua_settop(L, 2);
    }
}

/* (limiter, options of a candidate | nil: none any more) -> true | nil, error */
int llim__native_shadow(lua_State *L)
{
    llim_error err;
    llim_options o;
    lua_settop(L, 2);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    const bool none = lua_isnil(L, 2);
    if (!none) o = llim__native_options(L, 2);
    err.code = LLIM_OK;
    limiter->inside = true;
    const int code = llim_shadow(limiter->limiter, none ? NULL : &o, &err);
    limiter->inside = false;
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* (limiter) -> how the candidate has decided | nil: there is none */
int llim__native_shadow_report(lua_State *L)
{
    llim_shadow_report r = {.size = sizeof r};
    char hash[17];
    if (llim_get_shadow(llim__native_check_idle(L)->limiter, &r)) {
        lua_pushnil(L);
        return 1;
    }
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"decisions", r.decisions},
                  {"same", r.same},
                  {"only_here", r.only_here},
                  {"only_there", r.only_there},
                  {"other_model", r.other_model},
                  {"other_wait", r.other_wait},
                  {"never_or_later", r.never_or_later},
                  {"unknown_model", r.unknown_model},
                  {"failed", r.failed},
                  {"lost", r.lost},
                  {"faults", r.faults}};
    lua_createtable(L, 0, 14);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        lua_pushinteger(L, (lua_Integer)counts[i].value);
        lua_setfield(L, -2, counts[i].name);
    }
    snprintf(hash, sizeof hash, "%016" PRIx64, r.hash);
    lua_pushstring(L, hash);
    lua_setfield(L, -2, "hash");
    llim__native_set_error(L, "fault", &r.fault);
    llim__native_set_error(L, "failure", &r.failure);
    return 1;
}
