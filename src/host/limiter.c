/*
 * limiter.c - opens and closes a limiter: a set, and a zone full of its rows.
 */
#include "host/limiter.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "engine/open.h"

/* UINT32_MAX is more than a zone may have, so that opening it refuses. */
static uint32_t to_u32(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* What the set needs comes on top of the caller's figures; where there are none, twice: a reload may put as many others in the
   place of all models. */
static int open_zone(llim_limiter *limiter, const llim_options *o, llim_error *err)
{
    llim_zone_options zone = o->zone;
    const llim__need need = llim__set_need(limiter->set, o->scopes);
    const llim__capacity extra = {.rows = to_u32(need.rows * (zone.rows ? 1 : 2)),
                                  .sliding = to_u32(need.sliding * (zone.sliding ? 1 : 2)),
                                  .notes = limiter->set->n_models * (zone.notes ? 1 : 2)};
    zone.size = sizeof zone;
    zone.alloc = limiter->alloc;
    zone.alloc_ctx = limiter->alloc_ctx;
    return llim__zone_open(&zone, &extra, &limiter->zone, err);
}

/* Limiters of one modality and account follow one another. */
static uint64_t kind_of(const llim__set *set)
{
    const uint64_t fixed[2] = {1, 2}; /* the same in every process */
    char text[LLIM_SCOPE_MAX];
    int n = snprintf(text, sizeof text, "%s/%s", set->vm_options.modality, set->vm_options.account);
    return llim__hash(fixed, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1).word[0] | 1;
}

static int fill(llim_limiter *limiter, const llim_options *o, const llim__texts *texts, llim_error *err)
{
    uint64_t seed = o->seed;
    if (seed == 0 && getrandom(&seed, sizeof seed, 0) < 0) seed = 1;
    at_store_rlx(&limiter->random, seed);
    int code = llim__set_open(o, texts, NULL, &limiter->strings, limiter->alloc, limiter->alloc_ctx, limiter->host,
                              &limiter->set, err);
    if (!code) code = open_zone(limiter, o, err);
    if (code) return code;
    llim_zone_stats stats;
    llim_zone_get_stats(limiter->zone, &stats);
    limiter->n_scopes = stats.rows + 1;
    limiter->scopes = llim__take(limiter->alloc, limiter->alloc_ctx, limiter->n_scopes, sizeof *limiter->scopes);
    if (!limiter->scopes) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter of %u scopes", stats.rows);
    code = llim__generation_of(limiter->zone, kind_of(limiter->set), &limiter->shared, err);
    if (code) return code;
    limiter->set->serial = 1;
    at_store_rlx(&limiter->serial, 1);
    at_store_rlx(&limiter->set->generation, llim__limiter_number(limiter, limiter->set));
    code = llim__set_enforce(limiter->set, limiter->zone, err);
    if (!code) code = llim__options_keep(limiter, o, err);
    if (!code) llim__limiter_publish(limiter, limiter->set);
    limiter->status.generation = at_load_rlx(&limiter->set->generation);
    limiter->status.hash = limiter->set->hash;
    if (!code) llim__limiter_warn(limiter, limiter->set->unpriced);
    if (!code && !limiter->shared && limiter->log)
        limiter->log(limiter->log_ctx, LLIM_LOG_WARNING,
                     "the zone knows 64 kinds of limiters already, by modality and account: reloads of other processes "
                     "are not followed, nor do they follow this one's");
    return !code && o->watch ? llim__watch_start(limiter, err) : code;
}

void llim__limiter_warn(const llim_limiter *limiter, const char *unpriced)
{
    char text[LLIM_SCOPE_MAX + 128];
    if (!limiter->log || !unpriced) return;
    snprintf(text, sizeof text, "cost is limited, but model \"%s\" has no price, so that it costs nothing", unpriced);
    limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, text);
}

