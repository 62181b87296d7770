/*
 * calendar.h - which calendar period an instant lies in: a pure function of unit, time zone and instant.
 *
 * Day, week (from Monday) and month begin at the first instant whose local date has reached them and never begin twice, so
 * that days of 23 h and 25 h are each one period, a midnight skipped by a transition begins late, and a transition that
 * sets the clock back across midnight does not reopen the day before. Minute and hour are cut at the UTC offset in force,
 * and also at a transition: a repeated hour is a new period, and a shift of half an hour ends the hour it falls into.
 */
#ifndef LLIM_ENGINE_CALENDAR_H
#define LLIM_ENGINE_CALENDAR_H

#include "base/timezone.h"

/* Half-open, wall clock (Unix epoch, nanoseconds). */
typedef struct llim__period {
    int64_t start_ns;
    int64_t end_ns;
} llim__period;

/* The period of the unit (enum llim_unit, not LLIM_NO_UNIT) that wall_ns lies in. Successive periods touch: the one at
   end_ns starts at end_ns. wall_ns: years 1970 .. 2200. */
llim__period llim__calendar_period(const llim__timezone *tz, int32_t unit, int64_t wall_ns);

#endif
