/*
 * test_guard.c - what the guard is for: a provider that counts exactly, but sees each request some time later, within the
 * guard, and not in order, refuses none of those that the engine has admitted. Cancelled requests never reach it.
 */
#include "kit.h"

#include <stdlib.h>

enum { MOST = 60000 };

typedef struct arrival {
    int64_t at, amount;
} arrival;

static int by_time(const void *a, const void *b)
{
    const arrival *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static uint32_t sliding_refuses(const arrival *seen, uint32_t n, const llim_limit *limit)
{
    uint32_t refused = 0, oldest = 0;
    int64_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (; seen[oldest].at + limit->window_ns <= seen[i].at; oldest++) used -= seen[oldest].amount;
        used += seen[i].amount;
        refused += used > limit->amount;
    }
    return refused;
}

/* Level times window, so that nothing is rounded. */
static uint32_t bucket_refuses(const arrival *seen, uint32_t n, const llim_limit *limit)
{
    uint32_t refused = 0;
    kit_wide level = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) level -= (kit_wide)limit->amount * (seen[i].at - seen[i - 1].at);
        if (level < 0) level = 0;
        level += (kit_wide)seen[i].amount * limit->window_ns;
        refused += level > (kit_wide)limit->amount * limit->window_ns;
    }
    return refused;
}

/* Periods of minutes. */
static uint32_t calendar_refuses(const arrival *seen, uint32_t n, const llim_limit *limit)
{
    uint32_t refused = 0;
    int64_t period = -1, used = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (seen[i].at / KIT_MINUTE != period) used = 0;
        period = seen[i].at / KIT_MINUTE;
        used += seen[i].amount;
        refused += used > limit->amount;
    }
    return refused;
}

typedef uint32_t (*provider)(const arrival *seen, uint32_t n, const llim_limit *limit);

typedef struct client {
    kit_rng rng;
    kit_world world;
    llim_row row;
    llim_limit limit;
    arrival *sent;
    uint32_t n;
} client;

/* Sends as much as the engine lets it for some dozens of windows: bursts, pauses, and waits to the nanosecond. */
static void saturate(client *c, int64_t earliest, int64_t latest, bool cancels)
{
    llim_permit permit, pending = {0};
    for (int i = 0; i < 20000 && c->n < MOST; i++) {
        int64_t largest =
            c->limit.amount < 20 ? c->limit.amount : c->limit.amount / (kit_between(&c->rng, 0, 9) ? 20 : 1);
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&c->rng, 1, largest));
        llim_refusal refusal;
        int code = llim_admit(c->world.zone, &c->row, 1, &charge, &permit, &refusal);
        if (code == LLIM_LATER) {
            kit_advance(c->world.zone, refusal.wait_ns);
            continue;
        }
        assert_int_equal(code, LLIM_OK);
        if (cancels && pending.n_rows == 0 && kit_between(&c->rng, 0, 5) == 0) {
            pending = permit;
        } else {
            int64_t late = kit_between(&c->rng, 0, 2) == 0 ? latest : kit_between(&c->rng, earliest, latest);
            int64_t now = c->limit.law == LLIM_CALENDAR ? permit.wall_ns : permit.at_ns;
            c->sent[c->n++] = (arrival){now + late, charge.amount[LLIM_TOKENS]};
        }
        if (pending.n_rows != 0 && kit_between(&c->rng, 0, 9) == 0)
            assert_int_equal(llim_cancel(c->world.zone, &pending), LLIM_OK);
        if (kit_between(&c->rng, 0, 3) == 0)
            kit_advance(c->world.zone,
                        kit_magnitude(&c->rng, kit_between(&c->rng, 0, 30) ? KIT_SECOND : 2 * KIT_MINUTE));
    }
}

static uint32_t play(int law, provider counts, int64_t guard, bool cancels, bool delayed)
{
    client *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->sent = calloc(MOST, sizeof *c->sent);
    assert_non_null(c->sent);
    c->rng = kit_seed();
    uint32_t refused = 0;
    for (int round = 0; round < 12; round++) {
        kit_open(&c->world, 1, 1, 1);
        int64_t amount = round % 2 ? kit_between(&c->rng, 1, 50) : kit_magnitude(&c->rng, 1000000000);
        c->limit = law == LLIM_CALENDAR ? kit_calendar(LLIM_TOKENS, LLIM_PER_MINUTE, "", amount, guard)
                                        : kit_limit(LLIM_TOKENS, law, amount, KIT_MINUTE, guard);
        c->row = kit_row(c->world.zone, "model:m", &c->limit, 1);
        c->n = 0;
        /* A provider's wall clock may run ahead of ours as well as behind. */
        int64_t most = delayed ? 2 * KIT_SECOND : 0;
        saturate(c, law == LLIM_CALENDAR ? -most : 0, most, cancels);
        qsort(c->sent, c->n, sizeof *c->sent, by_time);
        assert_true(c->n > 1000);
        refused += counts(c->sent, c->n, &c->limit);
        kit_close(&c->world);
    }
    free(c->sent);
    free(c);
    return refused;
}

static void check_law(int law, provider counts)
{
    /* The provider can refuse: without a guard it does. */
    assert_int_not_equal(play(law, counts, 0, false, true), 0);
    assert_int_equal(play(law, counts, 0, false, false), 0);
    assert_int_equal(play(law, counts, 2 * KIT_SECOND, false, true), 0);
    assert_int_equal(play(law, counts, 2 * KIT_SECOND, true, true), 0);
}

static void test_sliding(void **state)
{
    (void)state;
    check_law(LLIM_SLIDING, sliding_refuses);
}

static void test_bucket(void **state)
{
    (void)state;
    check_law(LLIM_BUCKET, bucket_refuses);
}

static void test_calendar(void **state)
{
    (void)state;
    check_law(LLIM_CALENDAR, calendar_refuses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sliding),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
