/* hooks.c - asks a policy's hooks and checks what they answer. See hooks.h. */
#include "policy/hooks.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "policy/pool.h"
#include "policy/vm_state.h"

enum { LONGEST_PLAN = 1024 };

/* One call of a hook: what the function under pcall needs beside the hook. */
typedef struct call {
    llim__vm *vm;
    llim__question *question;
    uint32_t i;   /* the candidate */
    uint32_t *n;  /* of what is answered */
    uint32_t cap; /* of these */
    void *out;
    const llim__outcome *outcome;
} call;

/* What the function under pcall finds on its stack. */
enum { HOOK = 1, CALL, REQUEST, CANDIDATES, POOL };

/* Runs function(hook, call, request, candidates, pool) within the bounds of hooks, while the question is open. */
static int run(llim__vm *vm, int hook, const char *name, lua_CFunction function, call *c, llim_error *err)
{
    lua_State *L = vm->L;
    int code = LLIM_OK;
    c->vm = vm;
    vm->question = c->question;
    lua_pushcfunction(L, function);
    lua_pushvalue(L, hook);
    lua_pushlightuserdata(L, c);
    lua_pushvalue(L, LLIM__VM_REQUEST);
    lua_pushvalue(L, LLIM__VM_CANDIDATES);
    lua_pushvalue(L, LLIM__VM_POOL);
    if (llim__budget_call(L, &vm->budget, &vm->hook, POOL, 0, 0) != LUA_OK)
        code = llim__fail(err, LLIM_ELUA, "the policy's %s hook failed: %s", name,
                          vm->budget.over       ? vm->budget.text
                          : lua_isstring(L, -1) ? lua_tostring(L, -1)
                                                : "it raised no text");
    vm->question = NULL;
    lua_settop(L, LLIM__VM_TOP);
    return code;
}

/* Calls the hook for one value, the only one that it leaves on the stack. */
static call *ask_about(lua_State *L)
{
    call *c = lua_touserdata(L, CALL);
    lua_pushvalue(L, HOOK);
    lua_pushvalue(L, REQUEST);
    llim__pool_push(L, c->vm, CANDIDATES, c->question->candidates[c->i].model);
    lua_call(L, 2, 1);
    lua_replace(L, 1);
    lua_settop(L, 1);
    return c;
}

/* The value at the index, counted from the bottom, for a message; pushes it. */
static const char *shown(lua_State *L, const call *c, int index)
{
    llim__vm_push_kernel(L, c->vm, "show");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    return lua_tostring(L, -1);
}

/* A word of the language is an empty table, too; scripts have no other table with a metatable of its own. */
static bool is_word(lua_State *L, int index)
{
    return lua_rawlen(L, index) == 0 && luaL_getmetafield(L, index, "__newindex") != LUA_TNIL;
}

static int estimate(lua_State *L)
{
    call *c = ask_about(L);
    llim_charge *charge = &c->question->candidates[c->i].charge, told = *charge;
    if (lua_isnil(L, 1)) return 0;
    if (!lua_istable(L, 1) || is_word(L, 1))
        return luaL_error(L, "estimate must return a table of amounts like { tokens = 1200 }, not %s", shown(L, c, 1));
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
        const int meter = llim__meter_of(name);
        if (meter < 0) return luaL_error(L, "estimate returned a field %s, which is no meter", name);
        const double amount = lua_tonumber(L, 3);
        if (lua_type(L, 3) != LUA_TNUMBER || !(amount >= 0 && amount <= LLIM_AMOUNT_MAX))
            return luaL_error(L, "estimate returned %s for %s, where a number from 0 to 2^40 - 1 is expected",
                              shown(L, c, 3), name);
        told.amount[meter] = (int64_t)ceil(amount);
    }
    *charge = told;
    return 0;
}

int llim__hook_estimate(llim__vm *vm, llim__question *question, uint32_t i, llim_error *err)
{
    call c = {.question = question, .i = i};
    return run(vm, LLIM__VM_ESTIMATE, "estimate", estimate, &c, err);
}

