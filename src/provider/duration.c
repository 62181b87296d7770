/*
 * duration.c - owns the reading of numbers, durations and instants as providers print them.
 *
 * Durations are rounded up, so that a wait read here is never shorter than the one that was printed. The text may be
 * hostile: nothing is read behind its end and no number wraps. Pure functions.
 */
#include "base/date.h"
#include "provider/provider.h"

#include <string.h>

#define LONGEST 64 /* no form is longer */

__extension__ typedef __int128 llim__wide;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at the start of the text. LLIM_EINVAL: there are none. LLIM_ERANGE: too large; they are taken all the same. */
static int take_whole(llim__text *text, int64_t *value)
{
    int64_t n = 0;
    if (!text->len || !is_digit(*text->at)) return LLIM_EINVAL;
    for (; text->len && is_digit(*text->at); text->at++, text->len--)
        if (n <= LLIM__DECIMAL_MAX) n = n * 10 + (*text->at - '0');
    *value = n;
    return n <= LLIM__DECIMAL_MAX ? LLIM_OK : LLIM_ERANGE;
}

/* The same with a fraction, times scale and rounded up. */
static int take_decimal(llim__text *text, int64_t scale, int64_t *value)
{
    int64_t whole, billionths = 0, place = LLIM_SECOND;
    int code = take_whole(text, &whole);
    if (code == LLIM_EINVAL) return code;
    if (text->len && *text->at == '.') {
        text->at++, text->len--;
        if (!text->len || !is_digit(*text->at)) return LLIM_EINVAL;
        bool more = false;
        for (; text->len && is_digit(*text->at); text->at++, text->len--) {
            place /= 10;
            billionths += place * (*text->at - '0');
            more = more || (place == 0 && *text->at != '0');
        }
        billionths += more;
    }
    if (code != LLIM_OK || whole > LLIM__DECIMAL_MAX / scale) return LLIM_ERANGE;
    *value = whole * scale + (int64_t)(((llim__wide)billionths * scale + LLIM_SECOND - 1) / LLIM_SECOND);
    return *value <= LLIM__DECIMAL_MAX ? LLIM_OK : LLIM_ERANGE;
}

bool llim__decimal(llim__text text, int64_t scale, int64_t *value)
{
    return take_decimal(&text, scale, value) == LLIM_OK && text.len == 0;
}

int64_t llim__amount(llim__text text)
{
    int64_t n;
    return take_whole(&text, &n) == LLIM_OK && text.len == 0 && n <= LLIM_AMOUNT_MAX ? n : LLIM_UNKNOWN;
}

static bool take(llim__text *text, const char *word)
{
    size_t n = strlen(word);
    if (text->len < n || memcmp(text->at, word, n) != 0) return false;
    text->at += n;
    text->len -= n;
    return true;
}

/* Exactly that many digits. */
static bool take_digits(llim__text *text, size_t n, int64_t *value)
{
    if (text->len < n) return false;
    llim__text part = {text->at, n};
    if (take_whole(&part, value) != LLIM_OK || part.len) return false;
    text->at += n;
    text->len -= n;
    return true;
}

static bool take_clock(llim__text *text, int64_t *second)
{
    int64_t h, m, s;
    if (!take_digits(text, 2, &h) || !take(text, ":") || !take_digits(text, 2, &m) || !take(text, ":") ||
        !take_digits(text, 2, &s) || h > 23 || m > 59 || s > 60)
        return false;
    *second = h * 3600 + m * 60 + s;
    return true;
}

static bool to_wall(int64_t year, int64_t month, int64_t day, int64_t second, int64_t *wall_ns)
{
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1) return false;
    int64_t index = year * 12 + month - 1, first = llim__month_day(index);
    if (day > llim__month_day(index + 1) - first) return false;
    *wall_ns = ((first + day - 1) * LLIM__DAY_S + second) * LLIM_SECOND;
    return true;
}

/* "Tue, 16 Dec 2025 12:00:00 GMT": the one form that senders may use (RFC 9110, 5.6.7). */
static bool http_date(llim__text text, int64_t *wall_ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day, year, second, month = 0;
    if (text.len != 29 || memcmp(text.at + 3, ", ", 2) != 0) return false;
    text.at += 5, text.len -= 5;
    if (!take_digits(&text, 2, &day) || !take(&text, " ")) return false;
    while (month < 12 && memcmp(text.at, months + month * 3, 3) != 0) month++;
    text.at += 3, text.len -= 3;
    return take(&text, " ") && take_digits(&text, 4, &year) && take(&text, " ") && take_clock(&text, &second) &&
           take(&text, " GMT") && to_wall(year, month + 1, day, second, wall_ns);
}

