/* route.c - asks a policy's route hook for the order in which to try the candidates. */
#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "policy/vm_state.h"

enum { LONGEST_PLAN = 1024 };

typedef struct call {
    const llim_charge *charge;
    const llim__candidate *candidates;
    uint32_t n;
    uint32_t *order;
    uint32_t n_order;
} call;

/* Runs under pcall: builds req and pool, calls the hook, and reads its list back. */
static int ask(lua_State *L)
{
    call *c = lua_touserdata(L, 2);
    lua_settop(L, 1); /* the hook */
    lua_createtable(L, 0, LLIM_METERS);
    for (int m = 0; m < LLIM_METERS; m++) {
        lua_pushinteger(L, c->charge->amount[m]);
        lua_setfield(L, -2, llim_meter_name(m));
    }
    lua_createtable(L, (int)c->n, 0);
    for (uint32_t i = 0; i < c->n; i++) {
        lua_createtable(L, 0, 4);
        lua_pushstring(L, c->candidates[i].name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, c->candidates[i].provider);
        lua_setfield(L, -2, "provider");
        lua_pushboolean(L, c->candidates[i].cooling);
        lua_setfield(L, -2, "cooling");
        lua_pushinteger(L, i + 1);
        lua_setfield(L, -2, "index");
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 2, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "route must return a list of candidates, not %s", luaL_typename(L, -1));
    lua_Unsigned n = lua_rawlen(L, -1);
    if (n == 0 && lua_getfield(L, -1, "index") != LUA_TNIL)
        return luaL_error(L, "route must return a list of candidates, not a candidate");
    if (n == 0) return 0;
    bool planned[64] = {false};
    if (c->n > sizeof planned || n > LONGEST_PLAN)
        return luaL_error(L, "route returned a list of %d elements; there are %d candidates", (int)n, (int)c->n);
    for (lua_Unsigned i = 1; i <= n && c->n_order < c->n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        if (!lua_istable(L, -1)) return luaL_error(L, "route returned a list whose element %d is no candidate", (int)i);
        lua_getfield(L, -1, "index");
        lua_Integer index = lua_tointeger(L, -1);
        if (index < 1 || index > c->n) return luaL_error(L, "route returned a candidate that is not of its pool");
        if (!planned[index - 1]) c->order[c->n_order++] = (uint32_t)index - 1;
        planned[index - 1] = true; /* once is enough */
        lua_pop(L, 2);
    }
    return 0;
}

int llim__vm_route(llim__vm *vm, const llim_charge *charge, const llim__candidate *candidates, uint32_t n,
                   uint32_t *order, uint32_t *n_order, llim_error *err)
{
    lua_State *L = vm->L;
    call c = {charge, candidates, n, order, 0};
    lua_pushcfunction(L, ask);
    lua_pushvalue(L, LLIM__VM_ROUTE);
    lua_pushlightuserdata(L, &c);
    int code = LLIM_OK;
    if (llim__budget_call(L, &vm->budget, &vm->hook, 2, 0) != LUA_OK)
        code = llim__fail(err, LLIM_ELUA, "the policy's route hook failed: %s",
                          vm->budget.over       ? vm->budget.text
                          : lua_isstring(L, -1) ? lua_tostring(L, -1)
                                                : "it raised no text");
    lua_settop(L, LLIM__VM_TOP);
    *n_order = c.n_order;
    return code;
}
