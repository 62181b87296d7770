/*
 * gauge.c - what is held at the same time, as leases that end by themselves.
 *
 * A lease is a slot of the zone's table: one word holds its expiry and a nonce, so that claiming, renewing and ending are one
 * compare-and-swap each, and a slot whose time has come is free without anybody doing anything.
 *
 * Whose it is and how much stands beside the word, each with the nonce, so that a taker which stood until its own lease had
 * expired writes nothing over those of the next: readers go by what belongs to the word's nonce.
 *
 * The cell's word is (version, count). The count is never below what the slots hold: a taker claims its slot, writes whose
 * it is, then raises the count; ending a lease leaves the count as it is. When the count says full, the taker counts the
 * slots and swaps in that sum. The version makes this swap fail if anyone has raised the count since the word was read, and
 * who had not raised it then either is in the sum already or adds to it later: the count errs high only.
 */
#include "engine/laws.h"
#include "engine/owner.h"

enum { COUNT_BITS = 42, NONCE_BITS = 24, METER_BITS = 4, EPOCH_BITS = 11, BESIDE_BITS = 40 };

_Static_assert(LLIM_METERS <= 1 << METER_BITS, "a meter fits beside a row's index, of 25 bits, and its epoch");

#define COUNT_MASK           (((uint64_t)1 << COUNT_BITS) - 1)
#define NONCE_MASK           (((uint64_t)1 << NONCE_BITS) - 1)
#define EPOCH_MASK           (((uint64_t)1 << EPOCH_BITS) - 1)
#define BESIDE(nonce, value) ((uint64_t)(nonce) << BESIDE_BITS | (value))
#define MS                   1000000

static uint64_t holder_of(const llim_zone *zone, const llim__step *step)
{
    uint64_t epoch = LLIM__STATE_EPOCH(step->state) & EPOCH_MASK;
    return ((uint64_t)(step->row - zone->row) << EPOCH_BITS | epoch) << METER_BITS | (uint64_t)step->shape->meter;
}

static int64_t expires_at(uint64_t word)
{
    return (int64_t)(word >> NONCE_BITS) * MS;
}

static uint64_t lease_word(int64_t expiry, uint32_t nonce)
{
    return (uint64_t)((expiry + MS - 1) / MS) << NONCE_BITS | nonce;
}

/* What a lease of this gauge that lives at t holds, or 0; *expiry is when it ends. */
static int64_t held_by(const llim__slot *slot, uint64_t holder, int64_t t, int64_t *expiry)
{
    uint64_t word = at_load_acq(&slot->word), nonce = word & NONCE_MASK;
    *expiry = expires_at(word);
    if (*expiry <= t || at_load_acq(&slot->holder) != BESIDE(nonce, holder)) return 0;
    uint64_t amount = at_load_acq(&slot->amount);
    return amount >> BESIDE_BITS == nonce ? (int64_t)(amount & (((uint64_t)1 << BESIDE_BITS) - 1)) : 0;
}

/* The leases of this gauge that live at t: their sum, and when the last of them ends. */
static int64_t held(llim_zone *zone, int64_t t, const llim__step *step, int64_t *last)
{
    const uint64_t holder = holder_of(zone, step);
    int64_t sum = 0, expiry;
    *last = t;
    for (uint32_t i = 0, top = at_load_acq(&zone->header->slots_top); i < top; i++) {
        int64_t amount = held_by(&zone->slot[i], holder, t, &expiry);
        sum += amount;
        if (amount && expiry > *last) *last = expiry;
    }
    return sum;
}

/* Ends the leases of processes that have ended: of this gauge, or of all with holder 0. False: there were none. Whether a process
   lives costs more than many decisions, so this process asks no more often than every 10 ms. */
static bool end_of_the_dead(llim_zone *zone, llim__now now, uint64_t holder)
{
    if (!at_load_rlx(&zone->header->pid_namespace)) return false;
    const int64_t t = llim__clock_read(CLOCK_MONOTONIC_COARSE), last = at_load_rlx(&zone->looked_at);
    if (last != 0 && t - last < 10 * MS) return false;
    at_store_rlx(&zone->looked_at, t);
    llim__owners owners = {.n = 0};
    bool some = false;
    for (uint32_t i = 0, top = at_load_acq(&zone->header->slots_top); i < top; i++) {
        llim__slot *slot = &zone->slot[i];
        uint64_t word = at_load_acq(&slot->word), nonce = word & NONCE_MASK;
        if (expires_at(word) <= now.steady || (holder && at_load_acq(&slot->holder) != BESIDE(nonce, holder))) continue;
        const uint64_t owner = at_load_acq(&slot->owner);
        if (owner >> BESIDE_BITS != nonce) continue;
        if (llim__owner_life(zone, &owners, owner & (((uint64_t)1 << BESIDE_BITS) - 1)) != LLIM__DEAD) continue;
        if (at_cas_acqrel(&slot->word, &word, 0)) some = true;
    }
    if (some) {
        at_store_rlx(&zone->header->slots_hint, 0);
        llim__zone_freed(zone);
    }
    return some;
}

