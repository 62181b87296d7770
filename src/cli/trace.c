/*
 * trace.c - reads traces; see trace.h for the format.
 *
 * A trace may come from anywhere, so every byte is judged: a line has a bound, a field its type and range, and the first
 * thing wrong ends the reading with its place. Only the sort looks at more than one row.
 */
#include "cli/trace.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/instant.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096
#define ROWS_MAX       200000000
#define LONGEST_NS     ((int64_t)1 << 58)                  /* as far as a zone's clock goes */
#define PLAIN_START_NS (1704067200 * (int64_t)LLIM_SECOND) /* 2024-01-01: where plain seconds begin on the wall clock */

enum column { TIME, TOKENS, CONTEXT, GENERATED, MODEL, SCOPE, COLUMNS };
enum notation { ANY_NOTATION, STAMPS, SECONDS }; /* of time; the first row decides */

typedef struct reader {
    FILE *file;
    const char *name;
    llim_error *err;
    uint32_t line;
    uint32_t n_columns;
    enum column column[4];      /* of the header, in its order */
    const char *title[COLUMNS]; /* as the header spells them */
    enum notation notation;
    cli_names groups; /* "model,scope" */
    uint32_t cap;
    char text[LINE_MAX_BYTES];
} reader;

/* Fills the error: "name:line: field ...". The reader's line counts from 1; 0 leaves it out. */
__attribute__((format(printf, 3, 4))) static int bad(reader *r, const char *field, const char *format, ...)
{
    llim_error *err = r->err;
    if (!err) return LLIM_ECONFIG;
    memset(err, 0, sizeof *err);
    err->code = LLIM_ECONFIG;
    err->line = (int32_t)r->line;
    snprintf(err->file, sizeof err->file, "%s", r->name);
    snprintf(err->field, sizeof err->field, "%s", field);
    int n = snprintf(err->message, sizeof err->message, "%.400s:%u: ", r->name, r->line);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message + n, sizeof err->message - (size_t)n, format, args);
    va_end(args);
    for (char *p = err->message; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = '?'; /* what the file holds must not drive a terminal */
    return LLIM_ECONFIG;
}

/* One line without its end into r->text: 1, 0 at the end of the file, or an error. */
static int next_line(reader *r)
{
    size_t n = 0;
    int c = getc(r->file);
    if (c != EOF) r->line++;
    for (; c != EOF && c != '\n'; c = getc(r->file)) {
        if (c == 0) return bad(r, "", "The line holds a zero byte; expected text, comma-separated.");
        if (n == LINE_MAX_BYTES - 1)
            return bad(r, "", "The line is longer than %d bytes; expected a comma-separated row.", LINE_MAX_BYTES - 1);
        r->text[n++] = (char)c;
    }
    if (ferror(r->file)) {
        if (n == 0) r->line++; /* the one that could not be read */
        bad(r, "", "The trace cannot be read: %s.", strerror(errno));
        if (r->err) r->err->code = LLIM_EIO;
        return LLIM_EIO;
    }
    if (c == EOF && n == 0) return 0;
    if (n && r->text[n - 1] == '\r') n--;
    r->text[n] = 0;
    return 1;
}

/* Cuts r->text at its commas: the number of fields, which may be more than cap. */
static uint32_t split(reader *r, char **field, uint32_t cap)
{
    uint32_t n = 0;
    for (char *p = r->text;; p++) {
        if (n < cap) field[n] = p;
        n++;
        p = strchr(p, ',');
        if (!p) return n;
        *p = 0;
    }
}

static int read_header(reader *r)
{
    static const struct {
        const char *title;
        enum column columns[4];
    } forms[] = {
        {"TIMESTAMP,ContextTokens,GeneratedTokens", {TIME, CONTEXT, GENERATED, COLUMNS}},
        {"time,tokens", {TIME, TOKENS, COLUMNS, COLUMNS}},
        {"time,tokens,model", {TIME, TOKENS, MODEL, COLUMNS}},
        {"time,tokens,scope", {TIME, TOKENS, SCOPE, COLUMNS}},
        {"time,tokens,model,scope", {TIME, TOKENS, MODEL, SCOPE}},
    };
    int got = next_line(r);
    if (got < 0) return got;
    const char *text = r->text;
    if (got && strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    for (size_t i = 0; got && i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(text, forms[i].title) != 0) continue;
        memcpy(r->column, forms[i].columns, sizeof r->column);
        while (r->n_columns < 4 && r->column[r->n_columns] != COLUMNS) r->n_columns++;
        r->title[TIME] = i ? "time" : "TIMESTAMP";
        r->title[TOKENS] = "tokens";
        r->title[CONTEXT] = "ContextTokens";
        r->title[GENERATED] = "GeneratedTokens";
        r->title[MODEL] = "model";
        r->title[SCOPE] = "scope";
        return LLIM_OK;
    }
    if (!got) r->line = 1;
    return bad(r, "header",
               "The header is %s%.60s%s; expected TIMESTAMP,ContextTokens,GeneratedTokens or "
               "time,tokens[,model][,scope].",
               got ? "\"" : "", got ? text : "missing (the file is empty)", got ? "\"" : "");
}

