/*
 * test_threads.c - eight threads on one row and on many: admitted exactly what the limit is, charged exactly what was
 * settled and is outstanding, and no window over its limit while the clock moves.
 *
 * Every test also proves that it tested something: how often a thread found another one inside a call is counted, and must
 * not be zero. LLIM_OPS sets the number of operations of all tests together.
 */
#include "kit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, ROWS = 5, HELD = 32 };

typedef struct note {
    int64_t at, amount;
} note;

typedef struct arena arena;

typedef struct worker {
    arena *all;
    kit_rng rng;
    int64_t admitted;    /* the sum of amounts */
    int64_t outstanding; /* what the limits charged as used must still hold */
    int64_t reserved;    /* the same of those charged as reserved */
    int64_t requests;
    _Atomic uint64_t done;
    note *log;
    uint32_t noted;
} worker;

struct arena {
    kit_world world;
    llim_row row[ROWS];
    uint32_t n_rows;
    int64_t ops; /* per thread */
    worker worker[THREADS];
    atomic_int inside;
    _Atomic uint64_t collisions;
    atomic_bool go;
};

static int64_t operations(int64_t share)
{
    return kit_env("LLIM_OPS", 4000000) / share / THREADS;
}

static void enter(worker *w)
{
    if (atomic_fetch_add_explicit(&w->all->inside, 1, memory_order_relaxed) > 0)
        atomic_fetch_add_explicit(&w->all->collisions, 1, memory_order_relaxed);
}

static void leave(worker *w)
{
    atomic_fetch_sub_explicit(&w->all->inside, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->done, 1, memory_order_relaxed);
}

/* Whether a thread goes on: on a busy machine for longer, until two threads have met. */
static bool more(const worker *w, int64_t i)
{
    return i < w->all->ops || (i < w->all->ops + 10000000 && atomic_load(&w->all->collisions) == 0);
}

/* Runs the body in all threads at once. moderator, if any, runs beside them in this one. Fails unless they collided. */
static void run(arena *all, void *(*body)(void *), void (*moderator)(arena *))
{
    kit_rng rng = kit_seed();
    pthread_t thread[THREADS];
    atomic_store(&all->go, false);
    atomic_store(&all->collisions, 0);
    for (int i = 0; i < THREADS; i++) {
        all->worker[i].all = all;
        all->worker[i].rng.state = kit_random(&rng);
        assert_int_equal(pthread_create(&thread[i], NULL, body, &all->worker[i]), 0);
    }
    atomic_store(&all->go, true);
    if (moderator) moderator(all);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    uint64_t collisions = atomic_load(&all->collisions);
    print_message("%llu calls met another thread inside\n", (unsigned long long)collisions);
    assert_true(collisions > 0);
}

static void wait_for_go(const worker *w)
{
    while (!atomic_load(&w->all->go)) sched_yield();
}

static llim_limit of_law(int law, int meter, int64_t amount)
{
    return law == LLIM_CALENDAR ? kit_calendar(meter, LLIM_PER_DAY, "America/Los_Angeles", amount, KIT_GUARD)
                                : kit_limit(meter, law, amount, KIT_MINUTE, 0);
}

static arena *arena_new(void)
{
    arena *all = calloc(1, sizeof *all);
    assert_non_null(all);
    kit_open(&all->world, 64, 32, 4096);
    return all;
}

static void arena_free(arena *all)
{
    kit_close(&all->world);
    free(all);
}

/* Admits as much as it can; cancels a part, so that there is room for others again. */
static void *take_all(void *arg)
{
    worker *w = arg;
    wait_for_go(w);
    for (int64_t i = 0; more(w, i); i++) {
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&w->rng, 1, 9));
        llim_permit permit;
        enter(w);
        int code = llim_admit(w->all->world.zone, w->all->row, w->all->n_rows, &charge, &permit, NULL);
        bool back = code == LLIM_OK && kit_random(&w->rng) % 4 == 0;
        if (back) llim_cancel(w->all->world.zone, &permit);
        leave(w);
        if (code == LLIM_OK && !back) w->admitted += charge.amount[LLIM_TOKENS];
    }
    return NULL;
}

