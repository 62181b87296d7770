/*
 * test_acquire.c - a request along a list of models, through the C door: which is admitted, what a refusal tells, and what a
 * policy's plan changes.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static const char overrides[] = "return {\n"
                                "  first = { rpm = 1, guard = 0 }, second = { rpm = 2, guard = 0 },\n"
                                "  small = { tpm = 5, guard = 0 }, never = { blocked = true },\n"
                                "  live = { sessions = 3 }, ['team:*'] = { rpm = 0 }, ['team:acme'] = { rpm = 1 },\n"
                                "}\n";

#define POLICY(body) "return policy { api = 1, name = 'test', route = function(req, pool) " body " end }\n"

static llim_limiter *open_limiter(const char *policy, uint32_t leases)
{
    char mine[32], rules[32];
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .overrides = mine};
    options.zone = (llim_zone_options){
        .size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .leases = leases};
    kit_write_file(mine, overrides);
    if (policy) kit_write_file(rules, policy);
    if (policy) options.policy = rules;
    int code = llim_open(&options, &limiter, &err);
    unlink(mine);
    if (policy) unlink(rules);
    if (code) fail_msg("%s", err.message);
    return limiter;
}

static llim_request request_of(const char *const *models, uint32_t n, int64_t tokens)
{
    return (llim_request){
        .size = sizeof(llim_request), .models = models, .n_models = n, .charge.amount[LLIM_TOKENS] = tokens};
}

static void test_falls_back_along_the_list(void **state)
{
    (void)state;
    static const char *const models[] = {"first", "second"};
    static const uint32_t admitted[] = {0, 1, 1};
    llim_limiter *limiter = open_limiter(NULL, 8);
    llim_request request = request_of(models, 2, 1);
    llim_permit permit;
    llim_refusal refusal;
    for (size_t i = 0; i < KIT_COUNT(admitted); i++) {
        uint32_t candidate = 9;
        assert_int_equal(llim_available(limiter, &request, &candidate, NULL, NULL), LLIM_OK);
        assert_int_equal(candidate, admitted[i]);
        assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_OK);
        assert_int_equal(permit.candidate, admitted[i]);
        kit_advance(llim_limiter_zone(limiter), KIT_SECOND);
    }
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_LATER);
    assert_int_equal(refusal.candidate, 0);
    assert_true(refusal.wait_ns > 56 * KIT_SECOND && refusal.wait_ns <= 58 * KIT_SECOND);
    llim_close(limiter);
}

static void test_is_never_only_if_all_are(void **state)
{
    (void)state;
    static const char *const models[] = {"never", "small", "first"};
    llim_limiter *limiter = open_limiter(NULL, 8);
    llim_request request = request_of(models, 2, 6);
    llim_permit permit;
    llim_refusal refusal;
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_NEVER);
    assert_int_equal(refusal.reason, LLIM_BY_BLOCKED);
    assert_int_equal(refusal.candidate, 0);
    request.n_models = 3;
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 2);
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_LATER);
    assert_int_equal(refusal.candidate, 2);
    llim_close(limiter);
}

/* The README's policy, when all models cool: nobody is tried, and the first to be warm again is named. */
static void test_a_plan_may_leave_out_models(void **state)
{
    (void)state;
    static const char *const models[] = {"first", "second"};
    llim_limiter *limiter = open_limiter(POLICY("local plan = {} for _, m in ipairs(pool) do if not m.cooling then "
                                                "plan[#plan + 1] = m end end return plan"),
                                         8);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_request request = request_of(models, 2, 1);
    llim_permit permit;
    llim_refusal refusal;
    for (uint32_t i = 0; i < 2; i++) {
        llim_model_info info;
        assert_int_equal(llim_model(limiter, models[i], &info, NULL), LLIM_OK);
        assert_int_equal(llim_cool(zone, info.row, (5 - i) * KIT_SECOND), LLIM_OK);
    }
    memset(&permit, 0xaa, sizeof permit);
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_LATER);
    assert_int_equal(permit.n_rows, 0xaaaaaaaa);
    assert_int_equal(refusal.reason, LLIM_BY_COOLDOWN);
    assert_int_equal(refusal.candidate, 1);
    assert_int_equal(refusal.wait_ns, 4 * KIT_SECOND);
    kit_advance(zone, refusal.wait_ns);
    assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1);
    llim_close(limiter);
}

