/*
 * sources.h - the texts that a limiter is made from: built-in tables and policies, or the user's files in their place.
 */
#ifndef LLIM_POLICY_SOURCES_H
#define LLIM_POLICY_SOURCES_H

#include <stdbool.h>

#include "llm_limiters_core.h"

typedef struct llim__source {
    char *path; /* owned */
    char *text; /* owned, ended by a zero byte */
    size_t size;
} llim__source;

typedef struct llim__sources {
    llim__source *quotas; /* sorted by path */
    uint32_t n_quotas;
    llim__source policy;
    llim__source overrides; /* path NULL: none */
} llim__sources;

/* Whether a set of quota tables, or a policy, of that name is carried by the library; else it is a path. */
bool llim__sources_has_set(const char *quotas);
bool llim__sources_has_policy(const char *policy);

/* Calls each for the path of every *.lua in a directory but hidden ones, sorted. Returns how many there are, or -1 with errno. */
int llim__sources_tables(const char *directory, void (*each)(void *ctx, const char *path), void *ctx);

/* Reads them all: quotas is the name of a built-in set, a directory of *.lua or one such file; policy a built-in name or a file; overrides
   a file or NULL. LLIM_EIO, LLIM_ECONFIG (no such set or policy), LLIM_ENOMEM; nothing is left to free then. */
int llim__sources_read(llim__sources *out, const char *quotas, const char *policy, const char *overrides,
                       llim_error *err);

/* Adds an override text in Lua to those that were read without. LLIM_ENOMEM. */
int llim__sources_override(llim__sources *out, const char *overrides, llim_error *err);

/* Those of a policy's test: an empty quota table, copies of the policy and of an override text in Lua. LLIM_ENOMEM likewise. */
int llim__sources_copy(llim__sources *out, const llim__source *policy, const char *overrides, size_t size,
                       llim_error *err);
void llim__sources_free(llim__sources *sources);

#endif
