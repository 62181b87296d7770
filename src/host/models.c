/* models.c - finding models and scopes of a limiter by name. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/rows.h"
#include "host/limiter.h"

/* A spelling that was not met before: the kernel knows what it means. Kept for the next time while there is room. */
static int learn(llim_limiter *limiter, llim__set *set, const char *name, uint32_t *index, llim_error *err)
{
    const char *canonical, *nearest;
    pthread_mutex_lock(&limiter->lock);
    int code = llim__vm_resolve(set->vm, name, &canonical, err);
    *index = canonical ? llim__names_find(&set->names, canonical) : UINT32_MAX;
    if (code) {
        *index = UINT32_MAX;
    } else if (*index != UINT32_MAX) {
        const char *kept = llim__names_has_place(&set->names) ? llim__strings_keep(&set->spellings, name) : NULL;
        if (kept) llim__names_add(&set->names, kept, *index);
    } else if (canonical) {
        code = llim__fail(err, LLIM_ENO_QUOTA,
                          "model \"%s\" has no numbers in tier \"%s\"; give it some as an override", name, set->tier);
    } else if ((code = llim__vm_nearest(set->vm, name, &nearest, err)) == LLIM_OK) {
        code = llim__fail(err, LLIM_EUNKNOWN_MODEL,
                          nearest ? "unknown model \"%s\"; did you mean \"%s\"?"
                                  : "unknown model \"%s\"; no known name is near",
                          name, nearest);
    }
    pthread_mutex_unlock(&limiter->lock);
    return code;
}

int llim__limiter_find(llim_limiter *limiter, llim__set *set, const char *name, uint32_t *index, llim_error *err)
{
    *index = llim__names_find(&set->names, name);
    return *index != UINT32_MAX ? LLIM_OK : learn(limiter, set, name, index, err);
}

int llim_model(llim_limiter *limiter, const char *name, llim_model_info *info, llim_error *err)
{
    uint32_t index;
    llim__thread *thread = llim__limiter_enter(limiter, err);
    if (!thread) return LLIM_ENOMEM;
    int code = llim__limiter_find(limiter, thread->set, name, &index, err);
    if (!code) *info = thread->set->models[index];
    return code;
}

int llim_model_at(llim_limiter *limiter, uint32_t index, llim_model_info *info)
{
    llim__thread *thread = llim__limiter_enter(limiter, NULL);
    if (!thread) return LLIM_ENOMEM;
    if (index >= thread->set->n_models) return LLIM_ENOTFOUND;
    *info = thread->set->models[index];
    return LLIM_OK;
}

/* An exact name wins over its kind's "*". */
static const llim__scope_limits *limits_of(const llim__set *set, const char *scope)
{
    const llim__scope_limits *found = NULL;
    for (uint32_t i = 0; i < set->n_scopes; i++) {
        const llim__scope_limits *one = &set->scopes[i];
        size_t len = strlen(one->name);
        if (strcmp(one->name, scope) == 0) return one;
        if (one->name[len - 1] == '*' && strncmp(one->name, scope, len - 1) == 0 && scope[len - 1]) found = one;
    }
    return found;
}

/* Whether the row has these limits, in whatever order, and no others. */
static bool has_limits(llim_zone *zone, llim_row row, const llim_limit *limits, uint32_t n)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n_has = 0, found = 0;
    if (llim_row_usage(zone, row, usage, LLIM_MAX_LIMITS, &n_has) != LLIM_OK || n_has != n) return false;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n; k++) {
            const llim_limit *a = &limits[i], *b = &usage[k].limit;
            found += a->meter == b->meter && a->law == b->law && a->unit == b->unit && a->charged == b->charged &&
                     a->amount == b->amount && a->window_ns == b->window_ns && a->guard_ns == b->guard_ns &&
                     strcmp(a->zone, b->zone) == 0;
        }
    return found == n;
}

/* Whether the scope has a row to which there is nothing new to say: it has the limits that the scope brings; or those of this
   set or of a later one, or is the caller's own, whatever it has. */
static bool has_row(llim_limiter *limiter, const llim__set *set, const llim__further *scope, llim_row *row)
{
    if (llim_row_find(limiter->zone, scope->name, strlen(scope->name), row)) return false;
    if (scope->limits) return has_limits(limiter->zone, *row, scope->limits, scope->n_limits);
    const uint64_t made = at_load_acq(&limiter->scopes[row->index]);
    const bool ours = (uint32_t)made != 0 && made >> 32 == row->epoch;
    return !ours || (uint32_t)made >= set->serial;
}

static int place(llim_limiter *limiter, const llim__set *set, const llim__further *scope, llim_row *row, bool *frees,
                 llim_error *err)
{
    const size_t len = strlen(scope->name);
    const llim__scope_limits *limits = scope->limits ? NULL : limits_of(set, scope->name);
    const uint32_t n = scope->limits ? scope->n_limits : limits ? limits->n_limits : 0;
    if (n == 0) return llim__fail(err, LLIM_ENOTFOUND, "scope \"%s\" has no limits", scope->name);
    if (len > LLIM_SCOPE_MAX)
        return llim__fail(err, LLIM_EINVAL, "a scope's name has 1 to %d bytes, not %zu", LLIM_SCOPE_MAX, len);
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = scope->name,
                          .scope_len = (uint32_t)len,
                          .limits = limits ? limits->limit : scope->limits,
                          .n_limits = n,
                          .generation = at_load_rlx(&set->generation)};
    int code = llim__row_set_quietly(limiter->zone, &spec, row, frees, err);
    if (!code && limits) at_store_rel(&limiter->scopes[row->index], (uint64_t)row->epoch << 32 | set->serial);
    return code;
}

/* Who waits is told under no lock, for it takes the queue's; and not of limits that a hook brings: they may be others at each
   call, so that who waits would be woken by asking. */
int llim__limiter_scope(llim_limiter *limiter, llim__set *set, const llim__further *scope, llim_row *row,
                        llim_error *err)
{
    if (has_row(limiter, set, scope, row)) return LLIM_OK;
    pthread_mutex_lock(&limiter->lock); /* lest an older set have the last word */
    bool frees = false;
    int code = has_row(limiter, set, scope, row) ? LLIM_OK : place(limiter, set, scope, row, &frees, err);
    pthread_mutex_unlock(&limiter->lock);
    if (frees && !scope->limits) llim__rows_freed(limiter->zone);
    llim__limiter_warn_full(limiter);
    return code;
}

int llim_scope(llim_limiter *limiter, const char *scope, llim_row *row, llim_error *err)
{
    llim__thread *thread = llim__limiter_enter(limiter, err);
    const llim__further further = {.name = scope};
    return thread ? llim__limiter_scope(limiter, thread->set, &further, row, err) : LLIM_ENOMEM;
}
