/* layout.c - see layout.h. */
#include "engine/layout.h"

#include <string.h>

#include "base/error.h"

enum { MOST_ROWS = 1 << 24, MOST_SLIDING = 1 << 20, MOST_LEASES = 1 << 20, MOST_NOTES = 1 << 20, VERSION = 1 };

int llim__capacity_check(const llim__capacity *c, llim_error *err)
{
    if (c->rows <= MOST_ROWS && c->sliding <= MOST_SLIDING && c->leases <= MOST_LEASES && c->notes <= MOST_NOTES)
        return LLIM_OK;
    return llim__fail(err, LLIM_ERANGE,
                      "a zone has at most %d rows, %d sliding limits, %d leases and %d notes, not %u, %u, %u and %u",
                      MOST_ROWS, MOST_SLIDING, MOST_LEASES, MOST_NOTES, c->rows, c->sliding, c->leases, c->notes);
}

static uint64_t place(uint64_t *end, uint64_t count, uint64_t size)
{
    uint64_t at = (*end + 127) & ~(uint64_t)127;
    *end = at + count * size;
    return at;
}

llim__header llim__layout(const llim__capacity *c)
{
    llim__header h = {.magic = LLIM__MAGIC, .version = VERSION, .header_size = sizeof h};
    h.rows = c->rows;
    h.rings = c->sliding;
    h.slots = c->leases;
    h.notes = c->notes;
    h.index_size = h.rows + h.rows / 2 + 8; /* two thirds full at the most: short probes */
    uint64_t end = sizeof h;
    h.rows_at = place(&end, (uint64_t)h.rows + 1, sizeof(llim__row));
    h.index_at = place(&end, h.index_size, 8);
    h.names_at = place(&end, (uint64_t)h.rows + 1, LLIM_SCOPE_SHOWN);
    h.rings_at = place(&end, h.rings, sizeof(llim__ring));
    h.ring_cum_at = place(&end, h.rings, 8);
    h.slots_at = place(&end, h.slots, sizeof(llim__slot));
    h.notes_at = place(&end, h.notes, sizeof(llim__note));
    h.shapes_at = place(&end, LLIM__SHAPES, sizeof(llim__shape));
    h.zones_at = place(&end, LLIM__ZONES, 48);
    h.size = place(&end, 0, 1);
    return h;
}

uint64_t llim__layout_sum(const llim__header *h)
{
    static const uint64_t no_secret[2] = {0, 0};
    return llim__hash(no_secret, h, offsetof(llim__header, sum)).word[0];
}

int llim__layout_check(const llim__header *h, uint64_t size, const char *path, llim_error *err)
{
    if (size < sizeof *h)
        return llim__fail(err, LLIM_ECORRUPT, "%s has %llu bytes, which is less than a zone's header of %zu", path,
                          (unsigned long long)size, sizeof *h);
    if (h->magic == __builtin_bswap64(LLIM__MAGIC))
        return llim__fail(err, LLIM_EVERSION, "%s is a zone of a machine with another byte order", path);
    if (h->magic != LLIM__MAGIC)
        return llim__fail(err, LLIM_ECORRUPT, "%s is not a zone of llm-limiters: it does not begin like one", path);
    if (h->version != VERSION || h->header_size != sizeof *h)
        return llim__fail(err, LLIM_EVERSION,
                          "%s is a zone of layout %u with a header of %u bytes, expected %d and %zu", path, h->version,
                          h->header_size, VERSION, sizeof *h);
    const llim__capacity c = {h->rows, h->rings, h->slots, h->notes};
    if (c.rows == 0 || c.sliding == 0 || c.leases == 0 || c.notes == 0 || llim__capacity_check(&c, NULL))
        return llim__fail(err, LLIM_ECORRUPT,
                          "%s is a damaged zone: it claims %u rows, %u sliding limits, %u leases and %u notes", path,
                          c.rows, c.sliding, c.leases, c.notes);
    const llim__header whole = llim__layout(&c);
    if (h->index_size != whole.index_size ||
        memcmp(&h->rows_at, &whole.rows_at, offsetof(llim__header, secret) - offsetof(llim__header, rows_at)) != 0)
        return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: its parts are not where its figures say", path);
    if (size != whole.size)
        return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: it has %llu bytes, expected %llu", path,
                          (unsigned long long)size, (unsigned long long)whole.size);
    if (h->clock != LLIM_CLOCK_REAL && h->clock != LLIM_CLOCK_VIRTUAL)
        return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: its clock is %d", path, h->clock);
    if (h->sum != llim__layout_sum(h))
        return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: its header is not as it was made", path);
    return LLIM_OK;
}

void llim__layout_find(llim_zone *zone, char *bytes)
{
    llim__header *h = (void *)bytes;
    zone->header = h;
    zone->row = (void *)(bytes + h->rows_at);
    zone->index = (void *)(bytes + h->index_at);
    zone->name = (void *)(bytes + h->names_at);
    zone->ring = (void *)(bytes + h->rings_at);
    zone->ring_cum = (void *)(bytes + h->ring_cum_at);
    zone->slot = (void *)(bytes + h->slots_at);
    zone->note = (void *)(bytes + h->notes_at);
    zone->shape = (void *)(bytes + h->shapes_at);
    zone->zone_name = (void *)(bytes + h->zones_at);
}
