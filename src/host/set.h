/*
 * set.h - the quotas and the policy of one generation: what the kernel made of the texts, ready for decisions.
 *
 * Everything but the learned names is fixed once the set is open and read without a lock. A set ends with its last user: the
 * limiter whose set it is, and every thread that decides by it.
 */
#ifndef LLIM_HOST_SET_H
#define LLIM_HOST_SET_H

#include "host/names.h"
#include "host/strings.h"
#include "llm_limiters.h"
#include "policy/vm.h"

typedef struct llim__scope_limits {
    const char *name; /* "team:acme" or "team:*" */
    uint32_t n_limits;
    llim_limit limit[LLIM_MAX_LIMITS];
} llim__scope_limits;

typedef struct llim__set {
    at_u32 users;
    uint32_t serial;         /* of the limiter's sets; 1 is the first */
    at_u32 generation;       /* its number, see engine/generation.h */
    uint64_t hash;           /* of the texts and of what decides how they are read */
    llim_model_info *models; /* sorted by name; behind them those of earlier sets whose rows none of these draws on */
    llim__price *prices;     /* of each known model */
    llim__model *quotas;     /* of each model in force, until the zone has them; then NULL */
    uint32_t n_models;
    uint32_t n_known;  /* with those behind */
    uint32_t n_places; /* for them */
    uint32_t n_scopes;
    llim__scope_limits *scopes;
    llim__names names;       /* of the models in force; added under the limiter's lock, as are */
    llim__strings spellings; /* those that callers have used */
    const char *tier;
    llim__sources sources;
    llim__vm_options vm_options; /* for a VM of any thread */
    llim__vm *vm;                /* holds the names of scopes; once in force, used under the limiter's lock only */
    unsigned hooks;              /* that the policy has, as llim__vm_hooks() */
    const char *unpriced;        /* a model that costs nothing although cost is limited, or NULL */
    llim_alloc_fn alloc;
    void *alloc_ctx;
} llim__set;

/* Whether the policy is asked at decisions, so that every thread needs a VM. */
static inline bool llim__set_asks(const llim__set *set)
{
    return (set->hooks & ~(unsigned)LLIM__HOOK_TEST) != 0;
}

/* What a permit knows the set's i-th model by. */
static inline uint64_t llim__permit_model(const llim__set *set, uint32_t i)
{
    return (uint64_t)set->serial << 32 | (i + 1);
}

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
   rows and generation yet. What the options and models call by name is kept in strings. before: the set that this one is to
   replace, or NULL; if it has the same content, *set is NULL. host: as llim__limiter_open(). */
int llim__set_open(const llim_options *options, const llim__texts *texts, const llim__set *before,
                   llim__strings *strings, llim_alloc_fn alloc, void *alloc_ctx, struct lua_State *host,
                   llim__set **set, llim_error *err);

/* The rows of the set's models, and of so many of its scopes at one time. Before it is enforced. */
llim__need llim__set_need(const llim__set *set, uint32_t scopes);

/* Gives the zone the set's limits and the models their rows, once: all, or none and the error. */
int llim__set_enforce(llim__set *set, llim_zone *zone, llim_error *err);

/* After it succeeded: the rows that no model of the set has any more are known to it until they are another's. */
void llim__set_follow(llim__set *set, const llim__set *before, llim_zone *zone);

/* Once the set is in force, and no decision begins by before: these rows may be another's when they are idle. */
void llim__set_release(const llim__set *set, const llim__set *before, llim_zone *zone);

/* One user less; NULL is allowed. */
void llim__set_leave(llim__set *set);

#endif
