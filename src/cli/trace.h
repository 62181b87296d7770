/*
 * trace.h - a trace of requests: when each came, how many tokens it used, and for which model and scope.
 *
 * Two CSV forms, told apart by their header:
 *   TIMESTAMP,ContextTokens,GeneratedTokens     the Azure LLM inference traces
 *   time,tokens[,model][,scope]                 time in seconds, or as a timestamp; model and scope may be empty
 * Lines end in LF or CRLF, the last may lack its end, blank ones are skipped, quotes are not understood. Rows that are
 * out of order are sorted by time, those of one instant staying as they were.
 */
#ifndef LLIM_CLI_TRACE_H
#define LLIM_CLI_TRACE_H

#include "cli/names.h"
#include "llm_limiters_core.h"

#include <stdio.h>

/* Requests that ask for the same models and charge the same further scope. */
typedef struct cli_group {
    char *model;   /* "" where the row leaves it open */
    char *scope;   /* "" for none */
    uint32_t line; /* where it appeared first */
} cli_group;

typedef struct cli_row {
    int64_t at_ns; /* since the first row */
    int64_t tokens;
    int64_t input;  /* all tokens where the trace does not split them */
    int64_t output; /* 0 where the trace does not split them */
    uint32_t group;
    uint32_t line;
} cli_row;

typedef struct cli_trace {
    cli_row *rows;
    uint32_t n;
    uint32_t unsorted; /* rows that came before the one above them */
    cli_group *groups;
    uint32_t n_groups;
    int64_t wall_ns; /* of the first row */
} cli_trace;

/* Reads a whole trace; name is what messages call it. The caller ends *trace by cli_trace_free(), also after an error.
   LLIM_ECONFIG with file, line and field, LLIM_EIO. */
int cli_trace_read(FILE *file, const char *name, cli_trace *trace, llim_error *err);

/* Divides the gaps between arrivals, 0.001 .. 1e6, and multiplies the rows: demand is in millionths, 1000 .. 1e9; each
   row is repeated or left out so that the count keeps pace with the factor, beginning with the first row.
   LLIM_ERANGE: the trace would get too long. */
int cli_trace_shape(cli_trace *trace, double speed, uint32_t demand, llim_error *err);

void cli_trace_free(cli_trace *trace);

#endif
