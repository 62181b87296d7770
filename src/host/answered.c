/*
 * answered.c - what follows from a provider's answer: how the permit ends, and who cools for how long.
 *
 * The answer is read by llim_classify(); who cools is judged by the result hook, or the built-in rules of the kernel where the
 * policy has none.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "engine/notes.h"
#include "host/answered.h"
#include "host/ask.h"
#include "host/estimate.h"

#define SECONDS(n)  ((int64_t)(n)*LLIM_SECOND)
#define MOST_COOLED SECONDS(400 * 86400) /* llim_cool() takes no more */

/* The model that a permit was admitted for; after a reload the first whose row it was charged to, or, where that row is none's
   any more, what its name means by now. */
static uint32_t model_of(const llim__set *set, const llim_permit *permit)
{
    const llim_row row = permit->row[0];
    uint32_t i = (uint32_t)permit->model - 1;
    if (permit->model >> 32 == set->serial && i < set->n_models && set->models[i].row.index == row.index &&
        set->models[i].row.epoch == row.epoch)
        return i;
    i = 0;
    while (i < set->n_known && (set->models[i].row.index != row.index || set->models[i].row.epoch != row.epoch)) i++;
    const uint32_t named =
        i < set->n_models || i == set->n_known ? UINT32_MAX : llim__names_find(&set->names, set->models[i].name);
    return named == UINT32_MAX ? i : named;
}

static int32_t provider_of(const char *name)
{
    int32_t provider = LLIM_PROVIDERS - 1;
    while (provider > LLIM_PROVIDER_ANY && strcmp(llim_provider_name(provider), name) != 0) provider--;
    return provider;
}

/* "gpt-image-1" is of "gpt-image". */
static bool is_of_family(const char *name, const char *family)
{
    const size_t n = strlen(family);
    return n && strncmp(name, family, n) == 0 && (name[n] == 0 || name[n] == '-');
}

static void cool(llim_limiter *limiter, const llim__set *set, const llim__action *action, const char *family)
{
    const llim_model_info *info = &set->models[action->model];
    int64_t wall, ns = action->ns;
    if (action->until) {
        llim_zone_now(limiter->zone, NULL, &wall);
        ns -= wall;
    }
    if (ns <= 0) return;
    if (ns > MOST_COOLED) ns = MOST_COOLED;
    llim_cool(limiter->zone, info->row, ns);
    if (action->scope == LLIM_SCOPE_MODEL) return;
    for (uint32_t i = 0; i < set->n_known; i++) {
        const llim_model_info *other = &set->models[i];
        if (strcmp(other->provider, info->provider) != 0) continue;
        if (action->scope == LLIM_SCOPE_CREDENTIAL || is_of_family(other->name, family))
            llim_cool(limiter->zone, other->row, ns);
    }
}

/* Where no script can be asked: what the provider says, else a while. */
static llim__action fallback(uint32_t model, const llim_answer *a)
{
    llim__action action = {.model = model, .scope = a->scope == LLIM_SCOPE_UNKNOWN ? LLIM_SCOPE_MODEL : a->scope};
    switch (a->kind) {
    case LLIM_ANSWER_RATE:
    case LLIM_ANSWER_AUTH:
        action.ns = SECONDS(60);
        break;
    case LLIM_ANSWER_QUOTA:
        action.ns = SECONDS(3600);
        break;
    case LLIM_ANSWER_OVERLOAD:
        action.ns = SECONDS(1);
        break;
    default:
        return action;
    }
    if (a->retry_after_ns != LLIM_UNKNOWN && a->kind != LLIM_ANSWER_AUTH) action.ns = a->retry_after_ns;
    return action;
}

static void judge(llim__ask *ask, const llim__outcome *outcome)
{
    llim__thread *thread = ask->thread;
    llim__action actions[LLIM__MOST_ACTIONS];
    uint32_t n = 0;
    llim_error why;
    memset(&why, 0, sizeof why);
    const bool gone = ask->candidates[0].model >= thread->set->n_models; /* the scripts in force do not know it */
    llim__vm *vm = gone || llim__limiter_rests(thread->limiter) ? NULL : llim__thread_vm(thread, &why);
    int code = vm ? llim__hook_result(vm, &ask->question, outcome, false, actions, &n, &why) : LLIM_ELUA;
    if (why.code) llim__thread_fault(thread, &why);
    if (code && vm && thread->vm) /* the hook failed, and left the VM in order */
        code = llim__hook_result(vm, &ask->question, outcome, true, actions, &n, &why);
    if (code) {
        actions[0] = fallback(ask->candidates[0].model, outcome->answer);
        n = 1;
    }
    for (uint32_t i = 0; i < n; i++) cool(thread->limiter, thread->set, &actions[i], outcome->answer->family);
}

