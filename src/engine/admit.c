/*
 * admit.c - one decision: several limits of several rows, charged all or not at all.
 *
 * First every limit is planned: a refusal is found before anything is written. Then the steps are committed one by one. One
 * whose word has changed meanwhile is planned again; if it does not fit any more, the committed ones are undone and the
 * request is refused as if it had come a moment later. Last, the rows' states are read again: if a writer has changed a
 * row's limits or recycled it since they were planned, all is undone and the decision starts over. What is undone on a row
 * whose writer stands stays charged until its window ends.
 */
#include "engine/admit.h"

#include <string.h>

#include "engine/laws.h"
#include "engine/refusal.h"
#include "engine/writer.h"

enum { MOST_STEPS = LLIM_MAX_ROWS * LLIM_MAX_LIMITS };

/* How long who has lost a swap stands back: a few decisions of the winner, which has the line in its cache. Without it two
   threads on one row take the line from each other at every swap, and both are slower by a third. */
enum { PAUSES = 64 };

/* A row as it was when its limits were planned. */
typedef struct planned {
    llim__row *row;
    uint64_t state;
    uint32_t identity;
} planned;

typedef struct decision {
    llim_zone *zone;
    const llim_row *rows;
    const llim_charge *charge;
    llim__now now;
    uint32_t n_rows;
    uint32_t n_leases; /* steps that take one */
    uint32_t n;        /* limits that have something to charge */
    planned row[LLIM_MAX_ROWS];
    llim__swap swap[MOST_STEPS];
    llim__step step[MOST_STEPS]; /* filled in where the swap is not all: its word is NULL then */
} decision;

/* Plans a limit that a glance does not settle. */
static __attribute__((noinline)) int study(decision *d, uint32_t r, uint32_t i, uint32_t k)
{
    llim__step *step = &d->step[k];
    const planned *p = &d->row[r];
    llim__step_aim(d->zone, p->row, p->state, p->identity, i, step);
    step->amount = d->charge->amount[step->shape->meter];
    int code = llim__law_study(d->zone, d->now, step);
    if (code == LLIM_OK && step->shape->law == LLIM_GAUGE) d->n_leases++;
    d->swap[k] = step->more ? (llim__swap){NULL, 0, 0} : step->swap;
    return code;
}

/* Plans all limits: LLIM_OK, LLIM_ENOTFOUND, LLIM__WAIT, LLIM_LATER or LLIM_NEVER at the first limit or cooldown that says
   so. */
static inline int plan(decision *d)
{
    llim_zone *zone = d->zone;
    const llim__now now = d->now;
    const int64_t *amount = d->charge->amount;
    const uint32_t n_rows = d->n_rows;
    uint32_t k = 0, r = 0;
    d->n_leases = 0;
    do {
        uint64_t state;
        llim__row *row = llim__row_of(zone, d->rows[r], &state);
        if (!row) return LLIM_ENOTFOUND;
        d->row[r] = (planned){row, state, at_load_acq(&row->identity)};
        if (state & LLIM__CHANGING) return LLIM__WAIT;
        if (at_load_acq(&row->cool_until) > now.steady) return LLIM_LATER;
        for (uint32_t i = 0, n = LLIM__STATE_LIMITS(state); i < n; i++) {
            llim__cell *cell = llim__row_cell(zone, row, i);
            uint64_t config = at_load_acq(&cell->config);
            int64_t asked = amount[llim__cell_shape(zone, config)->meter];
            int code = llim__law_glance(zone, now, cell, config, asked, &d->swap[k]);
            if (code == LLIM__UNSURE) code = study(d, r, i, k);
            if (code == LLIM__NOTHING) continue;
            if (code) return code;
            k++;
        }
    } while (++r < n_rows);
    d->n = k;
    return d->n_leases > LLIM_MAX_LEASES ? LLIM_EINVAL : LLIM_OK;
}

