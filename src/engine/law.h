/*
 * law.h - what every law of counting can do. law.c picks the law by the cell's shape; one file holds each.
 *
 * A decision has two halves, so that a refusal changes nothing. plan reads the cell and fills a step: what the words are and
 * what they would become. commit makes one step true by compare-and-swap, and says so when a word has changed meanwhile:
 * the caller plans that step again. undo gives a committed step back because another limit has refused. A glance is a plan
 * of the usual case in a few instructions: one swap, no step.
 */
#ifndef LLIM_ENGINE_LAW_H
#define LLIM_ENGINE_LAW_H

#include "engine/zone.h"

/* Beside LLIM_OK, LLIM_LATER, LLIM_NEVER: a writer has sealed the row; a word has changed since it was planned; it fits, and
   there is nothing to commit; a glance does not tell; somebody with a later clock has been there, so read it again. */
enum { LLIM__WAIT = 1, LLIM__RETRY = 2, LLIM__NOTHING = 3, LLIM__UNSURE = 4, LLIM__STALE = 5 };

/* What nearly every decision comes to for a limit. */
typedef struct llim__swap {
    at_u64 *word;
    uint64_t expected, desired;
} llim__swap;

typedef struct llim__step {
    llim__cell *cell;
    const llim__shape *shape;
    llim__row *row;
    uint64_t state;    /* of the row, before its config was read */
    uint32_t identity; /* of the row, by then: a limit like this one that was born later is another one */
    int64_t limit;
    int64_t amount;
    llim__swap swap; /* what a commit swaps */
    bool more;       /* that is not all: what follows is filled in for the law's own commit, and only then */
    uint64_t aux;    /* sliding: as it was planned with */
    union {
        struct {
            int64_t from_slot, to_slot; /* sliding: where the head is and goes */
        };
        struct {
            at_u64 *other; /* calendar near a boundary: the second period's word */
            uint64_t other_expected, other_desired;
        };
        llim_lease lease; /* gauge */
    };
} llim__step;

/* Aims a step at the i-th limit of a row, with no amount yet. state and identity were read before. What a law fills in by
   itself is left as it is. */
static inline void llim__step_aim(llim_zone *zone, llim__row *row, uint64_t state, uint32_t identity, uint32_t i,
                                  llim__step *step)
{
    llim__cell *cell = llim__row_cell(zone, row, i);
    uint64_t config = at_load_acq(&cell->config);
    step->cell = cell;
    step->row = row;
    step->state = state;
    step->identity = identity;
    step->shape = llim__cell_shape(zone, config);
    step->limit = LLIM__CONFIG_AMOUNT(config);
}

/* The i-th limit of a row, where speed does not matter. */
static inline llim__step llim__step_at(llim_zone *zone, llim__row *row, uint32_t i)
{
    llim__step step = {.amount = 0};
    uint64_t state = at_load_acq(&row->state);
    llim__step_aim(zone, row, state, at_load_acq(&row->identity), i, &step);
    return step;
}

/* Whether a writer has changed or recycled the row since the step was aimed. To be asked after a word was read and before
   it is swapped: a word that was read while the row was as before cannot be swapped later, since the writer seals it. */
static inline bool llim__step_stale(const llim__step *step)
{
    return at_load_acq(&step->row->state) != step->state;
}

/* Whether the row has gone to another scope since. */
static inline bool llim__step_is_anothers(const llim__step *step)
{
    return LLIM__STATE_EPOCH(at_load_acq(&step->row->state)) != LLIM__STATE_EPOCH(step->state);
}

/* All limits of a row, as they were at one moment. */
typedef struct llim__limits {
    uint64_t state;
    uint32_t n, identity;
    llim__step step[LLIM_MAX_LIMITS]; /* with no amount */
    uint32_t born[LLIM_MAX_LIMITS];
} llim__limits;

/* Waits for a writer that is at work on the row. LLIM_ENOTFOUND: it was recycled; else as llim__writer_wait(). */
int llim__limits_read(llim_zone *zone, llim__row *row, uint32_t epoch, llim__limits *limits);

static inline bool llim__born_after(uint32_t born, uint32_t identity)
{
    return (int32_t)(born - identity) > 0;
}

/* Behind LLIM__WAIT: waits for the writer and aims the step at the same limit again. LLIM_ENOTFOUND: it is gone; one like it may
   have come since. Else as llim__writer_wait(). */
int llim__step_again(llim_zone *zone, llim__step *step);

/* An aimed step with its amount. LLIM_OK: it fits; LLIM__NOTHING, LLIM_LATER, LLIM_NEVER, LLIM__WAIT, LLIM__STALE. Writes
   nothing but the step; a full gauge ends leases of dead processes. */
int llim__law_plan(llim_zone *zone, llim__now now, llim__step *step);
/* The same behind a glance that was unsure. */
int llim__law_study(llim_zone *zone, llim__now now, llim__step *step);
/* LLIM_OK; LLIM__RETRY; LLIM__WAIT; LLIM_EFULL: no lease is left. */
int llim__law_commit(llim_zone *zone, llim__now now, llim__step *step);
void llim__law_undo(llim_zone *zone, llim__now now, llim__step *step);

/* Corrects a charge of before made at then to after, after < before: each law's file tells its rule. LLIM_OK, LLIM__WAIT;
   nothing has changed if it is what llim__writer_wait() says. */
int llim__law_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t before, int64_t after);
/* Charges what nobody reserved. fresh: charged now, by no permit; else a settlement above its reservation of then.
   Results likewise. */
int llim__law_add_debt(llim_zone *zone, llim__now now, llim__now then, llim__step *step, int64_t amount, bool fresh);

/* The earliest zone time >= now at which the step's amount fits, if nothing else happens; INT64_MAX if never. */
int64_t llim__law_earliest(llim_zone *zone, llim__now now, const llim__step *step);
/* What is used now, and from when on nothing will be; until may be NULL. */
int64_t llim__law_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until);

/* Under the lock: seals the words of the row's i-th cell, as the journal says, and tells what they were and how much they
   held at that moment. With idle set a cell that holds something is unsealed again: false. */
bool llim__law_seal(llim_zone *zone, llim__now now, const llim__step *step, uint32_t i, bool idle, uint64_t words[2],
                    int64_t *used);
/* Gives the cell these words; from then on it decides. */
void llim__law_unseal(const llim__step *step, const uint64_t words[2]);
/* Words of a cell that starts with used charged now. aux is final, word is to be stored last. */
void llim__law_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2]);

#endif