/* The clock stands still, demand exceeds the limit: in the end exactly the limit is admitted. */
static void demand_exceeds(int law, uint32_t rows)
{
    arena *all = arena_new();
    all->ops = operations(12);
    int64_t limit = law == LLIM_GAUGE ? 3000 : all->ops * THREADS / 4;
    /* A bucket whose unit costs a whole number of nanoseconds. */
    for (limit = limit > 2 ? limit : 3; law == LLIM_BUCKET && KIT_MINUTE % limit; limit--) {
    }
    all->n_rows = rows;
    for (uint32_t r = 0; r < rows; r++) {
        char scope[16];
        snprintf(scope, sizeof scope, "team:%u", r);
        llim_limit spec = of_law(law, LLIM_TOKENS, r == rows / 2 ? limit : 2 * limit);
        all->row[r] = kit_row(all->world.zone, scope, &spec, 1);
    }
    run(all, take_all, NULL);
    int64_t admitted = 0;
    for (int i = 0; i < THREADS; i++) admitted += all->worker[i].admitted;
    if (admitted > limit) fail_msg("%s: %lld of %lld", llim_law_name(law), (long long)admitted, (long long)limit);
    for (uint32_t r = 0; r < rows; r++) assert_int_equal(kit_used(all->world.zone, all->row[r], 0), admitted);
    /* A refusal because of what another thread then gave back is allowed, so the rest is taken now. */
    llim_charge one = kit_charge(LLIM_TOKENS, 1);
    llim_permit permit;
    while (llim_admit(all->world.zone, all->row, rows, &one, &permit, NULL) == LLIM_OK) admitted++;
    assert_int_equal(admitted, limit);
    arena_free(all);
}

static const int laws[] = {LLIM_SLIDING, LLIM_BUCKET, LLIM_CALENDAR};

static void test_admitted_total_is_the_limit(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        demand_exceeds(laws[l], 1);
        demand_exceeds(laws[l], ROWS);
    }
}

static void test_gauges_hold_the_limit(void **state)
{
    (void)state;
    arena *all = arena_new();
    all->ops = operations(400);
    all->n_rows = 2;
    for (uint32_t r = 0; r < 2; r++) {
        llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_GAUGE, 100 + r, KIT_MINUTE, 0);
        all->row[r] = kit_row(all->world.zone, r ? "team:b" : "team:a", &spec, 1);
    }
    run(all, take_all, NULL);
    int64_t admitted = 0;
    for (int i = 0; i < THREADS; i++) admitted += all->worker[i].admitted;
    assert_true(admitted <= 100);
    llim_charge one = kit_charge(LLIM_TOKENS, 1);
    llim_permit permit;
    while (llim_admit(all->world.zone, all->row, 2, &one, &permit, NULL) == LLIM_OK) admitted++;
    assert_int_equal(admitted, 100);
    for (uint32_t r = 0; r < 2; r++) assert_int_equal(kit_used(all->world.zone, all->row[r], 0), 100);
    kit_advance(all->world.zone, 2 * KIT_MINUTE);
    for (uint32_t r = 0; r < 2; r++) assert_int_equal(kit_used(all->world.zone, all->row[r], 0), 0);
    arena_free(all);
}

/* Reserves on random rows of the arena, holds some, and ends them in random order and every way. */
static void *settle_at_random(void *arg)
{
    worker *w = arg;
    llim_zone *zone = w->all->world.zone;
    llim_permit held[HELD];
    uint32_t n = 0;
    wait_for_go(w);
    for (int64_t i = 0; more(w, i); i++) {
        if (n < HELD && kit_random(&w->rng) % 2) {
            llim_charge charge = kit_charge(LLIM_REQUESTS, 1);
            charge.amount[LLIM_TOKENS] = charge.amount[LLIM_OUTPUT_TOKENS] = kit_between(&w->rng, 0, 50);
            enter(w);
            int code = llim_admit(zone, w->all->row, w->all->n_rows, &charge, &held[n], NULL);
            leave(w);
            if (code != LLIM_OK) continue;
            w->requests++;
            w->outstanding += charge.amount[LLIM_TOKENS];
            w->reserved += charge.amount[LLIM_TOKENS];
            n++;
        } else if (n > 0) {
            uint32_t pick = (uint32_t)kit_between(&w->rng, 0, n - 1);
            llim_permit permit = held[pick];
            held[pick] = held[--n];
            int64_t before = permit.charge.amount[LLIM_TOKENS], way = kit_between(&w->rng, 0, 3);
            llim_charge facts = kit_fact(LLIM_TOKENS, kit_between(&w->rng, 0, 2 * before));
            facts.amount[LLIM_OUTPUT_TOKENS] = facts.amount[LLIM_TOKENS];
            enter(w);
            int code = way == 0   ? llim_cancel(zone, &permit)
                       : way == 1 ? llim_reject(zone, &permit)
                                  : llim_settle(zone, &permit, &facts);
            leave(w);
            if (code != LLIM_OK) continue;
            if (way == 0) w->requests--;
            if (way <= 1) w->reserved -= before;
            w->outstanding += way <= 1 ? -before : facts.amount[LLIM_TOKENS] - before;
        }
    }
    return NULL;
}

