/* torn.c - see torn.h. */
#include "engine/torn.h"

#include <string.h>

#include "base/boot.h"
#include "engine/check.h"
#include "engine/laws.h"

bool llim__is_torn(const llim_zone *zone)
{
    const llim__header *h = zone->header;
    return h->clock == LLIM_CLOCK_REAL && at_load_acq(&h->boot) != llim__boot();
}

static void raise_to(at_u32 *top, uint32_t to)
{
    if (at_load_rlx(top) < to) at_store_rel(top, to);
}

static void mend_limit(llim_zone *zone, llim__cell *cell)
{
    const uint64_t config = at_load_rlx(&cell->config);
    if (LLIM__CONFIG_SHAPE(config) > at_load_rlx(&zone->header->shapes_used))
        at_store_rel(&cell->config, 0);
    else if (llim__cell_shape(zone, config)->law == LLIM_SLIDING)
        raise_to(&zone->header->rings_top, (uint32_t)llim__sliding_ring(at_load_rlx(&cell->aux)) + 1);
}

static void mend_row(llim_zone *zone, uint32_t index)
{
    llim__row *row = &zone->row[index];
    const uint64_t state = at_load_rlx(&row->state);
    if (state) raise_to(&zone->header->rows_top, index);
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return;
    if (!llim__name_is_sound(zone, index)) strcpy(zone->name[index], "?");
    const uint32_t n = llim__row_room(zone, row, LLIM__STATE_LIMITS(state));
    if (n < LLIM__STATE_LIMITS(state))
        at_store_rel(&row->state,
                     LLIM__STATE(LLIM__STATE_EPOCH(state), LLIM__STATE_VERSION(state), n, LLIM__STATE_FLAGS(state)));
    for (uint32_t next = at_load_rlx(&row->next); next; next = at_load_rlx(&zone->row[next].next))
        raise_to(&zone->header->rows_top, next);
    const uint32_t identity = at_load_rlx(&row->identity);
    for (uint32_t i = 0; i < n; i++) {
        at_u32 *born = llim__row_born(zone, row, i);
        if (llim__born_after(at_load_rlx(born), identity)) at_store_rel(born, identity);
        mend_limit(zone, llim__row_cell(zone, row, i));
    }
}

/* A window of another's holds more than there can be, or less than nothing. */
static void mend_counts(llim_zone *zone, llim__row *row)
{
    const uint64_t state = at_load_rlx(&row->state);
    for (uint32_t i = 0; LLIM__STATE_FLAGS(state) & LLIM__LIVE && i < LLIM__STATE_LIMITS(state); i++) {
        const llim__step step = llim__step_at(zone, row, i);
        if (step.shape->law != LLIM_SLIDING || at_load_rlx(&step.cell->word) == LLIM__SEALED) continue;
        const int64_t used = llim__law_used(zone, llim__zone_now(zone), &step, NULL);
        if (used < 0 || used > LLIM__MOST_HELD) at_store_rel(&step.cell->word, LLIM__SEALED);
    }
}

void llim__torn_mend(llim_zone *zone)
{
    const llim__bounds b = llim__bounds_of(zone, true);
    at_store_rel(&zone->header->zones_used, b.zones);
    at_store_rel(&zone->header->shapes_used, b.shapes);
    for (uint32_t r = 1; r <= zone->header->rows; r++) mend_row(zone, r);
    for (uint32_t r = 1; r <= zone->header->rows; r++) mend_counts(zone, &zone->row[r]);
}
