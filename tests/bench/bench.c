/*
 * bench.c - what a decision costs, as a ratio to a floor measured in the same run: clock_gettime(CLOCK_MONOTONIC) and three
 * uncontended compare-and-swaps on one cache line.
 *
 * Each row is measured in repetitions that alternate with the floor's, so that a drift of the machine's speed cancels; what
 * is printed is the median, the spread, the median's ratio and the bar. It reports and never fails. Bytes come from
 * llim_zone_get_stats().
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "llm_limiters.h"

#define SECOND ((int64_t)LLIM_SECOND)
#define MINUTE (60 * SECOND)
#define DAY    (86400 * SECOND)
#define GUARD  (SECOND / 10)

/* Many short repetitions: what else the machine does falls into few of them, and the median passes it over. */
enum { REPETITIONS = 51, BATCH = 4000, BATCHES_OF_THREADS = 5, TENANTS = 100000 };

static int64_t read_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec;
}

static _Alignas(64) atomic_uint_least64_t line[8];

static double floor_once(void)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        uint64_t now = (uint64_t)read_ns();
        for (int k = 0; k < 3; k++) {
            uint64_t seen = atomic_load_explicit(&line[k], memory_order_relaxed);
            atomic_compare_exchange_strong(&line[k], &seen, seen ^ now);
        }
    }
    return (double)(read_ns() - begin) / BATCH;
}

static void die(const char *what, int code)
{
    fprintf(stderr, "bench: %s: %s\n", what, llim_code_name(code));
    exit(1);
}

/* path ends in XXXXXX; text may be NULL. */
static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    size_t len = text ? strlen(text) : 0;
    if (fd < 0 || write(fd, text ? text : "", len) != (ssize_t)len || close(fd)) die(path, LLIM_EIO);
}

static llim_zone *zone_new(uint32_t rows, uint32_t sliding, int32_t clock)
{
    llim_zone_options options = {.size = sizeof options,
                                 .clock = clock,
                                 .rows = rows,
                                 .sliding = sliding,
                                 .leases = 1,
                                 .start_wall_ns = 1718452800 * SECOND};
    llim_zone *zone;
    int code = llim_zone_open(&options, &zone, NULL);
    if (code) die("zone", code);
    return zone;
}

static llim_row row_new(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n)
{
    llim_row_spec spec = {
        .size = sizeof spec, .scope_len = (uint32_t)strlen(scope), .scope = scope, .limits = limits, .n_limits = n};
    llim_row row;
    int code = llim_row_set(zone, &spec, &row, NULL);
    if (code) die(scope, code);
    return row;
}

/* Limits that a benchmark does not reach, round as real ones are. */
static const llim_limit openai[] = {{.meter = LLIM_REQUESTS,
                                     .law = LLIM_BUCKET,
                                     .amount = 1000000000,
                                     .window_ns = MINUTE,
                                     .guard_ns = GUARD,
                                     .charged = LLIM_CHARGED_RESERVED},
                                    {.meter = LLIM_TOKENS,
                                     .law = LLIM_BUCKET,
                                     .amount = 10000000000,
                                     .window_ns = MINUTE,
                                     .guard_ns = GUARD,
                                     .charged = LLIM_CHARGED_RESERVED},
                                    {.meter = LLIM_REQUESTS,
                                     .law = LLIM_BUCKET,
                                     .amount = 1000000000,
                                     .window_ns = DAY,
                                     .guard_ns = GUARD,
                                     .charged = LLIM_CHARGED_RESERVED}};
static const llim_limit tenant[] = {
    {.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 1000000000, .window_ns = MINUTE},
    {.meter = LLIM_TOKENS, .law = LLIM_BUCKET, .amount = 10000000000, .window_ns = MINUTE},
    {.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 1000000000, .window_ns = DAY}};
static const llim_limit gemini[] = {
    {.meter = LLIM_REQUESTS, .law = LLIM_SLIDING, .amount = 1000000000000, .window_ns = MINUTE, .guard_ns = GUARD},
    {.meter = LLIM_TOKENS, .law = LLIM_SLIDING, .amount = 1000000000000, .window_ns = MINUTE, .guard_ns = GUARD},
    {.meter = LLIM_REQUESTS,
     .law = LLIM_CALENDAR,
     .unit = LLIM_PER_DAY,
     .amount = 1000000000000,
     .guard_ns = GUARD,
     .zone = "America/Los_Angeles"}};

