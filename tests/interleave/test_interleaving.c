/*
 * test_interleaving.c - the lock-free engine under a deterministic scheduler: what its essays claim, in many thousand seeded
 * schedules with standing threads, passing windows, reloads and deaths.
 *
 * LLIM_SCHEDULES scales the number of schedules (300 is the default). A failure prints its seed: LLIM_SEED=<seed> runs that
 * one schedule of every play.
 */
#include <stdlib.h>

#include "scene.h"

#define SLIDING(meter_, amount_)                                                                                       \
    {                                                                                                                  \
        .meter = meter_, .law = LLIM_SLIDING, .amount = amount_, .window_ns = KIT_MINUTE, .guard_ns = KIT_GUARD        \
    }
#define BUCKET(meter_, amount_)                                                                                        \
    {                                                                                                                  \
        .meter = meter_, .law = LLIM_BUCKET, .amount = amount_, .window_ns = KIT_MINUTE                                \
    }
#define MINUTES(meter_, amount_)                                                                                       \
    {                                                                                                                  \
        .meter = meter_, .law = LLIM_CALENDAR, .unit = LLIM_PER_MINUTE, .amount = amount_, .guard_ns = KIT_SECOND      \
    }
#define GAUGE(amount_)                                                                                                 \
    {                                                                                                                  \
        .meter = LLIM_SESSIONS, .law = LLIM_GAUGE, .amount = amount_, .window_ns = 30 * KIT_SECOND                     \
    }

static void run(const play *p, int64_t thousands)
{
    if (getenv("LLIM_SEED")) {
        kit_rng rng = kit_seed();
        const char *wrong = scene_run(p, rng.state);
        if (wrong) fail_msg("%s", wrong);
        return;
    }
    kit_rng rng = kit_seed();
    for (int64_t i = thousands * 1000 * kit_env("LLIM_SCHEDULES", 300) / 100; i > 0; i--) {
        uint64_t seed = kit_random(&rng) >> 1;
        const char *wrong = scene_run(p, seed);
        if (wrong) fail_msg("LLIM_SEED=%llu: %s", (unsigned long long)seed, wrong);
    }
}

static void while_time_passes(play p, int64_t thousands)
{
    run(&p, thousands);
    p.deaths = 2;
    run(&p, thousands);
}

static void variants(play p, int64_t thousands)
{
    p.still = true;
    run(&p, thousands);
    p.still = false;
    while_time_passes(p, thousands);
}

static void test_sliding(void **state)
{
    (void)state;
    variants((play){.threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {SLIDING(LLIM_TOKENS, 20)}}, 4);
}

static void test_sliding_debts(void **state)
{
    (void)state;
    variants(
        (play){
            .threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {SLIDING(LLIM_TOKENS, 20)}, .debts = true},
        2);
}

static void test_bucket(void **state)
{
    (void)state;
    variants((play){.threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {BUCKET(LLIM_TOKENS, 20)}}, 3);
}

static void test_bucket_debts(void **state)
{
    (void)state;
    variants(
        (play){.threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {BUCKET(LLIM_TOKENS, 20)}, .debts = true},
        2);
}

static void test_calendar(void **state)
{
    (void)state;
    variants(
        (play){
            .threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {MINUTES(LLIM_TOKENS, 20)}, .debts = true},
        3);
}

static void test_gauge(void **state)
{
    (void)state;
    variants((play){.threads = 3, .calls = 6, .n_rows = 1, .n_limits = 1, .limit = {GAUGE(3)}}, 3);
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    variants((play){.threads = 4,
                    .calls = 5,
                    .n_rows = 2,
                    .n_limits = 3,
                    .limit = {SLIDING(LLIM_REQUESTS, 6), BUCKET(LLIM_TOKENS, 20), MINUTES(LLIM_IMAGES, 8)}},
             3);
}

static void test_reload_of_amounts(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 5,
                    .n_rows = 1,
                    .n_limits = 3,
                    .limit = {SLIDING(LLIM_TOKENS, 20), BUCKET(LLIM_IMAGES, 16), MINUTES(LLIM_REQUESTS, 8)},
                    .resizes = {true, true, true}},
             3);
}