static void test_an_empty_plan_admits_nothing(void **state)
{
    (void)state;
    static const char *const models[] = {"first", "second"};
    static const char *const plans[] = {POLICY("return {}"), POLICY("return { nil }")};
    for (size_t i = 0; i < KIT_COUNT(plans); i++) {
        llim_limiter *limiter = open_limiter(plans[i], 8);
        llim_request request = request_of(models, 2, 1);
        llim_permit permit = {.n_rows = 0};
        llim_refusal refusal;
        char text[128];
        assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_LATER);
        assert_int_equal(refusal.reason, LLIM_BY_POLICY);
        assert_int_equal(permit.n_rows, 0);
        llim_refusal_text(&refusal, text, sizeof text);
        assert_string_equal(text, "first fits, but the policy leaves it out");
        assert_int_equal(llim_available(limiter, &request, NULL, &refusal, NULL), LLIM_LATER);
        llim_close(limiter);
    }
}

/* A candidate that stands twice in a plan is tried once, and the later ones after it. */
static void test_a_plan_may_repeat(void **state)
{
    (void)state;
    static const char *const models[] = {"first", "second"};
    llim_limiter *limiter = open_limiter(POLICY("return { pool[1], pool[1], pool[2], pool[1] }"), 8);
    llim_request request = request_of(models, 2, 1);
    llim_permit permit;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
        assert_int_equal(permit.candidate, i ? 1 : 0);
    }
    llim_close(limiter);
}

/* What is no list of candidates is no plan: the caller's order stands. */
static void test_what_is_no_plan(void **state)
{
    (void)state;
    static const char *const models[] = {"first", "second"};
    static const char *const plans[] = {POLICY("return nil"), POLICY("return pool[2]"), POLICY("return { 2 }"),
                                        POLICY("return { 'second' }"), POLICY("error 'x'")};
    for (size_t i = 0; i < KIT_COUNT(plans); i++) {
        llim_limiter *limiter = open_limiter(plans[i], 8);
        llim_request request = request_of(models, 2, 1);
        llim_permit permit;
        assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
        assert_int_equal(permit.candidate, 0);
        llim_close(limiter);
    }
}

/* Leases that ran out are the next model's business only if it needs one. */
static void test_goes_on_where_leases_have_run_out(void **state)
{
    (void)state;
    static const char *const models[] = {"live", "first"};
    llim_limiter *limiter = open_limiter(NULL, 1);
    llim_request request = request_of(models, 2, 1);
    request.charge.amount[LLIM_SESSIONS] = 1;
    llim_permit permit, held;
    llim_error err;
    request.n_models = 1;
    assert_int_equal(llim_acquire(limiter, &request, &held, NULL, NULL), LLIM_OK);
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, &err), LLIM_EFULL);
    request.n_models = 2;
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1);
    /* The other one has to wait, but a lease may end sooner than that. */
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, &err), LLIM_EFULL);
    assert_string_equal(err.message, "live: no lease is left in the zone; it needs more leases");
    llim_close(limiter);
}

static void test_one_image_or_session_unless_told_otherwise(void **state)
{
    (void)state;
    static const struct {
        int32_t modality;
        int meter;
    } rows[] = {{LLIM_IMAGE, LLIM_IMAGES}, {LLIM_LIVE, LLIM_SESSIONS}};
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        llim_options options = {.size = sizeof options, .modality = rows[i].modality, .quotas = "published"};
        options.guard_ns = LLIM_NO_GUARD; /* which would keep the last image of a bucket back */
        options.tier = rows[i].modality == LLIM_IMAGE ? "tier1" : "free";
        const char *const models[] = {rows[i].modality == LLIM_IMAGE ? "gpt-image-1" : "gemini-2.0-flash-live-001"};
        llim_limiter *limiter;
        assert_int_equal(llim_open(&options, &limiter, NULL), LLIM_OK);
        llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
        llim_permit permit;
        llim_refusal refusal;
        int code = LLIM_OK, admitted = 0;
        for (; code == LLIM_OK && admitted < 9; admitted += code == LLIM_OK)
            code = llim_acquire(limiter, &request, &permit, &refusal, NULL);
        assert_int_equal(code, LLIM_LATER);
        assert_int_equal(refusal.meter, rows[i].meter);
        assert_int_equal(admitted, refusal.limit);
        assert_int_equal(permit.charge.amount[rows[i].meter], 1);
        request.charge.amount[rows[i].meter] = 99;
        assert_int_equal(llim_acquire(limiter, &request, &permit, &refusal, NULL), LLIM_NEVER);
        llim_close(limiter);
    }
}

static void test_scopes_without_limits_are_not_found(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(NULL, 8);
    llim_row row;
    assert_int_equal(llim_scope(limiter, "team:acme", &row, NULL), LLIM_OK);
    assert_int_equal(llim_scope(limiter, "team:other", &row, NULL), LLIM_ENOTFOUND);
    assert_int_equal(llim_scope(limiter, "user:ann", &row, NULL), LLIM_ENOTFOUND);
    llim_close(limiter);
}

