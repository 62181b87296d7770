/* verify.c - see verify.h. */
#include "engine/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/check.h"
#include "engine/laws.h"
#include "engine/notes.h"
#include "engine/rings.h"
#include "engine/table.h"

#define MOST_COOLED ((int64_t)400 * 86400 * LLIM_SECOND)

/* How often deciders that have their leases and have not counted them yet are looked for: at each, and of a copy, for which
   each look takes time, at all. */
enum { LOOKS = 100 };

/* What a row is: the scope whose chain it is of, its own for the first, or that it is free. */
#define NOBODY 0u
#define FREE   UINT32_MAX

typedef struct proof {
    llim_zone *zone;
    const llim__faults *faults;
    llim__verified *done;
    uint32_t *row;    /* by index */
    uint32_t *ring;   /* by number: the scope that has it, or FREE */
    uint32_t *listed; /* by row: index places that lead to it */
    int looks;        /* that are left at a copy */
} proof;

__attribute__((format(printf, 2, 3))) static void fault(proof *p, const char *format, ...)
{
    char text[256];
    va_list args;
    p->done->faults++;
    if (!p->faults->tell) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->faults->tell(p->faults->ctx, text);
}

static uint64_t state_of(const proof *p, uint32_t index)
{
    return at_load_acq(&p->zone->row[index].state);
}

static bool lives(const proof *p, uint32_t index)
{
    return LLIM__STATE_FLAGS(state_of(p, index)) & LLIM__LIVE;
}

static uint32_t next_of(const proof *p, uint32_t index)
{
    return at_load_acq(&p->zone->row[index].next);
}

/* Whose row is whose. */
static void verify_chains(proof *p, uint32_t top)
{
    for (uint32_t r = 1; r <= top; r++) {
        if (!lives(p, r)) continue;
        p->done->scopes++;
        p->row[r] = r;
        for (uint32_t more = next_of(p, r); more; more = next_of(p, more)) {
            if (more > top || lives(p, more) || p->row[more] != NOBODY) {
                fault(p, "row %u: its chain leads to row %u, which is not its own", r, more);
                break;
            }
            p->row[more] = r;
            p->done->more_rows++;
        }
    }
}

static void verify_free_rows(proof *p, uint32_t top)
{
    const llim__header *h = p->zone->header;
    for (uint32_t r = at_load_acq(&h->rows_free); r; r = next_of(p, r)) {
        if (r > top || p->row[r] != NOBODY) {
            fault(p, "list of free rows: it leads to row %u, which is %s", r,
                  r > top             ? "beyond those that were ever used"
                  : p->row[r] == FREE ? "in it already"
                                      : "in use");
            break;
        }
        p->row[r] = FREE;
        p->done->free_rows++;
    }
    for (uint32_t r = 1; r <= top; r++)
        if (p->row[r] == NOBODY) fault(p, "row %u: nobody's, and not in the list of free rows", r);
    const uint32_t used = p->done->scopes + p->done->more_rows;
    if (at_load_acq(&h->rows_used) != used)
        fault(p, "header: rows_used is %u, and %u rows are in use", at_load_acq(&h->rows_used), used);
    if (at_load_acq(&h->scopes_used) != p->done->scopes)
        fault(p, "header: scopes_used is %u, and there are %u scopes", at_load_acq(&h->scopes_used), p->done->scopes);
}

static llim__key key_of(const llim__row *row)
{
    return (llim__key){{at_load_rlx(&row->key[0]), at_load_rlx(&row->key[1])}};
}

static void verify_index(proof *p, uint32_t top)
{
    llim_zone *zone = p->zone;
    for (uint32_t i = 0; i < zone->header->index_size; i++) {
        const uint64_t entry = at_load_acq(&zone->index[i]);
        const uint32_t r = (uint32_t)entry;
        if (entry == 0) continue;
        if (r == 0 || r > top || !lives(p, r))
            fault(p, "index: place %u leads to row %u, which is no scope's", i, r);
        else if ((entry ^ key_of(&zone->row[r]).word[1]) >> 32)
            fault(p, "index: place %u leads to row %u by another key", i, r);
        else if (p->listed[r]++)
            fault(p, "index: place %u leads to row %u, as an earlier one does", i, r);
    }
    if (!llim__table_is_bounded(zone)) return; /* who looks for a scope in it would go astray */
    for (uint32_t r = 1; r <= top; r++) {
        if (!lives(p, r)) continue;
        const uint32_t found = llim__table_find(zone, key_of(&zone->row[r]));
        if (found != r) fault(p, "row %u: the index finds row %u for its scope", r, found);
    }
}

