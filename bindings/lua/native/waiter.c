/*
 * waiter.c - requests that wait: the queue's waiters as userdata, which the door polls between the host's sleeps.
 *
 * A waiter keeps its request and, as user value, the strings of it. The limiter has a list of them and ends them before it closes,
 * since a collector finalizes both in any order.
 */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "native.h"

struct llim__native_waiter {
    llim__native_limiter *limiter; /* NULL: not in its list */
    llim__native_waiter *next, **at;
    llim_waiter *waiter;
    uint32_t set; /* the serial of the set by which its scopes were found */
    llim__native_request q;
};

static void end_waiter(llim__native_waiter *w)
{
    if (!w->limiter) return;
    llim_wait_end(w->waiter);
    *w->at = w->next;
    if (w->next) w->next->at = w->at;
    w->limiter = NULL;
}

void llim__native_end_waiters(llim__native_limiter *limiter)
{
    while (limiter->waiters) end_waiter(limiter->waiters);
}

/* (limiter, models, request, timeout in seconds or 0, priority) -> waiter | nil, what went wrong */
int llim__native_wait_begin(lua_State *L)
{
    static const char method[] = "limiter:wait(models, request, options)";
    llim_error err;
    lua_settop(L, 5);
    llim__native_limiter *limiter = llim__native_check_idle(L);
    const llim_wait_options o = {.size = sizeof o,
                                 .timeout_ns = (int64_t)ceil(luaL_checknumber(L, 4) * LLIM_SECOND),
                                 .priority = (int32_t)luaL_checkinteger(L, 5)};
    llim__native_waiter *w = lua_newuserdatauv(L, sizeof *w, 1);
    memset(w, 0, sizeof *w);
    llim__native_set_kind(L, LLIM__NATIVE_WAITER);
    const int at = lua_gettop(L);
    llim__native_check_idle(L); /* again, as below: what was made may have run a finalizer that closed it */
    err.code = LLIM_OK;
    w->set = at_load_acq(&limiter->limiter->serial);
    int code = llim__native_read(L, limiter, method, &w->q, &err);
    if (!code) {
        const int top = lua_gettop(L);
        lua_createtable(L, top - at, 0);
        for (int i = at + 1; i <= top; i++) {
            lua_pushvalue(L, i);
            lua_rawseti(L, -2, i - at);
        }
        lua_setiuservalue(L, at, 1);
        llim__native_check_idle(L);
        limiter->inside = true;
        code = llim_wait_begin(limiter->limiter, &w->q.request, &o, &w->waiter, &err);
        limiter->inside = false;
    }
    if (code == LLIM_EINVAL || code == LLIM_ERANGE) return llim__native_raise(L, "%s: %s", method, err.message);
    if (code) return llim__native_refuse(L, code, NULL, &err, NULL);
    w->limiter = limiter;
    w->next = limiter->waiters;
    w->at = &limiter->waiters;
    if (w->next) w->next->at = &w->next;
    limiter->waiters = w;
    lua_pushvalue(L, at);
    return 1;
}

/* A reload may have given its scopes other limits, which their rows have once they are asked for, or none. */
static int poll_once(llim__native_waiter *w, llim_permit *permit, llim_refusal *refusal, int64_t *at, llim_error *err)
{
    const uint32_t set = at_load_acq(&w->limiter->limiter->serial);
    int code = w->set == set ? LLIM_OK : llim__native_find_scopes(w->limiter, &w->q, err);
    w->set = set;
    return code ? code : llim_wait_poll(w->waiter, permit, refusal, at, err);
}

/* (limiter, waiter, permit) -> index of the model | nil, refusal | false, seconds until it is worth asking again at the latest */
int llim__native_wait_poll(lua_State *L)
{
    llim_refusal refusal;
    llim_error err;
    int64_t at, now;
    llim__native_waiter *w = llim__native_userdata(L, 2, LLIM__NATIVE_WAITER);
    llim_permit *permit = llim__native_userdata(L, 3, LLIM__NATIVE_PERMIT);
    if (!w->limiter) {
        err = (llim_error){.code = LLIM_EENDED, .message = "the limiter was closed meanwhile"};
        return llim__native_refuse(L, LLIM_EENDED, NULL, &err, &w->q);
    }
    llim__native_limiter *limiter = llim__native_check_idle(L);
    err.code = LLIM_OK;
    limiter->inside = true;
    const int code = poll_once(w, permit, &refusal, &at, &err);
    limiter->inside = false;
    if (code == LLIM_WAITING) {
        llim_zone_now(llim_limiter_zone(limiter->limiter), &now, NULL);
        lua_pushboolean(L, 0);
        lua_pushnumber(L, at > now ? (double)(at - now) / LLIM_SECOND : 0);
        return 2;
    }
    if (code) return llim__native_refuse(L, code, &refusal, &err, &w->q);
    lua_pushinteger(L, (lua_Integer)permit->candidate + 1);
    return 1;
}

/* (waiter); its finalizer too */
int llim__native_wait_end(lua_State *L)
{
    end_waiter(llim__native_userdata(L, 1, LLIM__NATIVE_WAITER));
    return 0;
}
