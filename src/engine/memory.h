/*
 * memory.h - the bytes of a zone as this process has them, and the lock of those who write in it.
 *
 * Bytes are the process's own (the heap), or shared: of a file, or of no file but with a name within the process. Shared bytes
 * have one mapping and one descriptor per process, however often they are opened, because a POSIX record lock ends when its
 * process closes any descriptor of the file.
 *
 * The lock has two parts. Between the threads of a process it is a mutex of the process's own; between processes it is a
 * record lock on the first byte of the file (fcntl(2), F_SETLK). Nothing of it is in the bytes: a file from anywhere cannot
 * pretend to be locked, and nothing of it outlives a boot. The kernel frees a record lock when its process ends, however that
 * happens, and does not hand it down at fork(). A process that is stopped keeps it, so waiting for it is bounded.
 *
 * The second byte is locked for reading by every process that has the bytes open: who can lock it for writing is alone. The third
 * is by who copies them, under the writers' lock, for as long as that takes: who waits for him waits for longer.
 */
#ifndef LLIM_ENGINE_MEMORY_H
#define LLIM_ENGINE_MEMORY_H

#include <pthread.h>
#include <sys/types.h>

#include "base/atomic.h"
#include "llm_limiters_core.h"

/* How long a call waits for another process, and how long opening does. */
#define LLIM__PATIENCE      ((int64_t)100 * 1000000)
#define LLIM__OPEN_PATIENCE ((int64_t)20 * LLIM_SECOND)

enum { LLIM__NAME_MAX = 63 };

typedef struct llim__memory {
    char *bytes;
    uint64_t size;
    int fd;                  /* of shared bytes, else -1 */
    pthread_mutex_t placing; /* robust: a thread may end while it places */
    at_u32 forks;            /* the mutex is of the process after so many */
    at_u32 stuck;            /* somebody has waited in vain, and nobody has had the lock since */
    bool copies;             /* under the lock */
    /* Of shared bytes, under the mutex of the list: */
    struct llim__memory *next;
    uint32_t users; /* handles; named bytes stay without any */
    dev_t dev;
    ino_t ino;
    char name[LLIM__NAME_MAX + 1]; /* "": a file */
} llim__memory;

/* Fills in what belongs to the process. */
void llim__memory_init(llim__memory *memory, char *bytes, uint64_t size, int fd);

/* LLIM_OK; LLIM_EBUSY: another process has it, for longer than patience_ns; LLIM_EIO: the descriptor is not ours any more. */
int llim__memory_lock(llim__memory *memory, int64_t patience_ns);
void llim__memory_unlock(llim__memory *memory);

/* Under the lock: whether no other process has the bytes open, and from then on that this one has. */
bool llim__memory_alone(llim__memory *memory);
void llim__memory_share(llim__memory *memory);

/* Under the lock: that this process copies the bytes, until it is not under it any more. */
void llim__memory_copies(llim__memory *memory);
/* Whether another does. */
bool llim__memory_is_copied(const llim__memory *memory);

/* The list of shared bytes, in which one thread at a time opens or closes. */
void llim__memory_list_lock(void);
void llim__memory_list_unlock(void);
/* Under its mutex. The bytes of that name, or of that file, with one user more; NULL: not open in this process. */
llim__memory *llim__memory_named(const char *name);
llim__memory *llim__memory_of_file(dev_t dev, ino_t ino);
/* Maps what fd is of, and adds it to the list, with one user. name "": a file. Owns fd from then on. LLIM_ENOMEM, and fd is
   the caller's. */
int llim__memory_map(int fd, uint64_t size, const char *name, llim__memory **memory, llim_error *err);
/* One user less; the last of a file ends the mapping. gone: even if it has a name. */
void llim__memory_leave(llim__memory *memory, bool gone);

#endif
