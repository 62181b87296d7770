/*
 * sliding.c - an exact sliding window in one word and a ring, without a lock.
 *
 * Time is cut into ticks and slots of 4,096 ticks; a window and its guard span 62 to 124 slots.
 *   head     (tick, cum): the tick of the last charge, and everything ever charged, modulo 2^42. The cell's word.
 *   closing  of each slot k before the head's, of the last 128: the last head that slot had. A slot without a charge has its
 *            first tick and the cum of the slot before.
 *   returned what was given back later of each slot's charges: see returns.h.
 *   reach    a slot that no charge is later than: a head, which knows its slot modulo 1,024 only, is placed at or below it.
 *
 * Used in the window that ends now = head.cum - cum of the newest closing whose tick has left it - what was returned of the
 * slots after that closing. A charge is dated up to the next tick and the window's begin is cut down to one, so what counts
 * as gone is gone.
 *
 * Charging is one compare-and-swap of the head. Who moves the head into a later slot closes, after that, the slots it left
 * behind: each by compare-and-swap from an older slot's closing. Until then, and for ever if it dies first, a reader takes
 * the newest older closing instead: smaller, so more counts as used. At worst one slot's traffic, until it leaves. After an
 * idle window there may be no older one: a reader waits for the closings a little, then takes the limit for full, and in use
 * what was charged since any closing from before the window: that is what a limit that comes in its place begins with.
 *
 * Giving back a charge of the head's own slot lowers the head. Later, it is returned. A reader that sees a return of a charge
 * later than the head it has read cannot commit: the head has moved.
 *
 * Returns make room but do not lower cum, so that a window's cum could lap itself. Therefore a limit is full, too, when what
 * was admitted in a window, returned or not, is 2^41; debt counts until all is 3 * 2^40. Only a limit beyond 2^34 can meet that: no
 * more is returned after its slot than was in use when the slot ended, and a window has 124 slots.
 *
 * A reader whose clock is a slot behind the head reads it again, so that it never looks back further than a window, and a
 * charge is in the slot of its permit's time.
 *
 * A settlement above its reservation is charged to the head, at its own instant: raising closings would count too little
 * if the thread stopped half-way for several windows.
 *
 * A ring that goes to another limit takes its cum along, so a publisher that was stopped for long can only write a closing
 * that is too low. One that finds its limit gone, by a state read behind the place, writes none: where a dead writer's limit
 * began anew, its own count would be ahead. Where the limit stays, whatever else of the row has changed, it goes on: who moves
 * the head of a limit whose amount is changed meanwhile would else leave it full for a window.
 */
#include <sched.h>

#include "engine/laws.h"
#include "engine/returns.h"
#include "engine/rings.h"

enum { TICK_BITS = 22, CUM_BITS = 42, SLOT_TICK_BITS = 12, SLOT_BITS = TICK_BITS - SLOT_TICK_BITS, MAX_SLOTS = 124 };

#define CUM_MASK   (((uint64_t)1 << CUM_BITS) - 1)
#define TICK_MASK  (((uint64_t)1 << TICK_BITS) - 1)
#define SLOT_MASK  (((uint64_t)1 << SLOT_BITS) - 1)
#define IN_SLOT    (((uint64_t)1 << SLOT_TICK_BITS) - 1)
#define REACH_BITS 40
#define REACH_MASK (((uint64_t)1 << REACH_BITS) - 1)
#define MOST                                                                                                           \
    ((int64_t)1 << 41) /* that is admitted in a window, returned or not; half as much debt at least comes on top */

