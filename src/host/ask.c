/* ask.c - see ask.h. */
#include "host/ask.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "host/estimate.h"

/* What scripts may make names of scopes of. */
static bool is_name(const char *text)
{
    return text && strnlen(text, LLIM_SCOPE_MAX + 1) <= LLIM_SCOPE_MAX && llim__is_text(text);
}

/* A tag is read like a field of the request, and must not hide one. */
static bool is_field(const char *name)
{
    static const char *const others[] = {"max_output_tokens", "random", "at"};
    for (int meter = 0; meter < LLIM_METERS; meter++)
        if (strcmp(name, llim_meter_name(meter)) == 0) return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0) return true;
    return false;
}

static int check(const llim_request *r, llim_error *err)
{
    if (r->size != sizeof *r)
        return llim__fail(err, LLIM_EVERSION, "llim_request.size is %u, this library expects %zu", r->size, sizeof *r);
    if (r->n_models == 0 || r->n_models > LLIM__MOST_MODELS)
        return llim__fail(err, LLIM_EINVAL, "a request names 1 to %d models, not %u", LLIM__MOST_MODELS, r->n_models);
    if (r->n_scopes >= LLIM_MAX_ROWS)
        return llim__fail(err, LLIM_EINVAL, "a request names at most %d scopes, not %u", LLIM_MAX_ROWS - 1,
                          r->n_scopes);
    if (r->n_tags > LLIM__MOST_TAGS)
        return llim__fail(err, LLIM_EINVAL, "a request has at most %d tags, not %u", LLIM__MOST_TAGS, r->n_tags);
    for (uint32_t i = 0; i < r->n_tags; i++)
        if (!is_name(r->tags[i].name) || !is_name(r->tags[i].value) || is_field(r->tags[i].name))
            return llim__fail(err, LLIM_EINVAL,
                              "tag %u of the request is \"%s\"; a name that no field of a request has, and a value, of "
                              "at most 255 bytes of UTF-8 without control characters, are expected",
                              i, r->tags[i].name ? r->tags[i].name : "(null)");
    return LLIM_OK;
}

static int estimate_default(const llim__question *question, const llim__candidate *c, const llim_request *request,
                            llim_charge *charge, llim_error *err)
{
    const llim__ask *ask = question->ask;
    const int32_t modality = ask->thread->limiter->modality;
    int code = llim__estimate(request, modality, charge, err);
    if (!code) llim__estimate_learned(question->zone, c->row[0], request, modality, charge);
    return code;
}

/* What the candidate would be charged with if these amounts were declared. */
static int charge_of(const llim__question *question, const llim__candidate *c, llim_charge *charge)
{
    const llim__ask *ask = question->ask;
    const llim_request request = {.charge = *charge};
    int code = estimate_default(question, c, &request, charge, NULL);
    llim__price_charge(&ask->thread->set->prices[c->model], charge);
    return code;
}

int llim__ask_begin(llim__ask *ask, llim_limiter *limiter, const llim_request *request, llim_error *err)
{
    int code = check(request, err);
    if (code) return code;
    llim__thread *thread = llim__limiter_enter(limiter, err);
    if (!thread) return LLIM_ENOMEM;
    ask->thread = thread;
    ask->vm = NULL;
    ask->question = (llim__question){.zone = limiter->zone,
                                     .request = request,
                                     .chance = &limiter->random,
                                     .random = -1,
                                     .candidates = ask->candidates,
                                     .n = request->n_models,
                                     .charge_of = charge_of,
                                     .ask = ask};
    if ((thread->set->hooks & LLIM__HOOKS_OF_REQUESTS) && !llim__limiter_rests(limiter)) {
        llim_error why;
        ask->vm = llim__thread_vm(thread, &why);
        if (!ask->vm) llim__thread_fault(thread, &why);
    }
    for (uint32_t i = 0; i < request->n_models; i++) {
        llim__candidate *c = &ask->candidates[i];
        code = llim__limiter_find(limiter, thread->set, request->models[i], &c->model, err);
        if (code) return code;
        c->blocked = thread->set->models[c->model].blocked;
        c->row[0] = thread->set->models[c->model].row;
        c->begun = c->ready = false;
    }
    return LLIM_OK;
}

