/*
 * posix_rule.c - owns the reading of a POSIX TZ string and the answer which offset it gives to an instant.
 *
 * A rule has no year, so the changes around an instant are computed anew for the years next to it. Changes may leave
 * their day and year by a week, and may overlap: what counts is how many of the DST intervals are open.
 * Invariant: offsets are at most 24:59:59 from UTC, or an hour east of that; the answer's interval holds the instant and
 * ends where the offset changes. Pure functions.
 */
#include "base/posix_rule.h"

#include <string.h>

#include "base/date.h"

#define CYCLE_YEARS    400
#define CYCLE_S        INT64_C(12622780800) /* after 400 years weekdays and leap years repeat */
#define MEAN_YEAR_S    (CYCLE_S / CYCLE_YEARS)
#define EDGE_YEARS_OFF 3 /* an edge lies within so many years of the mean year of its instant */

static int64_t first_day(int64_t year, int32_t month)
{
    return llim__month_day(year * 12 + month - 1);
}

static int64_t edge_day(const llim__rule_edge *e, int64_t year)
{
    if (e->kind == 'n') return first_day(year, 1) + e->day;
    if (e->kind == 'J') return (e->day < 60 ? first_day(year, 1) : first_day(year, 3) - 59) + e->day - 1;
    int64_t first = first_day(year, e->month);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (e->day - weekday + 7) % 7 + 7 * (e->week - 1);
    return day < first_day(year, e->month + 1) ? day : day - 7;
}

static int64_t edge_instant(const llim__posix_rule *r, bool start, int64_t year)
{
    const llim__rule_edge *e = start ? &r->start : &r->end;
    return edge_day(e, year) * LLIM__DAY_S + e->time_s - (start ? r->std_s : r->dst_s);
}

static int64_t mean_year(int64_t utc_s)
{
    return 1970 + utc_s / MEAN_YEAR_S;
}

/* Counts the DST intervals that are open, so that intervals which touch or overlap across New Year (DST all the year,
   as RFC 9636 writes it) have no gap. */
static bool in_dst(const llim__posix_rule *r, int64_t utc_s)
{
    int open = r->reversed ? 1 : 0;
    int64_t year = mean_year(utc_s);
    for (int64_t y = year - EDGE_YEARS_OFF; y <= year + EDGE_YEARS_OFF; y++)
        open += (edge_instant(r, true, y) <= utc_s) - (edge_instant(r, false, y) <= utc_s);
    return open > 0;
}

/* The distance to the nearest instant after utc_s (step 1), or at or before it (step -1), at which the rule changes its
   offset; INT64_MAX if it never does. Odd rules may rest for years, but what rests for a whole cycle rests for ever. */
static int64_t distance_to_change(const llim__posix_rule *r, int64_t utc_s, int step)
{
    bool dst = in_dst(r, utc_s);
    int64_t best = INT64_MAX;
    int64_t year = mean_year(utc_s) - step * EDGE_YEARS_OFF;
    int left = CYCLE_YEARS + 2 * EDGE_YEARS_OFF;
    for (; left > 0; left--, year += step) {
        for (int start = 0; start < 2; start++) {
            int64_t at = edge_instant(r, start, year);
            int64_t distance = step * (at - utc_s);
            if (distance < (step > 0 ? 1 : 0) || distance >= best) continue;
            if (in_dst(r, step > 0 ? at : at - 1) == dst) continue;
            best = distance;
            left = left < EDGE_YEARS_OFF ? left : EDGE_YEARS_OFF; /* edges of neighbouring years may overlap */
        }
    }
    return best;
}

llim__utc_offset llim__posix_rule_offset(const llim__posix_rule *r, int64_t utc_s)
{
    llim__utc_offset o = {r->std_s, INT64_MIN, INT64_MAX};
    if (!r->has_dst) return o;
    int64_t folded = utc_s % CYCLE_S; /* negative before 1970, which leaves years above 1000 */
    if (in_dst(r, folded)) o.offset_s = r->dst_s;
    int64_t back = distance_to_change(r, folded, -1);
    int64_t ahead = distance_to_change(r, folded, 1);
    if (back == INT64_MAX || __builtin_sub_overflow(utc_s, back, &o.from_s)) o.from_s = INT64_MIN;
    if (ahead == INT64_MAX || __builtin_add_overflow(utc_s, ahead, &o.until_s)) o.until_s = INT64_MAX;
    return o;
}

static bool read_number(const char **text, int32_t low, int32_t high, int32_t *value)
{
    const char *p = *text;
    *value = 0;
    while (p - *text < 3 && *p >= '0' && *p <= '9') *value = *value * 10 + (*p++ - '0');
    bool ok = p > *text && *value >= low && *value <= high;
    *text = p;
    return ok;
}

static bool read_time(const char **text, int32_t max_hours, int32_t *seconds)
{
    int32_t sign = **text == '-' ? -1 : 1;
    if (**text == '-' || **text == '+') ++*text;
    int32_t part[3] = {0, 0, 0};
    if (!read_number(text, 0, max_hours, &part[0])) return false;
    for (int i = 1; i < 3 && **text == ':'; i++) {
        ++*text;
        if (!read_number(text, 0, 59, &part[i])) return false;
    }
    *seconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool skip_name(const char **text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    bool quoted = **text == '<';
    if (quoted) ++*text;
    size_t len = 0;
    while ((*text)[len] && memchr(letters, (*text)[len], quoted ? sizeof letters - 1 : 52)) len++;
    *text += len;
    if (len < 3 || (quoted && **text != '>')) return false;
    if (quoted) ++*text;
    return true;
}

static bool read_edge(const char **text, llim__rule_edge *e)
{
    if (*(*text)++ != ',') return false;
    e->kind = **text == 'J' || **text == 'M' ? *(*text)++ : 'n';
    e->time_s = 2 * 3600;
    if (e->kind == 'M') {
        if (!read_number(text, 1, 12, &e->month) || *(*text)++ != '.') return false;
        if (!read_number(text, 1, 5, &e->week) || *(*text)++ != '.') return false;
    }
    if (!read_number(text, e->kind == 'J' ? 1 : 0, e->kind == 'M' ? 6 : 365, &e->day)) return false;
    if (**text != '/') return true;
    ++*text;
    return read_time(text, 167, &e->time_s);
}

/* POSIX counts offsets west of Greenwich. The default DST rules that POSIX leaves open are not in any TZif file. */
bool llim__posix_rule_read(const char *text, llim__posix_rule *r)
{
    *r = (llim__posix_rule){0};
    if (!skip_name(&text) || !read_time(&text, 24, &r->std_s)) return false;
    r->std_s = -r->std_s;
    if (*text == 0) return true;
    r->has_dst = true;
    r->dst_s = r->std_s + 3600;
    if (!skip_name(&text)) return false;
    if (*text != ',') {
        if (!read_time(&text, 24, &r->dst_s)) return false;
        r->dst_s = -r->dst_s;
    }
    if (!read_edge(&text, &r->start) || !read_edge(&text, &r->end) || *text) return false;
    if (r->dst_s == r->std_s) r->has_dst = false;
    r->reversed = edge_instant(r, true, 2000) > edge_instant(r, false, 2000);
    return true;
}
