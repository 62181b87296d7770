/*
 * test_timezone.c - the reader of time zones against the C library's own localtime_r, and against damaged files.
 *
 * The process's TZ is set here, which only a test may do; the library under test must not notice. The seed is random,
 * or LLIM_SEED, and is printed when something fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timezone.h"

#define DATABASE  "/usr/share/zoneinfo/"
#define YEAR_1900 INT64_C(-2208988800)
#define YEAR_1972 INT64_C(63072000)
#define YEAR_2400 INT64_C(13569465600)
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static uint64_t seed;
static uint64_t state;

static uint64_t next_random(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(next_random() % (uint64_t)(high - low + 1));
}

static int reseed(void **unused)
{
    (void)unused;
    state = seed;
    return 0;
}

#define CHECK(condition, name, at)                                                                                     \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s, %s at %lld, LLIM_SEED=%llu", #condition, name, (long long)(at), (unsigned long long)seed);   \
    } while (0)

static const char *const zones[] = {"UTC",
                                    "America/Los_Angeles",
                                    "Australia/Lord_Howe",
                                    "America/St_Johns",
                                    "Africa/Casablanca",
                                    "Asia/Kathmandu",
                                    "Pacific/Apia",
                                    "America/Sao_Paulo",
                                    "Europe/Dublin",
                                    "Antarctica/Troll",
                                    "America/New_York",
                                    "Europe/London",
                                    "Europe/Berlin",
                                    "Africa/Monrovia",
                                    "Africa/El_Aaiun",
                                    "Asia/Tehran",
                                    "Asia/Gaza",
                                    "Asia/Kolkata",
                                    "Asia/Pyongyang",
                                    "America/Nuuk",
                                    "America/Scoresbysund",
                                    "America/Havana",
                                    "America/Asuncion",
                                    "Pacific/Chatham",
                                    "Pacific/Kiritimati",
                                    "Pacific/Fiji",
                                    "America/Santiago",
                                    "Australia/Adelaide",
                                    "Europe/Moscow",
                                    "Etc/GMT+12",
                                    "Africa/Cairo",
                                    "Asia/Jerusalem",
                                    "Pacific/Kwajalein",
                                    "America/Anchorage",
                                    "Asia/Manila"};

static llim__timezone *load(const char *name)
{
    llim__timezone *tz;
    llim_error err;
    if (llim__timezone_load(name, &tz, &err) != LLIM_OK) fail_msg("%s", err.message);
    return tz;
}

static void use_libc(const char *tz)
{
    assert_int_equal(setenv("TZ", tz, 1), 0);
    tzset();
}

static int64_t libc_offset(int64_t utc_s)
{
    struct tm tm;
    time_t t = (time_t)utc_s;
    assert_non_null(localtime_r(&t, &tm));
    return tm.tm_gmtoff;
}

/* The offset, the ends of its interval and a few instants inside it. */
static void check_at(const llim__timezone *tz, const char *name, int64_t t)
{
    llim__utc_offset o = llim__timezone_offset(tz, t);
    CHECK(o.offset_s == libc_offset(t), name, t);
    CHECK(o.from_s <= t && t < o.until_s, name, t);
    int64_t low = o.from_s < YEAR_1900 ? YEAR_1900 : o.from_s;
    int64_t high = o.until_s > 2 * YEAR_2400 ? 2 * YEAR_2400 : o.until_s;
    for (int i = 0; i < 4; i++) CHECK(libc_offset(between(low, high - 1)) == o.offset_s, name, t);
    CHECK(libc_offset(low) == o.offset_s && libc_offset(high - 1) == o.offset_s, name, t);
    if (o.from_s > YEAR_1900) {
        CHECK(libc_offset(o.from_s - 1) != o.offset_s, name, t);
        CHECK(llim__timezone_offset(tz, o.from_s - 1).until_s == o.from_s, name, t);
    }
    if (o.until_s != INT64_MAX) {
        CHECK(libc_offset(o.until_s) != o.offset_s, name, t);
        CHECK(llim__timezone_offset(tz, o.until_s).from_s == o.until_s, name, t);
    }
}

