/* returns.c - see returns.h. */
#include "engine/returns.h"

#include "engine/laws.h"

enum { AMOUNT_BITS = 42, TENANT_BITS = 8 };

#define AMOUNT_MASK (((uint64_t)1 << AMOUNT_BITS) - 1)
#define NUMBER_MASK (((uint64_t)1 << (64 - AMOUNT_BITS - TENANT_BITS)) - 1)
#define TENANT_MASK (UINT64_MAX << (64 - TENANT_BITS))

static int64_t block_of(int64_t slot)
{
    return slot / LLIM__BLOCK;
}

static at_u64 *slot_place(llim__ring *ring, int64_t slot)
{
    return &ring->returned[(uint64_t)slot % LLIM__RING];
}

static at_u64 *block_place(llim__ring *ring, int64_t block)
{
    return &ring->block_returned[(uint64_t)block % LLIM__BLOCKS];
}

static bool is_of(uint64_t word, int64_t number)
{
    return ((word >> AMOUNT_BITS ^ (uint64_t)number) & NUMBER_MASK) == 0;
}

/* The word before tells the tenant. */
static uint64_t pack(uint64_t before, int64_t number, uint64_t amount)
{
    return (before & TENANT_MASK) | ((uint64_t)number & NUMBER_MASK) << AMOUNT_BITS | amount;
}

/* What a place holds of the slot or block of that number. */
static int64_t amount_of(const at_u64 *place, int64_t number)
{
    uint64_t word = at_load_acq(place);
    return is_of(word, number) ? (int64_t)(word & AMOUNT_MASK) : 0;
}

int64_t llim__returns_of_slot(llim__ring *ring, int64_t slot)
{
    return amount_of(slot_place(ring, slot), slot);
}

int64_t llim__returns_of_block(llim__ring *ring, int64_t slot)
{
    return amount_of(block_place(ring, block_of(slot)), block_of(slot));
}

int64_t llim__returns_between(llim__ring *ring, int64_t first, int64_t last)
{
    int64_t sum = 0;
    if (at_load_acq(&ring->newest_returned) < first) return 0;
    while (first <= last) {
        bool cut = first % LLIM__BLOCK != 0;
        int64_t next = (block_of(first) + 1) * LLIM__BLOCK, whole = llim__returns_of_block(ring, first);
        if (!cut) sum += whole;
        for (int64_t k = first; cut && whole && k < next && k <= last; k++) sum += llim__returns_of_slot(ring, k);
        first = next;
    }
    return sum;
}

/* LLIM__NOTHING: the place is not the slot's or block's any more. Reach, read behind the word, tells the slot from one of long
   ago. */
static int add(const llim__step *step, at_u64 *place, int64_t number, int64_t slot, int64_t amount)
{
    uint64_t word = at_load_acq(place), next;
    do {
        if (llim__step_stale(step)) return LLIM__WAIT;
        if (!is_of(word, number) || llim__sliding_reach(step) - slot >= LLIM__RING) return LLIM__NOTHING;
        next = pack(word, number, (word & AMOUNT_MASK) + (uint64_t)amount);
    } while (!at_cas_acqrel(place, &word, next));
    return LLIM_OK;
}

int llim__returns_add(llim_zone *zone, llim__step *step, int64_t slot, int64_t amount)
{
    llim__ring *ring = llim__sliding_ring_of(zone, at_load_acq(&step->cell->aux));
    if (llim__step_stale(step)) return LLIM__WAIT; /* else the ring was the limit's own, and stays a ring */
    int64_t newest = at_load_acq(&ring->newest_returned);
    while (newest < slot && !at_cas_i64(&ring->newest_returned, &newest, slot)) {
    }
    int code = add(step, block_place(ring, block_of(slot)), block_of(slot), slot, amount);
    if (code) return code == LLIM__WAIT ? code : LLIM_OK;
    while (add(step, slot_place(ring, slot), slot, slot, amount) == LLIM__WAIT)
        if (llim__step_again(zone, step)) break; /* too much is used then, until it leaves */
    return LLIM_OK;
}

static bool turn_over(const llim__step *step, at_u64 *place, int64_t number)
{
    uint64_t word = at_load_acq(place), next;
    do {
        next = pack(word, number, 0);
        if (word == next) return true;
        if (at_load_acq(step->swap.word) != step->swap.expected) return false;
    } while (!at_cas_acqrel(place, &word, next));
    return true;
}

bool llim__returns_turn_over(llim__ring *ring, const llim__step *step)
{
    const int64_t from = step->from_slot, to = step->to_slot, old = to - LLIM__RING;
    for (int64_t k = (from > old ? from : old) + 1; k <= to; k++)
        if (!turn_over(step, slot_place(ring, k), k)) return false;
    for (int64_t b = block_of(from > old ? from : old) + 1; b <= block_of(to); b++)
        if (!turn_over(step, block_place(ring, b), b)) return false;
    return true;
}

static void change_tenant(at_u64 *place, int64_t number)
{
    uint64_t word = at_load_rlx(place) + ((uint64_t)1 << (64 - TENANT_BITS));
    at_store_rel(place, pack(word, number, 0));
}

void llim__returns_start(llim__ring *ring, int64_t slot)
{
    at_store_rel(&ring->newest_returned, 0);
    for (int64_t k = slot - LLIM__RING + 1; k <= slot; k++) change_tenant(slot_place(ring, k), k);
    for (int64_t b = block_of(slot) - LLIM__BLOCKS + 1; b <= block_of(slot); b++)
        change_tenant(block_place(ring, b), b);
}
