/*
 * table.h - which row a scope has: found by anyone without a lock, placed and recycled under the zone's lock.
 */
#ifndef LLIM_ENGINE_TABLE_H
#define LLIM_ENGINE_TABLE_H

#include "engine/zone.h"

/* The row's index, or 0. Without the lock a row that is being placed at this moment may be missed, never mistaken. */
uint32_t llim__table_find(llim_zone *zone, llim__key key);

/* Whether every place of the index leads into the zone, as in a file that is only read it may not. */
bool llim__table_is_bounded(const llim_zone *zone);

/* All below: under the lock. */

/* Takes a free row, recycling an idle scope other than keep if there is none; 0: all are in use. */
uint32_t llim__table_take(llim_zone *zone, llim__now now, uint32_t keep);
/* Makes the index anew from the rows that live. */
void llim__table_renew(llim_zone *zone);
/* Makes a filled row findable, and counts it. */
void llim__table_publish(llim_zone *zone, uint32_t index, llim__key key);
/* Frees rows that were taken but not published, or that continue one: the whole chain. */
void llim__table_put(llim_zone *zone, uint32_t index);
/* Recycles one idle scope other than keep that has a ring, for whoever needs that; false: there is none. */
bool llim__table_recycle_ring(llim_zone *zone, llim__now now, uint32_t keep);

#endif
