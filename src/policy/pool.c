/* pool.c - see pool.h. */
#include "policy/pool.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/chance.h"
#include "engine/admit.h"
#include "engine/notes.h"
#include "policy/vm_state.h"

static llim__vm *vm_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static double seconds(int64_t ns)
{
    return (double)ns / LLIM_SECOND;
}

bool llim__pool_model(lua_State *L, int index, uint32_t *model)
{
    const uint32_t *id = lua_touserdata(L, index); /* no other userdata of this size is in a script's reach */
    if (!id || lua_rawlen(L, index) != sizeof *id) return false;
    *model = *id;
    return true;
}

/* The candidate of that model in the question that is open. */
static llim__candidate *among(lua_State *L, uint32_t model)
{
    const llim__question *q = vm_of(L)->question;
    for (uint32_t i = 0; q && i < q->n; i++)
        if (q->candidates[i].model == model && q->candidates[i].begun) return &q->candidates[i];
    luaL_error(L, "a candidate is asked when its turn has come, while its own request is decided");
    return NULL;
}

static llim__candidate *check_candidate(lua_State *L, const char *usage)
{
    uint32_t model = UINT32_MAX;
    if (!llim__pool_model(L, 1, &model)) luaL_error(L, "%s is called with a colon, on a candidate", usage);
    return among(L, model);
}

/* The charge that a method is asked for: the candidate's own, or the amounts of a table of the script's. */
static llim_charge read_charge(lua_State *L, const llim__candidate *m, const char *usage)
{
    if (lua_isnoneornil(L, 2) || lua_type(L, 2) == LUA_TUSERDATA) return m->charge;
    if (!lua_istable(L, 2)) luaL_error(L, "%s takes a request, or a table of amounts like { tokens = 1000 }", usage);
    const llim__question *q = vm_of(L)->question;
    llim_charge charge = {{0}};
    for (int meter = 0; meter < LLIM_METERS; meter++) {
        lua_getfield(L, 2, llim_meter_name(meter));
        if (!lua_isnil(L, -1)) {
            double amount = lua_tonumber(L, -1);
            if (!lua_isnumber(L, -1) || !(amount >= 0 && amount <= LLIM_AMOUNT_MAX))
                luaL_error(L, "%s: %s must be a number from 0 to 2^40 - 1", usage, llim_meter_name(meter));
            charge.amount[meter] = (int64_t)ceil(amount);
        }
        lua_pop(L, 1);
    }
    if (charge.amount[LLIM_REQUESTS] == 0) charge.amount[LLIM_REQUESTS] = 1;
    if (q->charge_of && q->charge_of(q, m, &charge)) luaL_error(L, "%s: input and output are too much together", usage);
    return charge;
}

static double wait_of(lua_State *L, const llim__candidate *m, const llim_charge *charge)
{
    llim_refusal refusal;
    if (m->blocked) return (double)INFINITY;
    switch (llim_check(vm_of(L)->question->zone, m->row, m->n_rows, charge, &refusal)) {
    case LLIM_OK:
        return 0;
    case LLIM_LATER:
        return seconds(refusal.wait_ns);
    default:
        return (double)INFINITY; /* an error is told to whoever charges it */
    }
}

static int fits(lua_State *L)
{
    const llim__candidate *m = check_candidate(L, "m:fits(req)");
    const llim_charge charge = read_charge(L, m, "m:fits(req)");
    lua_pushboolean(L, !m->blocked && llim__try(vm_of(L)->question->zone, m->row, m->n_rows, &charge, NULL) == LLIM_OK);
    return 1;
}

static int wait_for(lua_State *L)
{
    const llim__candidate *m = check_candidate(L, "m:wait(req)");
    const llim_charge charge = read_charge(L, m, "m:wait(req)");
    lua_pushnumber(L, wait_of(L, m, &charge));
    return 1;
}

int llim__meter_of(const char *name)
{
    for (int meter = 0; meter < LLIM_METERS; meter++)
        if (strcmp(llim_meter_name(meter), name) == 0) return meter;
    return -1;
}

