/*
 * shadow.h - a candidate beside the quotas and the policy of a run: the same trace through both, request by request.
 */
#ifndef LLIM_CLI_SHADOW_H
#define LLIM_CLI_SHADOW_H

#include "cli/replay.h"

/* A model of either run. */
typedef struct cli_shadow_model {
    const char *name; /* the run's */
    uint64_t here, there;
} cli_shadow_model;

/* The kinds add up to the requests of the trace. */
typedef struct cli_shadow {
    const char *path; /* of the candidate */
    const char *kind; /* "a policy" */
    uint64_t same;
    uint64_t only_here, only_there; /* admitted by one */
    uint64_t other_model;
    uint64_t other_wait;     /* admitted to the same model, but not in the same millisecond after it came */
    uint64_t never_or_later; /* admitted by neither, of which one will never */
    uint64_t unknown_model;  /* the candidate does not know a model of its list */
    uint64_t admitted_here, admitted_there;
    cli_shadow_model *models;
    uint32_t n_models;
} cli_shadow;

/* Compares two runs that have been played. The caller ends it by cli_shadow_free(), before the runs. */
void cli_shadow_compare(const cli_run *here, const cli_run *there, cli_shadow *out);

void cli_shadow_free(cli_shadow *shadow);

#endif
