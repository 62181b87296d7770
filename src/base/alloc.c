/* alloc.c - see alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>

void *llim__libc_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    if (size > 0) return realloc(ptr, size);
    free(ptr);
    return NULL;
}
