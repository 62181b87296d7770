/*
 * limiter.h - what a limiter consists of, for the files of this room.
 */
#ifndef LLIM_HOST_LIMITER_H
#define LLIM_HOST_LIMITER_H

#include <pthread.h>

#include "host/set.h"
#include "policy/hooks.h"

/* What belongs to the thread in whose key it stands. */
typedef struct llim__thread {
    struct llim__thread *next;
    struct llim_limiter *limiter;
    pthread_t thread;
    llim__set *set; /* that it decides by, and uses */
    llim__vm *vm;   /* of this set, made when the first hook is asked; or NULL */
} llim__thread;

struct llim_limiter {
    llim_zone *zone;
    llim__set *set; /* in force */
    at_u64 random;

    llim_alloc_fn alloc;
    void *alloc_ctx;
    void (*log)(void *ctx, int level, const char *message);
    void *log_ctx;
    int32_t modality; /* enum llim_modality */

    pthread_mutex_t lock; /* of each set's VM and learned names, and of status */
    pthread_key_t key;    /* this thread's llim__thread */
    llim_status status;   /* under the lock; the faults are counted here */
    at_i64 rests_until;   /* zone time: no hook is asked before */
};

/* llim_open(), with texts in the place of files unless that is NULL. */
int llim__limiter_open(const llim_options *options, const llim__texts *texts, llim_limiter **limiter, llim_error *err);

/* What every call begins with: this thread, with the set that is in force. The set stays until the thread's next call. NULL: no
   memory. */
llim__thread *llim__limiter_enter(llim_limiter *limiter, llim_error *err);

/* This thread's VM, made at first use; NULL if that fails. */
llim__vm *llim__thread_vm(llim__thread *thread, llim_error *err);

/* For limiter.c: the end of a thread, by its key's value, and of all threads of a limiter that is closed. */
void llim__thread_ends(void *value);
void llim__threads_end(llim_limiter *limiter);

/* A hook failed: counts it, logs the first, and closes this thread's VM if the hook used more than it may. */
void llim__thread_fault(llim__thread *thread, const llim_error *fault);

/* Whether hooks are not asked now, because one has just used more than it may: making a VM costs more than many decisions. */
bool llim__limiter_rests(llim_limiter *limiter);

/* A model by any of its names: its index in the set's models. LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA. */
int llim__limiter_find(llim_limiter *limiter, llim__set *set, const char *name, uint32_t *index, llim_error *err);

/* The row of a scope with the limits that it brings, or those that the overrides give it: LLIM_ENOTFOUND if they give none.
   LLIM_EFULL, LLIM_EINVAL, LLIM_ETIMEZONE. */
int llim__limiter_scope(llim_limiter *limiter, llim__set *set, const llim__further *scope, llim_row *row,
                        llim_error *err);

/* The next number of the limiter's chance, 0 <= n < 1. */
double llim__limiter_chance(llim_limiter *limiter);

#endif
