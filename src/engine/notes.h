/*
 * notes.h - what a row keeps beside its limits: what its settlements have taught, how often its provider has refused of late,
 * and what is counted of it for whoever looks.
 *
 * Only rows that are made with notes have any. A note is found by the row's index, and belongs to the row and epoch that its
 * owner names: one whose owner has gone is free. Every word is changed by itself, so that a thread that stops between two of
 * them leaves nothing half-done. What was learned counts nothing: a lost or stray observation makes an estimate a little
 * worse, never a limit.
 */
#ifndef LLIM_ENGINE_NOTES_H
#define LLIM_ENGINE_NOTES_H

#include "engine/zone.h"

/* Under the lock: finds the row a note for this epoch, with nothing learned, unless it has one. A row that is not pinned may
   lose its own for that. False: all are of pinned rows. The note is the row's once its state says LLIM__NOTED. */
bool llim__notes_take(llim_zone *zone, uint32_t index, uint32_t epoch);
/* Whether what is in it can be: of a file nobody knows. */
bool llim__note_is_sound(const llim_zone *zone, const llim__note *note);
/* Whether the row has one. */
bool llim__notes_has(llim_zone *zone, uint32_t index, uint32_t epoch);
/* Under the lock: how many it would find, if each is pinned then. */
uint32_t llim__notes_left(llim_zone *zone);

/* Learns from a charge of then that is settled by these facts. */
void llim__notes_learn(llim_zone *zone, llim_row row, llim__now then, const llim_charge *charge,
                       const llim_charge *facts);

/* Whether a limit of the row on tokens counts what was declared, not what was used: then what is learned does not matter to it. */
bool llim__row_counts_declared(llim_zone *zone, llim_row row);

/* How often a row's provider has refused of late, 0 .. 11: one more, the number, none any more. A strike is forgotten with every
   minute since the last, or since the cooldown. A row without notes has none. */
void llim__strike(llim_zone *zone, llim_row row);
uint32_t llim__strikes(llim_zone *zone, llim_row row);
void llim__strikes_end(llim_zone *zone, llim_row row);

/* One more of them, in any thread. Nothing for a row without notes. */
void llim__count(llim_zone *zone, llim_row row, enum llim__count what);

#endif
