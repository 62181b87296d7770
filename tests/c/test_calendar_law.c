/*
 * test_calendar_law.c - limits per period of the wall clock: days of 23, 24 and 25 hours, the guard at a boundary, wall
 * clocks that step, and what settling moves.
 */
#include "kit.h"

#define UTC(seconds) (INT64_C(seconds) * KIT_SECOND)

/* A row made at that wall time. */
static llim_row limit_from(kit_world *world, int64_t wall, int unit, const char *zone, int64_t amount, int64_t guard)
{
    kit_open(world, 1, 1, 1);
    kit_set_wall(world->zone, wall);
    llim_limit spec = kit_calendar(LLIM_TOKENS, unit, zone, amount, guard);
    return kit_row(world->zone, "model:m", &spec, 1);
}

static void check_refused_until(kit_world *world, llim_row row, int64_t wall)
{
    llim_charge charge = kit_charge(LLIM_TOKENS, 1);
    llim_refusal refusal;
    assert_int_equal(llim_check(world->zone, &row, 1, &charge, &refusal), LLIM_LATER);
    if (refusal.at_wall_ns != wall)
        fail_msg("refused until %lld, not %lld", (long long)refusal.at_wall_ns, (long long)wall);
    kit_check_instant(world, &row, 1, &charge, &refusal);
    assert_int_equal(kit_reset(world->zone, row, 0), refusal.wait_ns);
}

/* From one local midnight to the next, each a row: name, start of the day, its length in half hours. */
typedef struct odd_day {
    const char *zone;
    int64_t start;
    int half_hours;
} odd_day;

static const odd_day odd_days[] = {
    {"America/Los_Angeles", UTC(1710057600), 46}, /* 2024-03-10 00:00 -08:00, clocks go forward */
    {"America/Los_Angeles", UTC(1710140400), 48}, /* 2024-03-11 00:00 -07:00 */
    {"America/Los_Angeles", UTC(1730617200), 50}, /* 2024-11-03 00:00 -07:00, clocks go back */
    {"America/Los_Angeles", UTC(1730707200), 48}, /* 2024-11-04 00:00 -08:00 */
    {"Australia/Lord_Howe", UTC(1712408400), 49}, /* 2024-04-07 00:00 +11:00, back by half an hour */
    {"Australia/Lord_Howe", UTC(1728135000), 47}, /* 2024-10-06 00:00 +10:30, forward by half an hour */
};

static void test_odd_days_reset_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(odd_days); i++) {
        const odd_day *day = &odd_days[i];
        int64_t end = day->start + day->half_hours * (KIT_HOUR / 2);
        kit_world world;
        llim_row row = limit_from(&world, day->start - 1, LLIM_PER_DAY, day->zone, 100, 0);
        kit_permit(world.zone, row, LLIM_TOKENS, 100);
        check_refused_until(&world, row, day->start);
        kit_advance(world.zone, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, 100);
        for (int64_t half = 0; half < day->half_hours; half++) {
            kit_at(world.zone, 1 + half * (KIT_HOUR / 2));
            kit_set_wall(world.zone, day->start + half * (KIT_HOUR / 2));
            check_refused_until(&world, row, end);
        }
        kit_advance(world.zone, KIT_HOUR / 2 - 1);
        check_refused_until(&world, row, end);
        kit_advance(world.zone, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, 100);
        kit_close(&world);
    }
}