static const llim_charge call = {{[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 10}};
static const llim_charge facts = {{[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 7}};

typedef struct bench {
    llim_zone *zone;
    llim_row row;
    llim_row *tenants;
    atomic_uint_least64_t *records; /* TENANTS of 128 bytes */
    llim_permit *permits;           /* BATCH */
    uint64_t random;
    llim_limiter *limiter;
    llim_request request;
} bench;

/* One repetition: nanoseconds per operation. */
typedef double (*measure)(bench *b);

static double admit(bench *b)
{
    llim_permit permit;
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++)
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, NULL)) die("admit", LLIM_LATER);
    return (double)(read_ns() - begin) / BATCH;
}

static double refuse(bench *b)
{
    llim_permit permit;
    llim_refusal refusal;
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++)
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, &refusal) != LLIM_LATER) die("refuse", LLIM_OK);
    return (double)(read_ns() - begin) / BATCH;
}

static void reserve_batch(bench *b)
{
    for (int i = 0; i < BATCH; i++) {
        int code = llim_admit(b->zone, &b->row, 1, &call, &b->permits[i], NULL);
        if (code) die("reserve", code);
    }
}

static double settle_batch(bench *b)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) llim_settle(b->zone, &b->permits[i], &facts);
    return (double)(read_ns() - begin) / BATCH;
}

static double settle_now(bench *b)
{
    reserve_batch(b);
    return settle_batch(b);
}

/* On a virtual clock: other traffic in every slot, then the settlement. No clock is read, which flatters it by that much. */
static double settle_later(bench *b)
{
    reserve_batch(b);
    for (int slot = 0; slot < 80; slot++) {
        int64_t steady, wall;
        llim_permit permit;
        llim_zone_now(b->zone, &steady, &wall);
        llim_zone_set_clock(b->zone, steady + SECOND / 4, wall + SECOND / 4);
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, NULL)) die("slots", LLIM_LATER);
    }
    return settle_batch(b);
}

static void *admit_thread(void *arg)
{
    for (int i = 0; i < BATCHES_OF_THREADS; i++) admit(arg);
    return NULL;
}

/* Wall time over the decisions of both threads. */
static double admit_twice(bench *b)
{
    pthread_t other;
    int64_t begin = read_ns();
    if (pthread_create(&other, NULL, admit_thread, b)) die("thread", LLIM_ENOMEM);
    admit_thread(b);
    pthread_join(other, NULL);
    return (double)(read_ns() - begin) / (2 * BATCHES_OF_THREADS * BATCH);
}

static llim_row some_tenant(bench *b)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return b->tenants[(b->random >> 33) % TENANTS];
}

/* The caller has the handle in hand when it asks, as the floor has its index: it comes from a request, not from a table. */
static double admit_tenants(bench *b)
{
    llim_permit permit;
    llim_row next = some_tenant(b);
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        llim_row row = next;
        next = some_tenant(b);
        if (llim_admit(b->zone, &row, 1, &call, &permit, NULL)) die("tenant", LLIM_LATER);
    }
    return (double)(read_ns() - begin) / BATCH;
}

/* The floor where it is not in the cache: the same on one of as many records of two cache lines. */
static double floor_of_many(bench *b)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        b->random = b->random * 6364136223846793005u + 1442695040888963407u;
        atomic_uint_least64_t *record = &b->records[(b->random >> 33) % TENANTS * 16];
        uint64_t now = (uint64_t)read_ns();
        for (int k = 0; k < 3; k++) {
            uint64_t seen = atomic_load_explicit(&record[k * 5], memory_order_relaxed);
            atomic_compare_exchange_strong(&record[k * 5], &seen, seen ^ now);
        }
    }
    return (double)(read_ns() - begin) / BATCH;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Returns the median. bar 0: none. beside: what the bar is a multiple of, 0 for the floor. */
static double report(const char *what, measure run, bench *b, double bar, double beside)
{
    double floors[REPETITIONS], values[REPETITIONS];
    run(b);
    for (int i = 0; i < REPETITIONS; i++) {
        floors[i] = floor_once();
        values[i] = run(b);
    }
    qsort(floors, REPETITIONS, sizeof *floors, by_value);
    qsort(values, REPETITIONS, sizeof *values, by_value);
    double median = values[REPETITIONS / 2], base = beside > 0 ? beside : floors[REPETITIONS / 2];
    printf("%-54s %8.1f ns  %7.1f .. %-8.1f floor %6.1f  %5.2f x %s", what, median, values[0], values[REPETITIONS - 1],
           floors[REPETITIONS / 2], median / base, beside > 0 ? "admit" : "floor");
    if (bar > 0) printf("  bar %.1f%s", bar, median / base <= bar ? "" : "  MISSED");
    putchar('\n');
    return median;
}

