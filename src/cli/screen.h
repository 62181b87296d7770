/*
 * screen.h - a terminal whose whole window is drawn on, and given back as it was, however the program ends.
 *
 * By the escapes of ECMA-48 and the alternate screen that every terminal of today has. One screen per program.
 */
#ifndef LLIM_CLI_SCREEN_H
#define LLIM_CLI_SCREEN_H

#include "cli/board.h"

/* Takes the terminal of standard output over. False: there is none, and nothing has happened. */
bool cli_screen_open(void);
void cli_screen_close(void);

/* The window, as it is by now. */
void cli_screen_size(uint32_t *rows, uint32_t *columns);

void cli_screen_draw(const cli_lines *lines);

enum { CLI_SCREEN_TIME = -1, CLI_SCREEN_RESIZED = -2, CLI_SCREEN_ENDED = -3 };

/* Waits for a key, as of cli_keys_take(), or else tells that so many seconds have passed, that the window has another size or is
   ours again after a stop, or that the program is to end: by a signal, or because nobody can type any more. */
int cli_screen_wait(double seconds);

/* The signal that told to end, or 0. */
int cli_screen_signal(void);

#endif
