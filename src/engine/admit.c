/*
 * admit.c - one decision: several limits of several rows, charged all or not at all.
 *
 * First every limit is planned: a refusal is found before anything is written. Then the steps are committed one by one. One
 * whose word has changed meanwhile is planned again; if it does not fit any more, the committed ones are undone and the
 * request is refused as if it had come a moment later. Last, the rows' states are read again: if a writer has changed a
 * row's limits or recycled it since they were planned, all is undone and the decision starts over.
 */
#include <string.h>

#include "engine/law.h"
#include "engine/refusal.h"

enum { MOST_STEPS = LLIM_MAX_ROWS * LLIM_MAX_LIMITS };

typedef struct decision {
    llim_zone *zone;
    const llim_row *rows;
    const llim_charge *charge;
    llim__now now;
    uint32_t n_rows, n_steps, n_leases;
    llim__row *row[LLIM_MAX_ROWS];
    uint64_t state[LLIM_MAX_ROWS];
    llim__step step[MOST_STEPS];
} decision;

/* Plans all steps. LLIM_OK, LLIM_ENOTFOUND, LLIM_LATER or LLIM_NEVER (at the first limit or cooldown that says so), or
   LLIM__WAIT with *sealed set. */
static int plan(decision *d, llim__row **sealed)
{
    d->n_steps = d->n_leases = 0;
    for (uint32_t r = 0; r < d->n_rows; r++) {
        llim__row *row = d->row[r] = llim__row_of(d->zone, d->rows[r], &d->state[r]);
        if (!row) return LLIM_ENOTFOUND;
        if (at_load_acq(&row->cool_until) > d->now.steady) return LLIM_LATER;
        uint32_t n = LLIM__STATE_LIMITS(d->state[r]);
        for (uint32_t i = 0; i < n; i++) {
            llim__step *step = &d->step[d->n_steps++];
            llim__step_aim(d->zone, row, i, step);
            step->amount = d->charge->amount[step->shape->meter];
            int code = llim__law_plan(d->zone, d->now, step);
            if (code == LLIM__WAIT) *sealed = row;
            if (code) return code;
            if (step->shape->law == LLIM_GAUGE && step->amount > 0) d->n_leases++;
        }
    }
    return LLIM_OK;
}

/* Whether no writer has touched the rows since they were planned. */
static bool unchanged(const decision *d)
{
    for (uint32_t r = 0; r < d->n_rows; r++)
        if (at_load_acq(&d->row[r]->state) != d->state[r]) return false;
    return true;
}

static void undo(decision *d, uint32_t n)
{
    while (n--)
        if (d->step[n].amount > 0) llim__law_undo(d->zone, d->now, &d->step[n]);
}

static int commit(decision *d, llim__row **sealed)
{
    for (uint32_t i = 0; i < d->n_steps; i++) {
        llim__step *step = &d->step[i];
        if (step->amount == 0) continue;
        int code;
        while ((code = llim__law_commit(d->zone, d->now, step)) == LLIM_LATER) {
            code = llim__law_plan(d->zone, d->now, step);
            if (code == LLIM__WAIT) *sealed = step->row;
            if (code) break;
            if (!unchanged(d)) {
                code = LLIM__WAIT;
                *sealed = step->row;
                break;
            }
        }
        if (code) {
            undo(d, i);
            return code;
        }
    }
    return LLIM_OK;
}

static void fill(const decision *d, llim_permit *permit)
{
    permit->n_rows = d->n_rows;
    permit->n_leases = 0;
    permit->candidate = 0;
    permit->generation = at_load_rlx(&d->row[0]->generation);
    permit->at_ns = d->now.steady - LLIM__EPOCH;
    permit->wall_ns = d->now.wall;
    permit->charge = *d->charge;
    for (uint32_t r = 0; r < d->n_rows; r++) permit->row[r] = d->rows[r];
    for (uint32_t i = 0; d->n_leases && i < d->n_steps; i++)
        if (d->step[i].shape->law == LLIM_GAUGE && d->step[i].amount > 0)
            permit->lease[permit->n_leases++] = d->step[i].lease;
}

static int decide(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge, llim_permit *permit,
                  llim_refusal *refusal)
{
    if (n_rows == 0 || n_rows > LLIM_MAX_ROWS) return LLIM_EINVAL;
    uint64_t high = 0;
    for (int m = 0; m < LLIM_METERS; m++) high |= (uint64_t)charge->amount[m];
    if (high > LLIM_AMOUNT_MAX) return LLIM_ERANGE;
    for (uint32_t i = 1; i < n_rows; i++)
        for (uint32_t k = 0; k < i; k++)
            if (rows[i].index == rows[k].index) return LLIM_EINVAL;

    decision d;
    d.zone = zone;
    d.rows = rows;
    d.n_rows = n_rows;
    d.charge = charge;
    for (;;) {
        llim__row *sealed = NULL;
        d.now = llim__zone_now(zone);
        int code = plan(&d, &sealed);
        if (code == LLIM_OK && d.n_leases > LLIM_MAX_LEASES) return LLIM_EINVAL;
        if (code == LLIM_OK) {
            if (!permit) return LLIM_OK;
            if (!unchanged(&d)) continue;
            code = commit(&d, &sealed);
            if (code == LLIM_OK && !unchanged(&d)) {
                undo(&d, d.n_steps);
                continue;
            }
        }
        if (code == LLIM_OK) {
            fill(&d, permit);
            return LLIM_OK;
        }
        if (code == LLIM__WAIT) {
            llim__zone_wait_for_writer(zone, sealed);
            continue;
        }
        if (code != LLIM_LATER && code != LLIM_NEVER) return code;
        /* The refusal is worked out from the rows as they are by then; they may have room again. */
        code = llim__refuse(zone, d.now, rows, n_rows, charge, refusal);
        if (code != LLIM_OK) return code;
    }
}

int llim_admit(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge, llim_permit *permit,
               llim_refusal *refusal)
{
    return permit ? decide(zone, rows, n_rows, charge, permit, refusal) : LLIM_EINVAL;
}

int llim_check(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge, llim_refusal *refusal)
{
    return decide(zone, rows, n_rows, charge, NULL, refusal);
}
