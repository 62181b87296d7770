/*
 * timezone.c - owns the reading of TZif files (RFC 9636, versions 1 to 4) and of the POSIX rule in their footer.
 *
 * A zone is a list of segments of constant offset, the first from the beginning of time, and a rule that takes over at
 * rule_from_s, its first change after the last transition. Neighbours with equal offsets are one segment: a mere change
 * of name or of the DST flag is no transition.
 * Invariant: there is a segment, offsets are in OFFSET_MIN_S .. OFFSET_MAX_S, starts ascend, nothing changes once
 * parsed.
 * The file's bytes are not trusted: each is read through take(), and whatever is out of range ends as LLIM_ETIMEZONE.
 */
#include "base/timezone.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE       "/usr/share/zoneinfo"
#define NAME_CAP       47
#define FILE_CAP       (1024 * 1024)
#define FOOTER_CAP     255
#define OFFSET_MIN_S   (-89999) /* the limits of RFC 9636, 3.2; a footer cannot exceed them */
#define OFFSET_MAX_S   93599
#define DAY_S          86400
#define CYCLE_YEARS    400
#define CYCLE_S        INT64_C(12622780800) /* after 400 years weekdays and leap years repeat */
#define MEAN_YEAR_S    (CYCLE_S / CYCLE_YEARS)
#define EDGE_YEARS_OFF 3 /* an edge lies within so many years of the mean year of its instant */

/* One of the two yearly changes of a rule: Jn, n or Mm.w.d, and the local time of day, which may leave the day. */
typedef struct edge {
    char kind; /* 'J', 'n' or 'M' */
    int32_t month;
    int32_t week;
    int32_t day;
    int32_t time_s;
} edge;

typedef struct rule {
    bool has_dst;
    bool reversed; /* the year begins in DST */
    int32_t std_s;
    int32_t dst_s;
    edge start;
    edge end;
} rule;

typedef struct segment {
    int64_t start_s;
    int64_t offset_s;
} segment;

struct llim__timezone {
    bool has_rule;
    int64_t rule_from_s;
    rule rule;
    size_t n_segments;
    segment segments[];
};

#define TOO_SHORT "as many bytes as its header counts"

typedef struct cursor {
    const unsigned char *at;
    size_t left;
} cursor;

typedef struct header {
    unsigned char version;
    uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
} header;

/* Days from 1970-01-01 to the first of a month, years from 1; month 13 is the next January. Counted from March, so that
   the leap day comes last. */
static int64_t first_day(int64_t year, int32_t month)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

static int64_t edge_day(const edge *e, int64_t year)
{
    if (e->kind == 'n') return first_day(year, 1) + e->day;
    if (e->kind == 'J') return (e->day < 60 ? first_day(year, 1) : first_day(year, 3) - 59) + e->day - 1;
    int64_t first = first_day(year, e->month);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (e->day - weekday + 7) % 7 + 7 * (e->week - 1);
    return day < first_day(year, e->month + 1) ? day : day - 7;
}

static int64_t edge_instant(const rule *r, bool start, int64_t year)
{
    const edge *e = start ? &r->start : &r->end;
    return edge_day(e, year) * DAY_S + e->time_s - (start ? r->std_s : r->dst_s);
}

static int64_t mean_year(int64_t utc_s)
{
    return 1970 + utc_s / MEAN_YEAR_S;
}

/* Counts the DST intervals that are open, so that intervals which touch or overlap across New Year (DST all the year,
   as RFC 9636 writes it) have no gap. */
static bool in_dst(const rule *r, int64_t utc_s)
{
    int open = r->reversed ? 1 : 0;
    int64_t year = mean_year(utc_s);
    for (int64_t y = year - EDGE_YEARS_OFF; y <= year + EDGE_YEARS_OFF; y++)
        open += (edge_instant(r, true, y) <= utc_s) - (edge_instant(r, false, y) <= utc_s);
    return open > 0;
}

