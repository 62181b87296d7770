/*
 * names.h - a fixed table from any spelling of a model to its index, read without a lock.
 *
 * Names are told apart by a 128-bit keyed hash, so that looking one up compares no strings. It is filled by one writer at a
 * time; an entry appears when its value is stored.
 */
#ifndef LLIM_HOST_NAMES_H
#define LLIM_HOST_NAMES_H

#include "base/atomic.h"
#include "base/hash.h"

typedef struct llim__name {
    at_u64 key[2];
    at_u32 value; /* index + 1; 0: empty */
} llim__name;

typedef struct llim__names {
    llim__name *entries;
    uint32_t size; /* a power of two */
    uint32_t used;
    uint64_t secret[2];
} llim__names;

/* The value of a name, or UINT32_MAX. */
uint32_t llim__names_find(const llim__names *names, const char *name);
/* Adds a name unless the table is half full or has it. */
void llim__names_add(llim__names *names, const char *name, uint32_t value);

#endif
