/*
 * json.c - see json.h. cJSON reads; here it is judged and handed over. Runs under the pcall of whoever loads, so a document that
 * is being handed over when Lua has no memory must not be lost: Lua holds it as a userdata until its close.
 */
#include "policy/json.h"

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "policy/lua_compat.h"

enum { DEEPEST = 8 }; /* a table of models of limits has three */

static int free_document(lua_State *L)
{
    cJSON **document = lua_touserdata(L, 1);
    cJSON_Delete(*document);
    *document = NULL;
    return 0;
}

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++) line += *text == '\n';
    return line;
}

/* The keys that lead to a value. */
typedef struct path {
    const char *key[DEEPEST + 2];
    int n;
} path;

/* Pushes the value, or leaves what is wrong on the stack: false. */
static bool push(lua_State *L, const cJSON *item, int depth, path *p)
{
    if (depth > DEEPEST) {
        lua_pushfstring(L, "it is nested deeper than %d levels", DEEPEST);
        return false;
    }
    luaL_checkstack(L, 6, NULL);
    if (cJSON_IsBool(item)) {
        lua_pushboolean(L, cJSON_IsTrue(item));
    } else if (cJSON_IsNumber(item) && isfinite(item->valuedouble)) {
        lua_pushnumber(L, item->valuedouble);
    } else if (cJSON_IsString(item)) {
        lua_pushstring(L, item->valuestring);
    } else if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        lua_Integer n = 0;
        lua_newtable(L);
        for (const cJSON *child = item->child; child; child = child->next) {
            const int above = p->n;
            if (child->string) p->key[p->n++] = child->string;
            if (cJSON_IsArray(item))
                lua_pushinteger(L, ++n);
            else
                lua_pushstring(L, child->string);
            lua_pushvalue(L, -1);
            lua_rawget(L, -3);
            const bool twice = !lua_isnil(L, -1);
            lua_pop(L, 1);
            if (twice) {
                p->key[p->n++] = child->string; /* the second one */
                lua_pushfstring(L, "the key \"%s\" stands twice in one object", child->string);
                return false;
            }
            if (!push(L, child, depth + 1, p)) return false;
            lua_rawset(L, -3);
            p->n = above;
        }
    } else {
        lua_pushstring(L, cJSON_IsNumber(item) ? "a number is larger than can be held" : "null is no value here");
        return false;
    }
    return true;
}

/* The escape of a zero byte, at which cJSON would end the string; NULL: there is none. */
static const char *zero_escape(const char *text)
{
    for (const char *at = strstr(text, "\\u0000"); at; at = strstr(at + 1, "\\u0000")) {
        const char *first = at;
        while (first > text && first[-1] == '\\') first--;
        if ((at - first) % 2 == 0) return at;
    }
    return NULL;
}

static const char *digits_end(const char *at)
{
    while (*at >= '0' && *at <= '9') at++;
    return at;
}

/* The end of the number that begins here (RFC 8259, section 6), as far as it is one. */
static const char *number_end(const char *at)
{
    if (*at == '-') at++;
    const char *end = *at == '0' ? at + 1 : digits_end(at);
    if (end == at) return end;
    if (*end == '.') {
        at = end + 1;
        end = digits_end(at);
        if (end == at) return at - 1;
    }
    if (*end != 'e' && *end != 'E') return end;
    at = end + (end[1] == '+' || end[1] == '-' ? 2 : 1);
    return digits_end(at) > at ? digits_end(at) : end;
}

/* A number that only cJSON takes for one, as 01 and 1., in a text that it has read; NULL: there is none. */
static const char *bad_number(const char *text)
{
    for (const char *at = text; *at;) {
        if (*at == '"') {
            for (at++; *at != '"'; at++) at += *at == '\\';
            at++;
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            const char *end = number_end(at);
            if (*end && strchr("0123456789+-.eE", *end)) return at;
            at = end;
        } else {
            at++;
        }
    }
    return NULL;
}

int llim__json_read(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size), *end = text;
    cJSON **document = lua_newuserdatauv(L, sizeof *document, 0);
    *document = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_document);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    *document = strlen(text) == size ? cJSON_ParseWithLengthOpts(text, size + 1, &end, true) : NULL;
    path p = {.n = 0};
    const char *zero = *document ? zero_escape(text) : NULL;
    if (zero) {
        lua_pushnil(L);
        lua_pushstring(L, "a string holds a zero byte");
        lua_pushinteger(L, line_of(text, zero));
        return 3;
    }
    if (!*document) {
        lua_pushnil(L);
        lua_pushstring(L, "the file cannot be read as JSON");
        lua_pushinteger(L, line_of(text, end));
        return 3;
    }
    const char *number = bad_number(text);
    if (number) {
        lua_pushnil(L);
        lua_pushstring(L, "a number here is not as JSON has it");
        lua_pushinteger(L, line_of(text, number));
        return 3;
    }
    if (!cJSON_IsObject(*document)) {
        lua_pushnil(L);
        lua_pushstring(L, "the file holds no JSON object");
        return 2;
    }
    if (push(L, *document, 1, &p)) return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    lua_createtable(L, p.n, 0);
    for (int i = 0; i < p.n; i++) {
        lua_pushstring(L, p.key[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 3;
}
