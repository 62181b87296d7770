/* board.c - see board.h. */
#include "cli/board.h"

#include "cli/cli.h"
#include "cli/keys.h"
#include "cli/shown.h"
#include "cli/table.h"
#include "cli/watch.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Columns: of a scope's counts, behind its name; of a limit, which are its name and its amounts, and what follows its bar; and of a
   bar. At 80 columns there is room for the longest name of a scope and for each number that does not say otherwise. */
enum {
    COUNTS = 33,
    WHAT = 22,
    LIMIT = WHAT + 1 + 2 * CLI_AMOUNT + 4,
    SHARE = 8,
    RESET = 12,
    LEAST_BAR = 4,
    MOST_BAR = 100
};
enum { AROUND = 2 + LIMIT + 3 + SHARE + RESET }; /* a bar, on its line */

enum { PAGE = 10 };      /* scopes */
enum { LOW = 8 };        /* rows of a window that has none for what is about the zone alone */
enum { LEAST_PATH = 8 }; /* columns */

static void add(cli_lines *lines, const cli_view *view, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As it is shown, cut to the window's width. */
static void add(cli_lines *lines, const cli_view *view, const char *format, ...)
{
    char text[1024], shown[sizeof text * MB_LEN_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t n = strlen(text); n && text[n - 1] == ' '; n--) text[n - 1] = 0;
    cli_show(text, (int)view->columns, shown, sizeof shown);
    lines->line = cli_resize(lines->line, (size_t)lines->n + 1, sizeof *lines->line);
    lines->line[lines->n++] = cli_copy(shown);
}

void cli_lines_free(cli_lines *lines)
{
    for (uint32_t i = 0; i < lines->n; i++) free(lines->line[i]);
    free(lines->line);
    *lines = (cli_lines){.n = 0};
}

/* The end of a text whose end tells more than its start, which is cut if need be, and ~ tells. */
static const char *end_of(const char *text, int columns, char out[512])
{
    const bool cut = cli_columns(text) > columns;
    while (*text && cli_columns(text) > columns - cut) text += cli_fitting(text, cli_fitting(text, 1) ? 1 : 2);
    snprintf(out, 512, "%s%s", cut ? "~" : "", text);
    return out;
}

/* There is no room for more than a name and how full it is. */
static bool is_narrow(const cli_view *view)
{
    return view->columns < AROUND + LEAST_BAR;
}

static void add_title(const cli_look *look, const cli_view *view, cli_lines *lines)
{
    char scopes[CLI_COUNT_TEXT], when[16] = "", every[64], rest[256], path[512];
    const time_t wall = (time_t)(look->wall_ns / LLIM_SECOND);
    struct tm tm;
    if (gmtime_r(&wall, &tm)) strftime(when, sizeof when, "%H:%M:%S", &tm);
    const int n = snprintf(every, sizeof every, "%g s", view->interval);
    if (view->slow > view->interval) snprintf(every + n, sizeof every - (size_t)n, ", slowed to %.0f s", view->slow);
    snprintf(rest, sizeof rest, "  %s UTC  every %s  by %s  %s scope%s", when, every, cli_sorts[view->sort],
             cli_count_text(look->n, scopes), look->n == 1 ? "" : "s");
    const int left = (int)view->columns - cli_columns(rest);
    add(lines, view, "%s%s", end_of(view->path, left > LEAST_PATH ? left : LEAST_PATH, path), rest);
}

static void add_zone(const cli_look *look, const cli_view *view, cli_lines *lines)
{
    char a[6][CLI_COUNT_TEXT], full[64], rows[160], others[160];
    const llim_zone_stats *s = &look->stats;
    const char *what;
    const uint32_t percent = llim_zone_full(s, &what);
    if (cli_nearly_full(s))
        snprintf(full, sizeof full, "NEARLY FULL, %u %% of its %s", percent, what);
    else
        snprintf(full, sizeof full, "%u %% full", percent);
    snprintf(rows, sizeof rows, "zone: %s: %s of %s rows", full, cli_count_text(s->rows_used, a[0]),
             cli_count_text(s->rows, a[1]));
    snprintf(others, sizeof others, "%s of %s windows, %s of %s leases", cli_count_text(s->sliding_used, a[2]),
             cli_count_text(s->sliding, a[3]), cli_count_text(s->leases_used, a[4]), cli_count_text(s->leases, a[5]));
    const bool fits = cli_columns(rows) + 2 + cli_columns(others) <= (int)view->columns;
    add(lines, view, "%s%s%s", rows, fits ? ", " : "", fits ? others : "");
    if (!fits) add(lines, view, "%*s%s", (int)strlen("zone: "), "", others);
}

static void add_filter(const cli_look *look, const cli_view *view, const cli_order *order, cli_lines *lines)
{
    char a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT];
    add(lines, view, "%s of %s scopes with %s", cli_count_text(order->n, a), cli_count_text(look->n, b), view->filter);
}

