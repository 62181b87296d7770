/*
 * writer.h - the lock of those who write in a zone, and taking over from one that died with it.
 *
 * While somebody has the lock a word of the header says so. Who gets the lock and finds it set knows that the last writer is
 * dead, whatever it was about, and makes everything anew that is told by the rows: see repair.h. So nothing that the dead have
 * taken stays lost, and a writer may die between any two stores.
 */
#ifndef LLIM_ENGINE_WRITER_H
#define LLIM_ENGINE_WRITER_H

#include "engine/zone.h"

/* LLIM_OK, and nothing that a dead writer left is there any more; LLIM_EBUSY: another process has had the lock for too long;
   LLIM_EIO: the zone's descriptor was closed by somebody else; LLIM_ETIMEZONE, LLIM_ENOMEM: a calendar that another process
   has made cannot be loaded; LLIM_EINVAL: the zone is only read. */
int llim__zone_lock(llim_zone *zone);
/* The same for who opens a zone or puts quotas in force, and keeps no decision waiting: it tries for longer. */
int llim__zone_lock_patiently(llim_zone *zone);
void llim__zone_unlock(llim_zone *zone);
/* The sentence for what llim__zone_lock() has returned, which it returns. */
int llim__zone_lock_failed(int code, llim_error *err);

/* Under the lock of the memory, by one who is alone and has checked it: makes everything anew. LLIM_ETIMEZONE, LLIM_ENOMEM. */
int llim__zone_take_over(llim_zone *zone, llim_error *err);

/* LLIM_OK when no writer is at work any more, and every calendar is loaded; else as llim__zone_lock(). A zone that is only read
   does not wait: LLIM_EBUSY unless a calendar was not loaded before. */
int llim__writer_wait(llim_zone *zone);

#endif
