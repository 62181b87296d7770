/*
 * sliding.c - an exact sliding window in one word and a ring, without a lock.
 *
 * Time is cut into ticks and slots of 4,096 ticks; a window and its guard span 62 to 124 slots.
 *   head    (tick, cum): the tick of the last charge, and everything ever charged, modulo 2^42. The cell's word.
 *   ring[k] for each slot k before the head's, of the last 128: its closing, which is the last head that slot had. A slot
 *           without a charge has its first tick and the cum of the slot before.
 *   reach   a slot that no charge is later than: a head, which knows its slot modulo 1,024 only, is placed at or below it.
 *
 * Used in the window that ends now = head.cum - cum of the newest closing whose tick has left it. A charge is dated up to
 * the next tick and the window's begin is cut down to one, so what counts as gone is gone.
 *
 * Charging is one compare-and-swap of the head. Who moves the head into a later slot closes, after that, the slots it left
 * behind: each by compare-and-swap from an older slot's closing. Until then, and for ever if it dies first, a reader takes
 * the newest older closing instead: smaller, so more counts as used. At worst one slot's traffic, until it leaves. After an
 * idle window there may be no older one: a reader waits for the closings a little, then takes the limit for full.
 *
 * Giving back an amount charged in slot s first lowers every closing from s on, and claims those which nobody has published
 * yet (with the value of the one before, so the late publisher's swap fails): no closing that still holds the amount can
 * appear later. Then it lowers the head, if that has not moved to a later slot; if it has, the slots closed since are
 * lowered too. Every state in between counts too much. A charge that has left the window is not given back.
 *
 * A settlement above its reservation is charged to the head, at its own instant: raising closings would count too little
 * if the thread stopped half-way for several windows.
 *
 * A ring that goes to another limit takes its cum along, so a publisher that was stopped for long can only write a closing
 * that is too low.
 */
#include <sched.h>

#include "engine/laws.h"
#include "engine/rings.h"

enum { TICK_BITS = 22, CUM_BITS = 42, SLOT_TICK_BITS = 12, SLOT_BITS = TICK_BITS - SLOT_TICK_BITS, MAX_SLOTS = 124 };

#define CUM_MASK   (((uint64_t)1 << CUM_BITS) - 1)
#define TICK_MASK  (((uint64_t)1 << TICK_BITS) - 1)
#define SLOT_MASK  (((uint64_t)1 << SLOT_BITS) - 1)
#define IN_SLOT    (((uint64_t)1 << SLOT_TICK_BITS) - 1)
#define REACH_BITS 40
#define REACH_MASK (((uint64_t)1 << REACH_BITS) - 1)
#define MOST_USED  ((int64_t)1 << 41) /* debt above this is not counted: the head's cum must not lap itself */

typedef struct view {
    at_u64 *ring;
    uint64_t head, aux;
    int64_t head_tick; /* in full */
    int64_t cut;       /* ticks up to here have left */
    int64_t used;
} view;

static uint64_t pack(int64_t tick, uint64_t cum)
{
    uint64_t word = (uint64_t)tick << CUM_BITS | (cum & CUM_MASK);
    return word == LLIM__SEALED ? word - 1
                                : word; /* one unit less cum in 2^64 words beats a second meaning for this one */
}

static uint64_t cum_of(uint64_t word)
{
    return word & CUM_MASK;
}

static int64_t slot_of(int64_t tick)
{
    return tick >> SLOT_TICK_BITS;
}

/* Whether a ring word is the closing of slot k. */
static bool closes(uint64_t word, int64_t k)
{
    return (word >> (CUM_BITS + SLOT_TICK_BITS)) == ((uint64_t)k & SLOT_MASK);
}

static int64_t closing_tick(uint64_t word, int64_t k)
{
    return (int64_t)((uint64_t)k << SLOT_TICK_BITS | ((word >> CUM_BITS) & IN_SLOT));
}

static at_u64 *ring_at(at_u64 *ring, int64_t k)
{
    return &ring[(uint64_t)k % LLIM__RING];
}

static int64_t tick_up(const llim__shape *shape, int64_t t)
{
    return ((t - 1) >> shape->tick_shift) + 1;
}

static int64_t leaves_at(const llim__shape *shape, int64_t tick)
{
    return (int64_t)((uint64_t)tick << shape->tick_shift) + shape->span_ns;
}

uint64_t llim__sliding_ring(uint64_t aux)
{
    return aux >> REACH_BITS;
}

uint32_t llim__sliding_tick_shift(int64_t span_ns)
{
    uint32_t shift = 0;
    while ((span_ns >> (shift + SLOT_TICK_BITS)) >= MAX_SLOTS) shift++;
    return shift;
}

