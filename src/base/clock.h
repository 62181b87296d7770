/*
 * clock.h - the two times of a zone: steady for windows, wall for calendars.
 *
 * The real clock reads CLOCK_MONOTONIC once per decision; the wall time is that plus an offset which is measured anew when
 * it is older than a millisecond, so a step of the wall clock is seen at most a millisecond late and costs one more clock
 * read per millisecond. The virtual clock is whatever was set last.
 */
#ifndef LLIM_BASE_CLOCK_H
#define LLIM_BASE_CLOCK_H

#include "base/atomic.h"

typedef struct llim__now {
    int64_t steady;
    int64_t wall;
} llim__now;

typedef struct llim__clock {
    int32_t kind;       /* enum llim_clock; never changes */
    at_i64 steady;      /* virtual: the time; real: when offset was measured */
    at_i64 wall_offset; /* wall - steady */
} llim__clock;

void llim__clock_init(llim__clock *clock, int32_t kind, int64_t steady, int64_t wall);
llim__now llim__clock_now(llim__clock *clock);
/* Virtual only; the caller has checked that steady does not go back. */
void llim__clock_set(llim__clock *clock, int64_t steady, int64_t wall);

#endif
