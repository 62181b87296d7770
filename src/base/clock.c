/* clock.c - see clock.h. */
#include "base/clock.h"

void llim__clock_init(llim__clock *clock, int32_t kind, int64_t steady, int64_t wall)
{
    clock->kind = kind;
    if (kind == LLIM_CLOCK_REAL) {
        steady = llim__clock_read(CLOCK_MONOTONIC);
        wall = llim__clock_read(CLOCK_REALTIME);
    }
    llim__clock_set(clock, steady, wall);
}

void llim__clock_set(llim__clock *clock, int64_t steady, int64_t wall)
{
    at_store_rlx(&clock->wall_offset, wall - steady);
    at_store_rel(&clock->steady, steady);
}

/* The wall clock was read between two steady times, so its offset is in an interval as wide as the pause between them.
   Within that the old offset stays: a thread that was held up tells nothing new, unless the wall clock was set. Several
   threads may measure at once: each stores an offset that was true, with the steady time at which it was. */
llim__now llim__clock_measure(llim__clock *clock, int64_t steady)
{
    int64_t wall = llim__clock_read(CLOCK_REALTIME), most = wall - steady;
    int64_t least = wall - llim__clock_read(CLOCK_MONOTONIC), offset = at_load_rlx(&clock->wall_offset);
    offset = offset < least ? least : offset > most ? most : offset;
    at_store_rlx(&clock->wall_offset, offset);
    at_store_rlx(&clock->steady, steady);
    return (llim__now){steady, steady + offset};
}
