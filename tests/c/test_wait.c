/*
 * test_wait.c - waiting for room: who is served when, what ends a wait, and that nothing given back is missed.
 *
 * Time is virtual and stands still unless a test moves it, so where only what is given back can admit the next one, a wake-up
 * that is lost is a test that never ends.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/limiter.h"
#include "kit.h"

static const char overrides[] = "return {\n"
                                "  one = { rpm = 1, guard = 0 }, other = { rpm = 1, guard = 0 },\n"
                                "  slots = { sessions = 1 }, three = { sessions = 3 },\n"
                                "  tokens = { tpm = 10, guard = 0 }, level = { tpm = 10, guard = 0, law = 'bucket' },\n"
                                "  never = { blocked = true },\n"
                                "}\n";

static llim_limiter *open_limiter(int clock, const char *policy)
{
    char mine[32], rules[32];
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .overrides = mine};
    options.zone = (llim_zone_options){.size = sizeof options.zone, .clock = clock};
    if (clock == LLIM_CLOCK_VIRTUAL) options.zone.start_wall_ns = KIT_WALL;
    kit_write_file(mine, overrides);
    if (policy) kit_write_file(rules, policy);
    if (policy) options.policy = rules;
    int code = llim_open(&options, &limiter, &err);
    unlink(mine);
    if (policy) unlink(rules);
    if (code) fail_msg("%s", err.message);
    return limiter;
}

/* Somebody who waits for one model. */
typedef struct seeker {
    llim_limiter *limiter;
    const char *model;
    llim_request request;
    llim_wait_options options;
    llim_waiter *waiter;
    llim_permit permit;
    llim_refusal refusal;
    int64_t at_ns;
    int code;
    atomic_uint woken;
    pthread_t thread;
} seeker;

