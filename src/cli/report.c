/*
 * report.c - the summary of a run as tables for people; see summary.h.
 *
 * What has no limit shows "-". Lists that scopes make long are cut, saying so: the JSON summary has all of them.
 */
#include "cli/cli.h"
#include "cli/summary.h"
#include "cli/table.h"

#include <stdlib.h>

#define SHOWN 20 /* scopes, and reasons */

static void percent(char *out, size_t cap, double part, double whole)
{
    snprintf(out, cap, "%.1f %%", whole > 0 ? 100 * part / whole : 0);
}

static void write_models(const cli_run *run, const cli_summary *s, FILE *out)
{
    cli_table table = {0};
    char a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT], share[16];
    cli_table_add(&table, 4, "model", "requests", "share", "tokens");
    for (uint32_t i = 0; i < run->n_models; i++) {
        percent(share, sizeof share, (double)s->models[i].requests, (double)s->all.requests);
        cli_table_add(&table, 4, run->models[i].info.name, cli_count_text((int64_t)s->models[i].requests, a), share,
                      cli_count_text(s->models[i].tokens, b));
    }
    const struct {
        const char *name;
        const cli_tally *tally;
    } rows[] = {
        {"(admitted)", &s->admitted}, {"(expired)", &s->expired}, {"(never fits)", &s->never}, {"(all)", &s->all}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        percent(share, sizeof share, (double)rows[i].tally->requests, (double)s->all.requests);
        cli_table_add(&table, 4, rows[i].name, cli_count_text((int64_t)rows[i].tally->requests, a), share,
                      cli_count_text(rows[i].tally->tokens, b));
    }
    cli_table_write(&table, out);
}

static double use_of(const cli_watch *watch)
{
    double use = 0;
    for (uint32_t i = 0; i < watch->n_peaks; i++) {
        const cli_peak *p = &watch->peaks[i];
        if (p->limit.amount > 0 && (double)p->peak > use * (double)p->limit.amount)
            use = (double)p->peak / (double)p->limit.amount;
    }
    return use;
}

static int busier(const void *a, const void *b)
{
    const cli_watch *x = *(const cli_watch *const *)a, *y = *(const cli_watch *const *)b;
    double ux = use_of(x), uy = use_of(y);
    if (ux != uy) return ux > uy ? -1 : 1;
    return (x > y) - (x < y);
}

static void add_limits(cli_table *table, const cli_watch *watch, bool *bursts)
{
    for (uint32_t i = 0; i < watch->n_peaks; i++) {
        const cli_peak *p = &watch->peaks[i];
        char what[64], name[LLIM_SCOPE_MAX + 80], peak[CLI_COUNT_TEXT], limit[CLI_COUNT_TEXT] = "-", share[16] = "-";
        bool limited = p->limit.amount > 0;
        cli_limit_text(p->limit.meter, p->limit.law, p->limit.unit, p->limit.window_ns, what, sizeof what);
        snprintf(name, sizeof name, "%.*s %s", LLIM_SCOPE_MAX, watch->name, what);
        if (limited) {
            cli_count_text(p->limit.amount, limit);
            percent(share, sizeof share, (double)p->peak, (double)p->limit.amount);
        }
        cli_table_add(table, 5, name, limited ? llim_law_name(p->limit.law) : "-", cli_count_text(p->peak, peak), limit,
                      share);
        if (limited && p->limit.law == LLIM_BUCKET && p->peak > p->limit.amount) *bursts = true;
    }
}

static void write_limits(const cli_run *run, FILE *out)
{
    cli_table table = {0};
    bool bursts = false;
    cli_table_add(&table, 5, "limit", "law", "peak", "limit", "use");
    for (uint32_t i = 0; i < run->n_model_watches; i++) add_limits(&table, &run->watches[i], &bursts);
    uint32_t n = run->n_watches - run->n_model_watches;
    const cli_watch **scopes = cli_resize(NULL, n, sizeof *scopes);
    for (uint32_t i = 0; i < n; i++) scopes[i] = &run->watches[run->n_model_watches + i];
    qsort(scopes, n, sizeof *scopes, busier);
    for (uint32_t i = 0; i < n && i < SHOWN; i++) add_limits(&table, scopes[i], &bursts);
    free(scopes);
    cli_table_write(&table, out);
    if (n > SHOWN) fprintf(out, "and %u scopes less used; --json has them all\n", n - SHOWN);
    if (bursts) fputs("A bucket refills while it is used: a window may see up to twice its limit.\n", out);
}