static bench bench_new(const llim_limit *limits, int32_t clock)
{
    bench b = {.zone = zone_new(8, 8, clock), .permits = calloc(BATCH, sizeof *b.permits), .random = 1};
    if (!b.permits) die("permits", LLIM_ENOMEM);
    b.row = row_new(b.zone, "model:m", limits, 3);
    return b;
}

static void bench_free(bench *b)
{
    llim_zone_close(b->zone);
    free(b->permits);
    free(b->tenants);
    free(b->records);
}

static void one_model(const char *provider, const llim_limit *limits)
{
    char what[64];
    bench b = bench_new(limits, LLIM_CLOCK_REAL);
    snprintf(what, sizeof what, "admit, %s", provider);
    double admitted = report(what, admit, &b, 1.5, 0);
    snprintf(what, sizeof what, "settle in the slot of the charge, %s", provider);
    report(what, settle_now, &b, 1.0, 0);
    snprintf(what, sizeof what, "two threads, same model, %s", provider);
    report(what, admit_twice, &b, 3.0, 0);
    bench_free(&b);

    b = bench_new(limits, LLIM_CLOCK_VIRTUAL);
    snprintf(what, sizeof what, "settle 20 s later (virtual clock), %s", provider);
    report(what, settle_later, &b, 4.0, 0);
    bench_free(&b);

    llim_limit full[3];
    memcpy(full, limits, sizeof full);
    full[0].amount = 1; /* spent once, refused for the minute that this takes a small part of */
    b = bench_new(full, LLIM_CLOCK_REAL);
    llim_permit permit;
    int code = llim_admit(b.zone, &b.row, 1, &call, &permit, NULL);
    if (code) die("fill", code);
    snprintf(what, sizeof what, "refused at the first limit, %s", provider);
    report(what, refuse, &b, 1.5, admitted);
    bench_free(&b);
}

static void tenants(void)
{
    bench b = {
        .zone = zone_new(TENANTS, 1, LLIM_CLOCK_REAL), .tenants = calloc(TENANTS, sizeof *b.tenants), .random = 1};
    b.records = aligned_alloc(128, TENANTS * 128);
    if (!b.tenants || !b.records) die("tenants", LLIM_ENOMEM);
    memset(b.records, 0, TENANTS * 128);
    for (int i = 0; i < TENANTS; i++) {
        char scope[32];
        snprintf(scope, sizeof scope, "user:acme/%d", i);
        b.tenants[i] = row_new(b.zone, scope, tenant, 3);
    }
    report("floor on one of 100,000 records, random", floor_of_many, &b, 0, 0);
    report("100,000 tenant scopes, bucket law, random", admit_tenants, &b, 5.0, 0);
    bench_free(&b);
}

/* One decision through a policy's route hook: the last of n models fits, which the hook finds out. */
static double decide(bench *b)
{
    llim_permit permit;
    llim_error err;
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++)
        if (llim_acquire(b->limiter, &b->request, &permit, NULL, &err)) die(err.message, LLIM_LATER);
    return (double)(read_ns() - begin) / BATCH;
}

static void scripted(const char *what, const char *policy, uint32_t n, double bar)
{
    static const char overrides[] = "return { a = { rpm = 1 }, b = { rpm = 1 }, c = { rpm = 1 }, "
                                    "d = { rpm = 1e12, tpm = 1e12, rpd = 1e12, law = 'bucket' } }";
    static const char *const models[] = {"a", "b", "c", "d"};
    char rules[] = "/tmp/llim-bench-XXXXXX", quotas[] = "/tmp/llim-bench-XXXXXX";
    write_file(rules, policy);
    write_file(quotas, overrides);
    llim_options options = {.size = sizeof options, .policy = policy ? rules : "priority", .overrides = quotas};
    llim_error err;
    bench b = {.request = {.size = sizeof b.request, .models = models, .n_models = 4, .charge = call}};
    if (llim_open(&options, &b.limiter, &err)) die(err.message, LLIM_ECONFIG);
    unlink(rules);
    unlink(quotas);
    llim_permit permit;
    for (int i = 0; i < 4; i++) llim_acquire(b.limiter, &b.request, &permit, NULL, &err);
    b.request.models = models + 4 - n;
    b.request.n_models = n;
    report(what, decide, &b, bar, 0);
    llim_status status = {.size = sizeof status};
    llim_get_status(b.limiter, &status);
    if (status.faults) die(status.fault.message, LLIM_ELUA);
    llim_close(b.limiter);
}

