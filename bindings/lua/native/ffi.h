/*
 * ffi.h - what LuaJIT calls by its FFI in the place of the module's functions of the same names: door/ffi.lua reads it as the
 * generated door/declarations.lua.
 *
 * Compiled code has not told the Lua state where it is: nothing here runs Lua, nor calls anything that might. What would need to,
 * and what is to be told or raised, is left to the module's functions. limiter and permit are the userdata.
 */
#ifndef LLIM_NATIVE_FFI_H
#define LLIM_NATIVE_FFI_H

#include "llm_limiters.h"

typedef struct llim__native_limiter llim__native_limiter;

/* The index of the model that was admitted; negative: nothing has happened, and llim__native_acquire() is to be asked. sizes: of
   the models' names, which may hold zero bytes. */
LLIM_API int32_t llim_ffi_acquire(llim__native_limiter *limiter, const llim_request *request, const uint32_t *sizes,
                                  llim_permit *permit);

/* 0: done; else the module's function is to be asked, which says what is wrong. facts may be NULL. */
LLIM_API int32_t llim_ffi_settle(llim__native_limiter *limiter, llim_permit *permit, const llim_charge *facts);
LLIM_API int32_t llim_ffi_cancel(llim__native_limiter *limiter, llim_permit *permit);

#endif
