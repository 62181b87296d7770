/*
 * test_shadow.c - a candidate beside what is in force: it decides as a limiter of its own would, and changes nothing.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

#define POLICY(hooks) "return policy { api = 1, name = 'test', " hooks " }\n"
#define REVERSE                                                                                                        \
    POLICY("route = function(req, pool) local plan = {} for i = #pool, 1, -1 do plan[#plan + 1] = pool[i] end return " \
           "plan end")
#define DRAWN                                                                                                          \
    POLICY("route = function(req, pool) local k = 1 + math.floor(req.random * #pool) local plan = {} for i = 0, "      \
           "#pool - 1 do plan[#plan + 1] = pool[(k + i - 1) % #pool + 1] end return plan end")

static const char *const names[] = {"a", "b", "c", "d"};
enum { A, B, C, D };

/* What of the limiters is counted. */
typedef struct memory {
    atomic_llong bytes, calls;
} memory;

static void *count_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    memory *m = ctx;
    atomic_fetch_add(&m->calls, 1);
    if (size == 0) {
        atomic_fetch_sub(&m->bytes, (long long)old_size);
        free(ptr);
        return NULL;
    }
    void *moved = realloc(ptr, size);
    if (moved) atomic_fetch_add(&m->bytes, (long long)size - (long long)(ptr ? old_size : 0));
    return moved;
}

/* Texts as files, and options that name them. */
typedef struct texts {
    char overrides[32], policy[32];
    llim_options options;
} texts;

static texts *write_texts(texts *t, const char *overrides, const char *policy)
{
    *t = (texts){.options = {.size = sizeof t->options, .guard_ns = LLIM_NO_GUARD, .seed = 7}};
    kit_write_file(t->overrides, overrides);
    t->options.overrides = t->overrides;
    if (policy) kit_write_file(t->policy, policy);
    if (policy) t->options.policy = t->policy;
    t->options.zone = (llim_zone_options){
        .size = sizeof t->options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .leases = 64};
    return t;
}

static void remove_texts(const texts *t)
{
    unlink(t->overrides);
    if (t->policy[0]) unlink(t->policy);
}

static llim_limiter *open_with(const llim_options *options)
{
    llim_limiter *limiter;
    llim_error err;
    if (llim_open(options, &limiter, &err)) fail_msg("%s", err.message);
    return limiter;
}

static llim_limiter *open_limiter(const char *overrides, const char *policy)
{
    texts t;
    llim_limiter *limiter = open_with(&write_texts(&t, overrides, policy)->options);
    remove_texts(&t);
    return limiter;
}

static void shadow_by_chance(llim_limiter *limiter, const char *overrides, const char *policy, uint64_t seed)
{
    texts t;
    llim_error err;
    write_texts(&t, overrides, policy)->options.seed = seed;
    if (llim_shadow(limiter, &t.options, &err)) fail_msg("%s", err.message);
    remove_texts(&t);
}

static void shadow(llim_limiter *limiter, const char *overrides, const char *policy)
{
    shadow_by_chance(limiter, overrides, policy, 7);
}

static llim_shadow_report report_of(llim_limiter *limiter)
{
    llim_shadow_report r = {.size = sizeof r};
    assert_int_equal(llim_get_shadow(limiter, &r), LLIM_OK);
    assert_int_equal(r.decisions, r.same + r.only_here + r.only_there + r.other_model + r.other_wait +
                                      r.never_or_later + r.unknown_model + r.failed);
    return r;
}

static int acquire(llim_limiter *limiter, const char *name, llim_permit *permit)
{
    llim_permit unused;
    llim_request request = {.size = sizeof request, .models = &name, .n_models = 1, .charge.amount[LLIM_TOKENS] = 10};
    return llim_acquire(limiter, &request, permit ? permit : &unused, NULL, NULL);
}

/* A request to three limiters: the one with a shadow, one like it, and one like the shadow. */
enum { WITH, LIKE_IT, LIKE_SHADOW, THREE };

