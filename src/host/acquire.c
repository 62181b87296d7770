/*
 * acquire.c - a request along a list of models: estimate, order, and the first that the engine admits.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/admit.h"
#include "engine/notes.h"
#include "host/ask.h"

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
    llim__ask ask;
    const llim_model_info *all; /* the set's models */
    llim_refusal best;          /* the earliest refusal so far; code 0: none */
    int unready;                /* why a candidate cannot be made ready, which ends the call */
    int unasked, unasked_code;  /* the first that cannot be asked now, though others may be, and why; -1: none */
    int left;                   /* a candidate that fits, but that the plan leaves out; -1: none */
} walk;

static const llim_model_info *model_of(const walk *w, uint32_t i)
{
    return &w->all[w->ask.candidates[i].model];
}

static int cannot(const walk *w, uint32_t i, int code, llim_error *err)
{
    const char *name = model_of(w, i)->name;
    if (code == LLIM_EFULL)
        return llim__fail(err, code, "%s: no lease is left in the zone; it needs more leases", name);
    if (code == LLIM_EBUSY)
        return llim__fail(err, code, "%s: another process stands in the middle of a change to the zone", name);
    return llim__fail(err, code, "%s: the request cannot be charged: %s", name, llim_code_name(code));
}

/* What may be another's trouble alone: no lease is left, which the next may not need; another process is changing the row. */
static bool passes_over(walk *w, uint32_t i, int code)
{
    if (code != LLIM_EFULL && code != LLIM_EBUSY) return false;
    if (w->unasked < 0) {
        w->unasked = (int)i;
        w->unasked_code = code;
    }
    return true;
}

/* Asks the i-th model of the request, and admits it if there is a permit to fill. A refusal becomes the best if it is. */
static int ask(walk *w, uint32_t i, llim_permit *permit, llim_error *err)
{
    enum { TRIES = 4 };
    const llim__candidate *c = &w->ask.candidates[i];
    llim_zone *zone = w->ask.question.zone;
    llim_refusal one;
    int code = LLIM_ENOTFOUND;
    for (int tries = 0; tries < TRIES && code == LLIM_ENOTFOUND; tries++) {
        if (tries) w->ask.candidates[i].ready = false; /* a scope that the policy named was recycled meanwhile */
        code = llim__ask_ready(&w->ask, i, err);
        if (code == LLIM_EBUSY) return code;
        if (code) return w->unready = code;
        code = c->blocked ? LLIM_NEVER
               : permit   ? llim_admit(zone, c->row, c->n_rows, &c->charge, permit, &one)
                          : llim_check(zone, c->row, c->n_rows, &c->charge, &one);
    }
    if (code == LLIM_OK || code == LLIM_EFULL || code == LLIM_EBUSY) return code;
    if (code != LLIM_LATER && code != LLIM_NEVER) return cannot(w, i, code, err);
    if (c->blocked) one = blocked(model_of(w, i));
    one.candidate = i;
    bool sooner = code == LLIM_LATER && (w->best.code != LLIM_LATER || one.at_ns < w->best.at_ns);
    if (w->best.code == LLIM_OK || sooner) w->best = one;
    return code;
}

/* The i-th model would be admitted, but the policy does not want it now. */
static llim_refusal left_out(const walk *w, uint32_t i)
{
    llim_refusal refusal = blocked(model_of(w, i));
    refusal.code = LLIM_LATER;
    refusal.reason = LLIM_BY_POLICY;
    refusal.candidate = i;
    llim_zone_now(w->ask.question.zone, &refusal.at_ns, &refusal.at_wall_ns);
    return refusal;
}

/* The models that the plan leaves out are not tried, but when they fit tells when it is worth asking again. */
static int ask_left_out(walk *w, const uint32_t *order, uint32_t n, llim_error *err)
{
    bool planned[LLIM__MOST_MODELS] = {false};
    for (uint32_t k = 0; k < n; k++) planned[order[k]] = true;
    for (uint32_t i = 0; i < w->ask.question.n; i++) {
        if (planned[i]) continue;
        int code = ask(w, i, NULL, err);
        if (w->unready) return code;
        if (code == LLIM_OK && w->left < 0) w->left = (int)i;
        if (code == LLIM_EFULL || code == LLIM_EBUSY) return cannot(w, i, code, err);
        if (code != LLIM_OK && code != LLIM_LATER && code != LLIM_NEVER) return code;
    }
    return LLIM_OK;
}

/* The first of the order that is to be admitted now, or -1. Why the others are not is worked out only if none is. */
static int first_that_fits(walk *w, const uint32_t *order, uint32_t n, llim_permit *permit)
{
    for (uint32_t k = 0; k < n; k++) {
        const llim__candidate *c = &w->ask.candidates[order[k]];
        if (!c->blocked && llim__ask_ready(&w->ask, order[k], NULL) == LLIM_OK &&
            llim__try(w->ask.question.zone, c->row, c->n_rows, &c->charge, permit) == LLIM_OK)
            return (int)order[k];
    }
    return -1;
}

