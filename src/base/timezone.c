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
#include "base/posix_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE     "/usr/share/zoneinfo"
#define NAME_CAP     47
#define FILE_CAP     (1024 * 1024)
#define FOOTER_CAP   255
#define OFFSET_MIN_S (-89999) /* the limits of RFC 9636, 3.2; a footer cannot exceed them */
#define OFFSET_MAX_S 93599

typedef struct segment {
    int64_t start_s;
    int64_t offset_s;
} segment;

struct llim__timezone {
    bool has_rule;
    int64_t rule_from_s;
    llim__posix_rule rule;
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

llim__utc_offset llim__timezone_offset(const llim__timezone *tz, int64_t utc_s)
{
    if (tz->has_rule && utc_s >= tz->rule_from_s) {
        llim__utc_offset o = llim__posix_rule_offset(&tz->rule, utc_s);
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
        llim__utc_offset next = llim__posix_rule_offset(&tz->rule, tz->rule_from_s);
        o.until_s = next.offset_s == o.offset_s ? next.until_s : tz->rule_from_s;
    }
    return o;
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
static const char *read_footer(cursor *c, bool transitions, llim__timezone *zone)
{
    const unsigned char *line = take(c, 1);
    const unsigned char *end = line && *line == '\n' ? memchr(c->at, '\n', c->left) : NULL;
    if (!end || end - c->at > FOOTER_CAP) return "a footer of at most 255 bytes between two newlines";
    char text[FOOTER_CAP + 1] = "";
    size_t len = (size_t)(end - c->at);
    memcpy(text, c->at, len);
    if (len == 0) return NULL;
    zone->has_rule = true;
    if (strlen(text) != len || !llim__posix_rule_read(text, &zone->rule))
        return "a POSIX rule such as PST8PDT,M3.2.0,M11.1.0";
    if (transitions) zone->rule_from_s = llim__posix_rule_offset(&zone->rule, zone->rule_from_s).until_s;
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
        segment *last = &zone->segments[zone->n_segments - 1];
        if (at == last->start_s)
            last->offset_s = offset; /* at the beginning of time */
        else if (offset != last->offset_s)
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
    if (h.timecnt > c->left / (width + 1)) return TOO_SHORT;
    *tz = calloc(1, sizeof **tz + (h.timecnt + (size_t)1) * sizeof(segment));
    if (!*tz) return NULL;
    const char *expected = read_segments(c, &h, width, *tz);
    if (expected || width == 4) return expected;
    return read_footer(c, h.timecnt > 0, *tz);
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
