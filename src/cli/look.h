/*
 * look.h - what a zone is like at one moment, copied out of it: for status and top, which show it.
 */
#ifndef LLIM_CLI_LOOK_H
#define LLIM_CLI_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "llm_limiters_core.h"

/* What is counted of a model, in the order of its columns. */
enum cli_counts { CLI_COUNT_ADMITTED, CLI_COUNT_REFUSED, CLI_COUNT_LIMITED, CLI_COUNTS };

typedef struct cli_scope {
    llim_row row;
    char name[LLIM_SCOPE_SHOWN];
    uint32_t first, n_limits; /* in the look's usage */
    uint32_t generation, strikes;
    int64_t cooling_ns;
    uint64_t count[CLI_COUNTS];
    double rate[CLI_COUNTS]; /* per second since the look before; negative: not known */
    bool noted;              /* it has counts and strikes */
    bool busy;               /* a writer was at work on it, so that its limits are not known */
    double use;              /* of its fullest limit: 1 is all */
} cli_scope;

typedef struct cli_look {
    int64_t steady_ns, wall_ns;
    llim_zone_stats stats;
    cli_scope *scopes; /* by row */
    uint32_t n;
    llim_usage *usage;
    uint32_t n_usage, usage_room;
} cli_look;

/* Opens the zone in a file, whose name is borrowed, for reading alone. NULL: it was told why not. */
llim_zone *cli_look_open(const char *path);

/* Looks at the scopes whose names begin with prefix. before, if it is not NULL, tells the rates. */
void cli_look_at(llim_zone *zone, const char *prefix, const cli_look *before, cli_look *look);
void cli_look_free(cli_look *look);

/* What share of a limit is used. */
double cli_use(const llim_usage *usage);

/* Whether the zone is nearly full. */
bool cli_nearly_full(const llim_zone_stats *stats);

#endif
