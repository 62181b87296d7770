/*
 * heap.h - the memory of a VM: small pieces cut from blocks that the host gives.
 *
 * A VM takes some twenty thousand pieces of a hundred bytes while it loads, by one thread, and gives them all back together.
 */
#ifndef LLIM_POLICY_HEAP_H
#define LLIM_POLICY_HEAP_H

#include "llm_limiters_core.h"

enum { LLIM__PIECE = 16, LLIM__PIECES = 16 }; /* sizes of small pieces: so many multiples of that */

typedef struct llim__heap {
    llim_alloc_fn alloc; /* of the host */
    void *alloc_ctx;
    struct llim__block *blocks;
    struct llim__piece *given_back[LLIM__PIECES]; /* by size */
    char *from, *to;                              /* of the newest block: what was never given */
    size_t taken;                                 /* from the host: pieces of one size never serve another */
} llim__heap;

/* As llim_alloc_fn: a new piece, another size, or its end (NULL). NULL: the host has no memory. */
void *llim__heap_move(llim__heap *heap, void *memory, size_t before, size_t after);

/* When all pieces have been given back. */
void llim__heap_end(llim__heap *heap);

#endif
