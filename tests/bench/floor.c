/* floor.c - the floor and the clock; alone, so that LuaJIT's benchmark has the same by FFI. See bench.h. */
#include <time.h>

#include "bench.h"

int64_t read_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec;
}

static _Alignas(64) atomic_uint_least64_t line[8];

double floor_once(void)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) {
        uint64_t now = (uint64_t)read_ns();
        for (int k = 0; k < 3; k++) {
            uint64_t seen = atomic_load_explicit(&line[k], memory_order_relaxed);
            atomic_compare_exchange_strong(&line[k], &seen, seen ^ now);
        }
    }
    return (double)(read_ns() - begin) / BATCH;
}
