/*
 * instant.c - parsing and writing of instants; see instant.h.
 *
 * Days are counted by the proleptic Gregorian calendar, in years that begin in March so that the leap day is the last.
 */
#include "cli/instant.h"

#include <stdio.h>
#include <string.h>

#define NS 1000000000

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = days / 146097, of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = years + era * 400 + (*month <= 2);
}

/* Exactly n digits, then the given character (0: anything). */
static bool digits(const char **text, int n, char then, int64_t *value)
{
    const char *p = *text;
    int64_t number = 0;
    for (int i = 0; i < n; i++, p++) {
        if (*p < '0' || *p > '9') return false;
        number = number * 10 + (*p - '0');
    }
    if (then && *p++ != then) return false;
    *text = p;
    *value = number;
    return true;
}

/* ".97996" or nothing; a point wants digits. */
static bool fraction(const char **text, int64_t *ns)
{
    const char *p = *text;
    *ns = 0;
    if (*p != '.') return true;
    int64_t unit = NS;
    for (p++; *p >= '0' && *p <= '9'; p++) {
        unit /= 10;
        *ns += unit * (*p - '0');
    }
    if (p == *text + 1) return false;
    *text = p;
    return true;
}

bool cli_timestamp(const char *text, int64_t *ns)
{
    int64_t year, month, day, hour, minute, second, part;
    if (!digits(&text, 4, '-', &year) || !digits(&text, 2, '-', &month) || !digits(&text, 2, 0, &day)) return false;
    if (*text != ' ' && *text != 'T') return false;
    text++;
    if (!digits(&text, 2, ':', &hour) || !digits(&text, 2, ':', &minute) || !digits(&text, 2, 0, &second)) return false;
    if (!fraction(&text, &part)) return false;
    if (*text && strcmp(text, "Z") != 0 && strcmp(text, "+00:00") != 0) return false;
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false;
    int64_t days = days_of(year, month, day);
    int64_t next = month < 12 ? days_of(year, month + 1, 1) : days_of(year + 1, 1, 1);
    if (day < 1 || days >= next) return false;
    *ns = (((days * 24 + hour) * 60 + minute) * 60 + second) * NS + part;
    return true;
}

bool cli_seconds(const char *text, int64_t *ns)
{
    const char *p = text;
    int64_t seconds = 0, part;
    for (; *p >= '0' && *p <= '9'; p++) {
        seconds = seconds * 10 + (*p - '0');
        if (seconds >= CLI_INSTANT_END) return false;
    }
    if (p == text || !fraction(&p, &part) || *p) return false;
    *ns = seconds * NS + part;
    return true;
}

void cli_timestamp_text(int64_t ns, char *out, size_t cap)
{
    int64_t seconds = ns / NS, year, month, day;
    date_of(seconds / 86400, &year, &month, &day);
    snprintf(out, cap, "%04d-%02d-%02d %02d:%02d:%02d.%07d", (int)year, (int)month, (int)day,
             (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60), (int)(ns % NS / 100));
}
