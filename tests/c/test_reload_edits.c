/*
 * test_reload_edits.c - somebody edits the files of a running program, well and badly, while four threads decide.
 *
 * Every second edit is good. In between a file is left half-written, wrong in a line that is known, or gone; then what was in
 * force stays, and the log tells once which file and line. Policies take turns with examples/policies/short_to_small.lua, and
 * each is seen to decide as soon as it is in force. Most edits are followed by llim_reload(), the last ones are noticed by the
 * descriptor of llim_watch_fd(), whose events settle for 50 ms each.
 *
 * The clock stands still, so that what is charged adds up. LLIM_EDITS says how many edits.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { EDITS = 100 };
#else
enum { EDITS = 300 };
#endif
enum { THREADS = 4, WATCHED = 20 /* one in so many edits */, LONGEST_MS = 30000, SHORT = 100, LONG = 900 };
enum { RAISED_FROM = 1000, RAISED_BY = 10, LOW = 50, HIGH = 80 };

/* The first two are named together, and have room for all; raised and lowered fill up. */
static const char *const names[] = {"large", "small", "raised", "lowered"};
enum { LARGE, SMALL, RAISED, LOWERED, MODELS };

/* What one thread's permits say must have been charged. */
typedef struct tally {
    int64_t requests[MODELS], tokens[MODELS];
} tally;

typedef struct program {
    char top[32], policy[64], overrides[64], fresh[64];
    char example[1024]; /* the text of short_to_small.lua */
    llim_limiter *limiter;
    atomic_bool stop;
    atomic_int wrong;
    atomic_llong raised, lowered; /* admitted so far */
    int told[LLIM_LOG_WARNING + 1];
    char last[512]; /* what the log was told last */
} program;

typedef struct caller {
    program *p;
    kit_rng rng;
    tally sum;
    pthread_t thread;
} caller;

static void note(void *ctx, int level, const char *message)
{
    program *p = ctx;
    p->told[level]++;
    snprintf(p->last, sizeof p->last, "%s", message);
}

static void went_wrong(program *p, const char *what, int code)
{
    if (atomic_fetch_add(&p->wrong, 1) == 0) print_message("%s: %s\n", what, llim_code_name(code));
}

/* Ends the permit in one of the ways there are, and adds what it leaves to the sum. */
static void finish(caller *c, llim_permit *permit, uint32_t model)
{
    llim_zone *zone = llim_limiter_zone(c->p->limiter);
    int64_t tokens = permit->charge.amount[LLIM_TOKENS];
    int code = LLIM_OK;
    bool gone = false;
    switch (kit_random(&c->rng) % 4) {
    case 0:
        break; /* abandoned: its estimate stands */
    case 1:
        code = llim_cancel(zone, permit);
        gone = true;
        break;
    default:
        tokens = kit_between(&c->rng, 0, LONG);
        llim_charge facts = kit_fact(LLIM_TOKENS, tokens);
        code = llim_settle(zone, permit, &facts);
    }
    if (code) went_wrong(c->p, "the end of a permit", code);
    if (gone) return;
    c->sum.requests[model]++;
    c->sum.tokens[model] += tokens;
}

/* A call along large and small: which of them was admitted. */
static uint32_t call_either(caller *c, int64_t tokens)
{
    llim_permit permit;
    llim_refusal refusal;
    llim_error err;
    llim_request request = {
        .size = sizeof request, .models = names, .n_models = 2, .charge.amount[LLIM_TOKENS] = tokens};
    const int code = llim_acquire(c->p->limiter, &request, &permit, &refusal, &err);
    if (code) {
        went_wrong(c->p, "large or small", code); /* a limit that is only ever raised */
        return MODELS;
    }
    const uint32_t model = permit.candidate;
    finish(c, &permit, model);
    return model;
}

/* A call of a model that fills up. Its permit stays, so that what was admitted is known at any time. */
static void call_one(caller *c, uint32_t model)
{
    llim_permit permit;
    llim_refusal refusal;
    llim_error err;
    llim_request request = {
        .size = sizeof request, .models = &names[model], .n_models = 1, .charge.amount[LLIM_TOKENS] = 1};
    const int code = llim_acquire(c->p->limiter, &request, &permit, &refusal, &err);
    if (code == LLIM_LATER) return;
    if (code) {
        went_wrong(c->p, names[model], code);
        return;
    }
    c->sum.requests[model]++;
    c->sum.tokens[model]++;
    atomic_fetch_add(model == RAISED ? &c->p->raised : &c->p->lowered, 1);
}

static void *decide_on(void *arg)
{
    caller *c = arg;
    while (!atomic_load(&c->p->stop)) {
        call_either(c, kit_random(&c->rng) % 2 ? SHORT : LONG);
        call_one(c, kit_random(&c->rng) % 2 ? RAISED : LOWERED);
    }
    return NULL;
}