/* The newest closing at or before slot k, or LLIM__SEALED, which none is, if the ring holds none that the head still vouches
   for. */
static __attribute__((noinline)) uint64_t closing_before(at_u64 *ring, int64_t head_tick, int64_t k)
{
    for (int64_t oldest = slot_of(head_tick) - LLIM__RING; k >= oldest; k--) {
        uint64_t word = at_load_acq(ring_at(ring, k));
        if (closes(word, k)) return word;
    }
    return LLIM__SEALED;
}

static int64_t used_after(const view *v, uint64_t closing)
{
    return (int64_t)((v->head - closing) & CUM_MASK);
}

/* The closings of an idle time are on their way: whoever has ended it publishes them next. */
static __attribute__((noinline)) uint64_t closing_awaited(at_u64 *ring, int64_t head_tick, int64_t k)
{
    uint64_t word = closing_before(ring, head_tick, k);
    for (int patience = 64; word == LLIM__SEALED && patience > 0; patience--) {
        sched_yield();
        word = closing_before(ring, head_tick, k);
    }
    return word;
}

/* Every publisher has died: in debt, until the closings of now have taken over, and by all that is known. */
static __attribute__((noinline)) int64_t use_unknown(const llim__step *step, const view *v, int64_t k)
{
    int64_t most = step->limit + 1, head_slot = slot_of(v->head_tick);
    for (; k < head_slot; k++) {
        uint64_t word = at_load_acq(ring_at(v->ring, k));
        if (closes(word, k)) return used_after(v, word) > most ? used_after(v, word) : most;
    }
    return most;
}

/* All that a decision needs to know, if it is there as it nearly always is; else false: look() tells. The head is read before
   reach: reach is raised before the head moves, so it is never below the head that was read. */
static inline __attribute__((always_inline)) bool see(llim_zone *zone, int64_t t, const llim__step *step, view *v)
{
    llim__cell *cell = step->cell;
    v->cut = (t - step->shape->span_ns) >> step->shape->tick_shift;
    v->head = at_load_acq(&cell->word);
    if (v->head == LLIM__SEALED) return false;
    uint64_t aux = at_load_acq(&cell->aux);
    v->aux = aux;
    v->ring = zone->ring[aux >> REACH_BITS];
    uint64_t last = (aux & REACH_MASK) << SLOT_TICK_BITS | IN_SLOT;
    v->head_tick = (int64_t)(last - ((last - (v->head >> CUM_BITS)) & TICK_MASK));
    v->used = 0;
    if (v->head_tick <= v->cut) return true;
    int64_t oldest = slot_of(v->cut), head_slot = slot_of(v->head_tick);
    if (oldest + LLIM__RING <= head_slot) return false;
    uint64_t word = at_load_acq(ring_at(v->ring, oldest));
    /* How far the closing is before the cut: more than the cut is into its slot says that it is not this slot's, or later. */
    uint64_t behind = ((uint64_t)v->cut - (word >> CUM_BITS)) & TICK_MASK;
    if (behind > ((uint64_t)v->cut & IN_SLOT) || oldest >= head_slot) {
        word = at_load_acq(ring_at(v->ring, oldest - 1));
        if (!closes(word, oldest - 1)) return false;
    }
    v->used = used_after(v, word);
    return true;
}

/* The same, whatever there is, or LLIM__WAIT. */
static __attribute__((noinline)) int look(llim_zone *zone, int64_t t, const llim__step *step, view *v)
{
    if (see(zone, t, step, v)) return LLIM_OK;
    if (v->head == LLIM__SEALED) return LLIM__WAIT;
    int64_t oldest = slot_of(v->cut);
    v->used = step->limit + 1; /* with a clock so stale that the ring knows nothing of its time */
    if (oldest + LLIM__RING <= slot_of(v->head_tick)) return LLIM_OK;
    uint64_t word = closing_awaited(v->ring, v->head_tick, oldest - 1);
    v->used = word == LLIM__SEALED ? use_unknown(step, v, oldest) : used_after(v, word);
    return LLIM_OK;
}

static inline void aim(const view *v, int64_t t, llim__step *step, int64_t amount)
{
    int64_t tick = tick_up(step->shape, t);
    if (tick < v->head_tick) tick = v->head_tick;
    step->word = &step->cell->word;
    step->expected = v->head;
    step->desired = pack(tick, v->head + (uint64_t)amount);
    step->more = slot_of(tick) != slot_of(v->head_tick);
    if (!step->more) return;
    step->aux = v->aux;
    step->from_slot = slot_of(v->head_tick);
    step->to_slot = slot_of(tick);
    step->idle = v->head_tick <= v->cut;
}