static void follows_libc(void **unused)
{
    (void)unused;
    for (size_t z = 0; z < COUNT(zones); z++) {
        llim__timezone *tz = load(zones[z]);
        use_libc(zones[z]);
        for (int i = 0; i < 300; i++) check_at(tz, zones[z], between(YEAR_1900, YEAR_2400));
        for (int i = 0; i < 300; i++) check_at(tz, zones[z], between(0, INT64_C(4102444800)));
        /* every interval from 1970 until 2200, without a gap */
        for (int64_t t = 0; t < INT64_C(7258118400);) {
            check_at(tz, zones[z], t);
            t = llim__timezone_offset(tz, t).until_s;
        }
        llim__timezone_free(tz);
    }
}

static void utc_needs_no_file(void **unused)
{
    (void)unused;
    static const char *const names[] = {"", "UTC"};
    for (size_t i = 0; i < COUNT(names); i++) {
        llim__timezone *tz = load(names[i]);
        llim__utc_offset o = llim__timezone_offset(tz, between(INT64_MIN / 4, INT64_MAX / 4));
        assert_int_equal(o.offset_s, 0);
        assert_true(o.from_s == INT64_MIN && o.until_s == INT64_MAX);
        llim__timezone_free(tz);
    }
}

static void refuses_names(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        const char *told;
    } wrong[] = {{"../../etc/passwd", "has \"..\""},
                 {"America/../UTC", "has \"..\""},
                 {"/usr/share/zoneinfo/UTC", "begins with \"/\""},
                 {"America//Los_Angeles", "has an empty part"},
                 {"Europe/Berlin/", "has an empty part"},
                 {"Mars/Olympus_Mons", "is not in the database"},
                 {"Europe/Berlin/Mitte", "is not in the database"},
                 {"America", "is a directory"},
                 {"zone.tab", "has a character other than"},
                 {"Europe/Ber\nlin", "time zone \"Europe/Ber?lin\" has a character other than"},
                 {"tzdata\xff", "has a character other than"},
                 {"America/A_Name_That_Is_Longer_Than_Any_In_Use_48", "is longer than the 47 bytes"}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        llim_error err;
        llim__timezone *tz = (llim__timezone *)&err;
        assert_int_equal(llim__timezone_load(wrong[i].name, &tz, &err), LLIM_ETIMEZONE);
        assert_null(tz);
        assert_int_equal(err.code, LLIM_ETIMEZONE);
        if (!strstr(err.message, wrong[i].told)) fail_msg("\"%s\" is told: %s", wrong[i].name, err.message);
        assert_non_null(strstr(err.message, "expected"));
        assert_int_equal(llim__timezone_load(wrong[i].name, &tz, NULL), LLIM_ETIMEZONE);
    }
}

typedef struct bytes {
    unsigned char at[1024];
    size_t size;
} bytes;

static void put(bytes *b, uint64_t value, int width)
{
    while (width-- > 0) b->at[b->size++] = (unsigned char)(value >> (8 * width));
}

static void put_header(bytes *b, char version, uint32_t leaps, uint32_t times, uint32_t types)
{
    memcpy(b->at + b->size, "TZif", 4);
    b->size += 4;
    put(b, (unsigned char)version, 1);
    b->size += 15 + 2 * 4; /* all zero: reserved, and two counts */
    put(b, leaps, 4);
    put(b, times, 4);
    put(b, types, 4);
    put(b, 4, 4);
}

/* Type 0 is UTC, type 1 an hour east; the file goes to type 1 at each of times. */
static bytes make_file(char version, const int64_t *times, uint32_t n, const char *footer)
{
    bytes b = {{0}, 0};
    int width = version ? 8 : 4;
    if (version) {
        put_header(&b, version, 0, 0, 1);
        put(&b, 0, 6);
        put(&b, 0x41414100, 4);
    }
    put_header(&b, version, 0, n, 2);
    for (uint32_t i = 0; i < n; i++) put(&b, (uint64_t)times[i], width);
    for (uint32_t i = 0; i < n; i++) put(&b, 1, 1);
    put(&b, 0, 6);
    put(&b, 3600, 4);
    put(&b, 0, 2);
    put(&b, 0x41414100, 4);
    if (version) b.size += (size_t)snprintf((char *)b.at + b.size, sizeof b.at - b.size, "\n%s\n", footer);
    return b;
}

/* From memory of exactly that size, so that a sanitizer sees each byte read beyond it. */
static llim__timezone *parse(const unsigned char *data, size_t size, llim_error *err)
{
    unsigned char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    llim__timezone *tz;
    int rc = llim__timezone_parse(exact, size, "Test/Zone", &tz, err);
    free(exact);
    assert_true(rc == (tz ? LLIM_OK : LLIM_ETIMEZONE));
    return tz;
}

