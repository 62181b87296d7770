/*
 * test_bucket.c - the bucket law: the waits that OpenAI printed, the formula to the nanosecond, give-back, debt, and the
 * guard's rule.
 */
#include "kit.h"

/* Texts of real 429 answers as published in the issue trackers named, and OpenAI's documentation. printed_ms is what the
   answer said; OpenAI truncates to milliseconds, we round up to the clock's nanosecond. */
typedef struct capture {
    const char *source;
    int64_t limit, window, used, requested, printed_ms;
} capture;

static const capture captures[] = {
    {"TPM, semanser/codel#72", 30000, KIT_MINUTE, 14567, 24754, 18642},
    {"TPM, BuilderIO/micro-agent#86", 30000, KIT_MINUTE, 29937, 385, 644},
    {"TPM, continuedev/continue#11472", 30000, KIT_MINUTE, 18928, 11159, 174},
    {"TPM, openai/codex#88", 200000, KIT_MINUTE, 162960, 42288, 1574},
    {"TPM, MetaGPT#523", 10000, KIT_MINUTE, 8554, 3082, 9816},
    {"TPM, answer with retry-after-ms: 534", 30000, KIT_MINUTE, 29446, 821, 534},
    {"RPM, tts-1", 3, KIT_MINUTE, 3, 1, 20000},
    {"RPD, OpenAI documentation", 200, KIT_DAY, 200, 1, 432000},
    {"RPD, realtime", 1000, KIT_DAY, 1000, 1, 86400},
    {"RPD, gpt-5.4-mini free", 50, KIT_DAY, 50, 1, 1728000},
    {"RPD, gpt-4-vision", 2000, KIT_DAY, 2000, 1, 43200},
    {"IPM, gpt-image", 5, KIT_MINUTE, 5, 1, 12000},
};

static void test_waits_are_what_openai_printed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(captures); i++) {
        const capture *c = &captures[i];
        kit_world world;
        kit_open(&world, 1, 1, 1);
        llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_BUCKET, c->limit, c->window, 0);
        llim_row row = kit_row(world.zone, "model:m", &spec, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, c->used);
        llim_charge charge = kit_charge(LLIM_TOKENS, c->requested);
        llim_refusal refusal;
        assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
        assert_int_equal(refusal.used, c->used);
        assert_int_equal(refusal.amount, c->requested);
        assert_int_equal(refusal.limit, c->limit);
        if (refusal.wait_ns / KIT_MS != c->printed_ms)
            fail_msg("%s: %lld ns, printed %lld ms", c->source, (long long)refusal.wait_ns, (long long)c->printed_ms);
        kit_check_instant(&world, &row, 1, &charge, &refusal);
        kit_close(&world);
    }
}

/* What a charge costs, in halves of a nanosecond. */
static int64_t halves(int64_t amount, int64_t limit, int64_t window)
{
    return (int64_t)(((kit_wide)amount * window * 2 + limit - 1) / limit);
}

static void test_wait_is_the_formula_rounded_up(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    for (int i = 0; i < 2000; i++) {
        int64_t limit = kit_magnitude(&rng, 1000000000) + 1, window = KIT_SECOND + kit_magnitude(&rng, 100 * KIT_DAY);
        int64_t used = kit_between(&rng, 1, limit), asked = kit_between(&rng, limit - used + 1, limit);
        kit_world world;
        kit_open(&world, 1, 1, 1);
        llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_BUCKET, limit, window, 0);
        llim_row row = kit_row(world.zone, "model:m", &spec, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, used);
        int64_t over = halves(used, limit, window) + halves(asked, limit, window) - 2 * window;
        assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, asked), (over + 1) / 2);
        kit_close(&world);
    }
}

static llim_row one_bucket(kit_world *world, int64_t limit, int64_t window, int64_t guard)
{
    kit_open(world, 1, 1, 1);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_BUCKET, limit, window, guard);
    return kit_row(world->zone, "model:m", &spec, 1);
}

static void test_refills_continuously(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 60, KIT_MINUTE, 0);
    kit_permit(world.zone, row, LLIM_TOKENS, 60);
    for (int second = 1; second <= 300; second++) {
        kit_at(world.zone, second * KIT_SECOND - 1);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
        assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 1), 1);
        kit_at(world.zone, second * KIT_SECOND);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_OK);
    }
    assert_int_equal(kit_reset(world.zone, row, 0), KIT_MINUTE);
    kit_close(&world);
}

