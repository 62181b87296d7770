/* permit.c - acquiring and ending permits, as values in userdata without a finalizer: one that is collected is abandoned. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "native.h"
#include "policy/pool.h"

static llim_permit *check_permit(lua_State *L, int index)
{
    return llim__native_userdata(L, index, LLIM__NATIVE_PERMIT);
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

static void set_amount(lua_State *L, const char *field, int64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

static double seconds(int64_t ns)
{
    return (double)ns / LLIM_SECOND;
}

int llim__native_refuse(lua_State *L, int code, const llim_refusal *refusal, const llim_error *err,
                        const llim__native_request *request)
{
    static const char *const reasons[] = {"limit", "cooldown", "blocked", "policy", "queue"};
    char text[512];
    lua_pushnil(L);
    lua_createtable(L, 0, 14);
    set_string(L, "code", llim_code_name(code));
    if (code != LLIM_LATER && code != LLIM_NEVER) {
        set_string(L, "message", err->code == code && err->message[0] ? err->message : llim_code_name(code));
        if (err->code == code && err->file[0]) set_string(L, "file", err->file);
        if (err->code == code && err->line) set_amount(L, "line", err->line);
        if (err->code == code && err->field[0]) set_string(L, "field", err->field);
        return 2;
    }
    llim_refusal_text(refusal, text, sizeof text);
    set_string(L, "message", text);
    set_string(L, "reason", reasons[refusal->reason]);
    set_string(L, "scope", refusal->scope);
    set_string(L, "model_name", request->models[refusal->candidate]);
    if (refusal->reason == LLIM_BY_LIMIT) {
        set_string(L, "meter", llim_meter_name(refusal->meter));
        set_amount(L, "limit", refusal->limit);
        set_amount(L, "used", refusal->used);
        set_amount(L, "amount", refusal->amount);
        if (refusal->window_ns) set_number(L, "window", seconds(refusal->window_ns));
        if (refusal->unit) set_string(L, "unit", llim__unit_name(refusal->unit));
    }
    set_number(L, "wait", code == LLIM_NEVER ? (double)HUGE_VAL : seconds(refusal->wait_ns));
    if (code == LLIM_LATER) set_number(L, "at", seconds(refusal->at_wall_ns));
    return 2;
}

/* Wrong arguments are the caller's; all else is told. */
static int tell(lua_State *L, const char *method, int code, const llim_refusal *refusal, const llim_error *err,
                const llim__native_request *request)
{
    if (code == LLIM_EINVAL || code == LLIM_ERANGE) return llim__native_raise(L, "%s: %s", method, err->message);
    return llim__native_refuse(L, code, refusal, err, request);
}

/* () -> a permit that has ended */
int llim__native_permit(lua_State *L)
{
    llim_permit *permit = lua_newuserdatauv(L, sizeof *permit, 0);
    memset(permit, 0, sizeof *permit);
    llim__native_set_kind(L, LLIM__NATIVE_PERMIT);
    return 1;
}

/* (limiter, models, request, permit, method | nil: that of the same name) -> index of the model | nil, refusal */
int llim__native_acquire(lua_State *L)
{
    llim__native_request q;
    llim_refusal refusal;
    llim_error err;
    lua_settop(L, 5);
    const char *method = luaL_optstring(L, 5, "limiter:acquire(models, request, permit)");
    llim__native_limiter *limiter = llim__native_check_idle(L);
    llim_permit *permit = check_permit(L, 4);
    if (permit->n_rows)
        return llim__native_raise(L, "%s: the permit has not ended; settle, reject, cancel or close it before", method);
    err.code = LLIM_OK;
    int code = llim__native_read(L, limiter, method, &q, &err);
    if (!code) {
        limiter->inside = true;
        code = llim_acquire(limiter->limiter, &q.request, permit, &refusal, &err);
        limiter->inside = false;
    }
    if (code) return tell(L, method, code, &refusal, &err, &q);
    lua_pushinteger(L, (lua_Integer)permit->candidate + 1);
    return 1;
}

/* (limiter, models, request, method | nil) -> index of the model | nil, refusal */
int llim__native_available(lua_State *L)
{
    llim__native_request q;
    llim_refusal refusal;
    llim_error err;
    uint32_t candidate = 0;
    lua_settop(L, 4);
    const char *method = luaL_optstring(L, 4, "limiter:available(models, request)");
    llim__native_limiter *limiter = llim__native_check_idle(L);
    err.code = LLIM_OK;
    int code = llim__native_read(L, limiter, method, &q, &err);
    if (!code) {
        limiter->inside = true;
        code = llim_available(limiter->limiter, &q.request, &candidate, &refusal, &err);
        limiter->inside = false;
    }
    if (code) return tell(L, method, code, &refusal, &err, &q);
    lua_pushinteger(L, (lua_Integer)candidate + 1);
    return 1;
}

