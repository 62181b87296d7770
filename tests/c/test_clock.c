/*
 * test_clock.c - the two times of a zone: the virtual clock's contract, that the real one is the system's, and that nobody
 * who sets the system's wall clock frees or locks a window.
 *
 * This program has a clock_gettime of its own, which the library, linked statically, calls instead of libc's. It reads the
 * true clock and adds what a test wants to have passed and to have been set; held, it stands still but for that, so that
 * what is expected is exact.
 */
#include "kit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_bool held;
static int64_t held_steady, held_wall;
static _Atomic int64_t passed;  /* added to both clocks */
static _Atomic int64_t stepped; /* added to the wall clock */
static _Atomic int64_t lag;     /* that passes after each reading */

static int64_t true_clock(clockid_t id)
{
    long at[2];
    if (syscall(SYS_clock_gettime, id, at) != 0) abort();
    return at[0] * KIT_SECOND + at[1];
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    bool wall = id == CLOCK_REALTIME;
    int64_t at = !held ? true_clock(id) : wall ? held_wall : held_steady;
    at += passed + (wall ? stepped : 0);
    passed += lag;
    *ts = (struct timespec){.tv_sec = at / KIT_SECOND, .tv_nsec = at % KIT_SECOND};
    return 0;
}

static int hold(void **state)
{
    (void)state;
    held_steady = true_clock(CLOCK_MONOTONIC);
    held_wall = KIT_WALL;
    held = true;
    return 0;
}

static int let_go(void **state)
{
    (void)state;
    held = false;
    passed = stepped = lag = 0;
    return 0;
}

/* Long enough for any zone to look at the wall clock again. */
static void step_wall(int64_t ns)
{
    stepped += ns;
    passed += 2 * KIT_MS;
}

static llim_zone *open_real(void)
{
    llim_zone *zone;
    assert_int_equal(llim_zone_open(NULL, &zone, NULL), LLIM_OK);
    return zone;
}

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

/* The instant of a refusal, which must follow the wall clock as it is set now. */
static int64_t refused_until(llim_zone *zone, llim_row row, int meter, int64_t amount)
{
    llim_charge charge = kit_charge(meter, amount);
    llim_refusal refusal;
    assert_int_equal(llim_check(zone, &row, 1, &charge, &refusal), LLIM_LATER);
    assert_int_equal(refusal.at_ns, held_steady + passed + refusal.wait_ns);
    assert_int_equal(refusal.at_wall_ns, held_wall + passed + stepped + refusal.wait_ns);
    return refusal.at_ns;
}

static const int64_t steps[] = {KIT_HOUR, -KIT_HOUR, 400 * KIT_DAY, -400 * KIT_DAY};

static void test_real_wall_steps_neither_free_nor_lock(void **state)
{
    (void)state;
    static const int laws[] = {LLIM_SLIDING, LLIM_BUCKET, LLIM_GAUGE};
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        for (size_t i = 0; i < KIT_COUNT(steps); i++) {
            llim_zone *zone = open_real();
            int meter = laws[l] == LLIM_GAUGE ? LLIM_SESSIONS : LLIM_TOKENS;
            llim_limit limit = kit_limit(meter, laws[l], 2, KIT_MINUTE, 0);
            llim_row row = kit_row(zone, "model:m", &limit, 1);
            kit_permit(zone, row, meter, 1);
            step_wall(steps[i]);
            kit_permit(zone, row, meter, 1); /* what was free is */
            int64_t until = refused_until(zone, row, meter, 1);
            step_wall(-steps[i]);
            assert_int_equal(refused_until(zone, row, meter, 1), until);
            step_wall(steps[i]);
            assert_int_equal(refused_until(zone, row, meter, 1), until);
            passed = until - KIT_MS - held_steady;
            assert_int_equal(refused_until(zone, row, meter, 1), until);
            step_wall(-steps[i]);
            passed = until - held_steady;
            kit_permit(zone, row, meter, 1);
            llim_zone_close(zone);
        }
    }
}