static llim__timezone *parse_rule(const char *footer)
{
    bytes b = make_file('3', NULL, 0, footer);
    return parse(b.at, b.size, NULL);
}

static void follows_posix_rules(void **unused)
{
    (void)unused;
    static const char *const rules[] = {"PST8PDT,M3.2.0,M11.1.0",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                        "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "AAA-9:30BBB,J60/3,J300/1:30:15",
                                        "AAA5BBB4:15,59,300/24",
                                        "AAA-12BBB-13,J245,J59/0",
                                        "<+0330>-3:30:20<+05>-5,M2.5.6/26,M12.1.3/100",
                                        "EST5"};
    for (size_t i = 0; i < COUNT(rules); i++) {
        llim__timezone *tz = parse_rule(rules[i]);
        assert_non_null(tz);
        use_libc(rules[i]);
        /* before 1970 glibc does not follow a rule, and an interval may begin the year before */
        for (int k = 0; k < 500; k++) check_at(tz, rules[i], between(YEAR_1972, YEAR_2400));
        llim__timezone_free(tz);
    }
}

/* A yearly change of any kind about the given day of the year, at any time of any length. */
static void write_edge(char *text, size_t cap, int64_t day)
{
    static const char *const separators[] = {"", "-"};
    int kind = (int)between(0, 2);
    int n = kind == 0   ? snprintf(text, cap, "M%d.%d.%d", (int)(day / 31) + 1, (int)between(1, 5), (int)between(0, 6))
            : kind == 1 ? snprintf(text, cap, "J%d", (int)day)
                        : snprintf(text, cap, "%d", (int)day);
    assert_true(n > 0 && (size_t)n < cap);
    if (between(0, 3) == 0) return;
    n += snprintf(text + n, cap - (size_t)n, "/%s%d:%02d:%02d", separators[between(0, 1)], (int)between(0, 167),
                  (int)between(0, 59) * (int)between(0, 1), (int)between(0, 59) * (int)between(0, 1));
    assert_true((size_t)n < cap);
}

/* glibc takes the changes of each year by themselves: these keep clear of New Year and of one another, in either order. */
static void follows_random_rules(void **unused)
{
    (void)unused;
    for (int round = 0; round < 400; round++) {
        char rule[128], edge[2][40];
        int64_t first = between(40, 130), second = between(220, 310);
        bool south = next_random() & 1;
        write_edge(edge[0], sizeof edge[0], south ? second : first);
        write_edge(edge[1], sizeof edge[1], south ? first : second);
        int std = (int)between(-12, 14);
        int dst = std + (int)between(1, 3) * (next_random() & 1 ? 1 : -1);
        (void)snprintf(rule, sizeof rule, "<%+03d%02d>%d:%02d:%02dDDD%d:%02d,%s,%s", std, 30, -std, (int)between(0, 59),
                       (int)between(0, 59), -dst, (int)between(0, 59), edge[0], edge[1]);
        llim__timezone *tz = parse_rule(rule);
        if (!tz) fail_msg("refused the rule %s, LLIM_SEED=%llu", rule, (unsigned long long)seed);
        use_libc(rule);
        for (int k = 0; k < 40; k++) check_at(tz, rule, between(YEAR_1972, YEAR_2400));
        llim__timezone_free(tz);
    }
}

