/* order.c - see order.h. */
#include "cli/order.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

const char *const cli_sorts[CLI_SORTS] = {"use", "name", "admitted", "refused"};

static int by_name(const void *a, const void *b)
{
    const cli_scope *x = *(const cli_scope *const *)a, *y = *(const cli_scope *const *)b;
    const int names = strcmp(x->name, y->name);
    return names ? names : (x->row.index > y->row.index) - (x->row.index < y->row.index);
}

static int by_number(double x, double y, const void *a, const void *b)
{
    return x != y ? (x < y) - (x > y) : by_name(a, b);
}

static int by_use(const void *a, const void *b)
{
    return by_number((*(const cli_scope *const *)a)->use, (*(const cli_scope *const *)b)->use, a, b);
}

/* Known rates are before counts, which a first look has alone. */
static int by_count(const void *a, const void *b, int which)
{
    const cli_scope *x = *(const cli_scope *const *)a, *y = *(const cli_scope *const *)b;
    if (x->rate[which] != y->rate[which]) return by_number(x->rate[which], y->rate[which], a, b);
    return by_number((double)x->count[which], (double)y->count[which], a, b);
}

static int by_admitted(const void *a, const void *b)
{
    return by_count(a, b, CLI_COUNT_ADMITTED);
}

static int by_refused(const void *a, const void *b)
{
    return by_count(a, b, CLI_COUNT_REFUSED);
}

void cli_order_make(const cli_look *look, enum cli_sort sort, const char *filter, cli_order *order)
{
    static int (*const compare[CLI_SORTS])(const void *, const void *) = {by_use, by_name, by_admitted, by_refused};
    order->n = 0;
    order->scopes = cli_resize(NULL, look->n, sizeof *order->scopes);
    for (uint32_t i = 0; i < look->n; i++)
        if (strcasestr(look->scopes[i].name, filter)) order->scopes[order->n++] = &look->scopes[i];
    qsort(order->scopes, order->n, sizeof *order->scopes, compare[sort]);
}

void cli_order_free(cli_order *order)
{
    free(order->scopes);
}
