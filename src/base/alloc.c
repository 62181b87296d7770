/* alloc.c - see alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

void *llim__libc_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    if (size > 0) return realloc(ptr, size);
    free(ptr);
    return NULL;
}

void *llim__take(llim_alloc_fn alloc, void *ctx, size_t n, size_t size)
{
    size_t bytes = n * size + 1; /* one more: none of them is no failure */
    void *memory = alloc(ctx, NULL, 0, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

void llim__give(llim_alloc_fn alloc, void *ctx, void *memory, size_t n, size_t size)
{
    if (memory) alloc(ctx, memory, n * size + 1, 0);
}