/* true, or nil and why not */
static int ended(lua_State *L, int code)
{
    if (code == LLIM_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, code == LLIM_EENDED ? "the permit has ended before, or a lease of it has" : llim_code_name(code));
    return 2;
}

bool llim__native_facts(lua_State *L, int table, const char *method, llim_charge *facts)
{
    bool own = false;
    for (int m = 0; m < LLIM_METERS; m++) facts->amount[m] = LLIM_UNKNOWN;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) == LUA_TTABLE) continue;
        const char *name = lua_tostring(L, -2);
        const int meter = llim__meter_of(name);
        if (meter < 0) continue;
        facts->amount[meter] = llim__native_amount(L, method, name);
        own |= meter != LLIM_INPUT_TOKENS && meter != LLIM_OUTPUT_TOKENS;
    }
    return own;
}

/* (limiter, permit, usage | nil: as reserved) -> true | nil, why not | false: the usage is no table of amounts by meter */
int llim__native_settle(lua_State *L)
{
    llim_charge facts;
    lua_settop(L, 3);
    llim__native_limiter *limiter = llim__native_check(L);
    llim_permit *permit = check_permit(L, 2);
    const bool told = !lua_isnil(L, 3);
    if (told && !llim__native_facts(L, 3, "permit:settle(usage)", &facts)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    return ended(L, llim_settle(llim_limiter_zone(limiter->limiter), permit, told ? &facts : NULL));
}

static void push_answer(lua_State *L, const llim_answer *a)
{
    lua_createtable(L, 0, 8);
    set_string(L, "kind", llim_kind_name(a->kind));
    if (a->meter != LLIM_UNKNOWN) set_string(L, "dimension", llim_meter_name(a->meter));
    if (a->unit != LLIM_NO_UNIT) set_string(L, "unit", llim__unit_name(a->unit));
    if (a->scope != LLIM_SCOPE_UNKNOWN) set_string(L, "scope", llim_scope_kind_name(a->scope));
    if (a->family[0]) set_string(L, "family", a->family);
    if (a->retry_after_ns != LLIM_UNKNOWN) set_number(L, "retry_after", seconds(a->retry_after_ns));
    lua_createtable(L, 0, LLIM_METERS);
    for (int m = 0; m < LLIM_METERS; m++)
        if (a->facts.charge.amount[m] != LLIM_UNKNOWN) set_amount(L, llim_meter_name(m), a->facts.charge.amount[m]);
    lua_setfield(L, -2, "usage");
}

/* (limiter, permit, status or 0, headers | nil, body, its reader or nil, a WebSocket's close code | nil) -> what the answer means | nil, why not */
int llim__native_answered(lua_State *L)
{
    llim_response response = {.size = sizeof response};
    llim_answer answer;
    lua_settop(L, 6);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    llim_permit *permit = check_permit(L, 2);
    response.status = (int32_t)luaL_checkinteger(L, 3);
    response.headers = luaL_optlstring(L, 4, NULL, &response.headers_len);
    response.close_code = (int32_t)luaL_optinteger(L, 6, 0);
    if (lua_type(L, 5) == LUA_TUSERDATA) {
        const llim__native_reader *reader = llim__native_userdata(L, 5, LLIM__NATIVE_READER);
        response.usage = &reader->usage;
        response.body = reader->last;
        response.body_len = reader->n;
    } else {
        response.body = luaL_optlstring(L, 5, NULL, &response.body_len);
    }
    limiter->inside = true;
    const int code = llim_answered(limiter->limiter, permit, &response, &answer);
    limiter->inside = false;
    if (code) return ended(L, code);
    push_answer(L, &answer);
    return 1;
}

int llim__native_cancel(lua_State *L)
{
    const llim__native_limiter *limiter = llim__native_check(L);
    return ended(L, llim_cancel(llim_limiter_zone(limiter->limiter), check_permit(L, 2)));
}

int llim__native_renew(lua_State *L)
{
    const llim__native_limiter *limiter = llim__native_check(L);
    llim_permit *permit = check_permit(L, 2);
    return ended(L, permit->n_rows ? llim_renew(llim_limiter_zone(limiter->limiter), permit) : LLIM_EENDED);
}

/* (limiter, permit) -> whether ending it would do something: it has not ended, and its limiter is open */
int llim__native_is_live(lua_State *L)
{
    const llim__native_limiter *limiter = llim__native_userdata(L, 1, LLIM__NATIVE_LIMITER);
    lua_pushboolean(L, limiter->limiter && check_permit(L, 2)->n_rows != 0);
    return 1;
}