/* "2025-12-16T12:00:00.5Z", or with +01:00 for the Z (RFC 3339, 5.6). */
static bool rfc3339(llim__text text, int64_t *wall_ns)
{
    int64_t year, month, day, second, part = 0, h = 0, m = 0;
    if (!take_digits(&text, 4, &year) || !take(&text, "-") || !take_digits(&text, 2, &month) || !take(&text, "-") ||
        !take_digits(&text, 2, &day) || !(take(&text, "T") || take(&text, "t")) || !take_clock(&text, &second))
        return false;
    if (text.len && *text.at == '.') { /* read with a zero before it, as the fraction of a second */
        size_t n = 1;
        while (n < text.len && is_digit(text.at[n])) n++;
        char fraction[LONGEST] = "0";
        if (n + 1 > sizeof fraction) return false;
        memcpy(fraction + 1, text.at, n);
        if (!llim__decimal((llim__text){fraction, n + 1}, LLIM_SECOND, &part)) return false;
        text.at += n, text.len -= n;
    }
    bool west = text.len && *text.at == '-';
    if (!take(&text, "Z") && !take(&text, "z")) {
        if (!(take(&text, "+") || take(&text, "-")) || !take_digits(&text, 2, &h) || !take(&text, ":") ||
            !take_digits(&text, 2, &m) || h > 23 || m > 59)
            return false;
    }
    int64_t east_s = (h * 60 + m) * 60;
    if (text.len || !to_wall(year, month, day, second, wall_ns)) return false;
    *wall_ns += part - (west ? -east_s : east_s) * LLIM_SECOND;
    return *wall_ns >= 0;
}

bool llim__instant(llim__text text, int64_t *wall_ns)
{
    return text.len <= LONGEST && (http_date(text, wall_ns) || rfc3339(text, wall_ns));
}

/* Go prints the largest unit first and each at most once: "1h2m3.5s", "534ms". */
static int go_duration(llim__text text, int64_t *ns)
{
    static const struct {
        const char *name; /* ms before m */
        int64_t ns;
    } units[] = {{"h", INT64_C(3600) * LLIM_SECOND},
                 {"ms", 1000000},
                 {"m", INT64_C(60) * LLIM_SECOND},
                 {"s", LLIM_SECOND},
                 {"us", 1000},
                 {"\xc2\xb5s", 1000},
                 {"ns", 1}};
    int64_t sum = 0, last = INT64_MAX;
    while (text.len) {
        llim__text number = text;
        int64_t part;
        if (take_decimal(&text, 1, &part) == LLIM_EINVAL) return LLIM_EINVAL;
        number.len -= text.len;
        size_t u = 0, n = sizeof units / sizeof units[0];
        while (u < n && !take(&text, units[u].name)) u++;
        if (u == n || units[u].ns >= last) return LLIM_EINVAL;
        last = units[u].ns;
        if (!llim__decimal(number, last, &part)) return LLIM_ERANGE;
        sum += part;
        if (sum > LLIM__DECIMAL_MAX) return LLIM_ERANGE;
    }
    *ns = sum;
    return LLIM_OK;
}

int llim_parse_duration(const char *text, size_t len, int64_t now_wall_ns, int64_t *ns)
{
    if (!ns || !text || len == 0 || len > LONGEST) return LLIM_EINVAL;
    llim__text all = {text, len}, number = all;
    int64_t value = 0;
    int code = take_decimal(&number, LLIM_SECOND, &value);
    if (code == LLIM_EINVAL || number.len) {
        code = go_duration(all, &value);
        if (code == LLIM_EINVAL && now_wall_ns > 0 && llim__instant(all, &value)) {
            value = value > now_wall_ns ? value - now_wall_ns : 0;
            code = value <= LLIM__DECIMAL_MAX ? LLIM_OK : LLIM_ERANGE;
        }
    }
    if (code == LLIM_OK) *ns = value;
    return code;
}
