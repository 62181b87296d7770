/*
 * limiter.h - what a limiter consists of, for the files of this room.
 */
#ifndef LLIM_HOST_LIMITER_H
#define LLIM_HOST_LIMITER_H

#include <pthread.h>

#include "engine/generation.h"
#include "engine/rows.h"
#include "host/set.h"
#include "host/shadow.h"
#include "host/wait.h"
#include "policy/hooks.h"

typedef struct llim__watch llim__watch;

/* What belongs to the thread in whose key it stands. */
typedef struct llim__thread {
    struct llim__thread *next;
    struct llim_limiter *limiter;
    pthread_t thread;
    uint32_t serial; /* of the set */
    llim__set *set;  /* that it decides by, and uses */
    llim__vm *vm;    /* of this set, made when the first hook is asked; or NULL */
    at_u32 asks;     /* whether one ever was */

    /* Between this thread and whoever reloads, under the lock of all threads. Neither ends a VM inside a decision. */
    llim__vm *next_vm;  /* of the set in force, for when the thread comes to it; or NULL */
    llim__set *old_set; /* that the thread has left, with the VM that it had there */
    llim__vm *old_vm;
} llim__thread;

struct llim_limiter {
    llim_zone *zone;
    llim__set *set;           /* in force: written by whoever reloads, under the lock of all threads */
    at_u32 serial;            /* its own, by which threads notice */
    llim__generation *shared; /* of its kind in the zone; NULL: the zone has no place for more kinds */
    at_u32 noticed;           /* the number there that was met last */
    at_u32 wakes;             /* the watch's timer + 1, by which whoever meets another number wakes it; 0: none */
    at_u64 random;
    at_u64 *scopes; /* by row, what llim_scope() made: the row's epoch << 32 | serial; 0: not by it */
    uint32_t n_scopes;
    at_u32 warned_full[LLIM__PARTS]; /* 1: the log was told that this part of the zone is nearly full */

    llim_alloc_fn alloc;
    void *alloc_ctx;
    struct lua_State *host; /* or NULL */
    void (*log)(void *ctx, int level, const char *message);
    void *log_ctx;
    int32_t modality; /* enum llim_modality */

    pthread_mutex_t lock; /* of each set's VM and learned names, and of status */
    pthread_key_t key;    /* this thread's llim__thread */
    llim_status status;   /* under the lock; the faults are counted here */
    uint32_t faulty;      /* likewise: the last set of which one was logged, by its serial */
    at_i64 rests_until;   /* zone time: no hook is asked before */
    llim__queue queue;
    llim__shadows shadows;

    pthread_mutex_t reloading; /* one at a time; what follows is under it */
    llim_options options;      /* of the set in force, their strings kept */
    llim__strings strings;
    llim__watch *watch; /* or NULL */
    uint32_t compared;  /* the last number of others that was compared with the files */
    uint64_t failed; /* what the last failure was that the watch told: a hash of its message and texts; 0: none since */
};

/* llim_open(), with texts in the place of files unless that is NULL. host, which a native module of a Lua host gives and the
   library does not: a thread of the host's Lua state that nobody else uses, in whose state the VMs are made. Then one thread at a
   time may be inside the limiter, and only while the state is its own. */
int llim__limiter_open(const llim_options *options, const llim__texts *texts, struct lua_State *host,
                       llim_limiter **limiter, llim_error *err);

/* llim_acquire() without the shadow. *chance is what the policy reads as random; negative: it draws, and *chance tells it. */
int llim__decide(llim_limiter *limiter, const llim_request *request, double *chance, llim_permit *permit,
                 llim_refusal *refusal, llim_error *err);

/* llim_acquire() of a request that asks again if it is refused: *serial is 0 at first, and the caller's to keep. NULL: it does
   not, or nobody knows that it is the same. */
int llim__acquire(llim_limiter *limiter, const llim_request *request, uint64_t *serial, llim_permit *permit,
                  llim_refusal *refusal, llim_error *err);

/* The same for a request whose models are all met before, without tags and scopes, where the policy has no hook to be asked: runs
   no script, and tells the shadow nothing. *permit is filled and LLIM_OK, or nothing has happened and llim_acquire() is to be asked. sizes: of the models' names, which may hold
   zero bytes; NULL: these end them. */
int llim__acquire_plainly(llim_limiter *limiter, const llim_request *request, const uint32_t *sizes,
                          llim_permit *permit);

