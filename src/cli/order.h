/* order.h - which scopes of a look are shown, and in what order. */
#ifndef LLIM_CLI_ORDER_H
#define LLIM_CLI_ORDER_H

#include "cli/look.h"

/* The fullest first; by name; the one with most of them first, per second if that is known, else of all. */
enum cli_sort { CLI_BY_USE, CLI_BY_NAME, CLI_BY_ADMITTED, CLI_BY_REFUSED, CLI_SORTS };
extern const char *const cli_sorts[CLI_SORTS];

typedef struct cli_order {
    const cli_scope **scopes;
    uint32_t n;
} cli_order;

/* The scopes whose names hold the filter, letters of ASCII alike whether they are large or small. Ties go by name. */
void cli_order_make(const cli_look *look, enum cli_sort sort, const char *filter, cli_order *order);
void cli_order_free(cli_order *order);

#endif
