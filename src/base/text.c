/* text.c - see text.h. */
#include "base/text.h"

#include <stdio.h>

#include "llm_limiters_core.h"

/* The bytes of the first character, or 0: it is no UTF-8, or a control character, those of two bytes (C1) among them. */
static size_t first_of(const unsigned char *p)
{
    static const uint32_t least[] = {0xa0, 0x800, 0x10000}; /* by one, two and three bytes more */
    const unsigned char first = *p;
    if (first < ' ' || first == 0x7f) return 0;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    const size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t point = first & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        point = point << 6 | (p[i] & 0x3fu);
    }
    return point < least[more - 1] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? 0 : more + 1;
}

bool llim__is_text(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t n = 1; *p && n; p += n) n = first_of(p);
    return !*p;
}

void llim__make_text(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p;) {
        const size_t n = first_of(p);
        if (n == 0) *p = '?';
        p += n ? n : 1;
    }
}

void llim__span_text(int law, int unit, int64_t window_ns, char *out, size_t cap)
{
    static const char *const units[] = {"", "min", "hour", "day", "week", "month"};
    static const int64_t seconds[] = {0, 60, 3600, 86400, 7 * 86400};
    const char *found = law == LLIM_CALENDAR ? units[unit] : law == LLIM_GAUGE ? "at once" : NULL;
    for (size_t i = 1; !found && i < sizeof seconds / sizeof *seconds; i++)
        if (window_ns == seconds[i] * LLIM_SECOND) found = units[i];
    if (found)
        snprintf(out, cap, "%s", found);
    else if (window_ns % (seconds[LLIM_PER_DAY] * LLIM_SECOND) == 0)
        snprintf(out, cap, "%lld days", (long long)(window_ns / LLIM_SECOND / seconds[LLIM_PER_DAY]));
    else
        snprintf(out, cap, "%gs", (double)window_ns / LLIM_SECOND);
}
