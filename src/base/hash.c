/* hash.c - SipHash-2-4 with 128 bits of output. */
#include "base/hash.h"

typedef struct state {
    uint64_t v0, v1, v2, v3;
} state;

static uint64_t rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static void rounds(state *s, int n)
{
    while (n--) {
        s->v0 += s->v1, s->v1 = rotl(s->v1, 13) ^ s->v0, s->v0 = rotl(s->v0, 32);
        s->v2 += s->v3, s->v3 = rotl(s->v3, 16) ^ s->v2;
        s->v0 += s->v3, s->v3 = rotl(s->v3, 21) ^ s->v0;
        s->v2 += s->v1, s->v1 = rotl(s->v1, 17) ^ s->v2, s->v2 = rotl(s->v2, 32);
    }
}

static uint64_t little_endian(const unsigned char *p, size_t n)
{
    uint64_t w = 0;
    for (size_t i = 0; i < n; i++) w |= (uint64_t)p[i] << (8 * i);
    return w;
}

static void absorb(state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

llim__key llim__hash(const uint64_t secret[2], const void *data, size_t len)
{
    const unsigned char *p = data;
    state s = {0x736f6d6570736575 ^ secret[0], 0x646f72616e646f6d ^ secret[1] ^ 0xee, 0x6c7967656e657261 ^ secret[0],
               0x7465646279746573 ^ secret[1]};
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) absorb(&s, little_endian(p, 8));
    absorb(&s, (uint64_t)len << 56 | little_endian(p, left));
    s.v2 ^= 0xee;
    rounds(&s, 4);
    llim__key key;
    key.word[0] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    rounds(&s, 4);
    key.word[1] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return key;
}