double llim__room(llim_zone *zone, const llim_row *rows, uint32_t n_rows, int meter)
{
    double least = 1;
    for (uint32_t r = 0; r < n_rows; r++) {
        llim_usage usage[LLIM_MAX_LIMITS];
        uint32_t n = 0;
        if (llim_row_usage(zone, rows[r], usage, LLIM_MAX_LIMITS, &n) != LLIM_OK) continue;
        for (uint32_t i = 0; i < n; i++) {
            if (meter != LLIM_METERS && meter != usage[i].limit.meter) continue;
            double left = 1 - (double)usage[i].used / (double)usage[i].limit.amount;
            least = left < least ? left : least;
        }
    }
    return least > 0 ? least : 0;
}

static int room(lua_State *L)
{
    const llim__candidate *m = check_candidate(L, "m:room(meter)");
    int meter = LLIM_METERS;
    if (!lua_isnoneornil(L, 2)) meter = llim__meter_of(lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "");
    if (meter < 0)
        return luaL_error(L, "m:room(meter) takes the name of a meter such as \"tokens\", or nothing for all of them");
    lua_pushnumber(L, m->blocked ? 0 : llim__room(vm_of(L)->question->zone, m->row, m->n_rows, meter));
    return 1;
}

static int64_t inflight(const llim_zone *zone, llim_row row)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n = 0;
    int64_t most = 0;
    if (llim_row_usage((llim_zone *)zone, row, usage, LLIM_MAX_LIMITS, &n) != LLIM_OK) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.law == LLIM_GAUGE && usage[i].used > most) most = usage[i].used;
    return most;
}

enum { COOLING = 1, INFLIGHT, STRIKES, PRICE };

/* (the fields behind a candidate, key), with the table of what changes as second upvalue */
static int changing_field(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    const lua_Integer field = lua_tointeger(L, -1);
    if (!field) {
        const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
        return luaL_error(
            L,
            "a candidate has no field %s; it has name, provider, weight, price, cooling, strikes, inflight, "
            "fits, room and wait",
            key);
    }
    if (field == PRICE) return 0; /* behind a candidate that has none */
    lua_rawgeti(L, 1, 1);
    const llim__candidate *m = among(L, (uint32_t)lua_tointeger(L, -1) - 1);
    int64_t left = 0;
    switch (field) {
    case COOLING:
        llim_cooling(vm_of(L)->question->zone, m->row[0], &left);
        if (left > 0)
            lua_pushnumber(L, seconds(left));
        else
            lua_pushboolean(L, 0);
        return 1;
    case INFLIGHT:
        lua_pushinteger(L, inflight(vm_of(L)->question->zone, m->row[0]));
        return 1;
    default:
        lua_pushinteger(L, llim__strikes(vm_of(L)->question->zone, m->row[0]));
        return 1;
    }
}

static int read_only(lua_State *L)
{
    return luaL_error(L, "requests and candidates are read-only; keep what you compute in a table of your own");
}

/* Gives the value below it the metatable on top, so that no script writes to it or sees the metatable. */
static void seal(lua_State *L)
{
    lua_pushcfunction(L, read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* Pushes a value of that many bytes that shows the fields of the table on top, which it replaces, and refuses to be written. */
static void *hide(lua_State *L, size_t size)
{
    void *bytes = lua_newuserdatauv(L, size, 0);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_remove(L, -4);
    lua_setfield(L, -2, "__index");
    seal(L);
    return bytes;
}

static void push_function(lua_State *L, llim__vm *vm, lua_CFunction function)
{
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, function, 1);
}

/* The constants of a model, from what the kernel made of the tables, and its methods. */
static void push_fields(lua_State *L, llim__vm *vm, uint32_t model)
{
    lua_createtable(L, 1, 8);
    lua_pushinteger(L, (lua_Integer)model + 1);
    lua_rawseti(L, -2, 1);
    llim__vm_push_model(L, vm, model);
    static const char *const copied[] = {"name", "provider", "weight"};
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        lua_getfield(L, -1, copied[i]);
        lua_setfield(L, -3, copied[i]);
    }
    lua_getfield(L, -1, "price");
    if (lua_istable(L, -1)) hide(L, 0);
    lua_setfield(L, -3, "price");
    lua_pop(L, 1);
    push_function(L, vm, fits);
    lua_setfield(L, -2, "fits");
    push_function(L, vm, room);
    lua_setfield(L, -2, "room");
    push_function(L, vm, wait_for);
    lua_setfield(L, -2, "wait");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_CHANGING]);
    lua_setmetatable(L, -2);
}

