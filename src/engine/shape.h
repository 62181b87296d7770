/* shape.h - the identities of limits, interned in the zone. */
#ifndef LLIM_ENGINE_SHAPE_H
#define LLIM_ENGINE_SHAPE_H

#include "engine/zone.h"

/* Checks a limit: LLIM_ERANGE, LLIM_EINVAL, with the offending field in the message. */
int llim__shape_check(const llim_limit *limit, llim_error *err);
/* Under the lock: the limit's shape, made at first use. *shape is its index. LLIM_ETIMEZONE, LLIM_EFULL, LLIM_ERANGE. */
int llim__shape_of(llim_zone *zone, const llim_limit *limit, uint32_t *shape, llim_error *err);
/* Whether the shape of that index can be: of a file nobody knows. Time zones have names. */
bool llim__shape_is_sound(const llim_zone *zone, uint32_t index, uint32_t zones);
/* Whether two shapes are the same limit: all but what is charged. */
bool llim__shape_same(const llim__shape *a, const llim__shape *b);
/* The limit as it was given. */
llim_limit llim__shape_limit(const llim_zone *zone, const llim__shape *shape, int64_t amount);

#endif