/* 01:00 to 02:00 comes twice on 2024-11-03 in Los Angeles: two periods. */
static void test_repeated_hour_is_a_new_period(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, UTC(1730620800), LLIM_PER_HOUR, "America/Los_Angeles", 10, 0); /* 01:00 -07:00 */
    for (int hour = 0; hour < 3; hour++) {
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        check_refused_until(&world, row, UTC(1730624400) + hour * KIT_HOUR);
        kit_advance(world.zone, KIT_HOUR);
    }
    kit_close(&world);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        int unit;
        int64_t end; /* of the period of 2024-06-15 12:00:00 UTC */
    } units[] = {{LLIM_PER_MINUTE, KIT_WALL + KIT_MINUTE},
                 {LLIM_PER_HOUR, KIT_WALL + KIT_HOUR},
                 {LLIM_PER_DAY, UTC(1718496000)},
                 {LLIM_PER_WEEK, UTC(1718582400)},
                 {LLIM_PER_MONTH, UTC(1719792000)}};
    for (size_t i = 0; i < KIT_COUNT(units); i++) {
        kit_world world;
        llim_row row = limit_from(&world, KIT_WALL, units[i].unit, "", 5, KIT_GUARD);
        kit_advance(world.zone, KIT_SECOND);
        kit_permit(world.zone, row, LLIM_TOKENS, 5);
        check_refused_until(&world, row, units[i].end + KIT_GUARD);
        kit_close(&world);
    }
}

/* Midnight UTC after KIT_WALL. */
#define MIDNIGHT UTC(1718496000)

static void test_guard_charges_both_periods(void **state)
{
    (void)state;
    static const struct {
        int64_t from_midnight;
        int64_t before, after; /* charged to the day that ends, to the day that begins */
    } cases[] = {
        {-2 * KIT_SECOND - 1, 1, 0}, {-2 * KIT_SECOND, 1, 1}, {-1, 1, 1}, {0, 1, 1}, {2 * KIT_SECOND - 1, 1, 1},
        {2 * KIT_SECOND, 0, 1},      {3 * KIT_SECOND, 0, 1}};
    for (size_t i = 0; i < KIT_COUNT(cases); i++) {
        kit_world world;
        llim_row row = limit_from(&world, MIDNIGHT - KIT_HOUR, LLIM_PER_DAY, "", 10, 2 * KIT_SECOND);
        kit_permit(world.zone, row, LLIM_TOKENS, 3);
        kit_set_wall(world.zone, MIDNIGHT + cases[i].from_midnight);
        bool full = cases[i].before != 0;
        /* 8 more do not fit the day that ends. */
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 8), full ? LLIM_LATER : LLIM_OK);
        if (full) {
            assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 8), 2 * KIT_SECOND - cases[i].from_midnight);
            kit_permit(world.zone, row, LLIM_TOKENS, 7);
        }
        kit_set_wall(world.zone, MIDNIGHT + KIT_HOUR);
        assert_int_equal(kit_used(world.zone, row, 0), full ? 7 * cases[i].after : 8);
        kit_close(&world);
    }
}

/* A full day stays full whatever the wall clock does, as long as no later day has really begun. */
static void test_backward_step_never_reopens(void **state)
{
    (void)state;
    static const int64_t back[] = {1, KIT_SECOND, KIT_HOUR, 12 * KIT_HOUR, KIT_DAY, 3 * KIT_DAY, 40 * KIT_DAY};
    for (size_t i = 0; i < KIT_COUNT(back); i++) {
        kit_world world;
        llim_row row = limit_from(&world, MIDNIGHT + KIT_HOUR, LLIM_PER_DAY, "", 10, KIT_GUARD);
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        kit_step_wall(world.zone, -back[i]);
        check_refused_until(&world, row, MIDNIGHT + KIT_DAY + KIT_GUARD);
        kit_close(&world);
    }
}

/* Charges made while the clock is behind count in the period that was already open, too. */
static void test_charges_behind_an_open_period_count_in_it(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, MIDNIGHT + KIT_HOUR, LLIM_PER_DAY, "", 10, KIT_GUARD);
    kit_permit(world.zone, row, LLIM_TOKENS, 4);
    kit_step_wall(world.zone, -2 * KIT_HOUR);
    kit_permit(world.zone, row, LLIM_TOKENS, 6);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_step_wall(world.zone, 2 * KIT_HOUR);
    assert_int_equal(kit_used(world.zone, row, 0), 10);
    check_refused_until(&world, row, MIDNIGHT + KIT_DAY + KIT_GUARD);
    kit_close(&world);
}

