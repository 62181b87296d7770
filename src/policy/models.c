/*
 * models.c - what the kernel made of the tables, as C reads it.
 */
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "policy/vm_state.h"

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

const char *llim__unit_name(int unit)
{
    static const char *const names[] = {"", "minute", "hour", "day", "week", "month"};
    return names[unit];
}

/* The limit on top of the stack, which the kernel has checked. */
llim_limit llim__vm_read_limit(lua_State *L)
{
    llim_limit limit = {.meter = find_name(llim_meter_name, LLIM_METERS, string_field(L, "meter")),
                        .law = find_name(llim_law_name, LLIM_GAUGE + 1, string_field(L, "law")),
                        .amount = (int64_t)number_field(L, "amount"),
                        .guard_ns = nanoseconds(number_field(L, "guard"))};
    const char *charged = string_field(L, "charged"), *zone = string_field(L, "zone");
    limit.charged = charged && strcmp(charged, "reserved") == 0 ? LLIM_CHARGED_RESERVED : LLIM_CHARGED_USED;
    if (limit.law == LLIM_CALENDAR) {
        limit.unit = find_name(llim__unit_name, LLIM_PER_MONTH + 1, string_field(L, "unit"));
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
    lua_rawgeti(L, 1, (int)e->index + 1);
    out->name = string_field(L, "name");
    out->provider = string_field(L, "provider");
    out->scope = string_field(L, "scope");
    lua_getfield(L, -1, "blocked");
    out->blocked = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, -1, "price");
    if (lua_istable(L, -1))
        out->price = (llim__price){.input = number_field(L, "input"),
                                   .output = number_field(L, "output"),
                                   .request = number_field(L, "request") * 1e6,
                                   .image = number_field(L, "image") * 1e6};
    lua_pop(L, 1);
    lua_getfield(L, -1, "limits");
    e->n_limits = (uint32_t)lua_rawlen(L, -1);
    while (out->n_limits < e->n_limits && out->n_limits < LLIM_MAX_LIMITS) {
        lua_rawgeti(L, -1, (int)out->n_limits + 1);
        out->limit[out->n_limits++] = llim__vm_read_limit(L);
        lua_pop(L, 1);
    }
    return 0;
}

static int read_entry(llim__vm *vm, int list, uint32_t i, llim__model *out, llim_error *err)
{
    memset(out, 0, sizeof *out);
    entry e = {i, 0, out};
    int code = llim__vm_protect(vm->L, push_entry, list, &e, err);
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
