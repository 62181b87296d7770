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
    double interval;        /* seconds */
    enum cli_sort sort;
    char filter[LLIM_SCOPE_SHOWN];
    bool editing;   /* the filter is being typed */
    bool keys;      /* there are some, and they are told */
    uint32_t first; /* of the order, that is shown */
} cli_view;

typedef struct cli_lines {
    char **line; /* no wider than the view's columns, in characters */
    uint32_t n;
} cli_lines;

/* view->first is set back to what there is. */
void cli_board(const cli_look *look, cli_view *view, cli_lines *lines);
void cli_lines_free(cli_lines *lines);

enum { CLI_KEY_UP = 256, CLI_KEY_DOWN, CLI_KEY_PAGE_UP, CLI_KEY_PAGE_DOWN, CLI_KEY_ESCAPE };

/* What a key changes in a view: a byte, or one of the above. False: it ends. */
bool cli_view_key(cli_view *view, int key);

#endif
