/* vm_state.h - inside of a VM, for the files of this room. */
#ifndef LLIM_POLICY_VM_STATE_H
#define LLIM_POLICY_VM_STATE_H

#include <lua.h>

#include "policy/budget.h"
#include "policy/vm.h"

struct llim__vm {
    lua_State *L;
    llim__budget budget;
    llim_script_bounds load, hook;
};

/* What stands on the VM's stack all its life. */
enum {
    LLIM__VM_KERNEL = 1,
    LLIM__VM_SET,
    LLIM__VM_MODELS,
    LLIM__VM_SCOPES,
    LLIM__VM_ROUTE,
    LLIM__VM_TOP = LLIM__VM_ROUTE
};

#endif
