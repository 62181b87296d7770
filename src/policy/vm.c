/*
 * vm.c - makes a VM and reads the kernel's answer. See vm.h.
 *
 * The kernel gets the standard libraries; a quota table or policy gets only the environment that the kernel makes for it, is
 * compiled from text, never from bytecode, and runs within bounds.
 */
#include "policy/vm_state.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/timezone.h"
#include "policy/builtin.h"
#include "policy/json.h"

/* In a process that already runs LuaJIT our undefined lua_* symbols are bound to its, and the first call would crash. */
static bool foreign_lua(void)
{
    void *own = dlopen("liblua5.4.so.0", RTLD_LAZY | RTLD_NOLOAD);
    if (!own) return dlsym(RTLD_DEFAULT, "luaJIT_setmode") != NULL;
    bool foreign = dlsym(own, "lua_newstate") != dlsym(RTLD_DEFAULT, "lua_newstate");
    dlclose(own);
    return foreign;
}

/* compile(text, chunkname, env) -> function | nil, message */
static int compile(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    if (luaL_loadbufferx(L, text, size, luaL_checkstring(L, 2), "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    return 1;
}

/* call(chunk, vm's bounds) -> true, value | false, message */
static int call_chunk(lua_State *L)
{
    llim__vm *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    int status = llim__budget_call(L, &vm->budget, &vm->load, 0, 1);
    lua_pushboolean(L, status == LUA_OK);
    if (vm->budget.over)
        lua_pushstring(L, vm->budget.text);
    else
        lua_pushvalue(L, -2);
    return 2;
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

/* require finds the kernel's modules among what the library carries, and nothing else. */
static void preload(lua_State *L)
{
    static const char prefix[] = "bindings/lua/";
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const llim__builtin *b = llim__builtins; b->path; b++) {
        if (strncmp(b->path, prefix, sizeof prefix - 1) != 0) continue;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(strlen(b->path) - (sizeof prefix - 1) - 4),
                 b->path + sizeof prefix - 1);
        for (char *p = name; *p; p++)
            if (*p == '/') *p = '.';
        if (luaL_loadbufferx(L, b->text, b->size, name, "t") != LUA_OK) lua_error(L);
        lua_setfield(L, -2, name);
    }
    lua_pop(L, 1);
}

/* ("x"):rep(n) is string.rep of the allow-listed ones, for every script from now on. */
static void strip_strings(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "llm_limiters.safe");
    lua_call(L, 1, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -3, "string");
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 3);
}

static const char set_key; /* the registry holds the set under its address */

/* Runs under pcall with the options and the VM as light userdata; leaves what the VM keeps on its stack, or kernel, nil and err. */
static int load_set(lua_State *L)
{
    const llim__vm_options *o = lua_touserdata(L, 1);
    llim__vm *vm = lua_touserdata(L, 2);
    luaL_openlibs(L);
    preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "llm_limiters.kernel");
    lua_call(L, 1, 1);
    strip_strings(L);
    lua_getfield(L, -1, "load");
    lua_createtable(L, 0, 11);
    lua_pushstring(L, o->modality);
    lua_setfield(L, -2, "modality");
    lua_pushstring(L, o->tier);
    lua_setfield(L, -2, "tier");
    lua_pushstring(L, o->account);
    lua_setfield(L, -2, "account");
    lua_pushnumber(L, (double)o->guard_ns / LLIM_SECOND);
    lua_setfield(L, -2, "guard");
    lua_pushcfunction(L, compile);
    lua_setfield(L, -2, "compile");
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, call_chunk, 1);
    lua_setfield(L, -2, "call");
    lua_pushcfunction(L, llim__json_read);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, zone_error);
    lua_setfield(L, -2, "zone_error");
    lua_createtable(L, (int)o->sources->n_quotas, 0);
    for (uint32_t i = 0; i < o->sources->n_quotas; i++) {
        push_source(L, &o->sources->quotas[i]);
        lua_rawseti(L, -2, i + 1);
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
    lua_rawsetp(L, LUA_REGISTRYINDEX, &set_key);
    lua_getfield(L, -1, "models");
    lua_getfield(L, -2, "scopes");
    lua_getfield(L, -3, "policy");
    lua_getfield(L, -1, "route");
    lua_remove(L, -2);
    return LLIM__VM_TOP; /* as vm_state.h numbers them */
}

