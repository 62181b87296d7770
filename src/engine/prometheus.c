/*
 * prometheus.c - a zone as Prometheus scrapes it.
 *
 * Format: "Exposition formats", text-based, version 0.0.4, of the Prometheus documentation; names by its "Metric and label
 * naming". All samples of a metric come together, so the scopes are walked once for each metric, without memory of its own.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/zone.h"

#define PREFIX "llm_limiters_"

typedef struct page {
    char *out;
    size_t cap, size;
} page;

__attribute__((format(printf, 2, 3))) static void put(page *p, const char *format, ...)
{
    va_list args;
    const size_t room = p->size < p->cap ? p->cap - p->size : 0;
    va_start(args, format);
    const int n = vsnprintf(room ? p->out + p->size : NULL, room, format, args);
    va_end(args);
    p->size += (size_t)n;
}

/* A label's value, which is UTF-8 already. */
static void put_value(page *p, const char *text)
{
    for (int n; *text; text += n) {
        n = (int)strcspn(text, "\\\"");
        if (n == 0) put(p, "\\%c", *text);
        put(p, "%.*s", n, text);
        if (n == 0) n = 1;
    }
}

/* Seconds: whole nanoseconds, without the rounding of a double. */
static void put_seconds(page *p, int64_t ns)
{
    put(p, "%" PRId64, ns / LLIM_SECOND);
    if (ns % LLIM_SECOND) put(p, ".%09" PRId64, ns % LLIM_SECOND);
}

