/* measure.c - see bench.h. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const llim_limit openai[] = {{.meter = LLIM_REQUESTS,
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
const llim_limit tenant[] = {{.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 1000000000, .window_ns = MINUTE},
                             {.meter = LLIM_TOKENS, .law = LLIM_BUCKET, .amount = 10000000000, .window_ns = MINUTE},
                             {.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 1000000000, .window_ns = DAY}};
const llim_limit gemini[] = {
    {.meter = LLIM_REQUESTS, .law = LLIM_SLIDING, .amount = 1000000000000, .window_ns = MINUTE, .guard_ns = GUARD},
    {.meter = LLIM_TOKENS, .law = LLIM_SLIDING, .amount = 1000000000000, .window_ns = MINUTE, .guard_ns = GUARD},
    {.meter = LLIM_REQUESTS,
     .law = LLIM_CALENDAR,
     .unit = LLIM_PER_DAY,
     .amount = 1000000000000,
     .guard_ns = GUARD,
     .zone = "America/Los_Angeles"}};

const llim_charge call = {{[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 10}};
const llim_charge facts = {{[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 7}};

void die(const char *what, int code)
{
    fprintf(stderr, "bench: %s: %s\n", what, llim_code_name(code));
    exit(1);
}

void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    size_t len = text ? strlen(text) : 0;
    if (fd < 0 || write(fd, text ? text : "", len) != (ssize_t)len || close(fd)) die(path, LLIM_EIO);
}

llim_zone *zone_new(uint32_t rows, uint32_t sliding, int32_t clock)
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

llim_row row_new(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n)
{
    llim_row_spec spec = {
        .size = sizeof spec, .scope_len = (uint32_t)strlen(scope), .scope = scope, .limits = limits, .n_limits = n};
    llim_row row;
    int code = llim_row_set(zone, &spec, &row, NULL);
    if (code) die(scope, code);
    return row;
}

int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

double report(const char *what, measure run, bench *b, double bar, double beside)
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
