/* text.c - see text.h. */
#include "base/text.h"

#include <stdint.h>

bool llim__is_text(const char *text)
{
    static const uint32_t least[] = {0x80, 0x800, 0x10000}; /* by one, two and three bytes more */
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        unsigned char first = *p++;
        if (first < ' ' || first == 0x7f) return false;
        if (first < 0x80) continue;
        int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        uint32_t point = first & (0x3fu >> more);
        if (first < 0xc2 || first > 0xf4) return false;
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) return false;
            point = point << 6 | (*p & 0x3fu);
        }
        if (point < least[more - 1] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    }
    return true;
}