static inline int plan_from(const view *v, int64_t t, llim__step *step)
{
    int64_t amount = step->amount;
    if (v->used + amount > step->limit) return LLIM_LATER;
    if (amount == 0) return LLIM__NOTHING;
    aim(v, t, step, amount);
    return LLIM_OK;
}

/* Apart, so that the usual plan calls nothing. */
static __attribute__((noinline)) int plan_any(llim_zone *zone, int64_t t, llim__step *step)
{
    view v;
    return look(zone, t, step, &v) ? LLIM__WAIT : plan_from(&v, t, step);
}

int llim__sliding_plan(llim_zone *zone, llim__now now, llim__step *step)
{
    view v;
    if (step->amount > step->limit) return LLIM_NEVER;
    if (!see(zone, now.steady, step, &v)) return plan_any(zone, now.steady, step);
    return plan_from(&v, now.steady, step);
}

static uint64_t closing_of(const llim__step *step, int64_t k)
{
    if (k == step->from_slot) return step->expected;
    return pack((int64_t)((uint64_t)k << SLOT_TICK_BITS), cum_of(step->expected));
}

/* From the aux that was planned with: a cell that another limit has taken since keeps its own reach. */
static bool raise_reach(llim__step *step)
{
    uint64_t aux = step->aux;
    if ((int64_t)(aux & REACH_MASK) >= step->to_slot) return true;
    uint64_t raised = (aux & ~REACH_MASK) | (uint64_t)step->to_slot;
    if (at_cas_acqrel(&step->cell->aux, &aux, raised)) return true;
    return aux >> REACH_BITS == step->aux >> REACH_BITS && (int64_t)(aux & REACH_MASK) >= step->to_slot;
}

/* Publishes the closings of the slots that a committed step has left behind. It never replaces a closing of the same slot,
   which is another thread's claim, nor a later one; but when everything had left, nobody claims, and what looks like a
   closing of the same slot may be one of 1,024 slots ago. */
static void close_slots(llim_zone *zone, const llim__step *step)
{
    at_u64 *ring = zone->ring[step->aux >> REACH_BITS];
    int64_t k = step->from_slot;
    /* The place of the head's own slot too: it may hold what would pass for its closing one day. */
    if (k < step->to_slot - LLIM__RING) k = step->to_slot - LLIM__RING;
    for (; k < step->to_slot; k++) {
        at_u64 *place = ring_at(ring, k);
        uint64_t old = at_load_acq(place);
        /* Read behind old: where that is a later slot's, reach tells. */
        int64_t reach = (int64_t)(at_load_acq(&step->cell->aux) & REACH_MASK);
        int64_t age = (int64_t)(((uint64_t)reach - (old >> (CUM_BITS + SLOT_TICK_BITS))) & SLOT_MASK);
        if (reach - k > LLIM__RING) continue;
        if (step->idle || age > reach - k) at_cas_acqrel(place, &old, closing_of(step, k));
    }
}

/* Commits a step whose head goes to a later slot. */
int llim__sliding_move(llim_zone *zone, llim__step *step)
{
    if (!raise_reach(step)) return LLIM__RETRY;
    if (!at_cas_acqrel(step->word, &step->expected, step->desired)) return LLIM__RETRY;
    close_slots(zone, step);
    return LLIM_OK;
}

/* Lowers the closing of slot k, or claims it with what the slot before had. False: neither can be done. */
static bool lower(const llim__step *step, const view *v, int64_t k, int64_t amount)
{
    at_u64 *place = ring_at(v->ring, k);
    uint64_t word = at_load_acq(place);
    for (;;) {
        uint64_t next;
        /* Older than the ring by now: the place is a later slot's. */
        if ((int64_t)(at_load_acq(&step->cell->aux) & REACH_MASK) - k >= LLIM__RING) return true;
        if (closes(word, k)) {
            next = (word & ~CUM_MASK) | ((word - (uint64_t)amount) & CUM_MASK);
        } else {
            uint64_t before = closing_before(v->ring, v->head_tick, k - 1);
            if (before == LLIM__SEALED) return false;
            next = pack((int64_t)((uint64_t)k << SLOT_TICK_BITS), cum_of(before));
        }
        if (at_cas_acqrel(place, &word, next)) return true;
    }
}