int llim__gauge_plan(llim_zone *zone, llim__now now, llim__step *step)
{
    if (step->amount > step->limit) return LLIM_NEVER;
    if (step->amount == 0) return LLIM__NOTHING; /* however many are held since the limit was lowered */
    step->swap.word = &step->cell->word;
    step->more = true;
    step->swap.expected = at_load_acq(step->swap.word);
    if (step->swap.expected == LLIM__SEALED) return LLIM__WAIT;
    int64_t count = (int64_t)(step->swap.expected & COUNT_MASK), last;
    if (count + step->amount > step->limit) count = held(zone, now.steady, step, &last);
    if (count + step->amount > step->limit && end_of_the_dead(zone, now, holder_of(zone, step)))
        count = held(zone, now.steady, step, &last);
    step->swap.desired = ((step->swap.expected & ~COUNT_MASK) + COUNT_MASK + 1) | (uint64_t)(count + step->amount);
    if (step->swap.desired == LLIM__SEALED) step->swap.desired = (uint64_t)(count + step->amount);
    if (count + step->amount > step->limit) return LLIM_LATER;
    return LLIM_OK;
}

/* Writes what belongs to a lease beside its word; false: the lease is another's by now. */
static bool write_beside(llim__slot *slot, at_u64 *place, uint64_t mine, uint64_t value)
{
    for (;;) {
        uint64_t old = at_load_acq(place);
        if (at_load_acq(&slot->word) != mine) return false;
        if (at_cas_acqrel(place, &old, BESIDE(mine & NONCE_MASK, value))) return true;
    }
}

/* A slot is taken for a moment, then written to, then kept: a taker that dies in between leaves nothing that lasts. */
static bool claim(llim_zone *zone, llim__now now, llim__step *step)
{
    llim__header *h = zone->header;
    uint32_t nonce = (uint32_t)((at_add_rlx(&h->nonce, 1) + 1) & NONCE_MASK);
    if (nonce == 0) nonce = (uint32_t)((at_add_rlx(&h->nonce, 1) + 1) & NONCE_MASK);
    const int64_t ttl = step->shape->window_ns;
    const uint64_t moment = lease_word(now.steady + (ttl < LLIM_SECOND ? ttl : LLIM_SECOND), nonce),
                   kept = lease_word(now.steady + ttl, nonce), owner = llim__owner_self(zone);
    uint32_t hint = at_load_rlx(&h->slots_hint);
    for (uint32_t n = 0; n < h->slots; n++) {
        uint32_t i = (hint + n) % h->slots;
        llim__slot *slot = &zone->slot[i];
        uint64_t word = at_load_acq(&slot->word), taken = moment;
        if (expires_at(word) > now.steady) continue;
        uint32_t top = at_load_acq(&h->slots_top);
        while (top < i + 1 && !at_cas_u32(&h->slots_top, &top, i + 1)) {
        }
        if (!at_cas_acqrel(&slot->word, &word, moment)) continue;
        if (!write_beside(slot, &slot->amount, moment, (uint64_t)step->amount) ||
            !write_beside(slot, &slot->owner, moment, owner) ||
            !write_beside(slot, &slot->holder, moment, holder_of(zone, step)) ||
            !at_cas_acqrel(&slot->word, &taken, kept))
            continue;
        at_store_rlx(&h->slots_hint, i + 1);
        step->lease = (llim_lease){i, nonce};
        return true;
    }
    return false;
}

bool llim__gauge_release(llim_zone *zone, llim__now now, llim_lease lease)
{
    if (lease.index >= zone->header->slots) return false;
    llim__slot *slot = &zone->slot[lease.index];
    uint64_t word = at_load_acq(&slot->word);
    while ((word & NONCE_MASK) == lease.nonce && expires_at(word) > now.steady) {
        if (!at_cas_acqrel(&slot->word, &word, 0)) continue;
        /* Low slots first keep the count short. */
        if (lease.index < at_load_rlx(&zone->header->slots_hint)) at_store_rlx(&zone->header->slots_hint, lease.index);
        return true;
    }
    return false;
}

/* The time to live that the lease's gauge has by now; 0 if the row has no such gauge any more. */
static int64_t ttl_of(llim_zone *zone, uint64_t holder)
{
    llim__row *row = &zone->row[holder >> (METER_BITS + EPOCH_BITS)];
    uint64_t state = at_load_acq(&row->state);
    if ((LLIM__STATE_EPOCH(state) & EPOCH_MASK) != (holder >> METER_BITS & EPOCH_MASK)) return 0;
    uint32_t n = LLIM__STATE_LIMITS(state);
    for (uint32_t i = 0; i < n; i++) {
        const llim__shape *shape = llim__cell_shape(zone, at_load_acq(&llim__row_cell(zone, row, i)->config));
        if (shape->law == LLIM_GAUGE && shape->meter == (int32_t)(holder & ((1 << METER_BITS) - 1)))
            return shape->window_ns;
    }
    return 0;
}

