/* hosts.c - decisions through a policy's scripts, and reloads beside decisions. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

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

void scripts(void)
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

void reloads(void)
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
