/*
 * test.c - runs the test that a policy brings along, within the bounds of loading.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "policy/vm_state.h"

typedef struct place {
    int line;
    char file[192];
} place;

/* Notes the line of the script that failed: assert() tells none. (message), with the place as upvalue. */
static int note_line(lua_State *L)
{
    place *p = lua_touserdata(L, lua_upvalueindex(1));
    lua_Debug debug;
    for (int level = 0; p->line <= 0 && lua_getstack(L, level, &debug); level++)
        if (lua_getinfo(L, "Sl", &debug) && debug.currentline > 0 && debug.source[0] == '@') {
            p->line = debug.currentline;
            snprintf(p->file, sizeof p->file, "%s", debug.source + 1);
        }
    return 1;
}

typedef struct run {
    llim__vm *vm;
    int (*push)(lua_State *L);
    void *ud;
    int code; /* what the kit failed with last */
} run;

/* (test, run) */
static int call_test(lua_State *L)
{
    run *r = lua_touserdata(L, 2);
    lua_settop(L, 1);
    llim__vm_push_kernel(L, r->vm, "trial");
    lua_pushlightuserdata(L, r->ud);
    lua_pushlightuserdata(L, &r->code);
    r->push(L);
    lua_replace(L, 2);
    lua_settop(L, 2);
    lua_call(L, 1, 0);
    return 0;
}

/* The message without the position that error() puts before it. */
static const char *bare(const char *message, const place *p)
{
    char prefix[224];
    const int n = snprintf(prefix, sizeof prefix, "%s:%d: ", p->file, p->line);
    return strncmp(message, prefix, (size_t)n) == 0 ? message + n : message;
}

int llim__vm_test(llim__vm *vm, int (*push)(lua_State *L), void *ud, llim_error *err)
{
    lua_State *L = vm->L;
    place p = {.line = 0};
    run r = {vm, push, ud, LLIM_OK};
    int code = LLIM_OK;
    lua_pushlightuserdata(L, &p);
    lua_pushcclosure(L, note_line, 1);
    lua_pushcfunction(L, call_test);
    lua_pushvalue(L, LLIM__VM_TEST);
    lua_pushlightuserdata(L, &r);
    if (llim__budget_call(L, &vm->budget, &vm->load, 2, 0, LLIM__VM_TOP + 1) != LUA_OK) {
        const char *why = vm->budget.over       ? vm->budget.text
                          : lua_isstring(L, -1) ? lua_tostring(L, -1)
                                                : "it raised no text";
        const bool starved = vm->budget.starved || r.code == LLIM_ENOMEM;
        code = llim__fail(err, starved ? LLIM_ENOMEM : LLIM_ECONFIG, "%s:%d: the policy's test failed: %s", p.file,
                          p.line, bare(why, &p));
        if (err) {
            snprintf(err->file, sizeof err->file, "%s", p.file);
            snprintf(err->field, sizeof err->field, "test");
            err->line = p.line;
        }
    }
    lua_settop(L, LLIM__VM_TOP);
    return code;
}
