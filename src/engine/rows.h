/* rows.h - other ways to set rows, and how many there are left. */
#ifndef LLIM_ENGINE_ROWS_H
#define LLIM_ENGINE_ROWS_H

#include <stdbool.h>

#include "llm_limiters_core.h"

/* llim_row_set() of all of them, or of none: what may fail is found out before the first one changes. Scopes are distinct. rows has n
   places. Errors as of llim_row_set(); LLIM_EFULL too where the rows would fit one by one only because some give up sliding
   windows before others take them, in an order that is not this one. */
int llim__rows_set(llim_zone *zone, const llim_row_spec *specs, uint32_t n, llim_row *rows, llim_error *err);

/* Lets the row go to another scope once it holds nothing. It keeps its limits and counts; its generation becomes that. Already
   so: nothing changes. LLIM_ENOTFOUND; as llim__zone_lock_patiently(). */
int llim__row_unpin(llim_zone *zone, llim_row row, uint32_t generation);

/* llim_row_set() that tells no listener. *frees becomes whether one is to be told by llim__rows_freed(): not for who has set a row
   in order to ask it and is a listener itself, and later for who has a lock that the listener takes. */
int llim__row_set_quietly(llim_zone *zone, const llim_row_spec *spec, llim_row *row, bool *frees, llim_error *err);
void llim__rows_freed(llim_zone *zone);

/* llim_zone_get_stats() that counts no leases, which takes a look at each: none are in use then. */
void llim__zone_stats(const llim_zone *zone, llim_zone_stats *stats);

/* What may be used up, and how full each is, in percent; see llim_zone_full(). */
enum { LLIM__LEASES = 2, LLIM__PARTS = 5 };
typedef struct llim__part {
    const char *name;
    uint32_t full;
} llim__part;
void llim__zone_parts(const llim_zone_stats *stats, llim__part parts[LLIM__PARTS]);

#endif
