/* models.c - finding models and scopes of a limiter by name. */
#include <string.h>

#include "base/error.h"
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
        llim__names_add(&set->names, name, *index);
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

int llim_scope(llim_limiter *limiter, const char *scope, llim_row *row, llim_error *err)
{
    size_t len = strlen(scope);
    if (llim_row_find(limiter->zone, scope, len, row) == LLIM_OK) return LLIM_OK;
    llim__thread *thread = llim__limiter_enter(limiter, err);
    if (!thread) return LLIM_ENOMEM;
    const llim__scope_limits *limits = limits_of(thread->set, scope);
    if (!limits || limits->n_limits == 0) return llim__fail(err, LLIM_ENOTFOUND, "scope \"%s\" has no limits", scope);
    if (len > LLIM_SCOPE_MAX)
        return llim__fail(err, LLIM_EINVAL, "a scope's name has 1 to %d bytes, not %zu", LLIM_SCOPE_MAX, len);
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = scope,
                          .scope_len = (uint32_t)len,
                          .limits = limits->limit,
                          .n_limits = limits->n_limits,
                          .generation = thread->set->generation};
    return llim_row_set(limiter->zone, &spec, row, err);
}