static void extreme_rules(void **unused)
{
    (void)unused;
    /* daylight saving all the year, touching and overlapping, and a change that changes nothing */
    static const char *const constant[] = {"EST5EDT,0/0,J365/25", "EST5EDT,0/-167,J365/167", "EST5EDT5,M3.2.0,M11.1.0"};
    static const int64_t offset[] = {-4 * 3600, -4 * 3600, -5 * 3600};
    for (size_t i = 0; i < COUNT(constant); i++) {
        llim__timezone *tz = parse_rule(constant[i]);
        assert_non_null(tz);
        for (int k = 0; k < 20; k++) {
            llim__utc_offset o = llim__timezone_offset(tz, (int64_t)next_random());
            CHECK(o.offset_s == offset[i] && o.from_s == INT64_MIN && o.until_s == INT64_MAX, constant[i], k);
        }
        llim__timezone_free(tz);
    }
    /* 2023-03-12 00:00 UTC - 167 h, 2023-11-05 00:00 UTC + 166 h */
    llim__timezone *tz = parse_rule("AAA0BBB,M3.2.0/-167,M11.1.0/167");
    llim__utc_offset o = llim__timezone_offset(tz, INT64_C(1690000000));
    assert_int_equal(o.offset_s, 3600);
    assert_int_equal(o.from_s, 1678579200 - 167 * 3600);
    assert_int_equal(o.until_s, 1699142400 + 166 * 3600);
    llim__timezone_free(tz);
    /* day 365 from 0 is in leap years 31 December, else 1 January: DST lasts 1 h in 2024, none in other years */
    tz = parse_rule("AAA0BBB0:30,365/0,J365/0:30");
    assert_non_null(tz);
    o = llim__timezone_offset(tz, INT64_C(1735603200));
    assert_true(o.offset_s == -1800 && o.from_s == INT64_C(1735603200) && o.until_s == o.from_s + 3600);
    llim__timezone_free(tz);
    /* instants at which nothing can be added any more */
    tz = parse_rule("PST8PDT,M3.2.0,M11.1.0");
    o = llim__timezone_offset(tz, INT64_MIN);
    assert_true(o.from_s == INT64_MIN && o.until_s > INT64_MIN);
    o = llim__timezone_offset(tz, INT64_MAX);
    assert_true(o.from_s < INT64_MAX && o.until_s == INT64_MAX);
    llim__timezone_free(tz);
}

static void joins_file_and_footer(void **unused)
{
    (void)unused;
    static const int64_t times[] = {1000, 2000, 3000};
    /* the last transition is the footer's; those before it that change nothing are none */
    bytes b = make_file('2', times, 3, "AAA-1");
    llim__timezone *tz = parse(b.at, b.size, NULL);
    llim__utc_offset o = llim__timezone_offset(tz, 2500);
    assert_true(o.offset_s == 3600 && o.from_s == 1000 && o.until_s == INT64_MAX);
    o = llim__timezone_offset(tz, 999);
    assert_true(o.offset_s == 0 && o.from_s == INT64_MIN && o.until_s == 1000);
    o = llim__timezone_offset(tz, 5000);
    assert_true(o.offset_s == 3600 && o.from_s == 1000 && o.until_s == INT64_MAX);
    llim__timezone_free(tz);
    /* a footer tells only of changes after the last transition, be that in the footer's daylight saving time */
    b = make_file('4', times, 3, "AAA-2");
    tz = parse(b.at, b.size, NULL);
    o = llim__timezone_offset(tz, 3000);
    assert_true(o.offset_s == 3600 && o.from_s == 1000 && o.until_s == INT64_MAX);
    llim__timezone_free(tz);
    static const int64_t october[] = {1667116800}; /* 2022-10-30 08:00 UTC */
    b = make_file('2', october, 1, "AAA-1BBB,M3.2.0,M11.1.0");
    tz = parse(b.at, b.size, NULL);
    static const int64_t asked[] = {1667116800, 1667700000, 1678582799}; /* until 2023-03-12 01:00 UTC */
    for (size_t i = 0; i < COUNT(asked); i++) {
        o = llim__timezone_offset(tz, asked[i]);
        assert_true(o.offset_s == 3600 && o.from_s == 1667116800 && o.until_s == 1678582800);
    }
    o = llim__timezone_offset(tz, 1678582800);
    assert_true(o.offset_s == 7200 && o.from_s == 1678582800 && o.until_s == 1699142400);
    llim__timezone_free(tz);
    /* a transition at the beginning of time is the last one too: the footer changes nothing after it */
    static const int64_t beginning[] = {INT64_MIN};
    for (int rule = 0; rule < 2; rule++) {
        b = make_file('2', beginning, 1, rule ? "AAA-2" : "");
        tz = parse(b.at, b.size, NULL);
        assert_non_null(tz);
        o = llim__timezone_offset(tz, 0);
        assert_true(o.offset_s == 3600 && o.from_s == INT64_MIN && o.until_s == INT64_MAX);
        llim__timezone_free(tz);
    }
    /* without a footer the last type stays; version 1 has none */
    for (int version = 0; version <= '2'; version += '2') {
        b = make_file((char)version, times, 2, "");
        tz = parse(b.at, b.size, NULL);
        assert_non_null(tz);
        o = llim__timezone_offset(tz, 2500);
        assert_true(o.offset_s == 3600 && o.from_s == 1000 && o.until_s == INT64_MAX);
        llim__timezone_free(tz);
    }
}