static void scripts(void)
{
    static const char reads[] = "return policy { api = 1, name = 'short to small', route = function(req, pool)\n"
                                "  if req.tokens > 500 then return { pool[#pool] } end\n"
                                "  return pool\n"
                                "end }";
    static const char asks[] = "return policy { api = 1, name = 'first that fits', route = function(req, pool)\n"
                               "  for i = 1, #pool do if pool[i]:fits(req) then return { pool[i] } end end\n"
                               "end }";
    scripted("a decision along a list, no hook, 1 candidate", NULL, 1, 0);
    scripted("a decision along a list, no hook, the last of 4 fits", NULL, 4, 0);
    scripted("a decision through Lua, 1 candidate", reads, 1, 8);
    scripted("a decision through Lua, the last of 4 candidates fits", reads, 4, 20);
    scripted("the same, where Lua asks each whether it fits: 1", asks, 1, 0);
    scripted("the same, where Lua asks each whether it fits: 4", asks, 4, 0);
}

static uint64_t bytes_of(uint32_t rows, uint32_t sliding)
{
    llim_zone *zone = zone_new(rows, sliding, LLIM_CLOCK_VIRTUAL);
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    llim_zone_close(zone);
    return stats.bytes;
}

static void memory(void)
{
    double row = (double)(bytes_of(TENANTS + 1, 1) - bytes_of(1, 1)) / TENANTS;
    double sliding = (double)(bytes_of(1, 10001) - bytes_of(1, 1)) / 10000;
    printf("%-54s %8.1f bytes  bar 192%s\n", "a tenant scope of up to 3 limits", row, row <= 192 ? "" : "  MISSED");
    printf("%-54s %8.1f bytes  bar 2560%s\n", "a sliding limit", sliding, sliding <= 2560 ? "" : "  MISSED");
}

static void read_usage(const char *text, size_t len)
{
    llim_usage_reader reader;
    llim_usage_begin(&reader);
    for (size_t i = 0; i < len; i++) llim_usage_feed(&reader, text + i, 1);
}

static void read_error(const char *text, size_t len)
{
    llim_response r = {
        .size = sizeof r, .provider = LLIM_PROVIDER_GEMINI, .status = 429, .body = text, .body_len = len};
    llim_answer answer;
    int code = llim_classify(&r, &answer);
    if (code) die("classify", code);
}

/* Head, as many parts as fit in len, and tail. */
typedef struct text {
    const char *what, *head, *part, *tail;
    void (*read)(const char *, size_t);
    size_t len;
} text;

/* The least of a few, per byte. */
static double per_byte(const text *t, size_t len)
{
    size_t n = 0, part = strlen(t->part), tail = strlen(t->tail);
    char *bytes = malloc(len + 1);
    if (!bytes) die("answers", LLIM_ENOMEM);
    for (const char *h = t->head; *h; h++) bytes[n++] = *h;
    for (; n + part + tail <= len; n += part) memcpy(bytes + n, t->part, part);
    memcpy(bytes + n, t->tail, tail);
    double least = 1e9;
    for (size_t i = 0; i < 5 * t->len / len; i++) {
        int64_t begin = read_ns();
        t->read(bytes, n + tail);
        double took = (double)(read_ns() - begin) / (double)(n + tail);
        if (took < least) least = took;
    }
    free(bytes);
    return least;
}

#define FAILURE "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":["
#define MESSAGE "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\""

/* What a byte costs in a long answer, beside one in an answer of a tenth: the same, where time is linear. */
static void answers(void)
{
    static const text texts[] = {
        {"usage of a picture, byte by byte", "{\"data\":[{\"b64_json\":\"", "1", "\"}]}", read_usage, 10000000},
        {"usage of a stream, byte by byte", "", "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n",
         "data: [DONE]\n\n", read_usage, 10000000},
        {"usage in a number, byte by byte", "{\"usage\":{\"prompt_tokens\":", "1", "}}", read_usage, 10000000},
        {"an error of many violations", MESSAGE "limit: 1" FAILURE, "{\"quotaId\":\"Requests\"},", "{}]}]}}",
         read_error, 260000},
        {"an error of many lines", MESSAGE, "Quota exceeded for metric: requests\\n", FAILURE "]}]}}", read_error,
         260000},
        {"an error with a long word", MESSAGE, "limit: ", FAILURE "{\"quotaId\":\"Requests\"}]}]}}", read_error,
         260000},
    };
    for (const text *t = texts; t < texts + sizeof texts / sizeof texts[0]; t++) {
        double tenth = per_byte(t, t->len / 10), whole = per_byte(t, t->len);
        printf("%-54s %8.2f ns a byte of %zu, %.2f x that of a tenth  bar 2.0%s\n", t->what, whole, t->len,
               whole / tenth, whole <= 2 * tenth ? "" : "  MISSED");
    }
}

