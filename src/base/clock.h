/*
 * clock.h - the two times of a zone: steady for windows, wall for calendars.
 *
 * The real clock reads CLOCK_MONOTONIC once per decision; the wall time is that plus an offset which is measured anew when
 * it is older than a millisecond, so a step of the wall clock is seen at most a millisecond late and costs two more clock
 * reads per millisecond. The virtual clock is whatever was set last, by whichever process.
 *
 * CLOCK_MONOTONIC begins anew with each boot, so that the steady time of what outlives one is ahead of it by a base.
 */
#ifndef LLIM_BASE_CLOCK_H
#define LLIM_BASE_CLOCK_H

#include <time.h>

#include "base/atomic.h"
#include "llm_limiters_core.h"

#define LLIM__WALL_AGE_NS 1000000

typedef struct llim__now {
    int64_t steady;
    int64_t wall;
} llim__now;

typedef struct llim__time {
    at_i64 steady;      /* virtual: the time; real: when offset was measured */
    at_i64 wall_offset; /* wall - steady */
} llim__time;

typedef struct llim__clock {
    int32_t kind;       /* enum llim_clock; never changes */
    int64_t base;       /* real: what CLOCK_MONOTONIC is behind the steady time; never changes */
    llim__time *time;   /* virtual: of whoever shares it */
    llim__time own;     /* real */
    llim__time *anchor; /* real: where each measurement is left for the time after a boot; NULL: nowhere */
} llim__clock;

/* time is what a virtual clock reads, and is the anchor of a real one, or NULL. */
void llim__clock_init(llim__clock *clock, int32_t kind, llim__time *time, int64_t base);
/* Virtual only; the caller has checked that steady does not go back. */
void llim__clock_set(llim__clock *clock, int64_t steady, int64_t wall);
/* Real only: measures the wall clock's offset anew, at a steady time just read. */
llim__now llim__clock_measure(llim__clock *clock, int64_t steady);

static inline int64_t llim__clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

/* Steady, by some milliseconds less than llim__clock_now() at the most, for a quarter of the price. */
static inline int64_t llim__clock_roughly(llim__clock *clock)
{
    return clock->kind == LLIM_CLOCK_VIRTUAL ? at_load_acq(&clock->time->steady)
                                             : clock->base + llim__clock_read(CLOCK_MONOTONIC_COARSE);
}

static inline llim__now llim__clock_now(llim__clock *clock)
{
    int64_t steady, offset;
    if (clock->kind == LLIM_CLOCK_VIRTUAL) {
        steady = at_load_acq(&clock->time->steady);
        offset = at_load_rlx(&clock->time->wall_offset);
        return (llim__now){steady, steady + offset};
    }
    steady = clock->base + llim__clock_read(CLOCK_MONOTONIC);
    offset = at_load_rlx(&clock->own.wall_offset);
    if (steady - at_load_rlx(&clock->own.steady) > LLIM__WALL_AGE_NS) return llim__clock_measure(clock, steady);
    return (llim__now){steady, steady + offset};
}

#endif