void llim__pool_push(lua_State *L, llim__vm *vm, int candidates, uint32_t model)
{
    lua_rawgeti(L, candidates, (int)model + 1);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
    push_fields(L, vm, model);
    uint32_t *id = hide(L, sizeof *id);
    *id = model;
    lua_pushvalue(L, -1);
    lua_rawseti(L, candidates, (int)model + 1);
}

void llim__pool_fill(lua_State *L, llim__vm *vm, int candidates, int list)
{
    const llim__question *q = vm->question;
    for (uint32_t i = 0; i < q->n; i++) {
        llim__pool_push(L, vm, candidates, q->candidates[i].model);
        lua_rawseti(L, list, (int)i + 1);
    }
    /* What a longer one, or a script, has left behind may stand anywhere among them. */
    for (lua_pushnil(L); lua_next(L, list);) {
        lua_pop(L, 1);
        const double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (key >= 1 && key <= q->n && floor(key) == key) continue;
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, list);
    }
}

enum { MAX_OUTPUT = LLIM_METERS + 1, RANDOM, AT };

/* The clock is looked at when a script asks, once for all that it then decides. */
static double instant_of(llim__question *q)
{
    int64_t wall;
    if (q->at == 0) {
        llim_zone_now(q->zone, NULL, &wall);
        q->at = seconds(wall);
    }
    return q->at;
}

double llim__question_random(llim__question *q)
{
    if (q->random < 0) q->random = llim__chance(q->chance);
    return q->random;
}

/* (request, key), with the numbers of the fields as second upvalue: the caller's tags are whatever is none of these. */
static int request_field(lua_State *L)
{
    llim__question *q = vm_of(L)->question;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    const lua_Integer field = lua_tointeger(L, -1);
    if (!q) return luaL_error(L, "a request is read while it is decided, not later");
    if (field == MAX_OUTPUT)
        lua_pushinteger(L, q->request->max_output_tokens);
    else if (field == RANDOM)
        lua_pushnumber(L, llim__question_random(q));
    else if (field == AT)
        lua_pushnumber(L, instant_of(q));
    else if (field)
        lua_pushinteger(L, q->request->charge.amount[field - 1]);
    else if (lua_type(L, 2) == LUA_TSTRING)
        lua_pushstring(L, llim__request_tag(q->request, lua_tostring(L, 2)));
    else
        lua_pushnil(L);
    return 1;
}

const char *llim__request_tag(const llim_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->n_tags; i++)
        if (strcmp(request->tags[i].name, name) == 0) return request->tags[i].value;
    return NULL;
}

static void push_request(lua_State *L, llim__vm *vm)
{
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 3);
    lua_pushlightuserdata(L, vm);
    lua_createtable(L, 0, AT);
    for (int meter = 0; meter < LLIM_METERS; meter++) {
        lua_pushinteger(L, meter + 1);
        lua_setfield(L, -2, llim_meter_name(meter));
    }
    lua_pushinteger(L, MAX_OUTPUT);
    lua_setfield(L, -2, "max_output_tokens");
    lua_pushinteger(L, RANDOM);
    lua_setfield(L, -2, "random");
    lua_pushinteger(L, AT);
    lua_setfield(L, -2, "at");
    lua_pushcclosure(L, request_field, 2);
    lua_setfield(L, -2, "__index");
    seal(L);
}

void llim__pool_open(lua_State *L, llim__vm *vm)
{
    lua_createtable(L, 0, 1);
    lua_pushlightuserdata(L, vm);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, COOLING);
    lua_setfield(L, -2, "cooling");
    lua_pushinteger(L, INFLIGHT);
    lua_setfield(L, -2, "inflight");
    lua_pushinteger(L, STRIKES);
    lua_setfield(L, -2, "strikes");
    lua_pushinteger(L, PRICE);
    lua_setfield(L, -2, "price");
    lua_pushcclosure(L, changing_field, 2);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_CHANGING]);
    push_request(L, vm);
    lua_newtable(L);
    lua_newtable(L);
}