/* The limits of a scope as the engine takes them, made once of each list that the kernel makes. Pushes nothing. */
static void read_limits(lua_State *L, llim__vm *vm, llim__further *out)
{
    enum { LIST = -1 };
    if (lua_isnil(L, LIST)) return;
    out->n_limits = (uint32_t)lua_rawlen(L, LIST);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_LIMITS]);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_LIMITS]);
    }
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        llim_limit *limits = lua_newuserdatauv(L, LLIM_MAX_LIMITS * sizeof *limits, 0);
        for (uint32_t i = 0; i < out->n_limits && i < LLIM_MAX_LIMITS; i++) {
            lua_rawgeti(L, -3, (int)i + 1);
            limits[i] = llim__vm_read_limit(L);
            lua_pop(L, 1);
        }
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    out->limits = lua_touserdata(L, -1);
    lua_pop(L, 2);
}

static int scopes(lua_State *L)
{
    call *c = ask_about(L);
    llim__further *out = c->out;
    if (lua_isnil(L, 1)) return 0;
    llim__vm_push_kernel(L, c->vm, "scopes"); /* (set, value) -> a list of { name, limits } */
    llim__vm_push_set(L, c->vm);
    lua_pushvalue(L, 1);
    lua_remove(L, 1);
    lua_call(L, 2, 1);
    const size_t n = lua_rawlen(L, 1);
    if (n > c->cap)
        return luaL_error(L, "scopes returned %d scopes; a request is charged to at most %d, its own included", (int)n,
                          LLIM_MAX_ROWS - 1);
    for (size_t i = 0; i < n; i++) {
        out[i] = (llim__further){.name = NULL};
        lua_rawgeti(L, 1, (int)i + 1);
        lua_getfield(L, -1, "name");
        out[i].name = lua_tostring(L, -1);
        lua_getfield(L, -2, "limits");
        read_limits(L, c->vm, &out[i]);
        lua_pop(L, 3);
    }
    lua_pushvalue(L, 1); /* keeps the names */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &c->vm->keys[LLIM__KEY_SCOPES]);
    *c->n = (uint32_t)n;
    return 0;
}

int llim__hook_scopes(llim__vm *vm, llim__question *question, uint32_t i, llim__further *out, uint32_t cap, uint32_t *n,
                      llim_error *err)
{
    call c = {.question = question, .i = i, .out = out, .cap = cap, .n = n};
    *n = 0;
    return run(vm, LLIM__VM_FURTHER, "scopes", scopes, &c, err);
}

static int route(lua_State *L)
{
    call *c = lua_touserdata(L, CALL);
    const llim__question *q = c->question;
    uint32_t *order = c->out, n_order = 0;
    llim__pool_fill(L, c->vm, CANDIDATES, POOL);
    lua_pushvalue(L, HOOK);
    lua_pushvalue(L, REQUEST);
    lua_pushvalue(L, POOL);
    lua_call(L, 2, 1);
    lua_replace(L, 1);
    uint32_t model;
    if (llim__pool_model(L, 1, &model)) return luaL_error(L, "route must return a list of candidates, not a candidate");
    if (!lua_istable(L, 1) || is_word(L, 1))
        return luaL_error(L, "route must return a list of candidates, not %s", shown(L, c, 1));
    const size_t n = lua_rawlen(L, 1);
    size_t fields = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) fields++;
    if (fields != n)
        return luaL_error(L, "route must return a list of candidates, and what it returned has other fields");
    if (n > LONGEST_PLAN)
        return luaL_error(L, "route returned a list of %d elements; there are %d candidates", (int)n, (int)q->n);
    bool planned[LLIM__MOST_MODELS] = {false};
    for (size_t i = 1; i <= n && n_order < q->n; i++) {
        lua_rawgeti(L, 1, (int)i);
        if (!llim__pool_model(L, -1, &model))
            return luaL_error(L, "route returned a list whose element %d is no candidate, but %s", (int)i,
                              shown(L, c, lua_gettop(L)));
        uint32_t k = 0;
        while (k < q->n && q->candidates[k].model != model) k++;
        if (k == q->n) return luaL_error(L, "route returned a candidate that is not of its pool");
        if (!planned[k]) order[n_order++] = k; /* once is enough */
        planned[k] = true;
        lua_pop(L, 1);
    }
    *c->n = n_order;
    return 0;
}

