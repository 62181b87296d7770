/*
 * table.c - an index by open addressing over rows that do not move.
 *
 * index[i] is 0 or (tag << 32 | row). One writer changes it, under the lock; readers need no lock: an entry appears after
 * its row is complete, and a deletion shifts later entries back by writing the copy first, so that a key is missed for a
 * moment at the worst. Who misses a key goes to the lock anyway, to place it, and looks again there.
 */
#include "engine/table.h"

#include "engine/journal.h"
#include "engine/laws.h"

__extension__ typedef unsigned __int128 wide;

/* What was looked at: bits of its fraction, and the most that it tells, which is what finding none counts as. */
enum { LOOKED_BITS = 8, MOST_LOOKED = 1024 };

static uint32_t home_of(const llim_zone *zone, uint64_t hash)
{
    return (uint32_t)(((wide)hash * zone->header->index_size) >> 64);
}

static uint64_t tag_of(const llim__row *row)
{
    return at_load_rlx(&row->key[1]) & 0xffffffff00000000u;
}

uint32_t llim__table_find(llim_zone *zone, llim__key key)
{
    uint32_t size = zone->header->index_size;
    for (uint32_t i = home_of(zone, key.word[0]), n = 0; n < size; n++, i = i + 1 == size ? 0 : i + 1) {
        uint64_t entry = at_load_acq(&zone->index[i]);
        if (entry == 0) return 0;
        if ((entry ^ key.word[1]) >> 32) continue;
        const llim__row *row = &zone->row[(uint32_t)entry];
        if (at_load_rlx(&row->key[0]) != key.word[0] || at_load_rlx(&row->key[1]) != key.word[1]) continue;
        if (LLIM__STATE_FLAGS(at_load_acq(&row->state)) & LLIM__LIVE) return (uint32_t)entry; /* else it goes */
    }
    return 0;
}

bool llim__table_is_bounded(const llim_zone *zone)
{
    const llim__header *h = zone->header;
    for (uint32_t i = 0; i < h->index_size; i++)
        if ((uint32_t)at_load_rlx(&zone->index[i]) > h->rows) return false;
    return true;
}

void llim__table_publish(llim_zone *zone, uint32_t index, llim__key key)
{
    uint32_t size = zone->header->index_size, i = home_of(zone, key.word[0]);
    while (at_load_rlx(&zone->index[i])) i = i + 1 == size ? 0 : i + 1;
    at_store_rel(&zone->index[i], (key.word[1] & 0xffffffff00000000u) | index);
    at_add_rlx(&zone->header->scopes_used, 1);
}

/* Who misses a key meanwhile is to look again: llim_row_find() asks repairs. */
void llim__table_renew(llim_zone *zone)
{
    llim__header *h = zone->header;
    at_store_rel(&h->repairs, at_load_rlx(&h->repairs) | 1);
    at_store_rlx(&h->scopes_used, 0);
    for (uint32_t i = 0; i < h->index_size; i++) at_store_rel(&zone->index[i], 0);
    for (uint32_t r = 1, top = at_load_rlx(&h->rows_top); r <= top; r++) {
        const llim__row *row = &zone->row[r];
        if (!(LLIM__STATE_FLAGS(at_load_rlx(&row->state)) & LLIM__LIVE)) continue;
        llim__table_publish(zone, r, (llim__key){{at_load_rlx(&row->key[0]), at_load_rlx(&row->key[1])}});
    }
    at_store_rel(&h->repairs, at_load_rlx(&h->repairs) + 1);
}

static void unpublish(llim_zone *zone, uint32_t index)
{
    uint32_t size = zone->header->index_size;
    uint32_t hole = home_of(zone, at_load_rlx(&zone->row[index].key[0]));
    while ((uint32_t)at_load_rlx(&zone->index[hole]) != index) hole = hole + 1 == size ? 0 : hole + 1;
    for (uint32_t i = hole;;) {
        i = i + 1 == size ? 0 : i + 1;
        uint64_t entry = at_load_rlx(&zone->index[i]);
        if (entry == 0) break;
        uint32_t home = home_of(zone, at_load_rlx(&zone->row[(uint32_t)entry].key[0]));
        uint32_t from_home = (i + size - home) % size, from_hole = (i + size - hole) % size;
        if (from_home < from_hole) continue; /* it would stand before its home */
        at_store_rel(&zone->index[hole], tag_of(&zone->row[(uint32_t)entry]) | (uint32_t)entry);
        hole = i;
    }
    at_store_rel(&zone->index[hole], 0);
    at_add_rlx(&zone->header->scopes_used, (uint32_t)-1);
}

/* The epoch only ever grows, so that a handle of a former tenant never fits again. */
static void put_one(llim_zone *zone, uint32_t index)
{
    llim__header *h = zone->header;
    llim__row *row = &zone->row[index];
    at_store_rel(&row->state, LLIM__STATE(LLIM__STATE_EPOCH(at_load_rlx(&row->state)) + 1, 0, 0, 0));
    at_store_rlx(&row->next, at_load_rlx(&h->rows_free));
    at_store_rlx(&h->rows_free, index);
    at_add_rlx(&h->rows_used, (uint32_t)-1);
}

