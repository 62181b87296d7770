/* test_wait_policy.c - waiting for room beside a policy: its plans, the scopes that it names, and reloads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seekers.h"

static void test_a_policy_that_leaves_out_is_asked_again(void **state)
{
    (void)state;
    llim_limiter *limiter =
        seekers_open(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', route = function(req, pool) "
                                         "if req.tokens == 1 then return pool end return {} end }\n");
    llim_zone *zone = llim_limiter_zone(limiter);
    seeker s;
    seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 2);
    seeker_begin(&s);
    assert_int_equal(seeker_poll(&s), LLIM_WAITING);
    assert_int_equal(s.at_ns, seekers_now(limiter) + 100 * KIT_MS);
    s.request.charge.amount[LLIM_TOKENS] = 1; /* as if the policy had changed its mind */
    kit_advance(zone, 100 * KIT_MS);
    assert_int_equal(seeker_poll(&s), LLIM_OK);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

/* Each question may set the scope's row anew. */
static void test_scopes_of_a_policy_wake_nobody(void **state)
{
    (void)state;
    llim_limiter *limiter =
        seekers_open(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', scopes = function() "
                                         "return { { name = 'team:x', limits = { tpm = 5 } } } end }\n");
    llim_permit held = seekers_hold(limiter, "tokens", LLIM_TOKENS, 5);
    seeker s;
    seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 1);
    seeker_begin(&s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seeker_poll(&s), LLIM_WAITING);
        assert_string_equal(s.refusal.scope, "team:x");
        assert_int_equal(s.woken, 0);
    }
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held), LLIM_OK);
    assert_int_equal(s.woken, 1);
    assert_int_equal(seeker_poll(&s), LLIM_OK);
    llim_wait_end(s.waiter);
    llim_close(limiter);
}

/* Limits of one name that differ by model are set anew at each ask, which wakes nobody either. */
static void test_scopes_that_differ_wake_nobody(void **state)
{
    (void)state;
    llim_limiter *limiter =
        seekers_open(LLIM_CLOCK_VIRTUAL, "local OF = { tokens = { tpm = 5 }, level = { tpm = 4 } }\n"
                                         "return policy { api = 1, name = 'x', scopes = function(req, m) "
                                         "return OF[m.name] and { { name = 'team:x', limits = OF[m.name] } } end }\n");
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 5);
    static const char *const both[] = {"tokens", "level"};
    seeker s;
    seeker_init(&s, limiter, "tokens", LLIM_TOKENS, 3);
    s.request.models = both;
    s.request.n_models = 2;
    seeker_begin(&s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(seeker_poll(&s), LLIM_WAITING);
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
        seekers_open(LLIM_CLOCK_VIRTUAL, "return policy { api = 1, name = 'x', route = function() return {} end }\n");
    char mine[32];
    llim_error err;
    kit_write_file(mine, seekers_overrides);
    llim_options options = {.size = sizeof options, .overrides = mine};
    seeker large, small;
    seeker_init(&large, limiter, "tokens", LLIM_TOKENS, 10);
    seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 1);
    seeker_begin(&large);
    seeker_begin(&small);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    options.account = "other"; /* whose rows are others */
    if (llim_reload(limiter, &options, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(large.woken, 1);
    seeker late;
    seeker_init(&late, limiter, "tokens", LLIM_TOKENS, 1);
    seeker_begin(&late);
    assert_int_equal(seeker_poll(&late), LLIM_WAITING);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    assert_int_equal(seeker_poll(&large), LLIM_OK);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    llim_wait_end(late.waiter);
    unlink(mine);
    llim_close(limiter);
}

/* The head of the queue waits for the scope that all share; small ones behind it, for other models, do not take what it waits for. */
static void check_order_in_scope(llim_limiter *limiter, const llim_row *scope)
{
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit held[2];
    seeker large, small, other;
    for (int i = 0; i < 2; i++) {
        seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 2);
        small.request.scopes = scope;
        small.request.n_scopes = scope != NULL;
        assert_int_equal(llim_acquire(limiter, &small.request, &held[i], NULL, NULL), LLIM_OK);
    }
    seeker_init(&large, limiter, "level", LLIM_TOKENS, 4);
    seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 2);
    seeker_init(&other, limiter, "three", LLIM_TOKENS, 0);
    large.request.scopes = small.request.scopes = scope;
    large.request.n_scopes = small.request.n_scopes = scope != NULL;
    seeker_begin(&large);
    seeker_begin(&small);
    seeker_begin(&other);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    assert_string_equal(large.refusal.scope, "team:x");
    assert_int_equal(llim_cancel(zone, &held[0]), LLIM_OK);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING); /* it would fit */
    assert_int_equal(seeker_poll(&other), LLIM_OK);      /* it shares nothing */
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    assert_int_equal(llim_cancel(zone, &held[1]), LLIM_OK);
    assert_int_equal(seeker_poll(&large), LLIM_OK);
    assert_int_equal(small.woken, 1);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    assert_int_equal(llim_cancel(zone, &large.permit), LLIM_OK);
    assert_int_equal(seeker_poll(&small), LLIM_OK);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    llim_wait_end(other.waiter);
    llim_close(limiter);
}

