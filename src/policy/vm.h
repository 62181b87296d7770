/*
 * vm.h - one Lua 5.4 state with the kernel, the quota tables in force and the policy loaded.
 *
 * A VM belongs to one thread at a time. What it has loaded does not change; another set means another VM.
 */
#ifndef LLIM_POLICY_VM_H
#define LLIM_POLICY_VM_H

#include <stdbool.h>

#include "policy/sources.h"

typedef struct llim__vm llim__vm;

typedef struct llim__vm_options {
    const llim__sources *sources;
    const char *modality, *tier, *account;
    int64_t guard_ns;
    llim_script_bounds load, hook;
    llim_alloc_fn alloc;
    void *alloc_ctx;
} llim__vm_options;

/* LLIM_ECONFIG, LLIM_EUNKNOWN_TIER, LLIM_ELUA, LLIM_ENOMEM. The caller closes. */
int llim__vm_open(const llim__vm_options *options, llim__vm **vm, llim_error *err);
void llim__vm_close(llim__vm *vm);

/* What the kernel made of the tables. Strings live as long as the VM. */
typedef struct llim__model {
    const char *name, *provider, *scope;
    bool blocked;
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

/* Whether the policy has a route hook. */
bool llim__vm_has_route(llim__vm *vm);

/* One candidate as route sees it. */
typedef struct llim__candidate {
    const char *name, *provider;
    bool cooling;
} llim__candidate;

/* Asks the route hook for an order: up to n indexes of the candidates into order, their number into *n_order.
   LLIM_ELUA: the hook failed or returned something else; the caller's order then stands. */
int llim__vm_route(llim__vm *vm, const llim_charge *charge, const llim__candidate *candidates, uint32_t n,
                   uint32_t *order, uint32_t *n_order, llim_error *err);

#endif
