/* test_wait.c - waiting for room: who is served when, what ends a wait, and that nothing given back is missed. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/limiter.h"
#include "seekers.h"

static void test_serves_by_priority_then_as_they_came(void **state)
{
    (void)state;
    static const int32_t priority[] = {0, 0, 5, -1, 5};
    static const size_t order[] = {2, 4, 0, 1, 3};
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_permit held = seekers_hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker s[KIT_COUNT(priority)];
    for (size_t i = 0; i < KIT_COUNT(s); i++) {
        seeker_init(&s[i], limiter, "slots", LLIM_SESSIONS, 1);
        s[i].options.priority = priority[i];
        seeker_begin(&s[i]);
        assert_int_equal(seeker_poll(&s[i]), LLIM_WAITING);
    }
    for (size_t k = 0; k < KIT_COUNT(s); k++) {
        for (size_t i = 0; i < KIT_COUNT(s); i++) s[i].woken = 0;
        assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held), LLIM_OK);
        for (size_t i = 0; i < KIT_COUNT(s); i++) {
            if (i == order[k]) continue;
            assert_int_equal(s[i].woken, 0);
            assert_int_equal(seeker_poll(&s[i]), s[i].code == LLIM_WAITING ? LLIM_WAITING : LLIM_EENDED);
        }
        assert_int_equal(s[order[k]].woken, 1);
        assert_int_equal(seeker_poll(&s[order[k]]), LLIM_OK);
        if (k + 1 < KIT_COUNT(s)) {
            assert_int_equal(s[order[k + 1]].woken, 1);
            assert_int_equal(seeker_poll(&s[order[k + 1]]), LLIM_WAITING);
        }
        held = s[order[k]].permit;
    }
    for (size_t i = 0; i < KIT_COUNT(s); i++) llim_wait_end(s[i].waiter);
    llim_close(limiter);
}

/* The clock stands at the instant of each refusal until that one is admitted. */
static void test_threads_are_admitted_in_order_at_the_exact_instant(void **state)
{
    (void)state;
    enum { N = 6 };
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    seekers_hold(limiter, "one", LLIM_TOKENS, 1);
    seeker s[N];
    for (int i = 0; i < N; i++) {
        seeker_init(&s[i], limiter, "one", LLIM_TOKENS, 1);
        seeker_start(&s[i]);
    }
    for (int k = 0; k < N; k++) {
        seeker *next = &s[k];
        llim_refusal refusal;
        assert_int_equal(llim_available(limiter, &next->request, NULL, &refusal, NULL), LLIM_LATER);
        kit_advance(zone, refusal.wait_ns - 1);
        kit_advance(zone, 1);
        seeker_join(next);
        assert_int_equal(next->code, LLIM_OK);
        assert_int_equal(next->permit.at_ns, refusal.at_ns);
    }
    seekers_settle(limiter, 0);
    llim_close(limiter);
}

