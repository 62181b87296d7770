/*
 * names.h - a fixed table from any spelling of a model to its index, read without a lock.
 *
 * It is filled by one writer at a time; an entry appears when its value is stored.
 */
#ifndef LLIM_HOST_NAMES_H
#define LLIM_HOST_NAMES_H

#include <stddef.h>

#include "base/atomic.h"

typedef struct llim__name {
    uint64_t hash;
    const char *text;
    uint32_t size;
    at_u32 value; /* index + 1; 0: empty */
} llim__name;

typedef struct llim__names {
    llim__name *entries;
    uint32_t size; /* a power of two */
    uint32_t used;
    uint64_t secret[2];
} llim__names;

/* The value of a name, or UINT32_MAX. Of one with its size, which may hold zero bytes: no name in the table does. */
uint32_t llim__names_find(const llim__names *names, const char *name);
uint32_t llim__names_find_sized(const llim__names *names, const char *name, size_t size);
/* The table is filled to the half at most. */
bool llim__names_has_place(const llim__names *names);
/* Adds a name, which must live as long as the table, unless there is no place or it is there. */
void llim__names_add(llim__names *names, const char *name, uint32_t value);

#endif