/* Near a boundary with two later periods open nothing is admitted, but just for the guard. */
static void test_a_boundary_behind_open_periods_holds_for_its_guard(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, MIDNIGHT + 2 * KIT_MINUTE + KIT_GUARD, LLIM_PER_MINUTE, "", 10, KIT_GUARD);
    kit_permit(world.zone, row, LLIM_TOKENS, 3);
    kit_step_wall(world.zone, KIT_MINUTE);
    kit_permit(world.zone, row, LLIM_TOKENS, 3);
    kit_step_wall(world.zone, -2 * KIT_MINUTE - KIT_GUARD / 2);
    llim_charge charge = kit_charge(LLIM_TOKENS, 2);
    llim_refusal refusal;
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
    assert_int_equal(refusal.wait_ns, KIT_GUARD / 2);
    kit_check_instant(&world, &row, 1, &charge, &refusal);
    kit_close(&world);
}

static void test_wall_steps_leave_minute_windows_alone(void **state)
{
    (void)state;
    static const int laws[] = {LLIM_SLIDING, LLIM_BUCKET};
    static const int64_t steps[] = {KIT_HOUR, -KIT_HOUR};
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        for (size_t s = 0; s < KIT_COUNT(steps); s++) {
            kit_world world;
            kit_open(&world, 1, 1, 1);
            llim_limit spec = kit_limit(LLIM_TOKENS, laws[l], 10, KIT_MINUTE, KIT_GUARD);
            llim_row row = kit_row(world.zone, "model:m", &spec, 1);
            kit_permit(world.zone, row, LLIM_TOKENS, 4);
            kit_permit(world.zone, row, LLIM_TOKENS, 5);
            llim_charge charge = kit_charge(LLIM_TOKENS, 9);
            llim_refusal before, after;
            assert_int_equal(llim_check(world.zone, &row, 1, &charge, &before), LLIM_LATER);
            kit_step_wall(world.zone, steps[s]);
            assert_int_equal(llim_check(world.zone, &row, 1, &charge, &after), LLIM_LATER);
            assert_int_equal(before.at_ns, after.at_ns);
            assert_int_equal(before.used, after.used);
            assert_int_equal(before.at_wall_ns + steps[s], after.at_wall_ns);
            kit_check_instant(&world, &row, 1, &charge, &after);
            kit_close(&world);
        }
    }
}

static void test_settling_moves_the_period_of_the_charge(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, MIDNIGHT - KIT_HOUR, LLIM_PER_DAY, "", 100, 0);
    llim_permit down = kit_permit(world.zone, row, LLIM_TOKENS, 40);
    llim_permit up = kit_permit(world.zone, row, LLIM_TOKENS, 30);
    llim_permit late = kit_permit(world.zone, row, LLIM_TOKENS, 30);
    llim_charge facts = kit_fact(LLIM_TOKENS, 35);
    assert_int_equal(llim_settle(world.zone, &down, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 95);
    assert_int_equal(llim_settle(world.zone, &up, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 100);
    kit_advance(world.zone, 2 * KIT_HOUR);
    kit_permit(world.zone, row, LLIM_TOKENS, 50);
    assert_int_equal(llim_cancel(world.zone, &late), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 50);
    kit_step_wall(world.zone, -2 * KIT_HOUR);
    /* The day before has 70 left, this one 50: a decision behind an open period must fit both. */
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 51), LLIM_LATER);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 31), LLIM_LATER);
    kit_permit(world.zone, row, LLIM_TOKENS, 30);
    kit_close(&world);
}

static void test_debt_in_a_period(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, KIT_WALL, LLIM_PER_DAY, "", 100, 0);
    llim_charge facts = kit_charge(LLIM_TOKENS, LLIM_AMOUNT_MAX);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
        assert_true(kit_used(world.zone, row, 0) >= LLIM_AMOUNT_MAX);
    }
    check_refused_until(&world, row, MIDNIGHT);
    kit_advance(world.zone, KIT_DAY);
    kit_permit(world.zone, row, LLIM_TOKENS, 100);
    kit_close(&world);
}

