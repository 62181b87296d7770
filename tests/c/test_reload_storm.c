/*
 * test_reload_storm.c - threads that decide without a pause while good and bad files take each other's place: no decision is
 * lost, no count, and no memory.
 *
 * The clock stands still, so that what is admitted adds up. LLIM_RELOADS says how often.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

enum { THREADS = 3, RELOADS = 200, RAISED_FROM = 1000, RAISED_BY = 10, LOW = 50, HIGH = 80, COMES_AND_GOES = 70 };

static const char *const names[] = {"raised", "lowered", "comes-and-goes", "settled"};
enum { RAISED, LOWERED, COMES, SETTLED, MODELS };

typedef struct storm {
    char top[32], overrides[64], policy[64], quotas[64];
    llim_limiter *limiter;
    atomic_bool stop;
    atomic_llong admitted[MODELS], tokens, wrong;
    atomic_llong bytes; /* that the limiter holds */
} storm;

static void *count_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    storm *s = ctx;
    if (size == 0) {
        atomic_fetch_sub(&s->bytes, (long long)old_size);
        free(ptr);
        return NULL;
    }
    void *moved = realloc(ptr, size);
    if (moved) atomic_fetch_add(&s->bytes, (long long)size - (long long)(ptr ? old_size : 0));
    return moved;
}

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* One call: of one model, or of two, of which the policy's favourite goes first. */
static void decide(storm *s, kit_rng *rng)
{
    const char *models[2];
    const uint32_t first = (uint32_t)(kit_random(rng) % MODELS);
    models[0] = names[first];
    models[1] = names[SETTLED];
    llim_permit permit;
    llim_refusal refusal;
    llim_error err;
    llim_request request = {.size = sizeof request,
                            .models = models,
                            .n_models = first != COMES && first != SETTLED ? 1 + (uint32_t)(kit_random(rng) % 2) : 1,
                            .charge.amount[LLIM_TOKENS] = 10};
    int code = llim_acquire(s->limiter, &request, &permit, &refusal, &err);
    if (code == LLIM_LATER || (code == LLIM_EUNKNOWN_MODEL && first == COMES)) return;
    if (code != LLIM_OK) {
        if (atomic_fetch_add(&s->wrong, 1) == 0) print_message("%s: %s\n", names[first], llim_code_name(code));
        return;
    }
    const uint32_t model = permit.candidate ? SETTLED : first;
    if (model != SETTLED) {
        atomic_fetch_add(&s->admitted[model], 1);
        return;
    }
    const int64_t used = kit_between(rng, 0, 20);
    llim_charge facts = kit_fact(LLIM_TOKENS, used);
    if (kit_random(rng) % 4 == 0) {
        if (llim_cancel(llim_limiter_zone(s->limiter), &permit)) atomic_fetch_add(&s->wrong, 1);
    } else {
        if (llim_settle(llim_limiter_zone(s->limiter), &permit, &facts)) atomic_fetch_add(&s->wrong, 1);
        atomic_fetch_add(&s->tokens, used);
    }
}

typedef struct caller {
    storm *storm;
    kit_rng rng;
} caller;

static void *decide_on(void *arg)
{
    caller *c = arg;
    while (!atomic_load(&c->storm->stop)) decide(c->storm, &c->rng);
    return NULL;
}

static int64_t raised_to(int i)
{
    return RAISED_FROM + RAISED_BY * (int64_t)i;
}

/* The i-th content, and whether it is good. */
static bool put(storm *s, int i)
{
    static const char *const bad[] = {"return { raised = { rpm = 9999999", "return { raised = { rpn = 9 } }", "",
                                      "error 'no'", "return { raised = { requests = 5/minute { tz = 'No/Where' } } }"};
    char text[512];
    if (i % 3 == 2) {
        write_to(s->overrides, bad[i / 3 % (int)KIT_COUNT(bad)]);
        return false;
    }
    snprintf(text, sizeof text,
             "return { raised = { rpm = %lld, guard = 0 }, lowered = { rpm = %d, guard = 0 },\n%s"
             "settled = { tpm = %d, guard = 0 } }\n",
             (long long)raised_to(i), i % 2 ? LOW : HIGH,
             i % 4 < 2 ? "['comes-and-goes'] = { rpm = 70, guard = 0 },\n" : "", 1000000000 + i % 2);
    write_to(s->overrides, text);
    write_to(s->policy, i % 5 < 2 ? "return policy { api = 1, name = 'none' }\n"
                        : i % 5 < 4
                            ? "return policy { api = 1, name = 'last', route = function(req, pool) local plan = {}"
                              " for i = #pool, 1, -1 do plan[#plan + 1] = pool[i] end return plan end }\n"
                            : "return policy { api = 1, name = 'bad', route = function() error 'no' end }\n");
    return true;
}

static int64_t used_of(const storm *s, int model, int meter)
{
    llim_model_info info;
    llim_usage usage[4];
    uint32_t n;
    assert_int_equal(llim_model(s->limiter, names[model], &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(s->limiter), info.row, usage, 4, &n), LLIM_OK);
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.meter == meter) return usage[i].used;
    fail_msg("%s has no limit of its meter", names[model]);
    return 0;
}

