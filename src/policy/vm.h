/*
 * vm.h - one Lua 5.4 state with the kernel, the quota tables in force and the policy loaded.
 *
 * A VM belongs to one thread at a time. What it has loaded does not change; another set means another VM.
 */
#ifndef LLIM_POLICY_VM_H
#define LLIM_POLICY_VM_H

#include <stdbool.h>

#include "llm_limiters.h"
#include "policy/sources.h"

struct lua_State;

typedef struct llim__vm llim__vm;

typedef struct llim__vm_options {
    const llim__sources *sources;
    const char *modality, *tier, *account;
    int64_t guard_ns;
    llim_script_bounds load, hook;
    llim_alloc_fn alloc;
    void *alloc_ctx;
    struct lua_State *host; /* see llim__limiter_open() */
} llim__vm_options;

/* LLIM_ECONFIG, LLIM_EUNKNOWN_TIER, LLIM_ELUA, LLIM_ENOMEM. The caller closes. */
int llim__vm_open(const llim__vm_options *options, llim__vm **vm, llim_error *err);
void llim__vm_close(llim__vm *vm);

/* What a model costs, in micro-dollars; 0 where that is not known. */
typedef struct llim__price {
    double input, output; /* a token */
    double request, image;
} llim__price;

/* What the kernel made of the tables. Strings live as long as the VM. */
typedef struct llim__model {
    const char *name, *provider, *scope;
    bool blocked;
    llim__price price;
    uint32_t n_limits;
    llim_limit limit[LLIM_MAX_LIMITS];
} llim__model;
uint32_t llim__vm_models(llim__vm *vm);
int llim__vm_model(llim__vm *vm, uint32_t i, llim__model *out, llim_error *err);

/* Scopes that the overrides give limits; name may end in ":*". */
uint32_t llim__vm_scopes(llim__vm *vm);
int llim__vm_scope(llim__vm *vm, uint32_t i, llim__model *out, llim_error *err);

/* The canonical name of a model by any of its spellings, or NULL if no table knows it. LLIM_ENOMEM, LLIM_ELUA. */
int llim__vm_resolve(llim__vm *vm, const char *name, const char **canonical, llim_error *err);

/* The known name nearest to this one, or NULL. LLIM_ENOMEM, LLIM_ELUA. */
int llim__vm_nearest(llim__vm *vm, const char *name, const char **nearest, llim_error *err);

/* Whether a hook used more than it may: the VM is to be closed then. */
bool llim__vm_is_spent(const llim__vm *vm);

/* Nanoseconds of the processor that its scripts took while they were loaded. */
int64_t llim__vm_load_ns(const llim__vm *vm);

/* Which hooks the policy has, as a sum of these. */
enum {
    LLIM__HOOK_ESTIMATE = 1,
    LLIM__HOOK_SCOPES = 2,
    LLIM__HOOK_ROUTE = 4,
    LLIM__HOOK_RESULT = 8,
    LLIM__HOOK_TEST = 16,
    LLIM__HOOKS_OF_REQUESTS = LLIM__HOOK_ESTIMATE | LLIM__HOOK_SCOPES | LLIM__HOOK_ROUTE
};
unsigned llim__vm_hooks(llim__vm *vm);

/* Runs the policy's test: test(kit). push is called under pcall with the kernel's function from a table of models to the
   text of such a file, ud and an int for the code of what fails as light userdata, on top of the stack; it leaves the kit there. LLIM_ECONFIG: the test failed. */
int llim__vm_test(llim__vm *vm, int (*push)(struct lua_State *L), void *ud, llim_error *err);

#endif
