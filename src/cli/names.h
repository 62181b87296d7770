/*
 * names.h - a set of strings that gives each a number, from 0 in the order of their first appearance.
 *
 * Strings are copied and never removed. The numbers do not depend on the hash.
 */
#ifndef LLIM_CLI_NAMES_H
#define LLIM_CLI_NAMES_H

#include <stdint.h>

typedef struct cli_names {
    char **text; /* by number */
    uint32_t n;
    uint32_t slots; /* a power of two, or 0; more than n */
    uint32_t *slot; /* open addressing, linear probing; CLI_NONE is free */
} cli_names;

/* The number of the text, which becomes a member if it was none. */
uint32_t cli_names_add(cli_names *names, const char *text);

void cli_names_free(cli_names *names);

#endif
