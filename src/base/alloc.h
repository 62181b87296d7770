/* alloc.h - memory by a llim_alloc_fn, and the C library's allocator in its shape: what stands in when the caller gives none. */
#ifndef LLIM_BASE_ALLOC_H
#define LLIM_BASE_ALLOC_H

#include "llm_limiters_core.h"

void *llim__libc_alloc(void *ctx, void *ptr, size_t old_size, size_t size);

/* n zeroed items of that size, never NULL but for want of memory; and back again, NULL allowed. */
void *llim__take(llim_alloc_fn alloc, void *ctx, size_t n, size_t size);
void llim__give(llim_alloc_fn alloc, void *ctx, void *memory, size_t n, size_t size);

#endif
