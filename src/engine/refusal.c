/*
 * refusal.c - explains a refusal: the limit that keeps the request waiting longest, and the instant at which it fits.
 *
 * Each law tells the earliest instant from a given one on. What fits then goes on fitting, but for a calendar, which may
 * refuse again within the guard of a later boundary: so the calendars come last, and the instant is carried round them until
 * none moves it.
 */
#include "engine/refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/laws.h"

/* The latest instant found so far, and who named it. */
typedef struct verdict {
    int64_t at;
    uint32_t row;                  /* index in the request's rows */
    uint64_t state[LLIM_MAX_ROWS]; /* of each row */
    bool calendars;                /* there are some */
    uint32_t leases;               /* that would be taken */
    llim__step *by;                /* NULL: a cooldown */
    llim__step *step;              /* the one that is being looked at */
    llim__step room[2];            /* for both */
} verdict;

/* Whether the i-th limit of a row is what keeps the request waiting longest so far. */
static void ask(llim_zone *zone, llim__now from, llim__row *row, uint64_t state, uint32_t i, int64_t amount, verdict *v)
{
    llim__step *step = v->step;
    llim__step_aim(zone, row, state, 0, i, step);
    step->amount = amount;
    int64_t fits = llim__law_earliest(zone, from, step);
    if (fits <= v->at) return;
    v->at = fits;
    v->by = step;
    v->step = step == v->room ? v->room + 1 : v->room;
}

/* One round over the limits of all rows, either the calendars, or all others and the cooldowns: the latest of their earliest
   instants from v->at on. */
static int round_from(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                      bool calendars, verdict *v)
{
    const llim__now from = {v->at, now.wall + (v->at - now.steady)};
    for (uint32_t r = 0; r < n_rows && v->at != INT64_MAX; r++) {
        uint64_t state;
        llim__row *row = llim__row_of(zone, rows[r], &state);
        if (!row) return LLIM_ENOTFOUND;
        if (calendars && state != v->state[r]) return LLIM__RETRY; /* since the first round */
        v->state[r] = state;
        if (LLIM__STATE_FLAGS(state) & LLIM__CHANGING) return LLIM__WAIT;
        int64_t cool = at_load_acq(&row->cool_until);
        if (cool > v->at && !calendars) {
            v->at = cool;
            v->row = r;
            v->by = NULL;
        }
        for (uint32_t i = 0, n = LLIM__STATE_LIMITS(state); i < n; i++) {
            llim__cell *cell = llim__row_cell(zone, row, i);
            uint64_t config = at_load_acq(&cell->config);
            const llim__shape *shape = llim__cell_shape(zone, config);
            v->calendars |= shape->law == LLIM_CALENDAR;
            if ((shape->law == LLIM_CALENDAR) != calendars) continue;
            llim__swap swap;
            int64_t amount = charge->amount[shape->meter], before = v->at;
            v->leases += shape->law == LLIM_GAUGE && amount > 0;
            int code = llim__law_glance(zone, from, cell, config, amount, &swap);
            if (code == LLIM_OK || code == LLIM__NOTHING) continue; /* it fits, as nearly all others do */
            if (at_load_acq(&cell->word) == LLIM__SEALED || (calendars && at_load_acq(&cell->aux) == LLIM__SEALED))
                return LLIM__WAIT;
            ask(zone, from, row, state, i, amount, v);
            if (v->at == before) continue;
            v->row = r;
        }
    }
    return LLIM_OK;
}

static void tell(llim_zone *zone, llim__now now, const llim_row *rows, const verdict *v, llim_refusal *out)
{
    const llim__step *by = v->by;
    const bool never = v->at == INT64_MAX;
    const int64_t wait = never ? 0 : v->at - now.steady;
    out->code = never ? LLIM_NEVER : LLIM_LATER;
    out->reason = by ? LLIM_BY_LIMIT : LLIM_BY_COOLDOWN;
    out->candidate = 0;
    out->meter = by ? by->shape->meter : 0;
    out->law = by ? by->shape->law : 0;
    out->unit = by ? by->shape->unit : 0;
    out->window_ns = by ? by->shape->window_ns : 0;
    out->guard_ns = by ? by->shape->guard_ns : 0;
    out->limit = by ? by->limit : 0;
    out->used = by ? llim__law_used(zone, now, by, NULL) : 0;
    out->amount = by ? by->amount : 0;
    /* A level is shown rounded, but what a bucket without a guard refuses does not fit. */
    if (by && !never && out->law == LLIM_BUCKET && out->guard_ns == 0 && out->used + out->amount <= out->limit)
        out->used = out->limit - out->amount + 1;
    out->wait_ns = wait;
    out->at_ns = never ? 0 : v->at - LLIM__EPOCH;
    out->at_wall_ns = never ? 0 : now.wall + wait;
    memcpy(out->scope, zone->name[rows[v->row].index], sizeof out->scope);
}

int llim__refuse(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                 llim_refusal *refusal)
{
    verdict v;
    v.at = now.steady;
    v.calendars = false;
    v.leases = 0;
    v.by = NULL;
    v.step = v.room;
    int code = round_from(zone, now, rows, n_rows, charge, false, &v);
    for (int64_t before = -1; code == LLIM_OK && v.calendars && v.at != before && v.at != INT64_MAX;) {
        before = v.at;
        code = round_from(zone, now, rows, n_rows, charge, true, &v);
    }
    if (code) return code;
    if (v.leases > LLIM_MAX_LEASES) return LLIM_EINVAL; /* whenever it would fit */
    if (v.at == now.steady) return LLIM_OK;
    if (refusal) tell(zone, now, rows, &v, refusal);
    /* A row that has changed meanwhile may refuse for longer or not at all. Of those behind a never nothing is told. */
    uint64_t state;
    for (uint32_t r = 0; r <= v.row || (r < n_rows && v.at != INT64_MAX); r++)
        if (!llim__row_of(zone, rows[r], &state) || state != v.state[r]) return LLIM_OK;
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
    if (r->reason == LLIM_BY_POLICY) return snprintf(buf, cap, "%s fits, but the policy leaves it out", r->scope);
    if (r->reason == LLIM_BY_QUEUE) return snprintf(buf, cap, "%s fits, but others are waiting for it", r->scope);
    if (r->reason == LLIM_BY_BLOCKED) return snprintf(buf, cap, "%s is blocked in this tier", r->scope);
    if (r->code == LLIM_LATER && r->used + r->amount <= r->limit && r->guard_ns > 0 && r->law != LLIM_SLIDING)
        snprintf(guard, sizeof guard, " within the guard of %.3f s", (double)r->guard_ns / LLIM_SECOND);
    return snprintf(buf, cap, "%s: %" PRId64 " %s %s allowed, %" PRId64 " used, %" PRId64 " asked for%s%s", r->scope,
                    r->limit, llim_meter_name(r->meter), per(r, window, sizeof window), r->used, r->amount, guard,
                    r->code == LLIM_NEVER ? "; it never fits" : when);
}
