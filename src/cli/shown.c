/* shown.c - see shown.h. */
#include "cli/shown.h"

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

/* Format characters and variation selectors of Unicode: they take no column, or change what stands around them. */
static bool is_invisible(uint32_t point)
{
    static const uint32_t ranges[][2] = {{0xad, 0xad},     {0x61c, 0x61c},    {0x180b, 0x180f}, {0x200b, 0x200f},
                                         {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
                                         {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i][0] && point <= ranges[i][1]) return true;
    return false;
}

size_t cli_utf8_bytes(unsigned char first)
{
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

uint32_t cli_utf8_point(const char *text, size_t bytes)
{
    uint32_t point = (unsigned char)*text & (bytes == 1 ? 0x7fu : 0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) point = point << 6 | ((unsigned char)text[i] & 0x3fu);
    return point;
}

size_t cli_utf8(uint32_t point, char out[5])
{
    const size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; point >>= 6) out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(n == 1 ? point : (0xf00u >> n & 0xffu) | point);
    out[n] = 0;
    return n;
}

/* The columns of the next character, which *text moves past, and the bytes that show it. */
static int next(const char **text, char out[MB_LEN_MAX], size_t *n)
{
    char one[5] = "";
    const size_t bytes = cli_utf8_bytes((unsigned char)**text);
    strncpy(one, *text, bytes);
    if (strlen(one) == bytes && llim__is_text(one)) {
        const uint32_t point = cli_utf8_point(one, bytes);
        const int columns = is_invisible(point) ? -1 : wcwidth((wchar_t)point); /* of glibc: UCS-4 in every locale */
        mbstate_t state;
        memset(&state, 0, sizeof state);
        *text += bytes;
        if (columns >= 0 && (*n = wcrtomb(out, (wchar_t)point, &state)) != (size_t)-1) return columns;
    } else {
        ++*text;
    }
    *out = '?';
    *n = 1;
    return 1;
}

int cli_columns(const char *text)
{
    char out[MB_LEN_MAX];
    size_t n;
    int columns = 0;
    while (*text) columns += next(&text, out, &n);
    return columns;
}

size_t cli_fitting(const char *text, int columns)
{
    const char *p = text, *end = text;
    char out[MB_LEN_MAX];
    size_t n;
    for (int used = 0; *p; end = p)
        if ((used += next(&p, out, &n)) > columns) break;
    return (size_t)(end - text);
}

void cli_show(const char *text, int columns, char *out, size_t cap)
{
    const char *end = text + cli_fitting(text, columns);
    char bytes[MB_LEN_MAX];
    size_t n;
    while (text < end) {
        next(&text, bytes, &n);
        if (n >= cap) break;
        memcpy(out, bytes, n);
        out += n;
        cap -= n;
    }
    *out = 0;
}