/* Whatever may allocate runs under pcall: without memory an unprotected call would end the process. */
static int protect(lua_State *L, lua_CFunction function, int value, void *data, llim_error *err)
{
    lua_pushcfunction(L, function);
    lua_pushvalue(L, value < 0 ? value - 1 : value);
    lua_pushlightuserdata(L, data);
    int status = lua_pcall(L, 2, 0, 0);
    if (status == LUA_OK) return LLIM_OK;
    return status == LUA_ERRMEM ? llim__fail(err, LLIM_ENOMEM, "no memory for Lua")
                                : llim__fail(err, LLIM_ELUA, "the Lua kernel failed: %s",
                                             lua_isstring(L, -1) ? lua_tostring(L, -1) : "it raised no text");
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
        const char *why = luaL_tolstring(L, 1, NULL); /* the kernel may have caught it, as a string */
        f->code = llim__fail(err, strcmp(why, "not enough memory") == 0 ? LLIM_ENOMEM : LLIM_ELUA,
                             "the Lua kernel failed: %s", why);
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
    int code = protect(L, read_fault, -1, &f, err);
    return code ? code : f.code;
}

int llim__vm_open(const llim__vm_options *o, llim__vm **out, llim_error *err)
{
    *out = NULL;
    if (foreign_lua())
        return llim__fail(err, LLIM_ELUA,
                          "another Lua answers under this process's lua_newstate; use the Lua rock there, or the core "
                          "library, which has no Lua inside");
    llim__vm *vm = o->alloc(o->alloc_ctx, NULL, 0, sizeof *vm);
    if (vm)
        *vm = (llim__vm){.budget = {.alloc = o->alloc, .alloc_ctx = o->alloc_ctx}, .load = o->load, .hook = o->hook};
    lua_State *L = vm ? lua_newstate(llim__budget_alloc, &vm->budget) : NULL;
    if (!L) {
        if (vm) o->alloc(o->alloc_ctx, vm, sizeof *vm, 0);
        return llim__fail(err, LLIM_ENOMEM, "no memory for a Lua state");
    }
    vm->L = L;
    lua_pushcfunction(L, load_set);
    lua_pushlightuserdata(L, (void *)(uintptr_t)o);
    lua_pushlightuserdata(L, vm);
    int code = LLIM_OK;
    int status = lua_pcall(L, 2, LUA_MULTRET, 0);
    if (status == LUA_ERRMEM)
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
    *out = vm;
    return LLIM_OK;
}

void llim__vm_close(llim__vm *vm)
{
    if (!vm) return;
    lua_close(vm->L);
    vm->budget.alloc(vm->budget.alloc_ctx, vm, sizeof *vm, 0);
}

bool llim__vm_is_spent(const llim__vm *vm)
{
    return vm->budget.over;
}

static int find_name(const char *(*name_of)(int), int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (name && strcmp(name_of(i), name) == 0) return i;
    return -1;
}

static const char *string_field(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    const char *value = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1); /* the table still holds it */
    return value;
}

