/*
 * test_calendar.c - calendar periods against a naive model that walks through time step by step, against dates worked
 * out by hand, and against the property that periods tile.
 *
 * The model knows only the offset at an instant and the C library's gmtime_r. The seed is random, or LLIM_SEED, and is
 * printed when something fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/calendar.h"

#define HOUR_S   3600
#define DAY_S    86400
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed;
static uint64_t state;

static uint64_t next_random(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(next_random() % (uint64_t)(high - low + 1));
}

static int reseed(void **unused)
{
    (void)unused;
    state = seed;
    return 0;
}

static llim__timezone *load(const char *name)
{
    llim__timezone *tz;
    llim_error err;
    if (llim__timezone_load(name, &tz, &err) != LLIM_OK) fail_msg("%s", err.message);
    return tz;
}

#define NO_ONE INT64_MIN

/* A number that only grows with local time and differs between local periods. */
static int64_t local_number(int32_t unit, int64_t local_s)
{
    struct tm tm;
    time_t t = (time_t)local_s;
    assert_non_null(gmtime_r(&t, &tm));
    int64_t day = (local_s - (tm.tm_hour * HOUR_S + tm.tm_min * 60 + tm.tm_sec)) / DAY_S;
    if (unit == LLIM_PER_DAY) return day;
    if (unit == LLIM_PER_WEEK) return day - (tm.tm_wday + 6) % 7;
    return tm.tm_year * 12 + tm.tm_mon;
}

/* Asks at every step of a period. */
static void check_period(const llim__timezone *tz, const char *zone, int32_t unit, int64_t start_s, int64_t end_s,
                         int64_t step_s)
{
    for (int64_t t = start_s; t < end_s; t += step_s) {
        llim__period p = llim__calendar_period(tz, unit, t * LLIM_SECOND + between(0, LLIM_SECOND - 1));
        if (p.start_ns != start_s * LLIM_SECOND || p.end_ns != end_s * LLIM_SECOND)
            fail_msg("%s, unit %d, at %lld: %lld .. %lld instead of %lld .. %lld, LLIM_SEED=%llu", zone, unit,
                     (long long)t, (long long)p.start_ns, (long long)p.end_ns, (long long)(start_s * LLIM_SECOND),
                     (long long)(end_s * LLIM_SECOND), (unsigned long long)seed);
    }
}

/* Walks from low_s to high_s and compares every whole period on the way. */
static void compare_with_walk(const char *zone, int32_t unit, int64_t low_s, int64_t high_s, int64_t step_s)
{
    llim__timezone *tz = load(zone);
    int64_t length_s = unit == LLIM_PER_MINUTE ? 60 : HOUR_S;
    int64_t furthest = NO_ONE;
    int64_t last_offset = NO_ONE;
    int64_t begun_s = NO_ONE;
    int ended = 0;
    for (int64_t t = low_s; t < high_s; t += step_s) {
        int64_t offset = llim__timezone_offset(tz, t).offset_s;
        bool begins;
        if (unit == LLIM_PER_MINUTE || unit == LLIM_PER_HOUR) {
            begins = (t + offset) % length_s == 0 || (last_offset != NO_ONE && offset != last_offset);
            last_offset = offset;
        } else {
            int64_t number = local_number(unit, t + offset);
            begins = furthest != NO_ONE && number > furthest;
            if (number > furthest) furthest = number;
        }
        if (!begins) continue;
        if (begun_s != NO_ONE) {
            check_period(tz, zone, unit, begun_s, t, step_s);
            ended++;
        }
        begun_s = t;
    }
    assert_true(ended > 0);
    llim__timezone_free(tz);
}

/* Transitions of which each is odd in another way. */
static const struct {
    const char *zone;
    int64_t at_s;
} odd[] = {
    {"America/Los_Angeles", 1710064800}, /* 2024-03-10: forward */
    {"America/Los_Angeles", 1730624400}, /* 2024-11-03: back */
    {"Australia/Lord_Howe", 1712415600}, /* 2024-04-06: back by half an hour */
    {"Australia/Lord_Howe", 1728142200}, /* 2024-10-05: forward by half an hour */
    {"America/St_Johns", 1289097060},    /* 2010-11-07 00:01: back across midnight */
    {"America/St_Johns", 1268537460},    /* 2010-03-14 00:01: forward */
    {"America/St_Johns", 1257042660},    /* 2009-11-01 00:01: back into the month before */
    {"America/St_Johns", 594178260},     /* 1988-10-30 00:01: back by two hours across midnight */
    {"America/Sao_Paulo", 1541300400},   /* 2018-11-04: no midnight */
    {"America/Sao_Paulo", 1518919200},   /* 2018-02-18: back at midnight, 17 February ends twice */
    {"Pacific/Apia", 1325239200},        /* 2011-12-30 is skipped */
    {"Pacific/Kwajalein", 745934400},    /* 1993-08-21 is skipped */
    {"America/Havana", 1425790800},      /* 2015-03-08: no midnight */
    {"Asia/Pyongyang", 1525446000},      /* 2018-05-04: 23:30 becomes midnight */
    {"Antarctica/Troll", 1711846800},    /* 2024-03-31: two hours forward */
    {"Africa/Casablanca", 1710036000},   /* 2024-03-10: the fast begins */
    {"America/Los_Angeles", 5927936400}, /* 2157-11-06: only a rule reaches so far */
};

