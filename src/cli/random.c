/*
 * random.c - see random.h.
 *
 * Only + - * / and scaling by powers of two, each correctly rounded everywhere. Compilers may not fuse them: gcc does not
 * under -std=c11, clang is told.
 */
#include "cli/random.h"

#include <math.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define LN2 0.693147180559945309417

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t next(cli_random *random)
{
    uint64_t *s = random->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* In the open interval from 0 to 1. */
static double uniform(cli_random *random)
{
    return ((double)(next(random) >> 12) + 0.5) * 0x1p-52;
}

static double logarithm(double x)
{
    int power;
    double m = frexp(x, &power); /* 0.5 .. 1 */
    double z = (m - 1) / (m + 1), square = z * z, term = z, sum = 0;
    for (int k = 1; k < 40; k += 2) { /* |z| <= 1/3: 9^-20 is below the last bit */
        sum += term / k;
        term *= square;
    }
    return 2 * sum + power * LN2;
}

static double exponential(double x)
{
    double whole = floor(x / LN2 + 0.5), rest = x - whole * LN2, term = 1, sum = 1;
    for (int k = 1; k < 18; k++) {
        term = term * rest / k;
        sum += term;
    }
    return ldexp(sum, (int)whole);
}

void cli_random_seed(cli_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9E3779B97F4A7C15);
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        random->s[i] = z ^ z >> 31;
    }
}

double cli_random_gap(cli_random *random, double mean)
{
    return -mean * logarithm(uniform(random));
}

double cli_random_size(cli_random *random, double median, double sigma)
{
    double normal = -6; /* the sum of twelve uniform numbers is close enough to normal for a trace */
    for (int i = 0; i < 12; i++) normal += uniform(random);
    return median * exponential(sigma * normal);
}
