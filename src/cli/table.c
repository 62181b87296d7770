/*
 * table.c - see table.h. Widths count UTF-8 characters, not bytes.
 */
#include "cli/table.h"

#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>

static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void cli_table_add(cli_table *table, int n, ...)
{
    table->cells = cli_resize(table->cells, ((size_t)table->rows + 1) * CLI_TABLE_COLUMNS, sizeof *table->cells);
    char **row = &table->cells[(size_t)table->rows++ * CLI_TABLE_COLUMNS];
    va_list cells;
    va_start(cells, n);
    for (int i = 0; i < CLI_TABLE_COLUMNS; i++) row[i] = i < n ? cli_copy(va_arg(cells, const char *)) : NULL;
    va_end(cells);
}

void cli_table_write(cli_table *table, FILE *out)
{
    int width[CLI_TABLE_COLUMNS] = {0};
    size_t n = (size_t)table->rows * CLI_TABLE_COLUMNS;
    for (size_t i = 0; i < n; i++) {
        int w = table->cells[i] ? width_of(table->cells[i]) : 0;
        if (w > width[i % CLI_TABLE_COLUMNS]) width[i % CLI_TABLE_COLUMNS] = w;
    }
    for (size_t i = 0; i < n; i++) {
        const char *cell = table->cells[i];
        size_t column = i % CLI_TABLE_COLUMNS;
        if (cell) {
            int pad = width[column] - width_of(cell);
            if (column) fprintf(out, "  %*s", pad, "");
            fputs(cell, out);
            if (!column) fprintf(out, "%*s", pad, "");
        }
        if (column == CLI_TABLE_COLUMNS - 1) putc('\n', out);
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (cli_table){0};
}

const char *cli_count_text(int64_t value, char text[CLI_COUNT_TEXT])
{
    char digits[CLI_COUNT_TEXT];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value), k = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0 && digits[i - 1] != '-') text[k++] = ',';
        text[k++] = digits[i];
    }
    text[k] = 0;
    return text;
}

const char *cli_time_text(int64_t ns, char text[CLI_TIME_TEXT])
{
    const long long s = (ns + 999999999) / 1000000000; /* a wait is never shown as shorter than it is */
    if (s < 60)
        snprintf(text, CLI_TIME_TEXT, "%.1f s", (double)(ns / 100000000 + (ns % 100000000 > 0)) / 10);
    else if (s < 3600)
        snprintf(text, CLI_TIME_TEXT, "%lld min %02lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, CLI_TIME_TEXT, "%lld h %02lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(text, CLI_TIME_TEXT, "%lld d %02lld h", s / 86400, s % 86400 / 3600);
    return text;
}
