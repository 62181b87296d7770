/*
 * vm.c - loads a set into a VM and reads the kernel's answer. See vm.h.
 *
 * The kernel gets the standard libraries; a quota table or policy gets only the environment that the kernel makes for it: script.c.
 */
#include "policy/vm_state.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/timezone.h"
#include "policy/json.h"
#include "policy/locale.h"
#include "policy/pool.h"
#include "policy/state.h"

/* local_time(instant, zone) -> { year, month, day, hour, minute, weekday } | nil, what is wrong */
static int local_time(lua_State *L)
{
    llim__timezone *zone;
    llim_error err;
    const double instant = floor(luaL_checknumber(L, 1));
    if (!(fabs(instant) < 1e11)) {
        lua_pushnil(L);
        lua_pushliteral(L, "an instant is a number of seconds since 1970");
        return 2;
    }
    if (llim__timezone_load(luaL_checkstring(L, 2), &zone, &err)) {
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    const time_t local = (time_t)instant + (time_t)llim__timezone_offset(zone, (int64_t)instant).offset_s;
    llim__timezone_free(zone);
    struct tm tm;
    gmtime_r(&local, &tm);
    const struct {
        const char *name;
        int value;
    } fields[] = {{"year", tm.tm_year + 1900}, {"month", tm.tm_mon + 1}, {"day", tm.tm_mday},
                  {"hour", tm.tm_hour},        {"minute", tm.tm_min},    {"weekday", (tm.tm_wday + 6) % 7 + 1}};
    lua_createtable(L, 0, 6);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushinteger(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}

/* zone_error(name) -> nil | what is wrong with it */
static int zone_error(lua_State *L)
{
    llim__timezone *zone;
    llim_error err;
    if (llim__timezone_load(luaL_checkstring(L, 1), &zone, &err)) {
        lua_pushstring(L, err.message);
        return 1;
    }
    llim__timezone_free(zone);
    return 0;
}

static void push_source(lua_State *L, const llim__source *source)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, source->path);
    lua_setfield(L, -2, "file");
    lua_pushlstring(L, source->text, source->size);
    lua_setfield(L, -2, "text");
}

void llim__vm_push_kernel(lua_State *L, llim__vm *vm, const char *function)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_KERNEL]);
    lua_getfield(L, -1, function);
    lua_remove(L, -2);
}

void llim__vm_push_set(lua_State *L, llim__vm *vm)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_SET]);
}

void llim__vm_push_model(lua_State *L, llim__vm *vm, uint32_t model)
{
    llim__vm_push_set(L, vm);
    lua_getfield(L, -1, "models");
    lua_rawgeti(L, -1, (int)model + 1);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Runs under pcall with the options and the VM as light userdata; leaves what the VM keeps on its stack, or kernel, nil and err. */
static int load_set(lua_State *L)
{
    const llim__vm_options *o = lua_touserdata(L, 1);
    llim__vm *vm = lua_touserdata(L, 2);
    llim__state_push_kernel(L);
    lua_getfield(L, -1, "load");
    lua_createtable(L, 0, 12);
    lua_pushstring(L, o->modality);
    lua_setfield(L, -2, "modality");
    lua_pushstring(L, o->tier);
    lua_setfield(L, -2, "tier");
    lua_pushstring(L, o->account);
    lua_setfield(L, -2, "account");
    lua_pushnumber(L, (double)o->guard_ns / LLIM_SECOND);
    lua_setfield(L, -2, "guard");
    llim__vm_set_script(L, vm);
    lua_pushcfunction(L, llim__json_read);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, zone_error);
    lua_setfield(L, -2, "zone_error");
    lua_pushcfunction(L, local_time);
    lua_setfield(L, -2, "local_time");
    lua_createtable(L, (int)o->sources->n_quotas, 0);
    for (uint32_t i = 0; i < o->sources->n_quotas; i++) {
        push_source(L, &o->sources->quotas[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "quotas");
    push_source(L, &o->sources->policy);
    lua_setfield(L, -2, "policy");
    if (o->sources->overrides.path) {
        push_source(L, &o->sources->overrides);
        lua_setfield(L, -2, "overrides");
    }
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2)) return 3; /* kernel, nil, err */
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_SET]);
    lua_getfield(L, -1, "models");
    lua_getfield(L, -2, "scopes");
    lua_getfield(L, -3, "policy");
    static const char *const hooks[] = {"estimate", "scopes", "route", "result", "test"};
    for (int i = 0; i < 5; i++) {
        lua_getfield(L, -1 - i, hooks[i]);
        if (!lua_isnil(L, -1)) vm->hooks |= 1u << i;
    }
    if (lua_isnil(L, -2)) {
        lua_getfield(L, 3, "default_result");
        lua_replace(L, -3);
    }
    lua_remove(L, -6);
    lua_getfield(L, 3, "default_result");
    lua_pushvalue(L, 3);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_KERNEL]);
    llim__pool_open(L, vm);
    return LLIM__VM_TOP; /* as vm_state.h numbers them */
}

/* Whatever may allocate runs under pcall: without memory an unprotected call would end the process. */
int llim__vm_protect(lua_State *L, lua_CFunction function, int value, void *data, llim_error *err)
{
    lua_pushcfunction(L, function);
    lua_pushvalue(L, value < 0 ? value - 1 : value);
    lua_pushlightuserdata(L, data);
    const locale_t before = llim__locale_enter();
    int status = lua_pcall(L, 2, 0, 0);
    llim__locale_leave(before);
    if (status == LUA_OK) return LLIM_OK;
    return status == LUA_ERRMEM ? llim__fail(err, LLIM_ENOMEM, "no memory for Lua")
                                : llim__fail(err, LLIM_ELUA, "the Lua kernel failed: %s",
                                             lua_isstring(L, -1) ? lua_tostring(L, -1) : "it raised no text");
}

