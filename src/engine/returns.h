/*
 * returns.h - what was given back of a sliding window's charges, after their slot had ended.
 *
 * A return is added to its block of 16 slots, then to its slot. Readers take whole blocks, and slots of a block that the window
 * cuts. Either counts only as long as the charge does: a reader that misses one, or a giver that dies between the two, leaves
 * too much as used until the charge leaves, never too little.
 *
 * A word is (tenant of the ring, number of the slot or block, amount). The place of a slot is turned over to it before the head
 * enters the slot, so that what stands there is never of 128 slots ago, and whoever is late with one of those fails. Turning
 * over proves by the head, read behind the place, that the slot had not been entered when the place was read. A giver reads the
 * row's state behind the place: a ring that has gone to another limit has another tenant, and its swap fails.
 */
#ifndef LLIM_ENGINE_RETURNS_H
#define LLIM_ENGINE_RETURNS_H

#include "engine/law.h"

/* Of the slots first to last; last is at most a ring later. */
int64_t llim__returns_between(llim__ring *ring, int64_t first, int64_t last);
int64_t llim__returns_of_slot(llim__ring *ring, int64_t slot);
/* Of the block that the slot is in. */
int64_t llim__returns_of_block(llim__ring *ring, int64_t slot);
/* LLIM_OK, be it that the charge has left; LLIM__WAIT: a writer has changed the row since the step was aimed. */
int llim__returns_add(llim_zone *zone, llim__step *step, int64_t slot, int64_t amount);
/* Before the step's head goes from from_slot to to_slot. False: the head has moved meanwhile. */
bool llim__returns_turn_over(llim__ring *ring, const llim__step *step);
/* For a new tenant, whose first slot this is. */
void llim__returns_start(llim__ring *ring, int64_t slot);

#endif
