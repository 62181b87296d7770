/* sync.c - see sync.h. */
#include "engine/sync.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

struct llim__sync {
    llim_zone *zone;
    int64_t every_ns;
    pid_t pid; /* whose thread it is */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool ending;
};

int llim_zone_sync(llim_zone *zone)
{
    if (llim__zone_is_read_only(zone)) return LLIM_EINVAL;
    if (zone->memory->fd < 0 || zone->memory->name[0]) return LLIM_OK;
    const int64_t begun = llim__clock_now(&zone->clock).steady;
    while (msync(zone->memory->bytes, zone->memory->size, MS_SYNC) != 0)
        if (errno != EINTR) return LLIM_EIO;
    at_store_rlx(&zone->synced_at, begun);
    return LLIM_OK;
}

/* What cannot be written now may be later; how old the last good one is, the zone's stats tell. The last one begins after it was
   told to end. */
static void *write_again_and_again(void *arg)
{
    struct llim__sync *s = arg;
    for (bool last = false; !last;) {
        const int64_t at = llim__clock_read(CLOCK_MONOTONIC) + s->every_ns;
        const struct timespec until = {at / LLIM_SECOND, at % LLIM_SECOND};
        pthread_mutex_lock(&s->lock);
        while (!s->ending && pthread_cond_timedwait(&s->ends, &s->lock, &until) != ETIMEDOUT) {
        }
        last = s->ending;
        pthread_mutex_unlock(&s->lock);
        llim_zone_sync(s->zone);
    }
    return NULL;
}

/* Signals are the program's. */
static bool start_thread(struct llim__sync *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&s->thread, NULL, write_again_and_again, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void destroy(struct llim__sync *s)
{
    pthread_cond_destroy(&s->ends);
    pthread_mutex_destroy(&s->lock);
}

static void give(llim_zone *zone)
{
    zone->alloc(zone->alloc_ctx, zone->sync, sizeof *zone->sync, 0);
    zone->sync = NULL;
}

int llim__sync_start(llim_zone *zone, int64_t every_ns, llim_error *err)
{
    pthread_condattr_t monotonic;
    struct llim__sync *s = zone->alloc(zone->alloc_ctx, NULL, 0, sizeof *s);
    if (!s) return llim__fail(err, LLIM_ENOMEM, "no memory for the thread that writes a zone to its disk");
    memset(s, 0, sizeof *s);
    s->zone = zone;
    s->every_ns = every_ns;
    s->pid = getpid();
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->ends, &monotonic);
    pthread_condattr_destroy(&monotonic);
    zone->sync = s;
    if (start_thread(s)) return LLIM_OK;
    destroy(s);
    give(zone);
    return llim__fail(err, LLIM_ENOMEM, "the system gives no thread to write a zone to its disk");
}

void llim__sync_end(llim_zone *zone)
{
    struct llim__sync *s = zone->sync;
    if (!s) return;
    if (s->pid == getpid()) { /* else the lock is as the parent's thread left it */
        pthread_mutex_lock(&s->lock);
        s->ending = true;
        pthread_cond_signal(&s->ends);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
        destroy(s);
    }
    give(zone);
}
