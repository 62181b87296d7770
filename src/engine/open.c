/*
 * open.c - opens a zone: finds or makes its bytes, and puts a handle on them.
 *
 * A file is made whole before it has its name, so that whoever finds it finds a zone. Who is alone with a file trusts nothing in
 * it: what is only read is compared with what it must be, what indexes is bounded, and what the rows tell is made anew. Who is
 * not alone trusts those that were there first.
 */
#include "engine/open.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/check.h"
#include "engine/file.h"
#include "engine/owner.h"
#include "engine/sync.h"
#include "engine/table.h"
#include "engine/times.h"
#include "engine/torn.h"
#include "engine/writer.h"

enum { DEFAULT_ROWS = 1024, DEFAULT_SLIDING = 256, DEFAULT_LEASES = 1024, DEFAULT_NOTES = 256 };

/* A decision on one of many rows costs more in address translation than in counting: 2 MiB pages, where there are any, cut
   that by half. Advice only; whoever gave the memory still owns it. */
static void use_huge_pages(char *memory, uint64_t size)
{
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t from = ((uintptr_t)memory + page - 1) & ~(page - 1), to = ((uintptr_t)memory + size) & ~(page - 1);
    if (from < to) (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

static int check_options(const llim_zone_options *o, llim_error *err)
{
    if (o->size != sizeof *o)
        return llim__fail(err, LLIM_EVERSION, "llim_zone_options.size is %u, this library expects %zu", o->size,
                          sizeof *o);
    const llim__capacity asked = {o->rows, o->sliding, o->leases, o->notes};
    int code = llim__capacity_check(&asked, err);
    if (code) return code;
    if (o->clock != LLIM_CLOCK_REAL && o->clock != LLIM_CLOCK_VIRTUAL)
        return llim__fail(err, LLIM_ERANGE, "clock is %d, expected LLIM_CLOCK_REAL or LLIM_CLOCK_VIRTUAL", o->clock);
    if (!llim__good_times(o->start_ns, o->start_wall_ns))
        return llim__fail(err, LLIM_ERANGE,
                          "start_ns is %lld and start_wall_ns %lld, expected 0 to 2^58 and the years 1970 to 2199",
                          (long long)o->start_ns, (long long)o->start_wall_ns);
    if (o->read_only && !o->path)
        return llim__fail(err, LLIM_EINVAL, "only a zone in a file is opened for reading alone: path is missing");
    if (o->sync_ns && (!o->path || o->read_only))
        return llim__fail(err, LLIM_EINVAL, "sync_ns is %lld, but only a zone in a file that is written to has a disk",
                          (long long)o->sync_ns);
    if (o->sync_ns && (o->sync_ns < LLIM_SECOND / 1000 || o->sync_ns > 86400 * LLIM_SECOND))
        return llim__fail(err, LLIM_ERANGE, "sync_ns is %lld, expected 0 or a millisecond to a day",
                          (long long)o->sync_ns);
    if (o->path && o->name)
        return llim__fail(err, LLIM_EINVAL, "a zone has a path or a name, not both: %s and %s", o->path, o->name);
    if ((o->path && !o->path[0]) || (o->name && (!o->name[0] || strlen(o->name) > LLIM__NAME_MAX)))
        return llim__fail(err, LLIM_EINVAL, "the path of a zone is not empty, and its name has 1 to %d bytes",
                          LLIM__NAME_MAX);
    if (o->mode && (o->mode & ~0777u || (o->mode & 0600) != 0600))
        return llim__fail(err, LLIM_ERANGE, "mode is %o, expected permission bits with 600 among them", o->mode);
    return LLIM_OK;
}

static uint32_t or_default(uint32_t asked, uint32_t otherwise)
{
    return asked ? asked : otherwise;
}

static uint32_t plus(uint32_t a, uint32_t b)
{
    return a <= UINT32_MAX - b ? a + b : UINT32_MAX; /* which is too much, too */
}

/* The header of a zone that these options make. */
static int plan(const llim_zone_options *o, const llim__capacity *extra, llim__header *h, llim_error *err)
{
    const llim__capacity asked = {or_default(o->rows, DEFAULT_ROWS), or_default(o->sliding, DEFAULT_SLIDING),
                                  or_default(o->leases, DEFAULT_LEASES), or_default(o->notes, DEFAULT_NOTES)};
    const llim__capacity all = {plus(asked.rows, extra->rows), plus(asked.sliding, extra->sliding),
                                plus(asked.leases, extra->leases), plus(asked.notes, extra->notes)};
    int code = llim__capacity_check(&all, err);
    if (code) return code;
    *h = llim__layout(&all);
    h->clock = o->clock;
    h->asked_rows = asked.rows;
    h->asked_rings = asked.sliding;
    h->asked_slots = asked.leases;
    h->asked_notes = asked.notes;
    if (getrandom(h->secret, sizeof h->secret, 0) != sizeof h->secret)
        return llim__fail(err, LLIM_EIO, "the system gives no random bytes for a zone's secret");
    h->sum = llim__layout_sum(h);
    if (o->name) atomic_init(&h->pid_namespace, llim__owner_namespace());
    if (o->clock == LLIM_CLOCK_VIRTUAL) {
        atomic_init(&h->time.steady, o->start_ns);
        atomic_init(&h->time.wall_offset, o->start_wall_ns - o->start_ns);
    }
    return o->path && o->clock == LLIM_CLOCK_REAL ? llim__times_begin(h, err) : LLIM_OK;
}

/* A zone that is there has what it has: other wishes are an error, and 0 is none. */
static int check_asked(const llim_zone_options *o, const llim__header *h, llim_error *err)
{
    const uint32_t has[] = {h->asked_rows, h->asked_rings, h->asked_slots, h->asked_notes},
                   asked[] = {o->rows, o->sliding, o->leases, o->notes};
    static const char *const names[] = {"rows", "sliding", "leases", "notes"};
    const char *which = o->path ? o->path : o->name;
    for (int i = 0; i < 4; i++)
        if (asked[i] && asked[i] != has[i])
            return llim__fail(err, LLIM_EINVAL, "the zone %s was made with %s = %u, and %u is asked for", which,
                              names[i], has[i], asked[i]);
    if (o->clock != h->clock)
        return llim__fail(err, LLIM_EINVAL, "the zone %s has a %s clock, and the other kind is asked for", which,
                          h->clock == LLIM_CLOCK_REAL ? "real" : "virtual");
    return LLIM_OK;
}

static int take_heap(llim_zone *zone, const llim__header *h, llim_error *err)
{
    char *block = zone->alloc(zone->alloc_ctx, NULL, 0, h->size + 127);
    if (!block) return llim__fail(err, LLIM_ENOMEM, "no memory for a zone of %llu bytes", (unsigned long long)h->size);
    use_huge_pages(block, h->size);
    memset(block, 0, h->size + 127);
    char *bytes = block + (-(uintptr_t)block & 127);
    memcpy(bytes, h, sizeof *h);
    ((llim__shape *)(void *)(bytes + h->shapes_at))[0].law = LLIM__NO_LIMIT;
    llim__memory_init(&zone->heap, bytes, h->size, -1);
    zone->memory = &zone->heap;
    zone->block = block;
    return LLIM_OK;
}

/* Under the list's mutex. */
static int take_named(llim_zone *zone, const llim_zone_options *o, const llim__header *h, llim_error *err)
{
    int fd, code;
    zone->memory = llim__memory_named(o->name);
    if (zone->memory) return LLIM_OK;
    fd = memfd_create("llm-limiters", MFD_CLOEXEC);
    if (fd < 0 || !llim__file_may_have(h->size) || ftruncate(fd, (off_t)h->size) != 0 || !llim__file_fill(fd, h))
        code = llim__fail(err, LLIM_ENOMEM, "no shared memory for a zone of %llu bytes: %s",
                          (unsigned long long)h->size, strerror(errno));
    else
        code = llim__memory_map(fd, h->size, o->name, &zone->memory, err);
    if (code && fd >= 0) close(fd);
    return code;
}

/* Puts the handle on its bytes. */
static void set_up(llim_zone *zone, const llim_zone_options *o)
{
    llim__header *h = zone->header;
    const bool real = h->clock == LLIM_CLOCK_REAL;
    llim__clock_init(&zone->clock, h->clock, real && (!o->path || o->read_only) ? NULL : &h->time,
                     o->path && real ? llim__times_base(h) : 0);
}

/* The ids of earlier owners mean nothing to a namespace that is not theirs. */
static void settle_owners(llim_zone *zone)
{
    llim__header *h = zone->header;
    const uint64_t mine = llim__owner_namespace();
    if (at_load_rlx(&h->pid_namespace) == mine) return;
    for (uint32_t i = 0; i < h->slots; i++) at_store_rel(&zone->slot[i].owner, 0);
    at_store_rel(&h->pid_namespace, mine);
}

/* What this process has just mapped. Nobody gets in before who was alone is done. */
static int join(llim_zone *zone, const llim_zone_options *o, llim_error *err)
{
    int code = llim__memory_lock(zone->memory, LLIM__OPEN_PATIENCE);
    if (code) return llim__zone_lock_failed(code, err);
    const bool alone = llim__memory_alone(zone->memory);
    const bool torn = alone && llim__is_torn(zone);
    if (alone) code = llim__zone_check(zone, o->path, torn, err);
    if (alone && !code) settle_owners(zone);
    if (!code && o->clock == LLIM_CLOCK_REAL) code = llim__times_go_on(zone, o->path, alone, err);
    if (!code) {
        set_up(zone, o);
        if (torn) llim__torn_mend(zone);
        if (torn) code = llim__zone_check(zone, o->path, false, err);
        if (alone && !code) code = llim__zone_take_over(zone, err);
    }
    llim__memory_share(zone->memory);
    llim__memory_unlock(zone->memory);
    return code;
}

static int take_bytes(llim_zone *zone, const llim_zone_options *o, const llim__header *h, llim_error *err)
{
    if (!o->path && !o->name) return take_heap(zone, h, err);
    llim__memory_list_lock();
    int code = o->path ? llim__file_take(o->path, h, o->mode ? o->mode : 0600, &zone->memory, err)
                       : take_named(zone, o, h, err);
    if (!code) {
        llim__layout_find(zone, zone->memory->bytes);
        code = check_asked(o, zone->header, err);
        if (!code && o->path && zone->memory->users == 1) code = join(zone, o, err);
        if (code) llim__memory_leave(zone->memory, false);
    }
    llim__memory_list_unlock();
    if (!code) use_huge_pages(zone->memory->bytes, zone->memory->size);
    return code;
}

/* What others write meanwhile may look damaged for a moment, what is damaged does so for long. */
static int open_to_read(llim_zone *zone, const llim_zone_options *o, llim_error *err)
{
    enum { LOOKS = 4 };
    llim__memory_list_lock();
    int code = llim__file_read(o->path, &zone->heap, &zone->memory, err);
    llim__memory_list_unlock();
    if (code) return code;
    llim__layout_find(zone, zone->memory->bytes);
    set_up(zone, o);
    for (int i = 0; i < LOOKS && (i == 0 || code); i++) code = llim__zone_check(zone, o->path, false, err);
    if (!code && !llim__table_is_bounded(zone))
        code = llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: its index leads beyond its rows", o->path);
    return code;
}

int llim__zone_open(const llim_zone_options *options, const llim__capacity *extra, llim_zone **out, llim_error *err)
{
    llim_zone_options o = {.size = sizeof o};
    llim__header h;
    *out = NULL;
    if (options) {
        int wrong = check_options(options, err);
        if (wrong) return wrong;
        o = *options;
    }
    if (!o.alloc) o.alloc = llim__libc_alloc;
    int code = plan(&o, extra, &h, err);
    if (code) return code;
    llim_zone *zone = o.alloc(o.alloc_ctx, NULL, 0, sizeof *zone);
    if (!zone) return llim__fail(err, LLIM_ENOMEM, "no memory for a zone's handle of %zu bytes", sizeof *zone);
    memset(zone, 0, sizeof *zone);
    zone->alloc = o.alloc;
    zone->alloc_ctx = o.alloc_ctx;
    zone->most_rows = o.read_only ? 0 : LLIM_MAX_ROWS;
    code = o.read_only ? open_to_read(zone, &o, err) : take_bytes(zone, &o, &h, err);
    if (code && o.read_only && zone->memory) {
        llim_zone_close(zone);
        return code;
    }
    if (code) {
        for (int i = 0; i < LLIM__ZONES; i++) llim__timezone_free(at_load_rlx(&zone->timezone[i]));
        o.alloc(o.alloc_ctx, zone, sizeof *zone, 0);
        return code;
    }
    llim__layout_find(zone, zone->memory->bytes);
    set_up(zone, &o);
    code = o.read_only ? llim__writer_wait(zone) : llim__zone_lock_patiently(zone); /* with the time zones of others */
    if (!code && !o.read_only) llim__zone_unlock(zone);
    if (code && !(code == LLIM_EBUSY && o.read_only)) {
        llim_zone_close(zone);
        return llim__zone_lock_failed(code, err);
    }
    code = o.sync_ns ? llim__sync_start(zone, o.sync_ns, err) : LLIM_OK;
    if (code) {
        llim_zone_close(zone);
        return code;
    }
    *out = zone;
    return LLIM_OK;
}

int llim_zone_open(const llim_zone_options *options, llim_zone **zone, llim_error *err)
{
    static const llim__capacity nothing = {0, 0, 0, 0};
    return llim__zone_open(options, &nothing, zone, err);
}
