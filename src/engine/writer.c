/* writer.c - see writer.h. */
#include "engine/writer.h"

#include <errno.h>

#include "base/error.h"
#include "engine/repair.h"

/* Other processes publish time zones that this one has not met: their periods are looked up under the lock too. */
static int load_timezones(llim_zone *zone, llim_error *err)
{
    for (uint32_t i = 0, n = at_load_acq(&zone->header->zones_used); i < n; i++) {
        llim__timezone *tz;
        if (at_load_acq(&zone->timezone[i])) continue;
        int code = llim__timezone_load(zone->zone_name[i], &tz, err);
        if (code) return code;
        at_store_rel(&zone->timezone[i], tz);
    }
    return LLIM_OK;
}

/* A repair takes some 0.2 us a row, a copy less, so who meets one waits for longer. */
static int lock_memory(llim_zone *zone, int64_t patience_ns)
{
    int code = llim__memory_lock(zone->memory, patience_ns);
    if (code != LLIM_EBUSY) return code;
    const int64_t until = llim__clock_read(CLOCK_MONOTONIC) + zone->header->rows * (int64_t)1000;
    while (code == LLIM_EBUSY && llim__clock_read(CLOCK_MONOTONIC) < until &&
           (at_load_acq(&zone->header->writing) == LLIM__REPAIRER || llim__memory_is_copied(zone->memory)))
        code = llim__memory_lock(zone->memory, patience_ns);
    return code;
}

static int lock_for(llim_zone *zone, int64_t patience_ns)
{
    if (llim__zone_is_read_only(zone)) return LLIM_EINVAL;
    int code = lock_memory(zone, patience_ns);
    if (code) return code;
    code = load_timezones(zone, NULL);
    if (code) {
        llim__memory_unlock(zone->memory);
        return code;
    }
    if (at_load_acq(&zone->header->writing)) llim__zone_repair(zone);
    at_store_rel(&zone->header->writing, LLIM__WRITER);
    return LLIM_OK;
}

int llim__zone_lock(llim_zone *zone)
{
    return lock_for(zone, LLIM__PATIENCE);
}

int llim__zone_lock_patiently(llim_zone *zone)
{
    return lock_for(zone, LLIM__OPEN_PATIENCE);
}

void llim__zone_unlock(llim_zone *zone)
{
    at_store_rel(&zone->header->writing, LLIM__NO_WRITER);
    llim__memory_unlock(zone->memory);
}

int llim__zone_take_over(llim_zone *zone, llim_error *err)
{
    int code = load_timezones(zone, err);
    if (code) return code;
    llim__zone_repair(zone);
    at_store_rel(&zone->header->writing, LLIM__NO_WRITER);
    return LLIM_OK;
}

int llim__zone_lock_failed(int code, llim_error *err)
{
    if (code == LLIM_EBUSY)
        return llim__fail(err, code, "another process stands in the middle of a change to the zone, try again later");
    if (code == LLIM_EINVAL)
        return llim__fail(err, code, "the zone is open for reading alone, so that nothing in it can be changed");
    if (code == LLIM_EIO)
        return llim__fail(err, code,
                          "the zone cannot be locked: its file descriptor was closed, or the system refuses");
    return llim__fail(err, code, "a time zone that another process uses in this zone cannot be loaded");
}

/* Who only reads waits for nobody; that it knows a time zone more is all that can have changed. */
static int look_again(llim_zone *zone)
{
    bool news = false;
    if (pthread_mutex_lock(&zone->memory->placing) == EOWNERDEAD) pthread_mutex_consistent(&zone->memory->placing);
    for (uint32_t i = 0, n = at_load_acq(&zone->header->zones_used); i < n; i++)
        news = news || !at_load_acq(&zone->timezone[i]);
    int code = load_timezones(zone, NULL);
    pthread_mutex_unlock(&zone->memory->placing);
    return code ? code : news ? LLIM_OK : LLIM_EBUSY;
}

int llim__writer_wait(llim_zone *zone)
{
    if (llim__zone_is_read_only(zone)) return look_again(zone);
    int code = llim__zone_lock(zone);
    if (!code) llim__zone_unlock(zone);
    return code;
}
