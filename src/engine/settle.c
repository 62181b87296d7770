/*
 * settle.c - how a reservation ends: corrected to the facts, exactly once.
 *
 * A row that was recycled since has nothing to correct: it was empty then. A limit that was born since gets nothing back,
 * for it began with what the ones before it held. Debt is not lost when the limit that it was about to be charged to goes:
 * the limits that have come instead are charged with it.
 */
#include <string.h>

#include "engine/law.h"
#include "engine/laws.h"
#include "engine/notes.h"
#include "engine/writer.h"

enum how { SETTLE = LLIM__SETTLE, REJECT = LLIM__REJECT, CANCEL = LLIM__CANCEL, RECORD };

/* What is to be corrected in all rows of a permit, or recorded without one. */
typedef struct correction {
    enum how how;
    const llim_permit *permit; /* NULL: RECORD */
    const llim_charge *facts;
    llim__now then; /* when it was charged */
    bool frees;     /* something was given back */
} correction;

static int64_t before(const correction *c, int meter)
{
    return c->how == RECORD ? 0 : c->permit->charge.amount[meter];
}

/* What a meter's charge becomes. */
static int64_t after(const correction *c, int meter, const llim__shape *shape)
{
    int64_t reserved = before(c, meter);
    if (c->how == CANCEL) return 0;
    if (c->how != RECORD) {
        if (meter == LLIM_REQUESTS) return reserved;
        if (c->how == REJECT) return 0;
        if (!c->facts || meter == LLIM_SESSIONS || shape->charged == LLIM_CHARGED_RESERVED) return reserved;
    }
    int64_t fact = c->facts->amount[meter];
    return fact == LLIM_UNKNOWN ? reserved : fact;
}

/* LLIM_ENOTFOUND: the limit is gone. Else as llim__writer_wait(). */
static int correct_limit(llim_zone *zone, llim__now *now, correction *c, llim__step *step, int64_t from, int64_t to)
{
    for (;;) {
        int code;
        if (to > from) {
            code = llim__law_add_debt(zone, llim__zone_now_once(zone, now), c->then, step, to - from, c->how == RECORD);
        } else {
            code = llim__law_give_back(zone, c->then, step, from, to);
            c->frees = true;
        }
        if (code == LLIM__WAIT)
            code = llim__step_again(zone, step);
        else
            return code;
        if (code) return code;
    }
}

static int read_row(llim_zone *zone, llim_row handle, llim__limits *limits)
{
    if (handle.index == 0 || handle.index > zone->header->rows) return LLIM_ENOTFOUND;
    return llim__limits_read(zone, &zone->row[handle.index], handle.epoch, limits);
}

/* One row; identity tells the limits that were there when it was charged, and *done, by their cells, which are corrected already.
   LLIM_ENOTFOUND: it was recycled. Else as llim__writer_wait(). */
static int correct(llim_zone *zone, llim__now *now, correction *c, llim_row handle, uint32_t identity, uint16_t *done)
{
    llim__limits limits;
    /* Beyond the first round: debts of these meters, of limits that were born after seen. */
    uint32_t meters = UINT32_MAX, seen = 0, corrected = *done;
    for (bool first = true; meters; first = false) {
        uint32_t lost = 0;
        int code = read_row(zone, handle, &limits);
        if (code) return code;
        for (uint32_t i = 0; i < limits.n; i++) {
            llim__step *step = &limits.step[i];
            if (step->shape->law == LLIM__NO_LIMIT) continue;
            int meter = step->shape->meter;
            int64_t from = before(c, meter), to = after(c, meter, step->shape);
            if (to == from || (to < from && (!first || llim__born_after(limits.born[i], identity)))) continue;
            if (!first && (!llim__born_after(limits.born[i], seen) || !(meters >> meter & 1))) continue;
            if (first && corrected >> i & 1) continue;
            code = correct_limit(zone, now, c, step, from, to);
            if (code == LLIM_OK || (code == LLIM_ENOTFOUND && to < from)) {
                corrected |= 1u << i;
            } else if (code == LLIM_ENOTFOUND) {
                lost |= 1u << meter;
            } else {
                *done = (uint16_t)corrected;
                return code;
            }
        }
        meters = lost;
        seen = limits.identity;
    }
    if (limits.state & LLIM__NOTED && c->how == SETTLE && c->facts)
        llim__notes_learn(zone, handle, c->then, &c->permit->charge, c->facts);
    return LLIM_OK;
}

/* Facts are -1 .. LLIM_AMOUNT_MAX. Without a branch per meter. */
static bool in_range(const llim_charge *facts)
{
    bool out = false;
    for (int m = 0; m < LLIM_METERS; m++) out |= (uint64_t)facts->amount[m] + 1 > (uint64_t)LLIM_AMOUNT_MAX + 1;
    return !out;
}

static void tell(llim_zone *zone, const llim_permit *permit, enum llim__end end, const llim_charge *facts)
{
    const llim__mirror *mirror = permit->serial ? at_load_acq(&zone->mirror) : NULL;
    if (mirror) mirror->ended(mirror->ctx, permit->serial, end, facts);
}

