/*
 * pool.h - requests and candidates as scripts see them.
 *
 * Both are read-only, so that nothing a script writes outlives the call. They are made once in each VM; while no hook is asked they answer nothing but their constants.
 */
#ifndef LLIM_POLICY_POOL_H
#define LLIM_POLICY_POOL_H

#include <lua.h>

#include "policy/hooks.h"

/* Under pcall, once in a VM: leaves on the stack the request, the candidates that were made, and the list that is the pool. */
void llim__pool_open(lua_State *L, llim__vm *vm);

/* Under pcall: makes the list, at its index, that of the question's candidates; pushes the candidate of the VM's i-th model. */
void llim__pool_fill(lua_State *L, llim__vm *vm, int candidates, int list);
void llim__pool_push(lua_State *L, llim__vm *vm, int candidates, uint32_t model);

/* Whether the value is a candidate, and of which model. Allocates nothing. */
bool llim__pool_model(lua_State *L, int index, uint32_t *model);

#endif