typedef struct answers {
    int code;
    llim_permit permit;
    llim_refusal refusal;
} answers;

/* Of the two that were asked apart. */
static void count_difference(llim_shadow_report *r, const answers *here, const answers *there)
{
    const bool unknown_here = here->code == LLIM_EUNKNOWN_MODEL, unknown_there = there->code == LLIM_EUNKNOWN_MODEL;
    r->decisions++;
    if (unknown_here != unknown_there)
        r->unknown_model++;
    else if (unknown_here)
        r->same++;
    else if (here->code == LLIM_OK && there->code == LLIM_OK)
        here->permit.candidate == there->permit.candidate ? r->same++ : r->other_model++;
    else if (here->code == LLIM_OK)
        r->only_here++;
    else if (there->code == LLIM_OK)
        r->only_there++;
    else if (here->code != there->code)
        r->never_or_later++;
    else if (here->code == LLIM_LATER && llabs(here->refusal.wait_ns - there->refusal.wait_ns) > KIT_MS)
        r->other_wait++;
    else
        r->same++;
}

static void expect(const llim_shadow_report *got, const llim_shadow_report *expected)
{
    assert_int_equal(got->decisions, expected->decisions);
    assert_int_equal(got->same, expected->same);
    assert_int_equal(got->only_here, expected->only_here);
    assert_int_equal(got->only_there, expected->only_there);
    assert_int_equal(got->other_model, expected->other_model);
    assert_int_equal(got->other_wait, expected->other_wait);
    assert_int_equal(got->never_or_later, expected->never_or_later);
    assert_int_equal(got->unknown_model, expected->unknown_model);
    assert_int_equal(got->failed, 0);
    assert_int_equal(got->lost, 0);
    assert_int_equal(got->faults, 0);
}

/* Ends the permits of one call alike. */
static void end_alike(llim_limiter *const *limiters, llim_permit *permits, kit_rng *rng)
{
    const uint64_t how = kit_random(rng) % 3;
    const llim_charge facts = kit_fact(LLIM_TOKENS, kit_between(rng, 0, 150));
    for (int k = 0; k < THREE; k++) {
        if (permits[k].n_rows == 0) continue;
        llim_zone *zone = llim_limiter_zone(limiters[k]);
        assert_int_equal(how == 0   ? llim_settle(zone, &permits[k], &facts)
                         : how == 1 ? llim_reject(zone, &permits[k])
                                    : llim_cancel(zone, &permits[k]),
                         LLIM_OK);
    }
}

enum { REQUESTS = 4000, IN_FLIGHT = 40 };

static void drive(const char *overrides, const char *policy, const char *candidate, const char *candidates_policy,
                  kit_rng *rng, llim_shadow_report *expected)
{
    static llim_permit calls[IN_FLIGHT][THREE];
    llim_limiter *limiters[THREE] = {open_limiter(overrides, policy), open_limiter(overrides, policy),
                                     open_limiter(candidate, candidates_policy)};
    /* Where the policy in force draws by chance, the candidate's own does not matter. */
    shadow_by_chance(limiters[WITH], candidate, candidates_policy, policy ? 8 : 7);
    memset(expected, 0, sizeof *expected);
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < REQUESTS; i++) {
        const char *models[4];
        answers got[THREE] = {{.code = 0}};
        llim_request request = {.size = sizeof request, .models = models, .n_models = (uint32_t)kit_between(rng, 1, 3)};
        for (uint32_t m = 0; m < request.n_models; m++) models[m] = names[(kit_random(rng) % 3 + m) % 3];
        if (i % 50 == 0) models[0] = "d";
        request.charge.amount[LLIM_TOKENS] = kit_between(rng, 1, 120);
        for (int k = 0; k < THREE; k++)
            got[k].code = llim_acquire(limiters[k], &request, &got[k].permit, &got[k].refusal, NULL);
        assert_int_equal(got[WITH].code, got[LIKE_IT].code);
        if (got[WITH].code == LLIM_OK) assert_int_equal(got[WITH].permit.candidate, got[LIKE_IT].permit.candidate);
        if (got[WITH].code == LLIM_LATER) assert_int_equal(got[WITH].refusal.wait_ns, got[LIKE_IT].refusal.wait_ns);
        count_difference(expected, &got[LIKE_IT], &got[LIKE_SHADOW]);
        if (got[WITH].code == LLIM_OK) {
            llim_permit *call = calls[kit_random(rng) % IN_FLIGHT]; /* one that is there is abandoned */
            for (int k = 0; k < THREE; k++) call[k] = got[k].permit;
        }
        if (kit_random(rng) % 2) end_alike(limiters, calls[kit_random(rng) % IN_FLIGHT], rng);
        const int64_t step = kit_random(rng) % 4 ? kit_between(rng, 0, KIT_SECOND) : 0;
        for (int k = 0; k < THREE; k++) kit_advance(llim_limiter_zone(limiters[k]), step);
    }
    const llim_shadow_report r = report_of(limiters[WITH]);
    expect(&r, expected);
    for (int k = 0; k < THREE; k++) llim_close(limiters[k]);
}

