/*
 * owner.h - who holds a lease, and whether he lives.
 *
 * An owner is a process: its id and a hash of when it started, so that another process under the same id is told apart but for
 * one in 2^17, which keeps the lease until its time to live ends. An id means something only within a namespace of process ids;
 * the zone notes one, that of who was alone with it last. Owners elsewhere leave no id, and judge nobody: their leases have their
 * time to live.
 */
#ifndef LLIM_ENGINE_OWNER_H
#define LLIM_ENGINE_OWNER_H

#include "engine/zone.h"

enum { LLIM__OWNER_BITS = 40 };

/* The namespace of this process's ids, or 0: /proc is of another one, or there is none. */
uint64_t llim__owner_namespace(void);

/* This process, in LLIM__OWNER_BITS, or 0: nobody can tell, as on the heap. */
uint64_t llim__owner_self(const llim_zone *zone);

/* Owners that were looked at together, each once. Begins as zeros. */
typedef struct llim__owners {
    uint64_t owner[16];
    enum llim__life { LLIM__ACTS, LLIM__STOPPED, LLIM__DEAD } life[16];
    uint32_t n;
} llim__owners;

/* What an owner's process is about: it was stopped by a signal or a debugger, it has ended, or, for all that can be told,
   neither. */
enum llim__life llim__owner_life(const llim_zone *zone, llim__owners *known, uint64_t owner);

#endif
