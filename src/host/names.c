/* names.c - see names.h. */
#include "host/names.h"

#include <string.h>

uint32_t llim__names_find(const llim__names *names, const char *name)
{
    llim__key key = llim__hash(names->secret, name, strlen(name));
    for (uint32_t i = (uint32_t)key.word[0];; i++) {
        llim__name *entry = &names->entries[i & (names->size - 1)];
        uint32_t value = at_load_acq(&entry->value);
        if (value == 0) return UINT32_MAX;
        if (at_load_rlx(&entry->key[0]) == key.word[0] && at_load_rlx(&entry->key[1]) == key.word[1]) return value - 1;
    }
}

void llim__names_add(llim__names *names, const char *name, uint32_t value)
{
    if (names->used >= names->size / 2 || llim__names_find(names, name) != UINT32_MAX) return;
    llim__key key = llim__hash(names->secret, name, strlen(name));
    uint32_t i = (uint32_t)key.word[0];
    while (at_load_rlx(&names->entries[i & (names->size - 1)].value)) i++;
    llim__name *entry = &names->entries[i & (names->size - 1)];
    at_store_rlx(&entry->key[0], key.word[0]);
    at_store_rlx(&entry->key[1], key.word[1]);
    at_store_rel(&entry->value, value + 1);
    names->used++;
}
