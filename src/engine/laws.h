/*
 * laws.h - the four laws, each in its file. law.c, they, and whoever places, decides or settles by a law's own rules include
 * this. Contracts: law.h. What a decision does for every limit is inline: picking the law, and a bucket's whole plan, which is
 * a glance.
 */
#ifndef LLIM_ENGINE_LAWS_H
#define LLIM_ENGINE_LAWS_H

#include "engine/law.h"

int llim__sliding_glance(const llim_zone *zone, int64_t t, llim__cell *cell, uint64_t config, int64_t amount,
                         llim__swap *swap);
int llim__sliding_plan(llim_zone *zone, llim__now now, llim__step *step);
int llim__sliding_move(llim_zone *zone, llim__step *step);
int llim__sliding_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t amount);
int llim__sliding_add_debt(llim_zone *zone, llim__now now, llim__step *step, int64_t amount);
int64_t llim__sliding_earliest(llim_zone *zone, llim__now now, const llim__step *step);
int64_t llim__sliding_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until);
void llim__sliding_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2]);
/* A slot that no charge is later than. */
int64_t llim__sliding_reach(const llim__step *step);
/* Whether an aux word names one of so many rings, and a slot that ends at latest then. */
bool llim__sliding_is_sound(const llim__shape *shape, uint64_t aux, uint32_t rings, int64_t latest);
/* The ring that an aux word names. */
uint64_t llim__sliding_ring(uint64_t aux);
llim__ring *llim__sliding_ring_of(const llim_zone *zone, uint64_t aux);
/* The tick of a shape, chosen once. */
uint32_t llim__sliding_tick_shift(int64_t span_ns);
/* Puts the ring of a sealed cell back to the pool. */
void llim__sliding_put_ring(llim_zone *zone, uint64_t aux, uint64_t head);

/* A cost that the cell has no whole unit for. */
uint64_t llim__bucket_divide(const llim__shape *shape, int64_t limit, int64_t amount);
int llim__bucket_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t before, int64_t after);
int llim__bucket_add_debt(llim__now now, llim__step *step, int64_t amount);
int64_t llim__bucket_earliest(llim__now now, const llim__step *step);
int64_t llim__bucket_held(llim__now now, const llim__step *step);
int64_t llim__bucket_used(llim__now now, const llim__step *step, int64_t *until);
/* The words for the same amount under another limit. */
void llim__bucket_resize(llim__now now, const llim__shape *shape, int64_t before, int64_t after, uint64_t words[2]);
void llim__bucket_start(llim__now now, const llim__step *step, int64_t used, uint64_t words[2]);

int llim__period_glance(llim_zone *zone, int64_t wall, llim__cell *cell, uint64_t config, int64_t amount,
                        llim__swap *swap);
int llim__period_plan(llim_zone *zone, llim__now now, llim__step *step);
int llim__period_commit(llim_zone *zone, llim__step *step);
void llim__period_undo(llim_zone *zone, llim__step *step);
/* Takes an amount out of the word that a swap has charged, if that was another tenant's by then. */
void llim__period_disown(llim_zone *zone, llim__row *row, at_u64 *place, uint64_t charged, int64_t amount);
/* These wait for a writer by themselves; LLIM__WAIT: the limit is gone, or its time zone is not known yet. Else what
   llim__writer_wait() says. */
int llim__period_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t amount);
int llim__period_add_debt(llim_zone *zone, llim__now now, llim__now then, llim__step *step, int64_t amount);
int llim__period_record(llim_zone *zone, llim__now now, llim__step *step, int64_t amount);
int64_t llim__period_earliest(llim_zone *zone, llim__now now, const llim__step *step);
int64_t llim__period_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until);
/* Whether no charge is of the period of now, of the one before or of a later one: a step back of the clock reopens none. */
bool llim__period_is_idle(llim_zone *zone, llim__now now, const llim__shape *shape, const uint64_t words[2]);
/* Whether these can be a limit's words: two periods never have the same id. */
bool llim__period_is_sound(const uint64_t words[2]);
/* Puts into the words of a new limit the periods of an old one that are not among them, as far as there is room. */
void llim__period_keep(const uint64_t old[2], uint64_t words[2]);
void llim__period_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2]);

