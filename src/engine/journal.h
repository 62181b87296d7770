/*
 * journal.h - what a writer is about to do to a row, so that who takes over from it ends just that, and no count is lost.
 *
 * First the row's words are sealed. Each goes into the journal before the swap that seals it, so that of a sealed word the
 * journal has what it was: until all that the writer wants is known, what it has begun is taken back. Then all that the row is to
 * be is written into the journal, and from there into the row; who dies meanwhile leaves it to the next to do so again. Last
 * the words are unsealed: each that is sealed still, because from its unsealing on a word is the deciders'.
 *
 * One writer works on one row at a time. All under the zone's lock.
 */
#ifndef LLIM_ENGINE_JOURNAL_H
#define LLIM_ENGINE_JOURNAL_H

#include "engine/zone.h"

/* Before anything of the row is sealed. cool: what its cooldown is. */
void llim__journal_begin(llim_zone *zone, uint32_t row, int64_t cool);
/* Before the i-th limit's word (which 0) or aux (1) is swapped for the seal, if it is this still. */
void llim__journal_note(llim_zone *zone, uint32_t i, int which, uint64_t word);
/* Nothing of the row is sealed any more, or it is nobody's. */
void llim__journal_end(llim_zone *zone);

/* What the row is to be. words as llim__law_start() makes them. */
typedef struct llim__draft {
    uint64_t state;
    uint32_t identity, n;
    struct llim__draft_cell {
        uint64_t config, words[2];
        uint32_t born;
        bool keeps_aux; /* which deciders may have changed after it was read */
    } cell[LLIM_MAX_LIMITS];
} llim__draft;

/* Makes the row that, from whatever it is, and ends the journal. Nobody decides on it meanwhile: it is sealed, or not LIVE. */
void llim__journal_write(llim_zone *zone, uint32_t row, const llim__draft *draft);

/* Ends what a dead writer was about. What is not sound in it, by a file that nobody can vouch for, is forgotten. */
void llim__journal_recover(llim_zone *zone);

#endif
