/*
 * test_zone_shared.c - one zone in many processes: found again by its name, decided on together, and not held up by a process
 * that stands or forks at a bad moment.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "engine/writer.h"

static llim_zone *open_named(const char *name)
{
    llim_zone_options options = crew_virtual();
    options.name = name;
    return crew_open(&options);
}

static void test_a_name_is_found_again(void **state)
{
    (void)state;
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0);
    llim_zone *first = open_named("again");
    llim_row row = kit_row(first, "a", &limit, 1);
    kit_permit(first, row, LLIM_TOKENS, 40);
    llim_zone *second = open_named("again"), *other = open_named("other");
    assert_int_equal(kit_used(second, row, 0), 40);
    kit_advance(first, KIT_SECOND);
    int64_t a, b;
    kit_now(first, &a, NULL);
    kit_now(second, &b, NULL);
    assert_int_equal(a, b);
    assert_int_equal(llim_row_find(other, "a", 1, &row), LLIM_ENOTFOUND);
    llim_zone_close(first);
    llim_zone_close(second);
    second = open_named("again"); /* though nobody had it open */
    assert_int_equal(llim_row_find(second, "a", 1, &row), LLIM_OK);
    assert_int_equal(kit_used(second, row, 0), 40);
    llim_zone_close(second);
    llim_zone_close(other);
}

static void check_refused(llim_zone_options options, int code, const char *says)
{
    llim_zone *zone = (llim_zone *)&zone;
    llim_error err;
    assert_int_equal(llim_zone_open(&options, &zone, &err), code);
    assert_null(zone);
    if (!strstr(err.message, says)) fail_msg("\"%s\" does not say \"%s\"", err.message, says);
}

static void test_other_wishes_are_refused(void **state)
{
    (void)state;
    llim_zone_options options = crew_virtual();
    options.name = "wishes";
    options.rows = 32;
    llim_zone *zone = crew_open(&options);
    options.rows = 33;
    check_refused(options, LLIM_EINVAL, "made with rows = 32, and 33");
    options.rows = 0;
    options.leases = 7;
    check_refused(options, LLIM_EINVAL, "made with leases = 1024, and 7");
    options.leases = 0;
    options.clock = LLIM_CLOCK_REAL;
    check_refused(options, LLIM_EINVAL, "virtual clock");
    options.clock = LLIM_CLOCK_VIRTUAL;
    options.path = "/tmp/wishes";
    check_refused(options, LLIM_EINVAL, "not both");
    options.path = NULL;
    options.name = "";
    check_refused(options, LLIM_EINVAL, "1 to 63");
    options.name = NULL;
    options.path = "/tmp/wishes";
    options.mode = 0066;
    check_refused(options, LLIM_ERANGE, "600");
    llim_zone_close(zone);
}

enum { PROCESSES = 8, THREADS = 4, LAWS = 4 };

typedef struct herd {
    llim_zone *zone;
    llim_row row[LAWS];
    _Atomic int64_t *admitted; /* shared: by law; behind them the processes that are done */
    int64_t ops;
    uint64_t seed;
} herd;

static void *take_all(void *arg)
{
    herd h = *(herd *)arg;
    kit_rng rng = {h.seed ^ ((uint64_t)getpid() << 32) ^ (uint64_t)pthread_self()};
    for (int64_t i = 0; i < h.ops; i++) {
        const unsigned law = (unsigned)kit_between(&rng, 0, LAWS - 1);
        llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(&rng, 1, 9));
        llim_permit permit;
        if (llim_admit(h.zone, &h.row[law], 1, &charge, &permit, NULL) != LLIM_OK) continue;
        if (kit_random(&rng) % 4 == 0)
            llim_cancel(h.zone, &permit);
        else
            atomic_fetch_add(&h.admitted[law], charge.amount[LLIM_TOKENS]);
    }
    return NULL;
}

static int take_all_in_threads(void *arg)
{
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, take_all, arg)) return 1;
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    /* Who ended before the others would give them its leases. */
    const herd *h = arg;
    atomic_fetch_add(&h->admitted[LAWS], 1);
    while (atomic_load(&h->admitted[LAWS]) < PROCESSES) sched_yield();
    return 0;
}

