/*
 * refusal.c - explains a refusal: the limit that keeps the request waiting longest, and the instant at which it fits.
 *
 * Each law tells the earliest instant from a given one on. What fits then goes on fitting, but for a calendar, which may
 * refuse again within the guard of a later boundary: with one, the instant is carried round all limits until none moves it.
 */
#include "engine/refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/law.h"

/* The latest instant found so far, and who named it. */
typedef struct verdict {
    int64_t at;
    uint32_t row; /* index in the request's rows */
    bool by_limit;
    bool calendar; /* some limit may refuse again later */
    llim__step step;
} verdict;

/* One round over all rows: the latest of their earliest instants from v->at on. */
static int round_from(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                      verdict *v)
{
    llim__now from = {v->at, now.wall + (v->at - now.steady)};
    for (uint32_t r = 0; r < n_rows; r++) {
        uint64_t state;
        llim__row *row = llim__row_of(zone, rows[r], &state);
        if (!row) return LLIM_ENOTFOUND;
        int64_t cool = at_load_acq(&row->cool_until);
        if (cool > v->at) {
            v->at = cool;
            v->row = r;
            v->by_limit = false;
        }
        for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) {
            llim__step step;
            llim__step_aim(zone, row, state, 0, i, &step); /* only looked at */
            step.amount = charge->amount[step.shape->meter];
            v->calendar = v->calendar || step.shape->law == LLIM_CALENDAR;
            int64_t fits = llim__law_earliest(zone, from, &step);
            if (fits <= v->at) continue;
            v->at = fits;
            v->row = r;
            v->by_limit = true;
            v->step = step;
            if (fits == INT64_MAX) return LLIM_OK;
        }
    }
    return LLIM_OK;
}

static void tell(llim_zone *zone, llim__now now, const llim_row *rows, const verdict *v, llim_refusal *out)
{
    memset(out, 0, sizeof *out);
    out->code = v->at == INT64_MAX ? LLIM_NEVER : LLIM_LATER;
    out->reason = v->by_limit ? LLIM_BY_LIMIT : LLIM_BY_COOLDOWN;
    memcpy(out->scope, zone->name[rows[v->row].index], sizeof out->scope);
    if (v->by_limit) {
        const llim__shape *shape = v->step.shape;
        int64_t until;
        out->meter = shape->meter;
        out->law = shape->law;
        out->unit = shape->unit;
        out->window_ns = shape->window_ns;
        out->guard_ns = shape->guard_ns;
        out->limit = v->step.limit;
        out->used = llim__law_used(zone, now, &v->step, &until);
        out->amount = v->step.amount;
    }
    if (v->at == INT64_MAX) return;
    out->wait_ns = v->at - now.steady;
    out->at_ns = v->at - LLIM__EPOCH;
    out->at_wall_ns = now.wall + out->wait_ns;
}

int llim__refuse(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                 llim_refusal *refusal)
{
    verdict v;
    v.at = now.steady;
    v.calendar = false;
    int64_t before;
    do {
        before = v.at;
        int code = round_from(zone, now, rows, n_rows, charge, &v);
        if (code) return code;
    } while (v.calendar && v.at != before && v.at != INT64_MAX);
    if (v.at == now.steady) return LLIM_OK;
    if (refusal) tell(zone, now, rows, &v, refusal);
    return v.at == INT64_MAX ? LLIM_NEVER : LLIM_LATER;
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
