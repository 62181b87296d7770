/*
 * trial.c - the test kit: what a policy's test gets as its argument.
 *
 *   test = function(t)
 *     local w = t { models = { a = { rpm = 1 }, b = { rpm = 2 } } }
 *     assert(w:acquire({ "a", "b" }, { tokens = 10 }) == "a")
 *     w:advance(60)
 *   end
 *
 * t makes a limiter of these models, with the policy's text and a virtual clock, and so real that the test tells the truth. Its VM
 * is one of its own. A hook that fails there fails the test, though outside the default would decide.
 */
#include "host/trial.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>

#include "host/answered.h"
#include "policy/budget.h"
#include "policy/lua_compat.h"

static const char world_name[] = "llm_limiters.trial";

/* 2024-06-03 12:00 UTC, a Monday: no calendar is near a boundary. */
#define START_WALL (1717416000 * (int64_t)LLIM_SECOND)

typedef struct world {
    llim_limiter *limiter;
    llim_permit permit; /* the last one that was admitted */
    uint64_t faults;
    int *code; /* of what went wrong in the limiter */
} world;

enum { MOST_WORLDS = 8 };

typedef struct kit {
    const llim__set *set;
    const llim_options *options;
    unsigned worlds;
} kit;

static world *check_world(lua_State *L)
{
    llim__budget_read(L, 0); /* what hooks of such a limiter take is the test's time, too */
    world *w = luaL_checkudata(L, 1, world_name);
    if (!w->limiter) luaL_error(L, "this limiter is not open");
    return w;
}

/* Ends a function of the kit: what the limiter says went wrong is the test's. */
static void check(lua_State *L, world *w, int code, const llim_error *err)
{
    llim_status status = {.size = sizeof status};
    if (code != LLIM_OK && code != LLIM_LATER && code != LLIM_NEVER) {
        *w->code = code;
        luaL_error(L, "%s", err && err->message[0] ? err->message : llim_code_name(code));
    }
    llim_get_status(w->limiter, &status);
    if (status.faults == w->faults) return;
    w->faults = status.faults;
    *w->code = status.fault.code;
    luaL_error(L, "%s", status.fault.message);
}

static int64_t check_amount(lua_State *L, const char *name)
{
    const double value = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(value >= 0 && value <= LLIM_AMOUNT_MAX))
        luaL_error(L, "%s must be a number from 0 to 2^40 - 1", name);
    return (int64_t)ceil(value);
}

/* The amounts by meter of the table at the index; the others are as in the charge. */
static void read_amounts(lua_State *L, int table, llim_charge *charge)
{
    for (int m = 0; m < LLIM_METERS; m++) {
        lua_getfield(L, table, llim_meter_name(m));
        if (!lua_isnil(L, -1)) charge->amount[m] = check_amount(L, llim_meter_name(m));
        lua_pop(L, 1);
    }
}

/* The request that is the table at 3, if any; names and values stay on the stack. */
static void read_request(lua_State *L, llim_request *r, llim_tag *tags)
{
    if (lua_isnoneornil(L, 3)) return;
    luaL_checktype(L, 3, LUA_TTABLE);
    read_amounts(L, 3, &r->charge);
    lua_getfield(L, 3, "max_output_tokens");
    if (!lua_isnil(L, -1)) r->max_output_tokens = check_amount(L, "max_output_tokens");
    lua_pop(L, 1);
    r->tags = tags;
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a request is a table of names");
        const char *name = lua_tostring(L, -2);
        if (llim__meter_of(name) >= 0 || strcmp(name, "max_output_tokens") == 0) continue;
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "the request's tag %s must be a string", name);
        if (r->n_tags == LLIM__MOST_TAGS) luaL_error(L, "a request has at most %d tags", LLIM__MOST_TAGS);
        tags[r->n_tags++] = (llim_tag){lua_tostring(L, -2), lua_tostring(L, -1)};
    }
}

