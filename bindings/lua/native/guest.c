/*
 * guest.c - VMs in the state of a Lua host, in the place of the library's state.c with what is behind it.
 *
 * A VM is a thread of that state, anchored in its registry. The kernel is the host's by require. Nothing of the host is changed:
 * neither its globals and string metatable nor its collector; and scripts have no budget, since the host's allocator and hooks
 * are the host's.
 */
#include <lauxlib.h>

#include "base/error.h"
#include "policy/locale.h"
#include "policy/state.h"

/* (vm) */
static int make_thread(lua_State *L)
{
    llim__vm *vm = lua_touserdata(L, 1);
    vm->L = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[LLIM__KEY_THREAD]);
    return 0;
}

int llim__state_open(llim__vm *vm, const llim__vm_options *options, llim_error *err)
{
    lua_State *L = options->host;
    lua_pushcfunction(L, make_thread);
    lua_pushlightuserdata(L, vm);
    const int status = lua_pcall(L, 1, 0, 0);
    lua_settop(L, 0);
    return status == LUA_OK ? LLIM_OK : llim__fail(err, LLIM_ENOMEM, "no memory for a Lua thread");
}

void llim__state_push_kernel(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "llm_limiters.kernel");
    lua_call(L, 1, 1);
}

void llim__state_loaded(llim__vm *vm)
{
    (void)vm;
}

/* Setting what is there to nil takes no memory. */
void llim__state_close(llim__vm *vm)
{
    lua_State *L = vm->L; /* until its anchor goes, and a collection comes */
    lua_settop(L, 0);
    for (int i = LLIM__KEYS - 1; i >= 0; i--) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm->keys[i]);
        const bool there = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (!there) continue;
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &vm->keys[i]);
    }
}

int llim__budget_call(lua_State *L, llim__budget *budget, const llim_script_bounds *bounds, int n_args, int n_results,
                      int handler)
{
    (void)budget;
    (void)bounds;
    const locale_t before = llim__locale_enter();
    const int status = lua_pcall(L, n_args, n_results, handler);
    llim__locale_leave(before);
    return status;
}

void llim__budget_read(lua_State *L, size_t bytes)
{
    (void)L;
    (void)bytes;
}

void llim__budget_strings(lua_State *L, bool any)
{
    (void)L;
    (void)any;
}

int64_t llim__budget_pause(void)
{
    return 0;
}

void llim__budget_resume(lua_State *L, int64_t since)
{
    (void)L;
    (void)since;
}
