/* repair.c - see repair.h. */
#include "engine/repair.h"

#include "engine/check.h"
#include "engine/journal.h"
#include "engine/laws.h"
#include "engine/rings.h"
#include "engine/table.h"

static bool is_sealed(const llim__step *step)
{
    return at_load_acq(&step->cell->word) == LLIM__SEALED ||
           (step->shape->law == LLIM_CALENDAR && at_load_acq(&step->cell->aux) == LLIM__SEALED);
}

/* Makes a row decide again that a writer has marked, or that the file of a machine that lost its power has in pieces. */
static void recover(llim_zone *zone, llim__row *row)
{
    uint64_t state = at_load_acq(&row->state);
    uint32_t identity = at_load_rlx(&row->identity) + 1, n = LLIM__STATE_LIMITS(state), sealed = 0;
    for (uint32_t i = 0; i < n; i++) {
        llim__step step = llim__step_at(zone, row, i);
        sealed += is_sealed(&step);
    }
    /* Whoever is giving back to one of them learns of it before it begins anew. */
    if (sealed) at_store_rel(&row->state, state |= LLIM__CHANGING);
    llim__now now = llim__zone_now(zone);
    if (at_load_acq(&row->cool_until) == LLIM__RECYCLED) /* over, and nothing that another kind of row begins with */
        at_store_rel(&row->cool_until, now.steady - LLIM__STATE_EPOCH(state) % 1024);
    for (uint32_t i = 0; i < n; i++) {
        llim__step step = llim__step_at(zone, row, i);
        if (!is_sealed(&step)) continue;
        uint64_t words[2] = {0, 0};
        if (step.shape->law == LLIM_SLIDING) {
            words[1] = llim__sliding_ring(at_load_acq(&step.cell->aux));
            llim__rings_skip(zone, words[1]);
        }
        llim__law_start(zone, now, &step, step.limit, words);
        at_store_rel(llim__row_born(zone, row, i), identity);
        at_store_rel(&row->identity, identity);
        if (step.shape->law == LLIM_SLIDING) at_store_rel(&step.cell->aux, words[1]);
        llim__law_unseal(&step, words);
    }
    if (LLIM__STATE_FLAGS(state) & LLIM__CHANGING)
        at_store_rel(&row->state, LLIM__STATE(LLIM__STATE_EPOCH(state), LLIM__STATE_VERSION(state) + 1, n,
                                              LLIM__STATE_FLAGS(state) & ~(uint32_t)LLIM__CHANGING));
}

static uint32_t flags_of(const llim__row *row)
{
    return LLIM__STATE_FLAGS(at_load_acq(&row->state));
}

static void cut(llim_zone *zone, llim__row *row, llim__row *last)
{
    const uint64_t state = at_load_acq(&row->state);
    at_store_rel(&last->next, 0);
    at_store_rel(&row->state,
                 LLIM__STATE(LLIM__STATE_EPOCH(state), LLIM__STATE_VERSION(state),
                             llim__row_room(zone, row, LLIM__STATE_LIMITS(state)), LLIM__STATE_FLAGS(state)));
}

/* Marks what a row has. What another one has already, which no writer leaves behind but a file may hold, is not its own. */
static void claim(llim_zone *zone, llim__row *row)
{
    for (llim__row *last = row, *more; at_load_rlx(&last->next); last = more) {
        more = &zone->row[at_load_rlx(&last->next)];
        if (flags_of(more) & (LLIM__LIVE | LLIM__MORE)) {
            cut(zone, row, last);
            break;
        }
        at_store_rel(&more->state, at_load_rlx(&more->state) | LLIM__MORE);
    }
    for (uint32_t i = 0, n = LLIM__STATE_LIMITS(at_load_acq(&row->state)); i < n; i++) {
        llim__step step = llim__step_at(zone, row, i);
        if (step.shape->law != LLIM_SLIDING) continue;
        if (!llim__rings_claim(zone, llim__sliding_ring(at_load_acq(&step.cell->aux))))
            at_store_rel(&step.cell->config, 0);
    }
}

void llim__zone_repair(llim_zone *zone)
{
    llim__header *h = zone->header;
    const uint32_t top = at_load_rlx(&h->rows_top);
    uint32_t used = 0;
    at_store_rel(&h->writing, LLIM__REPAIRER);
    llim__journal_recover(zone);
    llim__rings_unclaim(zone);
    for (uint32_t r = 1; r <= top; r++) {
        const uint64_t state = at_load_acq(&zone->row[r].state);
        if (state & LLIM__MORE) at_store_rel(&zone->row[r].state, state & ~(uint64_t)LLIM__MORE);
    }
    for (uint32_t r = 1; r <= top; r++) {
        llim__row *row = &zone->row[r];
        if (!(flags_of(row) & LLIM__LIVE)) continue;
        claim(zone, row);
        recover(zone, row);
    }
    llim__rings_reclaim(zone);
    at_store_rlx(&h->rows_free, 0);
    for (uint32_t r = top; r > 0; r--) {
        llim__row *row = &zone->row[r];
        if (flags_of(row) & (LLIM__LIVE | LLIM__MORE)) {
            used++;
            continue;
        }
        at_store_rlx(&row->next, at_load_rlx(&h->rows_free));
        at_store_rlx(&h->rows_free, r);
    }
    at_store_rlx(&h->rows_used, used);
    llim__table_renew(zone);
}
