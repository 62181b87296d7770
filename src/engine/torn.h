/*
 * torn.h - a file whose machine has lost its power: each page is as a sound process has left it, but at different instants.
 *
 * That can be only where another boot has written to it, so that in the same boot what does not belong together is damage. What
 * is in doubt is decided for the rows: one that the header does not count is counted, one whose name is not its key's has no
 * name ("?"), a limit whose kind is not there is none, and one that counts in a window of another's is full, like all that is
 * half written: see repair.h.
 */
#ifndef LLIM_ENGINE_TORN_H
#define LLIM_ENGINE_TORN_H

#include "engine/zone.h"

/* Whether the file may be torn. Before llim__times_go_on() makes it one of this boot. */
bool llim__is_torn(const llim_zone *zone);

/* Under the lock, alone, of a zone that llim__zone_check() has passed as torn, and that has its clock; llim__zone_repair() is to
   follow. */
void llim__torn_mend(llim_zone *zone);

#endif
