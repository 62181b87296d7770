/* strings.c - see strings.h. */
#include "host/strings.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum { FIRST_SIZE = 256 };

/* Where the text stands, or the empty entry that it belongs in. */
static char **find(const llim__strings *s, const char *text)
{
    static const uint64_t no_secret[2];
    uint32_t i = (uint32_t)llim__hash(no_secret, text, strlen(text)).word[0] & (s->size - 1);
    while (s->entries[i] && strcmp(s->entries[i], text) != 0) i = (i + 1) & (s->size - 1);
    return &s->entries[i];
}

static bool grow(llim__strings *s)
{
    llim__strings larger = *s;
    larger.size = s->size ? 2 * s->size : FIRST_SIZE;
    larger.entries = llim__take(s->alloc, s->alloc_ctx, larger.size, sizeof *larger.entries);
    if (!larger.entries) return false;
    for (uint32_t i = 0; i < s->size; i++)
        if (s->entries[i]) *find(&larger, s->entries[i]) = s->entries[i];
    llim__give(s->alloc, s->alloc_ctx, s->entries, s->size, sizeof *s->entries);
    *s = larger;
    return true;
}

const char *llim__strings_keep(llim__strings *s, const char *text)
{
    if (s->used >= s->size / 2 && !grow(s)) return NULL;
    char **entry = find(s, text);
    if (*entry) return *entry;
    const size_t size = strlen(text) + 1;
    *entry = llim__take(s->alloc, s->alloc_ctx, 1, size);
    if (!*entry) return NULL;
    memcpy(*entry, text, size);
    s->used++;
    return *entry;
}

void llim__strings_free(llim__strings *s)
{
    for (uint32_t i = 0; i < s->size; i++)
        if (s->entries[i]) llim__give(s->alloc, s->alloc_ctx, s->entries[i], 1, strlen(s->entries[i]) + 1);
    llim__give(s->alloc, s->alloc_ctx, s->entries, s->size, sizeof *s->entries);
}
