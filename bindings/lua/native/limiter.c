/* limiter.c - opening and closing a limiter in a Lua host's state, and what can be told of it. */
#include <inttypes.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "native.h"

llim__native_limiter *llim__native_check(lua_State *L)
{
    llim__native_limiter *limiter = llim__native_userdata(L, 1, LLIM__NATIVE_LIMITER);
    if (!limiter->limiter) llim__native_raise(L, "this limiter is closed");
    limiter->caller = L;
    return limiter;
}

llim__native_limiter *llim__native_check_idle(lua_State *L)
{
    llim__native_limiter *limiter = llim__native_check(L);
    if (limiter->inside) llim__native_raise(L, "this limiter is at work; a finalizer must leave it alone");
    return limiter;
}

static const char *string_field(lua_State *L, int table, const char *field)
{
    lua_getfield(L, table, field);
    const char *value = lua_isnil(L, -1) ? NULL : llim__native_string(L, -1, "the options", field);
    lua_pop(L, 1); /* the table holds it */
    return value;
}

static double number_field(lua_State *L, int table, const char *field)
{
    lua_getfield(L, table, field);
    const double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static int64_t nanoseconds(double seconds)
{
    return (int64_t)llround(seconds * LLIM_SECOND);
}

llim_options llim__native_options(lua_State *L, int index)
{
    static const char *const modalities[] = {"text", "image", "audio", "live"};
    llim_options o = {.size = sizeof o,
                      .tier = string_field(L, index, "tier"),
                      .quotas = string_field(L, index, "quotas"),
                      .overrides = string_field(L, index, "overrides"),
                      .overrides_text = string_field(L, index, "overrides_text"),
                      .policy = string_field(L, index, "policy"),
                      .account = string_field(L, index, "account"),
                      .guard_ns = nanoseconds(number_field(L, index, "guard")),
                      .seed = (uint64_t)number_field(L, index, "seed"),
                      .scopes = (uint32_t)number_field(L, index, "scopes"),
                      .zone = {.size = sizeof o.zone,
                               .clock = LLIM_CLOCK_REAL,
                               .rows = (uint32_t)number_field(L, index, "rows"),
                               .sliding = (uint32_t)number_field(L, index, "sliding"),
                               .leases = (uint32_t)number_field(L, index, "leases"),
                               .notes = (uint32_t)number_field(L, index, "notes"),
                               .path = string_field(L, index, "path"),
                               .name = string_field(L, index, "name"),
                               .mode = (uint32_t)number_field(L, index, "mode"),
                               .sync_ns = nanoseconds(number_field(L, index, "sync"))}};
    const char *modality = string_field(L, index, "modality"), *clock = string_field(L, index, "clock");
    for (int32_t i = LLIM_TEXT; i <= LLIM_LIVE; i++)
        if (strcmp(modality, modalities[i]) == 0) o.modality = i;
    lua_getfield(L, index, "guard");
    if (lua_type(L, -1) == LUA_TNUMBER && o.guard_ns == 0) o.guard_ns = LLIM_NO_GUARD;
    lua_pop(L, 1);
    if (clock && strcmp(clock, "virtual") == 0) o.zone.clock = LLIM_CLOCK_VIRTUAL;
    o.zone.start_wall_ns = nanoseconds(number_field(L, index, "start"));
    return o;
}

/* (options) -> limiter | nil, error */
int llim__native_open(lua_State *L)
{
    llim_error err;
    err.code = LLIM_OK;
    lua_settop(L, 1);
    llim_options o = llim__native_options(L, 1);
    llim__native_limiter *limiter = lua_newuserdatauv(L, sizeof *limiter, 0);
    memset(limiter, 0, sizeof *limiter);
    llim__native_set_kind(L, LLIM__NATIVE_LIMITER);
    limiter->caller = L;
    limiter->host = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &limiter->key);
    lua_getfield(L, 1, "log");
    if (lua_isfunction(L, -1)) {
        o.log = llim__native_log;
        o.log_ctx = limiter;
        llim__native_set_log(L, limiter);
    } else {
        lua_pop(L, 1);
    }
    const int code = llim__limiter_open(&o, NULL, limiter->host, &limiter->limiter, &err);
    if (!code) return 1;
    llim__native_close(L);
    return llim__native_refuse(L, code, NULL, &err, NULL);
}

/* The limiter on top of the stack, or at 1 as its finalizer's argument; a second time it does nothing. */
int llim__native_close(lua_State *L)
{
    llim__native_limiter *limiter = llim__native_userdata(L, -1, LLIM__NATIVE_LIMITER);
    if (limiter->inside) return llim__native_raise(L, "this limiter is at work; a finalizer must leave it alone");
    llim__native_end_waiters(limiter);
    llim_close(limiter->limiter);
    limiter->limiter = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &limiter->key);
    if (lua_isnil(L, -1)) return 0;
    lua_pushnil(L); /* in the place of what is there, which takes no memory */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &limiter->key);
    return 0;
}

/* (limiter, options | nil) -> generation | nil, error */
int llim__native_reload(lua_State *L)
{
    llim_error err;
    uint32_t generation;
    err.code = LLIM_OK;
    lua_settop(L, 2);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    llim_options o;
    if (!lua_isnil(L, 2)) o = llim__native_options(L, 2);
    limiter->inside = true;
    const int code = llim_reload(limiter->limiter, lua_isnil(L, 2) ? NULL : &o, &generation, &err);
    limiter->inside = false;
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_pushinteger(L, (lua_Integer)generation);
    return 1;
}

