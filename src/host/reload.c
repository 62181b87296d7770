/*
 * reload.c - puts another set in force while threads decide.
 *
 * A set is loaded and judged beside the one in force; then the zone gets its limits, all or none, each keeping its counts; then
 * one number changes, by which threads notice. Whoever still decides by the old set until then meets the limits of the rows, so
 * no order of these steps admits more than the limits that a row has. Whatever takes long (making VMs, ending what threads have
 * left) happens here, in the thread that reloads.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "host/limiter.h"

enum { MORE_THREADS = 64 }; /* that may come while their VMs are made */

/* Those that cannot be made are left to the threads. */
static void make_vms(const llim__set *set, llim__handover *handovers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (llim__vm_open(&set->vm_options, &handovers[i].vm, NULL)) return;
}

typedef struct handovers {
    llim__handover *list;
    uint32_t n;
} handovers;

/* Places for all threads and some more, with VMs of the set for those that ask. */
static int prepare(llim_limiter *limiter, const llim__set *set, handovers *out, llim_error *err)
{
    uint32_t asking;
    const uint32_t threads = llim__threads_count(limiter, &asking), n = 2 * threads + MORE_THREADS;
    *out = (handovers){llim__take(limiter->alloc, limiter->alloc_ctx, n, sizeof *out->list), 0};
    if (!out->list) return llim__fail(err, LLIM_ENOMEM, "no memory for the threads of a limiter");
    out->n = n;
    if (set) make_vms(set, out->list, llim__set_asks(set) ? threads : asking);
    return LLIM_OK;
}

static void end(llim_limiter *limiter, handovers *h)
{
    for (llim__handover *one = h->list; one < h->list + h->n; one++) {
        llim__vm_close(one->vm);
        llim__vm_close(one->unused_vm);
        llim__vm_close(one->old_vm);
        llim__set_leave(one->old_set);
    }
    llim__give(limiter->alloc, limiter->alloc_ctx, h->list, h->n, sizeof *h->list);
}

/* Puts the set in force, unless it is NULL, and ends what threads have left. Where twice as many have come meanwhile, and no memory
   is left for them, it waits until some is, or they have gone. */
static void hand_over(llim_limiter *limiter, llim__set *set, handovers *h)
{
    while (!llim__threads_renew(limiter, set, h->list, h->n)) {
        handovers more;
        if (prepare(limiter, set, &more, NULL)) {
            sched_yield();
            continue;
        }
        end(limiter, h);
        *h = more;
    }
    end(limiter, h);
}

/* Whatever may fail comes before the zone changes, and the zone changes as a whole. */
static int replace(llim_limiter *limiter, llim__set *set, const llim_options *options, llim_error *err)
{
    llim__set *before = limiter->set;
    const llim_options kept = limiter->options;
    handovers h = {NULL, 0};
    set->serial = before->serial + 1;
    at_store_rlx(&set->generation, llim__limiter_number(limiter, set));
    int code = llim__options_keep(limiter, options, err);
    if (!code) code = prepare(limiter, set, &h, err);
    if (!code) code = llim__set_enforce(set, limiter->zone, err);
    if (code) {
        limiter->options = kept;
        end(limiter, &h);
        llim__set_leave(set);
        return code;
    }
    llim__limiter_publish(limiter, set);
    llim__set_follow(set, before, limiter->zone);
    hand_over(limiter, set, &h);
    at_store_rlx(&limiter->rests_until, 0);
    llim__set_release(set, before, limiter->zone);
    llim__set_leave(before);
    llim__queue_renew(limiter);
    return LLIM_OK;
}

/* The texts are those in force. */
static int keep(llim_limiter *limiter, const llim_options *options, llim_error *err)
{
    handovers h = {NULL, 0};
    int code = llim__options_keep(limiter, options, err);
    if (!code) code = prepare(limiter, NULL, &h, err);
    if (!code) hand_over(limiter, NULL, &h);
    if (!code) llim__limiter_publish(limiter, limiter->set);
    return code;
}

int llim__limiter_reload(llim_limiter *limiter, const llim_options *options, llim_error *err)
{
    llim__set *set;
    if (!options) options = &limiter->options;
    int code = llim__set_open(options, NULL, limiter->set, &limiter->strings, limiter->alloc, limiter->alloc_ctx,
                              limiter->host, &set, err);
    if (!code && set)
        code = replace(limiter, set, options, err);
    else if (!code)
        code = keep(limiter, options, err);
    if (!code) limiter->failed = 0;
    if (code && limiter->shared)
        limiter->compared = at_load_acq(&limiter->shared->number); /* with files that are no good */
    pthread_mutex_lock(&limiter->lock);
    llim_status *s = &limiter->status;
    s->reloads += !code && set;
    if (!code) {
        s->generation = at_load_rlx(&limiter->set->generation);
        s->hash = limiter->set->hash;
    }
    pthread_mutex_unlock(&limiter->lock);
    return code;
}

void llim__limiter_reloaded(llim_limiter *limiter, int code, const llim_error *err, uint32_t generation)
{
    if (code) {
        pthread_mutex_lock(&limiter->lock);
        limiter->status.failed_reloads++;
        limiter->status.reload_fault = *err;
        pthread_mutex_unlock(&limiter->lock);
    }
    if (!limiter->log || (!code && !generation)) return;
    char text[sizeof err->message + 64];
    if (code)
        snprintf(text, sizeof text, "generation %u stays in force: %s", (unsigned)limiter->status.generation,
                 err->message);
    else
        snprintf(text, sizeof text, "generation %u is in force", (unsigned)generation);
    limiter->log(limiter->log_ctx, code ? LLIM_LOG_WARNING : LLIM_LOG_INFO, text);
}

int llim_reload(llim_limiter *limiter, const llim_options *options, uint32_t *generation, llim_error *err)
{
    if (options) {
        int wrong = llim__options_check(options, err);
        if (wrong) return wrong;
        if (options->modality != limiter->modality)
            return llim__fail(err, LLIM_EINVAL, "modality is %d, but a limiter keeps the one it was opened with, %d",
                              options->modality, limiter->modality);
    }
    llim_error own;
    memset(&own, 0, sizeof own);
    pthread_mutex_lock(&limiter->reloading);
    const uint32_t before = limiter->set->serial;
    int code = llim__limiter_reload(limiter, options, &own);
    const bool changed = limiter->set->serial != before;
    const uint32_t number = at_load_rlx(&limiter->set->generation);
    const char *unpriced = changed ? limiter->set->unpriced : NULL;
    if (!code && options) llim__watch_again(limiter);
    pthread_mutex_unlock(&limiter->reloading);
    llim__limiter_reloaded(limiter, code, &own, changed ? number : 0);
    llim__limiter_warn(limiter, unpriced);
    if (generation) *generation = number;
    if (code && err) *err = own;
    return code;
}
