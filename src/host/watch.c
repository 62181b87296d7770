/*
 * watch.c - notices that the files of a limiter have changed, and reloads.
 *
 * One descriptor that event loops can wait for, an epoll of two: inotify, on the files and on every directory in which a change
 * may give their paths another meaning (all on the way to a file, and to what a symbolic link there names), and a timer. An event
 * starts the timer, so that a burst settles; when it has run out, the files are looked at: whether anything of them has changed
 * by what stat() tells, and if so they are read again. What is read is compared by its content, and so is what fails, which is
 * told once. All is watched anew before each look, so that whatever happens after the look is seen.
 *
 * Where directories cannot be watched, the timer runs all the time. All is under limiter->reloading.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "host/limiter.h"

enum { SETTLE_MS = 50, LONGEST_BURST_MS = 500, TICK_MS = 1000 };
enum { MOST_LINKS = 40 }; /* on one path, as the kernel has it */

/* A file that was written so shortly before the look may be written again without another time: clocks of files are coarse. */
enum { COARSE_MS = 20 };

#define MS ((int64_t)1000000)

struct llim__watch {
    int fd; /* epoll; the others are in it */
    int timer;
    int inotify;      /* -1: none */
    uint64_t seen;    /* what the files looked like */
    bool hasty;       /* one had been written just before */
    int64_t burst_ns; /* when the burst began that has not settled, steady; 0: none */

    pid_t pid; /* whose it is: a child of fork() has the descriptors, which are its parent's, and not the thread */

    pthread_t thread; /* that reloads, if has_thread */
    bool has_thread;
    int stop;
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

static void wake_in(const llim__watch *w, int64_t ms) /* 0: never */
{
    const struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS}};
    timerfd_settime(w->timer, 0, &when, NULL);
}

/* What other machines change there is not told to this one. */
static bool is_remote(const char *directory)
{
    static const unsigned long kinds[] = {0x6969, 0xff534d42, 0xfe534d42,
                                          0x517b, 0x65735546, 0x01021997}; /* statfs(2) */
    struct statfs info;
    if (statfs(directory, &info)) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((unsigned long)info.f_type == kinds[i]) return true;
    return false;
}

/* Of a directory on the way to a file; and of what holds contents: a file, the directory where it stands. */
static const uint32_t entries = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
static const uint32_t contents = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB;

static bool watch(int inotify, const char *path, uint32_t events)
{
    if (!*path) path = ".";
    return inotify_add_watch(inotify, path, events | IN_MASK_ADD) >= 0 && !is_remote(path);
}

/* Goes along a path as the kernel does. False: not all of it can be watched. */
static bool watch_path(int inotify, const char *path)
{
    char left[PATH_MAX], done[PATH_MAX] = "", target[PATH_MAX], name[PATH_MAX];
    struct stat info;
    bool all = true;
    int links = 0;
    if (snprintf(left, sizeof left, "%s", path) >= (int)sizeof left) return false;
    for (;;) {
        if (left[0] == '/') strcpy(done, "/");
        const char *begin = left + strspn(left, "/");
        const size_t len = strcspn(begin, "/");
        const char *rest = begin + len + strspn(begin + len, "/");
        if (len == 0) return watch(inotify, done, entries | contents) && all;
        if (snprintf(name, sizeof name, "%s%.*s", done, (int)len, begin) >= (int)sizeof name) return false;
        all = watch(inotify, done, *rest ? entries : entries | contents) && all;
        if (lstat(name, &info)) return all; /* it would come there */
        if (S_ISLNK(info.st_mode)) {
            const ssize_t n = readlink(name, target, sizeof target - 1);
            if (n < 0 || ++links > MOST_LINKS) return false;
            target[n] = 0;
            if (snprintf(name, sizeof name, "%s%s%s", target, *rest ? "/" : "", rest) >= (int)sizeof name) return false;
            strcpy(left, name);
            continue;
        }
        /* The file itself, since it may be written by another name. */
        if (!*rest) return watch(inotify, name, S_ISDIR(info.st_mode) ? entries | contents : contents) && all;
        if (snprintf(done, sizeof done, "%s/", name) >= (int)sizeof done) return false;
        memmove(left, rest, strlen(rest) + 1);
    }
}

/* Calls each for every path that the options name and every quota table in a directory. */
static void for_paths(const llim_options *o, void (*each)(void *ctx, const char *path), void *ctx)
{
    if (o->overrides) each(ctx, o->overrides);
    if (o->policy && !llim__sources_has_policy(o->policy)) each(ctx, o->policy);
    if (!o->quotas || llim__sources_has_set(o->quotas)) return;
    each(ctx, o->quotas);
    llim__sources_tables(o->quotas, each, ctx); /* none of a file */
}

typedef struct watching {
    int inotify;
    bool all;
} watching;

static void watch_each(void *ctx, const char *path)
{
    watching *w = ctx;
    w->all = watch_path(w->inotify, path) && w->all;
}

