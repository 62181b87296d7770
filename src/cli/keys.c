/* keys.c - see keys.h. */
#include "cli/keys.h"

#include "base/text.h"
#include "cli/shown.h"

#include <string.h>

enum { PART = 0 }; /* of what may become a key */

static const struct {
    const char *bytes;
    int key;
} known[] = {
    {"\033[A", CLI_KEY_UP},   {"\033OA", CLI_KEY_UP},       {"\033[B", CLI_KEY_DOWN},
    {"\033OB", CLI_KEY_DOWN}, {"\033[5~", CLI_KEY_PAGE_UP}, {"\033[6~", CLI_KEY_PAGE_DOWN},
};

/* The bytes of the escape sequence at the start (ECMA-48: parameters, then one final byte). */
static size_t escape_bytes(const cli_keys *keys)
{
    if (keys->n < 2) return PART;
    if (keys->bytes[1] == 'O') return keys->n < 3 ? PART : 3;
    if (keys->bytes[1] != '[') return 1;
    for (size_t i = 2; i < keys->n; i++)
        if (keys->bytes[i] < ' ' || keys->bytes[i] > '?') return i + 1;
    return PART;
}

/* The bytes of the character at the start. */
static size_t character_bytes(const cli_keys *keys)
{
    const size_t bytes = cli_utf8_bytes((unsigned char)keys->bytes[0]);
    for (size_t i = 1; i < bytes && i < keys->n; i++)
        if ((keys->bytes[i] & 0xc0) != 0x80) return 1;
    return bytes <= keys->n ? bytes : PART;
}

static int key_of(const char *bytes, size_t n)
{
    char one[5] = "";
    if (*bytes == '\033' && n == 1) return CLI_KEY_ESCAPE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].bytes) == n && memcmp(known[i].bytes, bytes, n) == 0) return known[i].key;
    if (*bytes == '\033') return 0;
    if (n == 1) return (unsigned char)*bytes < 0x80 ? *bytes : 0;
    memcpy(one, bytes, n);
    return llim__is_text(one) ? (int)cli_utf8_point(one, n) : 0;
}

int cli_keys_take(cli_keys *keys, bool pause)
{
    while (keys->n) {
        size_t bytes = keys->bytes[0] == '\033' ? escape_bytes(keys) : character_bytes(keys);
        if (bytes == PART && !pause && keys->n < sizeof keys->bytes) return 0;
        if (bytes == PART) bytes = 1; /* it was none */
        const int key = key_of(keys->bytes, bytes);
        keys->n -= bytes;
        memmove(keys->bytes, keys->bytes + bytes, keys->n);
        if (key) return key;
    }
    return 0;
}
