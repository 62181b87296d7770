/*
 * board.h - the picture that top shows: a look at a zone as lines of text, and what its keys do.
 *
 * Nothing here knows a terminal: the same look and view give the same lines.
 */
#ifndef LLIM_CLI_BOARD_H
#define LLIM_CLI_BOARD_H

#include "cli/order.h"

/* How somebody looks. */
typedef struct cli_view {
    const char *path;
    uint32_t rows, columns; /* of the window; rows 0: as many as it takes */
    double interval;        /* seconds between two looks, as it was asked for */
    double slow;            /* and as it is, if that is longer */
    enum cli_sort sort;
    char filter[LLIM_SCOPE_SHOWN]; /* UTF-8 */
    bool editing;                  /* the filter is being typed */
    bool keys;                     /* there are some, and they are told */
    uint32_t first;                /* of the order, that is shown */
} cli_view;

typedef struct cli_lines {
    char **line; /* no wider than the view's columns, and in the user's character set */
    uint32_t n;
} cli_lines;

/* order: of the look, by the view's sort and filter. view->first is set back to what there is. */
void cli_board(const cli_look *look, const cli_order *order, cli_view *view, cli_lines *lines);
void cli_lines_free(cli_lines *lines);

/* What a key changes in a view: one as of cli_keys_take(), or 0. False: it ends. */
bool cli_view_key(cli_view *view, int key);

#endif