/* Wall clock at which the refusal ends. */
static int64_t full_until(llim_zone *zone, llim_row row)
{
    return refused_until(zone, row, LLIM_TOKENS, 1) - held_steady + held_wall + stepped;
}

static void test_real_wall_steps_across_midnight(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t midnight; /* the next after KIT_WALL */
    } places[] = {{"", KIT_WALL + 12 * KIT_HOUR}, {"America/Los_Angeles", KIT_WALL + 19 * KIT_HOUR}};
    for (size_t i = 0; i < KIT_COUNT(places); i++) {
        int64_t midnight = places[i].midnight;
        stepped = 0;
        passed = midnight - KIT_WALL - KIT_HOUR / 2;
        llim_zone *zone = open_real();
        llim_limit limit = kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, places[i].zone, 10, 0);
        llim_row row = kit_row(zone, "model:m", &limit, 1);
        kit_permit(zone, row, LLIM_TOKENS, 10);
        assert_int_equal(full_until(zone, row), midnight);
        step_wall(-KIT_HOUR); /* not across anything */
        assert_int_equal(full_until(zone, row), midnight);
        step_wall(KIT_HOUR);
        assert_int_equal(full_until(zone, row), midnight);
        step_wall(KIT_HOUR); /* the exception: the new day opens */
        assert_int_equal(kit_used(zone, row, 0), 0);
        kit_permit(zone, row, LLIM_TOKENS, 9);
        step_wall(-KIT_HOUR); /* the old one does not, and has nothing left */
        assert_int_equal(full_until(zone, row), midnight);
        step_wall(KIT_HOUR);
        kit_permit(zone, row, LLIM_TOKENS, 1);
        for (int back = 0; back < 60; back++) {
            assert_int_equal(full_until(zone, row), midnight + KIT_DAY);
            step_wall(-KIT_HOUR);
        }
        step_wall(60 * KIT_HOUR + KIT_DAY);
        kit_permit(zone, row, LLIM_TOKENS, 10);
        assert_int_equal(full_until(zone, row), midnight + 2 * KIT_DAY);
        /* a day that was left with room does not reopen either: it takes no more than the newer one has left */
        step_wall(KIT_DAY);
        kit_permit(zone, row, LLIM_TOKENS, 4);
        step_wall(KIT_DAY);
        kit_permit(zone, row, LLIM_TOKENS, 7);
        step_wall(-KIT_HOUR);
        kit_permit(zone, row, LLIM_TOKENS, 3);
        assert_int_equal(full_until(zone, row), midnight + 4 * KIT_DAY);
        step_wall(KIT_HOUR);
        assert_int_equal(full_until(zone, row), midnight + 4 * KIT_DAY);
        llim_zone_close(zone);
    }
}

static int64_t wall_offset(llim_zone *zone)
{
    int64_t steady, wall;
    llim_zone_now(zone, &steady, &wall);
    return wall - steady;
}

static void test_real_wall_steps_are_seen_after_a_millisecond(void **state)
{
    (void)state;
    llim_zone *zone = open_real();
    int64_t offset = held_wall - held_steady;
    for (size_t i = 0; i < KIT_COUNT(steps); i++) {
        stepped += steps[i];
        assert_int_equal(wall_offset(zone), offset); /* time stands still: nobody looks */
        passed += KIT_MS;
        assert_int_equal(wall_offset(zone), offset);
        passed += 1;
        offset += steps[i];
        assert_int_equal(wall_offset(zone), offset);
    }
    llim_zone_close(zone);
}

