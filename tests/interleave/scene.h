/*
 * scene.h - an episode: a zone, a few rows with their books, and actors that admit, settle, renew and reload.
 *
 * A play says what the limits are and who does what; scene_run() plays it once under one seed and returns NULL or what went
 * wrong. After the threads have ended or died it checks what is used, plays on with one thread for more than a window, lets
 * everything leave, and checks that each limit is whole again.
 */
#ifndef LLIM_TESTS_SCENE_H
#define LLIM_TESTS_SCENE_H

#include "book.h"
#include "sim.h"

enum { SCENE_BOOKS = 6, SCENE_ROWS = 2, SCENE_WINDOW = 60 };

typedef struct play {
    unsigned threads, calls; /* calls per thread */
    unsigned deaths;
    bool still; /* time stands */
    unsigned n_rows, n_limits;
    llim_limit limit[3]; /* of each row */
    bool debts;          /* settlements may be above their reservation */
    /* Thread 0 sets the rows anew all the time, and then a limit: */
    bool resizes[3];            /* has another amount each time */
    int64_t other_window_ns[3]; /* has this window every other time */
    int other_law[3];           /* has this law every other time, if not 0 */
    bool comes_and_goes[3];     /* is there every other time; last of the row */
} play;

const char *scene_run(const play *play, uint64_t seed);

#endif