static const char quotas[] = "return { a = { rpm = 20, tpm = 900 }, b = { rpm = 10, tpd = 50000, law = 'bucket' },\n"
                             "  c = { tpm = 700 } }\n";

static void test_counts_as_two_limiters_apart(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    llim_shadow_report r;
    drive(quotas, NULL, quotas, NULL, &rng, &r);
    assert_int_equal(r.same, REQUESTS);
    drive(quotas, NULL,
          "return { a = { rpm = 30, tpm = 500 }, b = { rpm = 10, tpm = 100 }, c = { tpm = 700 }, d = { rpm = 3 } }",
          NULL, &rng, &r);
    assert_true(r.only_here && r.only_there && r.other_model && r.other_wait && r.never_or_later && r.unknown_model);
    drive(quotas, NULL, quotas, REVERSE, &rng, &r);
    assert_true(r.other_model && r.only_here && r.only_there && r.other_wait);
    assert_int_equal(r.never_or_later, 0);
    drive(quotas, DRAWN, quotas, DRAWN, &rng, &r); /* their chance is one */
    assert_int_equal(r.same, REQUESTS);
    drive(quotas, DRAWN, "return { a = { rpm = 9 }, b = { rpm = 9 }, c = { blocked = true } }", REVERSE, &rng, &r);
    assert_true(r.never_or_later > 0);
    drive("return { a = { rpm = 9 }, b = { rpm = 9 }, d = { rpm = 1 } }", NULL, quotas, DRAWN, &rng, &r);
    assert_true(r.unknown_model > 0);
}

static void test_begins_and_ends(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter("return { a = { rpm = 5 } }", NULL);
    llim_shadow_report r = {.size = sizeof r};
    llim_permit before, between;
    assert_int_equal(llim_get_shadow(limiter, &r), LLIM_ENOTFOUND);
    assert_int_equal(llim_shadow(limiter, NULL, NULL), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", &before), LLIM_OK);
    shadow(limiter, "return { a = { rpm = 1 } }", NULL);
    assert_int_equal(report_of(limiter).decisions, 0);
    assert_int_equal(acquire(limiter, "a", &between), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    r = report_of(limiter);
    assert_int_equal(r.same, 1);
    assert_int_equal(r.only_here, 1);
    assert_int_equal(llim_available(limiter,
                                    &(llim_request){.size = sizeof(llim_request), .models = names, .n_models = 1}, NULL,
                                    NULL, NULL),
                     LLIM_OK);
    assert_int_equal(report_of(limiter).decisions, 2);

    /* Permits of before, and of an earlier shadow, are no business of this one. */
    shadow(limiter, "return { a = { rpm = 1 } }", NULL);
    assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &before), LLIM_OK);
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &between), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    r = report_of(limiter);
    assert_int_equal(r.same, 1);
    assert_int_equal(r.only_here, 1);
    assert_int_equal(r.lost, 0);

    /* What is wrong leaves what was there. */
    texts t;
    llim_error err;
    write_texts(&t, "return { a = { rpx = 1 } }", NULL);
    assert_int_equal(llim_shadow(limiter, &t.options, &err), LLIM_ECONFIG);
    assert_non_null(strstr(err.message, t.overrides));
    t.options.modality = LLIM_IMAGE;
    assert_int_equal(llim_shadow(limiter, &t.options, &err), LLIM_EINVAL);
    t.options.size--;
    assert_int_equal(llim_shadow(limiter, &t.options, &err), LLIM_EVERSION);
    remove_texts(&t);
    assert_int_equal(report_of(limiter).decisions, 2);
    r.size--;
    assert_int_equal(llim_get_shadow(limiter, &r), LLIM_EVERSION);

    assert_int_equal(llim_shadow(limiter, NULL, NULL), LLIM_OK);
    r.size = sizeof r;
    assert_int_equal(llim_get_shadow(limiter, &r), LLIM_ENOTFOUND);
    assert_int_equal(acquire(limiter, "a", &before), LLIM_OK);
    assert_int_equal(before.serial, 0);
    llim_close(limiter);
}

