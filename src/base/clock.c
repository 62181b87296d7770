/* clock.c - see clock.h. */
#include "base/clock.h"

#define PAUSE_NS 100000

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

/* Several threads may measure at once: each stores a true offset. One that was held up between its two reads, and so would
   be ahead by the pause, keeps the old one until the next decision. */
llim__now llim__clock_measure(llim__clock *clock, int64_t steady)
{
    int64_t offset = at_load_rlx(&clock->wall_offset), measured = llim__clock_read(CLOCK_REALTIME) - steady;
    if (llim__clock_read(CLOCK_MONOTONIC) - steady < PAUSE_NS) {
        offset = measured;
        at_store_rlx(&clock->wall_offset, offset);
        at_store_rlx(&clock->steady, steady);
    }
    return (llim__now){steady, steady + offset};
}