static void write_refused(const cli_run *run, const cli_summary *s, FILE *out)
{
    if (s->n_refused == 0) return;
    cli_table table = {0};
    cli_table_add(&table, 4, "first refused by", "waited", "expired", "never fits");
    for (uint32_t i = 0; i < s->n_refused && i < SHOWN; i++) {
        const cli_refused *r = &s->refused[i];
        char a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT], c[CLI_COUNT_TEXT];
        cli_table_add(&table, 4, run->reasons.text[r->reason], cli_count_text((int64_t)r->waited, a),
                      cli_count_text((int64_t)r->expired, b), cli_count_text((int64_t)r->never, c));
    }
    putc('\n', out);
    cli_table_write(&table, out);
    if (s->n_refused > SHOWN) fprintf(out, "and %u reasons less frequent; --json has them all\n", s->n_refused - SHOWN);
}

static void write_shadow(const cli_run *run, const cli_shadow *s, FILE *out)
{
    const struct {
        const char *name;
        uint64_t n;
    } kinds[] = {{"same", s->same},
                 {"admitted, refused there", s->only_here},
                 {"refused, admitted there", s->only_there},
                 {"another model", s->other_model},
                 {"another wait", s->other_wait},
                 {"never against later", s->never_or_later},
                 {"unknown model there", s->unknown_model}};
    cli_table table = {0};
    char a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT], share[16];
    fprintf(out, "\nin the shadow: %s, %s\n", s->path, s->kind);
    cli_table_add(&table, 3, "difference", "requests", "share");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        percent(share, sizeof share, (double)kinds[i].n, (double)run->trace->n);
        cli_table_add(&table, 3, kinds[i].name, cli_count_text((int64_t)kinds[i].n, a), share);
    }
    cli_table_write(&table, out);
    putc('\n', out);
    cli_table_add(&table, 3, "model", "requests", "there");
    for (uint32_t i = 0; i < s->n_models; i++)
        cli_table_add(&table, 3, s->models[i].name, cli_count_text((int64_t)s->models[i].here, a),
                      cli_count_text((int64_t)s->models[i].there, b));
    cli_table_add(&table, 3, "(admitted)", cli_count_text((int64_t)s->admitted_here, a),
                  cli_count_text((int64_t)s->admitted_there, b));
    cli_table_write(&table, out);
}

void cli_write_table(const cli_run *run, const cli_summary *s, FILE *out)
{
    const cli_setup *setup = run->setup;
    const cli_trace *trace = run->trace;
    char a[CLI_COUNT_TEXT];
    fprintf(out, "%s: %s requests in %.1f s", setup->trace, cli_count_text((int64_t)s->all.requests, a),
            (double)trace->rows[trace->n - 1].at_ns / LLIM_SECOND);
    if (trace->unsorted) fprintf(out, ", sorted by time (%u rows were out of order)", trace->unsorted);
    fprintf(out, "\ntier %s, quotas %s, policy %s, deadline %.10g s, guard %.10g s, speed %.10g, demand %.10g\n\n",
            setup->limiter.tier ? setup->limiter.tier : "free",
            setup->limiter.quotas ? setup->limiter.quotas : "baseline",
            setup->limiter.policy ? setup->limiter.policy : "priority", setup->deadline, setup->guard, setup->speed,
            setup->demand);
    write_models(run, s, out);
    if (setup->unknown) {
        char share[16], b[CLI_COUNT_TEXT];
        percent(share, sizeof share, (double)run->answered_429, (double)run->sent);
        fprintf(out, "unknown outputs, %s provider: %s calls sent, %s answered 429 (%s)\n",
                llim_law_name(setup->provider), cli_count_text((int64_t)run->sent, a),
                cli_count_text((int64_t)run->answered_429, b), share);
    }
    putc('\n', out);
    write_limits(run, out);
    fprintf(out, "\nwaits of the admitted: p50 %.3f s, p95 %.3f s, p99 %.3f s, max %.3f s; %s waited\n", s->p50, s->p95,
            s->p99, s->longest, cli_count_text((int64_t)s->waited, a));
    write_refused(run, s, out);
    if (s->shadow) write_shadow(run, s->shadow, out);
}