/* Whether no writer has touched the rows since they were planned. */
static inline bool unchanged(const decision *d)
{
    uint32_t r = 0;
    do
        if (at_load_acq(&d->row[r].row->state) != d->row[r].state) return false;
    while (++r < d->n_rows);
    return true;
}

/* Fills in the step of a swap. False: a writer has taken its limit away since it was planned, or stands. */
static bool find(decision *d, uint32_t k)
{
    llim__step *step = &d->step[k];
    const llim__swap *swap = &d->swap[k];
    for (const planned *p = d->row; p < d->row + d->n_rows; p++) {
        for (uint32_t i = 0; i < LLIM__STATE_LIMITS(p->state); i++) {
            const llim__cell *cell = llim__row_cell(d->zone, p->row, i);
            if (swap->word != &cell->word && swap->word != &cell->aux) continue;
            llim__step_aim(d->zone, p->row, p->state, p->identity, i, step);
            step->amount = d->charge->amount[step->shape->meter];
            step->swap = *swap;
            step->more = false;
            return !llim__step_stale(step) || llim__step_again(d->zone, step) == LLIM_OK;
        }
    }
    return false;
}

/* Takes back the first n. A limit that is not there any more keeps its charge until its window ends. Another request may have
   been refused because of them. */
static __attribute__((noinline)) void undo(decision *d, uint32_t n)
{
    if (n == 0) return;
    for (llim__step *step; n-- > 0;) {
        step = &d->step[n];
        /* A calendar's word may be another tenant's by now, which is to be told. */
        if (!d->swap[n].word || find(d, n) || (step->shape->law == LLIM_CALENDAR && llim__step_is_anothers(step)))
            llim__law_undo(d->zone, d->now, step);
    }
    llim__zone_freed(d->zone);
}

/* What is more than a swap, or whose word has changed since it was planned: until it is true or does not fit any more. Its
   step tells then what was done. */
static __attribute__((noinline)) int insist(decision *d, uint32_t k)
{
    llim__step *step = &d->step[k];
    int code = LLIM__RETRY;
    if (!d->swap[k].word)
        code = llim__law_commit(d->zone, d->now, step);
    else if (!find(d, k))
        return LLIM__RETRY;
    d->swap[k].word = NULL;
    while (code == LLIM__RETRY) {
        for (int i = 0; i < PAUSES; i++) at_relax();
        code = llim__law_plan(d->zone, d->now, step);
        /* The limit of a step with an amount can only have gone by a writer's hand. */
        if (code == LLIM__NOTHING || (code == LLIM_OK && !unchanged(d))) code = LLIM__WAIT;
        if (code == LLIM_OK) code = llim__law_commit(d->zone, d->now, step);
    }
    return code;
}

static inline int commit(decision *d)
{
    for (uint32_t k = 0, n = d->n; k < n; k++) {
        llim__swap *swap = &d->swap[k];
        if (swap->word && at_cas_acqrel(swap->word, &swap->expected, swap->desired)) continue;
        int code = insist(d, k);
        if (code == LLIM_OK) continue;
        undo(d, k);
        return code;
    }
    return LLIM_OK;
}

static inline void fill(const decision *d, llim_permit *permit)
{
    permit->n_rows = d->n_rows;
    permit->n_leases = d->n_leases;
    permit->candidate = 0;
    permit->generation = at_load_rlx(&d->row[0].row->generation);
    permit->at_ns = d->now.steady - LLIM__EPOCH;
    permit->wall_ns = d->now.wall;
    permit->serial = 0;
    permit->charge = *d->charge;
    memset(permit->done, 0, sizeof permit->done);
    uint32_t r = 0, n = 0;
    do {
        permit->row[r] = d->rows[r];
        permit->identity[r] = d->row[r].identity;
    } while (++r < d->n_rows);
    for (uint32_t k = 0; n < d->n_leases; k++)
        if (!d->swap[k].word && d->step[k].shape->law == LLIM_GAUGE) permit->lease[n++] = d->step[k].lease;
}

