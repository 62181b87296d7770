/*
 * pool.h - requests and candidates as scripts see them.
 *
 * Both are read-only, so that nothing a script writes outlives the call. They are made once in each VM; while no hook is asked they answer nothing but their constants.
 */
#ifndef LLIM_POLICY_POOL_H
#define LLIM_POLICY_POOL_H

#include <lua.h>

#include "policy/hooks.h"

/* Under pcall, once in a VM. */
void llim__pool_open(lua_State *L, llim__vm *vm);

/* Under pcall: pushes the request, the list of all candidates of the question, and the candidate of the VM's i-th model. */
void llim__pool_push_request(lua_State *L);
void llim__pool_push_list(lua_State *L, llim__vm *vm);
void llim__pool_push(lua_State *L, llim__vm *vm, uint32_t model);

/* Whether the value is a candidate, and of which model. Allocates nothing. */
bool llim__pool_model(lua_State *L, int index, uint32_t *model);

#endif