int llim__gauge_plan(llim_zone *zone, llim__now now, llim__step *step);
int llim__gauge_commit(llim_zone *zone, llim__now now, llim__step *step);
void llim__gauge_start(const llim__step *step, int64_t used, uint64_t words[2]);
int64_t llim__gauge_earliest(llim_zone *zone, llim__now now, const llim__step *step);
int64_t llim__gauge_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until);
/* Whether a lease names a row. */
bool llim__gauge_is_sound(const llim_zone *zone, const llim__slot *slot);
/* Whether the count is no lower than what the leases of those that live hold, as it is but for the moment in which one is taken. */
bool llim__gauge_covers(llim_zone *zone, llim__now now, const llim__step *step);
/* Whether so many leases are free. */
bool llim__gauge_has_leases(llim_zone *zone, llim__now now, uint32_t n);
/* Ends a lease; false: it has expired or ended before. */
bool llim__gauge_release(llim_zone *zone, llim__now now, llim_lease lease);
/* Starts its time to live anew; false: it has expired. */
bool llim__gauge_renew(llim_zone *zone, llim_lease lease);

/* Sixteenths of a nanosecond. */
static inline uint64_t llim__fine(int64_t ns)
{
    return (uint64_t)ns << 4;
}

#define LLIM__LONGEST ((uint64_t)800 * 86400 * LLIM_SECOND << 4) /* debt beyond this is not counted */

#define LLIM__TAG ((uint64_t)7) /* the bits of a bucket's word that are no time; see bucket.c */

/* Where a charge at t begins. */
static inline uint64_t llim__bucket_from(uint64_t full, uint64_t t)
{
    return full > t ? full : t + (full & LLIM__TAG);
}

static inline uint64_t llim__bucket_cost(const llim__step *step, int64_t amount)
{
    int64_t unit = (int64_t)at_load_rlx(&step->cell->aux), product;
    if (!unit || __builtin_mul_overflow(unit, amount, &product))
        return llim__bucket_divide(step->shape, step->limit, amount);
    return (uint64_t)product < LLIM__LONGEST ? (uint64_t)product : LLIM__LONGEST;
}

/* Here, because a call would cost as much as what is done. */
static inline int llim__bucket_glance(llim__now now, llim__cell *cell, const llim__shape *shape, int64_t limit,
                                      int64_t amount, llim__swap *swap)
{
    if (amount > limit) return LLIM_NEVER;
    uint64_t full = at_load_acq(&cell->word), t = llim__fine(now.steady);
    if (full == LLIM__SEALED) return LLIM__WAIT;
    if (amount == 0) return full <= t + shape->window ? LLIM__NOTHING : LLIM_LATER;
    /* What is within the limit costs a window at most, so no product is too large, unless a writer has changed the cell since
       the limit was read; and then nothing is committed. */
    uint64_t unit = at_load_rlx(&cell->aux);
    uint64_t cost = unit ? unit * (uint64_t)amount : llim__bucket_divide(shape, limit, amount);
    uint64_t next = llim__bucket_from(full, t) + cost;
    *swap = (llim__swap){&cell->word, full, next};
    /* Either even a count that is late by the guard has room, or nobody can still count an earlier charge. */
    return next <= t + shape->room || full + (shape->window - shape->room) <= (t | LLIM__TAG) ? LLIM_OK : LLIM_LATER;
}

/* A limit that its config tells all about, asked for an amount: as a plan, with a swap that is all, or LLIM__UNSURE. */
static inline __attribute__((always_inline)) int llim__law_glance(llim_zone *zone, llim__now now, llim__cell *cell,
                                                                  uint64_t config, int64_t amount, llim__swap *swap)
{
    const llim__shape *shape = llim__cell_shape(zone, config);
    switch (shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_glance(zone, now.steady, cell, config, amount, swap);
    case LLIM_CALENDAR:
        return llim__period_glance(zone, now.wall, cell, config, amount, swap);
    case LLIM_BUCKET:
        return llim__bucket_glance(now, cell, shape, LLIM__CONFIG_AMOUNT(config), amount, swap);
    case LLIM_GAUGE:
        return LLIM__UNSURE;
    default:
        return LLIM__NOTHING;
    }
}

#endif
