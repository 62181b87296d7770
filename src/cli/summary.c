/*
 * summary.c - adds up the fates of a run; see summary.h.
 *
 * Percentiles are by nearest rank over the admitted requests, those that did not wait included.
 */
#include "cli/summary.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void count(cli_tally *tally, int64_t tokens)
{
    tally->requests++;
    tally->tokens += tokens;
}

static int shorter(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(const int64_t *waits, uint64_t n, uint64_t percent)
{
    if (n == 0) return 0;
    return (double)waits[(n * percent + 99) / 100 - 1] / LLIM_SECOND;
}

static uint64_t refused_total(const cli_refused *r)
{
    return r->waited + r->expired + r->never;
}

static int more(const void *a, const void *b)
{
    const cli_refused *x = a, *y = b;
    uint64_t nx = refused_total(x), ny = refused_total(y);
    if (nx != ny) return nx > ny ? -1 : 1;
    return (x->reason > y->reason) - (x->reason < y->reason);
}

void cli_summarize(const cli_run *run, cli_summary *summary)
{
    const cli_trace *trace = run->trace;
    memset(summary, 0, sizeof *summary);
    summary->models = cli_resize(NULL, run->n_models, sizeof *summary->models);
    memset(summary->models, 0, run->n_models * sizeof *summary->models);
    summary->n_refused = run->reasons.n;
    summary->refused = cli_resize(NULL, run->reasons.n, sizeof *summary->refused);
    for (uint32_t i = 0; i < run->reasons.n; i++) summary->refused[i] = (cli_refused){.reason = i};
    int64_t *waits = cli_resize(NULL, trace->n, sizeof *waits);
    for (uint32_t i = 0; i < trace->n; i++) {
        const cli_row *row = &trace->rows[i];
        const cli_fate *fate = &run->fates[i];
        cli_refused *refused = fate->reason == CLI_NONE ? NULL : &summary->refused[fate->reason];
        count(&summary->all, row->tokens);
        if (fate->outcome == CLI_ADMITTED) {
            waits[summary->admitted.requests] = fate->decided_ns - row->at_ns;
            if (fate->decided_ns > row->at_ns) summary->waited++;
            count(&summary->admitted, row->tokens);
            count(&summary->models[fate->model], row->tokens);
            if (refused) refused->waited++;
        } else if (fate->outcome == CLI_NEVER) {
            count(&summary->never, row->tokens);
            if (refused) refused->never++;
        } else {
            count(&summary->expired, row->tokens);
            if (refused) refused->expired++;
        }
    }
    uint64_t n = summary->admitted.requests;
    qsort(waits, n, sizeof *waits, shorter);
    summary->p50 = percentile(waits, n, 50);
    summary->p95 = percentile(waits, n, 95);
    summary->p99 = percentile(waits, n, 99);
    summary->longest = percentile(waits, n, 100);
    free(waits);
    qsort(summary->refused, summary->n_refused, sizeof *summary->refused, more);
}

void cli_summary_free(cli_summary *summary)
{
    free(summary->models);
    free(summary->refused);
}
