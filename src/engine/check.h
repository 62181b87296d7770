/*
 * check.h - whether the bytes of a file can be worked on: nothing in them that is an index, a divisor, a length or the like may
 * lead outside of what it is for. Counts may be wrong in a file from anywhere; this is not about them.
 */
#ifndef LLIM_ENGINE_CHECK_H
#define LLIM_ENGINE_CHECK_H

#include "engine/zone.h"

/* What may be in use of a zone's rows, rings, kinds of limits and time zones: as its header counts them or, if its pages may be of
   different instants, as much as there is. */
typedef struct llim__bounds {
    uint32_t rows, rings, shapes, zones;
    bool torn;
} llim__bounds;
llim__bounds llim__bounds_of(const llim_zone *zone, bool torn);

/* Under the lock, alone, of a header that is good. What llim__zone_repair() makes anew is not looked at. LLIM_ECORRUPT; LLIM_OK
   for all that a writer leaves that dies anywhere; and for pages of different instants, if it may be torn: see torn.h, which is
   to mend it then. path is for the sentence. */
int llim__zone_check(llim_zone *zone, const char *path, bool torn, llim_error *err);

/* Whether the name of a row that lives is its scope's. */
bool llim__name_is_sound(const llim_zone *zone, uint32_t row);
/* The limits that its chain has room for, up to most. */
uint32_t llim__row_room(const llim_zone *zone, const llim__row *row, uint32_t most);

/* Whether what the journal is about can be done. */
bool llim__journal_is_sound(llim_zone *zone);

#endif
