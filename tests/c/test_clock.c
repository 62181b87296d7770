/*
 * test_clock.c - the two times of a zone: the virtual clock's contract, and that the real one is the system's.
 */
#include "kit.h"

#include <time.h>

static void test_virtual_clock_stands_still(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    int64_t steady, wall;
    for (int i = 0; i < 3; i++) {
        llim_zone_now(world.zone, &steady, &wall);
        assert_int_equal(steady, KIT_START);
        assert_int_equal(wall, KIT_WALL);
    }
    llim_zone_now(world.zone, NULL, &wall);
    llim_zone_now(world.zone, &steady, NULL);
    llim_zone_now(world.zone, NULL, NULL);
    kit_close(&world);
}

static void test_steady_never_goes_back_and_wall_may(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    int64_t steady, wall;
    assert_int_equal(llim_zone_set_clock(world.zone, KIT_START + 5, KIT_WALL - KIT_DAY), LLIM_OK);
    assert_int_equal(llim_zone_set_clock(world.zone, KIT_START + 4, KIT_WALL + 9), LLIM_ERANGE);
    llim_zone_now(world.zone, &steady, &wall);
    assert_int_equal(steady, KIT_START + 5);
    assert_int_equal(wall, KIT_WALL - KIT_DAY);
    assert_int_equal(llim_zone_set_clock(world.zone, KIT_START + 5, KIT_WALL - 2 * KIT_DAY), LLIM_OK);
    assert_int_equal(llim_zone_set_clock(world.zone, INT64_MIN, KIT_WALL), LLIM_ERANGE);
    llim_zone_now(world.zone, &steady, &wall);
    assert_int_equal(steady, KIT_START + 5);
    assert_int_equal(wall, KIT_WALL - 2 * KIT_DAY);
    kit_close(&world);
}

static void test_clock_may_start_at_zero(void **state)
{
    (void)state;
    llim_zone_options options = {.size = sizeof options, .clock = LLIM_CLOCK_VIRTUAL};
    llim_zone *zone;
    assert_int_equal(llim_zone_open(&options, &zone, NULL), LLIM_OK);
    static const int laws[] = {LLIM_SLIDING, LLIM_BUCKET};
    for (size_t i = 0; i < KIT_COUNT(laws); i++) {
        llim_limit limit = kit_limit(LLIM_TOKENS, laws[i], 10, 400 * KIT_DAY, 0);
        llim_row row = kit_row(zone, i ? "team:a" : "team:b", &limit, 1);
        assert_int_equal(kit_used(zone, row, 0), 0);
        kit_permit(zone, row, LLIM_TOKENS, 10);
        assert_int_equal(kit_admit(zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    }
    llim_zone_close(zone);
}

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * KIT_SECOND + ts.tv_nsec;
}

static void test_real_clock_is_the_systems(void **state)
{
    (void)state;
    llim_zone *zone;
    assert_int_equal(llim_zone_open(NULL, &zone, NULL), LLIM_OK);
    assert_int_equal(llim_zone_set_clock(zone, INT64_MAX / 2, KIT_WALL), LLIM_EINVAL);
    int64_t last = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < 10000; i++) {
        int64_t steady, wall;
        llim_zone_now(zone, &steady, &wall);
        int64_t now = read_clock(CLOCK_MONOTONIC);
        assert_true(last <= steady && steady <= now);
        last = now;
        /* Not a measure of time: a clock of the wrong epoch or unit is off by years. */
        int64_t off = wall - read_clock(CLOCK_REALTIME);
        assert_true(off > -KIT_HOUR && off < KIT_HOUR);
    }
    llim_zone_close(zone);
}

/* What a permit and a refusal say about both clocks belongs to one instant, wherever the wall clock has been set. */
static void test_wall_steps_show_in_permits_and_refusals(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 10, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "model:m", &limit, 1);
    static const int64_t steps[] = {0, KIT_HOUR, -KIT_HOUR, 365 * KIT_DAY, -700 * KIT_DAY};
    llim_charge charge = kit_charge(LLIM_TOKENS, 10);
    for (size_t i = 0; i < KIT_COUNT(steps); i++) {
        kit_step_wall(world.zone, steps[i]);
        int64_t steady, wall;
        llim_zone_now(world.zone, &steady, &wall);
        llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 10);
        assert_int_equal(permit.at_ns, steady);
        assert_int_equal(permit.wall_ns, wall);
        llim_refusal refusal;
        assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
        kit_check_instant(&world, &row, 1, &charge, &refusal);
        kit_advance(world.zone, refusal.wait_ns);
    }
    kit_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual_clock_stands_still),
        cmocka_unit_test(test_steady_never_goes_back_and_wall_may),
        cmocka_unit_test(test_clock_may_start_at_zero),
        cmocka_unit_test(test_real_clock_is_the_systems),
        cmocka_unit_test(test_wall_steps_show_in_permits_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