static void note(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void seek(seeker *s, llim_limiter *limiter, const char *model, int meter, int64_t amount)
{
    memset(s, 0, sizeof *s);
    s->limiter = limiter;
    s->model = model;
    s->request = (llim_request){.size = sizeof s->request, .models = &s->model, .n_models = 1};
    s->request.charge.amount[meter] = amount;
    s->options = (llim_wait_options){.size = sizeof s->options, .wake = note, .wake_ctx = &s->woken};
}

static void begin(seeker *s)
{
    llim_error err;
    int code = llim_wait_begin(s->limiter, &s->request, &s->options, &s->waiter, &err);
    if (code) fail_msg("%s", err.message);
}

static int poll_once(seeker *s)
{
    s->woken = 0;
    return s->code = llim_wait_poll(s->waiter, &s->permit, &s->refusal, &s->at_ns, NULL);
}

static llim_permit hold(llim_limiter *limiter, const char *model, int meter, int64_t amount)
{
    seeker s;
    seek(&s, limiter, model, meter, amount);
    assert_int_equal(llim_acquire(limiter, &s.request, &s.permit, NULL, NULL), LLIM_OK);
    return s.permit;
}

static int64_t now_of(llim_limiter *limiter)
{
    int64_t steady;
    llim_zone_now(llim_limiter_zone(limiter), &steady, NULL);
    return steady;
}

static void *wait_in_thread(void *arg)
{
    seeker *s = arg;
    s->code = llim_wait(s->limiter, &s->request, &s->options, &s->permit, &s->refusal, NULL);
    return NULL;
}

static void settle_queue(llim_limiter *limiter, uint32_t n)
{
    while (at_load_rlx(&limiter->queue.n) != n) sched_yield();
}

/* Starts a thread that waits, and goes on once it stands in the queue. */
static void start(seeker *s)
{
    const uint32_t n = at_load_rlx(&s->limiter->queue.n);
    assert_int_equal(pthread_create(&s->thread, NULL, wait_in_thread, s), 0);
    settle_queue(s->limiter, n + 1);
}

static void join(seeker *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

static void test_serves_by_priority_then_as_they_came(void **state)
{
    (void)state;
    static const int32_t priority[] = {0, 0, 5, -1, 5};
    static const size_t order[] = {2, 4, 0, 1, 3};
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_permit held = hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker s[KIT_COUNT(priority)];
    for (size_t i = 0; i < KIT_COUNT(s); i++) {
        seek(&s[i], limiter, "slots", LLIM_SESSIONS, 1);
        s[i].options.priority = priority[i];
        begin(&s[i]);
        assert_int_equal(poll_once(&s[i]), LLIM_WAITING);
    }
    for (size_t k = 0; k < KIT_COUNT(s); k++) {
        for (size_t i = 0; i < KIT_COUNT(s); i++) s[i].woken = 0;
        assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held), LLIM_OK);
        for (size_t i = 0; i < KIT_COUNT(s); i++) {
            if (i == order[k]) continue;
            assert_int_equal(s[i].woken, 0);
            assert_int_equal(poll_once(&s[i]), s[i].code == LLIM_WAITING ? LLIM_WAITING : LLIM_EENDED);
        }
        assert_int_equal(s[order[k]].woken, 1);
        assert_int_equal(poll_once(&s[order[k]]), LLIM_OK);
        if (k + 1 < KIT_COUNT(s)) {
            assert_int_equal(s[order[k + 1]].woken, 1);
            assert_int_equal(poll_once(&s[order[k + 1]]), LLIM_WAITING);
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
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    hold(limiter, "one", LLIM_TOKENS, 1);
    seeker s[N];
    for (int i = 0; i < N; i++) {
        seek(&s[i], limiter, "one", LLIM_TOKENS, 1);
        start(&s[i]);
    }
    for (int k = 0; k < N; k++) {
        seeker *next = &s[k];
        llim_refusal refusal;
        assert_int_equal(llim_available(limiter, &next->request, NULL, &refusal, NULL), LLIM_LATER);
        kit_advance(zone, refusal.wait_ns - 1);
        kit_advance(zone, 1);
        join(next);
        assert_int_equal(next->code, LLIM_OK);
        assert_int_equal(next->permit.at_ns, refusal.at_ns);
    }
    settle_queue(limiter, 0);
    llim_close(limiter);
}

static void test_a_poll_tells_the_exact_instant(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    hold(limiter, "one", LLIM_TOKENS, 1);
    seeker s;
    seek(&s, limiter, "one", LLIM_TOKENS, 1);
    begin(&s);
    assert_int_equal(poll_once(&s), LLIM_WAITING);
    assert_int_equal(s.at_ns, s.refusal.at_ns);
    kit_advance(zone, s.refusal.wait_ns - 1);
    assert_int_equal(poll_once(&s), LLIM_WAITING);
    kit_advance(zone, 1);
    assert_int_equal(poll_once(&s), LLIM_OK);
    assert_int_equal(s.permit.at_ns, s.refusal.at_ns);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

static void test_never_passes_a_deadline(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker last, late, blocked;
    seek(&last, limiter, "slots", LLIM_SESSIONS, 1);
    last.options.timeout_ns = 10 * KIT_SECOND;
    late = blocked = last;
    begin(&last);
    late.options.wake_ctx = &late.woken;
    begin(&late);
    start(&blocked);
    assert_int_equal(poll_once(&last), LLIM_WAITING);
    assert_int_equal(last.at_ns, now_of(limiter) + 10 * KIT_SECOND + 1);
    assert_int_equal(poll_once(&late), LLIM_WAITING);
    kit_advance(zone, 10 * KIT_SECOND);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(poll_once(&last), LLIM_OK);
    held = last.permit;
    assert_int_equal(poll_once(&late), LLIM_WAITING);
    kit_advance(zone, 1);
    assert_int_equal(late.woken, 1);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(poll_once(&late), LLIM_LATER);
    assert_int_equal(late.refusal.reason, LLIM_BY_QUEUE);
    join(&blocked);
    assert_int_equal(blocked.code, LLIM_LATER);
    assert_int_equal(poll_once(&late), LLIM_EENDED);
    llim_wait_end(last.waiter);
    llim_wait_end(late.waiter);
    llim_close(limiter);
}

/* What only a cancel gives back is not waited for in vain; all else may still come. */
static void test_tells_at_once_what_is_known(void **state)
{
    (void)state;
    static const char *const models[] = {"one", "tokens"};
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    hold(limiter, "one", LLIM_TOKENS, 1);
    hold(limiter, "tokens", LLIM_TOKENS, 8);
    seeker s;
    seek(&s, limiter, "one", LLIM_TOKENS, 3);
    s.options.timeout_ns = KIT_SECOND;
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_int_equal(s.refusal.reason, LLIM_BY_LIMIT);
    s.request.models = models;
    s.request.n_models = 2;
    begin(&s);
    assert_int_equal(poll_once(&s), LLIM_WAITING);
    llim_wait_end(s.waiter);

    llim_model_info info;
    assert_int_equal(llim_model(limiter, "tokens", &info, NULL), LLIM_OK);
    assert_int_equal(llim_cool(zone, info.row, 100 * KIT_SECOND), LLIM_OK);
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_int_equal(s.refusal.candidate, 0);
    assert_int_equal(at_load_rlx(&limiter->queue.n), 0);
    llim_close(limiter);
}

static void test_never_and_errors_are_told_behind_others_too(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    seeker first, s;
    hold(limiter, "tokens", LLIM_TOKENS, 8);
    seek(&first, limiter, "tokens", LLIM_TOKENS, 10);
    for (int k = 0; k < 2; k++) {
        seek(&s, limiter, "never", LLIM_TOKENS, 1);
        wait_in_thread(&s);
        assert_int_equal(s.code, LLIM_NEVER);
        seek(&s, limiter, "tokens", LLIM_TOKENS, 11);
        wait_in_thread(&s);
        assert_int_equal(s.code, LLIM_NEVER);
        seek(&s, limiter, "tokens", LLIM_TOKENS, -1);
        wait_in_thread(&s);
        assert_int_equal(s.code, LLIM_ERANGE);
        if (k) break;
        begin(&first);
        assert_int_equal(poll_once(&first), LLIM_WAITING);
    }
    llim_error err;
    seek(&s, limiter, "tokenz", LLIM_TOKENS, 1);
    assert_int_equal(llim_wait_begin(limiter, &s.request, NULL, &s.waiter, &err), LLIM_EUNKNOWN_MODEL);
    assert_null(s.waiter);
    seek(&s, limiter, "tokens", LLIM_TOKENS, 1);
    s.options.timeout_ns = -1;
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_ERANGE);
    s.options.size = 1;
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_EVERSION);
    s.options = (llim_wait_options){.size = sizeof s.options};
    s.request.n_models = 0;
    wait_in_thread(&s);
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
        llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
        llim_permit held = hold(limiter, model, LLIM_TOKENS, 8);
        seeker polled, blocked;
        seek(&polled, limiter, model, LLIM_TOKENS, 4);
        seek(&blocked, limiter, model, LLIM_TOKENS, 3);
        begin(&polled);
        assert_int_equal(poll_once(&polled), LLIM_WAITING);
        start(&blocked);
        give_back(limiter, model, (enum give_back)(i % WAYS), &held);
        assert_int_equal(polled.woken, 1);
        assert_int_equal(poll_once(&polled), LLIM_OK);
        join(&blocked);
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
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = hold(limiter, "tokens", LLIM_TOKENS, 4);
    seeker large, small, passes, list;
    seek(&large, limiter, "tokens", LLIM_TOKENS, 10);
    seek(&small, limiter, "tokens", LLIM_TOKENS, 1);
    seek(&passes, limiter, "other", LLIM_TOKENS, 1);
    begin(&large);
    assert_int_equal(poll_once(&large), LLIM_WAITING);
    begin(&small);
    assert_int_equal(poll_once(&small), LLIM_WAITING);
    assert_int_equal(llim_available(limiter, &small.request, NULL, NULL, NULL), LLIM_OK);
    wait_in_thread(&passes);
    assert_int_equal(passes.code, LLIM_OK);
    seek(&list, limiter, NULL, LLIM_TOKENS, 1);
    list.request.models = both;
    list.request.n_models = 2;
    list.options.timeout_ns = KIT_SECOND;
    begin(&list);
    assert_int_equal(poll_once(&list), LLIM_WAITING);
    kit_advance(zone, KIT_SECOND + 1);
    assert_int_equal(poll_once(&list), LLIM_LATER);
    assert_int_equal(list.refusal.reason, LLIM_BY_QUEUE);
    assert_int_equal(list.refusal.candidate, 1);
    char text[128];
    llim_refusal_text(&list.refusal, text, sizeof text);
    assert_string_equal(text, "tokens fits, but others are waiting for it");
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(small.woken, 0);
    assert_int_equal(poll_once(&large), LLIM_OK);
    assert_int_equal(small.woken, 1);
    assert_int_equal(poll_once(&small), LLIM_WAITING);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    llim_wait_end(list.waiter);
    llim_close(limiter);
}

static void test_who_is_cancelled_leaves_the_queue(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    seeker s[3];
    hold(limiter, "tokens", LLIM_TOKENS, 4);
    for (int i = 0; i < 3; i++) {
        seek(&s[i], limiter, "tokens", LLIM_TOKENS, 10 - 2 * i);
        begin(&s[i]);
        assert_int_equal(poll_once(&s[i]), LLIM_WAITING);
    }
    llim_wait_end(s[1].waiter);
    assert_int_equal(s[0].woken + s[2].woken, 0);
    llim_wait_end(s[0].waiter);
    assert_int_equal(s[2].woken, 1);
    assert_int_equal(poll_once(&s[2]), LLIM_OK);
    assert_int_equal(at_load_rlx(&limiter->queue.n), 0);
    llim_wait_end(s[2].waiter);
    llim_close(limiter);
}

static void test_a_higher_priority_takes_the_turn(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held = hold(limiter, "slots", LLIM_SESSIONS, 1);
    seeker first, urgent;
    seek(&first, limiter, "slots", LLIM_SESSIONS, 1);
    seek(&urgent, limiter, "slots", LLIM_SESSIONS, 1);
    urgent.options.priority = 1;
    begin(&first);
    assert_int_equal(poll_once(&first), LLIM_WAITING);
    begin(&urgent);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    assert_int_equal(first.woken, 0);
    assert_int_equal(poll_once(&first), LLIM_WAITING);
    assert_int_equal(urgent.woken, 1);
    assert_int_equal(poll_once(&urgent), LLIM_OK);
    assert_int_equal(first.woken, 1);
    assert_int_equal(llim_cancel(zone, &urgent.permit), LLIM_OK);
    assert_int_equal(poll_once(&first), LLIM_OK);
    llim_wait_end(first.waiter);
    llim_wait_end(urgent.waiter);
    llim_close(limiter);
}

static void test_a_policy_that_leaves_out_is_asked_again(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_limiter(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', route = function(req, pool) "
                                         "if req.tokens == 1 then return pool end return {} end }\n");
    llim_zone *zone = llim_limiter_zone(limiter);
    seeker s;
    seek(&s, limiter, "tokens", LLIM_TOKENS, 2);
    begin(&s);
    assert_int_equal(poll_once(&s), LLIM_WAITING);
    assert_int_equal(s.at_ns, now_of(limiter) + 100 * KIT_MS);
    s.request.charge.amount[LLIM_TOKENS] = 1; /* as if the policy had changed its mind */
    kit_advance(zone, 100 * KIT_MS);
    assert_int_equal(poll_once(&s), LLIM_OK);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

/* Each question may set the scope's row anew. */
static void test_scopes_of_a_policy_wake_nobody(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_limiter(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', scopes = function() "
                                         "return { { name = 'team:x', limits = { tpm = 5 } } } end }\n");
    llim_permit held = hold(limiter, "tokens", LLIM_TOKENS, 5);
    seeker s;
    seek(&s, limiter, "tokens", LLIM_TOKENS, 1);
    begin(&s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(poll_once(&s), LLIM_WAITING);
        assert_string_equal(s.refusal.scope, "team:x");
        assert_int_equal(s.woken, 0);
    }
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held), LLIM_OK);
    assert_int_equal(s.woken, 1);
    assert_int_equal(poll_once(&s), LLIM_OK);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

/* Limits of one name that differ by model are set anew at each ask, which wakes nobody either. */
static void test_scopes_that_differ_wake_nobody(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_limiter(LLIM_CLOCK_VIRTUAL, "local OF = { tokens = { tpm = 5 }, level = { tpm = 4 } }\n"
                                         "return policy { api = 1, name = 'x', scopes = function(req, m) "
                                         "return OF[m.name] and { { name = 'team:x', limits = OF[m.name] } } end }\n");
    hold(limiter, "tokens", LLIM_TOKENS, 5);
    static const char *const both[] = {"tokens", "level"};
    seeker s;
    seek(&s, limiter, "tokens", LLIM_TOKENS, 3);
    s.request.models = both;
    s.request.n_models = 2;
    begin(&s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(poll_once(&s), LLIM_WAITING);
        assert_int_equal(s.woken, 0);
    }
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

/* Another set wakes whoever waits, whatever it changes, and tells who is first by its own rows. */
static void test_a_reload_wakes(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_limiter(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', route = function() return {} end }\n");
    char mine[32];
    llim_error err;
    kit_write_file(mine, overrides);
    llim_options options = {.size = sizeof options, .overrides = mine};
    seeker large, small;
    seek(&large, limiter, "tokens", LLIM_TOKENS, 10);
    seek(&small, limiter, "tokens", LLIM_TOKENS, 1);
    begin(&large);
    begin(&small);
    assert_int_equal(poll_once(&large), LLIM_WAITING);
    assert_int_equal(poll_once(&small), LLIM_WAITING);
    options.account = "other"; /* whose rows are others */
    if (llim_reload(limiter, &options, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(large.woken, 1);
    seeker late;
    seek(&late, limiter, "tokens", LLIM_TOKENS, 1);
    begin(&late);
    assert_int_equal(poll_once(&late), LLIM_WAITING);
    assert_int_equal(poll_once(&small), LLIM_WAITING);
    assert_int_equal(poll_once(&large), LLIM_OK);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    llim_wait_end(late.waiter);
    unlink(mine);
    llim_close(limiter);
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
    begin(s);
    for (; poll_once(s) == LLIM_WAITING; ++*polls)
        if (s->at_ns > now_of(s->limiter)) sem_wait(&told);
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
        seek(&s, all->limiter, NULL, LLIM_TOKENS, kit_between(&m->rng, 1, 10));
        s.request.models = lists[list];
        s.request.n_models = 2;
        s.request.charge.amount[LLIM_SESSIONS] = 1;
        s.options.priority = (int32_t)kit_between(&m->rng, -1, 1);
        if (m->how == 0) {
            wait_in_thread(&s);
        } else if (m->how == 1) {
            wait_by_polls(&s, &polls);
        } else if (m->how == 2) { /* gives up now and then */
            begin(&s);
            if (poll_once(&s) == LLIM_WAITING && kit_between(&m->rng, 0, 1)) poll_once(&s);
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
    crowd all = {.limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL), .rounds = kit_env("LLIM_WAITS", 4000)};
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
        seek(&s, all->limiter, m->how ? "level" : "tokens", LLIM_TOKENS, kit_between(&m->rng, 1, 10));
        s.options.timeout_ns = kit_between(&m->rng, 1, 200 * KIT_SECOND);
        s.options.priority = (int32_t)kit_between(&m->rng, 0, 2);
        s.options.wake = post;
        s.options.wake_ctx = &told;
        pthread_mutex_lock(&all->clock);
        const int64_t deadline = now_of(all->limiter) + s.options.timeout_ns;
        begin(&s);
        pthread_mutex_unlock(&all->clock);
        while (poll_once(&s) == LLIM_WAITING) {
            assert_true(s.at_ns <= deadline + 1);
            if (s.at_ns > now_of(all->limiter)) sem_wait(&told);
        }
        if (s.code == LLIM_OK)
            assert_true(s.permit.at_ns <= deadline);
        else
            assert_true(s.code == LLIM_LATER && now_of(all->limiter) > deadline);
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
    crowd all = {.limiter = open_limiter(LLIM_CLOCK_VIRTUAL, NULL), .rounds = kit_env("LLIM_WAITS", 4000) / 10};
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
    llim_limiter *limiter = open_limiter(LLIM_CLOCK_REAL, NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_model_info info;
    seeker s;
    assert_int_equal(llim_model(limiter, "tokens", &info, NULL), LLIM_OK);
    seek(&s, limiter, "tokens", LLIM_TOKENS, 1);
    s.options.timeout_ns = KIT_HOUR;
    int64_t cool = now_of(limiter) + 5 * KIT_MS;
    assert_int_equal(llim_cool(zone, info.row, 5 * KIT_MS), LLIM_OK);
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_OK);
    assert_true(s.permit.at_ns >= cool);

    llim_permit held = hold(limiter, "slots", LLIM_SESSIONS, 1);
    seek(&s, limiter, "slots", LLIM_SESSIONS, 1);
    s.options.timeout_ns = 3 * KIT_MS;
    int64_t over = now_of(limiter) + 3 * KIT_MS;
    wait_in_thread(&s);
    assert_int_equal(s.code, LLIM_LATER);
    assert_true(now_of(limiter) > over);
    s.options.timeout_ns = 0;
    begin(&s);
    int64_t soon = now_of(limiter) + KIT_SECOND;
    assert_int_equal(poll_once(&s), LLIM_WAITING);
    assert_true(s.at_ns >= soon && s.at_ns <= now_of(limiter) + KIT_SECOND);
    llim_wait_end(s.waiter);
    start(&s);
    assert_int_equal(llim_cancel(zone, &held), LLIM_OK);
    join(&s);
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
        cmocka_unit_test(test_a_policy_that_leaves_out_is_asked_again),
        cmocka_unit_test(test_scopes_of_a_policy_wake_nobody),
        cmocka_unit_test(test_scopes_that_differ_wake_nobody),
        cmocka_unit_test(test_a_reload_wakes),
        cmocka_unit_test(test_a_listener_is_told_of_what_frees),
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_deadlines_hold_while_time_passes),
        cmocka_unit_test(test_a_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