/* On the heap a writer never stands. */
static __attribute__((noinline)) int await_writers(llim_zone *zone, const llim_permit *permit)
{
    llim__limits limits;
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        int code = read_row(zone, permit->row[r], &limits);
        if (code && code != LLIM_ENOTFOUND) return code;
    }
    return LLIM_OK;
}

/* All rows, whose writers are waited for before the first changes. What a writer that stands keeps from being corrected is left
   in the permit. */
static inline int correct_rows(llim_zone *zone, llim__now *now, correction *c, llim_permit *permit)
{
    int code = zone->memory->fd < 0 ? LLIM_OK : await_writers(zone, permit);
    if (code) return code;
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        code = correct(zone, now, c, permit->row[r], permit->identity[r], &permit->done[r]);
        if (code && code != LLIM_ENOTFOUND) return code;
        permit->row[r].index = 0;
    }
    return LLIM_OK;
}

static int end(llim_zone *zone, llim_permit *permit, enum llim__end how, const llim_charge *facts)
{
    if (permit->n_rows == 0 || permit->n_rows > LLIM_MAX_ROWS || permit->n_leases > LLIM_MAX_LEASES) return LLIM_EENDED;
    if (llim__zone_is_read_only(zone)) return LLIM_EINVAL;
    if (facts && !in_range(facts)) return LLIM_ERANGE;
    bool held = true;
    llim__now now = {0, 0};
    for (uint32_t i = 0; i < permit->n_leases; i++)
        held = llim__gauge_release(zone, llim__zone_now_once(zone, &now), permit->lease[i]) && held;
    correction c = {(enum how)how, permit, facts, {permit->at_ns + LLIM__EPOCH, permit->wall_ns}, permit->n_leases > 0};
    permit->n_leases = 0;
    int code = held ? correct_rows(zone, &now, &c, permit) : LLIM_OK;
    if (!code) {
        permit->n_rows = 0;
        tell(zone, permit, how, facts);
    }
    if (c.frees) llim__zone_freed(zone);
    return held ? code : LLIM_EENDED;
}

int llim_settle(llim_zone *zone, llim_permit *permit, const llim_charge *facts)
{
    return end(zone, permit, LLIM__SETTLE, facts);
}

int llim_reject(llim_zone *zone, llim_permit *permit)
{
    return end(zone, permit, LLIM__REJECT, NULL);
}

int llim_cancel(llim_zone *zone, llim_permit *permit)
{
    return end(zone, permit, LLIM__CANCEL, NULL);
}

int llim_renew(llim_zone *zone, llim_permit *permit)
{
    if (permit->n_rows == 0 || permit->n_leases > LLIM_MAX_LEASES) return LLIM_EENDED;
    if (llim__zone_is_read_only(zone)) return LLIM_EINVAL;
    bool held = true;
    for (uint32_t i = 0; i < permit->n_leases; i++) held = llim__gauge_renew(zone, permit->lease[i]) && held;
    tell(zone, permit, LLIM__RENEW, NULL);
    return held ? LLIM_OK : LLIM_EENDED;
}

int llim_record(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *facts)
{
    if (n_rows == 0 || n_rows > zone->most_rows) return LLIM_EINVAL;
    if (!in_range(facts)) return LLIM_ERANGE;
    uint64_t state;
    for (uint32_t r = 0; r < n_rows; r++)
        if (!llim__row_of(zone, rows[r], &state)) return LLIM_ENOTFOUND;
    llim__now now = llim__zone_now(zone);
    correction c = {RECORD, NULL, facts, now, false};
    for (uint32_t r = 0; r < n_rows; r++) {
        uint16_t done = 0;
        int code = correct(zone, &now, &c, rows[r], 0, &done);
        if (code) return code;
    }
    return LLIM_OK;
}

int llim_cool(llim_zone *zone, llim_row handle, int64_t for_ns)
{
    if (llim__zone_is_read_only(zone)) return LLIM_EINVAL;
    if (for_ns < 0 || for_ns > (int64_t)400 * 86400 * LLIM_SECOND) return LLIM_ERANGE;
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    int64_t until = llim__zone_now(zone).steady + for_ns;
    for (;;) {
        int64_t old = at_load_acq(&row->cool_until);
        if (!llim__row_of(zone, handle, &state)) return LLIM_ENOTFOUND;
        if (old != LLIM__RECYCLED) {
            if (old >= until || at_cas_i64(&row->cool_until, &old, until)) return LLIM_OK;
            continue;
        }
        int code = llim__writer_wait(zone);
        if (code) return code;
    }
}

int llim_cooling(llim_zone *zone, llim_row handle, int64_t *left_ns)
{
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    int64_t until = at_load_acq(&row->cool_until), now = llim__zone_now(zone).steady;
    *left_ns = until > now ? until - now : 0;
    return LLIM_OK;
}
