/*
 * kernel.h - the modules of the Lua kernel that the library carries, compiled once for all VMs of the process.
 *
 * Compiling them takes longer than anything else of a small set. What is kept is made by the Lua that will run it and lasts as
 * long as a VM does, so no bytecode of another release is ever loaded and nothing is left when the last VM has gone.
 */
#ifndef LLIM_POLICY_KERNEL_H
#define LLIM_POLICY_KERNEL_H

#include <lua.h>

/* Around the life of each VM; any thread. Without memory nothing is kept, and every VM compiles the texts. */
void llim__kernel_hold(void);
void llim__kernel_leave(void);

/* Under pcall, in between: require finds the kernel's modules in L, and nothing else. */
void llim__kernel_preload(lua_State *L);

#endif