void llim__table_put(llim_zone *zone, uint32_t index)
{
    while (index) {
        uint32_t next = at_load_rlx(&zone->row[index].next);
        put_one(zone, index);
        index = next;
    }
}

/* Seals all limits of an unpinned scope that holds nothing, and frees its row. Nothing has changed if it returns false. */
static bool recycle(llim_zone *zone, llim__now now, uint32_t index)
{
    llim__row *row = &zone->row[index];
    uint64_t state = at_load_acq(&row->state), words[LLIM_MAX_LIMITS][2];
    if ((LLIM__STATE_FLAGS(state) & (LLIM__LIVE | LLIM__PINNED)) != LLIM__LIVE) return false;
    int64_t cool = at_load_acq(&row->cool_until);
    if (cool > now.steady) return false;
    llim__journal_begin(zone, index, cool);
    if (!at_cas_i64(&row->cool_until, &cool, LLIM__RECYCLED)) {
        llim__journal_end(zone);
        return false;
    }
    uint32_t n = LLIM__STATE_LIMITS(state), sealed = 0, rings = 0;
    uint64_t *ring[LLIM_MAX_LIMITS];
    for (; sealed < n; sealed++) {
        llim__step step = llim__step_at(zone, row, sealed);
        int64_t used;
        if (step.shape->law == LLIM_SLIDING) ring[rings++] = words[sealed];
        if (!llim__law_seal(zone, now, &step, sealed, true, words[sealed], &used)) break;
    }
    if (sealed < n) {
        while (sealed--) {
            llim__step step = llim__step_at(zone, row, sealed);
            llim__law_unseal(&step, words[sealed]);
        }
        at_store_rel(&row->cool_until, cool);
        llim__journal_end(zone);
        return false;
    }
    /* Nobody's first: a writer that dies on the way leaves a row that is free. */
    at_store_rel(&row->state, LLIM__STATE(LLIM__STATE_EPOCH(state) + 1, 0, 0, 0));
    llim__journal_end(zone);
    unpublish(zone, index);
    llim__table_put(zone, index);
    /* Last: a ring that a dead writer has left to nobody is found again, one with two owners would be wrong. */
    while (rings--) llim__sliding_put_ring(zone, ring[rings][1], ring[rings][0]);
    return true;
}

static bool has_ring(llim_zone *zone, uint32_t index)
{
    llim__row *row = &zone->row[index];
    const uint64_t state = at_load_acq(&row->state);
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return false;
    for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++)
        if (llim__cell_shape(zone, at_load_rlx(&llim__row_cell(zone, row, i)->config))->law == LLIM_SLIDING)
            return true;
    return false;
}

/* Recycles the first that can be, from the hand on: how many were looked at, 0 if none can be. */
static uint32_t recycle_any(llim_zone *zone, llim__now now, uint32_t keep, bool with_ring)
{
    llim__header *h = zone->header;
    uint32_t hand = at_load_rlx(&h->rows_hand), looked = 0;
    for (uint32_t n = 0; n < h->rows; n++) {
        hand = hand >= h->rows ? 1 : hand + 1;
        if (with_ring && !has_ring(zone, hand)) continue;
        looked++;
        if (hand == keep || !recycle(zone, now, hand)) continue;
        at_store_rlx(&h->rows_hand, hand);
        return looked;
    }
    return 0;
}

/* Where a share h of them hold something, the hand looks at 1 / (1 - h) of them for each that it recycles. Their exponentially
   weighted mean, whose standard deviation is a tenth of it, so that 90 % are told as 89 to 91. */
static void note_looked(at_u32 *mean_looked, uint32_t looked)
{
    const uint32_t n = (looked && looked < MOST_LOOKED ? looked : MOST_LOOKED) << LOOKED_BITS;
    const uint32_t mean = at_load_rlx(mean_looked);
    if (!mean || !looked)
        at_store_rlx(mean_looked, n);
    else
        at_store_rlx(mean_looked, (mean * 63 + n + 32) / 64);
}

uint32_t llim__table_held_percent(const at_u32 *looked)
{
    const uint32_t mean = at_load_rlx(looked), one = 1u << LOOKED_BITS;
    return mean < one ? 0 : 100 - (100 * one + mean / 2) / mean;
}

bool llim__table_recycle_ring(llim_zone *zone, llim__now now, uint32_t keep)
{
    const uint32_t looked = recycle_any(zone, now, keep, true);
    note_looked(&zone->header->rings_looked, looked);
    return looked > 0;
}

uint32_t llim__table_take(llim_zone *zone, llim__now now, uint32_t keep)
{
    llim__header *h = zone->header;
    uint32_t index = at_load_rlx(&h->rows_free);
    if (index) {
        at_store_rlx(&h->rows_free, at_load_rlx(&zone->row[index].next));
    } else if (at_load_rlx(&h->rows_top) < h->rows) {
        index = at_load_rlx(&h->rows_top) + 1;
        at_store_rlx(&h->rows_top, index);
    } else {
        const uint32_t looked = recycle_any(zone, now, keep, false);
        note_looked(&h->rows_looked, looked);
        return looked ? llim__table_take(zone, now, keep) : 0;
    }
    at_store_rlx(&zone->row[index].next, 0);
    at_add_rlx(&h->rows_used, 1);
    return index;
}
