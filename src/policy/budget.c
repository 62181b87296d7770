/* budget.c - see budget.h. */
#include "policy/budget.h"

#include <lauxlib.h>
#include <stdio.h>
#include <time.h>

#include "policy/locale.h"

/* Instructions between two looks, by which a script may go beyond its bound; nanoseconds of the processor for each, and for each
   byte of a text, whose tables take instructions too. */
enum { STEP = 100, NS = 40, NS_BYTE = 100, INSTRUCTIONS_BYTE = 4 };

/* What a hook may hold in one piece is a part of what it may take, so that an instruction on it stays cheap; and one on a string
   may call the C library for each byte. Lua 5.4 puts so much around the bytes of a string. */
enum { PIECES = 4, LONGEST_STRING = 1000, AROUND_STRING = 25 };

/* What a VM may have taken beyond what it had when it was loaded, in what one call may take: scripts keep things. */
enum { KEPT = 4 };

/* The part of a call's memory that is its grace: whatever has at most a piece's bytes may grow to double of that. */
enum { GRACE = 2 };

/* What a call was ended by. */
enum { WITHIN, BY_COUNT, BY_TIME, BY_MEMORY, BY_STRING };

static llim__budget *budget_of(lua_State *L)
{
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

static int64_t processor_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* The processor's time is asked of the kernel, the monotonic clock is not, and the first is never the faster. */
static bool is_late(llim__budget *b)
{
    const int64_t monotonic = clock_ns(CLOCK_MONOTONIC);
    if (monotonic < b->look_ns) return false;
    const int64_t now = processor_ns();
    if (b->until_ns == 0) b->until_ns = now + b->allowed_ns;
    b->look_ns = monotonic + (b->until_ns - now);
    return now >= b->until_ns;
}

static void count(lua_State *L, lua_Debug *debug);

/* lua_sethook() may be called at any time, and so within the allocator. */
static void end_soon(llim__budget *b, int by)
{
    if (b->over) return;
    b->over = by;
    lua_sethook(b->running, count, LUA_MASKCOUNT, 1);
}

static void look(lua_State *L, llim__budget *b)
{
    if (b->instructions <= 0) end_soon(b, BY_COUNT);
    if (is_late(b)) end_soon(b, BY_TIME);
    if (b->over) luaL_error(L, "the script used more than it may");
}

static void count(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    llim__budget *b = budget_of(L);
    b->instructions -= STEP;
    look(L, b);
}

void llim__budget_read(lua_State *L, size_t bytes)
{
    llim__budget *b = budget_of(L);
    const int64_t ns = NS_BYTE * (int64_t)bytes;
    b->instructions += INSTRUCTIONS_BYTE * (int64_t)bytes;
    b->allowed_ns += ns;
    if (b->until_ns) b->until_ns += ns;
    look(L, b);
}

void *llim__budget_alloc(void *ud, void *memory, size_t before, size_t after)
{
    llim__budget *b = ud;
    const bool string = !memory && before == LUA_TSTRING; /* Lua tells the kind of a new object */
    if (!memory) before = 0;
    if (after > before && b->running) {
        const int64_t more = (int64_t)(after - before);
        b->bytes -= more;
        if (string && !b->long_strings && after > LONGEST_STRING + AROUND_STRING) end_soon(b, BY_STRING);
        if (after > b->most_at_once || b->bytes < 0) end_soon(b, BY_MEMORY);
        if (b->over && more > b->grace) return NULL;
        if (b->over) b->grace -= more;
    }
    void *moved = llim__heap_move(&b->heap, memory, before, after);
    if (!moved && after) b->starved = true;
    if (b->running && b->heap.taken > b->most_taken) end_soon(b, BY_MEMORY);
    return moved;
}

void llim__budget_strings(lua_State *L, bool any)
{
    budget_of(L)->long_strings = any;
}

int64_t llim__budget_pause(void)
{
    return processor_ns();
}

void llim__budget_resume(lua_State *L, int64_t since)
{
    llim__budget *b = budget_of(L);
    if (b->until_ns) b->until_ns += processor_ns() - since;
}

static void tell(llim__budget *b, const llim_script_bounds *bounds)
{
    if (b->over == BY_COUNT)
        snprintf(b->text, sizeof b->text, "it used more than %lld instructions", (long long)bounds->instructions);
    else if (b->over == BY_TIME)
        snprintf(b->text, sizeof b->text, "it used more than %lld ms of the processor",
                 (long long)b->allowed_ns / 1000000);
    else if (b->over == BY_STRING)
        snprintf(b->text, sizeof b->text, "it has a string of more than %d bytes", LONGEST_STRING);
    else
        snprintf(b->text, sizeof b->text, "it took more than %lld bytes of memory, or %lld at once",
                 (long long)bounds->bytes, (long long)bounds->bytes / PIECES);
}

int llim__budget_call(lua_State *L, llim__budget *b, const llim_script_bounds *bounds, int n_args, int n_results,
                      int handler)
{
    b->instructions = bounds->instructions;
    b->until_ns = b->look_ns = 0;
    b->allowed_ns = NS * (bounds->instructions < LLIM_SECOND ? bounds->instructions : LLIM_SECOND);
    b->bytes = bounds->bytes;
    b->grace = bounds->bytes / GRACE;
    b->most_taken = b->heap.taken + (size_t)bounds->bytes;
    if (b->loaded && b->most_taken > b->loaded + KEPT * (size_t)bounds->bytes)
        b->most_taken = b->loaded + KEPT * (size_t)bounds->bytes;
    b->most_at_once = (size_t)bounds->bytes / PIECES;
    b->over = WITHIN;
    b->starved = b->long_strings = false;
    b->running = L;
    lua_sethook(L, count, LUA_MASKCOUNT, STEP);
    const locale_t before = llim__locale_enter();
    int status = lua_pcall(L, n_args, n_results, handler);
    llim__locale_leave(before);
    b->running = NULL;
    lua_sethook(L, NULL, 0, 0);
    if (status == LUA_ERRMEM && b->starved) {
        b->over = BY_MEMORY;
        snprintf(b->text, sizeof b->text, "no memory is left");
    } else if (b->over) {
        tell(b, bounds);
        if (status == LUA_OK) status = LUA_ERRRUN; /* it came to its end within the grace */
    }
    return status;
}
