/* clock.c - see clock.h. */
#include "base/clock.h"

#include <time.h>

#include "llm_limiters_core.h"

#define WALL_AGE_NS 1000000
#define PAUSE_NS    100000

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

void llim__clock_init(llim__clock *clock, int32_t kind, int64_t steady, int64_t wall)
{
    clock->kind = kind;
    if (kind == LLIM_CLOCK_REAL) {
        steady = read_ns(CLOCK_MONOTONIC);
        wall = read_ns(CLOCK_REALTIME);
    }
    at_store_rlx(&clock->wall_offset, wall - steady);
    at_store_rel(&clock->steady, steady);
}

llim__now llim__clock_now(llim__clock *clock)
{
    int64_t steady, offset;
    if (clock->kind == LLIM_CLOCK_VIRTUAL) {
        steady = at_load_acq(&clock->steady);
        offset = at_load_rlx(&clock->wall_offset);
        return (llim__now){steady, steady + offset};
    }
    steady = read_ns(CLOCK_MONOTONIC);
    offset = at_load_rlx(&clock->wall_offset);
    if (steady - at_load_rlx(&clock->steady) > WALL_AGE_NS) {
        /* Several threads may measure at once: each stores a true offset. One that was held up between its two reads, and
           so would be ahead by the pause, keeps the old one until the next decision. */
        int64_t measured = read_ns(CLOCK_REALTIME) - steady;
        if (read_ns(CLOCK_MONOTONIC) - steady < PAUSE_NS) {
            offset = measured;
            at_store_rlx(&clock->wall_offset, offset);
            at_store_rlx(&clock->steady, steady);
        }
    }
    return (llim__now){steady, steady + offset};
}

void llim__clock_set(llim__clock *clock, int64_t steady, int64_t wall)
{
    at_store_rlx(&clock->wall_offset, wall - steady);
    at_store_rel(&clock->steady, steady);
}