static void set_count(lua_State *L, const char *field, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

void llim__native_set_error(lua_State *L, const char *field, const llim_error *err)
{
    if (!err->code) return;
    lua_createtable(L, 0, 5);
    lua_pushstring(L, llim_code_name(err->code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, err->file);
    lua_setfield(L, -2, "file");
    lua_pushstring(L, err->field);
    lua_setfield(L, -2, "field");
    set_count(L, "line", (uint64_t)err->line);
    lua_setfield(L, -2, field);
}

/* (limiter) -> what is in force, and what has gone wrong */
int llim__native_status(lua_State *L)
{
    llim_status s = {.size = sizeof s};
    char hash[17];
    llim_get_status(llim__native_check_idle(L)->limiter, &s);
    lua_createtable(L, 0, 9);
    set_count(L, "generation", s.generation);
    snprintf(hash, sizeof hash, "%016" PRIx64, s.hash);
    lua_pushstring(L, hash);
    lua_setfield(L, -2, "hash");
    set_count(L, "faults", s.faults);
    set_count(L, "reloads", s.reloads);
    set_count(L, "failed_reloads", s.failed_reloads);
    set_count(L, "conflicts", s.conflicts);
    set_count(L, "zone_generation", s.zone_generation);
    llim__native_set_error(L, "fault", &s.fault);
    llim__native_set_error(L, "reload_fault", &s.reload_fault);
    return 1;
}

int llim__native_find_row(llim__native_limiter *limiter, const char *name, llim_row *row, llim_error *err)
{
    llim_model_info info;
    limiter->inside = true;
    const int code = llim_model(limiter->limiter, name, &info, err);
    limiter->inside = false;
    if (!code) *row = info.row;
    if (code != LLIM_EUNKNOWN_MODEL) return code;
    return llim_row_find(llim_limiter_zone(limiter->limiter), name, strlen(name), row) ? code : LLIM_OK;
}

/* (limiter, name of a model or scope) -> its limits with their use | nil, error */
int llim__native_usage(lua_State *L)
{
    llim_error err;
    llim_row row;
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n = 0;
    int64_t left = 0;
    llim__native_limiter *limiter = llim__native_check_idle(L);
    llim_zone *zone = llim_limiter_zone(limiter->limiter);
    err.code = LLIM_OK;
    int code = llim__native_find_row(limiter, llim__native_string(L, 2, "limiter:usage(name)", "name"), &row, &err);
    if (!code) code = llim_row_usage(zone, row, usage, LLIM_MAX_LIMITS, &n);
    if (!code) code = llim_cooling(zone, row, &left);
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_createtable(L, (int)n, 1);
    lua_pushnumber(L, (double)left / LLIM_SECOND);
    lua_setfield(L, -2, "cooling");
    for (uint32_t i = 0; i < n; i++) {
        const llim_limit *limit = &usage[i].limit;
        lua_createtable(L, 0, 7);
        lua_pushstring(L, llim_meter_name(limit->meter));
        lua_setfield(L, -2, "meter");
        lua_pushstring(L, llim_law_name(limit->law));
        lua_setfield(L, -2, "law");
        if (limit->law == LLIM_CALENDAR) {
            lua_pushstring(L, llim__unit_name(limit->unit));
            lua_setfield(L, -2, "unit");
            lua_pushstring(L, limit->zone);
            lua_setfield(L, -2, "zone");
        } else {
            lua_pushnumber(L, (double)limit->window_ns / LLIM_SECOND);
            lua_setfield(L, -2, "window");
        }
        set_count(L, "limit", (uint64_t)limit->amount);
        set_count(L, "used", (uint64_t)usage[i].used);
        lua_pushnumber(L, (double)usage[i].reset_ns / LLIM_SECOND);
        lua_setfield(L, -2, "reset");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* (limiter) -> the steady and the wall clock, seconds */
int llim__native_now(lua_State *L)
{
    int64_t steady, wall;
    llim_zone_now(llim_limiter_zone(llim__native_check(L)->limiter), &steady, &wall);
    lua_pushnumber(L, (double)steady / LLIM_SECOND);
    lua_pushnumber(L, (double)wall / LLIM_SECOND);
    return 2;
}

/* (limiter, seconds to go forward, seconds to set the wall clock by beyond that) -> true | nil, what is wrong */
int llim__native_set_clock(lua_State *L)
{
    int64_t steady, wall;
    llim_zone *zone = llim_limiter_zone(llim__native_check_idle(L)->limiter);
    const int64_t forward = (int64_t)ceil(luaL_checknumber(L, 2) * LLIM_SECOND);
    llim_zone_now(zone, &steady, &wall);
    const int code = llim_zone_set_clock(zone, steady + forward, wall + forward + nanoseconds(luaL_checknumber(L, 3)));
    lua_pushboolean(L, code == LLIM_OK);
    lua_pushstring(L, code == LLIM_EINVAL ? "its clock is real; clock = \"virtual\" makes one that can be set"
                                          : "the virtual clock reaches nine years, and from 1970 to 2199");
    return 2;
}

/* (limiter) -> the names of its models */
int llim__native_models(lua_State *L)
{
    llim_model_info info;
    llim_limiter *limiter = llim__native_check_idle(L)->limiter;
    lua_createtable(L, 16, 0);
    for (uint32_t i = 0; llim_model_at(limiter, i, &info) == LLIM_OK; i++) {
        lua_pushstring(L, info.name);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}
