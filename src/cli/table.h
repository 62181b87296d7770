/*
 * table.h - text in columns: the first to the left, the others to the right, each as wide as its widest cell; and how numbers
 * are written in them.
 */
#ifndef LLIM_CLI_TABLE_H
#define LLIM_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>

#define CLI_TABLE_COLUMNS 7

typedef struct cli_table {
    char **cells; /* by row, CLI_TABLE_COLUMNS each; NULL past the row's last */
    uint32_t rows;
} cli_table;

/* Adds a row of n cells, each a const char *, copied. */
void cli_table_add(cli_table *table, int n, ...);

/* Writes the table and empties it. */
void cli_table_write(cli_table *table, FILE *out);

/* "12,345,678", in a buffer of the caller. */
#define CLI_COUNT_TEXT 32
const char *cli_count_text(int64_t value, char text[CLI_COUNT_TEXT]);

/* What is used of a limit, or may be, 0 or more, in no more than CLI_AMOUNT columns: "12,345,678", and beyond them "123.456M"
   (then G, T, P, E: a thousand times as much each), cut and not rounded; of money "$0.0042", "$1,234.50", "$1.099M". */
#define CLI_AMOUNT      10
#define CLI_AMOUNT_TEXT 48
const char *cli_amount_text(int meter, int64_t value, char text[CLI_AMOUNT_TEXT]);

/* How long: "29.3 s", "12 min 05 s", "5 h 12 min", "3 d 04 h". */
#define CLI_TIME_TEXT 32
const char *cli_time_text(int64_t ns, char text[CLI_TIME_TEXT]);

#endif