/* The header's rule for what is declared: tokens, input, characters, declared output; then what is charged. */
static void test_estimates_what_is_not_declared(void **state)
{
    (void)state;
    static const char *const models[] = {"first"};
    static const int64_t rows[][6] = {
        {1200, 0, 0, 4096, 1200, 1200}, {0, 100, 0, 50, 150, 100},   {0, 0, 401, 50, 151, 101},
        {0, 0, 0, 50, 50, 0},           {500, 100, 0, 50, 500, 100},
    };
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        llim_limiter *limiter = open_limiter(NULL, 8);
        llim_request request = request_of(models, 1, rows[i][0]);
        request.charge.amount[LLIM_INPUT_TOKENS] = rows[i][1];
        request.charge.amount[LLIM_CHARACTERS] = rows[i][2];
        request.max_output_tokens = rows[i][3];
        llim_permit permit;
        assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
        assert_int_equal(permit.charge.amount[LLIM_TOKENS], rows[i][4]);
        assert_int_equal(permit.charge.amount[LLIM_INPUT_TOKENS], rows[i][5]);
        assert_int_equal(permit.charge.amount[LLIM_REQUESTS], 1);
        llim_close(limiter);
    }
}

static atomic_uint said;

static void *ask_once(void *arg)
{
    static const char *const models[] = {"first"};
    llim_request request = request_of(models, 1, 1);
    llim_refusal refusal;
    llim_permit permit;
    int code = llim_acquire(arg, &request, &permit, &refusal, NULL);
    atomic_fetch_add(&said, 1);
    return code == LLIM_OK || code == LLIM_LATER ? NULL : arg;
}

/* Nobody is inside any more, but the threads that were have yet to end, and give up their Lua states when they do. */
static void test_closes_while_threads_end(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        llim_limiter *limiter = open_limiter(POLICY("return pool"), 8);
        pthread_t thread[4];
        void *wrong;
        atomic_store(&said, 0);
        for (size_t k = 0; k < KIT_COUNT(thread); k++)
            assert_int_equal(pthread_create(&thread[k], NULL, ask_once, limiter), 0);
        while (atomic_load(&said) < KIT_COUNT(thread)) sched_yield();
        llim_close(limiter);
        for (size_t k = 0; k < KIT_COUNT(thread); k++) {
            assert_int_equal(pthread_join(thread[k], &wrong), 0);
            assert_null(wrong);
        }
    }
}

/* Memory for so many allocations more, but frees. */
static void *scarce(void *ctx, void *memory, size_t before, size_t after)
{
    int64_t *left = ctx;
    (void)before;
    if (after == 0) {
        free(memory);
        return NULL;
    }
    return (*left)-- > 0 ? realloc(memory, after) : NULL;
}

/* Wherever memory runs out, a code tells it; names that were not met before are Lua's to find. */
static void test_without_memory(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt-4o", "gpt-4o-2099-01-01", "models/gemini-2.5-flash",
                                        "a-name-that-is-longer-than-any-that-lua-interns-at-once"};
    for (int64_t opens = 0, open = 0; !open; opens += opens < 50 ? 1 : opens / 20) {
        int64_t left = opens;
        llim_options options = {.size = sizeof options, .zone.alloc = scarce, .zone.alloc_ctx = &left};
        llim_limiter *limiter;
        llim_error err;
        int code = llim_open(&options, &limiter, &err);
        if (code != LLIM_OK) {
            assert_int_equal(code, LLIM_ENOMEM);
            assert_null(limiter);
            continue;
        }
        open = 1;
        for (int64_t more = 0; more < 40; more++) {
            for (size_t n = 0; n < KIT_COUNT(names); n++) {
                llim_model_info info;
                left = more;
                code = llim_model(limiter, names[n], &info, &err);
                assert_true(code == LLIM_OK || code == LLIM_ENOMEM || code == LLIM_EUNKNOWN_MODEL);
            }
        }
        llim_close(limiter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_falls_back_along_the_list),
        cmocka_unit_test(test_is_never_only_if_all_are),
        cmocka_unit_test(test_a_plan_may_leave_out_models),
        cmocka_unit_test(test_an_empty_plan_admits_nothing),
        cmocka_unit_test(test_scopes_without_limits_are_not_found),
        cmocka_unit_test(test_estimates_what_is_not_declared),
        cmocka_unit_test(test_one_image_or_session_unless_told_otherwise),
        cmocka_unit_test(test_goes_on_where_leases_have_run_out),
        cmocka_unit_test(test_closes_while_threads_end),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_what_is_no_plan),
        cmocka_unit_test(test_a_plan_may_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
