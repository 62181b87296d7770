/*
 * acquire.c - a request along a list of models: estimate, order, and the first that the engine admits.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "host/estimate.h"
#include "host/limiter.h"

enum { MOST_MODELS = 64 };

/* The policy's order, or the caller's if there is none or it fails. */
static uint32_t route(llim__thread *thread, const llim_charge *charge, const uint32_t *models, uint32_t n,
                      uint32_t *order)
{
    llim_limiter *limiter = thread->limiter;
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    if (!thread->set->routes || llim__limiter_rests(limiter)) return n;
    llim__candidate candidates[MOST_MODELS];
    for (uint32_t i = 0; i < n; i++) {
        const llim_model_info *info = &thread->set->models[models[i]];
        int64_t left = 0;
        llim_cooling(limiter->zone, info->row, &left);
        candidates[i] = (llim__candidate){info->name, info->provider, left > 0};
    }
    llim_error err;
    memset(&err, 0, sizeof err);
    uint32_t planned[MOST_MODELS], n_planned;
    llim__vm *vm = llim__thread_vm(thread, &err);
    if (vm && llim__vm_route(vm, charge, candidates, n, planned, &n_planned, &err) == LLIM_OK) {
        memcpy(order, planned, n_planned * sizeof *order);
        return n_planned;
    }
    llim__thread_fault(thread, &err);
    return n;
}

static llim_refusal blocked(const llim_model_info *info)
{
    llim_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.code = LLIM_NEVER;
    refusal.reason = LLIM_BY_BLOCKED;
    const bool cut = strlen(info->name) >= sizeof refusal.scope; /* as the zone shows names */
    snprintf(refusal.scope, sizeof refusal.scope, "%.*s%s", (int)sizeof refusal.scope - 2, info->name, cut ? "~" : "");
    return refusal;
}

/* A request on its way along the models. */
typedef struct walk {
    llim__thread *thread;
    const llim_model_info *all; /* the set's models */
    llim_zone *zone;
    llim_charge charge;
    llim_row rows[LLIM_MAX_ROWS]; /* the model's comes first */
    uint32_t n_rows, models[MOST_MODELS];
    llim_refusal best; /* the earliest refusal so far; code 0: none */
} walk;

/* Asks the i-th model of the request, and admits it if there is a permit to fill. A refusal becomes the best if it is. */
static int ask(walk *w, uint32_t i, llim_permit *permit)
{
    const llim_model_info *info = &w->all[w->models[i]];
    llim_refusal one;
    int code = LLIM_NEVER;
    w->rows[0] = info->row;
    if (info->blocked)
        one = blocked(info);
    else if (permit)
        code = llim_admit(w->zone, w->rows, w->n_rows, &w->charge, permit, &one);
    else
        code = llim_check(w->zone, w->rows, w->n_rows, &w->charge, &one);
    if (code != LLIM_LATER && code != LLIM_NEVER) return code;
    one.candidate = i;
    bool sooner = code == LLIM_LATER && (w->best.code != LLIM_LATER || one.at_ns < w->best.at_ns);
    if (w->best.code == LLIM_OK || sooner) w->best = one;
    return code;
}

static int cannot(const walk *w, uint32_t i, int code, llim_error *err)
{
    const char *name = w->all[w->models[i]].name;
    if (code == LLIM_EFULL)
        return llim__fail(err, code, "%s: no lease is left in the zone; it needs more leases", name);
    return llim__fail(err, code, "%s: the request cannot be charged: %s", name, llim_code_name(code));
}

/* The i-th model would be admitted, but the policy does not want it now. */
static llim_refusal left_out(const walk *w, uint32_t i)
{
    llim_refusal refusal = blocked(&w->all[w->models[i]]);
    refusal.code = LLIM_LATER;
    refusal.reason = LLIM_BY_POLICY;
    refusal.candidate = i;
    llim_zone_now(w->zone, &refusal.at_ns, &refusal.at_wall_ns);
    return refusal;
}

