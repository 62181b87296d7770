/*
 * zone.c - a zone that is open: its end, its clocks, and how full it is.
 */
#include "engine/zone.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/open.h"
#include "engine/rows.h"
#include "engine/sync.h"
#include "engine/table.h"
#include "engine/writer.h"

void llim_zone_close(llim_zone *zone)
{
    if (!zone) return;
    llim__sync_end(zone);
    for (int i = 0; i < LLIM__ZONES; i++) llim__timezone_free(at_load_rlx(&zone->timezone[i]));
    llim_alloc_fn alloc = zone->alloc;
    void *ctx = zone->alloc_ctx;
    if (zone->memory == &zone->heap) {
        pthread_mutex_destroy(&zone->heap.placing);
        if (zone->block)
            alloc(ctx, zone->block, zone->header->size + 127, 0);
        else
            munmap(zone->heap.bytes, zone->heap.size);
    } else {
        llim__memory_list_lock();
        llim__memory_leave(zone->memory, false);
        llim__memory_list_unlock();
    }
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
    if (!llim__good_times(steady_ns, wall_ns)) return LLIM_ERANGE;
    int code = llim__zone_lock(zone); /* one setter at a time, lest the clock go back between the look and the step */
    if (code) return code;
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
    if (llim__zone_lock(zone)) return false; /* names are written under it */
    const bool lives = llim__row_of(zone, row, &state);
    if (lives) memcpy(name, zone->name[row.index], LLIM_SCOPE_SHOWN);
    llim__zone_unlock(zone);
    return lives && llim_row_find(zone, name, strlen(name), &found) == LLIM_OK && found.index == row.index &&
           found.epoch == row.epoch;
}

void llim__zone_stats(const llim_zone *zone, llim_zone_stats *stats)
{
    const llim__header *h = zone->header;
    *stats = (llim_zone_stats){.bytes = h->size,
                               .rows = h->rows,
                               .rows_used = at_load_rlx(&h->rows_used),
                               .sliding = h->rings,
                               .sliding_used = at_load_rlx(&h->rings_used),
                               .leases = h->slots,
                               .rows_held_percent = (int32_t)at_load_rlx(&h->rows_held) - 1,
                               .sliding_held_percent = (int32_t)at_load_rlx(&h->rings_held) - 1,
                               .kinds = LLIM__SHAPES - 1,
                               .kinds_used = at_load_rlx(&h->shapes_used),
                               .time_zones = LLIM__ZONES,
                               .time_zones_used = at_load_rlx(&h->zones_used),
                               .synced_ns = at_load_rlx(&zone->synced_at)};
}

void llim_zone_get_stats(llim_zone *zone, llim_zone_stats *stats)
{
    const llim__now now = llim__zone_now(zone);
    llim__zone_stats(zone, stats);
    for (uint32_t i = 0, top = at_load_acq(&zone->header->slots_top); i < top; i++)
        stats->leases_used += llim__slot_lives(at_load_acq(&zone->slot[i].word), now.steady);
}

static uint32_t percent_of(uint32_t used, uint32_t size, int32_t held_percent)
{
    const uint64_t held = held_percent >= 0 ? (uint64_t)held_percent : 100;
    return size ? (uint32_t)(used * held / size) : 0;
}

void llim__zone_parts(const llim_zone_stats *s, llim__part parts[LLIM__PARTS])
{
    parts[0] = (llim__part){"rows", percent_of(s->rows_used, s->rows, s->rows_held_percent)};
    parts[1] = (llim__part){"sliding windows", percent_of(s->sliding_used, s->sliding, s->sliding_held_percent)};
    parts[LLIM__LEASES] = (llim__part){"leases", percent_of(s->leases_used, s->leases, LLIM_UNKNOWN)};
    parts[3] = (llim__part){"kinds of limits", percent_of(s->kinds_used, s->kinds, LLIM_UNKNOWN)};
    parts[4] = (llim__part){"time zones", percent_of(s->time_zones_used, s->time_zones, LLIM_UNKNOWN)};
}

uint32_t llim_zone_full(const llim_zone_stats *stats, const char **what)
{
    llim__part parts[LLIM__PARTS];
    int fullest = 0;
    llim__zone_parts(stats, parts);
    for (int i = 1; i < LLIM__PARTS; i++)
        if (parts[i].full > parts[fullest].full) fullest = i;
    if (what) *what = parts[fullest].name;
    return parts[fullest].full;
}

const void *llim__zone_bytes(const llim_zone *zone, size_t *size)
{
    *size = zone->header->size;
    return zone->header;
}
