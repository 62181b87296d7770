/*
 * test_zone_crash.c - processes of a shared zone are killed and stopped at random instants, and replaced: nothing is admitted beyond
 * a limit, nothing is lost but what the dead were about, nothing stays taken, and the others go on.
 *
 * What happened is told by counters and logs that the workers share with the test: each says what it is about to do before it
 * does, and what came of it after. LLIM_KILLS sets how many processes are killed in each test.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "engine/verify.h"
#include "engine/writer.h"

enum { WORKERS = 8, THREADS = 4, LAWS = 3, SCOPES = 48, ROWS = 32, RINGS = 12, MOST_NOTED = 1 << 20 };

typedef struct noted {
    int64_t at, amount;
} noted;

/* What the workers share with the test, beside the zone. */
typedef struct ledger {
    atomic_bool stop;
    _Atomic int64_t begun[LAWS], admitted[LAWS], refused[LAWS]; /* amounts */
    _Atomic int64_t returning[LAWS], returned[LAWS];
    _Atomic uint64_t done; /* operations */
    _Atomic uint32_t n;    /* of what is noted */
    noted note[MOST_NOTED];
} ledger;

typedef struct crime {
    char dir[64], path[128];
    llim_zone_options options;
    llim_zone *zone;
    ledger *all;
    llim_row row[LAWS];
    int (*work[WORKERS])(struct crime *, kit_rng *);
    pid_t worker[WORKERS];
    kit_rng rng;
} crime;

static llim_limit limit_of(int law, int64_t amount)
{
    if (law == LLIM_CALENDAR) return kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "America/Los_Angeles", amount, 0);
    return kit_limit(LLIM_TOKENS, law, amount, KIT_MINUTE, 0);
}

static int set_main(const crime *c, int law, int64_t amount, llim_row *row)
{
    char scope[8];
    snprintf(scope, sizeof scope, "main:%d", law);
    llim_limit limit = limit_of(law, amount);
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = scope,
                          .scope_len = (uint32_t)strlen(scope),
                          .limits = &limit,
                          .n_limits = 1,
                          .pinned = 1};
    return llim_row_set(c->zone, &spec, row, NULL);
}

static void begin(crime *c, int64_t amount)
{
    *c = (crime){.options = crew_virtual(), .rng = kit_seed()};
    crew_directory(c->dir, "/dev/shm");
    snprintf(c->path, sizeof c->path, "%s/zone", c->dir);
    c->options.path = c->path;
    c->options.rows = ROWS;
    c->options.sliding = RINGS;
    c->zone = crew_open(&c->options);
    c->all = crew_share(sizeof *c->all);
    for (int law = 0; law < LAWS; law++) assert_int_equal(set_main(c, law, amount, &c->row[law]), LLIM_OK);
}

static void end(crime *c)
{
    llim_zone_close(c->zone);
    crew_remove(c->dir);
}

/* Charges a main row, and settles some of that by less, or cancels it. */
static int decide(crime *c, kit_rng *rng)
{
    ledger *all = c->all;
    const int law = (int)kit_between(rng, 0, LAWS - 1);
    llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(rng, 1, 9));
    const int64_t amount = charge.amount[LLIM_TOKENS];
    llim_permit permit;
    atomic_fetch_add(&all->begun[law], amount);
    int code = llim_admit(c->zone, &c->row[law], 1, &charge, &permit, NULL);
    if (code == LLIM_EBUSY) return 0; /* a part may stay charged */
    if (code != LLIM_OK) {
        atomic_fetch_add(&all->refused[law], amount);
        return code == LLIM_LATER ? 0 : 1;
    }
    atomic_fetch_add(&all->admitted[law], amount);
    if (kit_random(rng) % 3) return 0;
    const llim_charge facts = kit_fact(LLIM_TOKENS, kit_between(rng, 0, amount));
    const int64_t unused = amount - facts.amount[LLIM_TOKENS];
    atomic_fetch_add(&all->returning[law], unused);
    do code = unused == amount ? llim_cancel(c->zone, &permit) : llim_settle(c->zone, &permit, &facts);
    while (code == LLIM_EBUSY);
    if (code) return 2;
    atomic_fetch_add(&all->returned[law], unused);
    return 0;
}

/* Notes when it was admitted. */
static int decide_and_note(crime *c, kit_rng *rng)
{
    ledger *all = c->all;
    llim_charge charge = kit_charge(LLIM_TOKENS, kit_between(rng, 1, 9));
    llim_permit permit;
    int code = llim_admit(c->zone, &c->row[LLIM_SLIDING], 1, &charge, &permit, NULL);
    if (code == LLIM_LATER) sched_yield();
    if (code) return code == LLIM_LATER || code == LLIM_EBUSY ? 0 : 1;
    const uint32_t i = atomic_fetch_add(&all->n, 1);
    if (i >= MOST_NOTED) return 2;
    all->note[i].amount = charge.amount[LLIM_TOKENS];
    atomic_thread_fence(memory_order_release);
    all->note[i].at = permit.at_ns;
    return 0;
}