int llim__options_check(const llim_options *o, llim_error *err)
{
    if (o->size != sizeof *o)
        return llim__fail(err, LLIM_EVERSION, "llim_options.size is %u, this library expects %zu", o->size, sizeof *o);
    if (o->zone.size != 0 && o->zone.size != sizeof o->zone)
        return llim__fail(err, LLIM_EVERSION, "llim_options.zone.size is %u, this library expects 0 or %zu",
                          o->zone.size, sizeof o->zone);
    if (o->modality < LLIM_TEXT || o->modality > LLIM_LIVE)
        return llim__fail(err, LLIM_EINVAL, "modality is %d, expected LLIM_TEXT, LLIM_IMAGE, LLIM_AUDIO or LLIM_LIVE",
                          o->modality);
    if (o->guard_ns < LLIM_NO_GUARD)
        return llim__fail(err, LLIM_ERANGE, "guard_ns is %lld, expected 0 or more, or LLIM_NO_GUARD",
                          (long long)o->guard_ns);
    if (o->overrides && o->overrides_text)
        return llim__fail(err, LLIM_EINVAL,
                          "overrides and overrides_text take the place of each other; one is expected");
    if (o->load.instructions < 0 || o->load.bytes < 0 || o->hook.instructions < 0 || o->hook.bytes < 0)
        return llim__fail(err, LLIM_ERANGE, "the bounds of scripts are numbers from 0");
    return LLIM_OK;
}

int llim__options_keep(llim_limiter *limiter, const llim_options *options, llim_error *err)
{
    llim_options o = *options;
    const char **const strings[] = {&o.tier, &o.quotas, &o.overrides, &o.overrides_text, &o.policy, &o.account};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        if (!*strings[i]) continue;
        *strings[i] = llim__strings_keep(&limiter->strings, *strings[i]);
        if (!*strings[i]) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter's options");
    }
    limiter->options = o;
    return LLIM_OK;
}

int llim__limiter_open(const llim_options *options, const llim__texts *texts, struct lua_State *host,
                       llim_limiter **out, llim_error *err)
{
    llim_options o = {.size = sizeof o};
    *out = NULL;
    if (options) {
        int wrong = llim__options_check(options, err);
        if (wrong) return wrong;
        o = *options;
    }
    llim_alloc_fn alloc = o.zone.alloc ? o.zone.alloc : llim__libc_alloc;
    llim_limiter *limiter = alloc(o.zone.alloc_ctx, NULL, 0, sizeof *limiter);
    if (!limiter) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    memset(limiter, 0, sizeof *limiter);
    limiter->alloc = limiter->strings.alloc = alloc;
    limiter->alloc_ctx = limiter->strings.alloc_ctx = o.zone.alloc_ctx;
    limiter->host = host;
    limiter->log = o.log;
    limiter->log_ctx = o.log_ctx;
    limiter->modality = o.modality;
    if (pthread_key_create(&limiter->key, llim__thread_ends)) {
        alloc(o.zone.alloc_ctx, limiter, sizeof *limiter, 0);
        return llim__fail(err, LLIM_ENOMEM, "no thread-specific key is left in this process");
    }
    pthread_mutex_init(&limiter->lock, NULL);
    pthread_mutex_init(&limiter->reloading, NULL);
    llim__shadows_init(limiter);
    llim__queue_init(limiter, o.zone.clock == LLIM_CLOCK_VIRTUAL);
    int code = fill(limiter, &o, texts, err);
    if (code)
        llim_close(limiter);
    else
        *out = limiter;
    return code;
}

int llim_open(const llim_options *options, llim_limiter **limiter, llim_error *err)
{
    return llim__limiter_open(options, NULL, NULL, limiter, err);
}

void llim_close(llim_limiter *limiter)
{
    if (!limiter) return;
    llim__watch_stop(limiter);
    llim__shadows_end(limiter);
    pthread_key_delete(limiter->key);
    llim__threads_end(limiter);
    llim_zone_close(limiter->zone);
    llim__set_leave(limiter->set);
    llim__give(limiter->alloc, limiter->alloc_ctx, limiter->scopes, limiter->n_scopes, sizeof *limiter->scopes);
    llim__strings_free(&limiter->strings);
    pthread_mutex_destroy(&limiter->reloading);
    pthread_mutex_destroy(&limiter->lock);
    llim__queue_destroy(limiter);
    limiter->alloc(limiter->alloc_ctx, limiter, sizeof *limiter, 0);
}

int llim_get_status(llim_limiter *limiter, llim_status *status)
{
    if (status->size != sizeof *status) return LLIM_EVERSION;
    pthread_mutex_lock(&limiter->lock);
    *status = limiter->status;
    pthread_mutex_unlock(&limiter->lock);
    status->zone_generation = limiter->shared ? at_load_acq(&limiter->shared->number) : 0;
    status->size = sizeof *status;
    return LLIM_OK;
}

llim_zone *llim_limiter_zone(llim_limiter *limiter)
{
    return limiter->zone;
}
