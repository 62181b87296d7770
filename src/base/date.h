/*
 * date.h - the arithmetic of the Gregorian calendar that reading a zone's rule and cutting periods share.
 *
 * Days count from 1970-01-01, months from January of year 0. Pure functions, called from any thread.
 */
#ifndef LLIM_BASE_DATE_H
#define LLIM_BASE_DATE_H

#include <stdint.h>

#define LLIM__DAY_S 86400

/* The first day of a month, from March of year 0 on. Years are counted from March, so that the leap day comes last. */
static inline int64_t llim__month_day(int64_t month)
{
    int64_t year = (month - 2) / 12;
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * ((month - 2) % 12) + 2) / 5 - 719468;
}

#endif
