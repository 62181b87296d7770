/*
 * sync.h - writes a zone's file to its disk at an interval, in a thread of its own, so that no decision waits for a disk.
 *
 * The thread is of the process that opened the zone: a child of fork() has none.
 */
#ifndef LLIM_ENGINE_SYNC_H
#define LLIM_ENGINE_SYNC_H

#include "engine/zone.h"

/* Starts it. LLIM_ENOMEM: no memory, or no thread. */
int llim__sync_start(llim_zone *zone, int64_t every_ns, llim_error *err);

/* Writes a last time, and ends it; no thread was started: nothing happens. */
void llim__sync_end(llim_zone *zone);

#endif
