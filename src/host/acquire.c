/*
 * acquire.c - a request along a list of models: estimate, order, and the first that the engine admits.
 */
#include <string.h>

#include "base/error.h"
#include "host/limiter.h"

enum { MOST_MODELS = 64 };

/* The default estimate: what was declared, else four characters a token plus the output that was declared. Gemini counts
   input only, and OpenAI the sum, so each meter is filled on its own. */
static int estimate(const llim_request *request, llim_charge *charge, llim_error *err)
{
    *charge = request->charge;
    int64_t *a = charge->amount;
    for (int m = 0; m < LLIM_METERS; m++)
        if (a[m] < 0 || a[m] > LLIM_AMOUNT_MAX)
            return llim__fail(err, LLIM_ERANGE, "%s is %lld, expected 0 to 2^40 - 1", llim_meter_name(m),
                              (long long)a[m]);
    if (request->max_output_tokens < 0 || request->max_output_tokens > LLIM_AMOUNT_MAX)
        return llim__fail(err, LLIM_ERANGE, "max_output_tokens is %lld, expected 0 to 2^40 - 1",
                          (long long)request->max_output_tokens);
    int64_t text = (a[LLIM_CHARACTERS] + 3) / 4;
    int64_t output = a[LLIM_OUTPUT_TOKENS] ? a[LLIM_OUTPUT_TOKENS] : request->max_output_tokens;
    if (a[LLIM_REQUESTS] == 0) a[LLIM_REQUESTS] = 1;
    if (a[LLIM_TOKENS] == 0) a[LLIM_TOKENS] = (a[LLIM_INPUT_TOKENS] ? a[LLIM_INPUT_TOKENS] : text) + output;
    if (a[LLIM_TOKENS] > LLIM_AMOUNT_MAX)
        return llim__fail(err, LLIM_ERANGE, "input and output are %lld tokens together, expected at most 2^40 - 1",
                          (long long)a[LLIM_TOKENS]);
    if (a[LLIM_INPUT_TOKENS] == 0) a[LLIM_INPUT_TOKENS] = text ? text : a[LLIM_TOKENS] - output;
    if (a[LLIM_INPUT_TOKENS] < 0) a[LLIM_INPUT_TOKENS] = 0;
    a[LLIM_OUTPUT_TOKENS] = output;
    return LLIM_OK;
}

/* The policy's order, or the caller's if there is none or it fails. */
static uint32_t route(llim_limiter *limiter, const llim_charge *charge, const uint32_t *models, uint32_t n,
                      uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    if (!limiter->routes) return n;
    llim__candidate candidates[MOST_MODELS];
    for (uint32_t i = 0; i < n; i++) {
        const llim_model_info *info = &limiter->models[models[i]];
        int64_t left = 0;
        llim_cooling(limiter->zone, info->row, &left);
        candidates[i] = (llim__candidate){info->name, info->provider, left > 0};
    }
    llim_error err;
    memset(&err, 0, sizeof err);
    uint32_t planned[MOST_MODELS], n_planned;
    llim__vm *vm = llim__limiter_vm(limiter, &err);
    if (vm && llim__vm_route(vm, charge, candidates, n, planned, &n_planned, &err) == LLIM_OK) {
        memcpy(order, planned, n_planned * sizeof *order);
        return n_planned;
    }
    pthread_mutex_lock(&limiter->lock);
    bool tell = limiter->log && !limiter->complained;
    limiter->complained = true;
    pthread_mutex_unlock(&limiter->lock);
    if (tell) limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, err.message);
    return n;
}

static llim_refusal blocked(const llim_model_info *info)
{
    llim_refusal refusal;
    memset(&refusal, 0, sizeof refusal);
    refusal.code = LLIM_NEVER;
    refusal.reason = LLIM_BY_BLOCKED;
    strncpy(refusal.scope, info->name, sizeof refusal.scope - 1);
    return refusal;
}

/* permit NULL: only ask. */
static int walk(llim_limiter *limiter, const llim_request *request, uint32_t *candidate, llim_permit *permit,
                llim_refusal *refusal, llim_error *err)
{
    if (request->size != sizeof *request)
        return llim__fail(err, LLIM_EVERSION, "llim_request.size is %u, this library expects %zu", request->size,
                          sizeof *request);
    if (request->n_models == 0 || request->n_models > MOST_MODELS)
        return llim__fail(err, LLIM_EINVAL, "a request names 1 to %d models, not %u", MOST_MODELS, request->n_models);
    if (request->n_scopes >= LLIM_MAX_ROWS)
        return llim__fail(err, LLIM_EINVAL, "a request names at most %d scopes, not %u", LLIM_MAX_ROWS - 1,
                          request->n_scopes);
    uint32_t models[MOST_MODELS], order[MOST_MODELS];
    for (uint32_t i = 0; i < request->n_models; i++) {
        int code = llim__limiter_find(limiter, request->models[i], &models[i], err);
        if (code) return code;
    }
    llim_charge charge;
    int code = estimate(request, &charge, err);
    if (code) return code;
    llim_row rows[LLIM_MAX_ROWS];
    if (request->n_scopes) memcpy(&rows[1], request->scopes, request->n_scopes * sizeof *rows);
    uint32_t n = route(limiter, &charge, models, request->n_models, order);
    llim_refusal best, one;
    memset(&best, 0, sizeof best);
    for (uint32_t i = 0; i < n; i++) {
        const llim_model_info *info = &limiter->models[models[order[i]]];
        rows[0] = info->row;
        if (info->blocked)
            one = blocked(info), code = LLIM_NEVER;
        else if (permit)
            code = llim_admit(limiter->zone, rows, request->n_scopes + 1, &charge, permit, &one);
        else
            code = llim_check(limiter->zone, rows, request->n_scopes + 1, &charge, &one);
        if (code == LLIM_OK) {
            if (candidate) *candidate = order[i];
            if (permit) permit->candidate = order[i];
            return LLIM_OK;
        }
        if (code != LLIM_LATER && code != LLIM_NEVER)
            return llim__fail(err, code, "%s: the request cannot be charged: %s", info->name, llim_code_name(code));
        one.candidate = order[i];
        bool sooner = code == LLIM_LATER && (best.code != LLIM_LATER || one.at_ns < best.at_ns);
        if (best.code == LLIM_OK || sooner) best = one;
    }
    if (refusal) *refusal = best;
    return best.code;
}

int llim_acquire(llim_limiter *limiter, const llim_request *request, llim_permit *permit, llim_refusal *refusal,
                 llim_error *err)
{
    if (!permit) return llim__fail(err, LLIM_EINVAL, "llim_acquire() needs a permit to fill");
    return walk(limiter, request, NULL, permit, refusal, err);
}

int llim_available(llim_limiter *limiter, const llim_request *request, uint32_t *candidate, llim_refusal *refusal,
                   llim_error *err)
{
    return walk(limiter, request, candidate, NULL, refusal, err);
}
