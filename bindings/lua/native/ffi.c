/* ffi.c - see ffi.h. */
#include "ffi.h"

#include "native.h"

int32_t llim_ffi_acquire(llim__native_limiter *limiter, const llim_request *request, const uint32_t *sizes,
                         llim_permit *permit)
{
    llim_limiter *l = limiter->limiter;
    if (!l || limiter->inside || permit->n_rows || at_load_rlx(&l->shadows.open)) return -1;
    return llim__acquire_plainly(l, request, sizes, permit) == LLIM_OK ? (int32_t)permit->candidate : -1;
}

int32_t llim_ffi_settle(llim__native_limiter *limiter, llim_permit *permit, const llim_charge *facts)
{
    return limiter->limiter ? llim_settle(llim_limiter_zone(limiter->limiter), permit, facts) : LLIM_EINVAL;
}

int32_t llim_ffi_cancel(llim__native_limiter *limiter, llim_permit *permit)
{
    return limiter->limiter ? llim_cancel(llim_limiter_zone(limiter->limiter), permit) : LLIM_EINVAL;
}
