/*
 * state.h - the Lua state that a VM lives in.
 *
 * The library makes one for each VM, with bounds and a kernel of its own: state.c, with kernel.c, budget.c and heap.c behind it. A native
 * module of a Lua host has a file in the place of these, which makes the VM a thread of the host's state.
 */
#ifndef LLIM_POLICY_STATE_H
#define LLIM_POLICY_STATE_H

#include "policy/vm_state.h"

/* Makes vm->L, with nothing on its stack. LLIM_ELUA, LLIM_ENOMEM; nothing is left to close then. */
int llim__state_open(llim__vm *vm, const llim__vm_options *options, llim_error *err);

/* Under pcall, once: makes L ready for scripts and pushes the kernel. */
void llim__state_push_kernel(lua_State *L);

/* All that the VM keeps is on its stack. */
void llim__state_loaded(llim__vm *vm);

/* What the registry has under the VM's keys goes, and the VM's stack. Raises nothing. */
void llim__state_close(llim__vm *vm);

#endif
