/* state.c - a Lua state of the VM's own, in the memory and within the bounds of its owner. See state.h. */
#include "policy/state.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>

#include "base/error.h"
#include "policy/kernel.h"

/* In a process that already runs LuaJIT our undefined lua_* symbols are bound to its, and the first call would crash. */
static bool foreign_lua(void)
{
    void *own = dlopen("liblua5.4.so.0", RTLD_LAZY | RTLD_NOLOAD);
    if (!own) return dlsym(RTLD_DEFAULT, "luaJIT_setmode") != NULL;
    bool foreign = dlsym(own, "lua_newstate") != dlsym(RTLD_DEFAULT, "lua_newstate");
    dlclose(own);
    return foreign;
}

int llim__state_open(llim__vm *vm, const llim__vm_options *options, llim_error *err)
{
    (void)options;
    if (foreign_lua())
        return llim__fail(err, LLIM_ELUA,
                          "another Lua answers under this process's lua_newstate; use the Lua rock there, or the core "
                          "library, which has no Lua inside");
    vm->L = lua_newstate(llim__budget_alloc, &vm->budget);
    if (!vm->L) {
        llim__heap_end(&vm->budget.heap);
        return llim__fail(err, LLIM_ENOMEM, "no memory for a Lua state");
    }
    llim__kernel_hold();
    lua_gc(vm->L, LUA_GCSTOP); /* while nearly all that is made stays */
    return LLIM_OK;
}

/* ("x"):rep(n) is string.rep of the allow-listed ones, for every script from now on. */
static void strip_strings(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "llm_limiters.safe");
    lua_call(L, 1, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -3, "string");
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 3);
}

void llim__state_push_kernel(lua_State *L)
{
    luaL_openlibs(L);
    llim__kernel_preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "llm_limiters.kernel");
    lua_call(L, 1, 1);
    strip_strings(L);
}

void llim__state_loaded(llim__vm *vm)
{
    lua_gc(vm->L, LUA_GCCOLLECT); /* here, not within the first decisions */
    lua_gc(vm->L, LUA_GCRESTART);
    vm->budget.loaded = vm->budget.heap.taken;
}

void llim__state_close(llim__vm *vm)
{
    lua_close(vm->L);
    llim__heap_end(&vm->budget.heap);
    llim__kernel_leave();
}
