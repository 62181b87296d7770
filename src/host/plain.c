/*
 * plain.c - the decision that most are: no script is asked, and a model fits. What ask.c and acquire.c do for every request comes
 * to this then; what they keep for scripts, refusals and errors costs as much as admitting does.
 */
#include "engine/admit.h"
#include "engine/notes.h"
#include "host/estimate.h"
#include "host/limiter.h"

/* The request's models, as indexes in the set's, and whether all are known. */
static bool find(const llim__set *set, const llim_request *r, const uint32_t *sizes, uint32_t *models)
{
    for (uint32_t i = 0; i < r->n_models; i++) {
        models[i] = sizes ? llim__names_find_sized(&set->names, r->models[i], sizes[i])
                          : llim__names_find(&set->names, r->models[i]);
        if (models[i] == UINT32_MAX) return false;
    }
    return true;
}

int llim__acquire_plainly(llim_limiter *limiter, const llim_request *r, const uint32_t *sizes, llim_permit *permit)
{
    uint32_t models[LLIM__MOST_MODELS];
    llim_charge charge;
    if (r->size != sizeof *r || r->n_models > LLIM__MOST_MODELS || r->n_scopes || r->n_tags) return LLIM_LATER;
    const llim__thread *thread = llim__limiter_enter(limiter, NULL);
    if (!thread || thread->set->hooks & LLIM__HOOKS_OF_REQUESTS || !find(thread->set, r, sizes, models))
        return LLIM_LATER;
    for (uint32_t i = 0; i < r->n_models; i++) {
        const llim_model_info *model = &thread->set->models[models[i]];
        if (model->blocked) continue;
        if (llim__estimate(r, limiter->modality, &charge, NULL)) return LLIM_LATER;
        llim__estimate_learned(limiter->zone, model->row, r, limiter->modality, &charge);
        llim__price_charge(&thread->set->prices[models[i]], &charge);
        if (llim__try(limiter->zone, &model->row, 1, &charge, permit)) continue;
        llim__count(limiter->zone, model->row, LLIM__ADMITTED);
        permit->candidate = i;
        permit->model = llim__permit_model(thread->set, models[i]);
        return LLIM_OK;
    }
    return LLIM_LATER;
}