static const char *rate_text(double rate, char text[24])
{
    snprintf(text, 24, rate < 0 ? "-" : rate < 1000 ? "%.1f" : "%.0f", rate);
    return text;
}

/* What is between a narrow window and the widest bar. */
static int bar_width(const cli_view *view)
{
    const int left = (int)view->columns - AROUND;
    return left > MOST_BAR ? MOST_BAR : left < LEAST_BAR ? LEAST_BAR : left;
}

/* So that the columns of a scope end where those of its limits do. */
static int width_for_name(const cli_view *view)
{
    return AROUND + bar_width(view) - COUNTS;
}

/* Padded to a width in columns, or cut, which ~ tells. */
static void fit(const char *text, int width, char *out, size_t cap)
{
    const bool cut = cli_columns(text) > width;
    const int bytes = (int)cli_fitting(text, width - cut);
    const int n = snprintf(out, cap, "%.*s%s", bytes, text, cut ? "~" : "");
    snprintf(out + n, cap - (size_t)n, "%*s", width - cli_columns(out), "");
}

static void add_scope(const cli_scope *s, const cli_view *view, cli_lines *lines)
{
    char name[512], rate[CLI_COUNTS][24];
    if (is_narrow(view)) {
        add(lines, view, "%s", end_of(s->name, (int)view->columns, name));
        return;
    }
    fit(s->name, width_for_name(view), name, sizeof name);
    for (int c = 0; c < CLI_COUNTS; c++) rate_text(s->rate[c], rate[c]);
    char generation[16];
    snprintf(generation, sizeof generation, s->generation < 10000 ? "%u" : "~%03u",
             s->generation < 10000 ? s->generation : s->generation % 1000);
    add(lines, view, "%s %10s %9s %6s %4s", name, rate[CLI_COUNT_ADMITTED], rate[CLI_COUNT_REFUSED],
        rate[CLI_COUNT_LIMITED], generation);
}

static void add_limit(const llim_usage *u, const cli_view *view, cli_lines *lines)
{
    char what[64], amounts[2 * CLI_AMOUNT_TEXT + 8], a[CLI_AMOUNT_TEXT], b[CLI_AMOUNT_TEXT], bar[MOST_BAR + 1],
        reset[CLI_TIME_TEXT], share[16];
    const int meter = u->limit.meter;
    cli_limit_text(meter, u->limit.law, u->limit.unit, u->limit.window_ns, what, sizeof what);
    const double use = cli_use(u);
    snprintf(share, sizeof share, use < 10 ? "%.1f %%" : ">999 %%", 100 * use);
    const int names = (int)strlen(what);
    if (is_narrow(view)) {
        const int left = (int)view->columns - 2 - SHARE;
        add(lines, view, "  %-*.*s%*s", left > 0 ? left : 0, left > 0 ? left : 0, what, SHARE, share);
        return;
    }
    snprintf(amounts, sizeof amounts, "%s of %s", cli_amount_text(meter, u->used, a),
             cli_amount_text(meter, u->limit.amount, b));
    /* A long name may take columns of its bar. */
    const int least = names + 1 + (int)strlen(amounts), limit = least > LIMIT ? least : LIMIT;
    int width = bar_width(view) - (limit - LIMIT);
    if (width < LEAST_BAR) width = LEAST_BAR;
    int full = use < 1 ? (int)(use * width) : width;
    if (full == 0 && u->used > 0) full = 1; /* something is there */
    memset(bar, '.', (size_t)width);
    memset(bar, '#', (size_t)full);
    bar[width] = 0;
    add(lines, view, "  %s%*s [%s]%*s%*s", what, limit - names, amounts, bar, SHARE, share, RESET,
        u->used ? cli_time_text(u->reset_ns, reset) : "");
}