static void test_charged_is_settled_plus_outstanding(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        arena *all = arena_new();
        all->ops = operations(6);
        all->n_rows = 2;
        for (uint32_t r = 0; r < 2; r++) {
            llim_limit specs[] = {of_law(laws[l], LLIM_REQUESTS, 600000000), of_law(laws[l], LLIM_TOKENS, 600000000),
                                  of_law(laws[l], LLIM_OUTPUT_TOKENS, 600000000)};
            specs[2].charged = LLIM_CHARGED_RESERVED;
            all->row[r] = kit_row(all->world.zone, r ? "team:b" : "team:a", specs, 3);
        }
        run(all, settle_at_random, NULL);
        int64_t requests = 0, tokens = 0, reserved = 0;
        for (int i = 0; i < THREADS; i++) {
            requests += all->worker[i].requests;
            tokens += all->worker[i].outstanding;
            reserved += all->worker[i].reserved;
        }
        assert_true(requests > 0 && tokens > 0);
        for (uint32_t r = 0; r < 2; r++) {
            assert_int_equal(kit_used(all->world.zone, all->row[r], 0), requests);
            assert_int_equal(kit_used(all->world.zone, all->row[r], 1), tokens);
            assert_int_equal(kit_used(all->world.zone, all->row[r], 2), reserved);
        }
        arena_free(all);
    }
}

/* Three windows, however seldom the machine lets the one thread run that moves the clock. */
static bool more_to_note(const worker *w, int64_t i)
{
    int64_t now;
    llim_zone_now(w->all->world.zone, &now, NULL);
    return more(w, i) || now < KIT_START + 3 * KIT_SECOND;
}

/* Admits and notes when; a part is cancelled and not noted. */
static void *note_all(void *arg)
{
    worker *w = arg;
    wait_for_go(w);
    for (int64_t i = 0; more_to_note(w, i); i++) {
        if (i % 16 == 0 && i < w->all->ops) sched_yield(); /* the clock waits for every thread */
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&w->rng, 1, 9));
        llim_permit permit;
        enter(w);
        int code = llim_admit(w->all->world.zone, w->all->row, 1, &charge, &permit, NULL);
        int64_t at = permit.at_ns;
        bool back = code == LLIM_OK && kit_random(&w->rng) % 4 == 0;
        if (back) llim_cancel(w->all->world.zone, &permit);
        leave(w);
        if (code == LLIM_OK && !back && w->noted < w->all->ops)
            w->log[w->noted++] = (note){at, charge.amount[LLIM_TOKENS]};
    }
    atomic_store(&w->done, UINT64_MAX / 2);
    return NULL;
}

/* Lets the clock go on by at most a guard at a time, and only when every thread has begun a call after the last step: so no
   call lasts longer than the guard, which is what the guard is for. */
static void move_clock(arena *all)
{
    kit_rng rng = {1};
    for (;;) {
        uint64_t seen[THREADS];
        bool over = true;
        for (int i = 0; i < THREADS; i++) {
            seen[i] = atomic_load(&all->worker[i].done);
            over &= seen[i] >= UINT64_MAX / 2;
        }
        if (over) return;
        for (int i = 0; i < THREADS; i++)
            while (seen[i] < UINT64_MAX / 2 && atomic_load(&all->worker[i].done) < seen[i] + 2) sched_yield();
        kit_advance(all->world.zone, kit_between(&rng, 0, KIT_GUARD / 2));
    }
}