static void write_to(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* As some editors do: in place, or by a new file that gets the name. */
static void save(const program *p, const char *path, const char *text, bool in_place)
{
    write_to(in_place ? path : p->fresh, text, strlen(text));
    if (!in_place) assert_int_equal(rename(p->fresh, path), 0);
}

static int64_t raised_to(int i)
{
    return RAISED_FROM + RAISED_BY * (int64_t)i;
}

/* The good texts of the i-th edit. Whether short prompts go to the small model. */
static bool texts_of(const program *p, int i, char overrides[1024], char policy[2048])
{
    const bool short_to_small = i / 2 % 2;
    snprintf(overrides, 1024,
             "return {\n"
             "  large = { rpm = %d, tpm = 1000000000000, guard = 0 },\n"
             "  small = { rpm = %d, tpm = 1000000000000, guard = 0 },\n"
             "  raised = { rpm = %lld, guard = 0 },\n"
             "  lowered = { rpm = %d, guard = 0 },\n"
             "}\n",
             1000000000 + i, 1000000000 + i, (long long)raised_to(i), i % 4 ? LOW : HIGH);
    snprintf(policy, 2048, "%s-- the %dth edit\n",
             short_to_small ? p->example : "return policy { api = 1, name = 'as they come' }\n", i);
    return short_to_small;
}

/* What a bad edit is to be told about it. */
typedef struct fault {
    int code, line; /* 0: none */
    const char *file;
} fault;

static fault edit_badly(const program *p, int i, kit_rng *rng)
{
    char overrides[1024], policy[2048];
    texts_of(p, i, overrides, policy);
    const bool of_policy = kit_random(rng) % 2;
    const char *path = of_policy ? p->policy : p->overrides;
    char *text = of_policy ? policy : overrides;
    switch (i / 2 % 3) {
    case 0: { /* half-written; the whole names the last line of it */
        fault f = {LLIM_ECONFIG, 1, path};
        strcpy(text, of_policy ? "return policy { api = 1, name = 'half',\n  route = function(req, po"
                               : "return {\n  large = { rpm = 5 },\n  small = { rp");
        for (const char *at = text; (at = strchr(at, '\n')); at++) f.line++;
        save(p, path, text, true);
        return f;
    }
    case 1:
        assert_int_equal(unlink(path), 0);
        return (fault){LLIM_EIO, 0, path};
    default:
        save(p, path,
             of_policy ? "return policy { api = 1, name = 'x',\n\n  rout = function(req, pool) return pool end }\n"
                       : "return {\n  large = { rpm = 5 },\n  raised = { rpn = 4 } }\n",
             kit_random(rng) % 2);
        return (fault){LLIM_ECONFIG, 3, path};
    }
}

static llim_status status_of(const program *p)
{
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(p->limiter, &status), LLIM_OK);
    return status;
}

static int64_t used_of(const program *p, int model, int meter)
{
    llim_model_info info;
    llim_usage usage[4];
    uint32_t n;
    assert_int_equal(llim_model(p->limiter, names[model], &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(p->limiter), info.row, usage, 4, &n), LLIM_OK);
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.meter == meter) return usage[i].used;
    fail_msg("%s has no limit of its meter", names[model]);
    return 0;
}

/* As an event loop serves the descriptor, until something is read. */
static int serve(const program *p, llim_error *err)
{
    const llim_status before = status_of(p);
    for (;;) {
        struct pollfd in = {.fd = llim_watch_fd(p->limiter, NULL), .events = POLLIN};
        if (poll(&in, 1, LONGEST_MS) != 1) fail_msg("nothing has come in %d ms", LONGEST_MS);
        const int code = llim_watch_poll(p->limiter, NULL, err);
        const llim_status after = status_of(p);
        if (after.reloads + after.failed_reloads != before.reloads + before.failed_reloads) return code;
        assert_int_equal(code, LLIM_OK);
    }
}

static void check_told(const program *p, const fault *expected, int code, const llim_error *err)
{
    assert_int_equal(code, expected->code);
    if (!expected->code) return;
    char place[128];
    assert_string_equal(err->file, expected->file);
    assert_int_equal(err->line, expected->line);
    snprintf(place, sizeof place, expected->line ? "%s:%d: " : "%s: ", expected->file, expected->line);
    assert_non_null(strstr(p->last, place));
    assert_non_null(strstr(p->last, "stays in force"));
    assert_string_equal(status_of(p).reload_fault.message, err->message);
}

