/*
 * budget.h - what a script may use of its VM: instructions and memory.
 *
 * Instructions are the measure. Processor time stands behind it, because one instruction may work on a long string, and what
 * compiles a text has none.
 *
 * A script that uses more is ended, through any pcall of its own: the hook that counts instructions raises at every one that
 * follows. Memory beyond the bound is given until then, within a grace: were it refused, Lua would collect all garbage first, and
 * a script could have that done as often as it likes. What the budget says, not the error's text, tells that a call was ended.
 * Then nothing in the VM is to be trusted any more, and its owner closes it.
 */
#ifndef LLIM_POLICY_BUDGET_H
#define LLIM_POLICY_BUDGET_H

#include <lua.h>
#include <stdbool.h>

#include "llm_limiters.h"
#include "policy/heap.h"

typedef struct llim__budget {
    llim__heap heap;
    size_t loaded;       /* that the heap had taken once the VM was loaded; 0: it is not yet */
    lua_State *running;  /* NULL: outside a call, where nothing is bounded */
    size_t most_taken;   /* by the heap */
    size_t most_at_once; /* in one piece: what works on a long string is one instruction */
    int64_t bytes;       /* that may still be taken, freed or not: else copying would be free */
    int64_t grace; /* once it is over: bytes of what the instruction takes that is under way, and of what is raised */
    int64_t instructions; /* that are left */
    int64_t allowed_ns;   /* of the thread's processor time, */
    int64_t until_ns;     /* hence until then; 0: not known yet, since a short call does not ask for the time */
    int64_t look_ns;      /* on the monotonic clock: before that, the processor's time cannot have come to its end */
    bool long_strings;    /* may be made for a while */
    int over;             /* the last call was ended; by what: see budget.c */
    bool starved;         /* in it, the host had no memory */
    char text[128];       /* how */
} llim__budget;

/* The allocator of a VM whose ud is its budget. */
void *llim__budget_alloc(void *ud, void *memory, size_t before, size_t after);

/* lua_pcall() within bounds, with the same arguments. A call that was ended has failed, whatever it came to. */
int llim__budget_call(lua_State *L, llim__budget *budget, const llim_script_bounds *bounds, int n_args, int n_results,
                      int handler);

/* Within a call, before the host works on so many bytes of the script's text, which is no instruction and has a time of its own:
   raises when the call has used more than it may. */
void llim__budget_read(lua_State *L, size_t bytes);

/* Whether strings may have any length, for what the host or the kernel makes of a script's data within a call. */
void llim__budget_strings(lua_State *L, bool any);

/* What a function of the host takes within a call is not the script's: resume with what pause returned. */
int64_t llim__budget_pause(void);
void llim__budget_resume(lua_State *L, int64_t since);

#endif