/* After a hook has used more than it may the others of this request are not asked either: its VM is gone. */
static void fault(llim__ask *ask, const llim_error *err)
{
    llim__thread_fault(ask->thread, err);
    ask->vm = ask->thread->vm;
}

static bool asks(const llim__ask *ask, unsigned hook)
{
    return ask->vm && ask->thread->set->hooks & hook;
}

static void add_row(llim_row *rows, uint32_t *n, llim_row row)
{
    for (uint32_t r = 0; r < *n; r++)
        if (rows[r].index == row.index && rows[r].epoch == row.epoch) return;
    rows[(*n)++] = row;
}

/* The scopes that the hook names. One that nobody gives limits is not limited. */
static int add_scopes(llim__ask *ask, uint32_t i, llim_error *err)
{
    llim__candidate *c = &ask->candidates[i];
    llim__further further[LLIM_MAX_ROWS];
    llim_error why;
    uint32_t n;
    if (!asks(ask, LLIM__HOOK_SCOPES)) return LLIM_OK;
    if (llim__hook_scopes(ask->vm, &ask->question, i, further, LLIM_MAX_ROWS - c->n_rows, &n, &why)) {
        fault(ask, &why);
        return LLIM_OK;
    }
    for (uint32_t k = 0; k < n; k++) {
        llim_row row;
        int code = llim__limiter_scope(ask->thread->limiter, ask->thread->set, &further[k], &row, err);
        if (code == LLIM_OK) add_row(c->row, &c->n_rows, row);
        if (code == LLIM_OK || code == LLIM_ENOTFOUND) continue;
        if (err) llim__thread_fault(ask->thread, err); /* it is the policy's doing */
        return code;
    }
    return LLIM_OK;
}

int llim__ask_ready(llim__ask *ask, uint32_t i, llim_error *err)
{
    llim__candidate *c = &ask->candidates[i];
    const llim_request *request = ask->question.request;
    if (c->ready) return LLIM_OK;
    int code = estimate_default(&ask->question, c, request, &c->charge, err);
    if (code) return code;
    c->n_rows = 1;
    for (uint32_t k = 0; k < request->n_scopes; k++) add_row(c->row, &c->n_rows, request->scopes[k]);
    c->begun = true;
    llim_error why;
    if (asks(ask, LLIM__HOOK_ESTIMATE) && llim__hook_estimate(ask->vm, &ask->question, i, &why)) fault(ask, &why);
    llim__price_charge(&ask->thread->set->prices[c->model], &c->charge);
    code = add_scopes(ask, i, err);
    c->ready = code == LLIM_OK;
    return code;
}

int llim__ask_rows(llim_limiter *limiter, const llim_request *request, llim_row *rows, uint32_t cap, uint32_t *n,
                   llim_error *err)
{
    llim__ask ask;
    *n = 0;
    int code = llim__ask_begin(&ask, limiter, request, err);
    for (uint32_t i = 0; i < request->n_models && !code; i++) {
        const llim__candidate *c = &ask.candidates[i];
        code = llim__ask_ready(&ask, i, err);
        for (uint32_t r = 0; r < c->n_rows && !code && *n < cap; r++) add_row(rows, n, c->row[r]);
    }
    return code;
}

int llim__ask_order(llim__ask *ask, uint32_t *order, uint32_t *n, llim_error *err)
{
    const uint32_t n_all = ask->question.n;
    *n = n_all;
    for (uint32_t i = 0; i < n_all; i++) order[i] = i;
    if (!asks(ask, LLIM__HOOK_ROUTE)) return LLIM_OK;
    for (uint32_t i = 0; i < n_all; i++) {
        int code = llim__ask_ready(ask, i, err);
        if (code) return code;
    }
    if (!ask->vm) return LLIM_OK; /* an estimate used more than it may */
    uint32_t planned[LLIM__MOST_MODELS], n_planned;
    llim_error why;
    if (llim__hook_route(ask->vm, &ask->question, planned, &n_planned, &why)) {
        fault(ask, &why);
        return LLIM_OK;
    }
    memcpy(order, planned, n_planned * sizeof *order);
    *n = n_planned;
    return LLIM_OK;
}
