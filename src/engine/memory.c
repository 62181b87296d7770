/* memory.c - see memory.h. */
#include "engine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

/* Pauses between two tries, and how long who finds that others have waited in vain tries himself. */
enum { FIRST_PAUSE = 50000, MOST_PAUSE = 1000000, LITTLE_PATIENCE = 2000000 };
/* The bytes of the file that are locked. */
enum { WRITER, PRESENCE, COPIER };

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static llim__memory *list;
static at_u32 forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the child there is one thread, and what another held it never unlocks. The list is whole at any instant: a store links
   an entry or takes it out. */
static void forked(void)
{
    pthread_mutex_init(&list_mutex, NULL);
    at_add_rlx(&forks, 1);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

static void make_mutex(llim__memory *m)
{
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m->placing, &robust);
    pthread_mutexattr_destroy(&robust);
}

void llim__memory_init(llim__memory *memory, char *bytes, uint64_t size, int fd)
{
    pthread_once(&once, watch_forks);
    memset(memory, 0, sizeof *memory);
    memory->bytes = bytes;
    memory->size = size;
    memory->fd = fd;
    make_mutex(memory);
    at_store_rel(&memory->forks, at_load_rlx(&forks));
}

static bool set_record(const llim__memory *m, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(m->fd, F_SETLK, &lock) == 0;
}

/* What the parent's threads held is not the child's, and it is present by itself. */
static void come_of_fork(llim__memory *m)
{
    const uint32_t now = at_load_rlx(&forks);
    if (at_load_acq(&m->forks) == now) return;
    llim__memory_list_lock();
    if (at_load_acq(&m->forks) != now) {
        make_mutex(m);
        if (m->fd >= 0) llim__memory_share(m);
        at_store_rel(&m->forks, now);
    }
    llim__memory_list_unlock();
}

/* A process that closes descriptors wholesale may have closed ours, and its number be another file's by now. */
static bool is_ours(const llim__memory *m)
{
    struct stat st;
    return fstat(m->fd, &st) == 0 && st.st_dev == m->dev && st.st_ino == m->ino;
}

static int take_record(const llim__memory *m)
{
    if (!is_ours(m)) return LLIM_EIO;
    if (set_record(m, F_WRLCK, WRITER)) return LLIM_OK;
    return errno == EACCES || errno == EAGAIN ? LLIM_EBUSY : LLIM_EIO;
}

/* Who waits does so without the mutex, so that many threads wait no longer than one. */
int llim__memory_lock(llim__memory *memory, int64_t patience_ns)
{
    struct timespec pause = {0, FIRST_PAUSE};
    int64_t until = 0;
    come_of_fork(memory);
    for (;;) {
        if (pthread_mutex_lock(&memory->placing) == EOWNERDEAD) pthread_mutex_consistent(&memory->placing);
        if (memory->fd < 0) return LLIM_OK;
        const int code = take_record(memory);
        if (code == LLIM_OK) {
            at_store_rlx(&memory->stuck, 0);
            return LLIM_OK;
        }
        pthread_mutex_unlock(&memory->placing);
        const int64_t now = llim__clock_read(CLOCK_MONOTONIC);
        if (until == 0) until = now + (at_load_rlx(&memory->stuck) ? LITTLE_PATIENCE : patience_ns);
        if (code != LLIM_EBUSY) return code;
        if (now >= until) {
            at_store_rlx(&memory->stuck, 1);
            return LLIM_EBUSY;
        }
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < MOST_PAUSE) pause.tv_nsec *= 2;
    }
}

void llim__memory_unlock(llim__memory *memory)
{
    if (memory->fd >= 0) set_record(memory, F_UNLCK, WRITER);
    if (memory->copies) set_record(memory, F_UNLCK, COPIER);
    memory->copies = false;
    pthread_mutex_unlock(&memory->placing);
}

bool llim__memory_alone(llim__memory *memory)
{
    return set_record(memory, F_WRLCK, PRESENCE);
}

void llim__memory_share(llim__memory *memory)
{
    set_record(memory, F_RDLCK, PRESENCE);
}

void llim__memory_copies(llim__memory *memory)
{
    memory->copies = set_record(memory, F_WRLCK, COPIER);
}

bool llim__memory_is_copied(const llim__memory *memory)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = COPIER, .l_len = 1};
    return memory->fd >= 0 && fcntl(memory->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void llim__memory_list_lock(void)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&list_mutex);
}

void llim__memory_list_unlock(void)
{
    pthread_mutex_unlock(&list_mutex);
}

llim__memory *llim__memory_named(const char *name)
{
    for (llim__memory *m = list; m; m = m->next) {
        if (strcmp(m->name, name) != 0) continue;
        m->users++;
        return m;
    }
    return NULL;
}

llim__memory *llim__memory_of_file(dev_t dev, ino_t ino)
{
    for (llim__memory *m = list; m; m = m->next) {
        if (m->name[0] || m->dev != dev || m->ino != ino) continue;
        m->users++;
        return m;
    }
    return NULL;
}

int llim__memory_map(int fd, uint64_t size, const char *name, llim__memory **memory, llim_error *err)
{
    struct stat st;
    llim__memory *m = malloc(sizeof *m);
    char *bytes = m && fstat(fd, &st) == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (bytes == MAP_FAILED) {
        free(m);
        return llim__fail(err, LLIM_ENOMEM, "no memory to map a zone of %llu bytes", (unsigned long long)size);
    }
    llim__memory_init(m, bytes, size, fd);
    m->dev = st.st_dev;
    m->ino = st.st_ino;
    m->users = 1;
    strncpy(m->name, name, LLIM__NAME_MAX);
    m->next = list;
    list = m;
    *memory = m;
    return LLIM_OK;
}

void llim__memory_leave(llim__memory *memory, bool gone)
{
    if (--memory->users > 0 || (memory->name[0] && !gone)) return;
    llim__memory **at = &list;
    while (*at != memory) at = &(*at)->next;
    *at = memory->next;
    munmap(memory->bytes, memory->size);
    if (is_ours(memory)) close(memory->fd);
    pthread_mutex_destroy(&memory->placing);
    free(memory);
}
