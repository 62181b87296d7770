/* shadow.h - a candidate that decides what a limiter decides, beside it and without effect; see shadow.c. */
#ifndef LLIM_HOST_SHADOW_H
#define LLIM_HOST_SHADOW_H

#include <pthread.h>

#include "base/atomic.h"
#include "engine/mirror.h"
#include "llm_limiters.h"
#include "policy/hooks.h"

typedef struct llim__shadow llim__shadow;

typedef struct llim__shadows {
    _Atomic(llim__shadow *) open; /* or NULL; changed under the lock */
    pthread_rwlock_t lock;        /* who uses the shadow reads */
    at_u64 serials;               /* the last one given to a call */
    llim__mirror mirror;
} llim__shadows;

/* What a limiter has decided. */
typedef struct llim__decision {
    const llim_request *request;
    llim_permit *permit;   /* filled if it was admitted */
    llim_refusal *refusal; /* filled if it was refused */
    uint64_t *serial;      /* see llim__acquire() */
    double chance;         /* that its policy drew; negative: none */
    int code;
} llim__decision;

void llim__shadows_init(llim_limiter *limiter);
void llim__shadows_end(llim_limiter *limiter);

/* Has the shadow, if there is one, decide the same, and counts the difference. */
void llim__shadow_decide(llim_limiter *limiter, const llim__decision *decision);

/* Tells the shadow what the call of that number was answered. */
void llim__shadow_answered(llim_limiter *limiter, uint64_t serial, llim__outcome *outcome);

#endif
