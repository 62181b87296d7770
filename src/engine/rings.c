/*
 * rings.c - see rings.h. ring_cum[i] is whether it is free, the next free ring, counted from 1, and the cum; the first of that list
 * is rings_free.
 */
#include "engine/rings.h"

enum { CUM_BITS = 42, NEXT_BITS = 21 };

#define CUM_MASK  (((uint64_t)1 << CUM_BITS) - 1)
#define NEXT_MASK (((uint64_t)1 << NEXT_BITS) - 1)
#define FREE      ((uint64_t)1 << 63)
#define CLAIMED   (NEXT_MASK << CUM_BITS) /* no ring has this number */

static uint32_t next_of(uint64_t word)
{
    return (uint32_t)(word >> CUM_BITS & NEXT_MASK);
}

uint32_t llim__rings_next(const llim_zone *zone, uint32_t ring)
{
    const uint64_t word = at_load_acq(&zone->ring_cum[ring]);
    return word & FREE ? next_of(word) : UINT32_MAX;
}

int64_t llim__rings_take(llim_zone *zone)
{
    llim__header *h = zone->header;
    uint32_t ring = at_load_rlx(&h->rings_free);
    if (ring) {
        ring--;
        const uint64_t word = at_load_rlx(&zone->ring_cum[ring]);
        at_store_rlx(&h->rings_free, next_of(word));
        at_store_rlx(&zone->ring_cum[ring], word & CUM_MASK);
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
    return at_load_rlx(&zone->ring_cum[ring]) & CUM_MASK;
}

void llim__rings_skip(llim_zone *zone, uint64_t ring)
{
    const uint64_t half = (uint64_t)1 << (CUM_BITS - 1);
    at_store_rlx(&zone->ring_cum[ring], at_load_rlx(&zone->ring_cum[ring]) ^ half);
}

void llim__rings_return(llim_zone *zone, uint64_t ring)
{
    llim__rings_put(zone, ring, llim__rings_cum(zone, ring));
}

void llim__rings_put(llim_zone *zone, uint64_t ring, uint64_t cum)
{
    llim__header *h = zone->header;
    at_store_rlx(&zone->ring_cum[ring], FREE | (uint64_t)at_load_rlx(&h->rings_free) << CUM_BITS | cum);
    at_store_rlx(&h->rings_free, (uint32_t)ring + 1);
    at_add_rlx(&h->rings_used, (uint32_t)-1);
}

void llim__rings_unclaim(llim_zone *zone)
{
    for (uint32_t i = 0, n = at_load_rlx(&zone->header->rings_top); i < n; i++)
        at_store_rlx(&zone->ring_cum[i], at_load_rlx(&zone->ring_cum[i]) & ~CLAIMED);
}

bool llim__rings_claim(llim_zone *zone, uint64_t ring)
{
    if (ring >= at_load_rlx(&zone->header->rings_top)) return false;
    const uint64_t word = at_load_rlx(&zone->ring_cum[ring]);
    if ((word & CLAIMED) == CLAIMED) return false;
    at_store_rlx(&zone->ring_cum[ring], (word | CLAIMED) & ~FREE);
    return true;
}

void llim__rings_reclaim(llim_zone *zone)
{
    llim__header *h = zone->header;
    uint32_t used = 0;
    at_store_rlx(&h->rings_free, 0);
    for (uint32_t i = at_load_rlx(&h->rings_top); i-- > 0;) {
        const uint64_t word = at_load_rlx(&zone->ring_cum[i]), list = (uint64_t)at_load_rlx(&h->rings_free) << CUM_BITS;
        if ((word & CLAIMED) == CLAIMED) {
            used++;
            at_store_rlx(&zone->ring_cum[i], word & CUM_MASK);
            continue;
        }
        const uint64_t cum = word & FREE ? word & CUM_MASK : (word & CUM_MASK) ^ (uint64_t)1 << (CUM_BITS - 1);
        at_store_rlx(&zone->ring_cum[i], FREE | list | cum); /* in one store: who begins again skips it no more */
        at_store_rlx(&h->rings_free, i + 1);
    }
    at_store_rlx(&h->rings_used, used);
}