/* A clock whose reading takes long (a thread that is held up there, a machine that emulates another). */
static void test_real_clock_may_be_slow(void **state)
{
    (void)state;
    static const int64_t lags[] = {1000, 99999, 100000, 200000, 5 * KIT_MS, KIT_SECOND};
    for (size_t i = 0; i < KIT_COUNT(lags); i++) {
        lag = 0;
        llim_zone *zone = open_real();
        int64_t offset = held_wall - held_steady + stepped;
        lag = lags[i];
        passed += 2 * KIT_MS;
        assert_int_equal(wall_offset(zone), offset); /* the pause itself moves nothing */
        for (size_t k = 0; k < KIT_COUNT(steps); k++) {
            step_wall(steps[k]);
            offset += steps[k];
            int64_t off = wall_offset(zone) - offset;
            assert_true(-lag <= off && off <= lag);
        }
        llim_zone_close(zone);
    }
}

enum { THREADS = 4, MOST = 500, TOGGLES = 400, LAWS = 3 };

typedef struct crowd {
    llim_zone *zone;
    llim_row row[LAWS];
    atomic_bool over;
    _Atomic int64_t rounds;
    _Atomic int64_t admitted[LAWS];
    _Atomic int64_t back; /* how often the steady clock went back */
} crowd;

static void *decide(void *arg)
{
    crowd *c = arg;
    int64_t last = 0;
    while (!c->over) {
        for (int i = 0; i < LAWS; i++) c->admitted[i] += kit_admit(c->zone, c->row[i], LLIM_TOKENS, 1) == LLIM_OK;
        int64_t steady;
        llim_zone_now(c->zone, &steady, NULL);
        c->back += steady < last;
        last = steady;
        c->rounds++;
    }
    return NULL;
}

/* The true clock runs on while several threads read it and the wall clock is set to and fro across midnight. */
static void test_real_wall_steps_under_threads(void **state)
{
    (void)state;
    int64_t midnight = KIT_WALL + 12 * KIT_HOUR;
    stepped = midnight - 6 * KIT_HOUR - true_clock(CLOCK_REALTIME);
    crowd c = {.zone = open_real()};
    llim_limit limit[LAWS] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, MOST, 400 * KIT_DAY, 0),
                              kit_limit(LLIM_TOKENS, LLIM_BUCKET, MOST, 400 * KIT_DAY, 0),
                              kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "", MOST, 0)};
    static const char *const scope[LAWS] = {"team:sliding", "team:bucket", "team:calendar"};
    for (int i = 0; i < LAWS; i++) c.row[i] = kit_row(c.zone, scope[i], &limit[i], 1);
    kit_permit(c.zone, c.row[2], LLIM_TOKENS, MOST); /* the day before is full, the day to come will be once */
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, decide, &c), 0);
    for (int i = 0; i < TOGGLES; i++) {
        int64_t rounds = c.rounds;
        step_wall(i % 2 ? -12 * KIT_HOUR : 12 * KIT_HOUR);
        while (c.rounds == rounds) sched_yield();
    }
    step_wall(12 * KIT_HOUR);
    c.over = true;
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(c.back, 0);
    for (int i = 0; i < LAWS; i++) {
        while (kit_admit(c.zone, c.row[i], LLIM_TOKENS, 1) == LLIM_OK) c.admitted[i]++;
        assert_int_equal(c.admitted[i], MOST);
        assert_int_equal(kit_used(c.zone, c.row[i], 0), MOST);
    }
    llim_zone_close(c.zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual_clock_stands_still),
        cmocka_unit_test(test_steady_never_goes_back_and_wall_may),
        cmocka_unit_test(test_clock_may_start_at_zero),
        cmocka_unit_test(test_real_clock_is_the_systems),
        cmocka_unit_test(test_wall_steps_show_in_permits_and_refusals),
        cmocka_unit_test_setup_teardown(test_real_wall_steps_neither_free_nor_lock, hold, let_go),
        cmocka_unit_test_setup_teardown(test_real_wall_steps_across_midnight, hold, let_go),
        cmocka_unit_test_setup_teardown(test_real_wall_steps_are_seen_after_a_millisecond, hold, let_go),
        cmocka_unit_test_setup_teardown(test_real_clock_may_be_slow, hold, let_go),
        cmocka_unit_test_teardown(test_real_wall_steps_under_threads, let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