/* A charge in the head's own slot is in no closing: whether it has left or not, taking it out of the head is right. */
static bool give_back_in_slot(const llim__step *step, int64_t slot, int64_t amount)
{
    uint64_t head = at_load_acq(&step->cell->word);
    int64_t reach = (int64_t)(at_load_acq(&step->cell->aux) & REACH_MASK);
    if (slot != reach || !closes(head, slot) || head == LLIM__SEALED || llim__step_stale(step)) return false;
    uint64_t lowered = (head & ~CUM_MASK) | ((head - (uint64_t)amount) & CUM_MASK);
    return lowered != LLIM__SEALED && at_cas_acqrel(&step->cell->word, &head, lowered);
}

int llim__sliding_give_back(llim_zone *zone, llim__now *clock, llim__now then, llim__step *step, int64_t amount)
{
    const llim__shape *shape = step->shape;
    int64_t slot = slot_of(tick_up(shape, then.steady));
    if (give_back_in_slot(step, slot, amount)) return LLIM_OK;
    int64_t next = slot, t = llim__zone_now_once(zone, clock).steady;
    view v;
    for (;;) {
        if (look(zone, t, step, &v) || llim__step_stale(step)) return LLIM__WAIT;
        /* A head later than our clock knows better what has left. */
        while (v.head_tick > tick_up(shape, t)) {
            t = (int64_t)((uint64_t)v.head_tick << shape->tick_shift);
            if (look(zone, t, step, &v) || llim__step_stale(step)) return LLIM__WAIT;
        }
        int64_t head_slot = slot_of(v.head_tick);
        if (v.head_tick <= v.cut || slot < slot_of(v.cut) || slot > head_slot) return LLIM_OK;
        if (slot < head_slot && slot == slot_of(v.cut)) {
            uint64_t word = at_load_acq(ring_at(v.ring, slot));
            /* Not closed yet: it may have ended before an idle window. */
            if (!closes(word, slot) || closing_tick(word, slot) <= v.cut) return LLIM_OK;
        }
        for (; next < head_slot; next++)
            if (!lower(step, &v, next, amount)) return LLIM_OK;
        uint64_t lowered = pack(v.head_tick, cum_of(v.head) - (uint64_t)amount);
        if (at_cas_acqrel(&step->cell->word, &v.head, lowered)) return LLIM_OK;
    }
}

int llim__sliding_add_debt(llim_zone *zone, llim__now now, llim__step *step, int64_t amount)
{
    view v;
    do {
        if (look(zone, now.steady, step, &v) || llim__step_stale(step)) return LLIM__WAIT;
        int64_t room = MOST_USED - v.used;
        aim(&v, now.steady, step, amount < room ? amount : room > 0 ? room : 0);
    } while (llim__law_commit(zone, now, step) != LLIM_OK);
    return LLIM_OK;
}

int64_t llim__sliding_earliest(llim_zone *zone, llim__now now, const llim__step *step)
{
    view v;
    if (step->amount > step->limit) return INT64_MAX;
    if (look(zone, now.steady, step, &v)) return now.steady;
    if (v.used + step->amount <= step->limit) return now.steady;
    if (slot_of(v.cut) + LLIM__RING <= slot_of(v.head_tick)) return leaves_at(step->shape, v.head_tick);
    /* Closings grow with their slots, so the first that leaves room is found by halving; one that is missing leaves none. */
    int64_t low = slot_of(v.cut), high = slot_of(v.head_tick);
    int64_t tick = v.head_tick;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        uint64_t word = at_load_acq(ring_at(v.ring, middle));
        if (closes(word, middle) && used_after(&v, word) + step->amount <= step->limit) {
            tick = closing_tick(word, middle);
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return leaves_at(step->shape, tick);
}

int64_t llim__sliding_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until)
{
    view v;
    *until = now.steady;
    if (look(zone, now.steady, step, &v)) return step->limit;
    if (v.used > 0) *until = leaves_at(step->shape, v.head_tick);
    return v.used;
}

void llim__sliding_put_ring(llim_zone *zone, uint64_t aux, uint64_t head)
{
    llim__rings_put(zone, aux >> REACH_BITS, cum_of(head));
}

/* words[1] holds the ring, as llim__rings_take() gave it. */
void llim__sliding_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2])
{
    uint64_t ring = words[1];
    uint64_t cum = cum_of(llim__rings_cum(zone, ring) + 1); /* no head of its last owner's */
    int64_t tick = tick_up(step->shape, now.steady);
    for (int64_t k = slot_of(tick) - LLIM__RING; k < slot_of(tick); k++)
        at_store_rel(ring_at(zone->ring[ring], k), pack((int64_t)((uint64_t)k << SLOT_TICK_BITS), cum));
    words[0] = pack(tick, cum + (uint64_t)(used < MOST_USED ? used : MOST_USED));
    words[1] = ring << REACH_BITS | (uint64_t)slot_of(tick);
}