/* What an OK changes unless the policy asks to be told of it too. */
static bool heals(const llim__set *set, const llim_answer *a)
{
    return a->kind == LLIM_ANSWER_OK && !(set->hooks & LLIM__HOOK_RESULT);
}

/* What is not told was as reserved, and costs that. */
static llim_charge with_cost(const llim_charge *told, const llim_charge *reserved, const llim__price *price)
{
    llim_charge facts = *told, all = *told;
    if (told->amount[LLIM_COST] != LLIM_UNKNOWN) return facts;
    for (int m = 0; m < LLIM_METERS; m++)
        if (all.amount[m] == LLIM_UNKNOWN && m != LLIM_COST) all.amount[m] = reserved->amount[m];
    llim__price_charge(price, &all);
    facts.amount[LLIM_COST] = all.amount[LLIM_COST];
    return facts;
}

int llim__answer(llim__thread *thread, llim_permit *permit, llim__outcome *outcome)
{
    llim_limiter *limiter = thread->limiter;
    llim__set *set = thread->set;
    const llim_answer *a = outcome->answer;
    const uint32_t model = model_of(set, permit);
    if (model == set->n_known) return LLIM_EINVAL;
    const bool own = !outcome->model || strcmp(outcome->model, set->models[model].name) == 0;
    if (own && a->kind == LLIM_ANSWER_OK) llim__strikes_end(limiter->zone, permit->row[0]);
    if (own && (a->kind == LLIM_ANSWER_RATE || a->kind == LLIM_ANSWER_OVERLOAD))
        llim__strike(limiter->zone, permit->row[0]);
    if (own && (a->kind == LLIM_ANSWER_RATE || a->kind == LLIM_ANSWER_QUOTA))
        llim__count(limiter->zone, permit->row[0], LLIM__LIMITED);
    const llim_charge facts = with_cost(&a->facts.charge, &permit->charge, &set->prices[model]);
    if (own && !heals(set, a)) {
        llim_request request = {.size = sizeof request, .charge = permit->charge};
        llim__ask ask;
        ask.thread = thread;
        ask.question = (llim__question){.zone = limiter->zone,
                                        .request = &request,
                                        .chance = &limiter->random,
                                        .random = outcome->random,
                                        .candidates = ask.candidates,
                                        .n = 1};
        ask.candidates[0] = (llim__candidate){.model = model,
                                              .n_rows = permit->n_rows,
                                              .charge = permit->charge,
                                              .blocked = set->models[model].blocked,
                                              .begun = true};
        memcpy(ask.candidates[0].row, permit->row, permit->n_rows * sizeof *permit->row);
        judge(&ask, outcome);
        outcome->random = ask.question.random;
    }
    /* A call that used nothing was refused; one that failed half-way is settled by what it used. */
    const bool nothing = a->kind != LLIM_ANSWER_OK && facts.amount[LLIM_TOKENS] == 0;
    return nothing ? llim_reject(limiter->zone, permit) : llim_settle(limiter->zone, permit, &facts);
}

int llim_answered(llim_limiter *limiter, llim_permit *permit, const llim_response *response, llim_answer *answer)
{
    llim_answer a;
    if (permit->n_rows == 0 || permit->n_rows > LLIM_MAX_ROWS) return LLIM_EENDED;
    llim__thread *thread = llim__limiter_enter(limiter, NULL);
    if (!thread) return LLIM_ENOMEM;
    const uint32_t model = model_of(thread->set, permit);
    if (model == thread->set->n_known) return LLIM_EINVAL;
    llim_response r = *response;
    if (r.provider == LLIM_PROVIDER_ANY) r.provider = provider_of(thread->set->models[model].provider);
    if (r.now_wall_ns == 0) llim_zone_now(limiter->zone, NULL, &r.now_wall_ns);
    int code = llim_classify(&r, &a);
    if (code) return code;
    if (answer) *answer = a;
    llim__outcome outcome = {.answer = &a,
                             .status = r.status,
                             .live = r.close_code != 0,
                             .random = -1,
                             .model = thread->set->models[model].name};
    const uint64_t serial = permit->serial;
    permit->serial = 0; /* a shadow is told of the answer, not of what follows from it here */
    code = llim__answer(thread, permit, &outcome);
    permit->serial = serial;
    if (serial && permit->n_rows == 0) llim__shadow_answered(limiter, serial, &outcome);
    return code;
}