static void test_give_back_is_what_was_not_refilled(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 60, KIT_MINUTE, 0);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 30);
    llim_permit other = kit_permit(world.zone, row, LLIM_TOKENS, 30);
    kit_at(world.zone, 10 * KIT_SECOND);
    assert_int_equal(kit_used(world.zone, row, 0), 50);
    assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 30);
    kit_at(world.zone, 35 * KIT_SECOND);
    assert_int_equal(kit_used(world.zone, row, 0), 5);
    assert_int_equal(llim_cancel(world.zone, &other), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 5);
    kit_close(&world);
}

/* A client that reserves the whole bucket, cancels and reserves again never gets more than a bucket would give. */
static void test_give_back_never_over_admits(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    kit_world world;
    llim_row row = one_bucket(&world, 1000, KIT_MINUTE, 0);
    int64_t kept = 0;
    for (int64_t now = 0; now < 3000 * KIT_SECOND; now += kit_magnitude(&rng, 20 * KIT_SECOND)) {
        kit_at(world.zone, now);
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&rng, 1, 1000));
        llim_permit permit;
        if (llim_admit(world.zone, &row, 1, &charge, &permit, NULL) != LLIM_OK) continue;
        if (kit_between(&rng, 0, 1)) {
            now += kit_magnitude(&rng, 90 * KIT_SECOND);
            kit_at(world.zone, now);
            assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
        } else {
            kept += charge.amount[LLIM_TOKENS];
            assert_true(kept <= 1000 + now / (KIT_MINUTE / 1000) + 1);
        }
    }
    assert_true(kept > 1000);
    kit_close(&world);
}

static void test_debt_adds_in_full(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 60, KIT_MINUTE, 0);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 10);
    kit_at(world.zone, 5 * KIT_SECOND);
    llim_charge facts = kit_fact(LLIM_TOKENS, 100);
    assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 95);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 0), 35 * KIT_SECOND);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 1), 36 * KIT_SECOND);
    assert_int_equal(kit_reset(world.zone, row, 0), 95 * KIT_SECOND);
    kit_close(&world);
}

/* Debt counts from its settlement, however long ago the reservation was made and refilled. */
static void test_late_debt_counts_from_now(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 60, KIT_MINUTE, 0);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 10);
    kit_at(world.zone, 300 * KIT_SECOND);
    llim_charge facts = kit_fact(LLIM_TOKENS, 70);
    assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 60);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 1), KIT_SECOND);
    kit_close(&world);
}

static void test_debt_saturates(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 1, 400 * KIT_DAY, 0);
    llim_charge facts = kit_charge(LLIM_TOKENS, LLIM_AMOUNT_MAX);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
        assert_true(kit_wait(world.zone, row, LLIM_TOKENS, 1) > 0);
        assert_true(kit_used(world.zone, row, 0) > 1);
    }
    /* The engine may stop counting debt somewhere, but not below a whole window. */
    kit_advance(world.zone, 399 * KIT_DAY);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
    kit_close(&world);
}

/* Limit 60 a minute with a guard of 2 s: the whole limit fits an idle bucket only, else two seconds' worth are kept free. */
static void test_guard_rule(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_bucket(&world, 60, KIT_MINUTE, 2 * KIT_SECOND);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 61), LLIM_NEVER);
    kit_permit(world.zone, row, LLIM_TOKENS, 60);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 1), 3 * KIT_SECOND);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 58), 60 * KIT_SECOND);
    /* 59 and 60 never fit beside the guard: they wait until the bucket is idle. */
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 59), 62 * KIT_SECOND);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 60), 62 * KIT_SECOND);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_OK);
    kit_at(world.zone, 62 * KIT_SECOND - 1);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 59), LLIM_LATER);
    kit_at(world.zone, 62 * KIT_SECOND);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 59), LLIM_OK);
    assert_int_equal(kit_wait(world.zone, row, LLIM_TOKENS, 1), 2 * KIT_SECOND);
    kit_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_are_what_openai_printed),
        cmocka_unit_test(test_wait_is_the_formula_rounded_up),
        cmocka_unit_test(test_refills_continuously),
        cmocka_unit_test(test_give_back_is_what_was_not_refilled),
        cmocka_unit_test(test_give_back_never_over_admits),
        cmocka_unit_test(test_debt_adds_in_full),
        cmocka_unit_test(test_late_debt_counts_from_now),
        cmocka_unit_test(test_debt_saturates),
        cmocka_unit_test(test_guard_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
