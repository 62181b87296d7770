/*
 * instant.h - instants as traces write them: timestamps, and decimal seconds.
 *
 * Nanoseconds since 1970 UTC (or since anything, for seconds) in years 1970 .. 2199; nothing depends on the host's locale
 * or time zone.
 */
#ifndef LLIM_CLI_INSTANT_H
#define LLIM_CLI_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_INSTANT_END 7258118400 /* 2200-01-01, seconds: the first instant that is too late */

/* "2023-11-16 18:17:03.9799600", also with a T between, or Z or +00:00 at the end. Digits after the ninth are dropped. */
bool cli_timestamp(const char *text, int64_t *ns);

/* "12", "12.5". Digits after the ninth are dropped. */
bool cli_seconds(const char *text, int64_t *ns);

/* Writes a timestamp with seven decimals, what follows them cut off, as the Azure traces have it. */
void cli_timestamp_text(int64_t ns, char *out, size_t cap);

#endif
