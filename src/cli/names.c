/*
 * names.c - see names.h. The table doubles before it is more than half full, so that probes stay short.
 */
#include "cli/names.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t find(const cli_names *names, const char *text)
{
    uint32_t i = hash(text) & (names->slots - 1);
    while (names->slot[i] != CLI_NONE && strcmp(names->text[names->slot[i]], text) != 0)
        i = (i + 1) & (names->slots - 1);
    return i;
}

static void grow(cli_names *names)
{
    names->slots = names->slots ? names->slots * 2 : 16;
    names->slot = cli_resize(names->slot, names->slots, sizeof *names->slot);
    names->text = cli_resize(names->text, names->slots / 2, sizeof *names->text);
    for (uint32_t i = 0; i < names->slots; i++) names->slot[i] = CLI_NONE;
    for (uint32_t i = 0; i < names->n; i++) names->slot[find(names, names->text[i])] = i;
}

uint32_t cli_names_add(cli_names *names, const char *text)
{
    if (names->slots) {
        uint32_t known = names->slot[find(names, text)];
        if (known != CLI_NONE) return known;
    }
    if (names->n >= names->slots / 2) grow(names);
    names->slot[find(names, text)] = names->n;
    names->text[names->n] = cli_copy(text);
    return names->n++;
}

void cli_names_free(cli_names *names)
{
    for (uint32_t i = 0; i < names->n; i++) free(names->text[i]);
    free(names->text);
    free(names->slot);
    memset(names, 0, sizeof *names);
}
