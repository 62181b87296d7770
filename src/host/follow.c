/*
 * follow.c - one generation for all processes of a zone: what this one puts in force, and what it meets of others.
 *
 * A decision notices another number by one load and wakes the watch, which reads the files again. If these say what the others
 * have put in force, this process has followed; if they say what it has already, its files differ from those of the others,
 * which is told once: it goes on by its own names, prices and policy, and by the limits that the rows have.
 */
#include <stdio.h>

#include "base/error.h"
#include "host/limiter.h"

/* One thread wakes it. */
void llim__limiter_notice(llim_limiter *limiter)
{
    uint32_t met = at_load_rlx(&limiter->noticed);
    const uint32_t number = at_load_acq(&limiter->shared->number);
    if (met != number && at_cas_u32(&limiter->noticed, &met, number)) llim__watch_wake(limiter);
}

uint32_t llim__limiter_number(const llim_limiter *limiter, const llim__set *set)
{
    if (limiter->shared) return llim__generation_next(limiter->shared, set->hash);
    return limiter->set == set ? 1 : at_load_rlx(&limiter->set->generation) + 1;
}

static void tell_conflict(llim_limiter *limiter, const llim__set *set, uint32_t number)
{
    char text[256];
    pthread_mutex_lock(&limiter->lock);
    limiter->status.conflicts++;
    pthread_mutex_unlock(&limiter->lock);
    if (!limiter->log) return;
    snprintf(text, sizeof text,
             "generation %u of the zone has other contents (hash %016llx) than the files of this process (%016llx); "
             "the limits that the zone's rows have rule",
             (unsigned)number, (unsigned long long)at_load_acq(&limiter->shared->content),
             (unsigned long long)set->hash);
    limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, text);
}

void llim__limiter_publish(llim_limiter *limiter, llim__set *set)
{
    llim__generation *g = limiter->shared;
    bool same = true;
    if (!g) return;
    const uint32_t mine = at_load_rlx(&set->generation);
    if (llim__generation_enter(limiter->zone, g, mine, set->hash, &same))
        same = true; /* others learn of it at the next reload */
    const uint32_t number = at_load_acq(&g->number);
    at_store_rlx(&limiter->noticed, number);
    if (same) {
        limiter->compared = mine;
        return;
    }
    if (number == limiter->compared) return;
    limiter->compared = number;
    if (at_load_acq(&g->content) == set->hash)
        at_store_rlx(&set->generation, number); /* others have come back to it */
    else
        tell_conflict(limiter, set, number);
}

bool llim__limiter_is_behind(const llim_limiter *limiter)
{
    return limiter->shared && at_load_acq(&limiter->shared->number) != limiter->compared;
}
