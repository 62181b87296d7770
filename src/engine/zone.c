/*
 * zone.c - makes a zone: computes the layout, takes the memory, and hands out clocks and figures.
 */
#include "engine/zone.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/law.h"

enum { DEFAULT_ROWS = 1024, DEFAULT_SLIDING = 256, DEFAULT_LEASES = 1024, DEFAULT_NOTES = 256 };
enum { MOST_ROWS = 1 << 24, MOST_SLIDING = 1 << 20, MOST_LEASES = 1 << 20, MOST_NOTES = 1 << 20 };

static uint64_t place(uint64_t *end, uint64_t count, uint64_t size)
{
    uint64_t at = (*end + 127) & ~(uint64_t)127;
    *end = at + count * size;
    return at;
}

static llim__header layout(const llim_zone_options *o)
{
    llim__header h = {.magic = LLIM__MAGIC, .version = 1, .header_size = sizeof h};
    h.rows = o->rows ? o->rows : DEFAULT_ROWS;
    h.rings = o->sliding ? o->sliding : DEFAULT_SLIDING;
    h.slots = o->leases ? o->leases : DEFAULT_LEASES;
    h.notes = o->notes ? o->notes : DEFAULT_NOTES;
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

static void find_parts(llim_zone *zone, char *bytes)
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

/* Steady times with the epoch, in sixteenths of a nanosecond and with a window on top, stay within 63 bits. */
static bool good_times(int64_t steady_ns, int64_t wall_ns)
{
    return steady_ns >= 0 && steady_ns <= (int64_t)1 << 58 && wall_ns >= 0 &&
           wall_ns < (int64_t)7258118400 * LLIM_SECOND;
}

/* A decision on one of many rows costs more in address translation than in counting: 2 MiB pages, where there are any, cut
   that by half. Advice only; whoever gave the memory still owns it. */
static void use_huge_pages(char *memory, uint64_t size)
{
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t from = ((uintptr_t)memory + page - 1) & ~(page - 1), to = ((uintptr_t)memory + size) & ~(page - 1);
    if (from < to) (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

int llim_zone_open(const llim_zone_options *options, llim_zone **out, llim_error *err)
{
    llim_zone_options o = {.size = sizeof o};
    *out = NULL;
    if (options) {
        if (options->size != sizeof o)
            return llim__fail(err, LLIM_EVERSION, "llim_zone_options.size is %u, this library expects %zu",
                              options->size, sizeof o);
        o = *options;
    }
    if (o.rows > MOST_ROWS || o.sliding > MOST_SLIDING || o.leases > MOST_LEASES || o.notes > MOST_NOTES)
        return llim__fail(
            err, LLIM_ERANGE,
            "a zone has at most %d rows, %d sliding limits, %d leases and %d notes, not %u, %u, %u and %u", MOST_ROWS,
            MOST_SLIDING, MOST_LEASES, MOST_NOTES, o.rows, o.sliding, o.leases, o.notes);
    if (o.clock != LLIM_CLOCK_REAL && o.clock != LLIM_CLOCK_VIRTUAL)
        return llim__fail(err, LLIM_ERANGE, "clock is %d, expected LLIM_CLOCK_REAL or LLIM_CLOCK_VIRTUAL", o.clock);
    if (!good_times(o.start_ns, o.start_wall_ns))
        return llim__fail(err, LLIM_ERANGE,
                          "start_ns is %lld and start_wall_ns %lld, expected 0 to 2^58 and the years 1970 to 2199",
                          (long long)o.start_ns, (long long)o.start_wall_ns);
    if (!o.alloc) o.alloc = llim__libc_alloc;

    llim__header h = layout(&o);
    llim_zone *zone = o.alloc(o.alloc_ctx, NULL, 0, sizeof *zone);
    char *memory = zone ? o.alloc(o.alloc_ctx, NULL, 0, h.size + 127) : NULL;
    if (!memory) {
        if (zone) o.alloc(o.alloc_ctx, zone, sizeof *zone, 0);
        return llim__fail(err, LLIM_ENOMEM, "no memory for a zone of %llu bytes", (unsigned long long)h.size);
    }
    memset(zone, 0, sizeof *zone);
    use_huge_pages(memory, h.size);
    memset(memory, 0, h.size + 127);
    if (getrandom(h.secret, sizeof h.secret, 0) != sizeof h.secret) memcpy(h.secret, &zone, sizeof zone);
    char *bytes = memory + (-(uintptr_t)memory & 127);
    memcpy(bytes, &h, sizeof h);
    find_parts(zone, bytes);
    zone->shape[0].law = LLIM__NO_LIMIT;
    zone->memory = memory;
    zone->alloc = o.alloc;
    zone->alloc_ctx = o.alloc_ctx;
    llim__clock_init(&zone->clock, o.clock, o.start_ns, o.start_wall_ns);
    pthread_mutexattr_t robust; /* a thread may end while it places */
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&zone->placing, &robust);
    pthread_mutexattr_destroy(&robust);
    *out = zone;
    return LLIM_OK;
}

/* What a holder that died has left is put right by whoever meets it: see writer.c. */
void llim__zone_lock(llim_zone *zone)
{
    if (pthread_mutex_lock(&zone->placing) == EOWNERDEAD) pthread_mutex_consistent(&zone->placing);
}

void llim__zone_unlock(llim_zone *zone)
{
    pthread_mutex_unlock(&zone->placing);
}

void llim_zone_close(llim_zone *zone)
{
    if (!zone) return;
    for (int i = 0; i < LLIM__ZONES; i++) llim__timezone_free(zone->timezone[i]);
    pthread_mutex_destroy(&zone->placing);
    llim_alloc_fn alloc = zone->alloc;
    void *ctx = zone->alloc_ctx;
    alloc(ctx, zone->memory, zone->header->size + 127, 0);
    alloc(ctx, zone, sizeof *zone, 0);
}

void llim_zone_now(llim_zone *zone, int64_t *steady_ns, int64_t *wall_ns)
{
    llim__now now = llim__clock_now(&zone->clock);
    if (steady_ns) *steady_ns = now.steady;
    if (wall_ns) *wall_ns = now.wall;
}

int llim_zone_set_clock(llim_zone *zone, int64_t steady_ns, int64_t wall_ns)
{
    if (zone->clock.kind != LLIM_CLOCK_VIRTUAL) return LLIM_EINVAL;
    if (!good_times(steady_ns, wall_ns)) return LLIM_ERANGE;
    llim__zone_lock(zone); /* one setter at a time, lest the clock go back between the look and the step */
    const bool back = steady_ns < llim__clock_now(&zone->clock).steady;
    if (!back) llim__clock_set(&zone->clock, steady_ns, wall_ns);
    llim__zone_unlock(zone);
    at_fence_after_rmw();
    const llim__mirror *mirror = at_load_acq(&zone->mirror);
    if (!back && mirror) mirror->moved(mirror->ctx);
    if (!back) llim__zone_freed(zone);
    return back ? LLIM_ERANGE : LLIM_OK;
}

void llim_zone_listen(llim_zone *zone, const llim_listener *listener)
{
    at_swap(&zone->listener, listener);
    at_fence_after_rmw();
}

void llim__zone_mirror(llim_zone *zone, const llim__mirror *mirror)
{
    at_swap(&zone->mirror, mirror);
    at_fence_after_rmw();
}

bool llim__row_name(llim_zone *zone, llim_row row, char name[LLIM_SCOPE_SHOWN])
{
    uint64_t state;
    llim_row found;
    llim__zone_lock(zone); /* names are written under it */
    const bool lives = llim__row_of(zone, row, &state);
    if (lives) memcpy(name, zone->name[row.index], LLIM_SCOPE_SHOWN);
    llim__zone_unlock(zone);
    return lives && llim_row_find(zone, name, strlen(name), &found) == LLIM_OK && found.index == row.index &&
           found.epoch == row.epoch;
}

void llim_zone_get_stats(llim_zone *zone, llim_zone_stats *stats)
{
    const llim__header *h = zone->header;
    llim__now now = llim__zone_now(zone);
    *stats = (llim_zone_stats){.bytes = h->size,
                               .rows = h->rows,
                               .rows_used = at_load_rlx(&h->rows_used),
                               .sliding = h->rings,
                               .sliding_used = at_load_rlx(&h->rings_used),
                               .leases = h->slots};
    for (uint32_t i = 0, top = at_load_acq(&h->slots_top); i < top; i++)
        stats->leases_used += llim__slot_lives(at_load_acq(&zone->slot[i].word), now.steady);
}

const void *llim__zone_bytes(const llim_zone *zone, size_t *size)
{
    *size = zone->header->size;
    return zone->header;
}
