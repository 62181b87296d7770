/*
 * set.c - texts to a VM, the VM's answer to models and scopes, and these to rows. See set.h.
 */
#include "host/set.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "engine/rows.h"
#include "host/estimate.h"
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

static llim__need need_of(const llim_limit *limits, uint32_t n_limits)
{
    llim__need n = {n_limits <= 3 ? 1 : 1 + (n_limits - 3 + 3) / 4, 0};
    for (uint32_t k = 0; k < n_limits; k++) n.sliding += limits[k].law == LLIM_SLIDING;
    return n;
}

llim__need llim__set_need(const llim__set *set, uint32_t scopes)
{
    llim__need most = {1, 0}, need = {0, 0};
    for (uint32_t i = 0; i < set->n_models; i++) {
        llim__need n = need_of(set->quotas[i].limit, set->quotas[i].n_limits);
        need.rows += n.rows;
        need.sliding += n.sliding;
    }
    for (uint32_t i = 0; i < set->n_scopes; i++) {
        llim__need n = need_of(set->scopes[i].limit, set->scopes[i].n_limits);
        if (n.rows > most.rows) most.rows = n.rows;
        if (n.sliding > most.sliding) most.sliding = n.sliding;
    }
    need.rows += scopes * most.rows;
    need.sliding += scopes * most.sliding;
    return need;
}

static llim_row_spec spec_of(const llim__set *set, const char *scope, const llim__model *model)
{
    return (llim_row_spec){.size = sizeof(llim_row_spec),
                           .scope = scope,
                           .scope_len = (uint32_t)strlen(scope),
                           .limits = model->limit,
                           .n_limits = model->n_limits,
                           .generation = at_load_rlx(&set->generation),
                           .pinned = 1,
                           .notes = 1};
}

static void give_quotas(llim__set *set)
{
    give(set, set->quotas, set->n_models, sizeof *set->quotas);
    set->quotas = NULL;
}

/* Every scope once: models of a family share one. */
int llim__set_enforce(llim__set *set, llim_zone *zone, llim_error *err)
{
    const uint32_t n = set->n_models;
    llim_row_spec *specs = take(set, n, sizeof *specs);
    llim_row *rows = take(set, n, sizeof *rows);
    uint32_t *place = take(set, n, sizeof *place), n_specs = 0;
    int code =
        specs && rows && place ? LLIM_OK : llim__fail(err, LLIM_ENOMEM, "no memory for the rows of %u models", n);
    for (uint32_t i = 0; i < n && !code; i++) {
        while (place[i] < n_specs && specs[place[i]].scope != set->models[i].scope) place[i]++; /* kept strings */
        if (place[i] == n_specs) specs[n_specs++] = spec_of(set, set->models[i].scope, &set->quotas[i]);
    }
    if (!code) code = llim__rows_set(zone, specs, n_specs, rows, err);
    for (uint32_t i = 0; i < n && !code; i++) set->models[i].row = rows[place[i]];
    give_quotas(set);
    give(set, specs, n, sizeof *specs);
    give(set, rows, n, sizeof *rows);
    give(set, place, n, sizeof *place);
    return code;
}

/* Whether a model of the set has this row. Scopes are kept strings. */
static bool has_scope(const llim__set *set, const char *scope)
{
    for (uint32_t i = 0; i < set->n_models; i++)
        if (set->models[i].scope == scope) return true;
    return false;
}

void llim__set_follow(llim__set *set, const llim__set *before, llim_zone *zone)
{
    for (uint32_t i = 0; i < before->n_known; i++) {
        const llim_model_info *old = &before->models[i];
        if (has_scope(set, old->scope)) continue;
        llim_row row;
        bool lives = llim_row_find(zone, old->scope, strlen(old->scope), &row) == LLIM_OK;
        if (!lives || row.index != old->row.index || row.epoch != old->row.epoch) continue;
        set->models[set->n_known] = *old;
        set->prices[set->n_known++] = before->prices[i];
    }
}

/* Of all that were known: what was not let go by an earlier reload, since another process stood, is now. */
void llim__set_release(const llim__set *set, const llim__set *before, llim_zone *zone)
{
    const uint32_t generation = at_load_rlx(&set->generation);
    for (uint32_t i = 0; i < before->n_known; i++)
        if (!has_scope(set, before->models[i].scope)) llim__row_unpin(zone, before->models[i].row, generation);
}

