/*
 * keys.h - the bytes that a terminal sends, as keys: UTF-8 characters, and the escapes of the keys that top knows.
 *
 * Bytes come in pieces of any size: several keys at once, or a part of one.
 */
#ifndef LLIM_CLI_KEYS_H
#define LLIM_CLI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* Beyond all characters of Unicode. */
enum { CLI_KEY_UP = 0x110000, CLI_KEY_DOWN, CLI_KEY_PAGE_UP, CLI_KEY_PAGE_DOWN, CLI_KEY_ESCAPE };

typedef struct cli_keys {
    char bytes[64]; /* that have come, and are no key yet */
    size_t n;
} cli_keys;

/* Takes the next key: a character, or one of the above; 0: there is none, or not all of it. pause: nothing has come for so long
   that what is there is all of it. Keys that are not known are left out. */
int cli_keys_take(cli_keys *keys, bool pause);

#endif
