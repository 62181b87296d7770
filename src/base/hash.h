/*
 * hash.h - the 128-bit key of a scope's name: SipHash-2-4 with a secret of the zone (Aumasson and Bernstein, 2012).
 *
 * Rows are told apart by this key alone. 128 bits make an accidental collision of a million scopes less likely than 2^-88,
 * and the secret keeps tenants who choose their own names from making one.
 */
#ifndef LLIM_BASE_HASH_H
#define LLIM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct llim__key {
    uint64_t word[2];
} llim__key;

llim__key llim__hash(const uint64_t secret[2], const void *data, size_t len);

#endif
