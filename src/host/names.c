/* names.c - see names.h. */
#include "host/names.h"

#include <string.h>

/* Multiplies and folds eight bytes at a time. The secret keeps those who choose names from choosing where they go; which name it
   is, is told by comparing. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(const llim__names *names, const char *name, size_t left)
{
    uint64_t h = names->secret[0] ^ left, word = 0;
    for (; left >= 8; left -= 8, name += 8) {
        memcpy(&word, name, 8);
        h = fold(h ^ word, names->secret[1] | 1);
    }
    word = 0;
    for (size_t i = 0; i < left; i++) word = word << 8 | (unsigned char)name[i];
    return fold(h ^ word, names->secret[1] | 1);
}

uint32_t llim__names_find_sized(const llim__names *names, const char *name, size_t size)
{
    const uint64_t hash = hash_of(names, name, size);
    for (uint32_t i = (uint32_t)hash;; i++) {
        const llim__name *entry = &names->entries[i & (names->size - 1)];
        const uint32_t value = at_load_acq(&entry->value);
        if (value == 0) return UINT32_MAX;
        if (entry->hash == hash && entry->size == size && memcmp(entry->text, name, size) == 0) return value - 1;
    }
}

uint32_t llim__names_find(const llim__names *names, const char *name)
{
    return llim__names_find_sized(names, name, strlen(name));
}

bool llim__names_has_place(const llim__names *names)
{
    return names->used < names->size / 2;
}

void llim__names_add(llim__names *names, const char *name, uint32_t value)
{
    if (!llim__names_has_place(names) || llim__names_find(names, name) != UINT32_MAX) return;
    const size_t size = strlen(name);
    const uint64_t hash = hash_of(names, name, size);
    uint32_t i = (uint32_t)hash;
    while (at_load_rlx(&names->entries[i & (names->size - 1)].value)) i++;
    llim__name *entry = &names->entries[i & (names->size - 1)];
    entry->hash = hash;
    entry->text = name;
    entry->size = (uint32_t)size;
    at_store_rel(&entry->value, value + 1);
    names->used++;
}
