/*
 * set.h - the quotas and the policy of one generation: what the kernel made of the texts, ready for decisions.
 *
 * Everything but the learned names is fixed once the set is open and read without a lock. A set ends with its last user: the
 * limiter whose set it is, and every thread that decides by it.
 */
#ifndef LLIM_HOST_SET_H
#define LLIM_HOST_SET_H

#include "base/hash.h"
#include "host/names.h"
#include "llm_limiters.h"
#include "policy/vm.h"

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

typedef struct llim__set {
    at_u32 users;
    uint32_t generation;
    llim_model_info *models; /* sorted by name */
    llim__price *prices;     /* of each */
    uint32_t n_models;
    uint32_t n_scopes;
    llim__scope_limits *scopes;
    llim__strikes *strikes; /* of each model */
    llim__names names;      /* added under the limiter's lock */
    char *tier;             /* and the account behind it */
    llim__sources sources;
    llim__vm_options vm_options; /* for a VM of any thread */
    llim__vm *vm;                /* holds every string of the set; used under the limiter's lock only */
    unsigned hooks;              /* that the policy has, as llim__vm_hooks() */
    llim_alloc_fn alloc;
    void *alloc_ctx;
} llim__set;

/* What a zone must hold beyond what was asked for. */
typedef struct llim__need {
    uint64_t rows, sliding;
} llim__need;

/* Texts in the place of files, for a policy's test. */
typedef struct llim__texts {
    const llim__source *policy; /* copied */
    const char *overrides;      /* likewise, of Lua */
    size_t overrides_size;
} llim__texts;

/* Reads the texts that the options name, or those that are given, runs the kernel and the policy's test. The set has one user, and no
   rows yet. */
int llim__set_open(const llim_options *options, const llim__texts *texts, llim_alloc_fn alloc, void *alloc_ctx,
                   llim__set **set, llim_error *err);

/* The rows of the set's models, and of so many of its scopes at one time. */
int llim__set_need(const llim__set *set, uint32_t scopes, llim__need *need, llim_error *err);

/* Gives the zone the set's limits and the models their rows. */
int llim__set_enforce(llim__set *set, llim_zone *zone, llim_error *err);

/* How often a model has refused of late, and once more. A strike is forgotten after a minute, and all of them by a call that
   succeeds. */
uint32_t llim__set_strikes(const llim__set *set, uint32_t model, llim_zone *zone);
void llim__set_strike(llim__set *set, uint32_t model, llim_zone *zone);

/* One user less; NULL is allowed. */
void llim__set_leave(llim__set *set);

#endif
