/*
 * watch.c - see watch.h.
 *
 * Each limit keeps the sum of its own window over the list of admissions that all limits of the row share; an admission
 * leaves the window when it is as old as the window is long.
 */
#include "cli/watch.h"

#include "base/text.h"
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE (60 * (int64_t)LLIM_SECOND)

static bool limits_any(const cli_watch *watch, int meter, int other)
{
    for (uint32_t i = 0; i < watch->n_peaks; i++)
        if (watch->peaks[i].limit.meter == meter || watch->peaks[i].limit.meter == other) return true;
    return false;
}

static void add_unlimited(cli_watch *watch, int meter)
{
    watch->peaks[watch->n_peaks++] = (cli_peak){.limit = {.meter = meter, .law = LLIM_SLIDING, .window_ns = MINUTE}};
}

int cli_watch_open(cli_watch *watch, llim_zone *zone, llim_row row, const char *name, bool is_model)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n = 0;
    int code = llim_row_usage(zone, row, usage, LLIM_MAX_LIMITS, &n);
    if (code != LLIM_OK) return code;
    *watch = (cli_watch){.name = cli_copy(name), .row = row, .n_peaks = n};
    watch->peaks = cli_resize(NULL, n + 2, sizeof *watch->peaks);
    for (uint32_t i = 0; i < n; i++) {
        watch->peaks[i] = (cli_peak){.limit = usage[i].limit};
        if (usage[i].limit.law == LLIM_CALENDAR || usage[i].limit.law == LLIM_GAUGE) watch->asks = true;
    }
    if (is_model && !limits_any(watch, LLIM_REQUESTS, LLIM_REQUESTS)) add_unlimited(watch, LLIM_REQUESTS);
    if (is_model && !limits_any(watch, LLIM_TOKENS, LLIM_INPUT_TOKENS)) add_unlimited(watch, LLIM_TOKENS);
    return LLIM_OK;
}

void cli_watch_note(cli_watch *watch, llim_zone *zone, const cli_admission *admission, cli_charge_fn charge,
                    const void *ctx)
{
    if (watch->n == watch->cap) {
        watch->cap = watch->cap ? watch->cap * 2 : 16;
        watch->admissions = cli_resize(watch->admissions, watch->cap, sizeof *watch->admissions);
    }
    watch->admissions[watch->n++] = *admission;
    llim_charge now, gone;
    charge(ctx, admission->row, &now);
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n = 0;
    if (watch->asks && llim_row_usage(zone, watch->row, usage, LLIM_MAX_LIMITS, &n) != LLIM_OK) n = 0;
    for (uint32_t i = 0; i < watch->n_peaks; i++) {
        cli_peak *p = &watch->peaks[i];
        if (p->limit.law == LLIM_CALENDAR || p->limit.law == LLIM_GAUGE) {
            if (i < n && usage[i].used > p->peak) p->peak = usage[i].used;
            continue;
        }
        for (; watch->admissions[p->tail].at_ns <= admission->at_ns - p->limit.window_ns; p->tail++) {
            charge(ctx, watch->admissions[p->tail].row, &gone);
            p->sum -= gone.amount[p->limit.meter];
        }
        p->sum += now.amount[p->limit.meter];
        if (p->sum > p->peak) p->peak = p->sum;
    }
}

void cli_watch_close(cli_watch *watch)
{
    free(watch->name);
    free(watch->peaks);
    free(watch->admissions);
}

void cli_limit_text(int meter, int law, int unit, int64_t window_ns, char *out, size_t cap)
{
    char span[32];
    llim__span_text(law, unit, window_ns, span, sizeof span);
    snprintf(out, cap, "%s%s%s", llim_meter_name(meter), law == LLIM_GAUGE ? " " : "/", span);
}