static void test_scopes_of_requests_are_queued_for(void **state)
{
    (void)state;
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    const llim_limit limit = {.meter = LLIM_TOKENS, .law = LLIM_BUCKET, .amount = 5, .window_ns = KIT_MINUTE};
    const llim_row_spec spec = {
        .size = sizeof spec, .scope = "team:x", .scope_len = 6, .limits = &limit, .n_limits = 1, .pinned = 1};
    llim_row row;
    assert_int_equal(llim_row_set(llim_limiter_zone(limiter), &spec, &row, NULL), LLIM_OK);
    check_order_in_scope(limiter, &row);
}

static void test_scopes_of_a_policy_are_queued_for(void **state)
{
    (void)state;
    check_order_in_scope(seekers_open(LLIM_CLOCK_VIRTUAL,
                                      "local OURS = { { name = 'team:x', limits = { tpm = 5 } } }\n"
                                      "return policy { api = 1, name = 'x', scopes = function(req, m) "
                                      "return m.name ~= 'three' and OURS or nil end }\n"),
                         NULL);
}

/* What a policy names is another thing after a reload; who waits is asked for by what it names then. */
static void test_a_reload_changes_what_is_queued_for(void **state)
{
    (void)state;
    char mine[32], rules[32];
    llim_error err;
    kit_write_file(mine, seekers_overrides);
    kit_write_file(rules, "return policy { api = 1, name = 'y', scopes = function() "
                          "return { { name = 'team:y', limits = { tpm = 5 } } } end }\n");
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_permit held[2] = {seekers_hold(limiter, "level", LLIM_TOKENS, 10),
                           seekers_hold(limiter, "tokens", LLIM_TOKENS, 10)};
    seeker large, small;
    seeker_init(&large, limiter, "level", LLIM_TOKENS, 5);
    seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 1);
    seeker_begin(&large);
    seeker_begin(&small);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING);
    llim_options options = {.size = sizeof options, .overrides = mine, .policy = rules};
    if (llim_reload(limiter, &options, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held[1]), LLIM_OK);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    assert_int_equal(seeker_poll(&small), LLIM_WAITING); /* behind the large one by now */
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &held[0]), LLIM_OK);
    assert_int_equal(seeker_poll(&large), LLIM_OK);
    llim_wait_end(large.waiter);
    llim_wait_end(small.waiter);
    unlink(mine);
    unlink(rules);
    llim_close(limiter);
}

/* What behind another one waits has become too large. */
static void test_a_reload_tells_never_to_those_behind_too(void **state)
{
    (void)state;
    char mine[32];
    llim_limiter *limiter = seekers_open(LLIM_CLOCK_VIRTUAL, NULL);
    llim_options options = {.size = sizeof options, .overrides = mine};
    seeker first, behind;
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 10);
    seeker_init(&first, limiter, "tokens", LLIM_TOKENS, 5);
    seeker_init(&behind, limiter, "tokens", LLIM_TOKENS, 9);
    seeker_begin(&first);
    seeker_begin(&behind);
    assert_int_equal(seeker_poll(&first), LLIM_WAITING);
    assert_int_equal(seeker_poll(&behind), LLIM_WAITING);
    kit_write_file(mine, "return { tokens = { tpm = 6, guard = 0 } }\n");
    assert_int_equal(llim_reload(limiter, &options, NULL, NULL), LLIM_OK);
    assert_int_equal(behind.woken, 1);
    assert_int_equal(seeker_poll(&behind), LLIM_NEVER);
    assert_int_equal(seeker_poll(&first), LLIM_WAITING);
    llim_wait_end(first.waiter);
    llim_wait_end(behind.waiter);
    unlink(mine);
    llim_close(limiter);
}