static bool has_cost(const llim_limit *limits, uint32_t n)
{
    bool has = false;
    for (uint32_t i = 0; i < n; i++) has |= limits[i].meter == LLIM_COST;
    return has;
}

static int read_models(llim__set *set, llim__strings *strings, llim_error *err)
{
    const char *unpriced = NULL;
    bool limits_cost = false;
    for (uint32_t i = 0; i < set->n_models; i++) {
        llim__model *model = &set->quotas[i];
        int code = llim__vm_model(set->vm, i, model, err);
        if (code) return code;
        llim_model_info *info = &set->models[i];
        *info = (llim_model_info){.name = llim__strings_keep(strings, model->name),
                                  .provider = llim__strings_keep(strings, model->provider),
                                  .scope = llim__strings_keep(strings, model->scope),
                                  .blocked = model->blocked};
        if (!info->name || !info->provider || !info->scope)
            return llim__fail(err, LLIM_ENOMEM, "no memory for the name of model %s", model->name);
        set->prices[i] = model->price;
        if (!unpriced && llim__price_is_unknown(&model->price)) unpriced = info->name;
        limits_cost |= has_cost(model->limit, model->n_limits);
        llim__names_add(&set->names, info->name, i);
    }
    for (uint32_t i = 0; i < set->n_scopes; i++) {
        llim__model scope;
        int code = llim__vm_scope(set->vm, i, &scope, err);
        if (code) return code;
        set->scopes[i].name = scope.name;
        set->scopes[i].n_limits = scope.n_limits;
        memcpy(set->scopes[i].limit, scope.limit, sizeof scope.limit);
        limits_cost |= has_cost(scope.limit, scope.n_limits);
    }
    set->unpriced = limits_cost ? unpriced : NULL;
    return LLIM_OK;
}

static llim_script_bounds bounds_of(const llim_script_bounds *asked, int64_t instructions, int64_t bytes)
{
    return (llim_script_bounds){asked->instructions ? asked->instructions : instructions,
                                asked->bytes ? asked->bytes : bytes};
}

static uint64_t hash_of(uint64_t hash, const void *data, size_t size)
{
    const uint64_t secret[2] = {hash, size};
    return llim__hash(secret, data, size).word[0];
}

/* The same in every process, so no secret; and not of paths, but for what they say of the text. */
static uint64_t content_hash(const llim__set *set)
{
    const llim__sources *s = &set->sources;
    const llim__vm_options *o = &set->vm_options;
    const char *path = s->overrides.path ? s->overrides.path : "";
    const size_t len = strlen(path);
    const int64_t numbers[] = {
        o->guard_ns,   o->load.instructions, o->load.bytes,   o->hook.instructions,
        o->hook.bytes, s->n_quotas,          path[0] ? 1 : 0, len >= 5 && strcmp(path + len - 5, ".json") == 0};
    uint64_t hash = hash_of(0, numbers, sizeof numbers);
    hash = hash_of(hash, o->modality, strlen(o->modality));
    hash = hash_of(hash, o->tier, strlen(o->tier));
    hash = hash_of(hash, o->account, strlen(o->account));
    for (uint32_t i = 0; i < s->n_quotas; i++) hash = hash_of(hash, s->quotas[i].text, s->quotas[i].size);
    hash = hash_of(hash, s->policy.text, s->policy.size);
    return path[0] ? hash_of(hash, s->overrides.text, s->overrides.size) : hash;
}

