/*
 * set.c - texts to a VM, the VM's answer to models and scopes, and these to rows. See set.h.
 */
#include "host/set.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"
#include "host/trial.h"

enum { LOAD_INSTRUCTIONS = 1000000, LOAD_BYTES = 16 << 20, HOOK_INSTRUCTIONS = 200000, HOOK_BYTES = 1 << 20 };
enum { LEARNED_NAMES = 1024 };

static const char *const modalities[] = {"text", "image", "audio", "live"};

static void *take(llim__set *set, size_t n, size_t size)
{
    return llim__take(set->alloc, set->alloc_ctx, n, size);
}

static void give(llim__set *set, void *memory, size_t n, size_t size)
{
    llim__give(set->alloc, set->alloc_ctx, memory, n, size);
}

static llim__need need_of(const llim__model *model)
{
    llim__need n = {model->n_limits <= 3 ? 1 : 1 + (model->n_limits - 3 + 3) / 4, 0};
    for (uint32_t k = 0; k < model->n_limits; k++) n.sliding += model->limit[k].law == LLIM_SLIDING;
    return n;
}

int llim__set_need(const llim__set *set, uint32_t scopes, llim__need *need, llim_error *err)
{
    llim__model model;
    llim__need most = {1, 0};
    *need = (llim__need){0, 0};
    for (uint32_t i = 0; i < set->n_models; i++) {
        int code = llim__vm_model(set->vm, i, &model, err);
        if (code) return code;
        need->rows += need_of(&model).rows;
        need->sliding += need_of(&model).sliding;
    }
    for (uint32_t i = 0; i < set->n_scopes; i++) {
        int code = llim__vm_scope(set->vm, i, &model, err);
        if (code) return code;
        llim__need n = need_of(&model);
        if (n.rows > most.rows) most.rows = n.rows;
        if (n.sliding > most.sliding) most.sliding = n.sliding;
    }
    need->rows += scopes * most.rows;
    need->sliding += scopes * most.sliding;
    return LLIM_OK;
}

int llim__set_enforce(llim__set *set, llim_zone *zone, llim_error *err)
{
    for (uint32_t i = 0; i < set->n_models; i++) {
        llim__model model;
        int code = llim__vm_model(set->vm, i, &model, err);
        if (code) return code;
        llim_row_spec spec = {.size = sizeof spec,
                              .scope = model.scope,
                              .scope_len = (uint32_t)strlen(model.scope),
                              .limits = model.limit,
                              .n_limits = model.n_limits,
                              .generation = set->generation,
                              .pinned = 1};
        code = llim_row_set(zone, &spec, &set->models[i].row, err);
        if (code) return code;
    }
    return LLIM_OK;
}

static int read_models(llim__set *set, llim_error *err)
{
    for (uint32_t i = 0; i < set->n_models; i++) {
        llim__model model;
        int code = llim__vm_model(set->vm, i, &model, err);
        if (code) return code;
        set->models[i] = (llim_model_info){
            .name = model.name, .provider = model.provider, .scope = model.scope, .blocked = model.blocked};
        set->prices[i] = model.price;
        llim__names_add(&set->names, model.name, i);
    }
    for (uint32_t i = 0; i < set->n_scopes; i++) {
        llim__model scope;
        int code = llim__vm_scope(set->vm, i, &scope, err);
        if (code) return code;
        set->scopes[i].name = scope.name;
        set->scopes[i].n_limits = scope.n_limits;
        memcpy(set->scopes[i].limit, scope.limit, sizeof scope.limit);
    }
    return LLIM_OK;
}

static llim_script_bounds bounds_of(const llim_script_bounds *asked, int64_t instructions, int64_t bytes)
{
    return (llim_script_bounds){asked->instructions ? asked->instructions : instructions,
                                asked->bytes ? asked->bytes : bytes};
}

