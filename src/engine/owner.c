/* owner.c - see owner.h. */
#include "engine/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

enum { PID_BITS = 22, HASH_BITS = LLIM__OWNER_BITS - PID_BITS }; /* PID_MAX_LIMIT of Linux is 2^22 */

#define PID_MASK (((uint64_t)1 << PID_BITS) - 1)

typedef struct process {
    bool told;  /* the rest is known */
    bool ended; /* but its parent has not asked for it yet */
    bool stopped;
    unsigned long long start; /* in clock ticks since boot */
} process;

/* proc(5): the fields behind the name, which may hold anything, of which the state is the third of all. */
static process look_at(pid_t pid)
{
    char path[32], text[1024];
    process p = {.told = false};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return p;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return p;
    text[n] = 0;
    const char *behind = strrchr(text, ')');
    char state;
    long threads;
    if (!behind || sscanf(behind, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
                          &state, &threads, &p.start) != 3)
        return p;
    p.told = true;
    p.ended = (state == 'Z' || state == 'X') && threads <= 1; /* else its first thread has ended before others */
    p.stopped = state == 'T' || state == 't';
    return p;
}

/* Hashes are odd: 0 is that of a process that could not find out when it started. */
static uint64_t owner_of(pid_t pid, unsigned long long start)
{
    static const uint64_t no_secret[2] = {0, 0};
    const uint64_t hash = llim__hash(no_secret, &start, sizeof start).word[0] >> (64 - HASH_BITS) | 1;
    return hash << PID_BITS | (uint64_t)pid;
}

uint64_t llim__owner_namespace(void)
{
    struct stat st;
    char self[16] = "";
    if (readlink("/proc/self", self, sizeof self - 1) < 0 || strtol(self, NULL, 10) != (long)getpid()) return 0;
    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Found out once in a process, and again in its child, whose id differs. */
uint64_t llim__owner_self(const llim_zone *zone)
{
    static at_u64 kept, kept_namespace;
    const uint64_t namespace = at_load_rlx(&zone->header->pid_namespace);
    if (!namespace) return 0;
    const pid_t pid = getpid();
    uint64_t self = at_load_acq(&kept);
    if ((self & PID_MASK) != (uint64_t)pid) {
        const process p = look_at(pid);
        self = p.told ? owner_of(pid, p.start) : (uint64_t)pid;
        at_store_rlx(&kept_namespace, llim__owner_namespace());
        at_store_rel(&kept, self);
    }
    return at_load_rlx(&kept_namespace) == namespace ? self : 0;
}

static enum llim__life life_of(uint64_t owner)
{
    const pid_t pid = (pid_t)(owner & PID_MASK);
    if (pid == 0) return LLIM__ACTS;
    if (kill(pid, 0) != 0 && errno == ESRCH) return LLIM__DEAD;
    const process p = look_at(pid);
    if (!p.told) return LLIM__ACTS; /* it is hidden from us, or is ending just now */
    if (p.ended || (owner >> PID_BITS && owner_of(pid, p.start) != owner)) return LLIM__DEAD;
    return p.stopped ? LLIM__STOPPED : LLIM__ACTS;
}

enum llim__life llim__owner_life(const llim_zone *zone, llim__owners *known, uint64_t owner)
{
    const uint64_t self = llim__owner_self(zone);
    if (owner == 0 || self == 0 || owner == self) return LLIM__ACTS;
    for (uint32_t i = 0; i < known->n && i < 16; i++)
        if (known->owner[i] == owner) return known->life[i];
    const enum llim__life life = life_of(owner);
    known->owner[known->n % 16] = owner;
    known->life[known->n % 16] = life;
    known->n++;
    return life;
}
