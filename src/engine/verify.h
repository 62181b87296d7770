/*
 * verify.h - proves a zone sound: that its parts agree with one another, and that what they hold is what the laws allow.
 *
 * Nothing is changed, and deciders go on. Whether counts are right nobody can tell from a zone alone.
 */
#ifndef LLIM_ENGINE_VERIFY_H
#define LLIM_ENGINE_VERIFY_H

#include "engine/zone.h"

/* What was looked at. */
typedef struct llim__verified {
    uint32_t scopes, limits, more_rows, free_rows;
    uint32_t rings, free_rings;
    uint32_t shapes, zones, leases, notes;
    uint32_t faults;
    int32_t locked;      /* llim__file_verify(): whether no writer was at work meanwhile */
    int32_t writer_died; /* llim__file_verify(): in the middle of a change; see there */
} llim__verified;

typedef struct llim__faults {
    void (*tell)(void *ctx,
                 const char *fault); /* each, as a sentence that names its place; NULL: they are counted only */
    /* For a zone that is a copy: reads all leases anew, then the cell, if one is given. False: the row with that state is another
       by now, or it cannot be read. */
    bool (*again)(void *ctx, const at_u64 *state, llim__cell *cell);
    void *ctx;
} llim__faults;

/* Under the writers' lock, see writer.h, or of a copy that was made under it. Else a moment's change may look like a fault.
   LLIM_OK: sound. LLIM_ECORRUPT: it has faults. LLIM_ENOMEM, of a few bytes per row. */
int llim__zone_verify(llim_zone *zone, const llim__faults *faults, llim__verified *done);

/* The zone in a file, which this process does not have open otherwise: it would lose its locks. It is copied, which takes as much
   memory as is used of the file, and the copy is looked at. Writers wait for as long as copying takes (some 40 ms for 200 MB), if
   the file may be written to and the lock is free. Else what looks like a fault is looked for in other copies, and if it is in
   all of them nothing can be told: LLIM_EBUSY, and no fault is told of, but counted.
   What a writer leaves that died in the middle of a change is put right by the next one: so it is in the copy, and what is
   verified is what the next writer will find. faults->again is not used. As above; LLIM_EIO, LLIM_EVERSION, LLIM_ECORRUPT with a
   sentence in err instead of a fault: the file cannot be looked at. */
int llim__file_verify(const char *path, const llim__faults *faults, llim__verified *done, llim_error *err);

#endif
