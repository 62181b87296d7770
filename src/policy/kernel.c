/* kernel.c - see kernel.h. */
#include "policy/kernel.h"

#include <lauxlib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/builtin.h"

typedef struct code {
    char *bytes; /* NULL: not kept */
    size_t size;
} code;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users; /* under the lock, as is the making and the end of what follows */
static code *codes;    /* one for each of llim__builtins; NULL: none is kept */

static const char prefix[] = "bindings/lua/";

static bool is_module(const llim__builtin *b)
{
    return strncmp(b->path, prefix, sizeof prefix - 1) == 0;
}

/* "llm_limiters.kernel" of its path */
static void name_of(const llim__builtin *b, char name[128])
{
    const char *path = b->path + sizeof prefix - 1;
    snprintf(name, 128, "%.*s", (int)(strlen(path) - strlen(".lua")), path);
    for (char *p = name; *p; p++)
        if (*p == '/') *p = '.';
}

static int append(lua_State *L, const void *piece, size_t size, void *ud)
{
    code *c = ud;
    (void)L;
    char *bytes = realloc(c->bytes, c->size + size);
    if (!bytes) return 1;
    memcpy(bytes + c->size, piece, size);
    c->bytes = bytes;
    c->size += size;
    return 0;
}

/* (the codes) */
static int compile_all(lua_State *L)
{
    code *c = lua_touserdata(L, 1);
    for (const llim__builtin *b = llim__builtins; b->path; b++, c++) {
        char name[128];
        if (!is_module(b)) continue;
        name_of(b, name);
        if (luaL_loadbufferx(L, b->text, b->size, name, "t") != LUA_OK) lua_error(L);
        if (lua_dump(L, append, c, 0)) { /* not stripped: what goes wrong in the kernel has a line */
            free(c->bytes);
            c->bytes = NULL;
        }
        lua_pop(L, 1);
    }
    return 0;
}

void llim__kernel_hold(void)
{
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        size_t n = 0;
        while (llim__builtins[n].path) n++;
        codes = calloc(n, sizeof *codes);
        lua_State *L = codes ? luaL_newstate() : NULL;
        if (L) {
            lua_pushcfunction(L, compile_all);
            lua_pushlightuserdata(L, codes);
            lua_pcall(L, 1, 0, 0);
            lua_close(L);
        }
    }
    pthread_mutex_unlock(&lock);
}

void llim__kernel_leave(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0) {
        for (size_t i = 0; codes && llim__builtins[i].path; i++) free(codes[i].bytes);
        free(codes);
        codes = NULL;
    }
    pthread_mutex_unlock(&lock);
}

void llim__kernel_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (size_t i = 0; llim__builtins[i].path; i++) {
        const llim__builtin *b = &llim__builtins[i];
        const bool kept = codes && codes[i].bytes;
        char name[128];
        if (!is_module(b)) continue;
        name_of(b, name);
        if (luaL_loadbufferx(L, kept ? codes[i].bytes : b->text, kept ? codes[i].size : b->size, name,
                             kept ? "b" : "t") != LUA_OK)
            lua_error(L);
        lua_setfield(L, -2, name);
    }
    lua_pop(L, 1);
}