static void add_state(const cli_scope *s, const cli_view *view, cli_lines *lines)
{
    char left[CLI_TIME_TEXT], cools[CLI_TIME_TEXT + 32] = "", strikes[32] = "";
    if (s->cooling_ns) snprintf(cools, sizeof cools, "cools down for %s", cli_time_text(s->cooling_ns, left));
    if (s->strikes) snprintf(strikes, sizeof strikes, "%u strike%s", s->strikes, s->strikes == 1 ? "" : "s");
    if (cools[0] || strikes[0]) add(lines, view, "  %s%s%s", cools, cools[0] && strikes[0] ? ", " : "", strikes);
    if (s->busy) add(lines, view, "  its limits are being changed");
}

static uint32_t lines_of(const cli_scope *s)
{
    return 1 + s->n_limits + (s->cooling_ns || s->strikes) + s->busy;
}

static void add_foot(const cli_view *view, const cli_order *order, uint32_t shown, cli_lines *lines)
{
    char a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT], end[512], not_shown[128] = "";
    if (shown < order->n)
        snprintf(not_shown, sizeof not_shown, "not shown: %s before, %s after", cli_count_text(view->first, a),
                 cli_count_text(order->n - view->first - shown, b));
    if (view->editing)
        add(lines, view, "filter: %s_", end_of(view->filter, (int)view->columns - 9, end));
    else if (view->keys)
        add(lines, view, "q quit  s sort  / filter  j k scroll  %s", not_shown);
    else if (not_shown[0])
        add(lines, view, "%s", not_shown);
}

void cli_board(const cli_look *look, const cli_order *order, cli_view *view, cli_lines *lines)
{
    if (view->first >= order->n) view->first = order->n ? order->n - 1 : 0;
    char name[512];
    fit("scope", width_for_name(view), name, sizeof name);
    add_title(look, view, lines);
    if (!view->rows || view->rows > LOW) add_zone(look, view, lines);
    if (view->filter[0]) add_filter(look, view, order, lines);
    if (!is_narrow(view)) add(lines, view, "%s %10s %9s %6s %4s", name, "admitted/s", "refused/s", "429/s", "gen");
    uint32_t shown = 0;
    for (uint32_t i = view->first; i < order->n; i++, shown++) {
        const cli_scope *s = order->scopes[i];
        /* One line is the foot's. A scope is shown whole, unless it is the only one. */
        if (view->rows && shown && lines->n + lines_of(s) + 1 > view->rows) break;
        add_scope(s, view, lines);
        for (uint32_t k = 0; k < s->n_limits; k++) add_limit(&look->usage[s->first + k], view, lines);
        add_state(s, view, lines);
    }
    while (view->rows && lines->n + 1 > view->rows && lines->n) free(lines->line[--lines->n]);
    add_foot(view, order, shown, lines);
}

static void edit_filter(cli_view *view, int key)
{
    size_t n = strlen(view->filter);
    char text[5];
    if (key == '\r' || key == '\n') {
        view->editing = false;
    } else if (key == CLI_KEY_ESCAPE) {
        view->editing = false;
        view->filter[0] = 0;
    } else if (key == 127 || key == 8) {
        while (n && (view->filter[n - 1] & 0xc0) == 0x80) n--;
        if (n) view->filter[n - 1] = 0;
    } else if (key >= ' ' && key < CLI_KEY_UP && n + cli_utf8((uint32_t)key, text) < sizeof view->filter) {
        strcpy(view->filter + n, text);
    }
    view->first = 0;
}

bool cli_view_key(cli_view *view, int key)
{
    if (view->editing) {
        edit_filter(view, key);
        return true;
    }
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 's':
        view->sort = (enum cli_sort)((view->sort + 1) % CLI_SORTS);
        view->first = 0;
        break;
    case '/':
        view->editing = true;
        break;
    case CLI_KEY_ESCAPE:
        view->filter[0] = 0;
        break;
    case 'k':
    case CLI_KEY_UP:
        if (view->first) view->first--;
        break;
    case 'j':
    case CLI_KEY_DOWN:
        view->first++;
        break;
    case CLI_KEY_PAGE_UP:
        view->first = view->first > PAGE ? view->first - PAGE : 0;
        break;
    case CLI_KEY_PAGE_DOWN:
        view->first += PAGE;
        break;
    default:
        break;
    }
    return true;
}