static void days_follow_the_walk(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(odd); i++) {
        assert_int_equal(odd[i].at_s % 60, 0);
        compare_with_walk(odd[i].zone, LLIM_PER_DAY, odd[i].at_s - 4 * DAY_S, odd[i].at_s + 4 * DAY_S, 60);
    }
}

static void weeks_and_months_follow_the_walk(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(odd); i++) {
        int64_t quarter_s = odd[i].at_s - odd[i].at_s % 900; /* midnights are at quarters of an hour */
        compare_with_walk(odd[i].zone, LLIM_PER_WEEK, quarter_s - 16 * DAY_S, quarter_s + 16 * DAY_S, 900);
        compare_with_walk(odd[i].zone, LLIM_PER_MONTH, quarter_s - 64 * DAY_S, quarter_s + 64 * DAY_S, 900);
    }
}

static void minutes_and_hours_follow_the_walk(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(odd); i++) {
        compare_with_walk(odd[i].zone, LLIM_PER_MINUTE, odd[i].at_s - 10 * 60, odd[i].at_s + 10 * 60, 1);
        compare_with_walk(odd[i].zone, LLIM_PER_HOUR, odd[i].at_s - 5 * HOUR_S, odd[i].at_s + 5 * HOUR_S, 5);
    }
    /* 1972-01-07: 44 minutes and 30 seconds forward, so that minutes are cut in their middle */
    compare_with_walk("Africa/Monrovia", LLIM_PER_MINUTE, 63593070 - 600, 63593070 + 600, 1);
    compare_with_walk("Africa/Monrovia", LLIM_PER_HOUR, 63593070 - 5 * HOUR_S, 63593070 + 5 * HOUR_S, 5);
}

static void expect(const char *zone, int32_t unit, int64_t at_s, int64_t start_s, int64_t end_s)
{
    llim__timezone *tz = load(zone);
    llim__period p = llim__calendar_period(tz, unit, at_s * LLIM_SECOND);
    assert_int_equal(p.start_ns, start_s * LLIM_SECOND);
    assert_int_equal(p.end_ns, end_s * LLIM_SECOND);
    llim__timezone_free(tz);
}

static void dates_worked_out_by_hand(void **unused)
{
    (void)unused;
    expect("", LLIM_PER_DAY, 0, 0, DAY_S);
    expect("", LLIM_PER_WEEK, 0, -3 * DAY_S, 4 * DAY_S);
    expect("", LLIM_PER_MONTH, 0, 0, 31 * DAY_S);
    expect("UTC", LLIM_PER_MONTH, INT64_C(1709164800), INT64_C(1706745600), INT64_C(1709251200)); /* February 2024 */
    expect("UTC", LLIM_PER_MONTH, INT64_C(4107542399), INT64_C(4105123200), INT64_C(4107542400)); /* 2100: 28 days */
    /* Los Angeles: 23 hours and 25 hours */
    expect("America/Los_Angeles", LLIM_PER_DAY, 1710100000, 1710057600, 1710057600 + 23 * HOUR_S);
    expect("America/Los_Angeles", LLIM_PER_DAY, 1730650000, 1730617200, 1730617200 + 25 * HOUR_S);
    /* its hour from 1 to 2 comes twice, as two periods */
    expect("America/Los_Angeles", LLIM_PER_HOUR, 1730624399, 1730620800, 1730624400);
    expect("America/Los_Angeles", LLIM_PER_HOUR, 1730624400, 1730624400, 1730628000);
    /* Lord Howe: 1:30 comes again after 2:00, an hour of 30 minutes; and from 2:00 to 2:30 there is nothing */
    expect("Australia/Lord_Howe", LLIM_PER_HOUR, 1712415600, 1712415600, 1712415600 + 1800);
    expect("Australia/Lord_Howe", LLIM_PER_HOUR, 1728142200, 1728142200, 1728142200 + 1800);
    expect("Australia/Lord_Howe", LLIM_PER_DAY, 1712415600, 1712408400, 1712408400 + 24 * HOUR_S + 1800);
    expect("Australia/Lord_Howe", LLIM_PER_DAY, 1728142200, 1728135000, 1728135000 + 23 * HOUR_S + 1800);
    /* St. John's: 7 November has begun for a minute when the clock returns to 6 November, which stays closed */
    expect("America/St_Johns", LLIM_PER_DAY, 1289096999, 1289010600, 1289097000);
    expect("America/St_Johns", LLIM_PER_DAY, 1289097060, 1289097000, 1289097000 + 25 * HOUR_S);
    expect("America/St_Johns", LLIM_PER_MONTH, 1257042660, 1257042600, 1259638200);
    expect("America/St_Johns", LLIM_PER_HOUR, 1289097030, 1289097000, 1289097060);
    /* Sao Paulo: a day that begins at 1:00, and one whose last hour comes twice */
    expect("America/Sao_Paulo", LLIM_PER_DAY, 1541300400, 1541300400, 1541300400 + 23 * HOUR_S);
    expect("America/Sao_Paulo", LLIM_PER_DAY, 1541300399, 1541214000, 1541300400);
    expect("America/Sao_Paulo", LLIM_PER_DAY, 1518919200, 1518832800, 1518832800 + 25 * HOUR_S);
    /* Apia: Thursday is followed by Saturday, and the week has six days */
    expect("Pacific/Apia", LLIM_PER_DAY, 1325239199, 1325152800, 1325239200);
    expect("Pacific/Apia", LLIM_PER_DAY, 1325239200, 1325239200, 1325325600);
    expect("Pacific/Apia", LLIM_PER_WEEK, 1325239200, 1324893600, 1325412000);
    /* beyond all files, by the rule alone */
    expect("America/Los_Angeles", LLIM_PER_MONTH, INT64_C(5686000000), INT64_C(5685408000), INT64_C(5688082800));
}

