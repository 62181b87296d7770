/*
 * summary.h - a run in numbers, and the three ways it is told: a table, JSON, a log of every request.
 *
 * The summary is computed from the fates of the requests alone. Writers only write: whoever opened the output looks for
 * errors on it.
 */
#ifndef LLIM_CLI_SUMMARY_H
#define LLIM_CLI_SUMMARY_H

#include "cli/shadow.h"

typedef struct cli_tally {
    uint64_t requests;
    int64_t tokens;
} cli_tally;

/* Requests by the reason of their first refusal. */
typedef struct cli_refused {
    uint32_t reason;
    uint64_t waited, expired, never; /* waited: and then admitted */
} cli_refused;

typedef struct cli_summary {
    cli_tally all, admitted, expired, never;
    uint64_t waited;
    cli_tally *models;    /* by model of the run */
    cli_refused *refused; /* most first */
    uint32_t n_refused;
    double p50, p95, p99, longest; /* waits of the admitted, seconds */
    const cli_shadow *shadow;      /* NULL: there is none */
} cli_summary;

void cli_summarize(const cli_run *run, cli_summary *summary);

void cli_summary_free(cli_summary *summary);

void cli_write_table(const cli_run *run, const cli_summary *summary, FILE *out);

void cli_write_json(const cli_run *run, const cli_summary *summary, FILE *out);

/* CSV, a line per request in the order of arrival. Times are rounded up to microseconds, arrivals and decisions alike: so
   nothing looks admitted before it was, and distances of whole microseconds stay. */
void cli_write_log(const cli_run *run, FILE *out);

#endif