static void test_a_poll_tells_the_exact_instant(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    seekers_hold(limiter, "one", LLIM_TOKENS, 1);
    seeker s;
    seeker_init(&s, limiter, "one", LLIM_TOKENS, 1);
    seeker_begin(&s);
    assert_int_equal(seeker_poll(&s), LLIM_WAITING);
    assert_int_equal(s.at_ns, s.refusal.at_ns);
    kit_advance(zone, s.refusal.wait_ns - 1);
    assert_int_equal(seeker_poll(&s), LLIM_WAITING);
    kit_advance(zone, 1);
    assert_int_equal(seeker_poll(&s), LLIM_OK);
    assert_int_equal(s.permit.at_ns, s.refusal.at_ns);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

static void test_never_passes_a_deadline(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = seekers_hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker last, late, blocked;
    seeker_init(&last, limiter, "slots", LLIM_SESSIONS, 1);
    last.options.timeout_ns = 10 * KIT_SECOND;
    late = blocked = last;
    seeker_begin(&last);
    late.options.wake_ctx = &late.woken;
    seeker_begin(&late);
    seeker_start(&blocked);
    assert_int_equal(seeker_poll(&last), LLIM_WAITING);
    assert_int_equal(last.at_ns, seekers_now(limiter) + 10 * KIT_SECOND + 1);
    assert_int_equal(seeker_poll(&late), LLIM_WAITING);
    kit_advance(zone, 10 * KIT_SECOND);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(seeker_poll(&last), LLIM_OK);
    held = last.permit;
    assert_int_equal(seeker_poll(&late), LLIM_WAITING);
    kit_advance(zone, 1);
    assert_int_equal(late.woken, 1);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(seeker_poll(&late), LLIM_LATER);
    assert_int_equal(late.refusal.reason, LLIM_BY_QUEUE);
    seeker_join(&blocked);
    assert_int_equal(blocked.code, LLIM_LATER);
    assert_int_equal(seeker_poll(&late), LLIM_EENDED);
    llim_wait_end(last.waiter);
    llim_wait_end(late.waiter);
    llim_close(limiter);
}

/* What only a cancel gives back is not waited for in vain; all else may still come. */
static void test_tells_at_once_what_is_known(void **state)
{
    (void)state;
    static const char *const models[] = {"one", "tokens"};
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    seekers_hold(limiter, "one", LLIM_TOKENS, 1);
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 8);
    seeker s;
    seeker_init(&s, limiter, "one", LLIM_TOKENS, 3);
    s.options.timeout_ns = KIT_SECOND;
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_int_equal(s.refusal.reason, LLIM_BY_LIMIT);
    s.request.models = models;
    s.request.n_models = 2;
    seeker_begin(&s);
    assert_int_equal(seeker_poll(&s), LLIM_WAITING);
    llim_wait_end(s.waiter);

    llim_model_info info;
    assert_int_equal(llim_model(limiter, "tokens", &info, NULL), LLIM_OK);
    assert_int_equal(llim_cool(zone, info.row, 100 * KIT_SECOND), LLIM_OK);
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_int_equal(s.refusal.candidate, 0);
    assert_int_equal(at_load_rlx(&limiter->queue.n), 0);
    llim_close(limiter);
}

static void test_never_and_errors_are_told_behind_others_too(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    seeker first, s;
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 8);
    seeker_init(&first, limiter, "tokens", LLIM_TOKENS, 10);
    for (int k = 0; k < 2; k++) {
        seeker_init(&s, limiter, "never", LLIM_TOKENS, 1);
        seeker_wait(&s);
        assert_int_equal(s.code, LLIM_NEVER);
        seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 11);
        seeker_wait(&s);
        assert_int_equal(s.code, LLIM_NEVER);
        seeker_init(&s, limiter, "tokens", LLIM_TOKENS, -1);
        seeker_wait(&s);
        assert_int_equal(s.code, LLIM_ERANGE);
        if (k) break;
        seeker_begin(&first);
        assert_int_equal(seeker_poll(&first), LLIM_WAITING);
    }
    llim_error err;
    seeker_init(&s, limiter, "tokenz", LLIM_TOKENS, 1);
    assert_int_equal(llim_wait_begin(limiter, &s.request, NULL, &s.waiter, &err), LLIM_EUNKNOWN_MODEL);
    assert_null(s.waiter);
    seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 1);
    s.options.timeout_ns = -1;
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_ERANGE);
    s.options.size = 1;
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_EVERSION);
    s.options = (llim_wait_options){.size = sizeof s.options};
    s.request.n_models = 0;
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_EINVAL);
    assert_int_equal(llim_wait_poll(first.waiter, NULL, NULL, NULL, NULL), LLIM_EINVAL);
    assert_int_equal(llim_wait(limiter, &first.request, NULL, NULL, NULL, NULL), LLIM_EINVAL);
    llim_wait_end(first.waiter);
    llim_wait_end(NULL);
    llim_close(limiter);
}

enum give_back { SETTLE, REJECT, CANCEL, RAISE, WAYS };