/* The models that the plan leaves out are not tried, but when they fit tells when it is worth asking again. */
static int ask_left_out(walk *w, uint32_t n_models, const uint32_t *order, uint32_t n, llim_error *err)
{
    bool planned[MOST_MODELS] = {false};
    for (uint32_t k = 0; k < n; k++) planned[order[k]] = true;
    for (uint32_t i = 0; i < n_models; i++) {
        if (planned[i]) continue;
        int code = ask(w, i, NULL);
        if (code == LLIM_OK && w->best.code != LLIM_LATER) w->best = left_out(w, i);
        if (code != LLIM_OK && code != LLIM_LATER && code != LLIM_NEVER) return cannot(w, i, code, err);
    }
    return LLIM_OK;
}

static int begin(walk *w, llim_limiter *limiter, const llim_request *request, llim_error *err)
{
    if (request->size != sizeof *request)
        return llim__fail(err, LLIM_EVERSION, "llim_request.size is %u, this library expects %zu", request->size,
                          sizeof *request);
    if (request->n_models == 0 || request->n_models > MOST_MODELS)
        return llim__fail(err, LLIM_EINVAL, "a request names 1 to %d models, not %u", MOST_MODELS, request->n_models);
    if (request->n_scopes >= LLIM_MAX_ROWS)
        return llim__fail(err, LLIM_EINVAL, "a request names at most %d scopes, not %u", LLIM_MAX_ROWS - 1,
                          request->n_scopes);
    w->thread = llim__limiter_enter(limiter, err);
    if (!w->thread) return LLIM_ENOMEM;
    w->all = w->thread->set->models;
    w->zone = limiter->zone;
    w->n_rows = request->n_scopes + 1;
    memset(&w->best, 0, sizeof w->best);
    for (uint32_t i = 0; i < request->n_models; i++) {
        int code = llim__limiter_find(limiter, w->thread->set, request->models[i], &w->models[i], err);
        if (code) return code;
    }
    if (request->n_scopes) memcpy(&w->rows[1], request->scopes, request->n_scopes * sizeof *w->rows);
    return llim__estimate(request, limiter->modality, &w->charge, err);
}

/* permit NULL: only ask. */
static int go(llim_limiter *limiter, const llim_request *request, uint32_t *candidate, llim_permit *permit,
              llim_refusal *refusal, llim_error *err)
{
    walk w;
    int code = begin(&w, limiter, request, err);
    if (code) return code;
    uint32_t order[MOST_MODELS], n = route(w.thread, &w.charge, w.models, request->n_models, order);
    int full = -1; /* the first of the order that found no lease left; the next may need none */
    for (uint32_t k = 0; k < n; k++) {
        code = ask(&w, order[k], permit);
        if (code == LLIM_OK) {
            if (candidate) *candidate = order[k];
            if (permit) permit->candidate = order[k];
            return LLIM_OK;
        }
        if (code == LLIM_EFULL && full < 0) full = (int)order[k];
        if (code != LLIM_LATER && code != LLIM_NEVER && code != LLIM_EFULL) return cannot(&w, order[k], code, err);
    }
    if (full >= 0) return cannot(&w, (uint32_t)full, LLIM_EFULL, err);
    code = ask_left_out(&w, request->n_models, order, n, err);
    if (code) return code;
    if (refusal) *refusal = w.best;
    return w.best.code;
}

int llim_acquire(llim_limiter *limiter, const llim_request *request, llim_permit *permit, llim_refusal *refusal,
                 llim_error *err)
{
    if (!permit) return llim__fail(err, LLIM_EINVAL, "llim_acquire() needs a permit to fill");
    return go(limiter, request, NULL, permit, refusal, err);
}

int llim_available(llim_limiter *limiter, const llim_request *request, uint32_t *candidate, llim_refusal *refusal,
                   llim_error *err)
{
    return go(limiter, request, candidate, NULL, refusal, err);
}