static void head(page *p, const char *name, const char *type, const char *help)
{
    put(p, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* The scopes that are told, between two positions: the first walk finds these. */
typedef struct scopes {
    llim_zone *zone;
    const char *prefix;
    uint32_t from, to;
} scopes;

typedef struct scope {
    llim_row row;
    char name[LLIM_SCOPE_SHOWN];
} scope;

static bool next(const scopes *all, uint32_t *position, scope *s)
{
    while (*position < all->to && llim_row_next(all->zone, position, &s->row, s->name) == LLIM_OK)
        if (*position <= all->to && strncmp(s->name, all->prefix, strlen(all->prefix)) == 0) return true;
    return false;
}

static void find(scopes *all)
{
    uint32_t position = 0, last = 0;
    scope s;
    all->to = UINT32_MAX;
    while (next(all, &position, &s)) {
        if (last == 0) all->from = position - 1;
        last = position;
    }
    all->to = last;
}

/* Names that are not shown whole may be those of several scopes: the number of their row tells them apart. */
static void put_scope(page *p, const scopes *all, const scope *s)
{
    const llim__row *row = &all->zone->row[s->row.index];
    const llim__key key = llim__hash(all->zone->header->secret, s->name, strlen(s->name));
    put(p, "scope=\"");
    put_value(p, s->name);
    put(p, "\"");
    if (at_load_rlx(&row->key[0]) != key.word[0] || at_load_rlx(&row->key[1]) != key.word[1])
        put(p, ",row=\"%" PRIu32 "\"", s->row.index);
}

/* Two limits of a scope may differ by their guard alone. */
static bool needs_guard(const llim_usage *usage, uint32_t n, uint32_t i)
{
    const llim_limit *a = &usage[i].limit;
    for (uint32_t k = 0; k < n; k++) {
        const llim_limit *b = &usage[k].limit;
        if (k != i && a->meter == b->meter && a->law == b->law && a->unit == b->unit && a->window_ns == b->window_ns &&
            strcmp(a->zone, b->zone) == 0)
            return true;
    }
    return false;
}

static void put_limit(page *p, const llim_usage *usage, uint32_t n, uint32_t i)
{
    const llim_limit *l = &usage[i].limit;
    char span[32];
    llim__span_text(l->law, l->unit, l->window_ns, span, sizeof span);
    put(p, ",meter=\"%s\",law=\"%s\",window=\"%s\"", llim_meter_name(l->meter), llim_law_name(l->law), span);
    if (l->law == LLIM_CALENDAR) {
        put(p, ",time_zone=\"");
        put_value(p, l->zone[0] ? l->zone : "UTC");
        put(p, "\"");
    }
    if (!needs_guard(usage, n, i)) return;
    put(p, ",guard=\"");
    put_seconds(p, l->guard_ns);
    put(p, "\"");
}

enum of_limit { LIMIT, USED, RESET, OF_LIMIT };

static void limits(page *p, const scopes *all, enum of_limit which)
{
    static const struct {
        const char *name, *help;
    } metrics[OF_LIMIT] = {
        {"limit", "What the limit allows, in the unit of its meter."},
        {"used", "What is used of the limit, reservations included."},
        {"reset_seconds", "Until nothing of the limit is used any more, if nothing else happens."},
    };
    scope s;
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n;
    head(p, metrics[which].name, "gauge", metrics[which].help);
    for (uint32_t position = all->from; next(all, &position, &s);) {
        if (llim_row_usage(all->zone, s.row, usage, LLIM_MAX_LIMITS, &n)) continue;
        for (uint32_t i = 0; i < n && i < LLIM_MAX_LIMITS; i++) {
            put(p, PREFIX "%s{", metrics[which].name);
            put_scope(p, all, &s);
            put_limit(p, usage, n, i);
            put(p, "} ");
            if (which == RESET)
                put_seconds(p, usage[i].reset_ns);
            else
                put(p, "%" PRId64, which == LIMIT ? usage[i].limit.amount : usage[i].used);
            put(p, "\n");
        }
    }
}

enum of_scope { ADMITTED, REFUSED, LIMITED, STRIKES, COOLDOWN, GENERATION, OF_SCOPE };

/* *ns: of a metric in seconds. False: the scope has no such value. */
static bool value_of(llim_zone *zone, llim_row row, enum of_scope which, uint64_t *value, int64_t *ns)
{
    llim_notes notes;
    uint32_t generation = 0;
    *ns = 0;
    if (which == COOLDOWN) return llim_cooling(zone, row, ns) == LLIM_OK;
    if (which == GENERATION) {
        int code = llim_row_generation(zone, row, &generation);
        *value = generation;
        return code == LLIM_OK;
    }
    if (llim_row_notes(zone, row, &notes)) return false;
    *value = which == ADMITTED  ? notes.admitted
             : which == REFUSED ? notes.refused
             : which == LIMITED ? notes.limited
                                : notes.strikes;
    return true;
}

static void values(page *p, const scopes *all, enum of_scope which)
{
    static const struct {
        const char *name, *type, *help;
    } metrics[OF_SCOPE] = {
        {"admitted_total", "counter", "Requests that were admitted to the model."},
        {"refused_total", "counter", "Refusals that named the model, once each time that somebody asked."},
        {"limited_total", "counter", "Answers of the model's provider that told of a spent limit or quota."},
        {"strikes", "gauge", "How often the model's provider has refused of late."},
        {"cooldown_seconds", "gauge", "Until the scope's cooldown ends; 0: there is none."},
        {"generation", "gauge", "Of the quotas that set the scope's limits last."},
    };
    scope s;
    uint64_t value = 0;
    int64_t ns;
    head(p, metrics[which].name, metrics[which].type, metrics[which].help);
    for (uint32_t position = all->from; next(all, &position, &s);) {
        if (!value_of(all->zone, s.row, which, &value, &ns)) continue;
        put(p, PREFIX "%s{", metrics[which].name);
        put_scope(p, all, &s);
        put(p, "} ");
        if (which == COOLDOWN)
            put_seconds(p, ns);
        else
            put(p, "%" PRIu64, value);
        put(p, "\n");
    }
}

static void zone_values(page *p, llim_zone *zone)
{
    llim_zone_stats s;
    llim_zone_get_stats(zone, &s);
    const struct {
        const char *name, *help;
        uint64_t value;
    } metrics[] = {
        {"zone_bytes", "Size of the zone.", s.bytes},
        {"zone_rows", "Rows that the zone has room for.", s.rows},
        {"zone_rows_used", "Rows in use, of idle scopes too.", s.rows_used},
        {"zone_sliding", "Sliding windows that the zone has room for.", s.sliding},
        {"zone_sliding_used", "Sliding windows in use.", s.sliding_used},
        {"zone_leases", "Leases that the zone has room for.", s.leases},
        {"zone_leases_used", "Leases that live.", s.leases_used},
        {"zone_kinds", "Kinds of limits that the zone has room for.", s.kinds},
        {"zone_kinds_used", "Kinds of limits that there are or were.", s.kinds_used},
        {"zone_time_zones", "Time zones that the zone has room for.", s.time_zones},
        {"zone_time_zones_used", "Time zones that there are or were.", s.time_zones_used},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        head(p, metrics[i].name, "gauge", metrics[i].help);
        put(p, PREFIX "%s %" PRIu64 "\n", metrics[i].name, metrics[i].value);
    }
    const struct {
        const char *name, *help;
        int32_t percent;
    } ratios[] = {
        {"zone_rows_held_ratio", "Estimated share of the rows that hold something.", s.rows_held_percent},
        {"zone_sliding_held_ratio", "Estimated share of the sliding windows that hold something.",
         s.sliding_held_percent},
        {"zone_full_ratio", "How full what is fullest of the zone is.", (int32_t)llim_zone_full(&s, NULL)},
    };
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        if (ratios[i].percent < 0) continue; /* nobody knows yet */
        head(p, ratios[i].name, "gauge", ratios[i].help);
        put(p, PREFIX "%s %d.%02d\n", ratios[i].name, ratios[i].percent / 100, ratios[i].percent % 100);
    }
}

int llim_prometheus(llim_zone *zone, const char *prefix, char *out, size_t cap, size_t *size)
{
    page p = {out, cap, 0};
    scopes all = {zone, prefix ? prefix : "model:", 0, 0};
    if (cap) out[0] = 0;
    find(&all);
    for (int i = 0; i < OF_LIMIT; i++) limits(&p, &all, (enum of_limit)i);
    for (int i = 0; i < OF_SCOPE; i++) values(&p, &all, (enum of_scope)i);
    zone_values(&p, zone);
    *size = p.size;
    return p.size < cap ? LLIM_OK : LLIM_ERANGE;
}
