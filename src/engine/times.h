/*
 * times.h - the time of a zone in a file, which outlives boots.
 *
 * Its steady time is CLOCK_MONOTONIC and a base that is the zone's. Whoever measures the wall clock, which is once per
 * millisecond, leaves the steady time and how far the wall is ahead of it in the header. Who opens the zone first after a boot
 * goes on from there: the steady time has advanced by what the wall clock has, and by nothing if that went back. So windows go
 * on over a boot, and one that was full is no emptier than the time that it took.
 *
 * One word tells the wall clock's lead, so that a process that is killed between the two, or a disk that has only one of them,
 * leaves no other time than the right one. A wall clock that is wrong at a boot is an exception that the promise names.
 */
#ifndef LLIM_ENGINE_TIMES_H
#define LLIM_ENGINE_TIMES_H

#include "engine/zone.h"

/* For the header of a new zone in a file. LLIM_EIO: the system does not tell its boot. */
int llim__times_begin(llim__header *h, llim_error *err);

/* Under the lock, by one who opens the zone at path: goes on from an earlier boot, if alone, and ends the leases of that time. Of a
   real clock; fills in nothing but the header. LLIM_EIO, LLIM_ECORRUPT. */
int llim__times_go_on(llim_zone *zone, const char *path, bool alone, llim_error *err);

/* What the steady time is ahead of CLOCK_MONOTONIC by, in this boot: for who only looks, also before anybody has gone on. The
   header need not have been checked. */
int64_t llim__times_base(const llim__header *h);

#endif
