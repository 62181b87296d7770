/* zones.c - decisions on one of many scopes, and by processes that share a zone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static uint32_t some_index(bench *b)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((b->random >> 33) % b->n_tenants);
}

/* The caller has the handle in hand when it asks, as the floor has its index: it comes from a request, not from a table. */
static double admit_tenants(bench *b)
{
    llim_permit permit;
    llim_row next = b->tenants[some_index(b)];
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        llim_row row = next;
        next = b->tenants[some_index(b)];
        if (llim_admit(b->zone, &row, 1, &call, &permit, NULL)) die("tenant", LLIM_LATER);
    }
    return (double)(read_ns() - begin) / BATCH;
}

/* The floor where it is not in the cache: the same on one of as many records of two cache lines. */
static double floor_of_many(bench *b)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        atomic_uint_least64_t *record = &b->records[(size_t)some_index(b) * 16];
        uint64_t now = (uint64_t)read_ns();
        for (int k = 0; k < 3; k++) {
            uint64_t seen = atomic_load_explicit(&record[k * 5], memory_order_relaxed);
            atomic_compare_exchange_strong(&record[k * 5], &seen, seen ^ now);
        }
    }
    return (double)(read_ns() - begin) / BATCH;
}

/* A zone in a file that this process and its children share; the file has no name any more. */
static llim_zone *shared_zone(uint32_t rows)
{
    char directory[] = "/dev/shm/llim-bench-XXXXXX", path[64];
    if (!mkdtemp(directory)) die(directory, LLIM_EIO);
    snprintf(path, sizeof path, "%s/zone", directory);
    llim_zone_options options = {.size = sizeof options, .rows = rows, .sliding = 8, .leases = 1, .path = path};
    llim_zone *zone;
    llim_error err;
    if (llim_zone_open(&options, &zone, &err)) die(err.message, LLIM_EIO);
    unlink(path);
    rmdir(directory);
    return zone;
}

static void tenants(uint32_t n, double bar)
{
    char what[64], scope[32];
    bench b = {
        .zone = zone_new(n, 1, LLIM_CLOCK_REAL), .tenants = calloc(n, sizeof *b.tenants), .n_tenants = n, .random = 1};
    b.records = aligned_alloc(128, (size_t)n * 128);
    if (!b.tenants || !b.records) die("tenants", LLIM_ENOMEM);
    memset(b.records, 0, (size_t)n * 128);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(scope, sizeof scope, "user:acme/%u", i);
        b.tenants[i] = row_new(b.zone, scope, tenant, 3);
    }
    snprintf(what, sizeof what, "floor on one of %u records, random", n);
    report(what, floor_of_many, &b, 0, 0);
    snprintf(what, sizeof what, "%u tenant scopes, bucket law, random", n);
    report(what, admit_tenants, &b, bar, 0);
    llim_zone_close(b.zone);
    free(b.tenants);
    free(b.records);
}

/* A full table in which every new scope takes the place of one that holds nothing any more. */
static double recycle(bench *b)
{
    llim_permit permit;
    char scope[32];
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        snprintf(scope, sizeof scope, "user:new/%llu", (unsigned long long)b->random++);
        llim_row row = row_new(b->zone, scope, tenant, 3);
        if (llim_admit(b->zone, &row, 1, &call, &permit, NULL)) die("new tenant", LLIM_LATER);
        llim_cancel(b->zone, &permit);
    }
    return (double)(read_ns() - begin) / BATCH;
}

static void recycling(void)
{
    bench b = {.zone = zone_new(100000, 1, LLIM_CLOCK_REAL)};
    for (int i = 0; i < 100000 / BATCH + 1; i++) recycle(&b);
    report("a new scope in a full table of 100,000", recycle, &b, 0, 0);
    llim_zone_close(b.zone);
}

/* What the processes of one repetition share. */
typedef struct start {
    atomic_int ready, go;
    _Alignas(64) atomic_uint_least64_t lines[2][64];
} start;

