/* watch.c - what a limiter tells on its own: its log, and that its files have changed. */
#include <lauxlib.h>

#include "native.h"

/* The log functions of a state by their limiters' userdata. Weak: the door's limiter holds its own, which may hold it. */
static void push_logs(lua_State *L)
{
    static const char logs;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &logs);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &logs);
}

void llim__native_set_log(lua_State *L, const llim__native_limiter *limiter)
{
    const int log = lua_gettop(L);
    push_logs(L);
    lua_pushvalue(L, log);
    lua_rawsetp(L, log + 1, limiter);
    lua_settop(L, log - 1);
}

typedef struct line {
    const llim__native_limiter *limiter;
    int level;
    const char *text;
} line;

static int write_line(lua_State *L)
{
    const line *l = lua_touserdata(L, 1);
    push_logs(L);
    lua_rawgetp(L, 2, l->limiter);
    if (lua_isnil(L, -1)) return 0;
    lua_pushstring(L, l->level == LLIM_LOG_WARNING ? "warning" : "info");
    lua_pushstring(L, l->text);
    lua_call(L, 2, 0);
    return 0;
}

/* Whoever is inside goes on whatever the function does: what it raises ends here. */
void llim__native_log(void *ctx, int level, const char *text)
{
    llim__native_limiter *limiter = ctx;
    lua_State *L = limiter->caller;
    line l = {limiter, level, text};
    const int top = lua_gettop(L);
    const bool inside = limiter->inside;
    if (!lua_checkstack(L, LUA_MINSTACK)) return;
    limiter->inside = true;
    lua_pushcfunction(L, write_line);
    lua_pushlightuserdata(L, &l);
    lua_pcall(L, 1, 0, 0);
    lua_settop(L, top);
    limiter->inside = inside;
}

/* (limiter) -> descriptor | nil, error */
int llim__native_watch_fd(lua_State *L)
{
    llim_error err;
    llim__native_limiter *limiter = llim__native_check_idle(L);
    err.code = LLIM_OK;
    const int fd = llim_watch_fd(limiter->limiter, &err);
    if (fd < 0) return llim__native_refuse(L, fd, NULL, &err, NULL);
    lua_pushinteger(L, fd);
    return 1;
}

/* (limiter) -> generation | nil, error */
int llim__native_watch_poll(lua_State *L)
{
    llim_error err;
    uint32_t generation;
    llim__native_limiter *limiter = llim__native_check_idle(L);
    err.code = LLIM_OK;
    limiter->inside = true;
    const int code = llim_watch_poll(limiter->limiter, &generation, &err);
    limiter->inside = false;
    if (code == LLIM_EINVAL)
        return llim__native_raise(L, "limiter:watch_poll(): limiter:watch_fd() comes first; it begins the watch");
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_pushinteger(L, (lua_Integer)generation);
    return 1;
}
