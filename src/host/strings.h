/*
 * strings.h - one copy of each string that a limiter has given out or was opened with: they live as long as the limiter, though
 * the sets that they come from do not. It only grows, by names that were not met before. One thread at a time.
 */
#ifndef LLIM_HOST_STRINGS_H
#define LLIM_HOST_STRINGS_H

#include "llm_limiters_core.h"

typedef struct llim__strings {
    char **entries; /* open addressing; NULL: empty */
    uint32_t size;  /* a power of two, or 0 */
    uint32_t used;
    llim_alloc_fn alloc;
    void *alloc_ctx;
} llim__strings;

/* The copy; equal strings have one address. NULL: no memory. */
const char *llim__strings_keep(llim__strings *strings, const char *text);

void llim__strings_free(llim__strings *strings);

#endif
