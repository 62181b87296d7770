/*
 * rings.h - the pool of rings that sliding limits count in. All under the zone's lock.
 *
 * A ring goes from owner to owner with the count at which the last one stopped, so that no count comes twice: see sliding.c.
 */
#ifndef LLIM_ENGINE_RINGS_H
#define LLIM_ENGINE_RINGS_H

#include "engine/zone.h"

/* The one behind it in the list of free rings, counted from 1, 0: none. UINT32_MAX: it is not free. */
uint32_t llim__rings_next(const llim_zone *zone, uint32_t ring);
/* A free ring, or -1. */
int64_t llim__rings_take(llim_zone *zone);
/* Where the count of its last owner stopped; it stays so until the ring is put back. */
uint64_t llim__rings_cum(const llim_zone *zone, uint64_t ring);
/* For a ring whose owner's count is lost: goes on half way round, where no closing that somebody still holds can pass for one
   of the new count. */
void llim__rings_skip(llim_zone *zone, uint64_t ring);
/* To find out which rings are nobody's: forgets which are taken; claims one for its owner, false: it has one; puts all others
   back, as if their last owner's count were lost unless they were free already. */
void llim__rings_unclaim(llim_zone *zone);
bool llim__rings_claim(llim_zone *zone, uint64_t ring);
void llim__rings_reclaim(llim_zone *zone);
/* Puts a ring back that was taken and not used. */
void llim__rings_return(llim_zone *zone, uint64_t ring);
/* Puts a ring back, with where its count has stopped now: below 2^42. */
void llim__rings_put(llim_zone *zone, uint64_t ring, uint64_t cum);

#endif
