/*
 * scene.h - an episode: a zone, a few scopes with their books, and actors that admit, settle, renew, record, cool and reload.
 *
 * A play says what the limits are and who does what; scene_run() plays it once under one seed and returns NULL or what went
 * wrong. After the threads have ended or died it checks what is used, plays on with one thread for more than a window, lets
 * everything leave, and checks that each limit is whole again.
 */
#ifndef LLIM_TESTS_SCENE_H
#define LLIM_TESTS_SCENE_H

#include "book.h"
#include "sim.h"

enum { SCENE_ROWS = 4, SCENE_LIMITS = 3, SCENE_BOOKS = 8 };

typedef struct play {
    unsigned threads, calls; /* calls per thread */
    unsigned deaths;
    bool still; /* time stands */
    unsigned n_rows, n_limits;
    llim_limit limit[SCENE_LIMITS]; /* of each row */
    unsigned places;                /* the zone has only so many rows: scopes come and go. 0: there is room for all */
    bool debts;                     /* settlements may be above their reservation */
    bool records;
    bool cools;
    int64_t wall_step_ns; /* as in sim.h */
    /* Thread 0 sets the rows anew all the time, and then a limit: */
    bool resizes[SCENE_LIMITS];            /* has another amount each time */
    int64_t other_window_ns[SCENE_LIMITS]; /* has this window every other time */
    int other_law[SCENE_LIMITS];           /* has this law every other time, if not 0 */
    bool comes_and_goes[SCENE_LIMITS];     /* is there every other time; last of the row */
} play;

const char *scene_run(const play *play, uint64_t seed);

#endif
