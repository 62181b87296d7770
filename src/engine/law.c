/* law.c - picks the law of a step by its shape. See law.h. */
#include "engine/journal.h"
#include "engine/laws.h"
#include "engine/writer.h"

int llim__law_study(llim_zone *zone, llim__now now, llim__step *step)
{
    step->more = false;
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_plan(zone, now, step);
    case LLIM_CALENDAR:
        return llim__period_plan(zone, now, step);
    default:
        return llim__gauge_plan(zone, now, step);
    }
}

int llim__law_plan(llim_zone *zone, llim__now now, llim__step *step)
{
    const uint64_t config = LLIM__CONFIG(step->shape - zone->shape, step->limit);
    step->more = false;
    int code = llim__law_glance(zone, now, step->cell, config, step->amount, &step->swap);
    return code == LLIM__UNSURE ? llim__law_study(zone, now, step) : code;
}

int llim__law_commit(llim_zone *zone, llim__now now, llim__step *step)
{
    llim__swap *swap = &step->swap;
    if (!step->more) return at_cas_acqrel(swap->word, &swap->expected, swap->desired) ? LLIM_OK : LLIM__RETRY;
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_move(zone, step);
    case LLIM_CALENDAR:
        return llim__period_commit(zone, step);
    default:
        return llim__gauge_commit(zone, now, step);
    }
}

int llim__limits_read(llim_zone *zone, llim__row *row, uint32_t epoch, llim__limits *limits)
{
    for (;;) {
        uint64_t state = at_load_acq(&row->state);
        if (LLIM__STATE_EPOCH(state) != epoch || !(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return LLIM_ENOTFOUND;
        if (LLIM__STATE_FLAGS(state) & LLIM__CHANGING) {
            int code = llim__writer_wait(zone);
            if (code) return code;
            continue;
        }
        limits->state = state;
        limits->n = LLIM__STATE_LIMITS(state);
        limits->identity = at_load_acq(&row->identity);
        for (uint32_t i = 0; i < limits->n; i++) {
            llim__step_aim(zone, row, state, limits->identity, i, &limits->step[i]);
            limits->born[i] = at_load_acq(llim__row_born(zone, row, i));
        }
        if (at_load_acq(&row->state) == state) return LLIM_OK;
    }
}

int llim__step_again(llim_zone *zone, llim__step *step)
{
    llim__limits limits;
    int code = llim__writer_wait(zone);
    if (!code) code = llim__limits_read(zone, step->row, LLIM__STATE_EPOCH(step->state), &limits);
    if (code) return code;
    uint32_t i = 0;
    while (i < limits.n && limits.step[i].cell != step->cell) i++;
    if (i == limits.n || llim__born_after(limits.born[i], step->identity)) return LLIM_ENOTFOUND;
    step->state = limits.step[i].state;
    step->shape = limits.step[i].shape;
    step->limit = limits.step[i].limit;
    return step->shape->law != LLIM__NO_LIMIT ? LLIM_OK : LLIM_ENOTFOUND;
}

/* A limit that has taken the place of the step's keeps the charge until its window ends, and so does one whose writer stands. */
void llim__law_undo(llim_zone *zone, llim__now now, llim__step *step)
{
    if (step->shape->law == LLIM_GAUGE) {
        llim__gauge_release(zone, now, step->lease);
    } else if (step->shape->law == LLIM_CALENDAR) {
        llim__period_undo(zone, step);
    } else {
        while (llim__law_give_back(zone, now, step, step->amount, 0) == LLIM__WAIT)
            if (llim__step_again(zone, step)) return;
    }
}

int llim__law_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t before, int64_t after)
{
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_give_back(zone, then, step, before - after);
    case LLIM_CALENDAR:
        return llim__period_give_back(zone, then, step, before - after);
    case LLIM_BUCKET:
        return llim__bucket_give_back(zone, then, step, before, after);
    default:
        return LLIM_OK; /* a gauge gives back its leases */
    }
}

int llim__law_add_debt(llim_zone *zone, llim__now now, llim__now then, llim__step *step, int64_t amount, bool fresh)
{
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_add_debt(zone, now, step, amount);
    case LLIM_CALENDAR:
        return fresh ? llim__period_record(zone, now, step, amount)
                     : llim__period_add_debt(zone, now, then, step, amount);
    case LLIM_BUCKET:
        return llim__bucket_add_debt(now, step, amount);
    default:
        return LLIM_OK;
    }
}

int64_t llim__law_earliest(llim_zone *zone, llim__now now, const llim__step *step)
{
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_earliest(zone, now, step);
    case LLIM_CALENDAR:
        return llim__period_earliest(zone, now, step);
    case LLIM_BUCKET:
        return llim__bucket_earliest(now, step);
    case LLIM_GAUGE:
        return llim__gauge_earliest(zone, now, step);
    default:
        return now.steady;
    }
}

int64_t llim__law_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until)
{
    switch (step->shape->law) {
    case LLIM_SLIDING:
        return llim__sliding_used(zone, now, step, until);
    case LLIM_CALENDAR:
        return llim__period_used(zone, now, step, until);
    case LLIM_BUCKET:
        return llim__bucket_used(now, step, until);
    case LLIM_GAUGE:
        return llim__gauge_used(zone, now, step, until);
    default:
        if (until) *until = now.steady;
        return 0;
    }
}

bool llim__law_seal(llim_zone *zone, llim__now now, const llim__step *step, uint32_t i, bool idle, uint64_t words[2],
                    int64_t *used)
{
    at_u64 *place[2] = {&step->cell->word, &step->cell->aux};
    int n = step->shape->law == LLIM_CALENDAR ? 2 : 1;
    for (int k = 0; k < n; k++) {
        words[k] = at_load_acq(place[k]);
        do llim__journal_note(zone, i, k, words[k]);
        while (!at_cas_acqrel(place[k], &words[k], LLIM__SEALED));
    }
    if (n == 1) words[1] = at_load_acq(place[1]); /* behind the seal: a decider may have raised a reach before it */
    /* What it holds is what its words say, and they are not in the cell any more. */
    llim__cell copy;
    atomic_init(&copy.config, at_load_rlx(&step->cell->config));
    atomic_init(&copy.word, words[0]);
    atomic_init(&copy.aux, words[1]);
    llim__step sealed = *step;
    sealed.cell = &copy;
    *used =
        step->shape->law == LLIM_BUCKET ? llim__bucket_held(now, &sealed) : llim__law_used(zone, now, &sealed, NULL);
    bool nothing = step->shape->law == LLIM_CALENDAR ? llim__period_is_idle(zone, now, step->shape, words) : *used == 0;
    if (!idle || nothing) return true;
    llim__law_unseal(step, words);
    return false;
}

void llim__law_unseal(const llim__step *step, const uint64_t words[2])
{
    /* A decider that has read the head before the seal may have raised a reach behind it. */
    if (step->shape->law != LLIM_SLIDING) at_store_rel(&step->cell->aux, words[1]);
    at_store_rel(&step->cell->word, words[0]);
}

void llim__law_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2])
{
    switch (step->shape->law) {
    case LLIM_SLIDING:
        llim__sliding_start(zone, now, step, used, words);
        break;
    case LLIM_CALENDAR:
        llim__period_start(zone, now, step, used, words);
        break;
    case LLIM_BUCKET:
        llim__bucket_start(now, step, used, words);
        break;
    default:
        llim__gauge_start(step, used, words);
    }
}
