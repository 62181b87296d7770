/* table.c - see table.h. */
#include "cli/table.h"

#include "cli/cli.h"
#include "cli/shown.h"
#include "llm_limiters_core.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cli_table_add(cli_table *table, int n, ...)
{
    table->cells = cli_resize(table->cells, ((size_t)table->rows + 1) * CLI_TABLE_COLUMNS, sizeof *table->cells);
    char **row = &table->cells[(size_t)table->rows++ * CLI_TABLE_COLUMNS];
    va_list cells;
    va_start(cells, n);
    for (int i = 0; i < CLI_TABLE_COLUMNS; i++) row[i] = i < n ? cli_copy(va_arg(cells, const char *)) : NULL;
    va_end(cells);
}

static void write_cell(const char *cell, FILE *out)
{
    const size_t cap = strlen(cell) * MB_LEN_MAX + 1;
    char *shown = cli_resize(NULL, cap, 1);
    cli_show(cell, INT_MAX, shown, cap);
    fputs(shown, out);
    free(shown);
}

void cli_table_write(cli_table *table, FILE *out)
{
    int width[CLI_TABLE_COLUMNS] = {0};
    size_t n = (size_t)table->rows * CLI_TABLE_COLUMNS;
    for (size_t i = 0; i < n; i++) {
        int w = table->cells[i] ? cli_columns(table->cells[i]) : 0;
        if (w > width[i % CLI_TABLE_COLUMNS]) width[i % CLI_TABLE_COLUMNS] = w;
    }
    for (size_t i = 0; i < n; i++) {
        const char *cell = table->cells[i];
        size_t column = i % CLI_TABLE_COLUMNS;
        if (cell) {
            int pad = width[column] - cli_columns(cell);
            if (column) fprintf(out, "  %*s", pad, "");
            write_cell(cell, out);
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

/* Cut, so that what is used never seems to be more than it is, behind the thousands: "12.5M". */
static void shorten(int64_t value, char *out)
{
    const char *unit = "MGTPE";
    int64_t one = 1000000;
    for (; value / one >= 1000; one *= 1000) unit++;
    int n = sprintf(out, "%d.%03d", (int)(value / one), (int)(value % one / (one / 1000)));
    while (out[n - 1] == '0') n--;
    if (out[n - 1] == '.') n--;
    out[n] = *unit;
    out[n + 1] = 0;
}

/* Of money in micro-dollars: cents, and of little money what is less than a cent. */
static void dollars(int64_t value, char text[CLI_AMOUNT_TEXT])
{
    char whole[CLI_COUNT_TEXT], part[16] = "";
    cli_count_text(value / 1000000, whole);
    int n = snprintf(part, sizeof part, ".%06d", (int)(value % 1000000));
    while (n > 3 && (value >= INT64_C(100000000) || part[n - 1] == '0')) n--;
    if (value >= INT64_C(100000000000)) n = 0;
    snprintf(text, CLI_AMOUNT_TEXT, "$%s%.*s", whole, n, part);
}

const char *cli_amount_text(int meter, int64_t value, char text[CLI_AMOUNT_TEXT])
{
    const bool money = meter == LLIM_COST;
    if (money)
        dollars(value, text);
    else
        cli_count_text(value, text);
    if (strlen(text) <= CLI_AMOUNT) return text;
    *text = '$';
    shorten(money ? value / 1000000 : value, text + money);
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
