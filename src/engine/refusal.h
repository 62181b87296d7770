/* refusal.h - which limit refuses a request, and until when. */
#ifndef LLIM_ENGINE_REFUSAL_H
#define LLIM_ENGINE_REFUSAL_H

#include "engine/zone.h"

/* LLIM_LATER or LLIM_NEVER, and *refusal (may be NULL) filled; LLIM_OK: the request fits by now; LLIM_ENOTFOUND. */
int llim__refuse(llim_zone *zone, llim__now now, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                 llim_refusal *refusal);

#endif
