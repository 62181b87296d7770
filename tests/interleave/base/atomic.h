/*
 * atomic.h - the engine's atomics with a scheduler in them: stands in for src/base/atomic.h where the engine is compiled to
 * be interleaved (-Itests/interleave before -Isrc).
 *
 * Every access to a shared word first lets the simulator of sim.h decide who goes on. Virtual threads share one real one, so
 * what is run here is sequentially consistent: orders of interleaving are covered, weak memory is not. The mutex of placing
 * belongs to the simulator too, which frees it when its holder dies, as the kernel frees the lock of a file.
 */
#ifndef LLIM_BASE_ATOMIC_H
#define LLIM_BASE_ATOMIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t at_u64;
typedef _Atomic int64_t at_i64;
typedef _Atomic uint32_t at_u32;

void sim_step(const volatile void *word);
int sim_lock(pthread_mutex_t *mutex);
int sim_unlock(pthread_mutex_t *mutex);
int sim_yield(void);

#define at_load_rlx(p)     (sim_step(p), atomic_load_explicit((p), memory_order_relaxed))
#define at_load_acq(p)     (sim_step(p), atomic_load_explicit((p), memory_order_acquire))
#define at_store_rlx(p, v) (sim_step(p), atomic_store_explicit((p), (v), memory_order_relaxed))
#define at_store_rel(p, v) (sim_step(p), atomic_store_explicit((p), (v), memory_order_release))
#define at_add_rlx(p, v)   (sim_step(p), atomic_fetch_add_explicit((p), (v), memory_order_relaxed))
#define at_swap(p, v)      (sim_step(p), atomic_exchange_explicit((p), (v), memory_order_acq_rel))

static inline bool at_cas_acqrel(at_u64 *p, uint64_t *expected, uint64_t desired)
{
    sim_step(p);
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

static inline bool at_cas_u32(at_u32 *p, uint32_t *expected, uint32_t desired)
{
    sim_step(p);
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

static inline bool at_cas_i64(at_i64 *p, int64_t *expected, int64_t desired)
{
    sim_step(p);
    return atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_acquire);
}

static inline void at_fence_after_rmw(void)
{
}

static inline void at_relax(void)
{
}

#define pthread_mutex_lock   sim_lock
#define pthread_mutex_unlock sim_unlock
#define sched_yield          sim_yield

#endif