typedef struct view {
    llim__ring *ring;
    uint64_t head, aux;
    int64_t head_tick; /* in full */
    int64_t cut;       /* ticks up to here have left */
    int64_t left;      /* slots up to here have left */
    int64_t charged;   /* since, returned or not */
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

static at_u64 *closing_at(llim__ring *ring, int64_t k)
{
    return &ring->closing[(uint64_t)k % LLIM__RING];
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t tick_up(const llim__shape *shape, int64_t t)
{
    return ((t - 1) >> shape->tick_shift) + 1;
}

static int64_t leaves_at(const llim__shape *shape, int64_t tick)
{
    return (int64_t)((uint64_t)tick << shape->tick_shift) + shape->span_ns;
}

int64_t llim__sliding_reach(const llim__step *step)
{
    return (int64_t)(at_load_acq(&step->cell->aux) & REACH_MASK);
}

uint64_t llim__sliding_ring(uint64_t aux)
{
    return aux >> REACH_BITS;
}

/* A ring, whatever another law has left in the cell of a limit that is gone by now. */
llim__ring *llim__sliding_ring_of(const llim_zone *zone, uint64_t aux)
{
    uint64_t ring = aux >> REACH_BITS;
    return &zone->ring[ring < zone->header->rings ? ring : 0];
}

bool llim__sliding_is_sound(const llim__shape *shape, uint64_t aux, uint32_t rings, int64_t latest)
{
    return aux >> REACH_BITS < rings && (aux & REACH_MASK) < (uint64_t)latest >> SLOT_TICK_BITS >> shape->tick_shift;
}

uint32_t llim__sliding_tick_shift(int64_t span_ns)
{
    uint32_t shift = 0;
    while ((span_ns >> (shift + SLOT_TICK_BITS)) >= MAX_SLOTS) shift++;
    return shift;
}

/* The newest closing at or before slot k, or LLIM__SEALED, which none is, if the ring holds none that the head still vouches
   for. */
static uint64_t closing_before(llim__ring *ring, int64_t head_tick, int64_t k)
{
    for (int64_t oldest = slot_of(head_tick) - LLIM__RING; k >= oldest; k--) {
        uint64_t word = at_load_acq(closing_at(ring, k));
        if (closes(word, k)) return word;
    }
    return LLIM__SEALED;
}

static int64_t charged_after(const view *v, uint64_t closing)
{
    return (int64_t)((v->head - closing) & CUM_MASK);
}

/* The closings of an idle time are on their way: whoever has ended it publishes them next. */
static uint64_t closing_awaited(llim__ring *ring, int64_t head_tick, int64_t k)
{
    uint64_t word = closing_before(ring, head_tick, k);
    for (int patience = 64; word == LLIM__SEALED && patience > 0; patience--) {
        sched_yield();
        word = closing_before(ring, head_tick, k);
    }
    return word;
}

/* Every publisher has died, or stands: in debt, until the closings of now have taken over, and by the most that can have been
   charged since slot k began. A place that holds the closing of no slot from k on holds one from before, so less cum. */
static int64_t use_unknown(const llim__step *step, const view *v, int64_t k)
{
    const int64_t head_slot = slot_of(v->head_tick);
    int64_t since = step->limit + 1, before = INT64_MAX;
    for (int64_t i = head_slot - LLIM__RING; i < head_slot; i++) {
        uint64_t word = at_load_acq(closing_at(v->ring, i));
        int64_t charged = charged_after(v, word);
        if (i >= k && closes(word, i))
            since = later_of(since, charged);
        else if (charged < before)
            before = charged;
    }
    return before == INT64_MAX ? since : later_of(since, before);
}

/* All that a decision needs to know, or LLIM__WAIT, LLIM__STALE. The head is read before reach: reach is raised before the
   head moves, so it is never below the head that was read. */
static int look(llim_zone *zone, int64_t t, const llim__step *step, view *v)
{
    v->cut = (t - step->shape->span_ns) >> step->shape->tick_shift;
    v->head = at_load_acq(&step->cell->word);
    if (v->head == LLIM__SEALED) return LLIM__WAIT;
    v->aux = at_load_acq(&step->cell->aux);
    v->ring = llim__sliding_ring_of(zone, v->aux);
    uint64_t last = (v->aux & REACH_MASK) << SLOT_TICK_BITS | IN_SLOT;
    v->head_tick = (int64_t)(last - ((last - (v->head >> CUM_BITS)) & TICK_MASK));
    int64_t oldest = slot_of(v->cut), head_slot = slot_of(v->head_tick);
    v->charged = 0;
    v->left = head_slot;
    if (head_slot > slot_of(tick_up(step->shape, t))) {
        if (slot_of(tick_up(step->shape, llim__zone_now(zone).steady)) > slot_of(tick_up(step->shape, t)))
            return LLIM__STALE;
        v->charged = use_unknown(step, v, oldest); /* no clock has been there: full, until it has */
        return LLIM_OK;
    }
    if (v->head_tick <= v->cut) return LLIM_OK;
    uint64_t word = at_load_acq(closing_at(v->ring, oldest));
    v->left = oldest;
    if (oldest == head_slot || !closes(word, oldest) || closing_tick(word, oldest) > v->cut) {
        word = closing_awaited(v->ring, v->head_tick, oldest - 1);
        v->left = oldest - 1;
    }
    if (word != LLIM__SEALED) {
        v->charged = charged_after(v, word);
    } else {
        v->charged = use_unknown(step, v, oldest);
        v->left = head_slot; /* nor is it known what was returned */
    }
    return LLIM_OK;
}

/* Nearly always the head is in the slot of now, or nothing was admitted since because the limit is full, and a closing tells what
   has left: then this is all that a plan would find. */
int llim__sliding_glance(const llim_zone *zone, int64_t t, llim__cell *cell, uint64_t config, int64_t amount,
                         llim__swap *swap)
{
    const llim__shape *shape = llim__cell_shape(zone, config);
    const int64_t limit = LLIM__CONFIG_AMOUNT(config);
    if (amount > limit) return LLIM_NEVER;
    uint64_t head = at_load_acq(&cell->word), aux = at_load_acq(&cell->aux), reach = aux & REACH_MASK;
    int64_t head_tick = (int64_t)(reach << SLOT_TICK_BITS | (head >> CUM_BITS & IN_SLOT)), tick = tick_up(shape, t);
    int64_t cut = (t - shape->span_ns) >> shape->tick_shift, oldest = slot_of(cut),
            ahead = slot_of(tick) - (int64_t)reach;
    if (!closes(head, (int64_t)reach) || ahead < 0 || oldest >= (int64_t)reach || head == LLIM__SEALED)
        return LLIM__UNSURE;
    if (tick < head_tick) tick = head_tick;
    llim__ring *ring = llim__sliding_ring_of(zone, aux);
    uint64_t word = at_load_acq(closing_at(ring, oldest));
    /* How far the closing is before the cut: more than the cut is into its slot says that it is not this slot's, or later. */
    if ((((uint64_t)cut - (word >> CUM_BITS)) & TICK_MASK) > ((uint64_t)cut & IN_SLOT)) {
        word = at_load_acq(closing_at(ring, oldest - 1));
        if (!closes(word, oldest - 1)) return LLIM__UNSURE;
    }
    if ((int64_t)((head - word) & CUM_MASK) + amount > limit) /* unless enough was returned */
        return at_load_acq(&ring->newest_returned) < oldest ? LLIM_LATER : LLIM__UNSURE;
    if (ahead) return LLIM__UNSURE; /* the head is to be moved */
    *swap = (llim__swap){&cell->word, head, pack(tick, head + (uint64_t)amount)};
    return amount == 0 ? LLIM__NOTHING : LLIM_OK;
}

/* What was returned of the charges that count as used. */
static int64_t returned(const view *v)
{
    return llim__returns_between(v->ring, v->left + 1, slot_of(v->head_tick));
}

static bool fits(const view *v, const llim__step *step)
{
    int64_t sum = v->charged + step->amount;
    return sum <= step->limit || (sum <= MOST && sum - returned(v) <= step->limit);
}

static void aim(const view *v, int64_t t, llim__step *step, int64_t amount)
{
    int64_t tick = tick_up(step->shape, t);
    if (tick < v->head_tick) tick = v->head_tick; /* in the same slot, or look() had said so */
    step->swap.word = &step->cell->word;
    step->swap.expected = v->head;
    step->swap.desired = pack(tick, v->head + (uint64_t)amount);
    step->more = slot_of(tick) != slot_of(v->head_tick);
    if (!step->more) return;
    step->aux = v->aux;
    step->from_slot = slot_of(v->head_tick);
    step->to_slot = slot_of(tick);
}

int llim__sliding_plan(llim_zone *zone, llim__now now, llim__step *step)
{
    view v;
    int code = look(zone, now.steady, step, &v);
    if (code) return code;
    if (!fits(&v, step)) return LLIM_LATER;
    if (step->amount == 0) return LLIM__NOTHING;
    aim(&v, now.steady, step, step->amount);
    return LLIM_OK;
}

/* That of a slot without a charge: never sealed, since its tick is the slot's first. */
static uint64_t closing_of(const llim__step *step, int64_t k)
{
    const uint64_t cum = cum_of(step->swap.expected);
    return k == step->from_slot ? step->swap.expected : (uint64_t)k << (CUM_BITS + SLOT_TICK_BITS) | cum;
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

/* Publishes the closings of the slots from k on that a committed step has left behind, up to the first for which its row has
   another state than this, which it returns. Nobody else closes those, so what looks like the closing of one of them is of
   1,024 slots ago; or a later tenant's of the ring, whose cum is ahead. */
static inline int64_t close_slots(llim__ring *ring, const llim__step *step, uint64_t state, int64_t k)
{
    for (; k < step->to_slot; k++) {
        at_u64 *place = closing_at(ring, k);
        uint64_t old = at_load_acq(place), closing = closing_of(step, k);
        do {
            /* Both read behind old: where that is a later slot's, reach tells. */
            if (llim__sliding_reach(step) - k >= LLIM__RING) break;
            if (at_load_acq(&step->row->state) != state) return k;
            if (closes(old, k) && (int64_t)((old - closing) << (64 - CUM_BITS)) > 0) break;
        } while (!at_cas_acqrel(place, &old, closing));
    }
    return k;
}

/* Goes on from slot k, where the row had another state than the step knows, as long as the limit has its ring. A writer takes it
   away only once the row's state is neither what it was nor that with the mark; the mark alone is not waited for, since the
   writer waits for closings. */
static __attribute__((noinline)) int close_the_rest(llim_zone *zone, llim__ring *ring, llim__step *step, int64_t k)
{
    do {
        uint64_t state = step->state | LLIM__CHANGING;
        if (at_load_acq(&step->row->state) != state) {
            if (llim__step_again(zone, step)) return LLIM_OK; /* too much is used then, until it leaves */
            state = step->state;
        }
        k = close_slots(ring, step, state, k);
    } while (k < step->to_slot);
    return LLIM_OK;
}

/* Commits a step whose head goes to a later slot. */
int llim__sliding_move(llim_zone *zone, llim__step *step)
{
    llim__ring *ring = llim__sliding_ring_of(zone, step->aux);
    if (!raise_reach(step) || !llim__returns_turn_over(ring, step)) return LLIM__RETRY;
    if (!at_cas_acqrel(step->swap.word, &step->swap.expected, step->swap.desired)) return LLIM__RETRY;
    int64_t k = close_slots(ring, step, step->state, later_of(step->from_slot, step->to_slot - LLIM__RING + 1));
    return k < step->to_slot ? close_the_rest(zone, ring, step, k) : LLIM_OK;
}

/* A charge in the head's own slot is in no closing: whether it has left or not, taking it out of the head is right. False: the
   head is elsewhere, or a writer has changed the row. */
static bool give_back_in_slot(const llim__step *step, int64_t slot, int64_t amount)
{
    uint64_t head = at_load_acq(&step->cell->word), lowered;
    do {
        if (slot != llim__sliding_reach(step) || !closes(head, slot) || head == LLIM__SEALED || llim__step_stale(step))
            return false;
        lowered = (head & ~CUM_MASK) | ((head - (uint64_t)amount) & CUM_MASK);
        if (lowered == LLIM__SEALED) return false;
    } while (!at_cas_acqrel(&step->cell->word, &head, lowered));
    return true;
}

int llim__sliding_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t amount)
{
    int64_t slot = slot_of(tick_up(step->shape, then.steady));
    if (give_back_in_slot(step, slot, amount)) return LLIM_OK;
    if (at_load_acq(&step->cell->word) == LLIM__SEALED) return LLIM__WAIT;
    return llim__returns_add(zone, step, slot, amount);
}

int llim__sliding_add_debt(llim_zone *zone, llim__now now, llim__step *step, int64_t amount)
{
    view v;
    int code;
    do {
        while ((code = look(zone, now.steady, step, &v)) == LLIM__STALE) now = llim__zone_now(zone);
        if (code || llim__step_stale(step)) return LLIM__WAIT;
        int64_t room = MOST + MOST / 2 - v.charged;
        aim(&v, now.steady, step, amount < room ? amount : room > 0 ? room : 0);
    } while (llim__law_commit(zone, now, step) != LLIM_OK);
    return LLIM_OK;
}

/* Whether there is room once the slot of that closing has left, if so much was returned since. */
static bool leaves_room(const view *v, const llim__step *step, uint64_t closing, int64_t returned)
{
    int64_t sum = charged_after(v, closing) + step->amount;
    return sum <= MOST && sum - returned <= step->limit;
}

/* The tick whose leaving makes room: from the head back, by blocks and then by slots, as long as what was charged since leaves
   room. A closing that is missing is passed over: by then the one before it will be taken. The ring knows nothing older,
   wherever the head of a limit that a writer is replacing may seem to be. */
static int64_t makes_room(const view *v, const llim__step *step)
{
    llim__ring *ring = v->ring;
    int64_t tick = v->head_tick, blocks = 0, slots = 0;
    const int64_t head_slot = slot_of(tick), oldest = later_of(slot_of(v->cut), head_slot - LLIM__RING);
    for (int64_t k = head_slot; k > oldest; k--) {
        uint64_t word;
        if (k % LLIM__BLOCK) {
            slots += llim__returns_of_slot(ring, k);
        } else {
            slots = 0;
            blocks += llim__returns_of_block(ring, k);
            for (int64_t next = k - LLIM__BLOCK; next > oldest; next -= LLIM__BLOCK) {
                int64_t with = blocks + llim__returns_of_block(ring, next);
                word = at_load_acq(closing_at(ring, next - 1));
                if (!closes(word, next - 1) || !leaves_room(v, step, word, with)) break;
                blocks = with;
                k = next;
            }
        }
        word = at_load_acq(closing_at(ring, k - 1));
        if (!closes(word, k - 1)) continue;
        if (!leaves_room(v, step, word, blocks + slots)) break;
        tick = closing_tick(word, k - 1);
    }
    return tick;
}

int64_t llim__sliding_earliest(llim_zone *zone, llim__now now, const llim__step *step)
{
    view v;
    if (step->amount > step->limit) return INT64_MAX;
    if (look(zone, now.steady, step, &v)) return now.steady;
    if (fits(&v, step)) return now.steady;
    int64_t at = leaves_at(step->shape, makes_room(&v, step));
    return at > now.steady ? at : now.steady + 1; /* returns that a giver's death left half done may promise more */
}

int64_t llim__sliding_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until)
{
    view v;
    int64_t used;
    int code;
    do { /* until no charge is younger than the head that was read: it may have been returned already */
        while ((code = look(zone, now.steady, step, &v)) == LLIM__STALE) now = llim__zone_now(zone);
        if (until) *until = now.steady;
        if (code) return step->limit;
        used = v.charged - returned(&v);
    } while (at_load_acq(&step->cell->word) != v.head);
    if (used <= 0) return 0;
    if (!until) return used;
    /* Nothing is used once an amount of the whole limit fits. */
    llim__step whole = *step;
    whole.amount = whole.limit;
    *until = llim__sliding_earliest(zone, now, &whole);
    return used;
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
    const int64_t slot = slot_of(tick);
    for (int64_t k = slot - LLIM__RING; k < slot; k++)
        at_store_rel(closing_at(&zone->ring[ring], k), pack((int64_t)((uint64_t)k << SLOT_TICK_BITS), cum));
    llim__returns_start(&zone->ring[ring], slot);
    words[0] = pack(tick, cum + (uint64_t)(used < MOST ? used : MOST));
    words[1] = ring << REACH_BITS | (uint64_t)slot;
}
