/*
 * native.h - the native module llm_limiters.native: the C API as the Lua files of llm_limiters.door see it.
 *
 * Its functions are for these files only, which check what users give but for models and requests: these are read here, where it is
 * cheap, and what is wrong with them is raised in the name of the door's method, at the line of its caller.
 */
#ifndef LLIM_NATIVE_H
#define LLIM_NATIVE_H

#include "ffi.h"
#include "host/limiter.h"
#include "policy/lua_compat.h"

/* Kinds of userdata. */
enum { LLIM__NATIVE_LIMITER, LLIM__NATIVE_PERMIT, LLIM__NATIVE_WAITER, LLIM__NATIVE_READER, LLIM__NATIVE_KINDS };

/* luaL_checkudata() and luaL_setmetatable() of a kind, without a look for its name. */
void *llim__native_userdata(lua_State *L, int index, int kind);
void llim__native_set_kind(lua_State *L, int kind);

typedef struct llim__native_waiter llim__native_waiter;

/* A limiter's userdata. It belongs to one Lua state, as do its permits and waiters. */
struct llim__native_limiter {
    llim_limiter *limiter; /* NULL: closed */
    bool inside;           /* it is at work: a finalizer that Lua runs meanwhile must stay outside */
    llim__native_waiter *waiters;
    lua_State *host;   /* a thread of its own, in whose state the VMs are made */
    lua_State *caller; /* the thread that entered it last: what runs in nginx is known by its thread */
    char key;          /* its address is the registry's key of that thread */
};

/* The open limiter at the first argument; raises if it is closed. What may run Lua asks for one that is not at work, too. */
llim__native_limiter *llim__native_check(lua_State *L);
llim__native_limiter *llim__native_check_idle(lua_State *L);

/* A request with all that it points to. The strings are on the Lua stack. */
typedef struct llim__native_request {
    llim_request request;
    const char *models[LLIM__MOST_MODELS];
    llim_tag tags[LLIM__MOST_TAGS];
    const char *scope_names[LLIM_MAX_ROWS - 1];
    llim_row scopes[LLIM_MAX_ROWS - 1];
} llim__native_request;

/* Finds the rows of the request's scopes, again after a reload: what llim_scope() says. */
int llim__native_find_scopes(const llim__native_limiter *limiter, llim__native_request *q, llim_error *err);

/* A string that C takes to its first zero byte, and that must have none: raises in the name of the method. */
const char *llim__native_string(lua_State *L, int index, const char *method, const char *what);

/* Reads the models and the request, the second and third argument. Raises what is wrong, as of the method. Else LLIM_OK, or what
   llim_scope() says of a scope that the request names. */
int llim__native_read(lua_State *L, const llim__native_limiter *limiter, const char *method, llim__native_request *out,
                      llim_error *err);

/* Pushes nil and what refused, or what went wrong: a table; returns their number. request may be NULL if code is no refusal. */
int llim__native_refuse(lua_State *L, int code, const llim_refusal *refusal, const llim_error *err,
                        const llim__native_request *request);

/* Raises text, which is put together as by lua_pushfstring(), at the line of who called the function of the door. */
int llim__native_raise(lua_State *L, const char *format, ...);

/* Amounts by meter. Raises if the value on top is no amount. */
int64_t llim__native_amount(lua_State *L, const char *method, const char *name);

/* The facts of a table of amounts by meter. False: it is none, since input_tokens and output_tokens are what providers say, too. */
bool llim__native_facts(lua_State *L, int table, const char *method, llim_charge *facts);

/* The options at the index, as the door has checked them; their strings are borrowed. */
llim_options llim__native_options(lua_State *L, int index);

/* The row of a model or scope: LLIM_OK, LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA. */
int llim__native_find_row(llim__native_limiter *limiter, const char *name, llim_row *row, llim_error *err);

/* Sets the field of the table on top to what the error tells, if it is one. */
void llim__native_set_error(lua_State *L, const char *field, const llim_error *err);

/* Takes the function on top for the limiter's log; and what the limiter, ctx, calls for each line. */
void llim__native_set_log(lua_State *L, const llim__native_limiter *limiter);
void llim__native_log(void *ctx, int level, const char *text);

/* The body of an answer that comes in pieces: what it used, and the last of it. */
typedef struct llim__native_reader {
    llim_usage_reader usage;
    size_t n;         /* bytes of last */
    char last[16384]; /* of the body, at least half of that, or all */
} llim__native_reader;

/* The functions of the module; what each takes and returns stands above it. */
int llim__native_open(lua_State *L);
int llim__native_close(lua_State *L);
int llim__native_reload(lua_State *L);
int llim__native_status(lua_State *L);
int llim__native_usage(lua_State *L);
int llim__native_now(lua_State *L);
int llim__native_set_clock(lua_State *L);
int llim__native_permit(lua_State *L);
int llim__native_acquire(lua_State *L);
int llim__native_available(lua_State *L);
int llim__native_settle(lua_State *L);
int llim__native_answered(lua_State *L);
int llim__native_reader_make(lua_State *L);
int llim__native_reader_begin(lua_State *L);
int llim__native_reader_feed(lua_State *L);
int llim__native_models(lua_State *L);
int llim__native_cancel(lua_State *L);
int llim__native_renew(lua_State *L);
int llim__native_is_live(lua_State *L);
int llim__native_record(lua_State *L);
int llim__native_cool(lua_State *L);
int llim__native_give_back(lua_State *L);
int llim__native_watch_fd(lua_State *L);
int llim__native_watch_poll(lua_State *L);
int llim__native_prometheus(lua_State *L);
int llim__native_shadow(lua_State *L);
int llim__native_shadow_report(lua_State *L);
int llim__native_wait_begin(lua_State *L);
int llim__native_wait_poll(lua_State *L);
int llim__native_wait_end(lua_State *L);

/* Takes the limiter's waiters out of the queue, for its close. */
void llim__native_end_waiters(llim__native_limiter *limiter);

#endif
