/*
 * provider.h - an exact provider for the simulator: what a model's provider has counted, and whether it takes one more call.
 *
 * It knows what a call will have used when the call arrives, keeps the list of what it took, and shares nothing with the engine:
 * what the engine decides is judged by it. It knows no guard. A call that is refused for its tokens still counts as a request,
 * as with OpenAI. Limits per calendar period of the quotas, and gauges, are not judged.
 */
#ifndef LLIM_CLI_PROVIDER_H
#define LLIM_CLI_PROVIDER_H

#include "llm_limiters_core.h"

#include <stdbool.h>

__extension__ typedef __int128 cli_wide;

typedef struct cli_arrival {
    int64_t at_ns, amount;
} cli_arrival;

/* One limit as the provider counts it. */
typedef struct cli_count {
    int32_t meter, law;
    int64_t limit, window_ns;
    int64_t sum; /* sliding: of the arrivals from tail on; calendar: of the period */
    int64_t period;
    cli_arrival *arrivals;
    uint32_t n, cap, tail;
    cli_wide level; /* bucket, of at_ns: what has not refilled, times the window */
    int64_t at_ns;
} cli_count;

typedef struct cli_provider {
    cli_count count[LLIM_MAX_LIMITS];
    uint32_t n;
} cli_provider;

/* Counts what these limits of one row limit, by the given law: LLIM_SLIDING, LLIM_BUCKET, or LLIM_CALENDAR, which cuts time at
   the multiples of the window since 1970, UTC. */
void cli_provider_open(cli_provider *provider, const llim_usage *limits, uint32_t n, int32_t law);

/* A call arrives, on or after the one before. True: it counts. False: it is refused, and *wait_ns later it would not be if
   nothing else happened; INT64_MAX: never. */
bool cli_provider_take(cli_provider *provider, int64_t at_ns, int64_t wall_ns, const llim_charge *used,
                       int64_t *wait_ns);

void cli_provider_close(cli_provider *provider);

#endif