static void give_back(llim_limiter *limiter, const char *model, enum give_back how, llim_permit *permit)
{
    llim_zone *zone = llim_limiter_zone(limiter);
    const llim_charge facts = kit_fact(LLIM_TOKENS, 1);
    if (how == SETTLE) assert_int_equal(llim_settle(zone, permit, &facts), LLIM_OK);
    if (how == REJECT) assert_int_equal(llim_reject(zone, permit), LLIM_OK);
    if (how == CANCEL) assert_int_equal(llim_cancel(zone, permit), LLIM_OK);
    if (how != RAISE) return;
    llim_model_info info;
    llim_usage usage;
    uint32_t n;
    llim_row row;
    assert_int_equal(llim_model(limiter, model, &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(zone, info.row, &usage, 1, &n), LLIM_OK);
    usage.limit.amount = 100;
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = info.scope,
                          .scope_len = (uint32_t)strlen(info.scope),
                          .limits = &usage.limit,
                          .n_limits = 1,
                          .pinned = 1};
    assert_int_equal(llim_row_set(zone, &spec, &row, NULL), LLIM_OK);
}

static void test_what_is_given_back_wakes_the_next(void **state)
{
    (void)state;
    static const char *const models[] = {"tokens", "level"};
    for (size_t i = 0; i < KIT_COUNT(models) * WAYS; i++) {
        const char *model = models[i / WAYS];
        llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
        llim_permit held = seekers_hold(limiter, model, LLIM_TOKENS, 8);
        seeker polled, blocked;
        seeker_init(&polled, limiter, model, LLIM_TOKENS, 4);
        seeker_init(&blocked, limiter, model, LLIM_TOKENS, 3);
        seeker_begin(&polled);
        assert_int_equal(seeker_poll(&polled), LLIM_WAITING);
        seeker_start(&blocked);
        give_back(limiter, model, (enum give_back)(i % WAYS), &held);
        assert_int_equal(polled.woken, 1);
        assert_int_equal(seeker_poll(&polled), LLIM_OK);
        seeker_join(&blocked);
        assert_int_equal(blocked.code, LLIM_OK);
        assert_int_equal(blocked.permit.at_ns, polled.permit.at_ns);
        llim_wait_end(polled.waiter);
        llim_close(limiter);
    }
}

static void test_a_large_request_is_not_starved(void **state)
{
    (void)state;
    static const char *const both[] = {"other", "tokens"};
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = seekers_hold(limiter, "tokens", LLIM_TOKENS, 4);
    seeker large, small, passes, list;
    seeker_init(&large, limiter, "tokens", LLIM_TOKENS, 10);
    seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 1);
    seeker_init(&passes, limiter, "other", LLIM_TOKENS, 1);
    seeker_begin(&large);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    seeker_begin(&small);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    assert_int_equal(llim_available(limiter, &small.request, NULL, NULL, NULL), LLIM_OK);
    seeker_wait(&passes);
    assert_int_equal(passes.code, LLIM_OK);
    seeker_init(&list, limiter, NULL, LLIM_TOKENS, 1);
    list.request.models = both;
    list.request.n_models = 2;
    list.options.timeout_ns = KIT_SECOND;
    seeker_begin(&list);
    assert_int_equal(seeker_poll(&list), LLIM_WAITING);
    kit_advance(zone, KIT_SECOND + 1);
    assert_int_equal(seeker_poll(&list), LLIM_LATER);
    assert_int_equal(list.refusal.reason, LLIM_BY_QUEUE);
    assert_int_equal(list.refusal.candidate, 1);
    char text[128];
    llim_refusal_text(&list.refusal, text, sizeof text);
    assert_string_equal(text, "tokens fits, but others are waiting for it");
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(small.woken, 0);
    assert_int_equal(seeker_poll(&large), LLIM_OK);
    assert_int_equal(small.woken, 1);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    llim_wait_end(list.waiter);
    llim_close(limiter);
}

static void test_who_is_cancelled_leaves_the_queue(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    seeker s[3];
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 4);
    for (int i = 0; i < 3; i++) {
        seeker_init(&s[i], limiter, "tokens", LLIM_TOKENS, 10 - 2 * i);
        seeker_begin(&s[i]);
        assert_int_equal(seeker_poll(&s[i]), LLIM_WAITING);
    }
    llim_wait_end(s[1].waiter);
    assert_int_equal(s[0].woken + s[2].woken, 0);
    llim_wait_end(s[0].waiter);
    assert_int_equal(s[2].woken, 1);
    assert_int_equal(seeker_poll(&s[2]), LLIM_OK);
    assert_int_equal(at_load_rlx(&limiter->queue.n), 0);
    llim_wait_end(s[2].waiter);
    llim_close(limiter);
}

