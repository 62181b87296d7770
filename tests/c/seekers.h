/*
 * seekers.h - those who wait on a limiter, for the tests of waiting.
 *
 * Time is virtual and stands still unless a test moves it, so where only what is given back can admit the next one, a wake-up
 * that is lost is a test that never ends.
 */
#ifndef LLIM_TESTS_SEEKERS_H
#define LLIM_TESTS_SEEKERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "kit.h"
#include "llm_limiters.h"

extern const char seekers_overrides[]; /* the models that there are */

/* policy: its text, or NULL. */
llim_limiter *seekers_open(int clock, const char *policy);

/* Somebody who waits for one model. */
typedef struct seeker {
    llim_limiter *limiter;
    const char *model;
    llim_request request;
    llim_wait_options options;
    llim_waiter *waiter;
    llim_permit permit;
    llim_refusal refusal;
    int64_t at_ns;
    int code;
    atomic_uint woken;
    pthread_t thread;
} seeker;

/* A request of one model that has not begun to wait. */
void seeker_init(seeker *s, llim_limiter *limiter, const char *model, int meter, int64_t amount);

/* With llim_wait_begin(). */
void seeker_begin(seeker *s);
int seeker_poll(seeker *s);

/* With llim_wait(), in this thread. */
void seeker_wait(seeker *s);

/* In a thread with llim_wait(); goes on once it stands in the queue. */
void seeker_start(seeker *s);
void seeker_join(seeker *s);

/* Admits so much, or fails the test. */
llim_permit seekers_hold(llim_limiter *limiter, const char *model, int meter, int64_t amount);
int64_t seekers_now(llim_limiter *limiter);

/* Waits until so many stand in the queue. */
void seekers_settle(llim_limiter *limiter, uint32_t n);

#endif
