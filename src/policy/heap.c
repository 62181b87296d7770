/* heap.c - see heap.h. */
#include "policy/heap.h"

#include <stdbool.h>
#include <string.h>

enum { BLOCK = 32 << 10 };

typedef struct llim__block {
    struct llim__block *next;
    _Alignas(LLIM__PIECE) char pieces[];
} llim__block;

typedef struct llim__piece {
    struct llim__piece *next;
} llim__piece;

static bool is_small(size_t size)
{
    return size <= LLIM__PIECE * LLIM__PIECES;
}

static size_t kind_of(size_t size)
{
    return (size - 1) / LLIM__PIECE;
}

static void *ask_host(llim__heap *h, void *memory, size_t before, size_t after)
{
    void *moved = h->alloc(h->alloc_ctx, memory, before, after);
    if (moved || after == 0) h->taken += after - before;
    return moved;
}

/* What is left of the last block is lost; it is less than a piece. */
static bool more(llim__heap *h)
{
    llim__block *block = ask_host(h, NULL, 0, BLOCK);
    if (!block) return false;
    block->next = h->blocks;
    h->blocks = block;
    h->from = block->pieces;
    h->to = (char *)block + BLOCK;
    return true;
}

static void *take(llim__heap *h, size_t size)
{
    if (!is_small(size)) return ask_host(h, NULL, 0, size);
    const size_t kind = kind_of(size), whole = (kind + 1) * LLIM__PIECE;
    llim__piece *piece = h->given_back[kind];
    if (piece) {
        h->given_back[kind] = piece->next;
        return piece;
    }
    if ((size_t)(h->to - h->from) < whole && !more(h)) return NULL;
    void *memory = h->from;
    h->from += whole;
    return memory;
}

static void give(llim__heap *h, void *memory, size_t size)
{
    if (!is_small(size)) {
        ask_host(h, memory, size, 0);
        return;
    }
    llim__piece *piece = memory;
    piece->next = h->given_back[kind_of(size)];
    h->given_back[kind_of(size)] = piece;
}

void *llim__heap_move(llim__heap *h, void *memory, size_t before, size_t after)
{
    if (!memory) return after ? take(h, after) : NULL;
    if (after && !is_small(before) && !is_small(after)) return ask_host(h, memory, before, after);
    if (after && is_small(before) && is_small(after) && kind_of(before) == kind_of(after)) return memory;
    void *moved = after ? take(h, after) : NULL;
    if (after && !moved) return NULL;
    if (moved) memcpy(moved, memory, before < after ? before : after);
    give(h, memory, before);
    return moved;
}

/* The oldest first: a malloc whose topmost memory is free gives it to the system, block by block. */
void llim__heap_end(llim__heap *h)
{
    llim__block *oldest = NULL;
    while (h->blocks) {
        llim__block *block = h->blocks;
        h->blocks = block->next;
        block->next = oldest;
        oldest = block;
    }
    while (oldest) {
        llim__block *next = oldest->next;
        ask_host(h, oldest, BLOCK, 0);
        oldest = next;
    }
}