/* Who begins to wait while scripts are not asked learns of its scopes afterwards. */
static void test_scopes_are_learned_after_a_rest(void **state)
{
    (void)state;
    llim_limiter *limiter =
        seekers_open(LLIM_CLOCK_VIRTUAL, "local OURS = { { name = 'team:x', limits = { tpm = 5 } } }\n"
                                         "return policy { api = 1, name = 'x', scopes = function(req) "
                                         "while req.images == 1 do end return OURS end }\n");
    llim_zone *zone = llim_limiter_zone(limiter);
    seeker bad, large, small;
    seekers_hold(limiter, "tokens", LLIM_TOKENS, 5);
    seeker_init(&bad, limiter, "tokens", LLIM_IMAGES, 1);
    assert_int_equal(llim_acquire(limiter, &bad.request, &bad.permit, NULL, NULL),
                     LLIM_OK); /* by the default: no scopes */
    seeker_init(&large, limiter, "level", LLIM_TOKENS, 5);
    seeker_begin(&large);
    kit_advance(zone, 2 * KIT_SECOND);
    assert_int_equal(seeker_poll(&large), LLIM_WAITING);
    for (int i = 0; i < 50; i++) {
        kit_advance(zone, KIT_SECOND);
        seeker_init(&small, limiter, "tokens", LLIM_TOKENS, 1);
        seeker_begin(&small);
        assert_int_equal(seeker_poll(&small), LLIM_WAITING);
        llim_wait_end(small.waiter);
    }
    kit_advance(zone, 10 * KIT_SECOND);
    assert_int_equal(seeker_poll(&large), LLIM_OK);
    llim_wait_end(large.waiter);
    llim_close(limiter);
}

typedef struct storm {
    llim_limiter *limiter;
    const llim_options *options;
    atomic_bool over;
} storm;

static void *name_scopes(void *arg)
{
    storm *s = arg;
    char name[32];
    llim_row row;
    for (int i = 0; !atomic_load(&s->over); i++) {
        snprintf(name, sizeof name, "team:%d", i % 50);
        if (llim_scope(s->limiter, name, &row, NULL)) abort();
    }
    return NULL;
}

/* Each has locks of its own, and none waits for another that waits for it. */
static void test_reloads_and_scopes_beside_who_waits(void **state)
{
    (void)state;
    char mine[32], text[96];
    static const char *const spelling[] = {"a-2024-01-01"}; /* that no set knows until it is asked for */
    kit_write_file(mine, "return { a = { rpm = 1 }, ['team:*'] = { rpm = 100 } }\n");
    llim_options options = {.size = sizeof options, .overrides = mine, .scopes = 60};
    storm s = {.options = &options};
    seeker w;
    pthread_t thread;
    assert_int_equal(llim_open(&options, &s.limiter, NULL), LLIM_OK);
    seekers_hold(s.limiter, "a", LLIM_TOKENS, 0);
    seeker_init(&w, s.limiter, NULL, LLIM_TOKENS, 0);
    w.request.models = spelling;
    seeker_begin(&w);
    assert_int_equal(seeker_poll(&w), LLIM_WAITING);
    assert_int_equal(pthread_create(&thread, NULL, name_scopes, &s), 0);
    for (int64_t i = 0, n = kit_env("LLIM_RELOADS", 50); i < n; i++) {
        FILE *file = fopen(mine, "w");
        assert_non_null(file);
        snprintf(text, sizeof text, "return { a = { rpm = 1 }, ['team:*'] = { rpm = %d } }\n", 101 + (int)i);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(llim_reload(s.limiter, NULL, NULL, NULL), LLIM_OK);
        assert_int_equal(seeker_poll(&w), LLIM_WAITING);
    }
    atomic_store(&s.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    llim_wait_end(w.waiter);
    llim_close(s.limiter);
    unlink(mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_policy_that_leaves_out_is_asked_again),
        cmocka_unit_test(test_scopes_of_a_policy_wake_nobody),
        cmocka_unit_test(test_scopes_that_differ_wake_nobody),
        cmocka_unit_test(test_a_reload_wakes),
        cmocka_unit_test(test_scopes_of_requests_are_queued_for),
        cmocka_unit_test(test_scopes_of_a_policy_are_queued_for),
        cmocka_unit_test(test_a_reload_changes_what_is_queued_for),
        cmocka_unit_test(test_a_reload_tells_never_to_those_behind_too),
        cmocka_unit_test(test_scopes_are_learned_after_a_rest),
        cmocka_unit_test(test_reloads_and_scopes_beside_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
