/*
 * test_sliding.c - the sliding law against an exact log with the same guard: never more, at least 99 % as much, and free
 * again after an idle time of any length.
 */
#include <pthread.h>

#include "kit.h"

#include <stdlib.h>

enum { LOG = 1 << 17 };

/* The perfect limiter: a charge leaves window + guard after it was made, to the nanosecond. */
typedef struct exact_log {
    int64_t at[LOG], amount[LOG];
    uint32_t head, tail;
    int64_t span, limit, used, total;
} exact_log;

static bool exact_admit(exact_log *log, int64_t now, int64_t amount)
{
    for (; log->head < log->tail && log->at[log->head] + log->span <= now; log->head++)
        log->used -= log->amount[log->head];
    if (log->used + amount > log->limit) return false;
    assert_true(log->tail < LOG);
    log->at[log->tail] = now;
    log->amount[log->tail++] = amount;
    log->used += amount;
    log->total += amount;
    return true;
}

static exact_log *exact_new(int64_t limit, int64_t span)
{
    exact_log *log = calloc(1, sizeof *log);
    assert_non_null(log);
    log->limit = limit;
    log->span = span;
    return log;
}

/* Records what the engine admitted and fails if an exact log would not have. */
static void audit(exact_log *log, int64_t now, int64_t amount)
{
    if (!exact_admit(log, now, amount))
        fail_msg("over the limit: %lld of %lld used, %lld admitted", (long long)log->used, (long long)log->limit,
                 (long long)amount);
}

static void check_share(const exact_log *ours, const exact_log *perfect)
{
    if (ours->total * 100 < perfect->total * 99)
        fail_msg("limit %lld in %lld s: %lld admitted, a perfect log %lld", (long long)ours->limit,
                 (long long)(ours->span / KIT_SECOND), (long long)ours->total, (long long)perfect->total);
}

static const int64_t limits[] = {1, 2, 7, 60, 1000, 250000, 1000000000};
static const int64_t windows[] = {KIT_MINUTE, KIT_DAY};

/* Requests arrive at several times the rate that fits, each offered to the engine and to a perfect log. */
static void saturate(kit_rng *rng, int64_t limit, int64_t window)
{
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, limit, window, KIT_GUARD);
    llim_row row = kit_row(world.zone, "model:m", &spec, 1);
    exact_log *ours = exact_new(limit, window + KIT_GUARD), *perfect = exact_new(limit, window + KIT_GUARD);
    int64_t largest = limit / 60 > 0 ? limit / 60 : 1;
    int64_t gap = (window + KIT_GUARD) / 1000;
    for (int64_t now = 0; now < 50 * window; now += kit_between(rng, 1, 2 * gap)) {
        int64_t amount = kit_between(rng, 1, largest);
        kit_at(world.zone, now);
        if (kit_admit(world.zone, row, LLIM_TOKENS, amount) == LLIM_OK) audit(ours, now, amount);
        exact_admit(perfect, now, amount);
    }
    check_share(ours, perfect);
    free(ours);
    free(perfect);
    kit_close(&world);
}

static void test_saturated_client_gets_its_share(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    for (size_t w = 0; w < KIT_COUNT(windows); w++)
        for (size_t l = 0; l < KIT_COUNT(limits); l++) saturate(&rng, limits[l], windows[w]);
}

/* A client that sleeps exactly as long as the refusal says. */
static void test_waiting_client_gets_its_share(void **state)
{
    (void)state;
    for (size_t w = 0; w < KIT_COUNT(windows); w++) {
        for (size_t l = 0; l < KIT_COUNT(limits); l++) {
            int64_t limit = limits[l], amount = limit / 100 > 0 ? limit / 100 : 1;
            kit_world world;
            kit_open(&world, 1, 1, 1);
            llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, limit, windows[w], KIT_GUARD);
            llim_row row = kit_row(world.zone, "model:m", &spec, 1);
            exact_log *ours = exact_new(limit, windows[w] + KIT_GUARD),
                      *perfect = exact_new(limit, windows[w] + KIT_GUARD);
            llim_charge charge = kit_charge(LLIM_TOKENS, amount);
            int64_t end = 30 * windows[w], ours_now = 0;
            while (ours_now < end) {
                llim_permit permit;
                llim_refusal refusal;
                kit_at(world.zone, ours_now);
                if (llim_admit(world.zone, &row, 1, &charge, &permit, &refusal) == LLIM_OK) {
                    audit(ours, ours_now, amount);
                    ours_now += windows[w] / 250;
                } else {
                    ours_now += refusal.wait_ns;
                }
            }
            for (int64_t now = 0; now < end;) {
                if (exact_admit(perfect, now, amount))
                    now += windows[w] / 250;
                else
                    now = perfect->at[perfect->head] + perfect->span;
            }
            check_share(ours, perfect);
            free(ours);
            free(perfect);
            kit_close(&world);
        }
    }
}