static void answer(llim_limiter *limiter, llim_permit *permit, int status, const char *headers)
{
    const llim_response response = {.size = sizeof response,
                                    .provider = LLIM_PROVIDER_OPENAI,
                                    .status = status,
                                    .headers = headers,
                                    .headers_len = strlen(headers),
                                    .body = "{}",
                                    .body_len = 2};
    assert_int_equal(llim_answered(limiter, permit, &response, NULL), LLIM_OK);
}

static void test_answers_reach_the_same_model_only(void **state)
{
    (void)state;
    static const char both[] = "return { a = { rpm = 9 }, b = { rpm = 9 } }";
    static const char hour[] = POLICY("result = function(req, m, r) if r.kind == 'rate' then return cool(m, 3600) end "
                                      "end");
    static const char hour_reversed[] =
        POLICY("result = function(req, m, r) if r.kind == 'rate' then return cool(m, 3600) end end,"
               "route = function(req, pool) return { pool[2], pool[1] } end");
    llim_permit permit;
    llim_request request = {.size = sizeof request, .models = names, .n_models = 2};

    /* Here it cools for ten seconds, there for an hour. */
    llim_limiter *limiter = open_limiter(both, NULL);
    shadow(limiter, both, hour);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    answer(limiter, &permit, 429, "retry-after: 10\r\n");
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_LATER);
    kit_advance(llim_limiter_zone(limiter), 10 * KIT_SECOND);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    llim_shadow_report r = report_of(limiter);
    assert_int_equal(r.same, 1);
    assert_int_equal(r.other_wait, 1);
    assert_int_equal(r.only_here, 1);
    llim_close(limiter);

    /* Where nothing is told, one chance decides how long it cools. */
    limiter = open_limiter(both, NULL);
    shadow_by_chance(limiter, both, NULL, 8);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    answer(limiter, &permit, 429, "");
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_LATER);
    assert_int_equal(report_of(limiter).same, 2);
    llim_close(limiter);

    /* The candidate has sent the call to b, which answered nothing; its request is rejected all the same. */
    limiter = open_limiter(both, NULL);
    shadow(limiter, "return { a = { rpm = 9 }, b = { tpm = 1 } }", hour_reversed);
    request.charge.amount[LLIM_TOKENS] = 1;
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 0);
    answer(limiter, &permit, 429, "retry-after: 10\r\n");
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1);
    r = report_of(limiter);
    assert_int_equal(r.other_model, 1);
    assert_int_equal(r.same, 1);
    llim_close(limiter);
}

