/* live.c - what a live session needs beside its permit: usage that is charged as it comes, cooldowns, and an end that returns the estimate. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "host/estimate.h"
#include "native.h"

/* The usage at the index: a number of tokens, amounts by meter, or the text of a document that tells it. False: a table without
   meters of its own. */
static bool read_usage(lua_State *L, int index, const char *method, llim_charge *facts)
{
    llim_usage_reader reader;
    llim_facts told;
    size_t size;
    for (int m = 0; m < LLIM_METERS; m++) facts->amount[m] = LLIM_UNKNOWN;
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        return llim__native_facts(L, index, method, facts);
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &size);
        llim_usage_begin(&reader);
        llim_usage_feed(&reader, text, size);
        llim_usage_end(&reader, &told);
        *facts = told.charge;
        return true;
    }
    default:
        lua_pushvalue(L, index);
        facts->amount[LLIM_TOKENS] = llim__native_amount(L, method, "usage");
        lua_pop(L, 1);
        return true;
    }
}

/* As a request's amounts follow from each other: of tokens whose parts are not told all may be input. */
static void complete(llim_charge *facts)
{
    int64_t *all = &facts->amount[LLIM_TOKENS], *in = &facts->amount[LLIM_INPUT_TOKENS];
    const int64_t out = facts->amount[LLIM_OUTPUT_TOKENS] > 0 ? facts->amount[LLIM_OUTPUT_TOKENS] : 0;
    if (*all == LLIM_UNKNOWN && (*in > 0 || out > 0)) *all = (*in > 0 ? *in : 0) + out;
    if (*all > LLIM_AMOUNT_MAX) *all = LLIM_AMOUNT_MAX;
    if (*in == LLIM_UNKNOWN && *all > out) *in = *all - out;
}

/* What they cost, if the model that has this name has a price. */
static int add_cost(llim__native_limiter *limiter, const char *name, llim_charge *facts, llim_error *err)
{
    limiter->inside = true;
    const llim__thread *thread = llim__limiter_enter(limiter->limiter, err);
    limiter->inside = false;
    if (!thread) return LLIM_ENOMEM;
    const uint32_t model = llim__names_find(&thread->set->names, name);
    if (model != UINT32_MAX) llim__price_charge(&thread->set->prices[model], facts);
    return LLIM_OK;
}

/* (limiter, name of a model, its permit | nil, usage, method) -> true | nil, error | false: the usage is no table of amounts by
   meter. It is charged to the permit's rows, or the model's. */
int llim__native_record(lua_State *L)
{
    llim_error err;
    llim_charge facts;
    llim_row row;
    lua_settop(L, 5);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    const char *method = luaL_checkstring(L, 5), *name = llim__native_string(L, 2, method, "the model's name");
    const llim_permit *permit = lua_isnil(L, 3) ? NULL : llim__native_userdata(L, 3, LLIM__NATIVE_PERMIT);
    if (!read_usage(L, 4, method, &facts)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    complete(&facts);
    if (permit && permit->n_rows == 0) {
        err = (llim_error){.code = LLIM_EENDED, .message = "the session has ended"};
        return llim__native_refuse(L, LLIM_EENDED, NULL, &err, NULL);
    }
    err.code = LLIM_OK;
    int code = permit ? LLIM_OK : llim__native_find_row(limiter, name, &row, &err);
    if (!code) code = add_cost(limiter, name, &facts, &err);
    if (!code)
        code = llim_record(llim_limiter_zone(limiter->limiter), permit ? permit->row : &row,
                           permit ? permit->n_rows : 1, &facts);
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* (limiter, name of a model or scope, seconds) -> true | nil, error */
int llim__native_cool(lua_State *L)
{
    llim_error err;
    llim_row row;
    lua_settop(L, 3);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    const char *name = llim__native_string(L, 2, "limiter:trigger_cooldown(model, seconds)", "the model's name");
    err.code = LLIM_OK;
    int code = llim__native_find_row(limiter, name, &row, &err);
    if (!code)
        code = llim_cool(llim_limiter_zone(limiter->limiter), row, (int64_t)ceil(lua_tonumber(L, 3) * LLIM_SECOND));
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* (limiter, permit): ends it, and gives back all that it reserved but the request */
int llim__native_give_back(lua_State *L)
{
    const llim__native_limiter *limiter = llim__native_check(L);
    llim_reject(llim_limiter_zone(limiter->limiter), llim__native_userdata(L, 2, LLIM__NATIVE_PERMIT));
    return 0;
}