/* w:acquire(models, req) -> name | nil, seconds until it fits */
static int acquire(lua_State *L)
{
    world *w = check_world(L);
    const char *models[LLIM__MOST_MODELS];
    llim_tag tags[LLIM__MOST_TAGS];
    llim_request request = {.size = sizeof request, .models = models};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    const size_t n = lua_rawlen(L, 2);
    luaL_argcheck(L, n >= 1 && n <= LLIM__MOST_MODELS, 2, "1 to 64 names are expected");
    luaL_checkstack(L, (int)n + LUA_MINSTACK, "names");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (int)i + 1); /* stays, so that the name does */
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a list of names is expected");
        models[request.n_models++] = lua_tostring(L, -1);
    }
    read_request(L, &request, tags);
    llim_refusal refusal;
    llim_error err;
    memset(&err, 0, sizeof err);
    const int code = llim_acquire(w->limiter, &request, &w->permit, &refusal, &err);
    check(L, w, code, &err);
    if (code == LLIM_OK) {
        lua_pushstring(L, models[w->permit.candidate]);
        return 1;
    }
    lua_pushnil(L);
    lua_pushnumber(L, code == LLIM_NEVER ? (double)INFINITY : (double)refusal.wait_ns / LLIM_SECOND);
    return 2;
}

/* w:settle { tokens = 7 } */
static int settle(lua_State *L)
{
    world *w = check_world(L);
    llim_charge facts = w->permit.charge;
    luaL_checktype(L, 2, LUA_TTABLE);
    read_amounts(L, 2, &facts);
    check(L, w, llim_settle(llim_limiter_zone(w->limiter), &w->permit, &facts), NULL);
    return 0;
}

static int cancel(lua_State *L)
{
    world *w = check_world(L);
    check(L, w, llim_cancel(llim_limiter_zone(w->limiter), &w->permit), NULL);
    return 0;
}

static int find(lua_State *L, const char *field, const char *(*name_of)(int), int n)
{
    lua_getfield(L, 2, field);
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    const bool is_nil = lua_isnil(L, -1);
    int i = 0;
    while (i < n && !(name && strcmp(name_of(i), name) == 0)) i++;
    if (!is_nil && i == n) luaL_error(L, "%s is not known as a %s", name ? name : luaL_typename(L, -1), field);
    lua_pop(L, 1);
    return is_nil ? -1 : i;
}

static void check_fields(lua_State *L)
{
    static const char *const fields[] = {"kind",        "dimension", "unit",   "scope",
                                         "retry_after", "family",    "status", "live"};
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool known = llim__meter_of(name) >= 0;
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) known |= strcmp(name, fields[i]) == 0;
        if (!known) luaL_error(L, "an answer has no field %s", name);
    }
}

/* w:answer { kind = "rate", retry_after = 5, dimension = "tokens", scope = "model", family =, status =, tokens = } */
static int answer(lua_State *L)
{
    world *w = check_world(L);
    llim_answer a;
    memset(&a, 0, sizeof a);
    luaL_checktype(L, 2, LUA_TTABLE);
    check_fields(L);
    a.kind = find(L, "kind", llim_kind_name, LLIM_ANSWER_ERROR + 1);
    if (a.kind < 0) luaL_error(L, "an answer has a kind");
    a.meter = find(L, "dimension", llim_meter_name, LLIM_METERS);
    const int scope = find(L, "scope", llim_scope_kind_name, LLIM_SCOPE_CREDENTIAL + 1);
    a.scope = scope < 0 ? LLIM_SCOPE_UNKNOWN : scope;
    a.law = a.charged = LLIM_UNKNOWN;
    a.retry_after_ns = a.ends_after_ns = LLIM_UNKNOWN;
    const int unit = find(L, "unit", llim__unit_name, LLIM_PER_MONTH + 1);
    a.unit = unit < 0 ? LLIM_NO_UNIT : unit;
    lua_getfield(L, 2, "retry_after");
    if (!lua_isnil(L, -1)) {
        const double wait = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(wait >= 0 && wait <= 34560000))
            luaL_error(L, "retry_after must be a number of seconds from 0 to 400 days");
        a.retry_after_ns = (int64_t)ceil(wait * LLIM_SECOND);
    }
    lua_getfield(L, 2, "family");
    if (lua_type(L, -1) == LUA_TSTRING) strncpy(a.family, lua_tostring(L, -1), sizeof a.family - 1);
    for (int m = 0; m < LLIM_METERS; m++) a.facts.charge.amount[m] = a.kind == LLIM_ANSWER_OK ? LLIM_UNKNOWN : 0;
    read_amounts(L, 2, &a.facts.charge);
    lua_getfield(L, 2, "status");
    lua_getfield(L, 2, "live");
    llim__outcome outcome = {
        .answer = &a, .status = (int32_t)lua_tointeger(L, -2), .live = lua_toboolean(L, -1), .random = -1};
    llim__thread *thread = llim__limiter_enter(w->limiter, NULL);
    const int code = !thread                 ? LLIM_ENOMEM
                     : w->permit.n_rows == 0 ? LLIM_EENDED
                                             : llim__answer(thread, &w->permit, &outcome);
    check(L, w, code, NULL);
    return 0;
}

