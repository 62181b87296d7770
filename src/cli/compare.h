/*
 * compare.h - in what the quotas of two limiters differ: model by model, limit by limit.
 */
#ifndef LLIM_CLI_COMPARE_H
#define LLIM_CLI_COMPARE_H

#include <stdbool.h>

#include "llm_limiters.h"

typedef struct cli_difference {
    int32_t modality; /* enum llim_modality */
    char *model;
    char limit[64];     /* "requests/min"; "" when it is about the whole model */
    const char *change; /* "added", "removed", "raised", "lowered", "changed", "blocked", "unblocked" */
    char
        before[128]; /* amount and law; of a changed one, guard and what it is charged with too; "" if there was none */
    char after[128];
} cli_difference;

typedef struct cli_differences {
    cli_difference *items;
    uint32_t n;
} cli_differences;

/* Adds what after has otherwise than before, which may be NULL: nothing. own: only models of providers that after has. */
void cli_compare(llim_limiter *before, llim_limiter *after, int32_t modality, bool own, cli_differences *out);

void cli_differences_free(cli_differences *d);

#endif