/* The distance to the nearest instant after utc_s (step 1), or at or before it (step -1), at which the rule changes its
   offset; INT64_MAX if it never does. Odd rules may rest for years, but what rests for a whole cycle rests for ever. */
static int64_t distance_to_change(const rule *r, int64_t utc_s, int step)
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

static llim__utc_offset rule_offset(const rule *r, int64_t utc_s)
{
    llim__utc_offset o = {r->std_s, INT64_MIN, INT64_MAX};
    if (!r->has_dst) return o;
    int64_t folded = utc_s % CYCLE_S; /* negative before 1970, which first_day() allows */
    if (in_dst(r, folded)) o.offset_s = r->dst_s;
    int64_t back = distance_to_change(r, folded, -1);
    int64_t ahead = distance_to_change(r, folded, 1);
    if (back == INT64_MAX || __builtin_sub_overflow(utc_s, back, &o.from_s)) o.from_s = INT64_MIN;
    if (ahead == INT64_MAX || __builtin_add_overflow(utc_s, ahead, &o.until_s)) o.until_s = INT64_MAX;
    return o;
}

llim__utc_offset llim__timezone_offset(const llim__timezone *tz, int64_t utc_s)
{
    if (tz->has_rule && utc_s >= tz->rule_from_s) {
        llim__utc_offset o = rule_offset(&tz->rule, utc_s);
        if (o.from_s <= tz->rule_from_s) {
            const segment *last = &tz->segments[tz->n_segments - 1];
            o.from_s = last->offset_s == o.offset_s ? last->start_s : tz->rule_from_s;
        }
        return o;
    }
    size_t low = 0;
    size_t high = tz->n_segments;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (tz->segments[middle].start_s <= utc_s)
            low = middle;
        else
            high = middle;
    }
    llim__utc_offset o = {tz->segments[low].offset_s, tz->segments[low].start_s, INT64_MAX};
    if (high < tz->n_segments) {
        o.until_s = tz->segments[high].start_s;
    } else if (tz->has_rule) {
        llim__utc_offset next = rule_offset(&tz->rule, tz->rule_from_s);
        o.until_s = next.offset_s == o.offset_s ? next.until_s : tz->rule_from_s;
    }
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

static bool read_edge(const char **text, edge *e)
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
static bool read_rule(const char *text, rule *r)
{
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

static const unsigned char *take(cursor *c, uint64_t n)
{
    if (n > c->left) return NULL;
    const unsigned char *p = c->at;
    c->at += n;
    c->left -= (size_t)n;
    return p;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0) v = v << 8 | *p++;
    return v;
}