/* The whole limit within half a second, again one second after the window has passed. */
static void test_bursts_are_admitted_whole(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    for (size_t w = 0; w < KIT_COUNT(windows); w++) {
        for (size_t l = 0; l < KIT_COUNT(limits); l++) {
            int64_t limit = limits[l], parts = limit < 10 ? limit : 10;
            kit_world world;
            kit_open(&world, 1, 1, 1);
            llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, limit, windows[w], KIT_GUARD);
            llim_row row = kit_row(world.zone, "model:m", &spec, 1);
            exact_log *ours = exact_new(limit, windows[w] + KIT_GUARD);
            int64_t asked = 0, start = kit_magnitude(&rng, windows[w]);
            for (int burst = 0; burst < 100; burst++) {
                int64_t now = start + burst * (windows[w] + KIT_SECOND);
                for (int64_t i = 0; i < parts; i++, now += KIT_SECOND / 2 / parts) {
                    kit_at(world.zone, now);
                    asked += limit / parts;
                    if (kit_admit(world.zone, row, LLIM_TOKENS, limit / parts) == LLIM_OK)
                        audit(ours, now, limit / parts);
                }
            }
            if (ours->total * 100 < asked * 99)
                fail_msg("limit %lld: %lld of %lld", (long long)limit, (long long)ours->total, (long long)asked);
            free(ours);
            kit_close(&world);
        }
    }
}

static void test_charge_leaves_on_time(void **state)
{
    (void)state;
    for (size_t w = 0; w < KIT_COUNT(windows); w++) {
        kit_world world;
        kit_open(&world, 1, 1, 1);
        llim_limit spec = kit_limit(LLIM_REQUESTS, LLIM_SLIDING, 1, windows[w], KIT_GUARD);
        llim_row row = kit_row(world.zone, "model:m", &spec, 1);
        llim_charge charge = kit_charge(LLIM_REQUESTS, 1);
        int64_t span = windows[w] + KIT_GUARD;
        for (int i = 0; i < 300; i++) {
            llim_permit permit;
            llim_refusal refusal;
            assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
            assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, &refusal), LLIM_LATER);
            assert_int_equal(refusal.used, 1);
            assert_true(refusal.wait_ns >= span && refusal.wait_ns <= span + (span >> 18) + 2);
            assert_int_equal(kit_reset(world.zone, row, 0), refusal.wait_ns);
            kit_check_instant(&world, &row, 1, &charge, &refusal);
            kit_advance(world.zone, refusal.wait_ns + i * (i % 7) * KIT_MS);
        }
        kit_close(&world);
    }
}

/* Slots, tags and counters wrap somewhere: after one charge and any idle time the whole window is free, and the first
   charge after it takes only itself. */
static void test_idle_of_any_length(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    const int64_t span = KIT_MINUTE + KIT_GUARD;
    for (int64_t eighths = 9; eighths < 400; eighths++) {
        kit_world world;
        kit_open(&world, 1, 1, 1);
        llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, KIT_GUARD);
        llim_row row = kit_row(world.zone, "model:m", &spec, 1);
        for (int i = 0; i < 60; i++) {
            kit_permit(world.zone, row, LLIM_TOKENS, 1);
            kit_advance(world.zone, span / 40);
        }
        kit_advance(world.zone, span / 8 * eighths + kit_between(&rng, 0, span / 8));
        assert_int_equal(kit_used(world.zone, row, 0), 0);
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        if (kit_used(world.zone, row, 0) != 10)
            fail_msg("after %lld eighths of a window idle one charge of 10 shows %lld used", (long long)eighths,
                     (long long)kit_used(world.zone, row, 0));
        kit_advance(world.zone, span / 20);
        kit_permit(world.zone, row, LLIM_TOKENS, 90);
        assert_int_equal(kit_used(world.zone, row, 0), 100);
        /* The first charge leaves in its time, the second stays alone. */
        for (int64_t since = span / 20; since < span + span / 30; since += span / 300) {
            int64_t used = kit_used(world.zone, row, 0);
            if (used == 100 ? since <= span + span / 60 : used == 90 && since >= span) {
                kit_advance(world.zone, span / 300);
                continue;
            }
            fail_msg("%lld eighths of a window idle, then 10 and 90, and %lld ms after the 10 are %lld used",
                     (long long)eighths, (long long)(since / KIT_MS), (long long)used);
        }
        kit_close(&world);
    }
}

