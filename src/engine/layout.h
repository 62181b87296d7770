/* layout.h - where everything is in a zone's bytes: told by four figures, and never taken from a file's word. */
#ifndef LLIM_ENGINE_LAYOUT_H
#define LLIM_ENGINE_LAYOUT_H

#include "engine/zone.h"

/* What a zone has room for. */
typedef struct llim__capacity {
    uint32_t rows, sliding, leases, notes;
} llim__capacity;

/* LLIM_ERANGE: more than a zone may have. */
int llim__capacity_check(const llim__capacity *c, llim_error *err);

/* The header of an empty zone, but for its secret, its times and what was asked for. */
llim__header llim__layout(const llim__capacity *c);

/* Its sum, once all before it is there. */
uint64_t llim__layout_sum(const llim__header *h);

/* Whether a file of that size which begins so is a zone that this library can map. LLIM_ECORRUPT, LLIM_EVERSION. */
int llim__layout_check(const llim__header *h, uint64_t size, const char *path, llim_error *err);

/* Points the zone at its parts. */
void llim__layout_find(llim_zone *zone, char *bytes);

#endif
