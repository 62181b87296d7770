/* writer.c - see writer.h. */
#include "engine/writer.h"

#include "engine/laws.h"
#include "engine/rings.h"

static bool is_sealed(const llim__step *step)
{
    return at_load_acq(&step->cell->word) == LLIM__SEALED ||
           (step->shape->law == LLIM_CALENDAR && at_load_acq(&step->cell->aux) == LLIM__SEALED);
}

void llim__writer_recover(llim_zone *zone, llim__row *row)
{
    uint64_t state = at_load_acq(&row->state);
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return;
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

void llim__writer_wait(llim_zone *zone, llim__row *row)
{
    llim__zone_lock(zone);
    llim__writer_recover(zone, row);
    llim__zone_unlock(zone);
}