/* What Lua raises when it has none, and whoever catches and raises it again. */
static bool tells_no_memory(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), "not enough memory") == 0;
}

typedef struct fault {
    llim_error *err;
    int code;
} fault;

/* (the kernel's error table, fault) */
static int read_fault(lua_State *L)
{
    fault *f = lua_touserdata(L, 2);
    llim_error *err = f->err;
    lua_settop(L, 1);
    if (!lua_istable(L, 1)) {
        const char *why =
            lua_isstring(L, 1) ? lua_tostring(L, 1) : "it raised no text"; /* the kernel may have caught it */
        f->code = llim__fail(err, tells_no_memory(L, 1) ? LLIM_ENOMEM : LLIM_ELUA, "the Lua kernel failed: %s", why);
        return 0;
    }
    lua_getfield(L, 1, "code");
    lua_getfield(L, 1, "message");
    lua_getfield(L, 1, "file");
    lua_getfield(L, 1, "field");
    lua_getfield(L, 1, "line");
    const char *name = lua_tostring(L, 2);
    f->code = name && strcmp(name, "UNKNOWN_TIER") == 0 ? LLIM_EUNKNOWN_TIER : LLIM_ECONFIG;
    llim__fail(err, f->code, "%s", lua_isstring(L, 3) ? lua_tostring(L, 3) : "?");
    if (err) {
        snprintf(err->file, sizeof err->file, "%s", lua_isstring(L, 4) ? lua_tostring(L, 4) : "");
        snprintf(err->field, sizeof err->field, "%s", lua_isstring(L, 5) ? lua_tostring(L, 5) : "");
        err->line = (int32_t)lua_tointeger(L, 6);
    }
    return 0;
}

static int kernel_error(lua_State *L, llim_error *err)
{
    fault f = {err, LLIM_ELUA};
    int code = llim__vm_protect(L, read_fault, -1, &f, err);
    return code ? code : f.code;
}

static void end(llim__vm *vm)
{
    const llim__heap *heap = &vm->budget.heap;
    heap->alloc(heap->alloc_ctx, vm, sizeof *vm, 0);
}

int llim__vm_open(const llim__vm_options *o, llim__vm **out, llim_error *err)
{
    *out = NULL;
    llim__vm *vm = o->alloc(o->alloc_ctx, NULL, 0, sizeof *vm);
    if (!vm) return llim__fail(err, LLIM_ENOMEM, "no memory for a Lua state");
    *vm = (llim__vm){
        .budget = {.heap = {.alloc = o->alloc, .alloc_ctx = o->alloc_ctx}}, .load = o->load, .hook = o->hook};
    int code = llim__state_open(vm, o, err);
    if (code) {
        end(vm);
        return code;
    }
    lua_State *L = vm->L;
    lua_pushcfunction(L, load_set);
    lua_pushlightuserdata(L, (void *)(uintptr_t)o);
    lua_pushlightuserdata(L, vm);
    const locale_t before = llim__locale_enter();
    int status = lua_pcall(L, 2, LUA_MULTRET, 0);
    llim__locale_leave(before);
    if (status == LUA_ERRMEM || (status != LUA_OK && tells_no_memory(L, -1)))
        code = llim__fail(err, LLIM_ENOMEM, "no memory for the Lua kernel");
    else if (status != LUA_OK)
        code = llim__fail(err, LLIM_ELUA, "the Lua kernel failed: %s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    else if (lua_isnil(L, LLIM__VM_SET))
        code = kernel_error(L, err);
    if (code) {
        llim__vm_close(vm);
        return code;
    }
    lua_settop(L, LLIM__VM_TOP);
    llim__state_loaded(vm);
    *out = vm;
    return LLIM_OK;
}

void llim__vm_close(llim__vm *vm)
{
    if (!vm) return;
    llim__state_close(vm);
    end(vm);
}

bool llim__vm_is_spent(const llim__vm *vm)
{
    return vm->budget.over != 0;
}

int64_t llim__vm_load_ns(const llim__vm *vm)
{
    return vm->load_ns;
}

typedef struct lookup {
    llim__vm *vm;
    const char *function, *name;
    const char *answer; /* or NULL; the set holds it */
} lookup;

/* (kernel, lookup): asks a kernel function of (set, name) that returns a name or nil. */
static int ask(lua_State *L)
{
    lookup *q = lua_touserdata(L, 2);
    lua_getfield(L, 1, q->function);
    llim__vm_push_set(L, q->vm);
    lua_pushstring(L, q->name);
    lua_call(L, 2, 1);
    if (lua_type(L, -1) == LUA_TSTRING) q->answer = lua_tostring(L, -1);
    return 0;
}

static int ask_name(llim__vm *vm, const char *function, const char *name, const char **answer, llim_error *err)
{
    lookup q = {vm, function, name, NULL};
    int code = llim__vm_protect(vm->L, ask, LLIM__VM_KERNEL, &q, err);
    lua_settop(vm->L, LLIM__VM_TOP);
    *answer = q.answer;
    return code;
}

int llim__vm_resolve(llim__vm *vm, const char *name, const char **canonical, llim_error *err)
{
    return ask_name(vm, "resolve", name, canonical, err);
}

int llim__vm_nearest(llim__vm *vm, const char *name, const char **nearest, llim_error *err)
{
    return ask_name(vm, "nearest", name, nearest, err);
}

unsigned llim__vm_hooks(llim__vm *vm)
{
    return vm->hooks;
}