static int settle_at(kit_world *world, llim_permit *permit, int64_t tokens)
{
    llim_charge facts = kit_fact(LLIM_TOKENS, tokens);
    return llim_settle(world->zone, permit, &facts);
}

/* A debt opens the period of its charge, and both near a boundary, although nothing was reserved. */
static void test_debt_without_a_reservation(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, KIT_WALL, LLIM_PER_DAY, "", 1000, KIT_GUARD);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 0);
    assert_int_equal(settle_at(&world, &permit, 900), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 900);
    kit_permit(world.zone, row, LLIM_TOKENS, 100);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_set_wall(world.zone, MIDNIGHT + KIT_DAY - KIT_GUARD / 2);
    permit = kit_permit(world.zone, row, LLIM_TOKENS, 0);
    assert_int_equal(settle_at(&world, &permit, 90), LLIM_OK);
    kit_set_wall(world.zone, MIDNIGHT + KIT_DAY + KIT_HOUR);
    assert_int_equal(kit_used(world.zone, row, 0), 90);
    kit_close(&world);
}

/* Behind two opened periods debt counts where the charges do. */
static void test_debt_behind_open_periods(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, MIDNIGHT, LLIM_PER_MINUTE, "", 100, 0);
    kit_permit(world.zone, row, LLIM_TOKENS, 1);
    kit_step_wall(world.zone, KIT_MINUTE);
    kit_permit(world.zone, row, LLIM_TOKENS, 1);
    kit_step_wall(world.zone, -KIT_HOUR);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 1);
    assert_int_equal(settle_at(&world, &permit, 1000), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 1001);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_close(&world);
}

/* Once its period is over, a debt is none of a later one, whether that is open or not. */
static void test_debt_of_a_period_that_is_over(void **state)
{
    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        kit_world world;
        llim_row row = limit_from(&world, KIT_WALL, LLIM_PER_DAY, "", 100, 0);
        llim_permit reserved = kit_permit(world.zone, row, LLIM_TOKENS, opened ? 1 : 0);
        kit_advance(world.zone, KIT_DAY);
        if (opened) kit_permit(world.zone, row, LLIM_TOKENS, 1);
        assert_int_equal(settle_at(&world, &reserved, 500), LLIM_OK);
        assert_int_equal(kit_used(world.zone, row, 0), opened ? 1 : 0);
        kit_close(&world);
    }
}

/* A newer period that is open by its guard, as a right clock opens it, has nothing to do with a debt of the day that ends. */
static void test_debt_at_the_end_of_a_day(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, KIT_WALL, LLIM_PER_DAY, "", 1000, KIT_GUARD);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 10);
    int64_t wall;
    kit_now(world.zone, NULL, &wall);
    kit_advance(world.zone, KIT_DAY - wall % KIT_DAY - KIT_GUARD / 2);
    kit_permit(world.zone, row, LLIM_TOKENS, 1); /* opens the next day */
    kit_advance(world.zone, KIT_GUARD / 4);
    assert_int_equal(settle_at(&world, &permit, 910), LLIM_OK);
    kit_advance(world.zone, KIT_HOUR);
    assert_int_equal(kit_used(world.zone, row, 0), 1);
    kit_close(&world);
}

/* A changed guard is another limit, which keeps both periods of the old one. */
static void test_a_new_guard_reopens_no_period(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = limit_from(&world, MIDNIGHT - KIT_HOUR, LLIM_PER_DAY, "", 100, 0);
    kit_permit(world.zone, row, LLIM_TOKENS, 100);
    kit_step_wall(world.zone, 2 * KIT_HOUR);
    llim_limit changed = kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "", 100, KIT_GUARD);
    row = kit_row(world.zone, "model:m", &changed, 1);
    kit_permit(world.zone, row, LLIM_TOKENS, 30);
    kit_step_wall(world.zone, -2 * KIT_HOUR);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    changed.guard_ns = KIT_GUARD / 2;
    row = kit_row(world.zone, "model:m", &changed, 1);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_step_wall(world.zone, 2 * KIT_HOUR);
    kit_permit(world.zone, row, LLIM_TOKENS, 70);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_close(&world);
}