static double number_field(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static int64_t nanoseconds(double seconds)
{
    return (int64_t)(seconds * LLIM_SECOND + 0.5);
}

static const char *unit_name(int unit)
{
    static const char *const names[] = {"", "minute", "hour", "day", "week", "month"};
    return names[unit];
}

/* The limit on top of the stack, which the kernel has checked. */
static llim_limit read_limit(lua_State *L)
{
    llim_limit limit = {.meter = find_name(llim_meter_name, LLIM_METERS, string_field(L, "meter")),
                        .law = find_name(llim_law_name, LLIM_GAUGE + 1, string_field(L, "law")),
                        .amount = (int64_t)number_field(L, "amount"),
                        .guard_ns = nanoseconds(number_field(L, "guard"))};
    const char *charged = string_field(L, "charged"), *zone = string_field(L, "zone");
    limit.charged = charged && strcmp(charged, "reserved") == 0 ? LLIM_CHARGED_RESERVED : LLIM_CHARGED_USED;
    if (limit.law == LLIM_CALENDAR) {
        limit.unit = find_name(unit_name, LLIM_PER_MONTH + 1, string_field(L, "unit"));
        snprintf(limit.zone, sizeof limit.zone, "%s", zone ? zone : "");
    } else {
        limit.window_ns = nanoseconds(number_field(L, "window"));
    }
    return limit;
}

typedef struct entry {
    uint32_t index;
    uint32_t n_limits; /* that it has; those that are too many are not read */
    llim__model *out;
} entry;

/* (list, entry) */
static int push_entry(lua_State *L)
{
    entry *e = lua_touserdata(L, 2);
    llim__model *out = e->out;
    lua_rawgeti(L, 1, e->index + 1);
    out->name = string_field(L, "name");
    out->provider = string_field(L, "provider");
    out->scope = string_field(L, "scope");
    lua_getfield(L, -1, "blocked");
    out->blocked = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, -1, "limits");
    e->n_limits = (uint32_t)lua_rawlen(L, -1);
    while (out->n_limits < e->n_limits && out->n_limits < LLIM_MAX_LIMITS) {
        lua_rawgeti(L, -1, out->n_limits + 1);
        out->limit[out->n_limits++] = read_limit(L);
        lua_pop(L, 1);
    }
    return 0;
}

static int read_entry(llim__vm *vm, int list, uint32_t i, llim__model *out, llim_error *err)
{
    memset(out, 0, sizeof *out);
    entry e = {i, 0, out};
    int code = protect(vm->L, push_entry, list, &e, err);
    lua_settop(vm->L, LLIM__VM_TOP);
    if (!code && e.n_limits > LLIM_MAX_LIMITS)
        code = llim__fail(err, LLIM_ECONFIG, "%s has %u limits, at most %d are possible", out->name, e.n_limits,
                          LLIM_MAX_LIMITS);
    return code;
}

uint32_t llim__vm_models(llim__vm *vm)
{
    return (uint32_t)lua_rawlen(vm->L, LLIM__VM_MODELS);
}

int llim__vm_model(llim__vm *vm, uint32_t i, llim__model *out, llim_error *err)
{
    return read_entry(vm, LLIM__VM_MODELS, i, out, err);
}

uint32_t llim__vm_scopes(llim__vm *vm)
{
    return (uint32_t)lua_rawlen(vm->L, LLIM__VM_SCOPES);
}

int llim__vm_scope(llim__vm *vm, uint32_t i, llim__model *out, llim_error *err)
{
    return read_entry(vm, LLIM__VM_SCOPES, i, out, err);
}

typedef struct question {
    const char *function, *name;
    const char *answer; /* or NULL; the set holds it */
} question;

/* (kernel, question): asks a kernel function of (set, name) that returns a name or nil. */
static int ask(lua_State *L)
{
    question *q = lua_touserdata(L, 2);
    lua_getfield(L, 1, q->function);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &set_key);
    lua_pushstring(L, q->name);
    lua_call(L, 2, 1);
    if (lua_type(L, -1) == LUA_TSTRING) q->answer = lua_tostring(L, -1);
    return 0;
}

static int ask_name(llim__vm *vm, const char *function, const char *name, const char **answer, llim_error *err)
{
    question q = {function, name, NULL};
    int code = protect(vm->L, ask, LLIM__VM_KERNEL, &q, err);
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

bool llim__vm_has_route(llim__vm *vm)
{
    return lua_isfunction(vm->L, LLIM__VM_ROUTE);
}
