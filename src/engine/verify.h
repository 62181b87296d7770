/*
 * verify.h - proves a zone sound: that its parts agree with one another, and that what they hold is what the laws allow.
 *
 * Nothing is changed, and deciders go on. Whether counts are right nobody can tell from a zone alone.
 */
#ifndef LLIM_ENGINE_VERIFY_H
#define LLIM_ENGINE_VERIFY_H

#include "llm_limiters_core.h"

/* What was looked at. */
typedef struct llim__verified {
    uint32_t scopes, limits, more_rows, free_rows;
    uint32_t rings, free_rings;
    uint32_t shapes, zones, leases, notes;
    uint32_t faults;
    int32_t locked;      /* llim__file_verify(): whether no writer was at work meanwhile */
    int32_t writer_died; /* llim__file_verify(): in the middle of a change; see there */
} llim__verified;

/* Told of each fault, as a sentence that names its place. */
typedef struct llim__faults {
    void (*tell)(void *ctx, const char *fault); /* NULL: they are counted only */
    void *ctx;
} llim__faults;

/* Under the writers' lock: see writer.h. Without it a moment's change may look like a fault. LLIM_OK: sound. LLIM_ECORRUPT: it
   has faults. LLIM_ENOMEM, of a few bytes per row. */
int llim__zone_verify(llim_zone *zone, const llim__faults *faults, llim__verified *done);

/* The zone in a file, which this process does not have open otherwise: it would lose its locks. The writers' lock is taken for as
   long as it lasts if the file may be written to and the lock is free; else what looks like a fault is looked for again.
   What a writer leaves that died in the middle of a change is put right by the next one: so it is here, in memory only, and what
   is verified is what the next writer will find. As above; LLIM_EIO, LLIM_EVERSION, LLIM_ECORRUPT with a sentence in err
   instead of a fault: the file cannot be looked at. */
int llim__file_verify(const char *path, const llim__faults *faults, llim__verified *done, llim_error *err);

#endif