static bool read_header(cursor *c, header *h)
{
    const unsigned char *p = take(c, 44);
    if (!p || memcmp(p, "TZif", 4) != 0 || !(p[4] == 0 || (p[4] >= '2' && p[4] <= '4'))) return false;
    uint32_t *count[] = {&h->isutcnt, &h->isstdcnt, &h->leapcnt, &h->timecnt, &h->typecnt, &h->charcnt};
    for (size_t i = 0; i < 6; i++) *count[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
    h->version = p[4];
    return true;
}

/* Each function below returns what was expected where the file is wrong, or NULL. */

/* The footer tells the changes after the last transition (RFC 9636, 3.3), so the type of that one holds until the
   first of them: files by older compilers (America/Ojinaga 2022) are right only when read like this. */
static const char *read_footer(cursor *c, llim__timezone *zone)
{
    const unsigned char *line = take(c, 1);
    const unsigned char *end = line && *line == '\n' ? memchr(c->at, '\n', c->left) : NULL;
    if (!end || end - c->at > FOOTER_CAP) return "a footer of at most 255 bytes between two newlines";
    char text[FOOTER_CAP + 1] = "";
    size_t len = (size_t)(end - c->at);
    memcpy(text, c->at, len);
    if (len == 0) return NULL;
    zone->has_rule = true;
    if (strlen(text) != len || !read_rule(text, &zone->rule)) return "a POSIX rule such as PST8PDT,M3.2.0,M11.1.0";
    if (zone->rule_from_s > INT64_MIN) zone->rule_from_s = rule_offset(&zone->rule, zone->rule_from_s).until_s;
    return NULL;
}

static const char *read_segments(cursor *c, const header *h, size_t width, llim__timezone *zone)
{
    const unsigned char *times = take(c, (uint64_t)h->timecnt * width);
    const unsigned char *indices = take(c, h->timecnt);
    const unsigned char *types = take(c, (uint64_t)h->typecnt * 6);
    if (!times || !indices || !types || !take(c, (uint64_t)h->charcnt + h->isstdcnt + h->isutcnt)) return TOO_SHORT;
    for (uint32_t i = 0; i < h->typecnt; i++) {
        int32_t offset = (int32_t)big_endian(types + 6 * (size_t)i, 4);
        if (offset < OFFSET_MIN_S || offset > OFFSET_MAX_S) return "offsets of less than 25 h west and 26 h east";
        if (types[6 * (size_t)i + 4] > 1 || types[6 * (size_t)i + 5] >= h->charcnt) return "local time types in range";
    }
    zone->segments[0] = (segment){INT64_MIN, (int32_t)big_endian(types, 4)};
    zone->n_segments = 1;
    zone->rule_from_s = INT64_MIN;
    for (uint32_t i = 0; i < h->timecnt; i++) {
        uint64_t raw = big_endian(times + width * i, width);
        int64_t at = width == 8 ? (int64_t)raw : (int32_t)raw;
        if (i > 0 && at <= zone->rule_from_s) return "transitions in ascending order";
        if (indices[i] >= h->typecnt) return "transitions to types that it defines";
        int64_t offset = (int32_t)big_endian(types + 6 * (size_t)indices[i], 4);
        zone->rule_from_s = at;
        if (offset != zone->segments[zone->n_segments - 1].offset_s)
            zone->segments[zone->n_segments++] = (segment){at, offset};
    }
    return NULL;
}

static const char *read_zone(cursor *c, llim__timezone **tz)
{
    header h;
    if (!read_header(c, &h)) return "the header of a TZif file of version 1 to 4";
    size_t width = 4;
    if (h.version != 0) {
        uint64_t skipped = (uint64_t)h.timecnt * 5 + (uint64_t)h.typecnt * 6 + h.charcnt + (uint64_t)h.leapcnt * 8;
        if (!take(c, skipped + h.isstdcnt + h.isutcnt) || !read_header(c, &h) || h.version == 0)
            return "a second header behind the 32-bit data";
        width = 8;
    }
    if (h.leapcnt > 0) return "no leap seconds, since the Unix clock has none";
    if (h.typecnt == 0 || h.typecnt > 256 || h.charcnt == 0) return "1 to 256 local time types, with their names";
    if (h.timecnt > c->left) return TOO_SHORT;
    *tz = calloc(1, sizeof **tz + (h.timecnt + (size_t)1) * sizeof(segment));
    if (!*tz) return NULL;
    const char *expected = read_segments(c, &h, width, *tz);
    if (expected || width == 4) return expected;
    return read_footer(c, *tz);
}

/* For messages: the name's printable part, cut where a name may not go on. */
typedef struct shown {
    char text[NAME_CAP + 1];
} shown;

static shown show(const char *name)
{
    shown s = {""};
    for (size_t i = 0; i < NAME_CAP && name[i]; i++) s.text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    return s;
}

int llim__timezone_parse(const unsigned char *data, size_t size, const char *name, llim__timezone **tz, llim_error *err)
{
    cursor c = {data, size};
    *tz = NULL;
    const char *expected = read_zone(&c, tz);
    if (expected) {
        llim__timezone_free(*tz);
        *tz = NULL;
        return llim__fail(err, LLIM_ETIMEZONE,
                          "time zone \"%s\": its file in " DATABASE " cannot be used, expected %s.", show(name).text,
                          expected);
    }
    if (!*tz) return llim__fail(err, LLIM_ENOMEM, "time zone \"%s\": there is no memory for it.", show(name).text);
    return LLIM_OK;
}

static const char *name_fault(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";
    size_t len = strnlen(name, NAME_CAP + 1);
    if (len > NAME_CAP) return "is longer than the 47 bytes of a zone's name";
    if (name[0] == '/') return "begins with \"/\"";
    if (strstr(name, "..")) return "has \"..\" in it";
    if (strstr(name, "//") || name[len - 1] == '/') return "has an empty part";
    if (name[strspn(name, allowed)]) return "has a character other than letters, digits, \"+\", \"-\", \"_\" and \"/\"";
    return NULL;
}

/* Why a file could not be had, for the message. */
static int unreadable(const char *name, int error, llim_error *err)
{
    struct stat st;
    char reason[64];
    if (error == ENOMEM) return llim__fail(err, LLIM_ENOMEM, "time zone \"%s\": there is no memory for it.", name);
    if (stat(DATABASE, &st) != 0)
        return llim__fail(err, LLIM_ETIMEZONE,
                          "time zone \"%s\": there is no time zone database in " DATABASE ", install tzdata.", name);
    if (error == ENOENT || error == ENOTDIR)
        return llim__fail(err, LLIM_ETIMEZONE,
                          "time zone \"%s\" is not in the database " DATABASE
                          ", expected a name such as \"America/Los_Angeles\".",
                          name);
    if (error == EISDIR)
        return llim__fail(err, LLIM_ETIMEZONE,
                          "time zone \"%s\" is a directory of the database " DATABASE
                          ", expected the name of a zone such as \"America/Los_Angeles\".",
                          name);
    if (error == EFBIG)
        return llim__fail(err, LLIM_ETIMEZONE,
                          "time zone \"%s\": its file in " DATABASE " is damaged, expected at most 1 MiB.", name);
    return llim__fail(err, LLIM_ETIMEZONE, "time zone \"%s\": its file in " DATABASE " cannot be read: %s.", name,
                      strerror_r(error, reason, sizeof reason));
}

/* The whole file into *data, which the caller frees; 0 or an errno. */
static int read_open(int fd, unsigned char **data, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return errno;
    if (S_ISDIR(st.st_mode)) return EISDIR;
    if (!S_ISREG(st.st_mode)) return EINVAL;
    if (st.st_size > FILE_CAP) return EFBIG;
    *data = malloc((size_t)st.st_size + 1);
    if (!*data) return ENOMEM;
    *size = 0;
    while (*size < (size_t)st.st_size) {
        ssize_t n = read(fd, *data + *size, (size_t)st.st_size - *size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        *size += (size_t)n;
    }
    return 0;
}

int llim__timezone_load(const char *name, llim__timezone **tz, llim_error *err)
{
    *tz = NULL;
    if (name[0] == 0 || strcmp(name, "UTC") == 0) {
        *tz = calloc(1, sizeof **tz + sizeof(segment));
        if (!*tz) return unreadable(name, ENOMEM, err);
        (*tz)->n_segments = 1;
        (*tz)->segments[0].start_s = INT64_MIN;
        return LLIM_OK;
    }
    const char *fault = name_fault(name);
    if (fault)
        return llim__fail(err, LLIM_ETIMEZONE, "time zone \"%s\" %s, expected a name such as \"America/Los_Angeles\".",
                          show(name).text, fault);
    char path[sizeof DATABASE + 1 + NAME_CAP] = DATABASE "/";
    memcpy(path + sizeof DATABASE, name, strlen(name));
    /* O_NONBLOCK: whatever somebody put there, opening it must not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return unreadable(name, errno, err);
    unsigned char *data = NULL;
    size_t size = 0;
    int error = read_open(fd, &data, &size);
    (void)close(fd);
    int rc = error ? unreadable(name, error, err) : llim__timezone_parse(data, size, name, tz, err);
    free(data);
    return rc;
}

void llim__timezone_free(llim__timezone *tz)
{
    free(tz);
}
