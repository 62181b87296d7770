/* request.c - models and requests of a Lua host as the C API takes them. See native.h. */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "native.h"
#include "policy/pool.h"

int llim__native_raise(lua_State *L, const char *format, ...)
{
    va_list args;
    luaL_where(L, 2); /* 1 is the door's file */
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

/* The number on top, in a unit that holds so many of the meter's. */
static int64_t amount(lua_State *L, const char *method, const char *name, double units)
{
    const double value = lua_tonumber(L, -1) * units;
    if (lua_type(L, -1) != LUA_TNUMBER || !(value >= 0 && value <= LLIM_AMOUNT_MAX))
        llim__native_raise(L, "%s: %s must be a number from 0 to 2^40 - 1, not %s", method, name,
                           lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
    return (int64_t)ceil(value);
}

int64_t llim__native_amount(lua_State *L, const char *method, const char *name)
{
    return amount(L, method, name, 1);
}

const char *llim__native_string(lua_State *L, int index, const char *method, const char *what)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (strlen(text) != size) llim__native_raise(L, "%s: %s must not hold zero bytes", method, what);
    return text;
}

static void read_models(lua_State *L, const char *method, llim__native_request *out)
{
    llim_request *r = &out->request;
    r->models = out->models;
    r->n_models = 1;
    if (lua_type(L, 2) == LUA_TSTRING) {
        out->models[0] = llim__native_string(L, 2, method, "a model's name");
        return;
    }
    const size_t n = lua_type(L, 2) == LUA_TTABLE ? lua_rawlen(L, 2) : 0;
    if (n < 1 || n > LLIM__MOST_MODELS)
        llim__native_raise(L, "%s: models must be a name or a list of 1 to %d names, not a %s", method,
                           LLIM__MOST_MODELS, luaL_typename(L, 2));
    r->n_models = (uint32_t)n;
    for (uint32_t i = 0; i < r->n_models; i++) {
        lua_rawgeti(L, 2, (int)i + 1); /* stays, so that the name does */
        if (lua_type(L, -1) != LUA_TSTRING)
            llim__native_raise(L, "%s: models must be a list of names, and element %d is a %s", method, (int)i + 1,
                               luaL_typename(L, -1));
        out->models[i] = llim__native_string(L, -1, method, "a model's name");
    }
}

/* Of UTF-8: bytes that do not go on with one. */
static int64_t characters(const char *text, size_t size)
{
    int64_t n = 0;
    for (size_t i = 0; i < size; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static const char *const words[] = {"text", "audio_seconds", "max_output_tokens", "scopes"};
enum { TEXT, AUDIO_SECONDS, MAX_OUTPUT, SCOPES, WORDS };

static int find_word(const char *name)
{
    int i = 0;
    while (i < WORDS && strcmp(words[i], name) != 0) i++;
    return i;
}

/* What was read of a request's scopes: their list, or 0. */
typedef struct reading {
    llim__native_request *out;
    const char *method;
    int scopes;
} reading;

/* The value on top, of that name; both stay on the stack below it. */
static void read_field(lua_State *L, reading *r, const char *name)
{
    llim_request *q = &r->out->request;
    size_t size;
    const int meter = llim__meter_of(name);
    if (meter >= 0) {
        q->charge.amount[meter] = llim__native_amount(L, r->method, name);
        return;
    }
    switch (find_word(name)) {
    case TEXT:
        if (lua_type(L, -1) != LUA_TSTRING)
            llim__native_raise(L, "%s: text must be a string, not a %s", r->method, luaL_typename(L, -1));
        const char *text = lua_tolstring(L, -1, &size);
        q->charge.amount[LLIM_CHARACTERS] = characters(text, size);
        return;
    case AUDIO_SECONDS:
        q->charge.amount[LLIM_AUDIO_MS] = amount(L, r->method, name, 1000);
        return;
    case MAX_OUTPUT:
        q->max_output_tokens = llim__native_amount(L, r->method, name);
        return;
    case SCOPES:
        if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) > LLIM_MAX_ROWS - 1)
            llim__native_raise(L, "%s: scopes must be a list of at most %d names like \"team:acme\"", r->method,
                               LLIM_MAX_ROWS - 1);
        r->scopes = lua_gettop(L);
        return;
    default:
        if (lua_type(L, -1) != LUA_TSTRING)
            llim__native_raise(L,
                               "%s: the request's field %s is no amount, so it is a tag for the policy, which must be "
                               "a string, not a %s",
                               r->method, name, luaL_typename(L, -1));
        if (q->n_tags == LLIM__MOST_TAGS)
            llim__native_raise(L, "%s: a request has at most %d tags", r->method, LLIM__MOST_TAGS);
        r->out->tags[q->n_tags++] = (llim_tag){name, llim__native_string(L, -1, r->method, "a tag")};
    }
}

/* The names stay on the stack. */
static void read_scopes(lua_State *L, const reading *r)
{
    llim_request *q = &r->out->request;
    const size_t n = r->scopes ? lua_rawlen(L, r->scopes) : 0;
    q->scopes = r->out->scopes;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, r->scopes, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            llim__native_raise(L, "%s: scopes must be a list of names like \"team:acme\"", r->method);
        r->out->scope_names[q->n_scopes++] = llim__native_string(L, -1, r->method, "a scope's name");
    }
}

int llim__native_find_scopes(const llim__native_limiter *limiter, llim__native_request *q, llim_error *err)
{
    int code = LLIM_OK;
    for (uint32_t i = 0; i < q->request.n_scopes && !code; i++)
        code = llim_scope(limiter->limiter, q->scope_names[i], &q->scopes[i], err);
    return code;
}

int llim__native_read(lua_State *L, const llim__native_limiter *limiter, const char *method, llim__native_request *out,
                      llim_error *err)
{
    reading r = {out, method, 0};
    out->request = (llim_request){.size = sizeof out->request, .tags = out->tags};
    luaL_checkstack(L, LLIM__MOST_MODELS + 4 * LLIM__MOST_TAGS, "a request");
    read_models(L, method, out);
    if (lua_isnil(L, 3)) return LLIM_OK;
    if (lua_type(L, 3) != LUA_TTABLE)
        llim__native_raise(L, "%s: the request must be a table like { tokens = 1200 }, not a %s", method,
                           luaL_typename(L, 3));
    for (lua_pushnil(L); lua_next(L, 3);) {
        if (lua_type(L, -2) != LUA_TSTRING)
            llim__native_raise(L, "%s: the request must be a table of names, and one of its keys is a %s", method,
                               luaL_typename(L, -2));
        read_field(L, &r, llim__native_string(L, -2, method, "the name of a field"));
        lua_pushvalue(L, -2); /* name and value stay */
        luaL_checkstack(L, LUA_MINSTACK, "a request");
    }
    read_scopes(L, &r);
    return llim__native_find_scopes(limiter, out, err);
}
