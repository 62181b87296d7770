/* full.c - tells the log that a zone will soon refuse what is new. */
#include <stdio.h>

#include "engine/rows.h"
#include "host/limiter.h"

/* Told once, and again only after it was well below. */
void llim__limiter_warn_full(llim_limiter *limiter, bool leases)
{
    enum { FULL = 90, WELL_BELOW = 80 };
    llim_zone_stats stats;
    const char *what;
    if (leases && at_load_rlx(&limiter->warned_full)) return;
    if (leases)
        llim_zone_get_stats(limiter->zone, &stats);
    else
        llim__zone_stats(limiter->zone, &stats);
    const uint32_t full = llim_zone_full(&stats, &what);
    if (full < WELL_BELOW && !leases) at_store_rlx(&limiter->warned_full, 0);
    if (full < FULL || !limiter->log || at_swap(&limiter->warned_full, 1)) return;
    char text[160];
    snprintf(text, sizeof text,
             "the zone is nearly full: %u %% of its %s are taken; when all are, what needs one more is refused", full,
             what);
    limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, text);
}
