/* verify_file.c - a zone in a file, held still and proved sound; see verify.h. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/check.h"
#include "engine/file.h"
#include "engine/repair.h"
#include "engine/times.h"
#include "engine/verify.h"
#include "engine/writer.h"

/* How often what looks like a fault is looked for where writers go on. */
enum { LOOKS = 3 };

/* The writers' lock, by a descriptor of our own. False: the file may not be written to, is another one by now, or is being
   written to for too long. */
static bool hold(const char *path, const llim__memory *seen, llim__memory *held)
{
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return false;
    llim__memory_init(held, NULL, 0, fd);
    held->dev = seen->dev;
    held->ino = seen->ino;
    return llim__memory_lock(held, LLIM__PATIENCE) == LLIM_OK;
}

static void let_go(llim__memory *held, bool locked)
{
    if (held->fd < 0) return;
    if (locked) llim__memory_unlock(held);
    close(held->fd);
    pthread_mutex_destroy(&held->placing);
}

static int verify(llim_zone *zone, bool locked, const llim__faults *faults, llim__verified *done)
{
    static const llim__faults silent = {NULL, NULL};
    const bool died = locked && at_load_acq(&zone->header->writing);
    if (died && llim__zone_check(zone, "this", NULL) == LLIM_OK) llim__zone_repair(zone);
    int code = locked ? LLIM_ECORRUPT : llim__zone_verify(zone, &silent, done);
    for (int i = 1; i < LOOKS && !locked && code == LLIM_ECORRUPT; i++) code = llim__zone_verify(zone, &silent, done);
    if (code == LLIM_ECORRUPT) code = llim__zone_verify(zone, faults, done);
    done->locked = locked;
    done->writer_died = died;
    return code;
}

int llim__file_verify(const char *path, const llim__faults *faults, llim__verified *done, llim_error *err)
{
    llim__memory held = {.fd = -1};
    llim_zone *zone = llim__libc_alloc(NULL, NULL, 0, sizeof *zone);
    if (!zone) return LLIM_ENOMEM;
    memset(zone, 0, sizeof *zone);
    zone->alloc = llim__libc_alloc;
    llim__memory_list_lock();
    int code = llim__file_read(path, true, &zone->heap, &zone->memory, err);
    llim__memory_list_unlock();
    if (code) {
        llim__libc_alloc(NULL, zone, sizeof *zone, 0);
        return code;
    }
    const bool locked = hold(path, zone->memory, &held);
    llim__layout_find(zone, zone->memory->bytes);
    llim__clock_init(&zone->clock, zone->header->clock,
                     zone->header->clock == LLIM_CLOCK_REAL ? NULL : &zone->header->time,
                     zone->header->clock == LLIM_CLOCK_REAL ? llim__times_base(zone->header) : 0);
    if (llim__zone_check(zone, path, NULL) == LLIM_OK) code = llim__writer_wait(zone); /* which loads the time zones */
    if (code == LLIM_OK || code == LLIM_EBUSY)
        code = verify(zone, locked, faults, done);
    else
        llim__zone_lock_failed(code, err);
    let_go(&held, locked);
    llim_zone_close(zone);
    return code;
}
