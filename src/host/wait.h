/* wait.h - those who wait for room in a limiter's zone, in the order in which they are served; see wait.c. */
#ifndef LLIM_HOST_WAIT_H
#define LLIM_HOST_WAIT_H

#include <pthread.h>

#include "base/atomic.h"
#include "llm_limiters.h"

typedef struct llim__queue {
    pthread_mutex_t lock;
    llim_waiter *first; /* by priority, then as they came */
    at_u32 n;           /* changed under the lock */
    uint32_t turns;     /* of these, how many have nobody before them */
    bool is_virtual;    /* the zone's clock stands still unless it is set, which the zone tells */
    llim_listener listener;
} llim__queue;

void llim__queue_init(llim_limiter *limiter, bool is_virtual);
void llim__queue_destroy(llim_limiter *limiter);

/* Another set is in force. */
void llim__queue_renew(llim_limiter *limiter);

#endif