static void refuses_broken_rules(void **unused)
{
    (void)unused;
    static const char *const rules[] = {"PST",
                                        "PS8",
                                        "PST25",
                                        "PST8PDT",
                                        "PST8PDT,M3.2.0",
                                        "PST8PDT,M0.2.0,M11.1.0",
                                        "P1T8",
                                        "<PST8",
                                        "PST8:60",
                                        "PST8:00:60",
                                        "<P>8",
                                        "PST8PDT,M3.6.0,M11.1.0",
                                        "PST8 ",
                                        ":PST8",
                                        "AAA0BBB,J0,J1",
                                        "AAA0BBB,J366,J1",
                                        "AAA0BBB,366,1",
                                        "PST8PDT,M3.2.7,M11.1.0",
                                        "AAA0BBB,M1.1",
                                        "AAA0BBB,M1,1",
                                        "AAA0BBB,1/,2/1",
                                        "AAA0BBB,1/168,2",
                                        "AAA0BBB,1,2/-168",
                                        "AAA0BBB,1,2,3",
                                        "AAA0BBB25,1,2",
                                        "AAA0BB,1,2",
                                        "AAA0BBB,J,J",
                                        "AAA0BBB,0001,2",
                                        "<A;B>0",
                                        "AAA--1"};
    for (size_t i = 0; i < COUNT(rules); i++) {
        bytes b = make_file('2', NULL, 0, rules[i]);
        llim_error err;
        if (parse(b.at, b.size, &err)) fail_msg("accepted the rule %s", rules[i]);
        assert_non_null(strstr(err.message, "expected a POSIX rule"));
    }
}

static void refuse_change(bytes b, size_t at, unsigned char value, const char *expected)
{
    llim_error err;
    assert_int_not_equal(b.at[at], value);
    b.at[at] = value;
    assert_null(parse(b.at, b.size, &err));
    if (!strstr(err.message, expected)) fail_msg("expected \"%s\" in: %s", expected, err.message);
}

static void refuses_broken_fields(void **unused)
{
    (void)unused;
    static const int64_t times[] = {1000, 2000};
    enum { SECOND = 44 + 10, TIMES = SECOND + 44, INDICES = TIMES + 16, TYPES = INDICES + 2 };
    bytes b = make_file('2', times, 2, "AAA-12");
    llim__timezone_free(parse(b.at, b.size, NULL));
    refuse_change(b, 0, 'X', "the header");
    refuse_change(b, 4, '5', "version 1 to 4");
    refuse_change(b, 4, '1', "version 1 to 4");
    refuse_change(b, 40, 200, "a second header");
    refuse_change(b, SECOND, 'X', "a second header");
    refuse_change(b, SECOND + 4, 0, "a second header");
    refuse_change(b, SECOND + 31, 1, "leap seconds");
    refuse_change(b, SECOND + 32, 255, "as many bytes");
    refuse_change(b, SECOND + 39, 0, "1 to 256");
    refuse_change(b, SECOND + 38, 2, "1 to 256");
    refuse_change(b, SECOND + 43, 0, "1 to 256");
    refuse_change(b, SECOND + 40, 255, "as many bytes");
    refuse_change(b, SECOND + 23, 200, "as many bytes");
    refuse_change(b, TIMES + 8, 0x80, "ascending");
    refuse_change(b, INDICES, 2, "types that it defines");
    refuse_change(b, TYPES, 1, "25 h west and 26 h east");
    refuse_change(b, TYPES + 4, 2, "types in range");
    refuse_change(b, TYPES + 5, 4, "types in range");
    refuse_change(b, b.size - 1, 'x', "a footer");
    refuse_change(b, b.size - 8, 0, "a footer");
    refuse_change(b, b.size - 2, 0, "a POSIX rule");
}

