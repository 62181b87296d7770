/* budget.c - see budget.h. */
#include "policy/budget.h"

#include <lauxlib.h>
#include <stdio.h>
#include <time.h>

/* Instructions between two looks, by which a script may go beyond its bound; nanoseconds of the processor for each. */
enum { STEP = 100, NS = 40 };

/* What a hook may hold in one piece is a part of what it may take, so that an instruction on it stays cheap; and one on a string
   may call the C library for each byte. */
enum { PIECES = 4, LONGEST_STRING = 1024 };

/* What a VM may hold beyond what it held when it was loaded, in what one call may take: scripts keep things. */
enum { KEPT = 4 };

void *llim__budget_alloc(void *ud, void *memory, size_t before, size_t after)
{
    llim__budget *b = ud;
    const bool string = !memory && before == LUA_TSTRING; /* Lua tells the kind of a new object */
    if (!memory) before = 0;
    if (string && b->most_held && after > LONGEST_STRING) return NULL;
    if (after > before && b->most_held) {
        size_t more = after - before;
        if (after > b->most_at_once || more > b->most_held - b->held || (int64_t)more > b->bytes) return NULL;
        b->bytes -= (int64_t)more;
    }
    void *moved = llim__heap_move(&b->heap, memory, before, after);
    if (moved || after == 0)
        b->held += after - before;
    else
        b->starved = true;
    return moved;
}

static int64_t processor_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

static void count(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    void *ud;
    lua_getallocf(L, &ud);
    llim__budget *b = ud;
    b->instructions -= STEP;
    const int64_t now = processor_ns();
    if (b->until_ns == 0) b->until_ns = now + b->allowed_ns;
    if (b->instructions > 0 && !b->over && now < b->until_ns) return;
    b->over = true;
    lua_sethook(L, count, LUA_MASKCOUNT, 1);
    luaL_error(L, "the script used more instructions than it may");
}

int64_t llim__budget_pause(void)
{
    return processor_ns();
}

void llim__budget_resume(lua_State *L, int64_t since)
{
    void *ud;
    lua_getallocf(L, &ud);
    llim__budget *b = ud;
    if (b->until_ns) b->until_ns += processor_ns() - since;
}

int llim__budget_call(lua_State *L, llim__budget *b, const llim_script_bounds *bounds, int n_args, int n_results,
                      int handler)
{
    b->instructions = bounds->instructions;
    b->until_ns = 0;
    b->allowed_ns = NS * (bounds->instructions < LLIM_SECOND ? bounds->instructions : LLIM_SECOND);
    b->bytes = bounds->bytes;
    b->most_held = b->held + (size_t)bounds->bytes;
    if (b->loaded && b->most_held > b->loaded + KEPT * (size_t)bounds->bytes)
        b->most_held = b->loaded + KEPT * (size_t)bounds->bytes;
    b->most_at_once = (size_t)bounds->bytes / PIECES;
    b->over = b->starved = false;
    lua_sethook(L, count, LUA_MASKCOUNT, STEP);
    int status = lua_pcall(L, n_args, n_results, handler);
    lua_sethook(L, NULL, 0, 0);
    b->most_held = 0;
    if (b->over)
        snprintf(b->text, sizeof b->text, "it used more than %lld instructions, or %lld ms of the processor",
                 (long long)bounds->instructions, (long long)bounds->instructions * NS / 1000000);
    else if (status == LUA_ERRMEM && b->starved)
        snprintf(b->text, sizeof b->text, "no memory is left");
    else if (status == LUA_ERRMEM)
        snprintf(b->text, sizeof b->text, "it took more than %lld bytes of memory, %lld at once, or %d for a string",
                 (long long)bounds->bytes, (long long)bounds->bytes / PIECES, LONGEST_STRING);
    b->over = b->over || status == LUA_ERRMEM;
    return status;
}
