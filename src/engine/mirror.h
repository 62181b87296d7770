/*
 * mirror.h - somebody who does to a zone of its own what is done to this one, beside it: a limiter's shadow.
 *
 * Permits that have a serial number are told as they end, and so is a virtual clock. Like the listener the mirror is this
 * process's own, and it is no part of the zone's bytes.
 */
#ifndef LLIM_ENGINE_MIRROR_H
#define LLIM_ENGINE_MIRROR_H

#include <stdbool.h>

#include "llm_limiters_core.h"

/* What can be done to a permit. */
enum llim__end { LLIM__SETTLE, LLIM__REJECT, LLIM__CANCEL, LLIM__RENEW };

typedef struct llim__mirror {
    /* By the thread that ended it, under no lock; facts as for llim_settle(). */
    void (*ended)(void *ctx, uint64_t serial, enum llim__end end, const llim_charge *facts);
    /* The clock was set, perhaps again meanwhile. */
    void (*moved)(void *ctx);
    void *ctx;
} llim__mirror;

/* From now on; mirror stays until the zone is closed. Whoever looks at the clock after this call misses no later step. */
void llim__zone_mirror(llim_zone *zone, const llim__mirror *mirror);

/* The scope's name. False: it is not kept as it is, being long or not fit to be shown, or the row has been recycled. */
bool llim__row_name(llim_zone *zone, llim_row row, char name[LLIM_SCOPE_SHOWN]);

#endif
