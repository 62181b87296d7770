/*
 * bench.h - how a row of the report is measured, and what the benchmarks decide on.
 *
 * Each row is measured in repetitions that alternate with the floor's, so that a drift of the machine's speed cancels; what
 * is printed is the median, the spread, the median's ratio and the bar. It reports and never fails.
 */
#ifndef LLIM_TESTS_BENCH_H
#define LLIM_TESTS_BENCH_H

#include <stdatomic.h>
#include <stdint.h>

#include "llm_limiters.h"

#define SECOND ((int64_t)LLIM_SECOND)
#define MINUTE (60 * SECOND)
#define DAY    (86400 * SECOND)
#define GUARD  (SECOND / 10)

/* Many short repetitions: what else the machine does falls into few of them, and the median passes it over. */
enum { REPETITIONS = 51, BATCH = 4000, BATCHES_OF_TWO = 5 };

typedef struct bench {
    llim_zone *zone;
    llim_row row;
    llim_row *tenants;
    uint32_t n_tenants;
    atomic_uint_least64_t *records; /* of 128 bytes, for each tenant */
    llim_permit *permits;           /* BATCH */
    uint64_t random;
    llim_limiter *limiter;
    llim_request request;
} bench;

/* One repetition: nanoseconds per operation. */
typedef double (*measure)(bench *b);

LLIM_API int64_t read_ns(void);

/* One repetition of the floor. */
LLIM_API double floor_once(void);

void die(const char *what, int code);

/* path ends in XXXXXX; text may be NULL. */
void write_file(char *path, const char *text);

llim_zone *zone_new(uint32_t rows, uint32_t sliding, int32_t clock);
llim_row row_new(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n);

int by_value(const void *a, const void *b);

/* Returns the median. bar 0: none. beside: what the bar is a multiple of, 0 for the floor. */
double report(const char *what, measure run, bench *b, double bar, double beside);

/* Limits that a benchmark does not reach, round as real ones are: three of each. */
extern const llim_limit openai[], gemini[], tenant[];
extern const llim_charge call, facts;

/* One repetition of llim_admit() on b->row. */
double admit(bench *b);

/* The parts of the report. */
void scopes_and_processes(void);
void scripts(void);
void reloads(void);

#endif
