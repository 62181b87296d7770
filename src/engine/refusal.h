/* refusal.h - which limit refuses a request, and until when. */
#ifndef LLIM_ENGINE_REFUSAL_H
#define LLIM_ENGINE_REFUSAL_H

#include "engine/zone.h"

/* LLIM_LATER or LLIM_NEVER, and *refusal (may be NULL) filled, from rows that were all as they are at one moment. LLIM_OK: the
   request fits by now, or a row has changed; LLIM__RETRY likewise. LLIM__WAIT: a writer is at work.
   LLIM_ENOTFOUND, LLIM_EINVAL. */
int llim__refuse(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                 llim_refusal *refusal);

#endif