/* w:advance(seconds) */
static int advance(lua_State *L)
{
    world *w = check_world(L);
    const double s = luaL_checknumber(L, 2);
    luaL_argcheck(L, s >= 0 && s <= 1e8, 2, "seconds from 0 to 1e8 are expected");
    int64_t steady, wall, ns = (int64_t)ceil(s * LLIM_SECOND);
    llim_zone_now(llim_limiter_zone(w->limiter), &steady, &wall);
    check(L, w, llim_zone_set_clock(llim_limiter_zone(w->limiter), steady + ns, wall + ns), NULL);
    return 0;
}

/* w:room(model, meter) -> the share that is left, as m:room(meter) */
static int room(lua_State *L)
{
    world *w = check_world(L);
    llim_model_info info;
    llim_error err;
    memset(&err, 0, sizeof err);
    check(L, w, llim_model(w->limiter, luaL_checkstring(L, 2), &info, &err), &err);
    const int meter = lua_isnoneornil(L, 3) ? LLIM_METERS : llim__meter_of(luaL_checkstring(L, 3));
    luaL_argcheck(L, meter >= 0, 3, "the name of a meter is expected");
    lua_pushnumber(L, info.blocked ? 0 : llim__room(llim_limiter_zone(w->limiter), &info.row, 1, meter));
    return 1;
}

static int close_world(lua_State *L)
{
    world *w = luaL_checkudata(L, 1, world_name);
    llim_close(w->limiter);
    w->limiter = NULL;
    return 0;
}

/* t { models = ... } */
static int make_world(lua_State *L)
{
    kit *k = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    llim__budget_strings(L, true);
    const int status = lua_pcall(L, 1, 1, 0);
    llim__budget_strings(L, false);
    if (status != LUA_OK) return lua_error(L);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    world *w = lua_newuserdatauv(L, sizeof *w, 0);
    memset(w, 0, sizeof *w);
    luaL_getmetatable(L, world_name);
    lua_setmetatable(L, -2);
    llim_options o = {.size = sizeof o,
                      .modality = k->options->modality,
                      .guard_ns = LLIM_NO_GUARD,
                      .seed = 1,
                      .scopes = 16,
                      .load = k->options->load,
                      .hook = k->options->hook,
                      .zone = {.size = sizeof o.zone,
                               .clock = LLIM_CLOCK_VIRTUAL,
                               .start_wall_ns = START_WALL,
                               .rows = 16,
                               .sliding = 16,
                               .leases = 64,
                               .alloc = k->options->zone.alloc,
                               .alloc_ctx = k->options->zone.alloc_ctx}};
    const llim__texts texts = {.policy = &k->set->sources.policy, .overrides = text, .overrides_size = size};
    llim_error err;
    memset(&err, 0, sizeof err);
    if (k->worlds >= MOST_WORLDS) return luaL_error(L, "a test may make %d limiters", MOST_WORLDS);
    k->worlds++;
    /* What the library takes for it is not the test's; what its scripts take is, and all of it where they fail. */
    const int64_t since = llim__budget_pause();
    const int code = llim__limiter_open(&o, &texts, k->set->vm_options.host, &w->limiter, &err);
    if (!code) llim__budget_resume(L, since + llim__vm_load_ns(w->limiter->set->vm));
    w->code = lua_touserdata(L, lua_upvalueindex(3));
    if (!code) return 1;
    *w->code = code;
    return luaL_error(L, "%s", err.message);
}

/* (a function from a table of models to the text of such a file, the kit's data, a place for a code): pushes the kit. */
static int push_kit(lua_State *L)
{
    static const luaL_Reg methods[] = {{"acquire", acquire}, {"settle", settle}, {"cancel", cancel}, {"answer", answer},
                                       {"advance", advance}, {"room", room},     {NULL, NULL}};
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -4);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, make_world, 3);
    if (luaL_newmetatable(L, world_name)) {
        lua_pushcfunction(L, close_world);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    return 1;
}

int llim__trial_run(llim__set *set, const llim_options *options, llim_error *err)
{
    kit k = {set, options, 0};
    return set->hooks & LLIM__HOOK_TEST ? llim__vm_test(set->vm, push_kit, &k, err) : LLIM_OK;
}
