/* full.c - tells the log that a zone will soon refuse what is new. */
#include <stdio.h>

#include "engine/rows.h"
#include "host/limiter.h"

enum { FULL = 90, WELL_BELOW = 80 };

static void warn(llim_limiter *limiter, int part, const llim__part *now)
{
    at_u32 *warned = &limiter->warned_full[part];
    char text[160];
    if (now->full < WELL_BELOW) at_store_rlx(warned, 0);
    if (now->full < FULL || at_swap(warned, 1)) return;
    snprintf(text, sizeof text,
             "the zone is nearly full: %u %% of its %s are taken; when all are, what needs one more is refused",
             now->full, now->name);
    limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, text);
}

void llim__limiter_warn_full(llim_limiter *limiter)
{
    llim_zone_stats stats;
    llim__part parts[LLIM__PARTS];
    if (!limiter->log) return;
    llim__zone_stats(limiter->zone, &stats);
    llim__zone_parts(&stats, parts);
    for (int i = 0; i < LLIM__PARTS; i++)
        if (i != LLIM__LEASES) warn(limiter, i, &parts[i]);
}

/* Counting them takes a look at each, so only where that may be told. */
void llim__limiter_warn_leases(llim_limiter *limiter)
{
    llim_zone_stats stats;
    llim__part parts[LLIM__PARTS];
    if (!limiter->log || at_load_rlx(&limiter->warned_full[LLIM__LEASES])) return;
    llim_zone_get_stats(limiter->zone, &stats);
    llim__zone_parts(&stats, parts);
    warn(limiter, LLIM__LEASES, &parts[LLIM__LEASES]);
}