static void test_a_higher_priority_takes_the_turn(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = seekers_hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker first, urgent;
    seeker_init(&first, limiter, "slots", LLIM_SESSIONS, 1);
    seeker_init(&urgent, limiter, "slots", LLIM_SESSIONS, 1);
    urgent.options.priority = 1;
    seeker_begin(&first);
    assert_int_equal(seeker_poll(&first), LLIM_WAITING);
    seeker_begin(&urgent);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(first.woken, 0);
    assert_int_equal(seeker_poll(&first), LLIM_WAITING);
    assert_int_equal(urgent.woken, 1);
    assert_int_equal(seeker_poll(&urgent), LLIM_OK);
    assert_int_equal(first.woken, 1);
    assert_int_equal(llim_cancel(zone, &urgent.permit), LLIM_OK);
    assert_int_equal(seeker_poll(&first), LLIM_OK);
    llim_wait_end(first.waiter);
    llim_wait_end(urgent.waiter);
    llim_close(limiter);
}

static void note(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void test_a_listener_is_told_of_what_frees(void **state)
{
    (void)state;
    kit_world world;
    atomic_uint calls = 0;
    const llim_listener listener = {note, &calls};
    kit_open(&world, 8, 8, 8);
    llim_zone *zone = world.zone;
    const llim_limit limit[] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 10, KIT_MINUTE, 0),
                                kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 2, KIT_MINUTE, 0)};
    llim_row row = kit_row(zone, "a", limit, 2);
    llim_zone_listen(zone, &listener);
    llim_permit permit = kit_permit(zone, row, LLIM_TOKENS, 4);
    llim_charge facts = kit_fact(LLIM_TOKENS, 5);
    assert_int_equal(llim_settle(zone, &permit, &facts), LLIM_OK);
    permit = kit_permit(zone, row, LLIM_TOKENS, 1);
    assert_int_equal(llim_settle(zone, &permit, NULL), LLIM_OK);
    kit_wait(zone, row, LLIM_TOKENS, 5);
    assert_int_equal(llim_cool(zone, row, 0), LLIM_OK);
    assert_int_equal(calls, 0);
    permit = kit_permit(zone, row, LLIM_SESSIONS, 1);
    assert_int_equal(llim_settle(zone, &permit, NULL), LLIM_OK);
    assert_int_equal(calls, 1);
    permit = kit_permit(zone, row, LLIM_TOKENS, 1);
    assert_int_equal(llim_cancel(zone, &permit), LLIM_OK);
    assert_int_equal(calls, 2);
    kit_row(zone, "a", limit, 1);
    assert_int_equal(calls, 3);
    kit_row(zone, "a", limit, 1);
    kit_row(zone, "b", limit, 1);
    assert_int_equal(calls, 3);
    kit_advance(zone, 1);
    assert_int_equal(calls, 4);
    assert_int_equal(llim_zone_set_clock(zone, 0, KIT_WALL), LLIM_ERANGE);
    llim_zone_listen(zone, NULL);
    kit_advance(zone, 1);
    assert_int_equal(calls, 4);
    kit_close(&world);
}

/* Threads that hold what the next ones wait for, while the clock stands. */
enum { THREADS = 8 };

typedef struct crowd {
    llim_limiter *limiter;
    int64_t rounds;
    atomic_int holding, most; /* of the model three */
    atomic_int waited, admitted, refused, done;
    pthread_mutex_t clock; /* it stands */
} crowd;

typedef struct member {
    crowd *all;
    kit_rng rng;
    int how;
    pthread_t thread;
} member;

static void post(void *ctx)
{
    sem_post(ctx);
}

static void wait_by_polls(seeker *s, int *polls)
{
    sem_t told;
    sem_init(&told, 0, 0);
    s->options.wake = post;
    s->options.wake_ctx = &told;
    seeker_begin(s);
    for (; seeker_poll(s) == LLIM_WAITING; ++*polls)
        if (s->at_ns > seekers_now(s->limiter)) sem_wait(&told);
    llim_wait_end(s->waiter);
    sem_destroy(&told);
}