/* Each of the counts of both headers, alone and with all the others, at the values where sums and products overflow. */
static void refuses_counts_that_overflow(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {
        UINT32_MAX,        UINT32_MAX - 1,       UINT32_C(1) << 31,    (UINT32_C(1) << 31) - 1,
        UINT32_C(1) << 29, UINT32_C(0x33333334), UINT32_C(0x1c71c71d), UINT32_C(0x2aaaaaab)};
    enum { COUNTS = 20, SECOND = 44 + 10, ALL = 6 };
    static const int64_t times[] = {1000, 2000};
    for (int version = 0; version <= '2'; version += '2')
        for (size_t at = COUNTS; at <= (version ? SECOND + COUNTS : COUNTS); at += SECOND)
            for (size_t v = 0; v < COUNT(values); v++)
                for (size_t which = 0; which <= ALL; which++) {
                    bytes b = make_file((char)version, times, 2, "AAA-1");
                    for (size_t i = which == ALL ? 0 : which; i < ALL && (which == ALL || i == which); i++) {
                        bytes count = {{0}, 0};
                        put(&count, values[v], 4);
                        memcpy(b.at + at + 4 * i, count.at, 4);
                    }
                    if (parse(b.at, b.size, NULL)) fail_msg("count %zu at %zu is %u", which, at, values[v]);
                }
}

/* The caller frees *data. */
static size_t read_file(const char *name, unsigned char **data)
{
    enum { CAP = 65536 };
    char path[128];
    (void)snprintf(path, sizeof path, DATABASE "%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *data = malloc(CAP);
    assert_non_null(*data);
    size_t size = fread(*data, 1, CAP, file);
    (void)fclose(file);
    assert_true(size > 100 && size < CAP);
    return size;
}

static void refuses_truncated_files(void **unused)
{
    (void)unused;
    static const char *const names[] = {"America/Los_Angeles", "Asia/Kathmandu", "Africa/Casablanca", "Etc/UTC"};
    for (size_t i = 0; i < COUNT(names); i++) {
        unsigned char *data;
        size_t size = read_file(names[i], &data);
        for (size_t cut = 0; cut < size; cut++)
            if (parse(data, cut, NULL)) fail_msg("%s parses when cut to %zu of %zu bytes", names[i], cut, size);
        llim__timezone *tz = parse(data, size, NULL);
        assert_non_null(tz);
        llim__timezone_free(tz);
        free(data);
    }
}

static void survives_flipped_bits(void **unused)
{
    (void)unused;
    static const char *const names[] = {"America/Los_Angeles", "Australia/Lord_Howe", "Africa/Casablanca", "Etc/UTC"};
    for (int round = 0; round < 4000; round++) {
        const char *name = names[(size_t)round % COUNT(names)];
        unsigned char *data;
        size_t size = read_file(name, &data);
        /* half of the flips in the headers' and footer's neighbourhood, where they do more */
        for (int64_t flips = between(1, 8); flips > 0; flips--) {
            size_t at = (size_t)between(0, (int64_t)size - 1);
            if (next_random() & 1) at = next_random() & 1 ? at % 44 : size - 1 - at % 40;
            data[at] = (unsigned char)(data[at] ^ 1U << between(0, 7));
        }
        llim__timezone *tz = parse(data, size, NULL);
        for (int k = 0; tz && k < 10; k++) {
            int64_t t = k < 8 ? between(YEAR_1900, YEAR_2400) : (int64_t)next_random();
            llim__utc_offset o = llim__timezone_offset(tz, t);
            CHECK(o.from_s <= t && (t < o.until_s || t == INT64_MAX), name, t);
            CHECK(o.offset_s > -25 * 3600 && o.offset_s < 26 * 3600, name, t);
            if (o.until_s != INT64_MAX) CHECK(llim__timezone_offset(tz, o.until_s).from_s == o.until_s, name, t);
            if (o.from_s != INT64_MIN) CHECK(llim__timezone_offset(tz, o.from_s - 1).until_s == o.from_s, name, t);
        }
        llim__timezone_free(tz);
        free(data);
    }
}

int main(void)
{
    const char *given = getenv("LLIM_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(follows_libc, reseed),
        cmocka_unit_test_setup(utc_needs_no_file, reseed),
        cmocka_unit_test_setup(refuses_names, reseed),
        cmocka_unit_test_setup(follows_posix_rules, reseed),
        cmocka_unit_test_setup(follows_random_rules, reseed),
        cmocka_unit_test_setup(extreme_rules, reseed),
        cmocka_unit_test_setup(joins_file_and_footer, reseed),
        cmocka_unit_test_setup(refuses_broken_rules, reseed),
        cmocka_unit_test_setup(refuses_broken_fields, reseed),
        cmocka_unit_test_setup(refuses_counts_that_overflow, reseed),
        cmocka_unit_test_setup(refuses_truncated_files, reseed),
        cmocka_unit_test_setup(survives_flipped_bits, reseed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
