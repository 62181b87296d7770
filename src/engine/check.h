/*
 * check.h - whether the bytes of a file can be worked on: nothing in them that is an index, a divisor, a length or the like may
 * lead outside of what it is for. Counts may be wrong in a file from anywhere; this is not about them.
 */
#ifndef LLIM_ENGINE_CHECK_H
#define LLIM_ENGINE_CHECK_H

#include "engine/zone.h"

/* Under the lock, alone, of a header that is good. What llim__zone_repair() makes anew is not looked at. LLIM_ECORRUPT; LLIM_OK
   for all that a writer leaves that dies anywhere. path is for the sentence. */
int llim__zone_check(llim_zone *zone, const char *path, llim_error *err);

/* Whether what the journal is about can be done. */
bool llim__journal_is_sound(llim_zone *zone);

#endif
