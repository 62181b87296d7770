/*
 * repair.h - makes anew what the rows tell: the index, the free rows and rings, and how many of each are in use.
 *
 * The rows are the truth, once what a dead writer was about is ended: see journal.h. What no row has is free. A word that is
 * sealed and that the journal does not know is of a file that was not written whole, when a machine lost its power: it becomes
 * full, as a limit that was born anew; debt beyond the limit is forgotten then.
 */
#ifndef LLIM_ENGINE_REPAIR_H
#define LLIM_ENGINE_REPAIR_H

#include "engine/zone.h"

/* Under the lock, with all time zones loaded, on bytes that a check has passed. Deciders go on. Who dies in it leaves the rest
   to the next. */
void llim__zone_repair(llim_zone *zone);

#endif
