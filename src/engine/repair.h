/*
 * repair.h - makes anew what the rows tell: the index, the free rows and rings, and how many of each are in use.
 *
 * The rows are the truth. A row whose writer died while it changed gets back to deciding: what is sealed becomes full, as
 * limits that were born anew, since nobody knows how much of what older permits charged they hold; debt beyond the limit is
 * forgotten then. What no row has is free.
 */
#ifndef LLIM_ENGINE_REPAIR_H
#define LLIM_ENGINE_REPAIR_H

#include "engine/zone.h"

/* Under the lock, with all time zones loaded, on bytes that a check has passed. Deciders go on. Who dies in it leaves the rest
   to the next. */
void llim__zone_repair(llim_zone *zone);

#endif
