/*
 * atomic.h - C11 atomics with the memory order in the name.
 *
 * Every word that several threads or processes share is one of these types. Orders: rlx relaxed, acq acquire, rel release,
 * acqrel both. The comment at a use says what it orders where that is not the plain publish-then-read.
 */
#ifndef LLIM_BASE_ATOMIC_H
#define LLIM_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t at_u64;
typedef _Atomic int64_t at_i64;
typedef _Atomic uint32_t at_u32;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the zone needs lock-free 64-bit atomics");
_Static_assert(sizeof(at_u64) == 8 && sizeof(at_u32) == 4, "atomics have the size of their values");

#define at_load_rlx(p)      atomic_load_explicit((p), memory_order_relaxed)
#define at_load_acq(p)      atomic_load_explicit((p), memory_order_acquire)
#define at_store_rlx(p, v)  atomic_store_explicit((p), (v), memory_order_relaxed)
#define at_store_rel(p, v)  atomic_store_explicit((p), (v), memory_order_release)
#define at_add_rlx(p, v)    atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define at_add_acqrel(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)

#define at_swap(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)

/* Strong; on failure *expected holds what was there, with acquire order. */
static inline bool at_cas_acqrel(at_u64 *p, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

/* The same for the other widths. */
static inline bool at_cas_i64(at_i64 *p, int64_t *expected, int64_t desired)
{
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

static inline bool at_cas_u32(at_u32 *p, uint32_t *expected, uint32_t desired)
{
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

/* Orders every access before it with every one after it, where the last change before it was made by a read-modify-write: on
   x86 that is a full barrier by itself. */
static inline void at_fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Tells the processor that this is a loop that waits for another one: some nanoseconds. */
static inline void at_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

#endif