/* Places scopes, so that others are recycled, with few or many limits. */
static int place(crime *c, kit_rng *rng)
{
    char scope[16];
    llim_limit limit[6];
    llim_row row;
    const uint32_t n = (uint32_t)kit_between(rng, 1, 6);
    for (uint32_t i = 0; i < n; i++) {
        limit[i] = limit_of(i < 2 ? LLIM_SLIDING : (int)kit_between(rng, 1, 2), 100);
        limit[i].meter = (int)i;
    }
    snprintf(scope, sizeof scope, "other:%d", (int)kit_between(rng, 1, SCOPES));
    int code = kit_try_row(c->zone, scope, limit, n, &row);
    return code == LLIM_OK || code == LLIM_EFULL || code == LLIM_EBUSY ? 0 : 3;
}

/* Gives main rows other limits. */
static int reload(crime *c, kit_rng *rng)
{
    llim_row row;
    int code = set_main(c, (int)kit_between(rng, 0, LAWS - 1), kit_between(rng, 3000, 6000), &row);
    return code == LLIM_OK || code == LLIM_EBUSY ? 0 : 4;
}

typedef struct shift {
    crime *c;
    unsigned worker;
    uint64_t seed;
    bool opens; /* the zone, like a process that was started by somebody else */
} shift;

static void *work_as_thread(void *arg)
{
    const shift *s = arg;
    crime *c = s->c;
    int wrong = 0;
    kit_rng rng = {s->seed ^ (uint64_t)pthread_self()};
    while (!wrong && !atomic_load(&c->all->stop)) {
        wrong = c->work[s->worker](c, &rng);
        atomic_fetch_add(&c->all->done, 1);
    }
    return (void *)(intptr_t)wrong;
}

static int work(void *arg)
{
    shift *s = arg;
    crime *c = s->c;
    pthread_t thread[THREADS];
    int wrong = 0;
    if (s->opens) {
        llim_zone_close(c->zone);
        if (llim_zone_open(&c->options, &c->zone, NULL)) return 100;
    }
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work_as_thread, s)) return 101;
    for (int i = 0; i < THREADS; i++) {
        void *answer;
        pthread_join(thread[i], &answer);
        if (answer) wrong = (int)(intptr_t)answer;
    }
    return wrong;
}

static void hire(crime *c, unsigned i)
{
    shift s = {c, i, kit_random(&c->rng), kit_random(&c->rng) % 4 == 0};
    c->worker[i] = crew_start(work, &s);
}

/* So many instructions later, more or less. */
static void idle_a_little(kit_rng *rng)
{
    const struct timespec pause = {0, (long)kit_between(rng, 1, 400000)};
    nanosleep(&pause, NULL);
}

/* Kills workers at random, or stops them and lets them go on; moves the clock by up to so much. */
static void haunt(crime *c, int64_t kills, int64_t most_ns)
{
    kit_rng *rng = &c->rng;
    for (unsigned i = 0; i < WORKERS; i++) hire(c, i);
    while (kills > 0) {
        const unsigned i = (unsigned)kit_between(rng, 0, WORKERS - 1);
        idle_a_little(rng);
        if (most_ns && kit_between(rng, 0, 1)) {
            int64_t steady, wall, by = kit_between(rng, 0, most_ns);
            kit_now(c->zone, &steady, &wall);
            llim_zone_set_clock(c->zone, steady + by, wall + by); /* unless somebody stands */
        }
        if (kit_between(rng, 0, 2) == 0) {
            kill(c->worker[i], SIGSTOP);
            idle_a_little(rng);
            if (most_ns) {
                int64_t steady, wall;
                kit_now(c->zone, &steady, &wall);
                llim_zone_set_clock(c->zone, steady + 2 * KIT_MINUTE, wall + 2 * KIT_MINUTE);
            }
            idle_a_little(rng);
            kill(c->worker[i], SIGCONT);
            continue;
        }
        kill(c->worker[i], SIGKILL);
        const int code = crew_end(c->worker[i]);
        if (code != -SIGKILL) fail_msg("a worker has ended with %d", code);
        hire(c, i);
        kills--;
    }
    /* The others have gone on, and still do. */
    const uint64_t done = atomic_load(&c->all->done);
    while (atomic_load(&c->all->done) < done + 100) sched_yield();
    atomic_store(&c->all->stop, true);
    for (unsigned i = 0; i < WORKERS; i++) {
        const int code = crew_end(c->worker[i]);
        if (code) fail_msg("a worker has ended with %d", code);
    }
    print_message("%llu operations\n", (unsigned long long)atomic_load(&c->all->done));
}

static void tell(void *ctx, const char *fault)
{
    (void)ctx;
    print_message("fault: %s\n", fault);
}

/* Every row and ring is somebody's or free, and the figures say so, and whatever else makes a zone sound. */
static void check_nothing_is_lost(const crime *c)
{
    static const llim__faults faults = {.tell = tell};
    llim__verified done;
    assert_int_equal(llim__zone_lock(c->zone), LLIM_OK);
    const int code = llim__zone_verify(c->zone, &faults, &done);
    llim__zone_unlock(c->zone);
    assert_int_equal(code, LLIM_OK);
}

