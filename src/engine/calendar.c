/*
 * calendar.c - owns the cutting of time into calendar periods.
 *
 * Days, weeks and months are numbered; the number of an instant is that of the furthest local time any clock of the
 * zone has shown up to it, so it never falls, and period k begins at the first instant that has reached the local
 * start of k. That one definition gives late midnights, skipped dates and midnights that come twice without a case for
 * any of them.
 * Invariant: start <= t < end, and the period at end starts at end. Pure functions, called from any thread.
 */
#include "engine/calendar.h"

#include "base/date.h"

#define MINUTE_S 60
#define HOUR_S   3600
/* No offset is further than this from UTC, so what was shown twice as long ago has been passed since. */
#define FURTHEST_OFFSET_S (26 * HOUR_S)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The number of the period of a local time, and its first day. */
static int64_t number_of(int32_t unit, int64_t local_s)
{
    int64_t day = floor_div(local_s, LLIM__DAY_S);
    if (unit == LLIM_PER_DAY) return day;
    if (unit == LLIM_PER_WEEK) return floor_div(day + 3, 7);       /* 1970-01-01 was a Thursday */
    int64_t month = 1970 * 12 + floor_div(day * 4800, 146097) - 1; /* mean months stray by less than one */
    while (llim__month_day(month + 1) <= day) month++;
    return month;
}

static int64_t day_of(int32_t unit, int64_t number)
{
    if (unit == LLIM_PER_DAY) return number;
    if (unit == LLIM_PER_WEEK) return number * 7 - 3;
    return llim__month_day(number);
}

/* The furthest local time shown at or before an instant. */
static int64_t furthest_local(const llim__timezone *tz, int64_t utc_s)
{
    llim__utc_offset o = llim__timezone_offset(tz, utc_s);
    int64_t furthest = utc_s + o.offset_s;
    while (o.from_s > utc_s - 2 * FURTHEST_OFFSET_S) {
        int64_t before = o.from_s - 1;
        o = llim__timezone_offset(tz, before);
        if (before + o.offset_s > furthest) furthest = before + o.offset_s;
    }
    return furthest;
}

/* The first instant at which a local time has been reached. */
static int64_t first_reaching(const llim__timezone *tz, int64_t local_s)
{
    int64_t utc_s = local_s - FURTHEST_OFFSET_S;
    for (;;) {
        llim__utc_offset o = llim__timezone_offset(tz, utc_s);
        int64_t reached = local_s - o.offset_s > utc_s ? local_s - o.offset_s : utc_s;
        if (reached < o.until_s) return reached;
        utc_s = o.until_s;
    }
}

/* A wall clock may say anything; beyond what nanoseconds can tell the periods end at the last of them. */
static int64_t to_ns(int64_t s)
{
    int64_t ns;
    if (!__builtin_mul_overflow(s, (int64_t)LLIM_SECOND, &ns)) return ns;
    return s < 0 ? INT64_MIN : INT64_MAX;
}

llim__period llim__calendar_period(const llim__timezone *tz, int32_t unit, int64_t wall_ns)
{
    int64_t utc_s = floor_div(wall_ns, LLIM_SECOND);
    int64_t start_s;
    int64_t end_s;
    if (unit == LLIM_PER_MINUTE || unit == LLIM_PER_HOUR) {
        llim__utc_offset o = llim__timezone_offset(tz, utc_s);
        int64_t length_s = unit == LLIM_PER_MINUTE ? MINUTE_S : HOUR_S;
        start_s = floor_div(utc_s + o.offset_s, length_s) * length_s - o.offset_s;
        end_s = start_s + length_s;
        if (start_s < o.from_s) start_s = o.from_s;
        if (end_s > o.until_s) end_s = o.until_s;
    } else {
        int64_t number = number_of(unit, furthest_local(tz, utc_s));
        start_s = first_reaching(tz, day_of(unit, number) * LLIM__DAY_S);
        end_s = first_reaching(tz, day_of(unit, number + 1) * LLIM__DAY_S);
    }
    return (llim__period){to_ns(start_s), to_ns(end_s)};
}
