/* clock.c - see clock.h. */
#include "base/clock.h"

static void store(llim__time *time, int64_t steady, int64_t wall)
{
    at_store_rlx(&time->wall_offset, wall - steady);
    at_store_rel(&time->steady, steady);
}

void llim__clock_init(llim__clock *clock, int32_t kind, llim__time *time, int64_t base)
{
    clock->kind = kind;
    clock->base = base;
    if (kind == LLIM_CLOCK_VIRTUAL) {
        clock->time = time;
        return;
    }
    clock->anchor = time;
    store(&clock->own, base + llim__clock_read(CLOCK_MONOTONIC), llim__clock_read(CLOCK_REALTIME));
}

void llim__clock_set(llim__clock *clock, int64_t steady, int64_t wall)
{
    store(clock->time, steady, wall);
}

/* The wall clock was read between two steady times, so its offset is in an interval as wide as the pause between them.
   Within that the old offset stays: a thread that was held up tells nothing new, unless the wall clock was set. Several
   threads may measure at once: each stores an offset that was true, with the steady time at which it was. */
llim__now llim__clock_measure(llim__clock *clock, int64_t steady)
{
    int64_t wall = llim__clock_read(CLOCK_REALTIME), most = wall - steady;
    int64_t least = wall - clock->base - llim__clock_read(CLOCK_MONOTONIC),
            offset = at_load_rlx(&clock->own.wall_offset);
    offset = offset < least ? least : offset > most ? most : offset;
    at_store_rlx(&clock->own.wall_offset, offset);
    at_store_rlx(&clock->own.steady, steady);
    if (clock->anchor) { /* of two processes the one that was held up stores the older time: by as much as that */
        at_store_rlx(&clock->anchor->wall_offset, offset);
        at_store_rlx(&clock->anchor->steady, steady);
    }
    return (llim__now){steady, steady + offset};
}