static void verify_ring(proof *p, uint32_t r, uint32_t i, uint64_t ring)
{
    if (ring >= at_load_acq(&p->zone->header->rings_top))
        fault(p, "row %u, limit %u: it counts in ring %llu, which is none", r, i, (unsigned long long)ring);
    else if (p->ring[ring] != NOBODY)
        fault(p, "row %u, limit %u: it counts in ring %llu, which row %u has", r, i, (unsigned long long)ring,
              p->ring[ring]);
    else {
        p->ring[ring] = r;
        p->done->rings++;
    }
}

/* Deciders go on, so that what they may be about is a fault only if it stays. False: nothing can be told of that row any more. */
static bool look_again(proof *p, const at_u64 *state, llim__cell *cell)
{
    if (p->faults->again) p->looks--;
    if (p->faults->again) return p->faults->again(p->faults->ctx, state, cell);
    at_relax();
    return true;
}

static bool gauge_covers(proof *p, const llim__row *row, const llim__step *step)
{
    bool covers = llim__gauge_covers(p->zone, llim__zone_now(p->zone), step);
    for (int i = 0; i < LOOKS && p->looks && !covers; i++)
        covers = !look_again(p, &row->state, step->cell) || llim__gauge_covers(p->zone, llim__zone_now(p->zone), step);
    return covers;
}

static void verify_limit(proof *p, llim__row *row, uint32_t r, uint32_t i)
{
    const llim__step step = llim__step_at(p->zone, row, i);
    const uint64_t words[2] = {at_load_acq(&step.cell->word), at_load_acq(&step.cell->aux)};
    const llim__now now = llim__zone_now(p->zone);
    const int32_t law = step.shape->law;
    if (law == LLIM__NO_LIMIT) return;
    p->done->limits++;
    if (LLIM__CONFIG_SHAPE(at_load_rlx(&step.cell->config)) > at_load_acq(&p->zone->header->shapes_used))
        fault(p, "row %u, limit %u: it is of a kind that is none", r, i);
    if (llim__born_after(at_load_acq(llim__row_born(p->zone, row, i)), step.identity))
        fault(p, "row %u, limit %u: it is younger than its row", r, i);
    if (words[0] == LLIM__SEALED || (law == LLIM_CALENDAR && words[1] == LLIM__SEALED)) {
        fault(p, "row %u, limit %u: it is sealed, and no writer is at work", r, i);
        return;
    }
    const int64_t used = llim__law_used(p->zone, now, &step, NULL);
    if (used < 0 || (used > LLIM__MOST_HELD && law != LLIM_BUCKET))
        fault(p, "row %u, limit %u: %lld %s are used, which cannot be", r, i, (long long)used,
              llim_meter_name(step.shape->meter));
    if (law == LLIM_BUCKET && words[0] > llim__fine(now.steady + LLIM_SECOND) + LLIM__LONGEST)
        fault(p, "row %u, limit %u: the bucket is full for longer than debt can be", r, i);
    if (law == LLIM_CALENDAR && !llim__period_is_sound(words))
        fault(p, "row %u, limit %u: both of its words are of one period", r, i);
    if (law == LLIM_SLIDING) verify_ring(p, r, i, llim__sliding_ring(words[1]));
    if (law == LLIM_GAUGE && !gauge_covers(p, row, &step))
        fault(p, "row %u, limit %u: its count is below what its leases hold", r, i);
}

static void verify_row(proof *p, uint32_t r)
{
    llim_zone *zone = p->zone;
    llim__row *row = &zone->row[r];
    const uint64_t state = state_of(p, r);
    const int64_t cool = at_load_acq(&row->cool_until);
    if (LLIM__STATE_FLAGS(state) & LLIM__CHANGING) {
        fault(p, "row %u: it is being changed, and no writer is at work", r);
        return;
    }
    if (cool == LLIM__RECYCLED)
        fault(p, "row %u: it is being recycled, and no writer is at work", r);
    else if (cool < 0 || cool > llim__zone_now(zone).steady + MOST_COOLED)
        fault(p, "row %u: it cools down for longer than 400 days", r);
    for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) verify_limit(p, row, r, i);
    if ((LLIM__STATE_FLAGS(state) & (LLIM__PINNED | LLIM__NOTED)) == (LLIM__PINNED | LLIM__NOTED) &&
        !llim__notes_has(zone, r, LLIM__STATE_EPOCH(state)))
        fault(p, "row %u: its note is missing", r);
}

