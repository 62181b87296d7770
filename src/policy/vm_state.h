/* vm_state.h - inside of a VM, for the files of this room. */
#ifndef LLIM_POLICY_VM_STATE_H
#define LLIM_POLICY_VM_STATE_H

#include "policy/budget.h"
#include "policy/hooks.h"
#include "policy/lua_compat.h"

/* What the registry holds for a VM, under the addresses of its keys: several VMs may live in one state. */
enum {
    LLIM__KEY_THREAD, /* the VM's stack, where the state is a host's */
    LLIM__KEY_SET,
    LLIM__KEY_KERNEL,
    LLIM__KEY_LIMITS,   /* as the engine takes them, by the kernel's lists of them, which it makes once of each table */
    LLIM__KEY_SCOPES,   /* those that were named last */
    LLIM__KEY_CHANGING, /* what shows the fields of all candidates that change */
    LLIM__KEYS
};

struct llim__vm {
    lua_State *L;
    char keys[LLIM__KEYS];
    llim__budget budget;
    llim_script_bounds load, hook;
    unsigned hooks;
    int64_t load_ns;
    int line;                 /* of the text that was being compiled when a call was ended, or 0 */
    llim__question *question; /* that a hook is being asked, or NULL */
};

/* What stands on the VM's stack all its life. */
enum {
    LLIM__VM_KERNEL = 1,
    LLIM__VM_SET,
    LLIM__VM_MODELS,
    LLIM__VM_SCOPES,
    LLIM__VM_ESTIMATE, /* the policy's hooks, nil where it has none */
    LLIM__VM_FURTHER,
    LLIM__VM_ROUTE,
    LLIM__VM_RESULT,
    LLIM__VM_TEST,
    LLIM__VM_RULES,   /* the built-in ones of results */
    LLIM__VM_REQUEST, /* see pool.h */
    LLIM__VM_CANDIDATES,
    LLIM__VM_POOL,
    LLIM__VM_TOP = LLIM__VM_POOL
};

/* Runs function(the value at an index, data) under pcall: whatever may allocate does, because without memory an unprotected call
   would end the process. LLIM_ENOMEM, LLIM_ELUA. */
int llim__vm_protect(lua_State *L, lua_CFunction function, int value, void *data, llim_error *err);

/* Under pcall: push what the kernel made of all texts, one of its functions, and what the kernel made of the i-th model. */
void llim__vm_push_set(lua_State *L, llim__vm *vm);
void llim__vm_push_kernel(lua_State *L, llim__vm *vm, const char *function);
void llim__vm_push_model(lua_State *L, llim__vm *vm, uint32_t model);

/* Under pcall: gives the table on top of the stack the functions compile and call. */
void llim__vm_set_script(lua_State *L, llim__vm *vm);

/* The limit on top of the stack, which the kernel has checked. */
llim_limit llim__vm_read_limit(lua_State *L);

/* Drawn once for all hooks of a request. */
double llim__question_random(llim__question *question);

/* The value of a tag, or NULL. */
const char *llim__request_tag(const llim_request *request, const char *name);

#endif