/* Watches what the paths mean now. False: events do not tell everything. */
static bool watch_all(llim_limiter *limiter)
{
    llim__watch *w = limiter->watch;
    if (w->inotify >= 0) {
        epoll_ctl(w->fd, EPOLL_CTL_DEL, w->inotify, NULL); /* a child may have it open */
        close(w->inotify);
    }
    w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct epoll_event in = {.events = EPOLLIN};
    if (w->inotify < 0 || epoll_ctl(w->fd, EPOLL_CTL_ADD, w->inotify, &in)) return false;
    watching all = {w->inotify, true};
    for_paths(&limiter->options, watch_each, &all);
    return all.all;
}

typedef struct look {
    uint64_t seen;
    int64_t newest_ns;
} look;

static void look_at(void *ctx, const char *path)
{
    look *l = ctx;
    struct stat s;
    const size_t len = strlen(path);
    if (stat(path, &s)) memset(&s, 0, sizeof s);
    const int64_t written_ns = (int64_t)s.st_mtim.tv_sec * LLIM_SECOND + s.st_mtim.tv_nsec,
                  changed_ns = (int64_t)s.st_ctim.tv_sec * LLIM_SECOND + s.st_ctim.tv_nsec;
    const uint64_t facts[] = {(uint64_t)s.st_dev,   (uint64_t)s.st_ino,   (uint64_t)s.st_size,
                              (uint64_t)written_ns, (uint64_t)changed_ns, (uint64_t)s.st_mode};
    l->seen = llim__hash((const uint64_t[2]){l->seen, len}, path, len).word[0];
    l->seen = llim__hash((const uint64_t[2]){l->seen, 0}, facts, sizeof facts).word[0];
    if (changed_ns > l->newest_ns) l->newest_ns = changed_ns;
    if (written_ns > l->newest_ns) l->newest_ns = written_ns;
}

/* Looks at the files. Whether they may have changed since the last time. */
static bool look_again(llim_limiter *limiter)
{
    llim__watch *w = limiter->watch;
    const bool told = watch_all(limiter), was_hasty = w->hasty;
    const int64_t now = now_ns(CLOCK_REALTIME);
    const uint64_t before = w->seen;
    look l = {0, 0};
    for_paths(&limiter->options, look_at, &l);
    w->seen = l.seen;
    w->hasty = l.newest_ns <= now && l.newest_ns > now - COARSE_MS * MS;
    w->burst_ns = 0;
    wake_in(w, w->hasty ? SETTLE_MS : told ? 0 : TICK_MS);
    return was_hasty || w->seen != before;
}

static void end(llim_limiter *limiter, llim__watch *w)
{
    const int fds[] = {w->timer, w->inotify, w->stop, w->fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0) close(fds[i]);
    llim__give(limiter->alloc, limiter->alloc_ctx, w, 1, sizeof *w);
    limiter->watch = NULL;
}

static int begin(llim_limiter *limiter, llim_error *err)
{
    llim__watch *w = llim__take(limiter->alloc, limiter->alloc_ctx, 1, sizeof *w);
    if (!w) return llim__fail(err, LLIM_ENOMEM, "no memory to watch files");
    limiter->watch = w;
    w->pid = getpid();
    w->inotify = -1;
    w->fd = epoll_create1(EPOLL_CLOEXEC);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    w->stop = eventfd(0, EFD_CLOEXEC);
    struct epoll_event in = {.events = EPOLLIN};
    if (w->fd < 0 || w->timer < 0 || w->stop < 0 || epoll_ctl(w->fd, EPOLL_CTL_ADD, w->timer, &in)) {
        int code = llim__fail(err, LLIM_EIO, "no descriptor to watch files by: %s", strerror(errno));
        end(limiter, w);
        return code;
    }
    at_store_rel(&limiter->wakes, (uint32_t)w->timer + 1);
    look_again(limiter);
    w->hasty = true; /* they may have changed since they were read */
    wake_in(w, SETTLE_MS);
    return LLIM_OK;
}

static void *reload_on_change(void *arg)
{
    llim_limiter *limiter = arg;
    struct pollfd fds[] = {{.fd = limiter->watch->fd, .events = POLLIN},
                           {.fd = limiter->watch->stop, .events = POLLIN}};
    while (!fds[1].revents) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return NULL;
        if (fds[0].revents) llim_watch_poll(limiter, NULL, NULL);
    }
    return NULL;
}

/* Signals are the program's. */
static bool start_thread(llim_limiter *limiter)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    limiter->watch->has_thread = pthread_create(&limiter->watch->thread, NULL, reload_on_change, limiter) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return limiter->watch->has_thread;
}

/* In a child of fork() the watch is made anew. Without descriptors there is none. */
static void take_over(llim_limiter *limiter)
{
    llim__watch *w = limiter->watch;
    if (!w || w->pid == getpid()) return;
    const bool had_thread = w->has_thread;
    at_store_rlx(&limiter->wakes, 0);
    end(limiter, w);
    if (begin(limiter, NULL) == LLIM_OK && had_thread) start_thread(limiter);
}