static int read_texts(llim__set *set, const llim_options *o, const llim__texts *texts, llim__strings *strings,
                      llim_error *err)
{
    int code = texts ? llim__sources_copy(&set->sources, texts->policy, texts->overrides, texts->overrides_size, err)
                     : llim__sources_read(&set->sources, o->quotas ? o->quotas : "baseline",
                                          o->policy ? o->policy : "priority", o->overrides, err);
    if (!code && !texts && o->overrides_text) code = llim__sources_override(&set->sources, o->overrides_text, err);
    if (code) return code;
    set->tier = llim__strings_keep(strings, o->tier ? o->tier : "free");
    const char *account = llim__strings_keep(strings, o->account ? o->account : "default");
    if (!set->tier || !account) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    set->vm_options = (llim__vm_options){
        .sources = &set->sources,
        .modality = modalities[o->modality],
        .tier = set->tier,
        .account = account,
        .guard_ns = o->guard_ns == LLIM_NO_GUARD ? 0
                    : o->guard_ns                ? o->guard_ns
                                                 : LLIM_SECOND / 10,
        .load = bounds_of(&o->load, LOAD_INSTRUCTIONS, LOAD_BYTES),
        .hook = bounds_of(&o->hook, HOOK_INSTRUCTIONS, HOOK_BYTES),
        .alloc = set->alloc,
        .alloc_ctx = set->alloc_ctx,
    };
    set->hash = content_hash(set);
    return LLIM_OK;
}

static int fill(llim__set *set, const llim__set *before, llim__strings *strings, llim_error *err)
{
    int code = llim__vm_open(&set->vm_options, &set->vm, err);
    if (code) return code;
    set->hooks = llim__vm_hooks(set->vm);
    set->n_models = set->n_known = llim__vm_models(set->vm);
    set->n_places = set->n_models + (before ? before->n_known : 0);
    set->n_scopes = llim__vm_scopes(set->vm);
    set->models = take(set, set->n_places, sizeof *set->models);
    set->prices = take(set, set->n_places, sizeof *set->prices);
    set->quotas = take(set, set->n_models, sizeof *set->quotas);
    set->scopes = take(set, set->n_scopes, sizeof *set->scopes);
    set->names.size = 1;
    while (set->names.size < 2 * (set->n_models + LEARNED_NAMES)) set->names.size *= 2;
    set->names.entries = take(set, set->names.size, sizeof *set->names.entries);
    if (getrandom(set->names.secret, sizeof set->names.secret, 0) < 0) set->names.secret[0] = 1;
    if (!set->models || !set->prices || !set->quotas || !set->scopes || !set->names.entries)
        return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter of %u models", set->n_models);
    return read_models(set, strings, err);
}

/* Whether a policy's test would do what it did for the set before: it sees its own models, and nothing of the tables. */
static bool is_tested(const llim__set *set, const llim__set *before)
{
    const llim__source *a = &set->sources.policy, *b = &before->sources.policy;
    const llim__vm_options *x = &set->vm_options, *y = &before->vm_options;
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0 &&
           x->load.instructions == y->load.instructions && x->load.bytes == y->load.bytes &&
           x->hook.instructions == y->hook.instructions && x->hook.bytes == y->hook.bytes;
}

int llim__set_open(const llim_options *options, const llim__texts *texts, const llim__set *before,
                   llim__strings *strings, llim_alloc_fn alloc, void *alloc_ctx, struct lua_State *host,
                   llim__set **out, llim_error *err)
{
    *out = NULL;
    llim__set *set = llim__take(alloc, alloc_ctx, 1, sizeof *set);
    if (!set) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    set->alloc = alloc;
    set->alloc_ctx = alloc_ctx;
    set->spellings = (llim__strings){.alloc = alloc, .alloc_ctx = alloc_ctx};
    at_store_rlx(&set->users, 1);
    int code = read_texts(set, options, texts, strings, err);
    set->vm_options.host = host;
    const bool same = !code && before && before->hash == set->hash;
    if (!code && !same) code = fill(set, before, strings, err);
    if (!code && !same && !texts && !(before && is_tested(set, before))) code = llim__trial_run(set, options, err);
    if (code || same)
        llim__set_leave(set);
    else
        *out = set;
    return code;
}

void llim__set_leave(llim__set *set)
{
    if (!set || at_add_acqrel(&set->users, (uint32_t)-1) != 1) return;
    llim__vm_close(set->vm);
    llim__sources_free(&set->sources);
    llim__strings_free(&set->spellings);
    give_quotas(set);
    give(set, set->models, set->n_places, sizeof *set->models);
    give(set, set->prices, set->n_places, sizeof *set->prices);
    give(set, set->scopes, set->n_scopes, sizeof *set->scopes);
    give(set, set->names.entries, set->names.size, sizeof *set->names.entries);
    give(set, set, 1, sizeof *set);
}
