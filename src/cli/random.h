/*
 * random.h - random numbers that are the same for a seed on every machine.
 *
 * The generator is xoshiro256** seeded by splitmix64 (Blackman and Vigna). Logarithm and exponential are our own, of exact
 * operations alone, because those of the C library differ in the last bit from one to the next.
 */
#ifndef LLIM_CLI_RANDOM_H
#define LLIM_CLI_RANDOM_H

#include <stdint.h>

typedef struct cli_random {
    uint64_t s[4];
} cli_random;

void cli_random_seed(cli_random *random, uint64_t seed);

/* Exponential with that mean. */
double cli_random_gap(cli_random *random, double mean);

/* Log-normal with that median, sigma of the logarithm. Tails end at six sigma. */
double cli_random_size(cli_random *random, double median, double sigma);

#endif
