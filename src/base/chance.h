/* chance.h - numbers by chance, from a seed. */
#ifndef LLIM_BASE_CHANCE_H
#define LLIM_BASE_CHANCE_H

#include "base/atomic.h"

/* The next number, 0 <= n < 1, of a state that begins as the seed. Any thread. Steele, Lea and Flood, "Fast splittable
   pseudorandom number generators" (2014). */
static inline double llim__chance(at_u64 *state)
{
    uint64_t z = at_add_rlx(state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0; /* 2^53 */
}

#endif
