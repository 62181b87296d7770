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

/* How many rows tell what share of all hold something, and after what part of them was recycled they are looked at again. */
enum { SAMPLE = 128, PART = 64, LEAST_PART = 4 };

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

/* How many of its limits are sliding; 0 if it is no scope's. */
static uint32_t rings_of(llim_zone *zone, llim__row *row)
{
    const uint64_t state = at_load_acq(&row->state);
    uint32_t rings = 0;
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return 0;
    for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++)
        rings += llim__cell_shape(zone, at_load_rlx(&llim__row_cell(zone, row, i)->config))->law == LLIM_SLIDING;
    return rings;
}

/* Whether a scope cannot be recycled now. */
static bool holds(llim_zone *zone, llim__now now, llim__row *row)
{
    const uint64_t state = at_load_acq(&row->state);
    if (LLIM__STATE_FLAGS(state) & LLIM__PINNED || at_load_acq(&row->cool_until) > now.steady) return true;
    for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) {
        const llim__step step = llim__step_at(zone, row, i);
        if (step.shape->law != LLIM__NO_LIMIT && llim__law_used(zone, now, &step, NULL) > 0) return true;
    }
    return false;
}

static uint32_t share(uint32_t held, uint32_t all)
{
    return all ? 1 + (100 * held + all / 2) / all : 0;
}

/* Rows at equal distances, for those that were taken of late lie together, behind the hand. */
static void sample(llim_zone *zone, llim__now now)
{
    llim__header *h = zone->header;
    const uint32_t n = h->rows < SAMPLE ? h->rows : SAMPLE, hand = at_load_rlx(&h->rows_hand);
    uint32_t rows = 0, rows_held = 0, rings = 0, rings_held = 0;
    for (uint32_t i = 0; i < n; i++) {
        llim__row *row = &zone->row[1 + (hand + (uint64_t)i * h->rows / n) % h->rows];
        if (!(LLIM__STATE_FLAGS(at_load_acq(&row->state)) & LLIM__LIVE)) continue;
        const bool held = holds(zone, now, row);
        const uint32_t own = rings_of(zone, row);
        rows++;
        rows_held += held;
        rings += own;
        rings_held += held ? own : 0;
    }
    at_store_rlx(&h->rows_held, share(rows_held, rows));
    at_store_rlx(&h->rings_held, share(rings_held, rings));
}

static void note_recycled(llim_zone *zone, llim__now now)
{
    const uint32_t before = at_add_rlx(&zone->header->recycled, 1), part = zone->header->rows / PART;
    if (before % (part > LEAST_PART ? part : LEAST_PART) == 0) sample(zone, now);
}

/* Recycles the first that can be, from the hand on; false: none can be. */
static bool recycle_any(llim_zone *zone, llim__now now, uint32_t keep, bool with_ring)
{
    llim__header *h = zone->header;
    uint32_t hand = at_load_rlx(&h->rows_hand);
    for (uint32_t n = 0; n < h->rows; n++) {
        hand = hand >= h->rows ? 1 : hand + 1;
        if (hand == keep || (with_ring && !rings_of(zone, &zone->row[hand])) || !recycle(zone, now, hand)) continue;
        at_store_rlx(&h->rows_hand, hand);
        note_recycled(zone, now);
        return true;
    }
    at_store_rlx(with_ring ? &h->rings_held : &h->rows_held, share(1, 1));
    return false;
}

bool llim__table_recycle_ring(llim_zone *zone, llim__now now, uint32_t keep)
{
    return recycle_any(zone, now, keep, true);
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
        return recycle_any(zone, now, keep, false) ? llim__table_take(zone, now, keep) : 0;
    }
    at_store_rlx(&zone->row[index].next, 0);
    at_add_rlx(&h->rows_used, 1);
    return index;
}