/* The i-th edit and what must have come of it; *small: whether short prompts go to the small model from then on. */
static void edit(program *p, int i, bool watched, caller *self, bool *small)
{
    fault expected = {0, 0, NULL};
    llim_error err;
    const llim_status before = status_of(p);
    const int told[] = {p->told[LLIM_LOG_INFO], p->told[LLIM_LOG_WARNING]};
    const int64_t lowered = used_of(p, LOWERED, LLIM_REQUESTS);
    if (i % 2) {
        expected = edit_badly(p, i, &self->rng);
    } else {
        char overrides[1024], policy[2048];
        *small = texts_of(p, i, overrides, policy);
        save(p, p->overrides, overrides, kit_random(&self->rng) % 2);
        save(p, p->policy, policy, kit_random(&self->rng) % 2);
    }
    const int code = watched ? serve(p, &err) : llim_reload(p->limiter, NULL, NULL, &err);
    if (code && !expected.code) fail_msg("edit %d: %s", i, err.message);
    check_told(p, &expected, code, &err);
    const llim_status after = status_of(p);
    const bool good = !expected.code;
    assert_int_equal(after.generation, before.generation + good);
    assert_int_equal(after.reloads, before.reloads + good);
    assert_int_equal(after.failed_reloads, before.failed_reloads + !good);
    assert_int_equal(p->told[LLIM_LOG_INFO], told[0] + good);
    assert_int_equal(p->told[LLIM_LOG_WARNING], told[1] + !good);
    assert_int_equal(call_either(self, SHORT), *small ? SMALL : LARGE);
    assert_int_equal(call_either(self, LONG), LARGE);
    assert_true(used_of(p, LOWERED, LLIM_REQUESTS) >= lowered); /* nothing is refunded */
    assert_true(atomic_load(&p->lowered) <= HIGH);
    assert_true(atomic_load(&p->raised) <= raised_to(i - i % 2));
    if (atomic_load(&p->wrong)) fail_msg("edit %d: a decision was wrong", i);
}

static void begin(program *p)
{
    char overrides[1024], policy[2048], quotas[64];
    static const char empty[] = "return quota 'openai' { api = 1, modality = 'text', tier 'free' {} }\n";
    llim_error err;
    FILE *example = fopen("examples/policies/short_to_small.lua", "r");
    assert_non_null(example);
    p->example[fread(p->example, 1, sizeof p->example - 1, example)] = 0;
    assert_true(feof(example));
    fclose(example);
    strcpy(p->top, "/tmp/llim-edits-XXXXXX");
    assert_non_null(mkdtemp(p->top));
    snprintf(p->policy, sizeof p->policy, "%s/fresh", p->top);
    assert_int_equal(mkdir(p->policy, 0700), 0); /* what is written there is nobody's yet, and no event */
    snprintf(p->fresh, sizeof p->fresh, "%s/fresh/file", p->top);
    snprintf(p->policy, sizeof p->policy, "%s/policy.lua", p->top);
    snprintf(p->overrides, sizeof p->overrides, "%s/overrides.lua", p->top);
    snprintf(quotas, sizeof quotas, "%s/quotas.lua", p->top);
    texts_of(p, 0, overrides, policy);
    save(p, p->policy, policy, true);
    save(p, p->overrides, overrides, true);
    save(p, quotas, empty, true);
    llim_options options = {
        .size = sizeof options,
        .quotas = quotas,
        .policy = p->policy,
        .overrides = p->overrides,
        .log = note,
        .log_ctx = p,
        .zone = {.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .rows = 8}};
    if (llim_open(&options, &p->limiter, &err)) fail_msg("%s", err.message);
}

static void test_a_program_whose_files_are_edited(void **state)
{
    (void)state;
    static program p;
    static caller callers[THREADS + 1];
    caller *self = &callers[THREADS];
    kit_rng rng = kit_seed();
    const int edits = (int)kit_env("LLIM_EDITS", EDITS) / 2 * 2, watched_from = edits - edits / WATCHED + 1;
    bool small = false;
    begin(&p);
    for (int t = 0; t <= THREADS; t++) callers[t] = (caller){.p = &p, .rng = {kit_random(&rng)}};
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&callers[t].thread, NULL, decide_on, &callers[t]), 0);
    for (int i = 1; i <= edits; i++) {
        if (i == watched_from) assert_true(llim_watch_fd(p.limiter, NULL) >= 0);
        edit(&p, i, i >= watched_from, self, &small);
    }
    /* Until all is admitted that may be. */
    const int64_t raised = raised_to(edits), lowered = edits % 4 ? LOW : HIGH;
    while (atomic_load(&p.raised) < raised || atomic_load(&p.lowered) < lowered)
        if (atomic_load(&p.wrong)) break;
    atomic_store(&p.stop, true);
    tally all = self->sum;
    for (int t = 0; t < THREADS; t++) {
        pthread_join(callers[t].thread, NULL);
        for (int m = 0; m < MODELS; m++) {
            all.requests[m] += callers[t].sum.requests[m];
            all.tokens[m] += callers[t].sum.tokens[m];
        }
    }
    assert_int_equal(atomic_load(&p.wrong), 0);
    for (int m = 0; m < MODELS; m++) assert_int_equal(used_of(&p, m, LLIM_REQUESTS), all.requests[m]);
    for (int m = LARGE; m <= SMALL; m++) assert_int_equal(used_of(&p, m, LLIM_TOKENS), all.tokens[m]);
    assert_int_equal(all.requests[RAISED], raised);
    assert_in_range(all.requests[LOWERED], lowered, HIGH);
    assert_int_equal(status_of(&p).faults, 0);
    print_message("# %d edits beside %lld decisions\n", edits,
                  (long long)(all.requests[LARGE] + all.requests[SMALL] + all.requests[RAISED]));
    llim_close(p.limiter);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", p.top);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_program_whose_files_are_edited)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