static int by_time(const void *a, const void *b)
{
    const note *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void check_windows(const note *log, uint32_t n, const llim_limit *limit)
{
    int64_t used = 0;
    kit_wide level = 0, full = (kit_wide)limit->amount * limit->window_ns;
    for (uint32_t i = 0, oldest = 0; i < n; i++) {
        for (; log[oldest].at + limit->window_ns <= log[i].at; oldest++) used -= log[oldest].amount;
        used += log[i].amount;
        if (i > 0) level -= (kit_wide)limit->amount * (log[i].at - log[i - 1].at);
        level = (level > 0 ? level : 0) + (kit_wide)log[i].amount * limit->window_ns;
        if (limit->law == LLIM_SLIDING ? used > limit->amount : level > full)
            fail_msg("%s: a window ending at %lld ns holds %lld of %lld", llim_law_name(limit->law),
                     (long long)(log[i].at - KIT_START), (long long)used, (long long)limit->amount);
    }
}

static void test_no_window_is_over_while_the_clock_moves(void **state)
{
    (void)state;
    for (size_t l = 0; l < 2; l++) {
        arena *all = arena_new();
        all->ops = operations(8);
        llim_limit limit = kit_limit(LLIM_TOKENS, laws[l], 500, KIT_SECOND, KIT_GUARD);
        all->row[0] = kit_row(all->world.zone, "team:a", &limit, 1);
        note *log = calloc((size_t)(all->ops * THREADS), 2 * sizeof *log);
        assert_non_null(log);
        for (int i = 0; i < THREADS; i++) all->worker[i].log = log + (THREADS + i) * all->ops;
        run(all, note_all, move_clock);
        uint32_t n = 0;
        for (int i = 0; i < THREADS; i++)
            for (uint32_t k = 0; k < all->worker[i].noted; k++) log[n++] = all->worker[i].log[k];
        qsort(log, n, sizeof *log, by_time);
        print_message("%s: %u admitted in %lld s\n", llim_law_name(limit.law), n,
                      (long long)((log[n - 1].at - log[0].at) / KIT_SECOND));
        assert_true(log[n - 1].at - log[0].at > limit.window_ns + limit.guard_ns);
        check_windows(log, n, &limit);
        free(log);
        arena_free(all);
    }
}

/* Deciders go on while limits are set again and again; what they hold is never lost. */
static void *set_limits(void *arg)
{
    arena *all = arg;
    llim_limit specs[2] = {of_law(LLIM_SLIDING, LLIM_TOKENS, 1000000000), of_law(LLIM_BUCKET, LLIM_IMAGES, 5)};
    for (int i = 0; i < 500; i++) {
        specs[0].amount = 1000000000 + i % 2;
        llim_row row;
        if (kit_try_row(all->world.zone, "team:a", specs, 1 + (uint32_t)(i % 2), &row) != LLIM_OK) return arg;
        sched_yield();
    }
    return NULL;
}

static void test_limits_change_under_load(void **state)
{
    (void)state;
    arena *all = arena_new();
    all->ops = operations(8);
    all->n_rows = 1;
    llim_limit limit = of_law(LLIM_SLIDING, LLIM_TOKENS, 1000000000);
    all->row[0] = kit_row(all->world.zone, "team:a", &limit, 1);
    pthread_t writer;
    void *failed;
    assert_int_equal(pthread_create(&writer, NULL, set_limits, all), 0);
    run(all, take_all, NULL);
    assert_int_equal(pthread_join(writer, &failed), 0);
    assert_null(failed);
    int64_t admitted = 0;
    for (int i = 0; i < THREADS; i++) admitted += all->worker[i].admitted;
    assert_true(admitted > 0);
    assert_int_equal(kit_used(all->world.zone, all->row[0], 0), admitted);
    arena_free(all);
}

enum { SCOPES = 14, PLACES = 8 };

static void *come_and_go(void *arg)
{
    worker *w = arg;
    static const llim_limit limits[] = {
        {.meter = LLIM_TOKENS,
         .law = LLIM_CALENDAR,
         .unit = LLIM_PER_DAY,
         .amount = LLIM_AMOUNT_MAX,
         .guard_ns = KIT_GUARD},
        {.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 1000000, .window_ns = KIT_MINUTE}};
    wait_for_go(w);
    for (int64_t i = 0; more(w, i); i++) {
        char name[2] = {(char)('a' + kit_between(&w->rng, 0, SCOPES - 1)), 0};
        llim_zone *zone = w->all->world.zone;
        llim_row row;
        llim_permit permit;
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&w->rng, 1, 1000));
        if (llim_row_find(zone, name, 1, &row) != LLIM_OK && kit_try_row(zone, name, limits, 2, &row) != LLIM_OK)
            continue;
        enter(w);
        int code = llim_admit(zone, &row, 1, &charge, &permit, NULL);
        leave(w);
        if (code == LLIM_OK && llim_cancel(zone, &permit) != LLIM_OK) return w;
        if (code != LLIM_OK && code != LLIM_ENOTFOUND && code != LLIM_LATER) return w;
    }
    return NULL;
}

/* Scopes whose calls were all cancelled make room for others in the same day; whoever stood meanwhile charges nobody else. */
static void test_cancels_among_scopes_that_come_and_go(void **state)
{
    (void)state;
    arena *all = arena_new();
    all->ops = operations(20);
    kit_close(&all->world);
    kit_open(&all->world, PLACES, 1, 1);
    run(all, come_and_go, NULL);
    for (int i = 0; i < SCOPES; i++) {
        char name[2] = {(char)('a' + i), 0};
        llim_row row;
        if (llim_row_find(all->world.zone, name, 1, &row) == LLIM_OK)
            assert_int_equal(kit_used(all->world.zone, row, 0), 0);
    }
    arena_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admitted_total_is_the_limit),
        cmocka_unit_test(test_gauges_hold_the_limit),
        cmocka_unit_test(test_charged_is_settled_plus_outstanding),
        cmocka_unit_test(test_no_window_is_over_while_the_clock_moves),
        cmocka_unit_test(test_limits_change_under_load),
        cmocka_unit_test(test_cancels_among_scopes_that_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
