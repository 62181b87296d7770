/*
 * sim.h - virtual threads under a seeded scheduler, with a virtual clock and deaths.
 *
 * An engine compiled against tests/interleave/base/atomic.h stops before each access to a shared word. There the simulator
 * may pass the turn to another thread, let time pass, make the thread stand still for long, or end it for good in the middle
 * of whatever it is doing. One seed decides all of that, so a schedule that fails can be run again.
 *
 * Only the test's main context may call sim_begin() and sim_run(). A check that fails inside a virtual thread calls
 * sim_wrong(): the run ends, and the main context reports it.
 */
#ifndef LLIM_TESTS_SIM_H
#define LLIM_TESTS_SIM_H

#include "kit.h"

enum { SIM_THREADS = 4 };

typedef struct sim_options {
    llim_zone *zone;
    uint64_t seed;
    int64_t window_ns;    /* time passes by parts and multiples of it; 0: time stands */
    int64_t wall_step_ns; /* the wall clock steps, and is up to this far from where it would be */
    unsigned deaths;      /* at most so many threads die */
} sim_options;

void sim_begin(const sim_options *options);
/* The number of the new thread. */
unsigned sim_spawn(void (*body)(void *), void *arg);
/* Runs until every thread has ended or died; NULL, or the sentence of sim_wrong(). */
const char *sim_run(void);

/* In a virtual thread: what the clock said when the thread first read it since sim_call(), zero if it did not. */
int64_t sim_read(void);
int64_t sim_read_wall(void);
void sim_call(void);
/* The clocks as they are, without a step. */
int64_t sim_clock(void);
int64_t sim_wall(void);
/* The latest wall time that any virtual thread has read. */
int64_t sim_wall_high(void);
unsigned sim_deaths(void);
/* The first sentence of sim_wrong() since sim_begin(), or NULL. */
const char *sim_failure(void);
__attribute__((format(printf, 1, 2))) void sim_wrong(const char *format, ...);

#endif