static start *shared;

/* The floor, on a line of one's own. */
static void floor_of(atomic_uint_least64_t *line)
{
    for (int i = 0; i < BATCH; i++) {
        uint64_t now = (uint64_t)read_ns();
        for (int k = 0; k < 3; k++) {
            uint64_t seen = atomic_load_explicit(&line[k], memory_order_relaxed);
            atomic_compare_exchange_strong(&line[k], &seen, seen ^ now);
        }
    }
}

/* Nanoseconds from the go until the last has ended, over the decisions of one. rows NULL: floors. */
static double by_processes(bench *b, int n, const llim_row *rows)
{
    atomic_store(&shared->ready, 0);
    atomic_store(&shared->go, 0);
    for (int k = 0; k < n; k++) {
        const pid_t child = fork();
        if (child < 0) die("fork", LLIM_ENOMEM);
        if (child > 0) continue;
        bench mine = *b;
        if (rows) mine.row = rows[k];
        if (rows) admit(&mine); /* the pages are there */
        atomic_fetch_add(&shared->ready, 1);
        while (!atomic_load(&shared->go)) {
        }
        for (int i = 0; i < 4 * BATCHES_OF_TWO; i++)
            if (rows)
                admit(&mine);
            else
                floor_of(shared->lines[k]);
        _exit(0);
    }
    while (atomic_load(&shared->ready) < n) usleep(50);
    int64_t begin = read_ns();
    atomic_store(&shared->go, 1);
    for (int k = 0; k < n; k++) wait(NULL);
    return (double)(read_ns() - begin) / (4 * BATCHES_OF_TWO * BATCH);
}

static double one_process(bench *b)
{
    return by_processes(b, 1, b->tenants);
}

static double two_on_their_own(bench *b)
{
    return by_processes(b, 2, b->tenants);
}

/* Over all decisions. */
static double two_on_one(bench *b)
{
    const llim_row same[2] = {b->tenants[0], b->tenants[0]};
    return by_processes(b, 2, same) / 2;
}

static double one_floor(bench *b)
{
    return by_processes(b, 1, NULL);
}

static double two_floors(bench *b)
{
    return by_processes(b, 2, NULL);
}

/* How much more two do in the same time than one. */
static void scale(const char *what, double one, double two, double bar)
{
    printf("%-54s %8.2f x  of one process", what, 2 * one / two);
    if (bar > 0) printf("  bar %.1f%s", bar, 2 * one / two >= bar ? "" : "  MISSED");
    putchar('\n');
}

static void processes(void)
{
    bench b = {.zone = shared_zone(8), .tenants = calloc(2, sizeof *b.tenants)};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!b.tenants || shared == MAP_FAILED) die("processes", LLIM_ENOMEM);
    b.tenants[0] = row_new(b.zone, "model:a", openai, 3);
    b.tenants[1] = row_new(b.zone, "model:b", openai, 3);
    report("two processes, same model, OpenAI (3 buckets)", two_on_one, &b, 3.0, 0);
    const double one = report("one process", one_process, &b, 0, 0);
    const double two = report("two processes, a model each: the time of one", two_on_their_own, &b, 0, 0);
    const double floors = report("two processes, a floor each: the time of one", two_floors, &b, 0, 0);
    scale("two processes, a floor each: what the machine can", report("one process, a floor", one_floor, &b, 0, 0),
          floors, 0);
    scale("two processes, a model each", one, two, 1.8);
    llim_zone_close(b.zone);
    munmap(shared, sizeof *shared);
    free(b.tenants);
}

void scopes_and_processes(void)
{
    static const struct {
        uint32_t n;
        double bar;
    } sizes[] = {{1, 0}, {1000, 0}, {100000, 5.0}, {1000000, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) tenants(sizes[i].n, sizes[i].bar);
    recycling();
    processes();
}
