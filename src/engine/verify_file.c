/* verify_file.c - a zone in a file, copied while no writer is at work, and the copy proved sound; see verify.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/check.h"
#include "engine/file.h"
#include "engine/repair.h"
#include "engine/times.h"
#include "engine/torn.h"
#include "engine/verify.h"
#include "engine/writer.h"

/* How many copies are looked at where writers go on, and the rest before another look. */
enum { COPIES = 10, PAUSE = 10000000 };

typedef struct look {
    llim_zone *zone; /* the copy */
    int fd;          /* of the file */
    const char *path;
    const llim__faults *faults;
} look;

static bool read_at(int fd, void *to, size_t size, off_t at)
{
    for (char *next = to; size > 0;) {
        const ssize_t n = pread(fd, next, size, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        next += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* The file's bytes, and no memory for what was never written. */
static int copy(const look *l, llim_error *err)
{
    char *bytes = l->zone->memory->bytes;
    const off_t size = (off_t)l->zone->memory->size;
    struct stat st;
    bool read = true;
    for (off_t at = 0, from; at < size && read && (from = lseek(l->fd, at, SEEK_DATA)) >= 0;) {
        at = lseek(l->fd, from, SEEK_HOLE);
        if (at < from || at > size) at = size;
        read = read_at(l->fd, bytes + from, (size_t)(at - from), from);
    }
    if (read && fstat(l->fd, &st) == 0 && st.st_size == size) return LLIM_OK;
    return llim__fail(err, LLIM_EIO, "the zone %s cannot be read: its file was cut, or the system refuses", l->path);
}

static bool read_part(const look *l, void *part, size_t size)
{
    return read_at(l->fd, part, size, (char *)part - l->zone->memory->bytes);
}

static void rest(void)
{
    nanosleep(&(struct timespec){0, PAUSE}, NULL);
}

/* In the order of who decides: who has counted a lease has it. */
static bool again(void *ctx, const at_u64 *state, llim__cell *cell)
{
    const look *l = ctx;
    llim__header *h = l->zone->header;
    uint64_t now;
    rest();
    if (!read_part(l, l->zone->slot, h->slots * sizeof *l->zone->slot) ||
        !read_part(l, &h->slots_top, sizeof h->slots_top))
        return false;
    if (!cell) return true;
    return read_part(l, &cell->word, sizeof cell->word) &&
           read_at(l->fd, &now, sizeof now, (const char *)state - l->zone->memory->bytes) && now == at_load_rlx(state);
}

static void tell(void *ctx, const char *fault)
{
    const look *l = ctx;
    if (l->faults->tell) l->faults->tell(l->faults->ctx, fault);
}

/* Gives the copy its clock and its time zones, and leaves what is damaged as it is. *mends: whether the next writer would put it
   right before all else. */
static int prepare(const look *l, bool *mends, llim_error *err)
{
    llim_zone *zone = l->zone;
    int code = llim__layout_check(zone->header, zone->memory->size, l->path, err);
    *mends = false;
    if (code) return code;
    const bool real = zone->header->clock == LLIM_CLOCK_REAL, torn = llim__is_torn(zone);
    llim__layout_find(zone, zone->memory->bytes);
    llim__clock_init(&zone->clock, zone->header->clock, real ? NULL : &zone->header->time,
                     real ? llim__times_base(zone->header) : 0);
    if (llim__zone_check(zone, l->path, torn, NULL)) return LLIM_OK;
    code = llim__writer_wait(zone);
    if (code && code != LLIM_EBUSY) return llim__zone_lock_failed(code, err);
    if (torn) llim__torn_mend(zone);
    *mends = torn || at_load_acq(&zone->header->writing);
    return LLIM_OK;
}

/* Looks at the copy, as the next writer will find it. */
static int look_at(const look *l, const llim__faults *faults, llim__verified *done, llim_error *err)
{
    const bool locked = done->locked, writing = at_load_acq(&l->zone->header->writing);
    bool mends;
    int code = prepare(l, &mends, err);
    if (code) return code;
    if (mends) llim__zone_repair(l->zone);
    code = llim__zone_verify(l->zone, faults, done);
    done->locked = locked;
    done->writer_died = locked && writing;
    return code;
}

/* The first copy has brought the file into memory, so that this one takes no longer than it must. */
static int verify_still(look *l, llim__memory *lock, llim__verified *done, llim_error *err)
{
    const llim__faults told = {tell, again, l};
    llim__memory_copies(lock);
    int code = copy(l, err);
    llim__memory_unlock(lock);
    done->locked = true;
    return code ? code : look_at(l, &told, done, err);
}

/* Writers go on, or one stands. */
static int verify_moving(look *l, llim__verified *done, llim_error *err)
{
    const llim__faults silent = {NULL, again, l};
    for (int i = 0; i < COPIES; i++) {
        if (i) {
            rest();
            madvise(l->zone->memory->bytes, l->zone->memory->size, MADV_DONTNEED); /* zeros again */
            int code = copy(l, err);
            if (code) return code;
        }
        int code = look_at(l, &silent, done, err);
        if (code != LLIM_ECORRUPT) return code;
    }
    return llim__fail(
        err, LLIM_EBUSY,
        "the zone %s cannot be told to be sound: its writers go on, or one stands in the middle of a change, "
        "and the file may not be locked",
        l->path);
}

static int verify(look *l, llim__memory *lock, llim__verified *done, llim_error *err)
{
    int code = copy(l, err);
    if (code) return code;
    const bool locks = lock->fd >= 0 && llim__memory_lock(lock, LLIM__PATIENCE) == LLIM_OK;
    return locks ? verify_still(l, lock, done, err) : verify_moving(l, done, err);
}

/* One whose file may be written to can be kept still. */
static int open_file(const char *path, llim__memory *lock, int *fd, llim__header *h, llim_error *err)
{
    struct stat st;
    llim__memory_init(lock, NULL, 0, -1);
    if (llim__file_descriptor(path, O_RDWR, fd, h, NULL)) return llim__file_descriptor(path, O_RDONLY, fd, h, err);
    if (fstat(*fd, &st) == 0) {
        lock->fd = *fd;
        lock->dev = st.st_dev;
        lock->ino = st.st_ino;
    }
    return LLIM_OK;
}

int llim__file_verify(const char *path, const llim__faults *faults, llim__verified *done, llim_error *err)
{
    llim__memory lock;
    llim__header h;
    look l = {.path = path, .faults = faults};
    *done = (llim__verified){.faults = 0};
    int code = open_file(path, &lock, &l.fd, &h, err);
    if (code) return code;
    char *bytes = mmap(NULL, h.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    l.zone = llim__libc_alloc(NULL, NULL, 0, sizeof *l.zone);
    if (l.zone && bytes != MAP_FAILED) {
        memset(l.zone, 0, sizeof *l.zone);
        l.zone->alloc = llim__libc_alloc;
        llim__memory_init(&l.zone->heap, bytes, h.size, -1);
        l.zone->memory = &l.zone->heap;
        llim__layout_find(l.zone, memcpy(bytes, &h, sizeof h));
        code = verify(&l, &lock, done, err);
        llim_zone_close(l.zone);
    } else {
        code = llim__fail(err, LLIM_ENOMEM, "no memory to copy a zone of %llu bytes", (unsigned long long)h.size);
        if (bytes != MAP_FAILED) munmap(bytes, h.size);
        llim__libc_alloc(NULL, l.zone, sizeof *l.zone, 0);
    }
    pthread_mutex_destroy(&lock.placing);
    close(l.fd);
    return code;
}