static void test_reload_of_windows(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 5,
                    .n_rows = 1,
                    .n_limits = 2,
                    .limit = {SLIDING(LLIM_TOKENS, 20), SLIDING(LLIM_IMAGES, 16)},
                    .debts = true,
                    .resizes = {true, true},
                    .other_window_ns = {0, 4 * KIT_MINUTE}},
             3);
}

static void test_reload_of_laws(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 5,
                    .n_rows = 1,
                    .n_limits = 3,
                    .limit = {SLIDING(LLIM_TOKENS, 20), SLIDING(LLIM_IMAGES, 16), SLIDING(LLIM_COST, 16)},
                    .debts = true,
                    .other_law = {0, LLIM_BUCKET, 0},
                    .comes_and_goes = {false, false, true}},
             3);
}

static void test_reload_to_calendars(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 5,
                    .n_rows = 1,
                    .n_limits = 2,
                    .limit = {SLIDING(LLIM_TOKENS, 20), BUCKET(LLIM_IMAGES, 16)},
                    .debts = true,
                    .other_law = {LLIM_CALENDAR, LLIM_CALENDAR}},
             3);
}

static void test_reload_of_two_rows(void **state)
{
    (void)state;
    variants((play){.threads = 4,
                    .calls = 5,
                    .n_rows = 2,
                    .n_limits = 3,
                    .limit = {SLIDING(LLIM_TOKENS, 20), BUCKET(LLIM_IMAGES, 16), MINUTES(LLIM_REQUESTS, 8)},
                    .resizes = {true, true, true},
                    .comes_and_goes = {false, false, true}},
             3);
}

/* Few threads on little, so that most schedules have a decision that stands while a reload comes and goes. */
static void test_reload_past_a_decision(void **state)
{
    (void)state;
    run(&(play){.threads = 3,
                .calls = 4,
                .still = true,
                .n_rows = 2,
                .n_limits = 1,
                .limit = {SLIDING(LLIM_TOKENS, 20)},
                .resizes = {true}},
        12);
}

static void test_recycling(void **state)
{
    (void)state;
    play p = {.threads = 4,
              .calls = 7,
              .n_rows = 4,
              .n_limits = 2,
              .places = 2,
              .limit = {SLIDING(LLIM_TOKENS, 20), MINUTES(LLIM_IMAGES, 8)},
              .cools = true,
              .records = true};
    variants(p, 4);
    /* Only time that passes keeps a new tenant's bucket from beginning with a word that the last one had. */
    p.limit[0] = (llim_limit)BUCKET(LLIM_TOKENS, 20);
    while_time_passes(p, 4);
}

static void test_recycling_of_gauges(void **state)
{
    (void)state;
    variants((play){.threads = 4, .calls = 7, .n_rows = 3, .n_limits = 1, .places = 2, .limit = {GAUGE(3)}}, 3);
}

static void test_records(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 6,
                    .n_rows = 2,
                    .n_limits = 3,
                    .limit = {SLIDING(LLIM_REQUESTS, 6), BUCKET(LLIM_TOKENS, 20), MINUTES(LLIM_IMAGES, 8)},
                    .records = true},
             3);
}

static void test_cooldowns(void **state)
{
    (void)state;
    variants(
        (play){
            .threads = 4, .calls = 7, .n_rows = 2, .n_limits = 1, .limit = {SLIDING(LLIM_TOKENS, 20)}, .cools = true},
        2);
}

static void test_wall_clock_steps(void **state)
{
    (void)state;
    variants((play){.threads = 3,
                    .calls = 7,
                    .n_rows = 1,
                    .n_limits = 2,
                    .limit = {MINUTES(LLIM_TOKENS, 20), MINUTES(LLIM_IMAGES, 8)},
                    .debts = true,
                    .records = true,
                    .wall_step_ns = 3 * KIT_MINUTE},
             4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sliding),
        cmocka_unit_test(test_sliding_debts),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_bucket_debts),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_gauge),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_reload_of_amounts),
        cmocka_unit_test(test_reload_of_windows),
        cmocka_unit_test(test_reload_of_laws),
        cmocka_unit_test(test_reload_to_calendars),
        cmocka_unit_test(test_reload_of_two_rows),
        cmocka_unit_test(test_reload_past_a_decision),
        cmocka_unit_test(test_recycling),
        cmocka_unit_test(test_recycling_of_gauges),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_cooldowns),
        cmocka_unit_test(test_wall_clock_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
