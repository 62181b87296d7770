/*
 * script.c - what the kernel has of the host to compile and run a quota table, overrides or a policy: from text, never from
 * bytecode, and within bounds.
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "policy/vm_state.h"

/* Between two pieces of a text the time is looked at. They are small, since a few bytes may take the parser as long as all that
   stands before them: a label looks at up to 32,767 others, a name that nobody has at the locals of 200 functions. */
enum { PIECE = 64 };

typedef struct reading {
    const char *text, *at, *end;
} reading;

/* A piece ends with its line. */
static const char *next_piece(lua_State *L, void *ud, size_t *size)
{
    reading *r = ud;
    const char *piece = r->at;
    *size = r->end - piece < PIECE ? (size_t)(r->end - piece) : PIECE;
    const char *line_end = memchr(piece, '\n', *size);
    if (line_end) *size = (size_t)(line_end - piece) + 1;
    llim__budget_read(L, *size); /* which may raise: r->at stays where the parser is */
    r->at += *size;
    return piece;
}

static int line_of(const reading *r)
{
    int line = 1;
    for (const char *c = r->text; c + 1 < r->at; c++) line += *c == '\n';
    return line;
}

/* The parser moves all gotos that wait for a label at each of them, when the label comes; break is one. In a text this short there
   cannot be so many that it takes long. */
enum { MOST_GOTOS = 2000, SHORT = MOST_GOTOS * sizeof "break" };

static bool has_too_many(const char *text, size_t size, const char *word)
{
    const char *end = text + size;
    int n = 0;
    while ((text = memmem(text, (size_t)(end - text), word, strlen(word))) && ++n <= MOST_GOTOS) text += strlen(word);
    return n > MOST_GOTOS;
}

#if LUA_VERSION_NUM >= 502

static int load_text(lua_State *L, reading *r, const char *name)
{
    return lua_load(L, next_piece, r, name, "t");
}

/* (function, its globals) -> function */
static void set_environment(lua_State *L)
{
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
}

#else

/* Bytecode begins so; behind a first line or a mark that LuaJIT skips, it loads none. */
static int load_text(lua_State *L, reading *r, const char *name)
{
    if (r->at != r->end && *r->at == LUA_SIGNATURE[0]) {
        lua_pushliteral(L, "attempt to load a binary chunk");
        return LUA_ERRSYNTAX;
    }
    return lua_load(L, next_piece, r, name);
}

static void set_environment(lua_State *L)
{
    lua_setfenv(L, -2);
}

#endif

/* compile(text, chunkname, env) -> function | nil, message, with the VM as upvalue, within a call(). What ends that is nothing
   that the text's syntax has done, nor is want of memory: it is raised on. */
static int compile(lua_State *L)
{
    llim__vm *vm = lua_touserdata(L, lua_upvalueindex(1));
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    reading r = {text, text, text + size};
    if (size > SHORT && (has_too_many(text, size, "goto") || has_too_many(text, size, "break"))) {
        lua_pushnil(L);
        lua_pushfstring(L, "it has more than %d times the word goto or break", MOST_GOTOS);
        return 2;
    }
    int status = load_text(L, &r, luaL_checkstring(L, 2));
    if (vm->budget.over) {
        vm->line = line_of(&r);
        return luaL_error(L, "the text is more than may be compiled");
    }
    if (status == LUA_ERRMEM) return lua_error(L);
    if (status != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3);
    set_environment(L);
    return 1;
}

/* call(function), with the VM as upvalue -> true, value | false, message; likewise, where the host had none */
static int call_chunk(lua_State *L)
{
    llim__vm *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    vm->line = 0;
    const int64_t since = llim__budget_pause();
    int status = llim__budget_call(L, &vm->budget, &vm->load, 0, 1, 0);
    vm->load_ns += llim__budget_pause() - since;
    if (status == LUA_ERRMEM && (vm->budget.starved || !vm->budget.over)) return lua_error(L);
    lua_pushboolean(L, status == LUA_OK);
    if (vm->budget.over && vm->line)
        lua_pushfstring(L, "?:%d: %s", vm->line, vm->budget.text);
    else if (vm->budget.over)
        lua_pushstring(L, vm->budget.text);
    else
        lua_pushvalue(L, -2);
    return 2;
}

void llim__vm_set_script(lua_State *L, llim__vm *vm)
{
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, compile, 1);
    lua_setfield(L, -2, "compile");
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, call_chunk, 1);
    lua_setfield(L, -2, "call");
}
