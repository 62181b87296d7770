/* alloc.h - the C library's allocator in the shape of llim_alloc_fn: what stands in when the caller gives none. */
#ifndef LLIM_BASE_ALLOC_H
#define LLIM_BASE_ALLOC_H

#include "llm_limiters_core.h"

void *llim__libc_alloc(void *ctx, void *ptr, size_t old_size, size_t size);

#endif