/* Who counts a lease as expired does so by the clock, so a renewal is good only if the lease had not expired when it took
   effect, which a later look at the clock tells. */
bool llim__gauge_renew(llim_zone *zone, llim_lease lease)
{
    if (lease.index >= zone->header->slots) return false;
    llim__slot *slot = &zone->slot[lease.index];
    uint64_t holder = at_load_acq(&slot->holder);
    if (holder >> BESIDE_BITS != lease.nonce) return false;
    int64_t ttl = ttl_of(zone, holder & (((uint64_t)1 << BESIDE_BITS) - 1));
    for (;;) {
        uint64_t word = at_load_acq(&slot->word);
        llim__now now = llim__zone_now(zone);
        if ((word & NONCE_MASK) != lease.nonce || expires_at(word) <= now.steady) return false;
        uint64_t longer = lease_word(now.steady + ttl, lease.nonce), old = word;
        if (longer <= word) return true;
        if (!at_cas_acqrel(&slot->word, &old, longer)) continue;
        if (expires_at(word) > llim__zone_now(zone).steady) return true;
        at_cas_acqrel(&slot->word, &longer, 0);
        llim__zone_freed(zone);
        return false;
    }
}

int llim__gauge_commit(llim_zone *zone, llim__now now, llim__step *step)
{
    if (!claim(zone, now, step) && !(end_of_the_dead(zone, now, 0) && claim(zone, now, step))) return LLIM_EFULL;
    if (at_cas_acqrel(step->swap.word, &step->swap.expected, step->swap.desired)) return LLIM_OK;
    llim__gauge_release(zone, now, step->lease);
    llim__zone_freed(zone); /* it counted while it was there */
    return LLIM__RETRY;
}

bool llim__gauge_is_sound(const llim_zone *zone, const llim__slot *slot)
{
    const uint64_t holder = at_load_rlx(&slot->holder) & (((uint64_t)1 << BESIDE_BITS) - 1);
    return holder >> (METER_BITS + EPOCH_BITS) <= zone->header->rows;
}

/* A taker that was killed before it counted its lease told nobody of it, one that was stopped has not done so yet. */
bool llim__gauge_covers(llim_zone *zone, llim__now now, const llim__step *step)
{
    const uint64_t holder = holder_of(zone, step);
    llim__owners owners = {.n = 0};
    int64_t sum = 0, expiry;
    for (uint32_t i = 0, top = at_load_acq(&zone->header->slots_top); i < top; i++) {
        const int64_t amount = held_by(&zone->slot[i], holder, now.steady, &expiry);
        const uint64_t owner = at_load_acq(&zone->slot[i].owner) & (((uint64_t)1 << BESIDE_BITS) - 1);
        if (amount && llim__owner_life(zone, &owners, owner) == LLIM__ACTS) sum += amount;
    }
    return (int64_t)(at_load_acq(&step->cell->word) & COUNT_MASK) >= sum; /* last: it only rises */
}

bool llim__gauge_has_leases(llim_zone *zone, llim__now now, uint32_t n)
{
    const llim__header *h = zone->header;
    for (uint32_t i = 0; n > 0 && i < h->slots; i++) n -= expires_at(at_load_acq(&zone->slot[i].word)) <= now.steady;
    return n == 0;
}

/* Halves the time until the last lease ends: what is held only falls if nothing else happens, and leases end at whole
   milliseconds. */
int64_t llim__gauge_earliest(llim_zone *zone, llim__now now, const llim__step *step)
{
    int64_t last, ignored;
    if (step->amount > step->limit) return INT64_MAX;
    if (step->amount == 0 || held(zone, now.steady, step, &last) + step->amount <= step->limit) return now.steady;
    int64_t full = now.steady / MS, fits = last / MS;
    while (fits - full > 1) {
        int64_t middle = full + (fits - full) / 2;
        if (held(zone, middle * MS, step, &ignored) + step->amount <= step->limit)
            fits = middle;
        else
            full = middle;
    }
    return fits * MS;
}

int64_t llim__gauge_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until)
{
    int64_t last, sum = held(zone, now.steady, step, &last);
    if (until) *until = last;
    return sum;
}

/* The version begins where no earlier tenant of the cell has come to. Full, so that the first taker counts the slots: the row
   may have had this gauge before, and its leases may live. */
void llim__gauge_start(const llim__step *step, int64_t used, uint64_t words[2])
{
    uint64_t count = (uint64_t)(used > step->limit ? used : step->limit);
    words[0] = (uint64_t)(step->identity % 1024) << (COUNT_BITS + 12) | count;
    words[1] = 0;
}
