/*
 * settle.c - how a reservation ends: corrected to the facts, exactly once.
 *
 * A row that was recycled since has nothing to correct: it was empty then. A row whose limits have changed their identity
 * since gives nothing back, for its new limits started with what the old ones held.
 */
#include <string.h>

#include "engine/law.h"
#include "engine/laws.h"

enum how { SETTLE, REJECT, CANCEL };

/* What a meter's charge becomes. */
static int64_t after(enum how how, int meter, const llim__shape *shape, int64_t before, const llim_charge *facts)
{
    if (how == CANCEL) return 0;
    if (meter == LLIM_REQUESTS) return before;
    if (how == REJECT) return 0;
    if (!facts || meter == LLIM_SESSIONS || shape->charged == LLIM_CHARGED_RESERVED) return before;
    int64_t fact = facts->amount[meter];
    return fact == LLIM_UNKNOWN ? before : fact;
}

/* Aims a step at every limit of the row, all of one state. Their number, 0 if the row was recycled. */
static uint32_t aim_all(llim_zone *zone, llim_row handle, llim__step step[LLIM_MAX_LIMITS])
{
    for (;;) {
        uint64_t state;
        llim__row *row = llim__row_of(zone, handle, &state);
        if (!row) return 0;
        uint32_t n = LLIM__STATE_LIMITS(state);
        for (uint32_t i = 0; i < n; i++) llim__step_aim(zone, row, state, i, &step[i]);
        if (at_load_acq(&row->state) == state) return n;
    }
}

static void correct(llim_zone *zone, llim__now *now, const llim_permit *permit, llim_row handle, enum how how,
                    const llim_charge *facts)
{
    llim__step steps[LLIM_MAX_LIMITS];
    llim__now then = {permit->at_ns + LLIM__EPOCH, permit->wall_ns};
    for (uint32_t i = 0, n = aim_all(zone, handle, steps); i < n; i++) {
        llim__step *step = &steps[i];
        int meter = step->shape->meter, code;
        int64_t before = permit->charge.amount[meter], becomes = after(how, meter, step->shape, before, facts);
        if (becomes == before) continue;
        do {
            code = LLIM_OK;
            if (becomes > before)
                code = llim__law_add_debt(zone, llim__zone_now_once(zone, now), then, step, becomes - before, false);
            else if (then.steady >= at_load_acq(&step->row->since))
                code = llim__law_give_back(zone, now, then, step, before, becomes);
        } while (code == LLIM__WAIT && llim__step_again(zone, step));
    }
}

/* Facts are -1 .. LLIM_AMOUNT_MAX. Without a branch per meter. */
static bool in_range(const llim_charge *facts)
{
    bool out = false;
    for (int m = 0; m < LLIM_METERS; m++) out |= (uint64_t)facts->amount[m] + 1 > (uint64_t)LLIM_AMOUNT_MAX + 1;
    return !out;
}

static int end(llim_zone *zone, llim_permit *permit, enum how how, const llim_charge *facts)
{
    if (permit->n_rows == 0 || permit->n_rows > LLIM_MAX_ROWS || permit->n_leases > LLIM_MAX_LEASES) return LLIM_EENDED;
    if (facts && !in_range(facts)) return LLIM_ERANGE;
    bool held = true;
    llim__now now = {0, 0};
    for (uint32_t i = 0; i < permit->n_leases; i++)
        held = llim__gauge_release(zone, llim__zone_now_once(zone, &now), permit->lease[i]) && held;
    for (uint32_t r = 0; held && r < permit->n_rows; r++) correct(zone, &now, permit, permit->row[r], how, facts);
    permit->n_rows = permit->n_leases = 0;
    return held ? LLIM_OK : LLIM_EENDED;
}

int llim_settle(llim_zone *zone, llim_permit *permit, const llim_charge *facts)
{
    return end(zone, permit, SETTLE, facts);
}

int llim_reject(llim_zone *zone, llim_permit *permit)
{
    return end(zone, permit, REJECT, NULL);
}

int llim_cancel(llim_zone *zone, llim_permit *permit)
{
    return end(zone, permit, CANCEL, NULL);
}

int llim_renew(llim_zone *zone, llim_permit *permit)
{
    if (permit->n_rows == 0 || permit->n_leases > LLIM_MAX_LEASES) return LLIM_EENDED;
    bool held = true;
    for (uint32_t i = 0; i < permit->n_leases; i++) held = llim__gauge_renew(zone, permit->lease[i]) && held;
    return held ? LLIM_OK : LLIM_EENDED;
}

int llim_record(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *facts)
{
    if (n_rows == 0 || n_rows > LLIM_MAX_ROWS) return LLIM_EINVAL;
    if (!in_range(facts)) return LLIM_ERANGE;
    uint64_t state;
    for (uint32_t r = 0; r < n_rows; r++)
        if (!llim__row_of(zone, rows[r], &state)) return LLIM_ENOTFOUND;
    llim__now now = llim__zone_now(zone);
    for (uint32_t r = 0; r < n_rows; r++) {
        llim__step steps[LLIM_MAX_LIMITS];
        for (uint32_t i = 0, n = aim_all(zone, rows[r], steps); i < n; i++) {
            int64_t amount = facts->amount[steps[i].shape->meter];
            while (amount > 0 && llim__law_add_debt(zone, now, now, &steps[i], amount, true) == LLIM__WAIT)
                if (!llim__step_again(zone, &steps[i])) break;
        }
    }
    return LLIM_OK;
}

int llim_cool(llim_zone *zone, llim_row handle, int64_t for_ns)
{
    if (for_ns < 0 || for_ns > (int64_t)400 * 86400 * LLIM_SECOND) return LLIM_ERANGE;
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    int64_t until = llim__zone_now(zone).steady + for_ns, old = at_load_acq(&row->cool_until);
    while (old < until && !atomic_compare_exchange_strong(&row->cool_until, &old, until)) {
    }
    return LLIM_OK;
}

int llim_cooling(llim_zone *zone, llim_row handle, int64_t *left_ns)
{
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    int64_t left = at_load_acq(&row->cool_until) - llim__zone_now(zone).steady;
    *left_ns = left > 0 ? left : 0;
    return LLIM_OK;
}