static int read_time(reader *r, const char *text, int64_t *ns)
{
    int64_t stamp, seconds;
    bool is_stamp = cli_timestamp(text, &stamp), is_seconds = r->title[TIME][0] == 't' && cli_seconds(text, &seconds);
    if (r->notation == ANY_NOTATION && (is_stamp || is_seconds)) r->notation = is_stamp ? STAMPS : SECONDS;
    if (is_stamp && r->notation == STAMPS) {
        *ns = stamp;
    } else if (is_seconds && r->notation == SECONDS) {
        *ns = seconds;
    } else {
        static const char *const expected[] = {
            "seconds from 0 such as 12.5 or a timestamp such as 2023-11-16 18:17:03.97",
            "a timestamp of the years 1970 to 2199 such as 2023-11-16 18:17:03.97",
            "seconds from 0 to 7258118400 such as 12.5, as in the first row",
        };
        enum notation wanted = r->title[TIME][0] == 't' ? r->notation : STAMPS;
        return bad(r, r->title[TIME], "%s is \"%.40s\"; expected %s.", r->title[TIME], text, expected[wanted]);
    }
    return LLIM_OK;
}

static int read_amount(reader *r, enum column column, const char *text, int64_t *amount)
{
    uint64_t value;
    if (!cli_integer(text, LLIM_AMOUNT_MAX, &value))
        return bad(r, r->title[column], "%s is \"%.40s\"; expected a whole number from 0 to %lld.", r->title[column],
                   text, (long long)LLIM_AMOUNT_MAX);
    *amount = (int64_t)value;
    return LLIM_OK;
}

static int read_name(reader *r, enum column column, const char *text)
{
    size_t size = strlen(text);
    if (size > LLIM_SCOPE_MAX || strchr(text, '"'))
        return bad(r, r->title[column], "%s is \"%.40s\"%s; expected at most %d bytes without quotes.",
                   r->title[column], text, size > 40 ? "..." : "", LLIM_SCOPE_MAX);
    if (!llim__is_text(text))
        return bad(r, r->title[column], "%s is \"%.40s\"; expected UTF-8 without control characters.", r->title[column],
                   text);
    const char *colon = strchr(text, ':');
    if (column == SCOPE && size && (!colon || colon == text || !colon[1]))
        return bad(r, "scope", "scope is \"%.40s\"; expected a kind and a name such as team:acme, or nothing.", text);
    return LLIM_OK;
}

static uint32_t group_of(reader *r, cli_trace *trace, const char *model, const char *scope)
{
    char key[2 * LLIM_SCOPE_MAX + 2];
    snprintf(key, sizeof key, "%s,%s", model, scope);
    uint32_t group = cli_names_add(&r->groups, key);
    if (group < trace->n_groups) return group;
    if ((group & (group + 1)) == 0) /* the capacity is the power of two above */
        trace->groups = cli_resize(trace->groups, ((size_t)group + 1) * 2, sizeof *trace->groups);
    trace->groups[group] = (cli_group){cli_copy(model), cli_copy(scope), r->line};
    trace->n_groups++;
    return group;
}