/* Logs what is not wrong with a set, but hardly meant: its unpriced model, if there is one. Under no lock. */
void llim__limiter_warn(const llim_limiter *limiter, const char *unpriced);

/* Log that the zone is nearly full: of each part once, and again only after it was well below; of leases, where some were just
   taken, once. Under no lock. */
void llim__limiter_warn_full(llim_limiter *limiter);
void llim__limiter_warn_leases(llim_limiter *limiter);

/* What every call begins with: this thread, with the set that is in force. The set stays until the thread's next call. NULL: no
   memory. One atomic load unless another set is in force since the last call. */
llim__thread *llim__limiter_enter(llim_limiter *limiter, llim_error *err);

/* This thread's VM, made at first use; NULL if that fails. */
llim__vm *llim__thread_vm(llim__thread *thread, llim_error *err);

/* Another number is in force in the zone than was met last: whoever watches files is to look. */
void llim__limiter_notice(llim_limiter *limiter);

/* Under limiter->reloading: the number that the set is to have, and its entry into force once the zone has its limits. */
uint32_t llim__limiter_number(const llim_limiter *limiter, const llim__set *set);
void llim__limiter_publish(llim_limiter *limiter, llim__set *set);

/* Under limiter->reloading: whether others have put something in force that was not compared with the files yet. */
bool llim__limiter_is_behind(const llim_limiter *limiter);

/* For limiter.c: the end of a thread, by its key's value, and of all threads of a limiter that is closed. */
void llim__thread_ends(void *value);
void llim__threads_end(llim_limiter *limiter);

/* For reload.c. What there is to end for one thread, and a VM to give. */
typedef struct llim__handover {
    llim__vm *vm; /* in: for the first thread that asks scripts; out: not given, or NULL */
    llim__vm *unused_vm;
    llim__vm *old_vm;
    llim__set *old_set;
} llim__handover;

/* Of all threads, and of those that ask scripts. */
uint32_t llim__threads_count(const llim_limiter *limiter, uint32_t *asking);

/* Puts a set in force, unless it is NULL, and takes what the threads have left behind. False: there are more than n threads by
   now, and nothing has happened. Under limiter->reloading. */
bool llim__threads_renew(llim_limiter *limiter, llim__set *set, llim__handover *handovers, uint32_t n);

/* llim_reload() for who has limiter->reloading, but for what llim__limiter_reloaded() does with *err, which is cleared before and
   not NULL. */
int llim__limiter_reload(llim_limiter *limiter, const llim_options *options, llim_error *err);

/* Counts a failure, and tells the log of what came of it, under no lock. generation: the one that is new, or 0. */
void llim__limiter_reloaded(llim_limiter *limiter, int code, const llim_error *err, uint32_t generation);

/* Whether the options are good but for the zone's part. */
int llim__options_check(const llim_options *options, llim_error *err);

/* Makes them limiter->options, with strings that last. */
int llim__options_keep(llim_limiter *limiter, const llim_options *options, llim_error *err);

/* For limiter.c: a thread that reloads when files change, and the end of all watching. */
int llim__watch_start(llim_limiter *limiter, llim_error *err);
void llim__watch_stop(llim_limiter *limiter);

/* Whoever watches is to call llim_watch_poll(). Any thread; nobody may watch. */
void llim__watch_wake(llim_limiter *limiter);

/* Under limiter->reloading: other paths than before are in force. */
void llim__watch_again(llim_limiter *limiter);

/* A hook failed: counts it, logs the first of a generation, and closes this thread's VM if the hook used more than it may. */
void llim__thread_fault(llim__thread *thread, const llim_error *fault);

/* Whether hooks are not asked now, because one has just used more than it may: making a VM costs more than many decisions. */
bool llim__limiter_rests(llim_limiter *limiter);

/* A model by any of its names: its index in the set's models. LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA. */
int llim__limiter_find(llim_limiter *limiter, llim__set *set, const char *name, uint32_t *index, llim_error *err);

/* The row of a scope with the limits that it brings, or those that the overrides give it: LLIM_ENOTFOUND if they give none.
   LLIM_EFULL, LLIM_EINVAL, LLIM_ETIMEZONE. */
int llim__limiter_scope(llim_limiter *limiter, llim__set *set, const llim__further *scope, llim_row *row,
                        llim_error *err);

#endif