/* The clock stands and demand exceeds the limits: in the end exactly they are admitted. */
static void test_admitted_total_is_the_limit(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    llim_zone_options options = crew_virtual();
    options.name = "total";
    options.leases = 4096;
    herd h = {.zone = crew_open(&options),
              .admitted = crew_share((LAWS + 1) * sizeof *h.admitted),
              .ops = kit_env("LLIM_OPS", 1000000) / PROCESSES / THREADS / 4,
              .seed = kit_random(&rng)};
    int64_t limit[LAWS];
    for (int law = 0; law < LAWS; law++) {
        char scope[8];
        snprintf(scope, sizeof scope, "law:%d", law);
        limit[law] = law == LLIM_GAUGE ? 1000 : 60000; /* of which a bucket's unit costs a whole number of ns */
        llim_limit l = law == LLIM_CALENDAR
                           ? kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "America/Los_Angeles", limit[law], 0)
                           : kit_limit(LLIM_TOKENS, law, limit[law], KIT_MINUTE, 0);
        h.row[law] = kit_row(h.zone, scope, &l, 1);
    }
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) child[i] = crew_start(take_all_in_threads, &h);
    for (int i = 0; i < PROCESSES; i++) assert_int_equal(crew_end(child[i]), 0);
    for (int law = 0; law < LAWS; law++) {
        int64_t admitted = atomic_load(&h.admitted[law]);
        if (admitted > limit[law]) fail_msg("%s: %lld admitted", llim_law_name(law), (long long)admitted);
        if (law != LLIM_GAUGE) assert_int_equal(kit_used(h.zone, h.row[law], 0), admitted);
        while (law != LLIM_GAUGE && kit_admit(h.zone, h.row[law], LLIM_TOKENS, 1) == LLIM_OK) admitted++;
        if (law != LLIM_GAUGE) assert_int_equal(admitted, limit[law]);
    }
    llim_zone_close(h.zone);
}

/* Takes the lock, marks the row as a writer does, and stands there; goes on when it is told to. */
static int stand(void *arg)
{
    herd *h = arg;
    if (llim__zone_lock(h->zone)) return 1;
    llim__row *row = &h->zone->row[h->row[0].index];
    const uint64_t state = at_load_acq(&row->state);
    at_store_rel(&row->state, state | LLIM__CHANGING);
    raise(SIGSTOP);
    at_store_rel(&row->state, state + ((uint64_t)1 << 16));
    llim__zone_unlock(h->zone);
    return 0;
}

static void test_a_writer_that_stands(void **state)
{
    (void)state;
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    herd h = {.zone = open_named("stands")};
    h.row[0] = kit_row(h.zone, "a", &limit, 1);
    llim_row other = kit_row(h.zone, "b", &limit, 1), found;
    llim_permit permit = kit_permit(h.zone, h.row[0], LLIM_TOKENS, 10), before = permit;
    llim_charge facts = kit_fact(LLIM_TOKENS, 4);
    pid_t child = crew_start(stand, &h);
    crew_stopped(child);
    llim_usage usage;
    uint32_t n;
    llim_error err;
    limit.amount = 200;
    llim_row_spec spec = {.size = sizeof spec, .scope = "c", .scope_len = 1, .limits = &limit, .n_limits = 1};
    assert_int_equal(kit_admit(h.zone, h.row[0], LLIM_TOKENS, 1), LLIM_EBUSY);
    assert_int_equal(llim_check(h.zone, h.row, 1, &facts, NULL), LLIM_ERANGE);
    assert_int_equal(llim_row_usage(h.zone, h.row[0], &usage, 1, &n), LLIM_EBUSY);
    assert_int_equal(llim_row_set(h.zone, &spec, &found, &err), LLIM_EBUSY);
    assert_non_null(strstr(err.message, "another process"));
    assert_int_equal(llim_settle(h.zone, &permit, &facts), LLIM_EBUSY);
    assert_memory_equal(&permit, &before, sizeof permit);
    assert_int_equal(llim_record(h.zone, h.row, 1, &facts), LLIM_EBUSY);
    assert_int_equal(llim_zone_set_clock(h.zone, KIT_START + 1, KIT_WALL), LLIM_EBUSY);
    /* Others are not concerned. */
    kit_permit(h.zone, other, LLIM_TOKENS, 1);
    assert_int_equal(llim_row_find(h.zone, "b", 1, &found), LLIM_OK);
    assert_int_equal(llim_cool(h.zone, other, KIT_SECOND), LLIM_OK);
    kill(child, SIGCONT);
    assert_int_equal(crew_end(child), 0);
    assert_int_equal(kit_used(h.zone, h.row[0], 0), 10);
    assert_int_equal(llim_settle(h.zone, &permit, &facts), LLIM_OK);
    assert_int_equal(kit_used(h.zone, h.row[0], 0), 4);
    assert_int_equal(llim_settle(h.zone, &permit, &facts), LLIM_EENDED);
    assert_int_equal(llim_row_set(h.zone, &spec, &found, NULL), LLIM_OK);
    llim_zone_close(h.zone);
}

