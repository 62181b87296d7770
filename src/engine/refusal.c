/*
 * refusal.c - explains a refusal: the limit that keeps the request waiting longest, and the instant at which it fits.
 *
 * Each law tells the earliest instant from a given one on. A calendar may refuse again within the guard of a later boundary,
 * so the instant is carried round all limits until none moves it.
 */
#include "engine/refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/law.h"

static void name_limit(llim_zone *zone, llim__now now, const llim__step *step, llim_refusal *out)
{
    int64_t until;
    out->reason = LLIM_BY_LIMIT;
    out->meter = step->shape->meter;
    out->law = step->shape->law;
    out->unit = step->shape->unit;
    out->window_ns = step->shape->window_ns;
    out->guard_ns = step->shape->guard_ns;
    out->limit = step->limit;
    out->used = llim__law_used(zone, now, step, &until);
    out->amount = step->amount;
}

static void name_scope(const llim_zone *zone, llim_row row, llim_refusal *out)
{
    memcpy(out->scope, zone->name[row.index], sizeof out->scope);
}

/* One round over all rows: the latest of their earliest instants from *at on. */
static int round_from(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                      int64_t *at, llim_refusal *out)
{
    int64_t from = *at;
    for (uint32_t r = 0; r < n_rows; r++) {
        uint64_t state;
        llim__row *row = llim__row_of(zone, rows[r], &state);
        if (!row) return LLIM_ENOTFOUND;
        int64_t cool = at_load_acq(&row->cool_until);
        if (cool > *at) {
            *at = cool;
            *out = (llim_refusal){.code = LLIM_LATER, .reason = LLIM_BY_COOLDOWN};
            name_scope(zone, rows[r], out);
        }
        for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) {
            llim__step step = llim__step_at(zone, row, i);
            step.amount = charge->amount[step.shape->meter];
            llim__now then = {from, now.wall + (from - now.steady)};
            int64_t fits = llim__law_earliest(zone, then, &step);
            if (fits <= *at) continue;
            *at = fits;
            *out = (llim_refusal){.code = fits == INT64_MAX ? LLIM_NEVER : LLIM_LATER};
            name_limit(zone, now, &step, out);
            name_scope(zone, rows[r], out);
            if (fits == INT64_MAX) return LLIM_OK;
        }
    }
    return LLIM_OK;
}

int llim__refuse(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                 llim_refusal *refusal)
{
    llim_refusal out;
    memset(&out, 0, sizeof out);
    int64_t at = now.steady, before;
    do {
        before = at;
        int code = round_from(zone, now, rows, n_rows, charge, &at, &out);
        if (code) return code;
    } while (at != before && at != INT64_MAX);
    if (at == now.steady) return LLIM_OK;
    if (at != INT64_MAX) {
        out.wait_ns = at - now.steady;
        out.at_ns = at - LLIM__EPOCH;
        out.at_wall_ns = now.wall + out.wait_ns;
    }
    if (refusal) *refusal = out;
    return out.code;
}

static const char *per(const llim_refusal *r, char *buf, size_t cap)
{
    static const char *const units[] = {"", "per minute", "per hour", "per day", "per week", "per month"};
    if (r->law == LLIM_GAUGE) return "at the same time";
    if (r->law == LLIM_CALENDAR && r->unit >= LLIM_PER_MINUTE && r->unit <= LLIM_PER_MONTH) return units[r->unit];
    int64_t s = r->window_ns / LLIM_SECOND;
    if (s == 60) return units[LLIM_PER_MINUTE];
    if (s == 3600) return units[LLIM_PER_HOUR];
    if (s == 86400) return units[LLIM_PER_DAY];
    snprintf(buf, cap, "per %" PRId64 " s", s);
    return buf;
}

int llim_refusal_text(const llim_refusal *r, char *buf, size_t cap)
{
    char window[32], when[64] = "", guard[48] = "";
    if (r->code == LLIM_LATER) {
        int64_t ms = r->wait_ns / 1000000 + (r->wait_ns % 1000000 != 0);
        snprintf(when, sizeof when, "; it fits in %" PRId64 ".%03d s", ms / 1000, (int)(ms % 1000));
    }
    if (r->reason == LLIM_BY_COOLDOWN) return snprintf(buf, cap, "%s cools down%s", r->scope, when);
    if (r->reason == LLIM_BY_BLOCKED) return snprintf(buf, cap, "%s is blocked in this tier", r->scope);
    if (r->code == LLIM_LATER && r->used + r->amount <= r->limit) /* only the guard of a bucket refuses then */
        snprintf(guard, sizeof guard, " within the guard of %.3f s", (double)r->guard_ns / LLIM_SECOND);
    return snprintf(buf, cap, "%s: %" PRId64 " %s %s allowed, %" PRId64 " used, %" PRId64 " asked for%s%s", r->scope,
                    r->limit, llim_meter_name(r->meter), per(r, window, sizeof window), r->used, r->amount, guard,
                    r->code == LLIM_NEVER ? "; it never fits" : when);
}