/* Reloads of 200 models while a thread decides. What counts is how long its decisions take, and how long a reload. */
enum { RELOADS = 40, RELOADED_MODELS = 200, STEP_NS = 10, STEPS = 100000 };

typedef struct load {
    llim_limiter *limiter;
    atomic_bool stop;
    uint64_t n, took[STEPS]; /* decisions, and those that took so many steps; the last has all that took longer */
} load;

static void *decide_until(void *arg)
{
    load *l = arg;
    static const char *const models[] = {"model-7"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
    llim_permit permit;
    for (; !atomic_load_explicit(&l->stop, memory_order_relaxed); l->n++) {
        int64_t begin = read_ns();
        int code = llim_acquire(l->limiter, &request, &permit, NULL, NULL);
        if (code) die("decide", code);
        const int64_t steps = (read_ns() - begin) / STEP_NS;
        l->took[steps < STEPS ? steps : STEPS - 1]++;
    }
    return NULL;
}

/* What all but a share of them took at most. */
static double all_but(const load *l, double share)
{
    uint64_t longer = (uint64_t)((double)l->n * share), i = STEPS;
    for (uint64_t seen = 0; i > 0 && seen <= longer;) seen += l->took[--i];
    return (double)(i + 1) * STEP_NS;
}

static void write_overrides(const char *path, int change)
{
    FILE *file = fopen(path, "w");
    if (!file) die(path, LLIM_EIO);
    fputs("return {\n", file);
    for (int i = 0; i < RELOADED_MODELS; i++)
        fprintf(file, "  [\"model-%d\"] = { rpm = %d, tpm = 1000000000, rpd = 1000000000 },\n", i, 100000000 + change);
    fputs("}\n", file);
    fclose(file);
}

/* The median and the 99.9th percentile of the decisions beside n reloads, or for as long as they would take. */
static void decide_beside(load *l, const char *path, int n, int64_t lasts, double *reloads, double *median,
                          double *late)
{
    pthread_t thread;
    atomic_store(&l->stop, false);
    l->n = 0;
    memset(l->took, 0, sizeof l->took);
    if (pthread_create(&thread, NULL, decide_until, l)) die("thread", LLIM_ENOMEM);
    for (int i = 0; i < n; i++) {
        write_overrides(path, i + 1);
        int64_t begin = read_ns();
        int code = llim_reload(l->limiter, NULL, NULL, NULL);
        if (code) die("reload", code);
        reloads[i] = (double)(read_ns() - begin);
    }
    for (int64_t begin = read_ns(); n == 0 && read_ns() - begin < lasts;)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    atomic_store(&l->stop, true);
    pthread_join(thread, NULL);
    *median = all_but(l, 0.5);
    *late = all_but(l, 0.001);
}

static void reloads(void)
{
    char path[] = "/tmp/llim-bench-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) die(path, LLIM_EIO);
    close(fd);
    write_overrides(path, 0);
    llim_options options = {.size = sizeof options, .overrides = path};
    static load l;
    int code = llim_open(&options, &l.limiter, NULL);
    if (code) die("open", code);
    double took[RELOADS], alone, alone_late, beside, beside_late;
    decide_beside(&l, path, 0, SECOND / 5, took, &alone, &alone_late);
    decide_beside(&l, path, RELOADS, 0, took, &beside, &beside_late);
    qsort(took, RELOADS, sizeof *took, by_value);
    printf("%-54s %8.2f ms  %7.2f .. %-8.2f bar 5%s\n", "reload of 200 models under load", took[RELOADS / 2] / 1e6,
           took[0] / 1e6, took[RELOADS - 1] / 1e6, took[RELOADS / 2] <= 5e6 ? "" : "  MISSED");
    printf("%-54s median %.0f ns, 99.9th percentile %.0f ns; without reloads %.0f and %.0f  bar 10 x median%s\n",
           "decisions beside reloads", beside, beside_late, alone, alone_late,
           beside_late <= 10 * beside ? "" : "  MISSED");
    llim_close(l.limiter);
    unlink(path);
}

int main(void)
{
    printf("medians of %d repetitions of %d; least .. most; floor: clock_gettime + 3 compare-and-swaps\n", REPETITIONS,
           BATCH);
    one_model("OpenAI (3 buckets)", openai);
    one_model("Gemini (2 sliding, 1 day)", gemini);
    scripts();
    tenants();
    memory();
    answers();
    reloads();
    return 0;
}
