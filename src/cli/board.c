/* board.c - see board.h. */
#include "cli/board.h"

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/watch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Columns of a scope's line behind its name, of a limit's line before and behind its bar, and of a bar. */
enum { COUNTS = 37, BEFORE = 2 + 18 + 1 + 24 + 2, SHARE = 8, RESET = 14, LEAST_BAR = 4, MOST_BAR = 100 };

enum { PAGE = 10 }; /* scopes */

static void add(cli_lines *lines, const cli_view *view, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Cut to the window's width, at a character's end. */
static void add(cli_lines *lines, const cli_view *view, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *end = text;
    for (uint32_t width = 0; *end; end++)
        if (((unsigned char)*end & 0xC0) != 0x80 && ++width > view->columns) break;
    *end = 0;
    while (end > text && end[-1] == ' ') *--end = 0;
    lines->line = cli_resize(lines->line, (size_t)lines->n + 1, sizeof *lines->line);
    lines->line[lines->n++] = cli_copy(text);
}

void cli_lines_free(cli_lines *lines)
{
    for (uint32_t i = 0; i < lines->n; i++) free(lines->line[i]);
    free(lines->line);
    *lines = (cli_lines){.n = 0};
}

static void add_head(const cli_look *look, const cli_view *view, const cli_order *order, cli_lines *lines)
{
    char used[CLI_COUNT_TEXT], rows[CLI_COUNT_TEXT], when[16] = "", full[64] = "";
    const llim_zone_stats *s = &look->stats;
    const time_t wall = (time_t)(look->wall_ns / LLIM_SECOND);
    struct tm tm;
    if (gmtime_r(&wall, &tm)) strftime(when, sizeof when, "%H:%M:%S", &tm);
    add(lines, view, "%s  %s UTC  every %g s  by %s  %u of %u scopes%s%s", view->path, when, view->interval,
        cli_sorts[view->sort], order->n, look->n, view->filter[0] ? " with " : "", view->filter);
    snprintf(full, sizeof full, s->rows_held_percent ? "about %u %% hold something%s" : "%u %%%s", cli_full(s),
             cli_nearly_full(s) ? ": NEARLY FULL" : "");
    add(lines, view, "zone: %s of %s rows used (%s), %u of %u windows, %u of %u leases",
        cli_count_text(s->rows_used, used), cli_count_text(s->rows, rows), full, s->sliding_used, s->sliding,
        s->leases_used, s->leases);
}

static const char *rate_text(double rate, char text[24])
{
    snprintf(text, 24, rate < 0 ? "-" : rate < 1000 ? "%.1f" : "%.0f", rate);
    return text;
}

/* What is between a narrow window and the widest bar. */
static int bar_width(const cli_view *view)
{
    const int left = (int)view->columns - BEFORE - 1 - SHARE - RESET;
    return left > MOST_BAR ? MOST_BAR : left < LEAST_BAR ? LEAST_BAR : left;
}

/* So that the columns of a scope end where those of its limits do. */
static int width_for_name(const cli_view *view)
{
    return BEFORE + bar_width(view) + 1 + SHARE + RESET - COUNTS;
}

/* Padded to a width in characters, or cut. */
static void fit(const char *text, int width, char *out, size_t cap)
{
    int n = 0, k = 0;
    for (; text[k] && k < (int)cap - 1 && (n < width || ((unsigned char)text[k] & 0xC0) == 0x80); k++)
        n += ((unsigned char)text[k] & 0xC0) != 0x80;
    memcpy(out, text, (size_t)k);
    for (; n < width && k < (int)cap - 1; n++) out[k++] = ' ';
    out[k] = 0;
}

static void add_scope(const cli_scope *s, const cli_view *view, cli_lines *lines)
{
    char name[512], rate[CLI_COUNTS][24];
    fit(s->name, width_for_name(view), name, sizeof name);
    for (int c = 0; c < CLI_COUNTS; c++) rate_text(s->rate[c], rate[c]);
    add(lines, view, "%s %10s %9s %8s %6u", name, rate[CLI_COUNT_ADMITTED], rate[CLI_COUNT_REFUSED],
        rate[CLI_COUNT_LIMITED], s->generation);
}

static void add_limit(const llim_usage *u, const cli_view *view, cli_lines *lines)
{
    char what[64], amount[2 * CLI_COUNT_TEXT + 8], a[CLI_COUNT_TEXT], b[CLI_COUNT_TEXT], bar[MOST_BAR + 1],
        reset[CLI_TIME_TEXT], share[16];
    cli_limit_text(u->limit.meter, u->limit.law, u->limit.unit, u->limit.window_ns, what, sizeof what);
    snprintf(amount, sizeof amount, "%s of %s", cli_count_text(u->used, a), cli_count_text(u->limit.amount, b));
    const int width = bar_width(view);
    const double use = cli_use(u);
    int full = (int)(use * width);
    if (full > width) full = width;
    if (full == 0 && u->used > 0) full = 1; /* something is there */
    memset(bar, '.', (size_t)width);
    memset(bar, '#', (size_t)full);
    bar[width] = 0;
    snprintf(share, sizeof share, "%.1f %%", 100 * use);
    add(lines, view, "  %-18s %24s [%s]%*s%*s", what, amount, bar, SHARE, share, RESET,
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
    char not_shown[64] = "";
    if (shown < order->n)
        snprintf(not_shown, sizeof not_shown, "  %u before, %u after are not shown", view->first,
                 order->n - view->first - shown);
    if (view->editing)
        add(lines, view, "filter: %s_", view->filter);
    else if (view->keys)
        add(lines, view, "q quit  s sort  / filter  arrows scroll%s", not_shown);
    else if (not_shown[0])
        add(lines, view, "%s", not_shown + 2);
}

void cli_board(const cli_look *look, cli_view *view, cli_lines *lines)
{
    cli_order order;
    cli_order_make(look, view->sort, view->filter, &order);
    if (view->first >= order.n) view->first = order.n ? order.n - 1 : 0;
    char name[512];
    fit("scope", width_for_name(view), name, sizeof name);
    add_head(look, view, &order, lines);
    add(lines, view, "%s %10s %9s %8s %6s", name, "admitted/s", "refused/s", "429/s", "gen");
    uint32_t shown = 0;
    for (uint32_t i = view->first; i < order.n; i++, shown++) {
        const cli_scope *s = order.scopes[i];
        /* One line is the foot's. A scope is shown whole, unless it is the only one. */
        if (view->rows && shown && lines->n + lines_of(s) + 1 > view->rows) break;
        add_scope(s, view, lines);
        for (uint32_t k = 0; k < s->n_limits; k++) add_limit(&look->usage[s->first + k], view, lines);
        add_state(s, view, lines);
    }
    while (view->rows && lines->n + 1 > view->rows && lines->n) free(lines->line[--lines->n]);
    add_foot(view, &order, shown, lines);
    cli_order_free(&order);
}

static void edit_filter(cli_view *view, int key)
{
    const size_t n = strlen(view->filter);
    if (key == '\r' || key == '\n') {
        view->editing = false;
    } else if (key == CLI_KEY_ESCAPE) {
        view->editing = false;
        view->filter[0] = 0;
    } else if (key == 127 || key == 8) {
        if (n) view->filter[n - 1] = 0;
    } else if (key >= ' ' && key < 127 && n + 1 < sizeof view->filter) {
        view->filter[n] = (char)key;
        view->filter[n + 1] = 0;
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
