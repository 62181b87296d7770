/*
 * writer.h - waiting for whoever changes a row, and taking over from one that died while it did.
 */
#ifndef LLIM_ENGINE_WRITER_H
#define LLIM_ENGINE_WRITER_H

#include "engine/zone.h"

/* Returns when no writer is at work on the row any more. */
void llim__writer_wait(llim_zone *zone, llim__row *row);
/* The same for one who holds the mutex, so that a writer that is still at work must have died: what it left sealed becomes
   full, as limits that were born anew, since nobody knows how much of what older permits charged they hold. */
void llim__writer_recover(llim_zone *zone, llim__row *row);

#endif