static void test_refund_counts_from_the_charge(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "model:m", &spec, 1);
    llim_permit first = kit_permit(world.zone, row, LLIM_TOKENS, 60);
    kit_at(world.zone, 30 * KIT_SECOND);
    llim_permit second = kit_permit(world.zone, row, LLIM_TOKENS, 40);
    llim_charge facts = kit_fact(LLIM_TOKENS, 10);
    assert_int_equal(llim_settle(world.zone, &first, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 50);
    kit_at(world.zone, 60 * KIT_SECOND + KIT_MS);
    assert_int_equal(kit_used(world.zone, row, 0), 40);
    kit_permit(world.zone, row, LLIM_TOKENS, 60);
    kit_at(world.zone, 91 * KIT_SECOND);
    assert_int_equal(llim_settle(world.zone, &second, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 60);
    kit_close(&world);
}

static void test_debt_counts_from_the_settlement(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "model:m", &spec, 1);
    llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 60);
    kit_at(world.zone, 30 * KIT_SECOND);
    llim_charge facts = kit_fact(LLIM_TOKENS, 180);
    assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 180);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
    kit_at(world.zone, 60 * KIT_SECOND + KIT_MS);
    assert_int_equal(kit_used(world.zone, row, 0), 120);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
    kit_at(world.zone, 90 * KIT_SECOND + KIT_MS);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    kit_close(&world);
}

static void test_debt_saturates(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "model:m", &spec, 1);
    llim_charge facts = kit_charge(LLIM_TOKENS, LLIM_AMOUNT_MAX);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
        if (kit_used(world.zone, row, 0) < LLIM_AMOUNT_MAX) fail_msg("debt %d wraps", i);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
        kit_advance(world.zone, KIT_SECOND);
    }
    kit_advance(world.zone, KIT_MINUTE + KIT_SECOND);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    kit_permit(world.zone, row, LLIM_TOKENS, 1);
    kit_close(&world);
}

/* Charges that are given back in later slots do not leave the window's count, which has its bounds: no more than 2^41 are
   admitted, and 2^40 of debt count on top. */
static void test_what_is_returned_has_bounds(void **state)
{
    (void)state;
    const int64_t most = LLIM_AMOUNT_MAX;
    kit_world world;
    kit_open(&world, 4, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, most, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "team:a", &limit, 1);
    for (int i = 0; i < 2; i++) {
        llim_permit all = kit_permit(world.zone, row, LLIM_TOKENS, most - 5);
        kit_advance(world.zone, 2 * KIT_SECOND);
        llim_permit one = kit_permit(world.zone, row, LLIM_TOKENS, 1);
        assert_int_equal(llim_cancel(world.zone, &all), LLIM_OK);
        assert_int_equal(llim_cancel(world.zone, &one), LLIM_OK);
    }
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, most), LLIM_LATER);
    llim_permit small = kit_permit(world.zone, row, LLIM_TOKENS, 1);
    llim_charge facts = kit_charge(LLIM_TOKENS, most);
    assert_int_equal(llim_settle(world.zone, &small, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), most);
    kit_advance(world.zone, KIT_MINUTE - KIT_SECOND);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_close(&world);
}

/* Many threads that cancel in the slot of the charge leave nothing behind, however they meet. */
static void *reserve_and_cancel(void *arg)
{
    kit_world *world = arg;
    llim_row row;
    if (llim_row_find(world->zone, "team:a", 6, &row) != LLIM_OK) return arg;
    llim_charge charge = kit_charge(LLIM_TOKENS, LLIM_AMOUNT_MAX / 8);
    for (int i = 0; i < 100000; i++) {
        llim_permit permit;
        if (llim_admit(world->zone, &row, 1, &charge, &permit, NULL) == LLIM_OK) llim_cancel(world->zone, &permit);
    }
    return NULL;
}

static void test_cancels_that_meet_leave_nothing(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, LLIM_AMOUNT_MAX, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "team:a", &limit, 1);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, reserve_and_cancel, &world), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    kit_advance(world.zone, KIT_SECOND);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, LLIM_AMOUNT_MAX), LLIM_OK);
    kit_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_returned_has_bounds),
        cmocka_unit_test(test_cancels_that_meet_leave_nothing),
        cmocka_unit_test(test_saturated_client_gets_its_share),
        cmocka_unit_test(test_waiting_client_gets_its_share),
        cmocka_unit_test(test_bursts_are_admitted_whole),
        cmocka_unit_test(test_charge_leaves_on_time),
        cmocka_unit_test(test_idle_of_any_length),
        cmocka_unit_test(test_refund_counts_from_the_charge),
        cmocka_unit_test(test_debt_counts_from_the_settlement),
        cmocka_unit_test(test_debt_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