static void verify_free_rings(proof *p)
{
    const llim__header *h = p->zone->header;
    const uint32_t top = at_load_acq(&h->rings_top);
    for (uint32_t i = at_load_acq(&h->rings_free); i; i = llim__rings_next(p->zone, i - 1)) {
        if (i > top || p->ring[i - 1] != NOBODY) {
            fault(p, "list of free rings: it leads to ring %u, which is %s", i - 1,
                  i > top                  ? "beyond those that were ever used"
                  : p->ring[i - 1] == FREE ? "in it already"
                                           : "in use");
            break;
        }
        p->ring[i - 1] = FREE;
        p->done->free_rings++;
    }
    for (uint32_t i = 0; i < top; i++)
        if (p->ring[i] == NOBODY) fault(p, "ring %u: nobody's, and not in the list of free rings", i);
    if (at_load_acq(&h->rings_used) != p->done->rings)
        fault(p, "header: rings_used is %u, and %u rings are in use", at_load_acq(&h->rings_used), p->done->rings);
}

/* Two notes of one row would be found by turns. */
static void verify_notes(proof *p)
{
    llim_zone *zone = p->zone;
    memset(p->listed, 0, ((size_t)zone->header->rows + 1) * sizeof *p->listed);
    for (uint32_t i = 0; i < zone->header->notes; i++) {
        const uint64_t owner = at_load_acq(&zone->note[i].owner);
        const uint32_t r = (uint32_t)owner;
        if (r == 0) continue;
        const uint64_t state = state_of(p, r);
        if (LLIM__STATE_EPOCH(state) != owner >> 32 || !(LLIM__STATE_FLAGS(state) & LLIM__NOTED)) continue;
        p->done->notes++;
        if (p->listed[r]++) fault(p, "note %u: row %u has another one already", i, r);
    }
}

static void verify_leases(proof *p)
{
    llim_zone *zone = p->zone;
    const int64_t t = llim__zone_now(zone).steady;
    for (uint32_t i = 0, top = at_load_acq(&zone->header->slots_top); i < zone->header->slots; i++) {
        if (!llim__slot_lives(at_load_acq(&zone->slot[i].word), t)) continue;
        p->done->leases++;
        for (int k = 0; k < LOOKS && p->looks && i >= top && look_again(p, NULL, NULL); k++)
            top = at_load_acq(&zone->header->slots_top);
        if (i >= top) fault(p, "lease %u: it lives beyond those that were ever used", i);
    }
}

static bool take_room(proof *p)
{
    llim_zone *zone = p->zone;
    const size_t rows = ((size_t)zone->header->rows + 1) * sizeof(uint32_t),
                 rings = zone->header->rings * sizeof(uint32_t);
    p->row = zone->alloc(zone->alloc_ctx, NULL, 0, 2 * rows + rings);
    if (!p->row) return false;
    memset(p->row, 0, 2 * rows + rings);
    p->listed = p->row + zone->header->rows + 1;
    p->ring = p->listed + zone->header->rows + 1;
    return true;
}

int llim__zone_verify(llim_zone *zone, const llim__faults *faults, llim__verified *done)
{
    llim_error err;
    proof p = {.zone = zone, .faults = faults, .done = done, .looks = LOOKS};
    const llim__header *h = zone->header;
    *done = (llim__verified){.shapes = at_load_acq(&h->shapes_used), .zones = at_load_acq(&h->zones_used)};
    if (llim__zone_check(zone, "this", false, &err)) { /* what follows would go astray in it */
        fault(&p, "%s", err.message);
        return LLIM_ECORRUPT;
    }
    if (!take_room(&p)) return LLIM_ENOMEM;
    const uint32_t top = at_load_acq(&h->rows_top);
    verify_chains(&p, top);
    verify_free_rows(&p, top);
    verify_index(&p, top);
    for (uint32_t r = 1; r <= top; r++)
        if (lives(&p, r)) verify_row(&p, r);
    verify_free_rings(&p);
    verify_notes(&p);
    verify_leases(&p);
    const size_t size = (2 * ((size_t)h->rows + 1) + h->rings) * sizeof(uint32_t);
    zone->alloc(zone->alloc_ctx, p.row, size, 0);
    return done->faults ? LLIM_ECORRUPT : LLIM_OK;
}