static void test_reloads_under_load(void **state)
{
    (void)state;
    static storm s;
    caller callers[THREADS];
    pthread_t thread[THREADS];
    kit_rng rng = kit_seed();
    llim_error err;
    const int reloads = (int)kit_env("LLIM_RELOADS", RELOADS) / 20 * 20;
    strcpy(s.top, "/tmp/llim-storm-XXXXXX");
    assert_non_null(mkdtemp(s.top));
    snprintf(s.overrides, sizeof s.overrides, "%s/overrides.lua", s.top);
    snprintf(s.policy, sizeof s.policy, "%s/policy.lua", s.top);
    snprintf(s.quotas, sizeof s.quotas, "%s/quotas.lua", s.top);
    write_to(s.quotas, "return quota 'openai' { api = 1, modality = 'text', tier 'free' {} }\n");
    assert_true(put(&s, 0));
    llim_options options = {
        .size = sizeof options, .quotas = s.quotas, .overrides = s.overrides, .policy = s.policy, .seed = 1};
    options.zone = (llim_zone_options){.size = sizeof options.zone,
                                       .clock = LLIM_CLOCK_VIRTUAL,
                                       .start_wall_ns = KIT_WALL,
                                       .rows = 8,
                                       .alloc = count_alloc,
                                       .alloc_ctx = &s};
    if (llim_open(&options, &s.limiter, &err)) fail_msg("%s", err.message);
    const long long bytes = atomic_load(&s.bytes);
    for (int t = 0; t < THREADS; t++) {
        callers[t] = (caller){&s, {kit_random(&rng)}};
        assert_int_equal(pthread_create(&thread[t], NULL, decide_on, &callers[t]), 0);
    }
    uint32_t generation = 1, now;
    int good = 0;
    for (int i = 1; i <= reloads; i++) {
        const bool is_good = put(&s, i);
        const int64_t may = raised_to(i - (i % 3 == 2 ? 1 : 0));
        int code = llim_reload(s.limiter, NULL, &now, &err);
        if (is_good && code) fail_msg("%s", err.message);
        if (!is_good && !code) fail_msg("reload %d is good", i);
        generation += is_good;
        good += is_good;
        assert_int_equal(now, generation);
        assert_true(atomic_load(&s.admitted[RAISED]) <= may);
        assert_true(atomic_load(&s.admitted[LOWERED]) <= HIGH);
    }
    char last[256];
    snprintf(
        last, sizeof last,
        "return { raised = { rpm = %lld, guard = 0 }, lowered = { rpm = %d, guard = 0 }, ['comes-and-goes'] = { rpm = "
        "%d, guard = 0 }, settled = { tpm = 1000000000, guard = 0 } }",
        (long long)raised_to(reloads + 1), HIGH, COMES_AND_GOES);
    write_to(s.overrides, last);
    assert_int_equal(llim_reload(s.limiter, NULL, &now, &err), LLIM_OK);
    /* Until all is admitted that may be. */
    while (atomic_load(&s.admitted[RAISED]) < raised_to(reloads + 1) || atomic_load(&s.admitted[LOWERED]) < HIGH ||
           atomic_load(&s.admitted[COMES]) < COMES_AND_GOES)
        if (atomic_load(&s.wrong)) break;
    atomic_store(&s.stop, true);
    for (int t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_int_equal(atomic_load(&s.admitted[RAISED]), raised_to(reloads + 1));
    assert_int_equal(atomic_load(&s.admitted[LOWERED]), HIGH);
    assert_int_equal(atomic_load(&s.admitted[COMES]), COMES_AND_GOES);
    assert_int_equal(used_of(&s, RAISED, LLIM_REQUESTS), raised_to(reloads + 1));
    assert_int_equal(used_of(&s, LOWERED, LLIM_REQUESTS), HIGH);
    assert_int_equal(used_of(&s, COMES, LLIM_REQUESTS), COMES_AND_GOES);
    assert_int_equal(used_of(&s, SETTLED, LLIM_TOKENS), atomic_load(&s.tokens));
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(s.limiter, &status), LLIM_OK);
    assert_int_equal(status.reloads, good + 1);
    assert_int_equal(status.failed_reloads, reloads - good);
    /* One set and its VM, the same as at first but for the places of models that came and went. */
    put(&s, 0);
    assert_int_equal(llim_reload(s.limiter, NULL, NULL, &err), LLIM_OK); /* this thread has decided by the last one */
    assert_int_equal(llim_available(s.limiter,
                                    &(llim_request){.size = sizeof(llim_request), .models = names, .n_models = 1}, NULL,
                                    NULL, NULL),
                     LLIM_LATER);
    assert_int_equal(llim_reload(s.limiter, NULL, NULL, &err), LLIM_OK);
    const long long more = atomic_load(&s.bytes) - bytes;
    if (more < -4096 || more > 4096) fail_msg("%lld bytes more than at first, of %lld", more, bytes);
    llim_close(s.limiter);
    assert_int_equal(atomic_load(&s.bytes), 0);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", s.top);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reloads_under_load)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