static void *crowd_in(void *arg)
{
    member *m = arg;
    crowd *all = m->all;
    llim_zone *zone = llim_limiter_zone(all->limiter);
    static const char *const lists[][2] = {
        {"three", "three"}, {"tokens", "tokens"}, {"tokens", "level"}, {"level", "three"}};
    int polls = 0;
    for (int64_t i = 0; i < all->rounds; i++) {
        const int list = (int)kit_between(&m->rng, 0, 3);
        seeker s;
        seeker_init(&s, all->limiter, NULL, LLIM_TOKENS, kit_between(&m->rng, 1, 10));
        s.request.models = lists[list];
        s.request.n_models = 2;
        s.request.charge.amount[LLIM_SESSIONS] = 1;
        s.options.priority = (int32_t)kit_between(&m->rng, -1, 1);
        if (m->how == 0) {
            seeker_wait(&s);
        } else if (m->how == 1) {
            wait_by_polls(&s, &polls);
        } else if (m->how == 2) { /* gives up now and then */
            seeker_begin(&s);
            if (seeker_poll(&s) == LLIM_WAITING && kit_between(&m->rng, 0, 1)) seeker_poll(&s);
            llim_wait_end(s.waiter);
        } else {
            s.code = llim_acquire(all->limiter, &s.request, &s.permit, NULL, NULL);
        }
        if (s.code != LLIM_OK) {
            assert_true(m->how >= 2 && (s.code == LLIM_LATER || s.code == LLIM_WAITING));
            continue;
        }
        const bool counted = strcmp(lists[list][s.permit.candidate], "three") == 0;
        if (counted) {
            int n = atomic_fetch_add(&all->holding, 1) + 1, most = atomic_load(&all->most);
            while (n > most && !atomic_compare_exchange_weak(&all->most, &most, n)) {
            }
        }
        if (kit_between(&m->rng, 0, 3) == 0) sched_yield();
        if (counted) atomic_fetch_sub(&all->holding, 1);
        const llim_charge nothing = kit_fact(LLIM_TOKENS, 0);
        switch (kit_between(&m->rng, 0, 2)) {
        case 0:
            assert_int_equal(llim_settle(zone, &s.permit, &nothing), LLIM_OK);
            break;
        case 1:
            assert_int_equal(llim_reject(zone, &s.permit), LLIM_OK);
            break;
        default:
            assert_int_equal(llim_cancel(zone, &s.permit), LLIM_OK);
        }
    }
    atomic_fetch_add(&all->waited, polls);
    return NULL;
}