int llim__hook_route(llim__vm *vm, llim__question *question, uint32_t *order, uint32_t *n_order, llim_error *err)
{
    call c = {.question = question, .out = order, .n = n_order};
    *n_order = 0;
    return run(vm, LLIM__VM_ROUTE, "route", route, &c, err);
}

static void set_string(lua_State *L, const char *field, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

/* What the hook sees of the answer: names for everything, nothing for what is not told. */
static void push_outcome(lua_State *L, llim__question *q, const llim__outcome *o)
{
    const llim_answer *a = o->answer;
    lua_createtable(L, 0, 10);
    set_string(L, "kind", llim_kind_name(a->kind));
    if (a->meter != LLIM_UNKNOWN) set_string(L, "dimension", llim_meter_name(a->meter));
    if (a->unit != LLIM_NO_UNIT) set_string(L, "unit", llim__unit_name(a->unit));
    if (a->scope != LLIM_SCOPE_UNKNOWN) set_string(L, "scope", llim_scope_kind_name(a->scope));
    if (a->family[0]) set_string(L, "family", a->family);
    if (a->retry_after_ns != LLIM_UNKNOWN) set_number(L, "retry_after", (double)a->retry_after_ns / LLIM_SECOND);
    set_number(L, "status", o->status);
    set_number(L, "random", llim__question_random(q));
    if (o->live) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "live");
    }
    lua_createtable(L, 0, LLIM_METERS);
    for (int meter = 0; meter < LLIM_METERS; meter++)
        if (a->facts.charge.amount[meter] != LLIM_UNKNOWN)
            set_number(L, llim_meter_name(meter), (double)a->facts.charge.amount[meter]);
    lua_setfield(L, -2, "usage");
}

static int32_t scope_of(lua_State *L, const char *name)
{
    for (int32_t kind = LLIM_SCOPE_MODEL; name && kind <= LLIM_SCOPE_CREDENTIAL; kind++)
        if (strcmp(llim_scope_kind_name(kind), name) == 0) return kind;
    return luaL_error(L, "an action's scope is model, family or credential");
}

/* The action on top of the stack, which the kernel has checked. */
static llim__action read_action(lua_State *L)
{
    llim__action action = {.until = false};
    lua_getfield(L, -1, "model");
    if (!llim__pool_model(L, -1, &action.model)) luaL_error(L, "cool() takes the model that the answer is about");
    lua_getfield(L, -2, "scope");
    action.scope = scope_of(L, lua_tostring(L, -1));
    lua_getfield(L, -3, "until");
    action.until = lua_type(L, -1) == LUA_TNUMBER;
    if (!action.until) lua_getfield(L, -4, "seconds");
    action.ns = (int64_t)(lua_tonumber(L, -1) * LLIM_SECOND);
    lua_pop(L, action.until ? 3 : 4);
    return action;
}

static int result(lua_State *L)
{
    call *c = lua_touserdata(L, CALL);
    llim__action *out = c->out;
    const uint32_t model = c->question->candidates[0].model;
    llim__vm_push_kernel(L, c->vm, "actions"); /* (set, value, m) -> a list of { model, scope, seconds or until } */
    llim__vm_push_set(L, c->vm);
    lua_pushvalue(L, HOOK);
    lua_pushvalue(L, REQUEST);
    llim__pool_push(L, c->vm, CANDIDATES, model);
    push_outcome(L, c->question, c->outcome);
    lua_call(L, 3, 1);
    llim__pool_push(L, c->vm, CANDIDATES, model);
    lua_call(L, 3, 1);
    lua_replace(L, 1);
    const size_t n = lua_rawlen(L, 1);
    if (n > c->cap) return luaL_error(L, "result returned %d actions, at most %d are possible", (int)n, (int)c->cap);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        out[i] = read_action(L);
        lua_pop(L, 1);
    }
    *c->n = (uint32_t)n;
    return 0;
}

int llim__hook_result(llim__vm *vm, llim__question *question, const llim__outcome *outcome, bool builtin,
                      llim__action *out, uint32_t *n, llim_error *err)
{
    call c = {.question = question, .out = out, .cap = LLIM__MOST_ACTIONS, .n = n, .outcome = outcome};
    *n = 0;
    return run(vm, builtin ? LLIM__VM_RULES : LLIM__VM_RESULT, "result", result, &c, err);
}
