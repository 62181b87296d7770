/*
 * replay.h - a trace through a limiter in virtual time: the state of one run and what became of each request.
 *
 * At any instant the waiting are served before those who arrive, each in the order of arrival, and whoever fits goes: a
 * small request may pass a large one, and one that is refused by the policy alone asks again after a tenth of a second. A request that cannot go until its deadline expires then; one that never fits ends
 * on arrival. An admitted request is settled at once with what it reserved, so that only time gives anything back.
 *
 * With unknown outputs a request declares its input alone and is in flight for CALL_NS and a second for every CALL_TOKENS of
 * its output, at most CALL_MOST_NS; then it is settled by what it used, and the waiting are asked again. A provider of each
 * model counts what it will have used when it arrives. What that refuses is rejected, its model cools as long as the provider
 * says, and the request goes on along its list, or waits.
 */
#ifndef LLIM_CLI_REPLAY_H
#define LLIM_CLI_REPLAY_H

#include "cli/calls.h"
#include "cli/names.h"
#include "cli/provider.h"
#include "cli/queue.h"
#include "cli/trace.h"
#include "cli/watch.h"
#include "llm_limiters.h"

/* What the command line asks for. */
typedef struct cli_setup {
    const char *trace;  /* a path, or "-"; once it is open, what messages call it */
    const char *log;    /* a path, or NULL */
    const char *shadow; /* likewise */
    const char **models;
    uint32_t n_models;
    bool json;
    bool in_shadow;   /* a model may be unknown, which is the fate of its requests: CLI_UNKNOWN */
    bool unknown;     /* outputs are not declared */
    int32_t provider; /* with unknown: how it counts, enum llim_law */
    llim_options limiter;
    int64_t deadline_ns;
    double deadline, guard, speed, demand; /* as given */
} cli_setup;

#define CALL_NS      ((int64_t)LLIM_SECOND)
#define CALL_TOKENS  50
#define CALL_MOST_NS (3600 * (int64_t)LLIM_SECOND)

enum cli_outcome { CLI_WAITING, CLI_ADMITTED, CLI_EXPIRED, CLI_NEVER, CLI_UNKNOWN };

typedef struct cli_fate {
    int64_t decided_ns; /* since the first row of the trace */
    uint32_t model;     /* that admitted it */
    uint32_t reason;    /* of its first refusal, a number in the run's names; or CLI_NONE */
    int32_t outcome;
} cli_fate;

typedef struct cli_model {
    llim_model_info info; /* its strings live as long as the limiter */
    uint32_t watch;       /* which models of one family share */
} cli_model;

/* Models to choose from in the order of preference, and the parties that wait for one of them. */
typedef struct cli_choice {
    const char **names;
    uint32_t *models;
    uint32_t n; /* 0: one of them is unknown */
    cli_queue parties;
} cli_choice;

/* A group of the trace at run time: its requests differ in their amounts only. */
typedef struct cli_party {
    uint32_t choice;
    uint32_t scope; /* CLI_NONE: only the model's limits */
    cli_queue waiting;
} cli_party;

typedef struct cli_scope {
    llim_row row;
    uint32_t watch; /* CLI_NONE: the overrides do not limit it */
} cli_scope;

typedef struct cli_run {
    const cli_setup *setup;
    const cli_trace *trace;
    llim_limiter *limiter;
    cli_fate *fates; /* by row of the trace */
    cli_names reasons;
    cli_model *models;
    uint32_t n_models;
    cli_watch *watches; /* of models first, then of scopes */
    uint32_t n_watches, n_model_watches;
    cli_choice *choices;
    uint32_t n_choices;
    cli_party *parties;
    cli_scope *scopes;
    cli_names scope_names;
    uint32_t *row_place, *party_place;
    cli_provider *providers; /* by watch of models */
    cli_calls calls;         /* with unknown outputs only */
    uint64_t sent, answered_429;
    int64_t now_ns;
    int code; /* the first error, for the callbacks of queues */
    llim_error err;
} cli_run;

/* Finds models and scopes (cast.c). 0, or an error in run->err. The caller ends the run by cli_run_close() either way. */
int cli_run_open(cli_run *run, const cli_setup *setup, const cli_trace *trace, llim_limiter *limiter);

void cli_run_close(cli_run *run);

/* Plays the trace to its end (replay.c). 0, or an error in run->err. */
int cli_replay(cli_run *run);

/* What a row of the trace charges; ctx is the run. */
void cli_row_charge(const void *ctx, uint32_t row, llim_charge *charge);

#endif
