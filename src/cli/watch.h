/*
 * watch.h - the use of one row's limits as the simulator counts it, apart from the engine.
 *
 * For sliding and bucket limits the peak is the greatest sum admitted in any half-open interval of the nominal window, from
 * the list of admissions alone. Calendar and gauge limits are asked of the row after each admission. Meters that nothing
 * limits are counted per minute all the same: an amount of 0 says so.
 */
#ifndef LLIM_CLI_WATCH_H
#define LLIM_CLI_WATCH_H

#include "llm_limiters_core.h"

#include <stdbool.h>

typedef struct cli_peak {
    llim_limit limit;
    int64_t peak;
    int64_t sum;   /* in the window that ends now */
    uint32_t tail; /* the first admission in it */
} cli_peak;

typedef struct cli_admission {
    int64_t at_ns;
    uint32_t row; /* of the trace */
} cli_admission;

typedef struct cli_watch {
    char *name; /* of a model, or a scope */
    llim_row row;
    bool asks; /* has a calendar or gauge limit */
    uint32_t n_peaks;
    cli_peak *peaks;
    cli_admission *admissions;
    uint32_t n, cap;
} cli_watch;

/* What one row of the trace charges, for the admissions that leave a window. */
typedef void (*cli_charge_fn)(const void *ctx, uint32_t row, llim_charge *charge);

/* Starts to watch a row; name is copied. What a model does not limit is watched too, what a scope does not is not. */
int cli_watch_open(cli_watch *watch, llim_zone *zone, llim_row row, const char *name, bool is_model);

/* Notes an admission at that instant, before it is settled. */
void cli_watch_note(cli_watch *watch, llim_zone *zone, const cli_admission *admission, cli_charge_fn charge,
                    const void *ctx);

void cli_watch_close(cli_watch *watch);

/* "requests/min", "tokens/day", "input_tokens/90s". */
void cli_limit_text(int meter, int law, int unit, int64_t window_ns, char *out, size_t cap);

#endif