static void periods_tile(void **unused)
{
    (void)unused;
    static const char *const zones[] = {"",
                                        "America/Los_Angeles",
                                        "Australia/Lord_Howe",
                                        "America/St_Johns",
                                        "America/Sao_Paulo",
                                        "Pacific/Apia",
                                        "Africa/Casablanca",
                                        "Asia/Kathmandu",
                                        "Europe/Dublin",
                                        "Antarctica/Troll",
                                        "Africa/Monrovia",
                                        "Pacific/Kiritimati",
                                        "America/Scoresbysund",
                                        "Africa/Cairo"};
    for (size_t z = 0; z < COUNT(zones); z++) {
        llim__timezone *tz = load(zones[z]);
        for (int i = 0; i < 1500; i++) {
            int32_t unit = (int32_t)between(LLIM_PER_MINUTE, LLIM_PER_MONTH);
            int64_t t = between(0, INT64_C(7289654400) * LLIM_SECOND);
            if (i % 2) { /* near a transition, where there is one */
                int64_t until_s = llim__timezone_offset(tz, t / LLIM_SECOND).until_s;
                if (until_s < INT64_C(7289654400)) t = (until_s + between(-2 * DAY_S, 2 * DAY_S)) * LLIM_SECOND;
            }
            llim__period p = llim__calendar_period(tz, unit, t);
            llim__period next = llim__calendar_period(tz, unit, p.end_ns);
            llim__period before = llim__calendar_period(tz, unit, p.start_ns - 1);
            llim__period inside = llim__calendar_period(tz, unit, between(p.start_ns, p.end_ns - 1));
            if (!(p.start_ns <= t && t < p.end_ns && next.start_ns == p.end_ns && before.end_ns == p.start_ns &&
                  inside.start_ns == p.start_ns && inside.end_ns == p.end_ns))
                fail_msg("\"%s\", unit %d, at %lld, LLIM_SEED=%llu", zones[z], unit, (long long)t,
                         (unsigned long long)seed);
        }
        llim__timezone_free(tz);
    }
}

static void false_clocks_are_harmless(void **unused)
{
    (void)unused;
    static const int64_t clocks[] = {INT64_MIN, INT64_MIN + LLIM_SECOND, -1, INT64_MAX - LLIM_SECOND, INT64_MAX};
    llim__timezone *tz = load("America/Los_Angeles");
    for (int32_t unit = LLIM_PER_MINUTE; unit <= LLIM_PER_MONTH; unit++) {
        for (size_t i = 0; i < COUNT(clocks); i++) {
            llim__period p = llim__calendar_period(tz, unit, clocks[i]);
            assert_true(p.start_ns <= clocks[i] && clocks[i] <= p.end_ns && p.start_ns < p.end_ns);
        }
    }
    llim__timezone_free(tz);
}

int main(void)
{
    const char *given = getenv("LLIM_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(days_follow_the_walk, reseed),
        cmocka_unit_test_setup(weeks_and_months_follow_the_walk, reseed),
        cmocka_unit_test_setup(minutes_and_hours_follow_the_walk, reseed),
        cmocka_unit_test_setup(dates_worked_out_by_hand, reseed),
        cmocka_unit_test_setup(periods_tile, reseed),
        cmocka_unit_test_setup(false_clocks_are_harmless, reseed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
