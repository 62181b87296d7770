/* times.c - see times.h. */
#include "engine/times.h"

#include "base/boot.h"
#include "base/error.h"

/* Beyond the longest window, its guard and all debt nothing is left, so that a longer time tells no more. */
#define LONGEST ((int64_t)1300 * 86400 * LLIM_SECOND)
#define LAST    ((int64_t)1 << 58) /* of steady times: 9 years */

static int no_boot(llim_error *err)
{
    return llim__fail(err, LLIM_EIO,
                      "/proc/sys/kernel/random/boot_id cannot be read, by which a zone in a file knows a boot");
}

int llim__times_begin(llim__header *h, llim_error *err)
{
    const uint64_t boot = llim__boot();
    if (!boot) return no_boot(err);
    const int64_t steady = llim__clock_read(CLOCK_MONOTONIC);
    atomic_init(&h->time.steady, steady);
    atomic_init(&h->time.wall_offset, llim__clock_read(CLOCK_REALTIME) - steady);
    atomic_init(&h->base, 0);
    atomic_init(&h->boot, boot);
    return LLIM_OK;
}

/* The steady time at this wall time. */
static int64_t from_wall(const llim__time *time, int64_t wall)
{
    const int64_t last = at_load_rlx(&time->steady);
    int64_t now;
    if (__builtin_sub_overflow(wall, at_load_rlx(&time->wall_offset), &now) || now < last) return last;
    return now < last + LONGEST ? now : last + LONGEST;
}

/* Whether the base leads to a time that can be. Of the same boot it can only be out of place if CLOCK_MONOTONIC is another one,
   in a container. */
static bool base_places(const llim__header *h, int64_t monotonic)
{
    const int64_t last = at_load_rlx(&h->time.steady);
    int64_t now;
    return !__builtin_add_overflow(monotonic, at_load_rlx(&h->base), &now) && now >= last - LLIM_SECOND &&
           now < last + LONGEST;
}

int64_t llim__times_base(const llim__header *h)
{
    const int64_t monotonic = llim__clock_read(CLOCK_MONOTONIC), last = at_load_rlx(&h->time.steady);
    if (last < 0 || last > LAST) return 0; /* nothing good will be told of that zone */
    if (at_load_acq(&h->boot) == llim__boot() && base_places(h, monotonic)) return at_load_rlx(&h->base);
    return from_wall(&h->time, llim__clock_read(CLOCK_REALTIME)) - monotonic;
}

int llim__times_go_on(llim_zone *zone, const char *path, bool alone, llim_error *err)
{
    llim__header *h = zone->header;
    const uint64_t boot = llim__boot(), before = at_load_acq(&h->boot);
    if (!boot) return no_boot(err);
    const int64_t monotonic = llim__clock_read(CLOCK_MONOTONIC);
    if (!alone)
        return boot == before
                   ? LLIM_OK
                   : llim__fail(err, LLIM_EIO, "the zone %s is in use under another kernel, or in another boot", path);
    if (boot == before && base_places(h, monotonic)) return LLIM_OK;
    const int64_t wall = llim__clock_read(CLOCK_REALTIME), now = from_wall(&h->time, wall);
    if (now > LAST)
        return llim__fail(err, LLIM_ECORRUPT,
                          "the zone %s has run for longer than 9 years, which is what its clock can show", path);
    for (uint32_t i = 0; i < h->slots; i++) at_store_rel(&zone->slot[i].word, 0);
    /* In this order: who is killed here has changed nothing that tells another time. */
    at_store_rel(&h->time.wall_offset, wall - now);
    at_store_rel(&h->time.steady, now);
    at_store_rel(&h->base, now - monotonic);
    at_store_rel(&h->boot, boot);
    return LLIM_OK;
}