static void test_no_wake_up_is_lost(void **state)
{
    (void)state;
    static const int how[THREADS] = {0, 0, 0, 1, 1, 2, 3, 0};
    kit_rng rng = kit_seed();
    crowd all = {.limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL), .rounds = kit_env("LLIM_WAITS", 4000)};
    member m[THREADS];
    for (int i = 0; i < THREADS; i++) {
        m[i] = (member){.all = &all, .rng = {kit_random(&rng)}, .how = how[i]};
        assert_int_equal(pthread_create(&m[i].thread, NULL, crowd_in, &m[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(m[i].thread, NULL), 0);
    print_message("%d polls were told to wait\n", atomic_load(&all.waited));
    assert_true(atomic_load(&all.waited) > 0);
    assert_in_range(atomic_load(&all.most), 1, 3);
    assert_int_equal(at_load_rlx(&all.limiter->queue.n), 0);
    assert_int_equal(all.limiter->queue.turns, 0);
    llim_close(all.limiter);
}

/* Many wait for a limit that binds, while time passes under them. A deadline is known to the test because the clock stands while
   a waiter begins. */
static void *wait_until_deadline(void *arg)
{
    member *m = arg;
    crowd *all = m->all;
    sem_t told;
    sem_init(&told, 0, 0);
    for (int64_t i = 0; i < all->rounds; i++) {
        seeker s;
        seeker_init(&s, all->limiter, m->how ? "level" : "tokens", LLIM_TOKENS, kit_between(&m->rng, 1, 10));
        s.options.timeout_ns = kit_between(&m->rng, 1, 200 * KIT_SECOND);
        s.options.priority = (int32_t)kit_between(&m->rng, 0, 2);
        s.options.wake = post;
        s.options.wake_ctx = &told;
        pthread_mutex_lock(&all->clock);
        const int64_t deadline = seekers_now(all->limiter) + s.options.timeout_ns;
        seeker_begin(&s);
        pthread_mutex_unlock(&all->clock);
        while (seeker_poll(&s) == LLIM_WAITING) {
            assert_true(s.at_ns <= deadline + 1);
            if (s.at_ns > seekers_now(all->limiter)) sem_wait(&told);
        }
        if (s.code == LLIM_OK)
            assert_true(s.permit.at_ns <= deadline);
        else
            assert_true(s.code == LLIM_LATER && seekers_now(all->limiter) > deadline);
        atomic_fetch_add(s.code == LLIM_OK ? &all->admitted : &all->refused, 1);
        llim_wait_end(s.waiter);
        while (sem_trywait(&told) == 0) {
        }
    }
    sem_destroy(&told);
    atomic_fetch_add(&all->done, 1);
    return NULL;
}

static void test_deadlines_hold_while_time_passes(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    crowd all = {.limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL), .rounds = kit_env("LLIM_WAITS", 4000) / 10};
    llim_zone *zone = llim_limiter_zone(all.limiter);
    member m[THREADS];
    pthread_mutex_init(&all.clock, NULL);
    for (int i = 0; i < THREADS; i++) {
        m[i] = (member){.all = &all, .rng = {kit_random(&rng)}, .how = i % 2};
        assert_int_equal(pthread_create(&m[i].thread, NULL, wait_until_deadline, &m[i]), 0);
    }
    while (atomic_load(&all.done) < THREADS) {
        pthread_mutex_lock(&all.clock);
        kit_advance(zone, kit_between(&rng, 1, 10 * KIT_SECOND));
        pthread_mutex_unlock(&all.clock);
        sched_yield();
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(m[i].thread, NULL), 0);
    print_message("%d admitted, %d not\n", atomic_load(&all.admitted), atomic_load(&all.refused));
    assert_true(atomic_load(&all.admitted) > 0 && atomic_load(&all.refused) > 0);
    pthread_mutex_destroy(&all.clock);
    llim_close(all.limiter);
}

/* Really waits for some milliseconds. */
static void test_a_real_clock(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_REAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_model_info info;
    seeker s;
    assert_int_equal(llim_model(limiter, "tokens", &info, NULL), LLIM_OK);
    seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 1);
    s.options.timeout_ns = KIT_HOUR;
    int64_t cool = seekers_now(limiter) + 5 * KIT_MS;
    assert_int_equal(llim_cool(zone, info.row, 5 * KIT_MS), LLIM_OK);
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_OK);
    assert_true(s.permit.at_ns >= cool);

    llim_permit held = seekers_hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker_init(&s, limiter, "slots", LLIM_SESSIONS, 1);
    s.options.timeout_ns = 3 * KIT_MS;
    int64_t over = seekers_now(limiter) + 3 * KIT_MS;
    seeker_wait(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_true(seekers_now(limiter) > over);
    s.options.timeout_ns = 0;
    seeker_begin(&s);
    int64_t soon = seekers_now(limiter) + KIT_SECOND;
    assert_int_equal(seeker_poll(&s), LLIM_WAITING);
    assert_true(s.at_ns >= soon && s.at_ns <= seekers_now(limiter) + KIT_SECOND);
    llim_wait_end(s.waiter);
    seeker_start(&s);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    seeker_join(&s);
    assert_int_equal(s.code, LLIM_OK);
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves_by_priority_then_as_they_came),
        cmocka_unit_test(test_threads_are_admitted_in_order_at_the_exact_instant),
        cmocka_unit_test(test_a_poll_tells_the_exact_instant),
        cmocka_unit_test(test_never_passes_a_deadline),
        cmocka_unit_test(test_tells_at_once_what_is_known),
        cmocka_unit_test(test_never_and_errors_are_told_behind_others_too),
        cmocka_unit_test(test_what_is_given_back_wakes_the_next),
        cmocka_unit_test(test_a_large_request_is_not_starved),
        cmocka_unit_test(test_who_is_cancelled_leaves_the_queue),
        cmocka_unit_test(test_a_higher_priority_takes_the_turn),
        cmocka_unit_test(test_a_listener_is_told_of_what_frees),
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_deadlines_hold_while_time_passes),
        cmocka_unit_test(test_a_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