/* For whoever looks at the zone; only asking counts nothing. */
static void count(const walk *w, uint32_t i, enum llim__count what)
{
    llim__count(w->ask.question.zone, w->ask.candidates[i].row[0], what);
}

/* Low slots are taken first, so that a high one tells that nearly all may be. */
static bool is_high(const llim_zone *zone, const llim_permit *permit)
{
    return permit->lease[0].index >= zone->header->slots / 10 * 9;
}

static int admitted(const walk *w, uint32_t i, uint32_t *candidate, llim_permit *permit)
{
    if (candidate) *candidate = i;
    if (!permit) return LLIM_OK;
    count(w, i, LLIM__ADMITTED);
    if (permit->n_leases && is_high(w->ask.question.zone, permit)) llim__limiter_warn_leases(w->ask.thread->limiter);
    permit->candidate = i;
    permit->model = llim__permit_model(w->ask.thread->set, w->ask.candidates[i].model);
    return LLIM_OK;
}

static int along(walk *w, uint32_t *candidate, llim_permit *permit, llim_refusal *refusal, llim_error *err)
{
    uint32_t order[LLIM__MOST_MODELS], n;
    int code = llim__ask_order(&w->ask, order, &n, err);
    if (code) return code;
    int first = n > 1 ? first_that_fits(w, order, n, permit) : -1;
    if (first >= 0) return admitted(w, (uint32_t)first, candidate, permit);
    for (uint32_t k = 0; k < n; k++) {
        code = ask(w, order[k], permit, err);
        if (w->unready) return code;
        if (code == LLIM_OK) return admitted(w, order[k], candidate, permit);
        if (!passes_over(w, order[k], code) && code != LLIM_LATER && code != LLIM_NEVER) return code;
    }
    if (w->unasked >= 0) return cannot(w, (uint32_t)w->unasked, w->unasked_code, err);
    code = ask_left_out(w, order, n, err);
    if (code) return code;
    if (w->left >= 0 && w->best.code != LLIM_LATER) w->best = left_out(w, (uint32_t)w->left);
    if (permit) count(w, w->best.candidate, LLIM__REFUSED);
    if (refusal) *refusal = w->best;
    return w->best.code;
}

static int go_by_one_set(llim_limiter *limiter, const llim_request *request, double *chance, uint32_t *candidate,
                         llim_permit *permit, llim_refusal *refusal, llim_error *err)
{
    walk w;
    int code = llim__ask_begin(&w.ask, limiter, request, err);
    if (code) return code;
    w.ask.question.random = *chance;
    w.all = w.ask.thread->set->models;
    w.left = -1;
    w.unready = LLIM_OK;
    w.unasked = -1;
    memset(&w.best, 0, sizeof w.best);
    code = along(&w, candidate, permit, refusal, err);
    *chance = w.ask.question.random;
    return code;
}

/* permit NULL: only ask. A row that is not found was that of a model which the set in force has no more, if another set is in
   force meanwhile. */
static int go(llim_limiter *limiter, const llim_request *request, double *chance, uint32_t *candidate,
              llim_permit *permit, llim_refusal *refusal, llim_error *err)
{
    int code;
    uint32_t serial;
    do {
        serial = at_load_acq(&limiter->serial);
        code = go_by_one_set(limiter, request, chance, candidate, permit, refusal, err);
    } while (code == LLIM_ENOTFOUND && serial != at_load_acq(&limiter->serial));
    return code;
}

int llim__decide(llim_limiter *limiter, const llim_request *request, double *chance, llim_permit *permit,
                 llim_refusal *refusal, llim_error *err)
{
    return go(limiter, request, chance, NULL, permit, refusal, err);
}

int llim__acquire(llim_limiter *limiter, const llim_request *request, uint64_t *serial, llim_permit *permit,
                  llim_refusal *refusal, llim_error *err)
{
    llim_refusal own;
    llim__decision d = {request, permit, refusal ? refusal : &own, serial, -1, LLIM_OK};
    if (llim__acquire_plainly(limiter, request, NULL, permit))
        d.code = go(limiter, request, &d.chance, NULL, permit, d.refusal, err);
    if (at_load_rlx(&limiter->shadows.open)) llim__shadow_decide(limiter, &d);
    return d.code;
}

int llim_acquire(llim_limiter *limiter, const llim_request *request, llim_permit *permit, llim_refusal *refusal,
                 llim_error *err)
{
    if (!permit) return llim__fail(err, LLIM_EINVAL, "llim_acquire() needs a permit to fill");
    return llim__acquire(limiter, request, NULL, permit, refusal, err);
}

int llim_available(llim_limiter *limiter, const llim_request *request, uint32_t *candidate, llim_refusal *refusal,
                   llim_error *err)
{
    double chance = -1;
    return go(limiter, request, &chance, candidate, NULL, refusal, err);
}