static bool in_range(const llim_charge *charge)
{
    uint64_t any = 0;
    _Static_assert(LLIM_METERS == 9, "a new meter is checked too");
    const int64_t *a = charge->amount;
    any = (uint64_t)(a[0] | a[1] | a[2] | a[3] | a[4] | a[5] | a[6] | a[7] | a[8]);
    return any <= LLIM_AMOUNT_MAX;
}

static bool distinct(const llim_row *rows, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (rows[i].index == rows[k].index && rows[i].epoch == rows[k].epoch) return false;
    return true;
}

/* A row of one of many scopes comes from memory while the clock is read. A bad index does no harm yet: what is no memory is
   not fetched. */
static inline void prefetch(const decision *d)
{
    uint32_t r = 0;
    do {
        uintptr_t row = (uintptr_t)d->zone->row + (uintptr_t)d->rows[r].index * sizeof(llim__row);
        __builtin_prefetch((const void *)row, 0);
        __builtin_prefetch((const void *)(row + offsetof(llim__row, cell[0].word)), 0);
    } while (++r < d->n_rows);
}

/* One try: a verdict, or LLIM__WAIT and LLIM__RETRY: the rows have changed meanwhile. permit NULL: only ask. The arguments
   are looked at while the processor still waits for the clock. */
static inline __attribute__((always_inline)) int attempt(decision *d, llim_permit *permit)
{
    prefetch(d);
    d->now = llim__zone_now(d->zone);
    if (!distinct(d->rows, d->n_rows)) return LLIM_EINVAL;
    if (!in_range(d->charge)) return LLIM_ERANGE;
    int code = plan(d);
    if (code) return code;
    if (!unchanged(d)) return LLIM__RETRY;
    if (!permit) return llim__gauge_has_leases(d->zone, d->now, d->n_leases) ? LLIM_OK : LLIM_EFULL;
    code = commit(d);
    if (code) return code;
    if (unchanged(d)) {
        fill(d, permit);
        return LLIM_OK;
    }
    undo(d, d->n);
    return LLIM__RETRY;
}

/* What comes of a try that was not admitted; LLIM__RETRY: another one. */
static __attribute__((noinline)) int verdict(const decision *d, int code, llim_refusal *refusal)
{
    if (code == LLIM__WAIT) code = llim__writer_wait(d->zone);
    if (code == LLIM_OK || code == LLIM__STALE) return LLIM__RETRY;
    if (code != LLIM_LATER && code != LLIM_NEVER) return code;
    /* The refusal is worked out from the rows as they are by then; they may have room again. */
    code = llim__refuse(d->zone, d->now, d->rows, d->n_rows, d->charge, refusal);
    if (code == LLIM__WAIT) code = llim__writer_wait(d->zone);
    return code == LLIM_OK ? LLIM__RETRY : code;
}

static __attribute__((noinline)) int decide(llim_zone *zone, const llim_row *rows, uint32_t n_rows,
                                            const llim_charge *charge, llim_permit *permit, llim_refusal *refusal)
{
    if (n_rows - 1 >= zone->most_rows) return LLIM_EINVAL; /* 0 too */
    decision d;
    d.zone = zone;
    d.rows = rows;
    d.n_rows = n_rows;
    d.charge = charge;
    int code;
    do {
        code = attempt(&d, permit);
        if (code != LLIM_OK) code = verdict(&d, code, refusal);
    } while (code == LLIM__RETRY);
    return code;
}

int llim__try(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge, llim_permit *permit)
{
    if (n_rows - 1 >= zone->most_rows) return LLIM_EINVAL; /* 0 too */
    decision d;
    d.zone = zone;
    d.rows = rows;
    d.n_rows = n_rows;
    d.charge = charge;
    for (;;) {
        int code = attempt(&d, permit);
        const bool waits = code == LLIM__WAIT;
        if (waits) code = llim__writer_wait(zone);
        if (!(waits && code == LLIM_OK) && code != LLIM__STALE && code != LLIM__RETRY) return code;
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