static int fill(llim__set *set, const llim_options *o, const llim__texts *texts, llim_error *err)
{
    int code = texts ? llim__sources_copy(&set->sources, texts->policy, texts->overrides, texts->overrides_size, err)
                     : llim__sources_read(&set->sources, o->quotas ? o->quotas : "baseline",
                                          o->policy ? o->policy : "priority", o->overrides, err);
    if (code) return code;
    const char *tier = o->tier ? o->tier : "free", *account = o->account ? o->account : "default";
    size_t tier_size = strlen(tier) + 1, account_size = strlen(account) + 1;
    set->tier = take(set, 1, tier_size + account_size);
    if (!set->tier) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    memcpy(set->tier, tier, tier_size);
    memcpy(set->tier + tier_size, account, account_size);
    set->vm_options = (llim__vm_options){
        .sources = &set->sources,
        .modality = modalities[o->modality],
        .tier = set->tier,
        .account = set->tier + tier_size,
        .guard_ns = o->guard_ns == LLIM_NO_GUARD ? 0
                    : o->guard_ns                ? o->guard_ns
                                                 : LLIM_SECOND / 10,
        .load = bounds_of(&o->load, LOAD_INSTRUCTIONS, LOAD_BYTES),
        .hook = bounds_of(&o->hook, HOOK_INSTRUCTIONS, HOOK_BYTES),
        .alloc = set->alloc,
        .alloc_ctx = set->alloc_ctx,
    };
    code = llim__vm_open(&set->vm_options, &set->vm, err);
    if (code) return code;
    set->hooks = llim__vm_hooks(set->vm);
    set->n_models = llim__vm_models(set->vm);
    set->n_scopes = llim__vm_scopes(set->vm);
    set->models = take(set, set->n_models, sizeof *set->models);
    set->prices = take(set, set->n_models, sizeof *set->prices);
    set->scopes = take(set, set->n_scopes, sizeof *set->scopes);
    set->strikes = take(set, set->n_models, sizeof *set->strikes);
    set->names.size = 1;
    while (set->names.size < 2 * (set->n_models + LEARNED_NAMES)) set->names.size *= 2;
    set->names.entries = take(set, set->names.size, sizeof *set->names.entries);
    if (getrandom(set->names.secret, sizeof set->names.secret, 0) < 0) set->names.secret[0] = 1;
    if (!set->models || !set->prices || !set->scopes || !set->strikes || !set->names.entries)
        return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter of %u models", set->n_models);
    return read_models(set, err);
}

int llim__set_open(const llim_options *options, const llim__texts *texts, llim_alloc_fn alloc, void *alloc_ctx,
                   llim__set **out, llim_error *err)
{
    *out = NULL;
    llim__set *set = llim__take(alloc, alloc_ctx, 1, sizeof *set);
    if (!set) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    set->alloc = alloc;
    set->alloc_ctx = alloc_ctx;
    set->generation = 1;
    at_store_rlx(&set->users, 1);
    int code = fill(set, options, texts, err);
    if (!code && !texts) code = llim__trial_run(set, options, err);
    if (code)
        llim__set_leave(set);
    else
        *out = set;
    return code;
}

enum { MOST_STRIKES = 11 };

uint32_t llim__set_strikes(const llim__set *set, uint32_t model, llim_zone *zone)
{
    const llim__strikes *s = &set->strikes[model];
    const uint32_t n = at_load_rlx(&s->count);
    if (n == 0) return 0;
    int64_t now;
    llim_zone_now(zone, &now, NULL);
    const int64_t faded = (now - at_load_rlx(&s->last_ns)) / (60 * (int64_t)LLIM_SECOND);
    return n > faded ? n - (uint32_t)faded : 0;
}

void llim__set_strike(llim__set *set, uint32_t model, llim_zone *zone)
{
    llim__strikes *s = &set->strikes[model];
    const uint32_t n = llim__set_strikes(set, model, zone);
    int64_t now;
    llim_zone_now(zone, &now, NULL);
    at_store_rlx(&s->count, n < MOST_STRIKES ? n + 1 : n);
    at_store_rlx(&s->last_ns, now);
}

void llim__set_leave(llim__set *set)
{
    if (!set || at_add_acqrel(&set->users, (uint32_t)-1) != 1) return;
    llim__vm_close(set->vm);
    llim__sources_free(&set->sources);
    give(set, set->models, set->n_models, sizeof *set->models);
    give(set, set->prices, set->n_models, sizeof *set->prices);
    give(set, set->scopes, set->n_scopes, sizeof *set->scopes);
    give(set, set->strikes, set->n_models, sizeof *set->strikes);
    give(set, set->names.entries, set->names.size, sizeof *set->names.entries);
    if (set->tier) {
        const char *account = set->tier + strlen(set->tier) + 1;
        give(set, set->tier, 1, (size_t)(account - set->tier) + strlen(account) + 1);
    }
    give(set, set, 1, sizeof *set);
}
