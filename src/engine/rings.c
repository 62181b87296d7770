/* rings.c - see rings.h. ring_cum[i] is the next free ring, counted from 1, and the cum; the first of that list is rings_free. */
#include "engine/rings.h"

enum { CUM_BITS = 42 };

int64_t llim__rings_take(llim_zone *zone)
{
    llim__header *h = zone->header;
    uint32_t ring = at_load_rlx(&h->rings_free);
    if (ring) {
        ring--;
        at_store_rlx(&h->rings_free, (uint32_t)(at_load_rlx(&zone->ring_cum[ring]) >> CUM_BITS));
    } else {
        ring = at_load_rlx(&h->rings_top);
        if (ring >= h->rings) return -1;
        at_store_rlx(&h->rings_top, ring + 1);
        at_store_rlx(&zone->ring_cum[ring], 0);
    }
    at_add_rlx(&h->rings_used, 1);
    return ring;
}

uint64_t llim__rings_cum(const llim_zone *zone, uint64_t ring)
{
    return at_load_rlx(&zone->ring_cum[ring]) & (((uint64_t)1 << CUM_BITS) - 1);
}

void llim__rings_skip(llim_zone *zone, uint64_t ring)
{
    const uint64_t half = (uint64_t)1 << (CUM_BITS - 1);
    at_store_rlx(&zone->ring_cum[ring], llim__rings_cum(zone, ring) ^ half);
}

void llim__rings_return(llim_zone *zone, uint64_t ring)
{
    llim__rings_put(zone, ring, llim__rings_cum(zone, ring));
}

void llim__rings_put(llim_zone *zone, uint64_t ring, uint64_t cum)
{
    llim__header *h = zone->header;
    at_store_rlx(&zone->ring_cum[ring], (uint64_t)at_load_rlx(&h->rings_free) << CUM_BITS | cum);
    at_store_rlx(&h->rings_free, (uint32_t)ring + 1);
    at_add_rlx(&h->rings_used, (uint32_t)-1);
}
