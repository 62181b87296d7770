/* walk.c - the scopes of a zone one after the other, for whoever looks at it. */
#include <string.h>

#include "base/text.h"
#include "engine/zone.h"

/* A name is written before its row lives, and stays for as long as the row has that epoch. */
int llim_row_next(llim_zone *zone, uint32_t *position, llim_row *row, char name[LLIM_SCOPE_SHOWN])
{
    uint32_t top = at_load_acq(&zone->header->rows_top);
    if (top > zone->header->rows) top = zone->header->rows;
    while (*position < top) {
        const uint32_t index = ++*position;
        const uint64_t state = at_load_acq(&zone->row[index].state);
        if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) continue;
        if (name) {
            memcpy(name, zone->name[index], LLIM_SCOPE_SHOWN);
            if (LLIM__STATE_EPOCH(at_load_acq(&zone->row[index].state)) != LLIM__STATE_EPOCH(state)) continue;
            name[LLIM_SCOPE_SHOWN - 1] = 0;
            llim__make_text(name);
        }
        if (row) *row = (llim_row){index, LLIM__STATE_EPOCH(state)};
        return LLIM_OK;
    }
    return LLIM_ENOTFOUND;
}

int llim_row_generation(llim_zone *zone, llim_row handle, uint32_t *generation)
{
    uint64_t state;
    const llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    *generation = at_load_rlx(&row->generation);
    return LLIM_OK;
}