/* The timer is nobody else's to close before the limiter is, but for a child of fork(), whose parent's it is. */
void llim__watch_wake(llim_limiter *limiter)
{
    const uint32_t wakes = at_load_acq(&limiter->wakes);
    const struct itimerspec now = {.it_value = {0, 1}};
    if (!wakes) return;
    if (limiter->watch->pid == getpid()) {
        timerfd_settime((int)wakes - 1, 0, &now, NULL);
    } else if (pthread_mutex_trylock(&limiter->reloading) == 0) {
        take_over(limiter); /* which looks at the files soon */
        pthread_mutex_unlock(&limiter->reloading);
    }
}

void llim__watch_again(llim_limiter *limiter)
{
    take_over(limiter);
    if (limiter->watch) look_again(limiter);
}

/* Whether an event has come. */
static bool drain(int inotify)
{
    _Alignas(struct inotify_event) char events[4096];
    bool any = false;
    while (inotify >= 0 && read(inotify, events, sizeof events) > 0) any = true;
    return any;
}

static uint64_t hash_of(uint64_t hash, const char *text, size_t size)
{
    return llim__hash((const uint64_t[2]){hash, size}, text, size).word[0];
}

/* Whether a failure is another than the last one was: its message, or the texts as they are. Texts that have changed since the
   failure are read again after another look; what that finds is told unless it is the same message. */
static bool is_news(llim_limiter *limiter, const llim_error *err)
{
    const llim_options *o = &limiter->options;
    llim__sources s;
    uint64_t hash = hash_of(1, err->message, strlen(err->message));
    if (!llim__sources_read(&s, o->quotas ? o->quotas : "baseline", o->policy ? o->policy : "priority", o->overrides,
                            NULL)) {
        for (uint32_t i = 0; i < s.n_quotas; i++) hash = hash_of(hash, s.quotas[i].text, s.quotas[i].size);
        hash = hash_of(hash, s.policy.text, s.policy.size);
        if (s.overrides.text) hash = hash_of(hash, s.overrides.text, s.overrides.size);
        llim__sources_free(&s);
    }
    const uint64_t before = limiter->failed;
    limiter->failed = hash;
    return hash != before;
}

int llim_watch_poll(llim_limiter *limiter, uint32_t *generation, llim_error *err)
{
    llim_error own;
    memset(&own, 0, sizeof own);
    pthread_mutex_lock(&limiter->reloading);
    take_over(limiter);
    llim__watch *w = limiter->watch;
    const uint32_t before = limiter->set->serial;
    int code = LLIM_OK;
    uint64_t ran_out;
    if (w) {
        bool due = read(w->timer, &ran_out, sizeof ran_out) > 0;
        const int64_t now = now_ns(CLOCK_MONOTONIC);
        if (drain(w->inotify)) {
            if (!w->burst_ns) w->burst_ns = now;
            due = now - w->burst_ns >= LONGEST_BURST_MS * MS;
            if (!due) wake_in(w, SETTLE_MS);
        }
        const bool changed = due && look_again(limiter);
        if (changed || (due && llim__limiter_is_behind(limiter))) code = llim__limiter_reload(limiter, NULL, &own);
        if (code && !is_news(limiter, &own)) code = LLIM_OK;
    } else {
        code = llim__fail(&own, LLIM_EINVAL, "llim_watch_poll() comes after llim_watch_fd()");
    }
    const bool other = limiter->set->serial != before;
    const uint32_t number = at_load_rlx(&limiter->set->generation);
    pthread_mutex_unlock(&limiter->reloading);
    if (w) llim__limiter_reloaded(limiter, code, &own, other ? number : 0);
    if (generation) *generation = number;
    if (code && err) *err = own;
    return code;
}

int llim_watch_fd(llim_limiter *limiter, llim_error *err)
{
    pthread_mutex_lock(&limiter->reloading);
    take_over(limiter);
    int code = limiter->watch ? LLIM_OK : begin(limiter, err);
    int fd = code ? code : limiter->watch->fd;
    pthread_mutex_unlock(&limiter->reloading);
    return fd;
}

int llim__watch_start(llim_limiter *limiter, llim_error *err)
{
    int code = llim_watch_fd(limiter, err);
    if (code < 0) return code;
    return start_thread(limiter) ? LLIM_OK : llim__fail(err, LLIM_ENOMEM, "no thread to watch files by");
}

void llim__watch_stop(llim_limiter *limiter)
{
    llim__watch *w = limiter->watch;
    if (!w) return;
    const uint64_t one = 1;
    if (w->has_thread && w->pid == getpid() && write(w->stop, &one, sizeof one) == sizeof one)
        pthread_join(w->thread, NULL);
    end(limiter, w);
}
