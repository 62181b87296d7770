/* calls.h - calls in flight, to be ended in the order in which they end: a binary heap. */
#ifndef LLIM_CLI_CALLS_H
#define LLIM_CLI_CALLS_H

#include "llm_limiters_core.h"

typedef struct cli_call {
    int64_t end_ns;
    uint32_t row; /* of the trace; of two that end together the first of the trace comes first */
    llim_permit permit;
} cli_call;

typedef struct cli_calls {
    cli_call *heap;
    uint32_t n, cap;
} cli_calls;

void cli_calls_add(cli_calls *calls, const cli_call *call);

/* When the next one ends; INT64_MAX: none is in flight. */
int64_t cli_calls_next(const cli_calls *calls);

/* Takes out that one; there must be one. */
void cli_calls_take(cli_calls *calls, cli_call *call);

void cli_calls_free(cli_calls *calls);

#endif