/* What waits is one request, however often it is tried. */
static void test_a_waiter_is_one_request(void **state)
{
    (void)state;
    const char *model = "a";
    llim_limiter *limiter = open_limiter("return { a = { rpm = 1 } }", NULL);
    llim_request request = {.size = sizeof request, .models = &model, .n_models = 1};
    llim_permit permit;
    llim_waiter *waiter;
    assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    shadow(limiter, "return { a = { rpm = 1 } }", NULL);
    assert_int_equal(llim_wait_begin(limiter, &request, NULL, &waiter, NULL), LLIM_OK);
    assert_int_equal(llim_wait_poll(waiter, &permit, NULL, NULL, NULL), LLIM_WAITING);
    kit_advance(llim_limiter_zone(limiter), 30 * KIT_SECOND);
    assert_int_equal(llim_wait_poll(waiter, &permit, NULL, NULL, NULL), LLIM_WAITING);
    llim_shadow_report r = report_of(limiter);
    assert_int_equal(r.only_there, 1);
    assert_int_equal(r.decisions, 1);
    kit_advance(llim_limiter_zone(limiter), 31 * KIT_SECOND);
    assert_int_equal(llim_wait_poll(waiter, &permit, NULL, NULL, NULL), LLIM_OK);
    llim_wait_end(waiter);
    assert_int_equal(report_of(limiter).decisions, 1);
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &permit), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    r = report_of(limiter);
    assert_int_equal(r.same, 1);
    assert_int_equal(r.decisions, 2);
    llim_close(limiter);
}

static void test_scopes_and_tags_count_there(void **state)
{
    (void)state;
    const char *model = "a";
    const llim_tag tag = {"team", "acme"};
    llim_limiter *limiter =
        open_limiter("return { a = { rpm = 0 }, ['team:*'] = { rpm = 5 }, ['org:x'] = { rpm = 5 } }", NULL);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_permit permit;
    llim_request request = {.size = sizeof request, .models = &model, .n_models = 1, .n_scopes = 1};
    shadow(limiter, "return { a = { rpm = 0 }, ['team:*'] = { rpm = 1 } }",
           POLICY("scopes = function(req, m) if req.team then return { 'team:' .. req.team } end end"));

    llim_row rows[3];
    assert_int_equal(llim_scope(limiter, "team:one", &rows[0], NULL), LLIM_OK);
    assert_int_equal(llim_scope(limiter, "org:x", &rows[1], NULL), LLIM_OK); /* which the candidate does not limit */
    const llim_limit own = kit_limit(LLIM_REQUESTS, LLIM_SLIDING, 2, KIT_MINUTE, 0);
    rows[2] = kit_row(zone, "mine", &own, 1);
    static const uint64_t here[] = {4, 5, 2}, there[] = {1, 5, 2};
    for (int s = 0; s < 3; s++) {
        const llim_shadow_report before = report_of(limiter);
        request.scopes = &rows[s];
        for (uint64_t i = 0; i < here[s]; i++)
            assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
        const llim_shadow_report after = report_of(limiter);
        assert_int_equal(after.same - before.same, there[s]);
        assert_int_equal(after.only_here - before.only_here, here[s] - there[s]);
    }
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_LATER);
    const llim_shadow_report before = report_of(limiter);
    request.n_scopes = 0;
    request.tags = &tag;
    request.n_tags = 1;
    for (int i = 0; i < 3; i++) assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    const llim_shadow_report after = report_of(limiter);
    assert_int_equal(after.same - before.same, 1);
    assert_int_equal(after.only_here - before.only_here, 2);
    llim_close(limiter);
}

