/* reader.c - the body of an answer that passes in pieces: what it used, without a second reader of bodies. */
#include <lauxlib.h>
#include <string.h>

#include "native.h"

static llim__native_reader *check_reader(lua_State *L)
{
    return llim__native_userdata(L, 1, LLIM__NATIVE_READER);
}

static void begin(llim__native_reader *r)
{
    llim_usage_begin(&r->usage);
    r->n = 0;
}

/* () -> a reader of a body that comes */
int llim__native_reader_make(lua_State *L)
{
    begin(lua_newuserdatauv(L, sizeof(llim__native_reader), 0));
    llim__native_set_kind(L, LLIM__NATIVE_READER);
    return 1;
}

/* (reader) another body comes */
int llim__native_reader_begin(lua_State *L)
{
    begin(check_reader(L));
    return 0;
}

/* (reader, piece) */
int llim__native_reader_feed(lua_State *L)
{
    enum { KEPT = sizeof((llim__native_reader *)0)->last / 2 };
    llim__native_reader *r = check_reader(L);
    size_t size;
    const char *piece = luaL_checklstring(L, 2, &size);
    llim_usage_feed(&r->usage, piece, size);
    if (size > KEPT) {
        piece += size - KEPT;
        size = KEPT;
    }
    if (r->n + size > sizeof r->last) {
        memmove(r->last, r->last + r->n - KEPT, KEPT);
        r->n = KEPT;
    }
    memcpy(r->last + r->n, piece, size);
    r->n += size;
    return 0;
}