/* All places can be taken by scopes that are not idle. */
static void check_all_is_usable(const crime *c)
{
    uint32_t placed = 0;
    for (int i = 0; i < 2 * ROWS; i++) {
        char scope[16];
        llim_limit limit = limit_of(i < RINGS - 1 ? LLIM_SLIDING : LLIM_BUCKET, 10);
        llim_row row;
        snprintf(scope, sizeof scope, "new:%d", i);
        int code = kit_try_row(c->zone, scope, &limit, 1, &row);
        if (code == LLIM_EFULL) break;
        assert_int_equal(code, LLIM_OK);
        assert_int_equal(kit_admit(c->zone, row, LLIM_TOKENS, 1), LLIM_OK);
        placed++;
    }
    assert_int_equal(placed, ROWS - LAWS);
}

/* The clock stands. What is used is what was admitted and not given back, but for what the dead were about; and nobody who was
   told yes is missing. */
static void test_nothing_is_lost_or_spent_twice(void **state)
{
    (void)state;
    static crime c;
    const int64_t kills = kit_env("LLIM_KILLS", 40), limit = 5000;
    begin(&c, limit);
    for (unsigned i = 0; i < WORKERS; i++) c.work[i] = i < 6 ? decide : place;
    haunt(&c, kills, 0);
    check_nothing_is_lost(&c);
    for (int law = 0; law < LAWS; law++) {
        const int64_t least = atomic_load(&c.all->admitted[law]) - atomic_load(&c.all->returning[law]),
                      most = atomic_load(&c.all->begun[law]) - atomic_load(&c.all->refused[law]) -
                             atomic_load(&c.all->returned[law]),
                      used = kit_used(c.zone, c.row[law], 0);
        print_message("%s: %lld to %lld, used %lld\n", llim_law_name(law), (long long)least, (long long)most,
                      (long long)used);
        if (least > limit) fail_msg("%s: %lld of %lld", llim_law_name(law), (long long)least, (long long)limit);
        if (used < least || used > most) fail_msg("%s: used %lld", llim_law_name(law), (long long)used);
        assert_true(most - least <= 18 * THREADS * kills); /* 9 that were charged, and 9 given back */
    }
    assert_true(atomic_load(&c.all->done) > 1000);
    kit_advance(c.zone, 3 * KIT_DAY);
    for (int law = 0; law < LAWS; law++) {
        assert_int_equal(kit_used(c.zone, c.row[law], 0), 0);
        assert_int_equal(kit_admit(c.zone, c.row[law], LLIM_TOKENS, limit), LLIM_OK);
    }
    check_all_is_usable(&c);
    end(&c);
}

/* Limits change too, by writers that are killed. */
static void test_reloads_that_are_killed(void **state)
{
    (void)state;
    static crime c;
    begin(&c, 6000);
    for (unsigned i = 0; i < WORKERS; i++) c.work[i] = i < 4 ? decide : i < 6 ? reload : place;
    haunt(&c, kit_env("LLIM_KILLS", 40), 0);
    check_nothing_is_lost(&c);
    for (int law = 0; law < LAWS; law++) {
        const int64_t admitted = atomic_load(&c.all->admitted[law]) - atomic_load(&c.all->returning[law]);
        if (admitted > 6000) fail_msg("%s: %lld of 6000", llim_law_name(law), (long long)admitted);
        assert_int_equal(set_main(&c, law, 6000, &c.row[law]), LLIM_OK);
    }
    kit_advance(c.zone, 40 * KIT_DAY);
    for (int law = 0; law < LAWS; law++) assert_int_equal(kit_admit(c.zone, c.row[law], LLIM_TOKENS, 6000), LLIM_OK);
    check_all_is_usable(&c);
    end(&c);
}

static int by_time(const void *a, const void *b)
{
    const noted *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Time passes, also by more than a window while workers stand: no window holds more than the limit. */
static void test_no_window_holds_more(void **state)
{
    (void)state;
    static crime c;
    const int64_t limit = 400;
    begin(&c, limit);
    for (unsigned i = 0; i < WORKERS; i++) c.work[i] = i < 7 ? decide_and_note : place;
    haunt(&c, kit_env("LLIM_KILLS", 40), KIT_MINUTE / 8);
    const uint32_t n = atomic_load(&c.all->n);
    qsort(c.all->note, n, sizeof *c.all->note, by_time);
    int64_t sum = 0, most = 0;
    for (uint32_t i = 0, first = 0; i < n; i++) {
        sum += c.all->note[i].amount;
        while (c.all->note[first].at + KIT_MINUTE <= c.all->note[i].at) sum -= c.all->note[first++].amount;
        if (sum > most) most = sum;
    }
    print_message("%u admitted, at most %lld in a window\n", n, (long long)most);
    if (most > limit) fail_msg("%lld of %lld in a window", (long long)most, (long long)limit);
    assert_true(most > limit / 2);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost_or_spent_twice),
        cmocka_unit_test(test_reloads_that_are_killed),
        cmocka_unit_test(test_no_window_holds_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
