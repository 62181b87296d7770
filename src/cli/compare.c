/*
 * compare.c - see compare.h.
 *
 * Limits are the same if they count the same in the same way; else those of one meter over the same span are taken for a changed
 * one, and what is left was added or removed.
 */
#include "cli/compare.h"

#include "cli/cli.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model as a limiter has it. */
typedef struct side {
    llim_model_info info;
    llim_limit limits[LLIM_MAX_LIMITS];
    uint32_t n;
} side;

static void read_side(llim_limiter *limiter, uint32_t index, side *out)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    llim_model_at(limiter, index, &out->info);
    out->n = 0;
    llim_row_usage(llim_limiter_zone(limiter), out->info.row, usage, LLIM_MAX_LIMITS, &out->n);
    for (uint32_t i = 0; i < out->n; i++) out->limits[i] = usage[i].limit;
}

static cli_difference *add(cli_differences *d, int32_t modality, const char *model, const char *change)
{
    d->items = cli_resize(d->items, (size_t)d->n + 1, sizeof *d->items);
    d->items[d->n] = (cli_difference){.modality = modality, .model = cli_copy(model), .change = change};
    return &d->items[d->n++];
}

/* wholly: with what only matters where two limits of one amount differ. */
static void describe(const llim_limit *l, bool wholly, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%lld", (long long)l->amount);
    if (l->law != LLIM_GAUGE) n += snprintf(out + n, cap - (size_t)n, " %s", llim_law_name(l->law));
    if (l->law == LLIM_CALENDAR) n += snprintf(out + n, cap - (size_t)n, " %s", l->zone[0] ? l->zone : "UTC");
    if (!wholly) return;
    n += snprintf(out + n, cap - (size_t)n, ", guard %.10g s", (double)l->guard_ns / LLIM_SECOND);
    if (l->charged == LLIM_CHARGED_RESERVED) snprintf(out + n, cap - (size_t)n, ", charged as reserved");
}

static int64_t span_of(const llim_limit *l)
{
    static const int64_t days[] = {0, 0, 0, 1, 7, 31};
    if (l->law != LLIM_CALENDAR) return l->window_ns;
    if (l->unit == LLIM_PER_MINUTE) return (int64_t)60 * LLIM_SECOND;
    if (l->unit == LLIM_PER_HOUR) return (int64_t)3600 * LLIM_SECOND;
    return days[l->unit] * 86400 * LLIM_SECOND;
}

static bool counts_alike(const llim_limit *a, const llim_limit *b)
{
    return a->meter == b->meter && a->law == b->law && a->unit == b->unit && a->window_ns == b->window_ns &&
           strcmp(a->zone, b->zone) == 0;
}

static bool spans_alike(const llim_limit *a, const llim_limit *b)
{
    return a->meter == b->meter && (a->law == LLIM_GAUGE) == (b->law == LLIM_GAUGE) && span_of(a) == span_of(b);
}

static const char *change_of(const llim_limit *a, const llim_limit *b)
{
    if (!counts_alike(a, b) || a->guard_ns != b->guard_ns || a->charged != b->charged) return "changed";
    return a->amount < b->amount ? "raised" : a->amount > b->amount ? "lowered" : NULL;
}

/* Either limit may be NULL, not both. */
static void compare_limits(const char *model, const llim_limit *a, const llim_limit *b, int32_t modality,
                           cli_differences *out)
{
    const char *change = !a ? "added" : !b ? "removed" : change_of(a, b);
    if (!change) return;
    const llim_limit *named = b ? b : a;
    cli_difference *d = add(out, modality, model, change);
    cli_limit_text(named->meter, named->law, named->unit, named->window_ns, d->limit, sizeof d->limit);
    const bool wholly = strcmp(change, "changed") == 0;
    if (a) describe(a, wholly, d->before, sizeof d->before);
    if (b) describe(b, wholly, d->after, sizeof d->after);
}

static void compare_models(const side *a, const side *b, int32_t modality, cli_differences *out)
{
    static bool (*const alike[])(const llim_limit *, const llim_limit *) = {counts_alike, spans_alike};
    bool was[LLIM_MAX_LIMITS] = {false}, is[LLIM_MAX_LIMITS] = {false};
    const char *model = b->info.name;
    if (a->info.blocked != b->info.blocked) add(out, modality, model, b->info.blocked ? "blocked" : "unblocked");
    for (int how = 0; how < 2; how++)
        for (uint32_t i = 0; i < b->n; i++)
            for (uint32_t k = 0; k < a->n && !is[i]; k++) {
                if (was[k] || !alike[how](&a->limits[k], &b->limits[i])) continue;
                was[k] = is[i] = true;
                compare_limits(model, &a->limits[k], &b->limits[i], modality, out);
            }
    for (uint32_t k = 0; k < a->n; k++)
        if (!was[k]) compare_limits(model, &a->limits[k], NULL, modality, out);
    for (uint32_t i = 0; i < b->n; i++)
        if (!is[i]) compare_limits(model, NULL, &b->limits[i], modality, out);
}

static void add_model(const side *b, int32_t modality, cli_differences *out)
{
    const side nothing = {.info.blocked = b->info.blocked};
    add(out, modality, b->info.name, "added");
    compare_models(&nothing, b, modality, out);
}

static uint32_t count(llim_limiter *limiter)
{
    llim_model_info info;
    uint32_t n = 0;
    while (limiter && llim_model_at(limiter, n, &info) == LLIM_OK) n++;
    return n;
}

static bool has_provider(llim_limiter *limiter, uint32_t n, const char *provider)
{
    llim_model_info info;
    for (uint32_t i = 0; i < n; i++)
        if (llim_model_at(limiter, i, &info) == LLIM_OK && strcmp(info.provider, provider) == 0) return true;
    return false;
}

void cli_compare(llim_limiter *before, llim_limiter *after, int32_t modality, bool own, cli_differences *out)
{
    const uint32_t n_before = count(before), n_after = count(after);
    side a, b;
    for (uint32_t i = 0, k = 0; i < n_before || k < n_after;) { /* both are sorted by name */
        if (i < n_before) read_side(before, i, &a);
        if (k < n_after) read_side(after, k, &b);
        const int order = i == n_before ? 1 : k == n_after ? -1 : strcmp(a.info.name, b.info.name);
        if (order == 0)
            compare_models(&a, &b, modality, out);
        else if (order > 0)
            add_model(&b, modality, out);
        else if (!own || has_provider(after, n_after, a.info.provider))
            add(out, modality, a.info.name, "removed");
        i += order <= 0;
        k += order >= 0;
    }
}

void cli_differences_free(cli_differences *d)
{
    for (uint32_t i = 0; i < d->n; i++) free(d->items[i].model);
    free(d->items);
    *d = (cli_differences){0};
}
