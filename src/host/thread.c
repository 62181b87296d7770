/*
 * thread.c - what a thread has of a limiter: the set that it decides by, and a VM of its own.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "host/limiter.h"

/* The threads of all limiters. A thread ends when it likes, perhaps while its limiter is closed: whoever takes one off the list,
   under the lock, closes its VM, under the lock, so that nothing of the limiter is touched once it is closed. */
static pthread_mutex_t threads_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP; /* see drop() */
static llim__thread *threads;

/* The last user of a set ends its VM, and with it what the policy's test has opened and not let go: further limiters, which come
   here again. So the lock may be taken twice, and the list is another one afterwards. */
static void drop(llim__thread **at)
{
    llim__thread *thread = *at;
    *at = thread->next;
    llim__vm_close(thread->vm);
    llim__vm_close(thread->next_vm);
    llim__vm_close(thread->old_vm);
    llim__set_leave(thread->set);
    llim__set_leave(thread->old_set);
    llim__give(thread->limiter->alloc, thread->limiter->alloc_ctx, thread, 1, sizeof *thread);
}

/* The value may be that of a limiter that was closed meanwhile; then none there is this thread's. A VM in a host's Lua state stays
   until the limiter ends: the state may be another thread's by now. */
void llim__thread_ends(void *value)
{
    pthread_mutex_lock(&threads_lock);
    llim__thread **at = &threads;
    while (*at && !(*at == value && pthread_equal((*at)->thread, pthread_self()))) at = &(*at)->next;
    if (*at && !(*at)->limiter->host) drop(at);
    pthread_mutex_unlock(&threads_lock);
}

void llim__threads_end(llim_limiter *limiter)
{
    pthread_mutex_lock(&threads_lock);
    for (llim__thread **at = &threads; *at;) {
        if ((*at)->limiter != limiter) {
            at = &(*at)->next;
            continue;
        }
        drop(at);
        at = &threads;
    }
    pthread_mutex_unlock(&threads_lock);
}

static void use_set_in_force(llim__thread *mine)
{
    mine->set = mine->limiter->set;
    mine->serial = mine->set->serial;
    at_add_acqrel(&mine->set->users, 1);
}

static llim__thread *begin(llim_limiter *limiter, llim_error *err)
{
    llim__thread *mine = llim__take(limiter->alloc, limiter->alloc_ctx, 1, sizeof *mine);
    if (mine && pthread_setspecific(limiter->key, mine) == 0) {
        mine->limiter = limiter;
        mine->thread = pthread_self();
        pthread_mutex_lock(&threads_lock);
        use_set_in_force(mine);
        mine->next = threads;
        threads = mine;
        pthread_mutex_unlock(&threads_lock);
        return mine;
    }
    llim__give(limiter->alloc, limiter->alloc_ctx, mine, 1, sizeof *mine);
    llim__fail(err, LLIM_ENOMEM, "no memory for a thread's part of a limiter");
    return NULL;
}

/* The old places are empty: whoever put another set in force since the thread came to its own has emptied them. */
static void renew(llim__thread *mine)
{
    pthread_mutex_lock(&threads_lock);
    mine->old_set = mine->set;
    mine->old_vm = mine->vm;
    use_set_in_force(mine);
    mine->vm = mine->next_vm;
    mine->next_vm = NULL;
    pthread_mutex_unlock(&threads_lock);
}

llim__thread *llim__limiter_enter(llim_limiter *limiter, llim_error *err)
{
    llim__thread *mine = pthread_getspecific(limiter->key);
    if (limiter->shared && at_load_rlx(&limiter->shared->number) != at_load_rlx(&limiter->noticed))
        llim__limiter_notice(limiter);
    if (!mine) return begin(limiter, err);
    if (mine->serial != at_load_acq(&limiter->serial)) renew(mine);
    return mine;
}

uint32_t llim__threads_count(const llim_limiter *limiter, uint32_t *asking)
{
    uint32_t n = 0;
    *asking = 0;
    pthread_mutex_lock(&threads_lock);
    for (const llim__thread *t = threads; t; t = t->next) {
        if (t->limiter != limiter) continue;
        n++;
        *asking += at_load_rlx(&t->asks);
    }
    pthread_mutex_unlock(&threads_lock);
    return n;
}

static llim__vm *trade(llim__vm **a, llim__vm *b)
{
    llim__vm *was = *a;
    *a = b;
    return was;
}

bool llim__threads_renew(llim_limiter *limiter, llim__set *set, llim__handover *handovers, uint32_t n)
{
    llim__handover *h = handovers, *give = handovers;
    const bool all = set && llim__set_asks(set);
    uint32_t there = 0;
    pthread_mutex_lock(&threads_lock);
    for (llim__thread *t = threads; t; t = t->next) there += t->limiter == limiter;
    for (llim__thread *t = threads; t && there <= n; t = t->next) {
        if (t->limiter != limiter) continue;
        h->old_set = t->old_set;
        t->old_set = NULL;
        h->old_vm = trade(&t->old_vm, NULL);
        if (set) h->unused_vm = trade(&t->next_vm, all || at_load_rlx(&t->asks) ? trade(&give++->vm, NULL) : NULL);
        h++;
    }
    if (set && there <= n) {
        limiter->set = set;
        at_store_rel(&limiter->serial, set->serial);
    }
    pthread_mutex_unlock(&threads_lock);
    return there <= n;
}

llim__vm *llim__thread_vm(llim__thread *thread, llim_error *err)
{
    if (!thread->vm) llim__vm_open(&thread->set->vm_options, &thread->vm, err);
    at_store_rlx(&thread->asks, 1);
    return thread->vm;
}

static int64_t steady_now(const llim_limiter *limiter)
{
    int64_t steady;
    llim_zone_now(limiter->zone, &steady, NULL);
    return steady;
}

void llim__thread_fault(llim__thread *thread, const llim_error *fault)
{
    llim_limiter *limiter = thread->limiter;
    bool ended = !thread->vm || llim__vm_is_spent(thread->vm); /* making one costs as much as ending one */
    if (ended) {
        llim__vm_close(thread->vm);
        thread->vm = NULL;
        at_store_rlx(&limiter->rests_until, steady_now(limiter) + LLIM_SECOND);
    }
    pthread_mutex_lock(&limiter->lock);
    limiter->status.faults++;
    const bool first = limiter->faulty != thread->serial;
    limiter->faulty = thread->serial;
    limiter->status.ended += ended;
    limiter->status.fault = *fault;
    pthread_mutex_unlock(&limiter->lock);
    if (first && limiter->log) limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, fault->message);
}

bool llim__limiter_rests(llim_limiter *limiter)
{
    int64_t until = at_load_rlx(&limiter->rests_until);
    return until && steady_now(limiter) < until;
}