static int read_row(reader *r, cli_trace *trace)
{
    char *field[4];
    uint32_t n = split(r, field, 4);
    if (n != r->n_columns) {
        const char *missing = n < r->n_columns ? r->title[r->column[n]] : "";
        if (*missing)
            return bad(r, missing, "%s is missing: the row has %u of %u columns; is the file cut off?", missing, n,
                       r->n_columns);
        return bad(r, "", "The row has %u columns; expected the %u of the header.", n, r->n_columns);
    }
    cli_row row = {.line = r->line};
    int64_t amount[COLUMNS] = {0};
    const char *name[COLUMNS];
    name[MODEL] = name[SCOPE] = "";
    for (uint32_t i = 0; i < n; i++) {
        enum column column = r->column[i];
        int code = column == TIME                       ? read_time(r, field[i], &row.at_ns)
                   : column == MODEL || column == SCOPE ? read_name(r, column, name[column] = field[i])
                                                        : read_amount(r, column, field[i], &amount[column]);
        if (code != LLIM_OK) return code;
    }
    row.output = amount[GENERATED];
    row.tokens = amount[TOKENS] + amount[CONTEXT] + amount[GENERATED];
    if (row.tokens > LLIM_AMOUNT_MAX)
        return bad(r, "ContextTokens", "ContextTokens and GeneratedTokens are %lld together; expected at most %lld.",
                   (long long)row.tokens, (long long)LLIM_AMOUNT_MAX);
    /* an input of 0 would be estimated by the limiter, with this result */
    row.input = amount[CONTEXT] ? amount[CONTEXT] : row.tokens;
    row.group = group_of(r, trace, name[MODEL], name[SCOPE]);
    if (trace->n == ROWS_MAX) return bad(r, "", "The trace has more rows than %d.", ROWS_MAX);
    if (trace->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 1024;
        trace->rows = cli_resize(trace->rows, r->cap, sizeof *trace->rows);
    }
    if (trace->n && row.at_ns < trace->rows[trace->n - 1].at_ns) trace->unsorted++;
    trace->rows[trace->n++] = row;
    return LLIM_OK;
}

static int earlier(const void *a, const void *b)
{
    const cli_row *x = a, *y = b;
    if (x->at_ns != y->at_ns) return x->at_ns < y->at_ns ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

int cli_trace_read(FILE *file, const char *name, cli_trace *trace, llim_error *err)
{
    reader r = {.file = file, .name = name, .err = err};
    memset(trace, 0, sizeof *trace);
    int code = read_header(&r);
    while (code == LLIM_OK) {
        int got = next_line(&r);
        if (got <= 0) {
            code = got;
            break;
        }
        if (r.text[0]) code = read_row(&r, trace);
    }
    if (code == LLIM_OK && trace->n == 0)
        code = bad(&r, "", "No row follows the header; expected one for each request.");
    cli_names_free(&r.groups);
    if (code != LLIM_OK) return code;
    if (trace->unsorted) qsort(trace->rows, trace->n, sizeof *trace->rows, earlier);
    int64_t first = trace->rows[0].at_ns, last = trace->rows[trace->n - 1].at_ns;
    if (last - first > LONGEST_NS) {
        r.line = trace->rows[trace->n - 1].line;
        return bad(&r, r.title[TIME], "%s is %.0f seconds after the first row; expected at most %.0f (9 years).",
                   r.title[TIME], (double)(last - first) / LLIM_SECOND, (double)LONGEST_NS / LLIM_SECOND);
    }
    trace->wall_ns = r.notation == STAMPS ? first : PLAIN_START_NS;
    for (uint32_t i = 0; i < trace->n; i++) trace->rows[i].at_ns -= first;
    return LLIM_OK;
}

/* How many rows the first i become: rounded up, so that the first row is there under any factor. */
static uint64_t shaped(uint64_t i, uint32_t demand)
{
    return (i * demand + 999999) / 1000000;
}

static int too_long(llim_error *err, const char *message)
{
    memset(err, 0, sizeof *err);
    err->code = LLIM_ERANGE;
    snprintf(err->message, sizeof err->message, "%s", message);
    return LLIM_ERANGE;
}

int cli_trace_shape(cli_trace *trace, double speed, uint32_t demand, llim_error *err)
{
    double last = (double)trace->rows[trace->n - 1].at_ns / speed;
    if (last + (double)trace->wall_ns >= (double)CLI_INSTANT_END * LLIM_SECOND)
        return too_long(err, "At this --speed the trace would run past the year 2199.");
    if (last > (double)LONGEST_NS) return too_long(err, "At this --speed the trace would be longer than 9 years.");
    uint64_t total = shaped(trace->n, demand);
    if (total > ROWS_MAX) return too_long(err, "At this --demand the trace would have more than 200000000 rows.");
    cli_row *rows = cli_resize(NULL, (size_t)total, sizeof *rows);
    uint32_t n = 0;
    for (uint32_t i = 0; i < trace->n; i++) {
        cli_row row = trace->rows[i];
        row.at_ns = llrint((double)row.at_ns / speed);
        while (n < shaped((uint64_t)i + 1, demand)) rows[n++] = row;
    }
    free(trace->rows);
    trace->rows = rows;
    trace->n = n;
    return LLIM_OK;
}

void cli_trace_free(cli_trace *trace)
{
    for (uint32_t i = 0; i < trace->n_groups; i++) {
        free(trace->groups[i].model);
        free(trace->groups[i].scope);
    }
    free(trace->groups);
    free(trace->rows);
    memset(trace, 0, sizeof *trace);
}