/* The words of a new limit are of no period, wherever the clock is set before the first charge. Later a step forward, even of
   many years, opens the new period, whole. */
static void test_clock_set_by_years(void **state)
{
    (void)state;
    static const int units[] = {LLIM_PER_HOUR, LLIM_PER_DAY, LLIM_PER_MONTH};
    for (size_t u = 0; u < KIT_COUNT(units); u++) {
        for (int64_t days = -50 * 365; days <= 55 * 365; days += days > -400 && days < 400 ? 1 : 97) {
            kit_world world;
            llim_row row = limit_from(&world, KIT_WALL, units[u], "", 10, KIT_GUARD);
            const bool used = days % 2 && days > 31;
            if (used) kit_permit(world.zone, row, LLIM_TOKENS, 7);
            kit_set_wall(world.zone, KIT_WALL + days * KIT_DAY);
            for (int i = 0; i < 10; i++) kit_permit(world.zone, row, LLIM_TOKENS, 1);
            llim_charge charge = kit_charge(LLIM_TOKENS, 1);
            llim_refusal refusal;
            assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
            assert_true(refusal.wait_ns <= 31 * KIT_DAY);
            kit_check_instant(&world, &row, 1, &charge, &refusal);
            kit_close(&world);
        }
    }
}

/* A period that a false clock opened years ahead is waited for, to the instant, and no longer. */
static void test_clock_set_back_by_years(void **state)
{
    (void)state;
    static const int units[] = {LLIM_PER_MINUTE, LLIM_PER_HOUR, LLIM_PER_DAY, LLIM_PER_WEEK, LLIM_PER_MONTH};
    static const int years[] = {3, 55, 55, 55, 55};
    for (size_t u = 0; u < KIT_COUNT(units); u++) {
        kit_world world;
        llim_row row = limit_from(&world, KIT_WALL, units[u], "America/Los_Angeles", 10, KIT_GUARD);
        kit_set_wall(world.zone, KIT_WALL + years[u] * 365 * KIT_DAY);
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        kit_set_wall(world.zone, KIT_WALL);
        llim_charge charge = kit_charge(LLIM_TOKENS, 1);
        llim_refusal refusal;
        assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
        assert_true(refusal.wait_ns > years[u] * 365 * KIT_DAY - 31 * KIT_DAY);
        kit_set_wall(world.zone, KIT_WALL + refusal.wait_ns - 1);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
        kit_set_wall(world.zone, KIT_WALL + refusal.wait_ns);
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        kit_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debt_without_a_reservation),
        cmocka_unit_test(test_debt_behind_open_periods),
        cmocka_unit_test(test_debt_of_a_period_that_is_over),
        cmocka_unit_test(test_debt_at_the_end_of_a_day),
        cmocka_unit_test(test_a_new_guard_reopens_no_period),
        cmocka_unit_test(test_clock_set_by_years),
        cmocka_unit_test(test_clock_set_back_by_years),
        cmocka_unit_test(test_odd_days_reset_once),
        cmocka_unit_test(test_repeated_hour_is_a_new_period),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_guard_charges_both_periods),
        cmocka_unit_test(test_backward_step_never_reopens),
        cmocka_unit_test(test_charges_behind_an_open_period_count_in_it),
        cmocka_unit_test(test_a_boundary_behind_open_periods_holds_for_its_guard),
        cmocka_unit_test(test_wall_steps_leave_minute_windows_alone),
        cmocka_unit_test(test_settling_moves_the_period_of_the_charge),
        cmocka_unit_test(test_debt_in_a_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