/* The same, and it is killed there: the next one goes on at once, with the row as full. */
static void test_a_writer_that_is_killed(void **state)
{
    (void)state;
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    herd h = {.zone = open_named("killed")};
    h.row[0] = kit_row(h.zone, "a", &limit, 1);
    kit_permit(h.zone, h.row[0], LLIM_TOKENS, 10);
    pid_t child = crew_start(stand, &h);
    crew_stopped(child);
    kill(child, SIGKILL);
    assert_int_equal(crew_end(child), -SIGKILL);
    assert_int_equal(kit_used(h.zone, h.row[0], 0), 10);
    assert_int_equal(kit_admit(h.zone, h.row[0], LLIM_TOKENS, 90), LLIM_OK);
    llim_zone_close(h.zone);
}

typedef struct holder {
    llim_zone *zone;
    pthread_barrier_t held, done;
} holder;

static void *hold(void *arg)
{
    holder *h = arg;
    assert_int_equal(llim__zone_lock(h->zone), LLIM_OK);
    pthread_barrier_wait(&h->held);
    pthread_barrier_wait(&h->done);
    llim__zone_unlock(h->zone);
    return NULL;
}

static int place_in_child(void *arg)
{
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    llim_row row;
    return -kit_try_row(arg, "child", &limit, 1, &row);
}

/* A child that is born while a thread of its parent holds the lock has no such thread. */
static void fork_while_held(llim_zone *zone, bool shared)
{
    holder h = {.zone = zone};
    pthread_t thread;
    pthread_barrier_init(&h.held, NULL, 2);
    pthread_barrier_init(&h.done, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
    pthread_barrier_wait(&h.held);
    /* On the heap the child has its own copy; what is shared is its parent's until that is done. */
    assert_int_equal(crew_end(crew_start(place_in_child, zone)), shared ? -LLIM_EBUSY : LLIM_OK);
    pthread_barrier_wait(&h.done);
    pthread_join(thread, NULL);
    assert_int_equal(crew_end(crew_start(place_in_child, zone)), LLIM_OK);
    llim_row row;
    assert_int_equal(llim_row_find(zone, "child", 5, &row), shared ? LLIM_OK : LLIM_ENOTFOUND);
    llim_zone_close(zone);
}

static void test_fork_while_a_thread_places(void **state)
{
    (void)state;
    llim_zone_options heap = crew_virtual();
    fork_while_held(crew_open(&heap), false);
    fork_while_held(open_named("fork"), true);
}

static int bring_a_time_zone(void *arg)
{
    llim_limit limit = kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "Asia/Tokyo", 50, KIT_GUARD);
    llim_row row;
    return -kit_try_row(arg, "a", &limit, 1, &row);
}

/* Another process gives a row, whose handle this one has, a calendar that it has never met. */
static void test_time_zones_of_others(void **state)
{
    (void)state;
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    llim_zone *zone = open_named("tokyo");
    llim_row row = kit_row(zone, "a", &limit, 1);
    llim_permit permit = kit_permit(zone, row, LLIM_TOKENS, 10);
    llim_charge more = kit_fact(LLIM_TOKENS, 12);
    assert_int_equal(crew_end(crew_start(bring_a_time_zone, zone)), LLIM_OK);
    assert_int_equal(llim_settle(zone, &permit, &more), LLIM_OK);
    assert_int_equal(kit_used(zone, row, 0), 12);
    kit_permit(zone, row, LLIM_TOKENS, 38);
    assert_int_equal(kit_wait(zone, row, LLIM_TOKENS, 1), 3 * KIT_HOUR + KIT_GUARD); /* it is 21:00 in Tokyo */
    llim_zone_close(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_is_found_again),       cmocka_unit_test(test_other_wishes_are_refused),
        cmocka_unit_test(test_admitted_total_is_the_limit), cmocka_unit_test(test_a_writer_that_stands),
        cmocka_unit_test(test_a_writer_that_is_killed),     cmocka_unit_test(test_fork_while_a_thread_places),
        cmocka_unit_test(test_time_zones_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