static void test_leases_are_renewed_and_given_back(void **state)
{
    (void)state;
    static const char one[] = "return { a = { sessions = 1 } }";
    texts t;
    llim_permit permit;
    write_texts(&t, one, NULL)->options.modality = LLIM_LIVE;
    llim_limiter *limiter = open_with(&t.options);
    assert_int_equal(llim_shadow(limiter, &t.options, NULL), LLIM_OK);
    remove_texts(&t);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_usage usage;
    llim_model_info info;
    uint32_t n;
    assert_int_equal(llim_model(limiter, "a", &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(zone, info.row, &usage, 1, &n), LLIM_OK);
    const int64_t most = usage.limit.window_ns / 4 * 3;
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    for (int i = 0; i < 3; i++) {
        kit_advance(zone, most);
        assert_int_equal(llim_renew(zone, &permit), LLIM_OK);
        assert_int_equal(acquire(limiter, "a", NULL), LLIM_LATER);
    }
    assert_int_equal(llim_settle(zone, &permit, NULL), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    const llim_shadow_report r = report_of(limiter);
    assert_int_equal(r.same, 5);
    assert_int_equal(r.decisions, 5);
    llim_close(limiter);
}

static void test_faults_and_lost_permits_are_told(void **state)
{
    (void)state;
    enum { KEPT = 4096 };
    llim_limiter *limiter = open_limiter("return { a = { rpm = 0 } }", NULL);
    llim_permit permit, first;
    shadow(limiter, "return { a = { rpm = 0 } }", POLICY("route = function() error 'no' end"));
    assert_int_equal(acquire(limiter, "a", &first), LLIM_OK);
    llim_permit copy = first;
    for (int i = 1; i < KEPT; i++) assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    assert_int_equal(llim_settle(llim_limiter_zone(limiter), &copy, NULL), LLIM_OK);
    assert_int_equal(report_of(limiter).lost, 0);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    assert_int_equal(llim_settle(llim_limiter_zone(limiter), &first, NULL), LLIM_OK);
    const llim_shadow_report r = report_of(limiter);
    assert_int_equal(r.lost, 1);
    assert_int_equal(r.faults, KEPT + 1);
    assert_int_equal(r.same, KEPT + 1);
    assert_non_null(strstr(r.fault.message, "no"));
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(limiter, &status), LLIM_OK);
    assert_int_equal(status.faults, 0);
    assert_true(status.hash != r.hash);
    llim_close(limiter);
}

static void test_survives_reloads_and_allocates_nothing(void **state)
{
    (void)state;
    memory m = {0, 0};
    texts t;
    llim_permit permit;
    write_texts(&t, "return { a = { rpm = 9 } }", NULL);
    t.options.zone.alloc = count_alloc;
    t.options.zone.alloc_ctx = &m;
    t.options.zone.clock = LLIM_CLOCK_REAL;
    llim_limiter *limiter = open_with(&t.options);
    shadow(limiter, "return { a = { rpm = 9 } }", NULL);
    assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
    const long long calls = atomic_load(&m.calls);
    for (int i = 0; i < 8; i++) {
        if (i) assert_int_equal(acquire(limiter, "a", &permit), LLIM_OK);
        assert_int_equal(llim_settle(llim_limiter_zone(limiter), &permit, NULL), LLIM_OK);
    }
    assert_int_equal(atomic_load(&m.calls), calls);
    remove_texts(&t);
    texts more;
    assert_int_equal(
        llim_reload(limiter, &write_texts(&more, "return { a = { rpm = 99 } }", NULL)->options, NULL, NULL), LLIM_OK);
    remove_texts(&more);
    for (int i = 0; i < 3; i++) assert_int_equal(acquire(limiter, "a", NULL), LLIM_OK);
    const llim_shadow_report r = report_of(limiter);
    assert_int_equal(r.same, 9);
    assert_int_equal(r.only_here, 2);
    llim_close(limiter);
    assert_int_equal(atomic_load(&m.bytes), 0);
}

enum { THREADS = 3, TURNS = 60 };

typedef struct storm {
    llim_limiter *limiter;
    atomic_bool stop;
    atomic_llong admitted, tokens, wrong;
    atomic_ullong seed;
} storm;

static void *decide_on(void *arg)
{
    storm *s = arg;
    kit_rng rng = {atomic_fetch_add(&s->seed, 1)};
    llim_zone *zone = llim_limiter_zone(s->limiter);
    while (!atomic_load(&s->stop)) {
        llim_permit permit;
        const uint64_t how = kit_random(&rng) % 4;
        const int64_t used = kit_between(&rng, 0, 20);
        const llim_charge facts = kit_fact(LLIM_TOKENS, used);
        llim_request request = {
            .size = sizeof request, .models = names, .n_models = 2, .charge.amount[LLIM_TOKENS] = 10};
        if (llim_acquire(s->limiter, &request, &permit, NULL, NULL)) atomic_fetch_add(&s->wrong, 1);
        if (permit.candidate != 0) atomic_fetch_add(&s->wrong, 1);
        int code = how == 0   ? llim_cancel(zone, &permit)
                   : how == 1 ? llim_reject(zone, &permit)
                   : how == 2 ? llim_settle(zone, &permit, &facts)
                              : LLIM_OK;
        if (code) atomic_fetch_add(&s->wrong, 1);
        if (how > 0) atomic_fetch_add(&s->admitted, 1);
        atomic_fetch_add(&s->tokens, how == 2 ? used : how == 3 ? 10 : 0);
    }
    return NULL;
}

/* The clock stands still, so that what the limiter counts adds up, whatever its shadows do. */
static void test_turns_on_and_off_under_load(void **state)
{
    (void)state;
    static storm s;
    static const char open[] = "return { a = { rpm = 1000000000, tpm = 1000000000000 }, b = { rpm = 5 } }";
    memory m = {0, 0};
    pthread_t thread[THREADS];
    texts t[3];
    llim_error err;
    write_texts(&t[0], open, NULL);
    write_texts(&t[1], "return { a = { rpm = 1000000000, tpm = 1000000000000 }, b = { rpm = 6 } }", NULL);
    write_texts(&t[2], "return { a = { tpm = 500 }, b = { rpm = 500, tpm = 9000 } }", REVERSE);
    t[0].options.zone.alloc = count_alloc;
    t[0].options.zone.alloc_ctx = &m;
    atomic_store(&s.seed, kit_seed().state);
    s.limiter = open_with(&t[0].options);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, decide_on, &s), 0);
    uint64_t decisions = 0;
    for (int i = 0; i < TURNS; i++) {
        llim_shadow_report r = {.size = sizeof r};
        if (llim_shadow(s.limiter, i % 3 == 2 ? NULL : &t[2 - i % 3].options, &err)) fail_msg("%s", err.message);
        if (i % 4 == 1 && llim_reload(s.limiter, &t[i / 4 % 2].options, NULL, &err)) fail_msg("%s", err.message);
        while (i % 3 != 2 && llim_get_shadow(s.limiter, &r) == LLIM_OK && r.decisions < 100) continue;
        if (i % 3 != 2) report_of(s.limiter);
        assert_int_equal(r.failed, 0);
        assert_int_equal(r.faults, 0);
        decisions += r.decisions;
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    assert_true(decisions >= 100 * (TURNS - TURNS / 3));
    assert_int_equal(atomic_load(&s.wrong), 0);
    llim_model_info info;
    llim_usage usage[2];
    uint32_t n;
    assert_int_equal(llim_model(s.limiter, "a", &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(s.limiter), info.row, usage, 2, &n), LLIM_OK);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(usage[i].used,
                         usage[i].limit.meter == LLIM_REQUESTS ? atomic_load(&s.admitted) : atomic_load(&s.tokens));
    llim_close(s.limiter);
    assert_int_equal(atomic_load(&m.bytes), 0);
    for (int i = 0; i < 3; i++) remove_texts(&t[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_as_two_limiters_apart),
        cmocka_unit_test(test_begins_and_ends),
        cmocka_unit_test(test_answers_reach_the_same_model_only),
        cmocka_unit_test(test_a_waiter_is_one_request),
        cmocka_unit_test(test_scopes_and_tags_count_there),
        cmocka_unit_test(test_leases_are_renewed_and_given_back),
        cmocka_unit_test(test_faults_and_lost_permits_are_told),
        cmocka_unit_test(test_survives_reloads_and_allocates_nothing),
        cmocka_unit_test(test_turns_on_and_off_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
