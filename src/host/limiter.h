/*
 * limiter.h - what a limiter consists of, for the files of this room.
 *
 * Everything but the learned names is fixed at open and read without a lock.
 */
#ifndef LLIM_HOST_LIMITER_H
#define LLIM_HOST_LIMITER_H

#include <pthread.h>

#include "base/hash.h"
#include "host/names.h"
#include "llm_limiters.h"
#include "policy/vm.h"

/* A VM that belongs to the thread in whose key it stands. */
typedef struct llim__thread_vm {
    struct llim__thread_vm *next;
    struct llim_limiter *limiter;
    pthread_t thread;
    llim__vm *vm;
} llim__thread_vm;

typedef struct llim__scope_limits {
    const char *name; /* "team:acme" or "team:*" */
    uint32_t n_limits;
    llim_limit limit[LLIM_MAX_LIMITS];
} llim__scope_limits;

/* How often a model has refused of late without telling for how long. */
typedef struct llim__strikes {
    at_u32 count;
    at_i64 last_ns; /* steady */
} llim__strikes;

struct llim_limiter {
    llim_zone *zone;
    llim_model_info *models;
    uint32_t n_models;
    llim__strikes *strikes; /* of each model */
    at_u64 random;
    llim__scope_limits *scopes;
    uint32_t n_scopes;
    llim__names names;
    char *tier;
    llim__sources sources;
    llim__vm_options vm_options;
    bool routes; /* the policy has a route hook */

    llim_alloc_fn alloc;
    void *alloc_ctx;
    void (*log)(void *ctx, int level, const char *message);
    void *log_ctx;
    int32_t modality; /* enum llim_modality */

    pthread_mutex_t lock; /* of vm, of status, and of adding names */
    llim__vm *vm;         /* holds every string of models, scopes and names; used under the lock only */
    pthread_key_t key;    /* this thread's llim__thread_vm */
    llim_status status;   /* under the lock; the faults are counted here */
    at_i64 rests_until;   /* zone time: no hook is asked before */
};

/* A model by any of its names: its index in models. LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA. */
int llim__limiter_find(llim_limiter *limiter, const char *name, uint32_t *index, llim_error *err);

/* This thread's VM, made at first use; NULL if that fails. */
llim__vm *llim__limiter_vm(llim_limiter *limiter, llim_error *err);

/* A hook failed: counts it, logs the first, and closes this thread's VM if the hook used more than it may. */
void llim__limiter_fault(llim_limiter *limiter, const llim_error *fault);

/* Whether hooks are not asked now, because one has just used more than it may: making a VM costs more than many decisions. */
bool llim__limiter_rests(llim_limiter *limiter);

#endif
