/*
 * bucket.c - a continuously refilling bucket in one word.
 *
 * The word is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371): the instant at which the bucket
 * is full again, in sixteenths of a nanosecond of zone time. A charge costs amount * window / limit, rounded up to half a
 * nanosecond, so that a billion charges of one are not a second late. It is OpenAI's law for every dimension: its printed
 * waits equal (used + requested - limit) * window / limit.
 *
 * The three bits below that half count what has been given back: charges and give-backs that cancel out while somebody
 * stands with a word and a time that he has read do not bring back that word.
 *
 * Giving back a charge made at t moves the word back by its cost less the time since t: had it not been made, the bucket
 * may have been full, with nothing refilling, for as long as that. A settlement above its reservation is charged at its own
 * instant, which is never less than what an earlier charge would have left.
 */
#include "engine/laws.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t wide_cost(uint64_t window, uint64_t amount, uint64_t limit)
{
    wide cost = (((wide)window * amount + limit - 1) / limit + LLIM__TAG) & ~(wide)LLIM__TAG;
    return cost < LLIM__LONGEST ? (uint64_t)cost : LLIM__LONGEST;
}

/* What one costs, if that is a whole number of halves, else 0: a division less per decision. The cell's aux. */
static uint64_t unit_cost(const llim__shape *shape, int64_t limit)
{
    uint64_t window = llim__fine(shape->window_ns), unit = window / (uint64_t)limit;
    return window % (uint64_t)limit || unit & LLIM__TAG ? 0 : unit;
}

uint64_t llim__bucket_divide(const llim__shape *shape, int64_t limit, int64_t amount)
{
    uint64_t window = llim__fine(shape->window_ns), by = (uint64_t)limit, product;
    if (!__builtin_mul_overflow(window, (uint64_t)amount, &product))
        return (product / by + (product % by != 0) + LLIM__TAG) & ~LLIM__TAG;
    return wide_cost(window, (uint64_t)amount, by);
}

static bool move_to(llim__step *step, uint64_t *word, uint64_t next)
{
    return at_cas_acqrel(&step->cell->word, word, next);
}

/* The clock is read behind the word: with an older one, what has refilled meanwhile would be given back to charges that are
   younger than it. */
int llim__bucket_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t before, int64_t after)
{
    uint64_t cost = llim__bucket_cost(step, before) - llim__bucket_cost(step, after);
    for (;;) {
        uint64_t word = at_load_acq(&step->cell->word);
        if (word == LLIM__SEALED || llim__step_stale(step)) return LLIM__WAIT;
        int64_t t = llim__zone_now(zone).steady;
        uint64_t elapsed = t > then.steady ? llim__fine(t - then.steady) : 0;
        if (cost <= elapsed) return LLIM_OK;
        uint64_t next = ((word - (cost - elapsed)) & ~LLIM__TAG) | ((word + 1) & LLIM__TAG);
        if (move_to(step, &word, next)) return LLIM_OK;
    }
}

int llim__bucket_add_debt(llim__now now, llim__step *step, int64_t amount)
{
    uint64_t cost = llim__bucket_cost(step, amount), t = llim__fine(now.steady), next;
    uint64_t word = at_load_acq(&step->cell->word);
    do {
        if (word == LLIM__SEALED || llim__step_stale(step)) return LLIM__WAIT;
        next = llim__bucket_from(word, t) + cost;
        if (next > t + LLIM__LONGEST) next = word > t + LLIM__LONGEST ? word : t + LLIM__LONGEST;
    } while (!move_to(step, &word, next));
    return LLIM_OK;
}

int64_t llim__bucket_earliest(llim__now now, const llim__step *step)
{
    if (step->amount > step->limit) return INT64_MAX;
    uint64_t full = at_load_acq(&step->cell->word);
    if (full == LLIM__SEALED) return now.steady;
    full &= ~LLIM__TAG;
    uint64_t window = llim__fine(step->shape->window_ns), guard = llim__fine(step->shape->guard_ns), at;
    uint64_t cost = llim__bucket_cost(step, step->amount);
    if (step->amount == 0)
        at = full - window;
    else if (cost <= window - guard)
        at = full + cost - window + guard;
    else
        at = full + guard;
    int64_t rounded_up = (int64_t)((at + 15) >> 4);
    return rounded_up > now.steady ? rounded_up : now.steady;
}

/* The level, rounded up: no less than what was charged and has not refilled. */
int64_t llim__bucket_held(llim__now now, const llim__step *step)
{
    uint64_t full = at_load_acq(&step->cell->word) & ~LLIM__TAG, t = llim__fine(now.steady);
    uint64_t window = llim__fine(step->shape->window_ns);
    return full <= t ? 0 : (int64_t)(((wide)(full - t) * (uint64_t)step->limit + window - 1) / window);
}

int64_t llim__bucket_used(llim__now now, const llim__step *step, int64_t *until)
{
    uint64_t full = at_load_acq(&step->cell->word), t = llim__fine(now.steady);
    if (until) *until = now.steady;
    if (full == LLIM__SEALED) return step->limit;
    full &= ~LLIM__TAG;
    if (full <= t) return 0;
    if (until) *until = (int64_t)((full + 15) >> 4);
    /* Rounded up, but not because the costs of many charges were: 64 ns of them are let off, if that is less than one. */
    uint64_t left = full - t, slack = 1024, window = llim__fine(step->shape->window_ns);
    left = left > slack ? left - slack : (uint64_t)(left >= window / (uint64_t)step->limit);
    return (int64_t)(((wide)left * (uint64_t)step->limit + window - 1) / window);
}

void llim__bucket_resize(llim__now now, const llim__shape *shape, int64_t before, int64_t after, uint64_t words[2])
{
    words[1] = unit_cost(shape, after);
    uint64_t t = llim__fine(now.steady), tag = (words[0] + 1) & LLIM__TAG;
    words[0] &= ~LLIM__TAG;
    /* Never the word that it was: a decision that was planned on that has another cost. */
    if (words[0] <= t) {
        uint64_t idle = llim__fine(now.steady - shape->guard_ns);
        words[0] = (words[0] < idle ? idle : words[0]) | tag;
        return;
    }
    wide left = ((wide)(words[0] - t) * (uint64_t)before + (uint64_t)after - 1) / (uint64_t)after;
    words[0] = t + (left < LLIM__LONGEST ? ((uint64_t)left + LLIM__TAG) & ~LLIM__TAG : LLIM__LONGEST);
    words[0] |= tag;
}

void llim__bucket_start(llim__now now, const llim__step *step, int64_t used, uint64_t words[2])
{
    uint64_t cost = wide_cost(llim__fine(step->shape->window_ns), (uint64_t)used, (uint64_t)step->limit);
    /* An empty bucket has been so for its guard. */
    words[0] = used > 0 ? llim__fine(now.steady) + cost : llim__fine(now.steady - step->shape->guard_ns);
    words[0] |= step->identity & LLIM__TAG;
    words[1] = unit_cost(step->shape, step->limit);
}
