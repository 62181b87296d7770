/*
 * limiter.c - opens and closes a limiter: texts to a VM, the VM's answer to a zone full of rows.
 */
#include "host/limiter.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/error.h"

enum { LOAD_INSTRUCTIONS = 1000000, LOAD_BYTES = 16 << 20, HOOK_INSTRUCTIONS = 200000, HOOK_BYTES = 1 << 20 };
enum { LEARNED_NAMES = 1024, MARGIN_ROWS = 1024, MARGIN_SLIDING = 64, MARGIN_LEASES = 1024 };

static const char *const modalities[] = {"text", "image", "audio", "live"};

static void *take(llim_limiter *limiter, size_t n, size_t size)
{
    size_t bytes = n * size + 1;
    void *memory = limiter->alloc(limiter->alloc_ctx, NULL, 0, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

static void give(llim_limiter *limiter, void *memory, size_t n, size_t size)
{
    if (memory) limiter->alloc(limiter->alloc_ctx, memory, n * size + 1, 0);
}

/* Rows and sliding windows. */
typedef struct need {
    uint64_t rows, sliding;
} need;

static need need_of(const llim__model *model)
{
    need n = {model->n_limits <= 3 ? 1 : 1 + (model->n_limits - 3 + 3) / 4, 0};
    for (uint32_t k = 0; k < model->n_limits; k++) n.sliding += model->limit[k].law == LLIM_SLIDING;
    return n;
}

/* What the models' rows and so many scopes need: the caller's figures come on top. */
static int measure(llim_limiter *limiter, uint32_t scopes, llim_zone_options *zone, llim_error *err)
{
    uint64_t rows = 0, sliding = 0;
    llim__model model;
    need most = {1, 0};
    for (uint32_t i = 0; i < limiter->n_models; i++) {
        int code = llim__vm_model(limiter->vm, i, &model, err);
        if (code) return code;
        rows += need_of(&model).rows;
        sliding += need_of(&model).sliding;
    }
    for (uint32_t i = 0; i < limiter->n_scopes; i++) {
        int code = llim__vm_scope(limiter->vm, i, &model, err);
        if (code) return code;
        need n = need_of(&model);
        if (n.rows > most.rows) most.rows = n.rows;
        if (n.sliding > most.sliding) most.sliding = n.sliding;
    }
    rows += scopes * most.rows;
    sliding += scopes * most.sliding;
    rows += zone->rows ? zone->rows : MARGIN_ROWS;
    sliding += zone->sliding ? zone->sliding : MARGIN_SLIDING;
    zone->rows = rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX; /* which opening the zone then refuses */
    zone->sliding = sliding < UINT32_MAX ? (uint32_t)sliding : UINT32_MAX;
    if (!zone->leases) zone->leases = MARGIN_LEASES;
    return LLIM_OK;
}

static int make_rows(llim_limiter *limiter, llim_error *err)
{
    for (uint32_t i = 0; i < limiter->n_models; i++) {
        llim__model model;
        llim_model_info *info = &limiter->models[i];
        int code = llim__vm_model(limiter->vm, i, &model, err);
        if (code) return code;
        llim_row_spec spec = {.size = sizeof spec,
                              .scope = model.scope,
                              .scope_len = (uint32_t)strlen(model.scope),
                              .limits = model.limit,
                              .n_limits = model.n_limits,
                              .generation = 1,
                              .pinned = 1};
        info->name = model.name;
        info->provider = model.provider;
        info->scope = model.scope;
        info->blocked = model.blocked;
        code = llim_row_set(limiter->zone, &spec, &info->row, err);
        if (code) return code;
        llim__names_add(&limiter->names, model.name, i);
    }
    for (uint32_t i = 0; i < limiter->n_scopes; i++) {
        llim__model scope;
        int code = llim__vm_scope(limiter->vm, i, &scope, err);
        if (code) return code;
        limiter->scopes[i].name = scope.name;
        limiter->scopes[i].n_limits = scope.n_limits;
        memcpy(limiter->scopes[i].limit, scope.limit, sizeof scope.limit);
    }
    return LLIM_OK;
}

static llim_script_bounds bounds_of(const llim_script_bounds *asked, int64_t instructions, int64_t bytes)
{
    return (llim_script_bounds){asked->instructions ? asked->instructions : instructions,
                                asked->bytes ? asked->bytes : bytes};
}

static int fill(llim_limiter *limiter, const llim_options *o, llim_error *err)
{
    int code = llim__sources_read(&limiter->sources, o->quotas ? o->quotas : "baseline",
                                  o->policy ? o->policy : "priority", o->overrides, err);
    if (code) return code;
    const char *tier = o->tier ? o->tier : "free", *account = o->account ? o->account : "default";
    size_t tier_size = strlen(tier) + 1, account_size = strlen(account) + 1;
    limiter->tier = take(limiter, 1, tier_size + account_size);
    if (!limiter->tier) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    memcpy(limiter->tier, tier, tier_size);
    memcpy(limiter->tier + tier_size, account, account_size);
    limiter->vm_options = (llim__vm_options){
        .sources = &limiter->sources,
        .modality = modalities[o->modality],
        .tier = limiter->tier,
        .account = limiter->tier + tier_size,
        .guard_ns = o->guard_ns == LLIM_NO_GUARD ? 0
                    : o->guard_ns                ? o->guard_ns
                                                 : LLIM_SECOND / 10,
        .load = bounds_of(&o->load, LOAD_INSTRUCTIONS, LOAD_BYTES),
        .hook = bounds_of(&o->hook, HOOK_INSTRUCTIONS, HOOK_BYTES),
        .alloc = limiter->alloc,
        .alloc_ctx = limiter->alloc_ctx,
    };
    code = llim__vm_open(&limiter->vm_options, &limiter->vm, err);
    if (code) return code;
    limiter->routes = llim__vm_has_route(limiter->vm);
    limiter->n_models = llim__vm_models(limiter->vm);
    limiter->n_scopes = llim__vm_scopes(limiter->vm);
    limiter->models = take(limiter, limiter->n_models, sizeof *limiter->models);
    limiter->scopes = take(limiter, limiter->n_scopes, sizeof *limiter->scopes);
    limiter->strikes = take(limiter, limiter->n_models, sizeof *limiter->strikes);
    limiter->names.size = 1;
    while (limiter->names.size < 2 * (limiter->n_models + LEARNED_NAMES)) limiter->names.size *= 2;
    limiter->names.entries = take(limiter, limiter->names.size, sizeof *limiter->names.entries);
    if (getrandom(limiter->names.secret, sizeof limiter->names.secret, 0) < 0) limiter->names.secret[0] = 1;
    uint64_t seed = o->seed;
    if (seed == 0 && getrandom(&seed, sizeof seed, 0) < 0) seed = limiter->names.secret[0];
    at_store_rlx(&limiter->random, seed);
    if (!limiter->models || !limiter->scopes || !limiter->strikes || !limiter->names.entries)
        return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter of %u models", limiter->n_models);
    llim_zone_options zone = o->zone;
    zone.size = sizeof zone;
    zone.alloc = limiter->alloc;
    zone.alloc_ctx = limiter->alloc_ctx;
    code = measure(limiter, o->scopes, &zone, err);
    if (!code) code = llim_zone_open(&zone, &limiter->zone, err);
    return code ? code : make_rows(limiter, err);
}

/* The VMs of all threads of all limiters. A thread ends when it likes, perhaps while its limiter is closed: whoever takes a VM
   off the list, under the lock, closes it, under the lock, so that nothing of the limiter is touched once it is closed. */
static pthread_mutex_t vms_lock = PTHREAD_MUTEX_INITIALIZER;
static llim__thread_vm *vms;

static void drop(llim__thread_vm **at)
{
    llim__thread_vm *vm = *at;
    *at = vm->next;
    llim__vm_close(vm->vm);
    give(vm->limiter, vm, 1, sizeof *vm);
}

/* The value may be that of a limiter that was closed meanwhile; then no VM there is this thread's. */
static void thread_ends(void *value)
{
    pthread_mutex_lock(&vms_lock);
    llim__thread_vm **at = &vms;
    while (*at && !(*at == value && pthread_equal((*at)->thread, pthread_self()))) at = &(*at)->next;
    if (*at) drop(at);
    pthread_mutex_unlock(&vms_lock);
}

int llim_open(const llim_options *options, llim_limiter **out, llim_error *err)
{
    llim_options o = {.size = sizeof o};
    *out = NULL;
    if (options) {
        if (options->size != sizeof o)
            return llim__fail(err, LLIM_EVERSION, "llim_options.size is %u, this library expects %zu", options->size,
                              sizeof o);
        if (options->zone.size != 0 && options->zone.size != sizeof options->zone)
            return llim__fail(err, LLIM_EVERSION, "llim_options.zone.size is %u, this library expects 0 or %zu",
                              options->zone.size, sizeof options->zone);
        o = *options;
    }
    if (o.modality < LLIM_TEXT || o.modality > LLIM_LIVE)
        return llim__fail(err, LLIM_EINVAL, "modality is %d, expected LLIM_TEXT, LLIM_IMAGE, LLIM_AUDIO or LLIM_LIVE",
                          o.modality);
    if (o.guard_ns < LLIM_NO_GUARD)
        return llim__fail(err, LLIM_ERANGE, "guard_ns is %lld, expected 0 or more, or LLIM_NO_GUARD",
                          (long long)o.guard_ns);
    if (o.load.instructions < 0 || o.load.bytes < 0 || o.hook.instructions < 0 || o.hook.bytes < 0)
        return llim__fail(err, LLIM_ERANGE, "the bounds of scripts are numbers from 0");
    llim_alloc_fn alloc = o.zone.alloc ? o.zone.alloc : llim__libc_alloc;
    llim_limiter *limiter = alloc(o.zone.alloc_ctx, NULL, 0, sizeof *limiter);
    if (!limiter) return llim__fail(err, LLIM_ENOMEM, "no memory for a limiter");
    memset(limiter, 0, sizeof *limiter);
    limiter->alloc = alloc;
    limiter->alloc_ctx = o.zone.alloc_ctx;
    limiter->log = o.log;
    limiter->log_ctx = o.log_ctx;
    limiter->modality = o.modality;
    if (pthread_key_create(&limiter->key, thread_ends)) {
        alloc(o.zone.alloc_ctx, limiter, sizeof *limiter, 0);
        return llim__fail(err, LLIM_ENOMEM, "no thread-specific key is left in this process");
    }
    pthread_mutex_init(&limiter->lock, NULL);
    int code = fill(limiter, &o, err);
    if (code)
        llim_close(limiter);
    else
        *out = limiter;
    return code;
}

void llim_close(llim_limiter *limiter)
{
    if (!limiter) return;
    pthread_key_delete(limiter->key);
    pthread_mutex_lock(&vms_lock);
    for (llim__thread_vm **at = &vms; *at;)
        if ((*at)->limiter == limiter)
            drop(at);
        else
            at = &(*at)->next;
    pthread_mutex_unlock(&vms_lock);
    llim_zone_close(limiter->zone);
    llim__vm_close(limiter->vm);
    llim__sources_free(&limiter->sources);
    give(limiter, limiter->models, limiter->n_models, sizeof *limiter->models);
    give(limiter, limiter->scopes, limiter->n_scopes, sizeof *limiter->scopes);
    give(limiter, limiter->strikes, limiter->n_models, sizeof *limiter->strikes);
    give(limiter, limiter->names.entries, limiter->names.size, sizeof *limiter->names.entries);
    if (limiter->tier) {
        const char *account = limiter->tier + strlen(limiter->tier) + 1;
        give(limiter, limiter->tier, 1, (size_t)(account - limiter->tier) + strlen(account) + 1);
    }
    pthread_mutex_destroy(&limiter->lock);
    limiter->alloc(limiter->alloc_ctx, limiter, sizeof *limiter, 0);
}

llim__vm *llim__limiter_vm(llim_limiter *limiter, llim_error *err)
{
    llim__thread_vm *mine = pthread_getspecific(limiter->key);
    if (mine) return mine->vm;
    mine = take(limiter, 1, sizeof *mine);
    if (!mine || llim__vm_open(&limiter->vm_options, &mine->vm, err)) {
        give(limiter, mine, 1, sizeof *mine);
        return NULL;
    }
    mine->limiter = limiter;
    mine->thread = pthread_self();
    pthread_mutex_lock(&vms_lock);
    mine->next = vms;
    vms = mine;
    pthread_mutex_unlock(&vms_lock);
    if (pthread_setspecific(limiter->key, mine) == 0) return mine->vm;
    thread_ends(mine);
    llim__fail(err, LLIM_ENOMEM, "no memory for a thread's Lua state");
    return NULL;
}

static int64_t steady_now(const llim_limiter *limiter)
{
    int64_t steady;
    llim_zone_now(limiter->zone, &steady, NULL);
    return steady;
}

void llim__limiter_fault(llim_limiter *limiter, const llim_error *fault)
{
    llim__thread_vm *mine = pthread_getspecific(limiter->key);
    bool ended = mine && llim__vm_is_spent(mine->vm);
    if (ended) {
        pthread_setspecific(limiter->key, NULL);
        thread_ends(mine);
        at_store_rlx(&limiter->rests_until, steady_now(limiter) + LLIM_SECOND);
    }
    pthread_mutex_lock(&limiter->lock);
    bool first = limiter->status.faults++ == 0;
    limiter->status.ended += ended;
    limiter->status.fault = *fault;
    pthread_mutex_unlock(&limiter->lock);
    if (first && limiter->log) limiter->log(limiter->log_ctx, LLIM_LOG_WARNING, fault->message);
}

bool llim__limiter_rests(llim_limiter *limiter)
{
    int64_t until = at_load_rlx(&limiter->rests_until);
    return until && steady_now(limiter) < until;
}

int llim_get_status(llim_limiter *limiter, llim_status *status)
{
    if (status->size != sizeof *status) return LLIM_EVERSION;
    pthread_mutex_lock(&limiter->lock);
    *status = limiter->status;
    pthread_mutex_unlock(&limiter->lock);
    status->size = sizeof *status;
    return LLIM_OK;
}

llim_zone *llim_limiter_zone(llim_limiter *limiter)
{
    return limiter->zone;
}
