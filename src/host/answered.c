/*
 * answered.c - what follows from a provider's answer: how the permit ends, and who cools for how long.
 *
 * The answer is read by llim_classify(). Where it tells no wait, the model backs off: the more often it refused of late, the
 * longer, and not all callers until the same instant. A strike is forgotten after a minute, and all of them by a call that
 * succeeds.
 */
#include <string.h>

#include "host/limiter.h"

#define SECONDS(n) ((int64_t)(n)*LLIM_SECOND)

enum { MOST_DOUBLED = 10 };

/* How long a model backs off at its first strike, and at most, before chance adds as much again. A live session's close tells
   nothing of the limit that it is about. */
static const struct backoff {
    int64_t first, most;
} rate = {SECONDS(30), SECONDS(300)}, live = {SECONDS(60), SECONDS(300)}, overload = {SECONDS(1), SECONDS(30)};

/* A credential that has nothing left is probed now and then; one that was refused may have been mended. */
static const int64_t spent = SECONDS(3600), refused = SECONDS(60);

static int64_t now_of(const llim_limiter *limiter)
{
    int64_t steady;
    llim_zone_now(limiter->zone, &steady, NULL);
    return steady;
}

/* The model whose row a permit was charged to first. */
static uint32_t model_of(const llim__set *set, llim_row row)
{
    uint32_t i = 0;
    while (i < set->n_models && (set->models[i].row.index != row.index || set->models[i].row.epoch != row.epoch)) i++;
    return i;
}

static int32_t provider_of(const char *name)
{
    int32_t provider = LLIM_PROVIDERS - 1;
    while (provider > LLIM_PROVIDER_ANY && strcmp(llim_provider_name(provider), name) != 0) provider--;
    return provider;
}

/* The time for sure, and as much again by chance: Steele, Lea and Flood, "Fast splittable pseudorandom number generators". */
static int64_t with_jitter(llim_limiter *limiter, int64_t ns)
{
    uint64_t z = at_add_rlx(&limiter->random, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ns + (int64_t)(z % (uint64_t)(ns + 1));
}

static int64_t strike(llim_limiter *limiter, llim__set *set, uint32_t model, const struct backoff *backoff)
{
    llim__strikes *s = &set->strikes[model];
    const int64_t now = now_of(limiter), faded = (now - at_load_rlx(&s->last_ns)) / SECONDS(60);
    uint32_t n = at_load_rlx(&s->count);
    n = n > faded ? n - (uint32_t)faded : 0;
    if (n < MOST_DOUBLED) at_store_rlx(&s->count, n + 1);
    at_store_rlx(&s->last_ns, now);
    int64_t ns = backoff->first << n;
    return with_jitter(limiter, ns < backoff->most ? ns : backoff->most);
}

/* "gpt-image-1" is of "gpt-image". */
static bool is_of_family(const char *name, const char *family)
{
    const size_t n = strlen(family);
    return n && strncmp(name, family, n) == 0 && (name[n] == 0 || name[n] == '-');
}

static void cool(llim_limiter *limiter, const llim__set *set, uint32_t model, const llim_answer *a, int64_t ns)
{
    const llim_model_info *info = &set->models[model];
    llim_cool(limiter->zone, info->row, ns);
    if (a->scope != LLIM_SCOPE_CREDENTIAL && a->scope != LLIM_SCOPE_FAMILY) return;
    for (uint32_t i = 0; i < set->n_models; i++) {
        const llim_model_info *other = &set->models[i];
        if (strcmp(other->provider, info->provider) != 0) continue;
        if (a->scope == LLIM_SCOPE_CREDENTIAL || is_of_family(other->name, a->family))
            llim_cool(limiter->zone, other->row, ns);
    }
}

static void apply(llim_limiter *limiter, llim__set *set, uint32_t model, bool closed, const llim_answer *a)
{
    const bool told = a->retry_after_ns != LLIM_UNKNOWN;
    switch (a->kind) {
    case LLIM_ANSWER_OK:
        at_store_rlx(&set->strikes[model].count, 0);
        return;
    case LLIM_ANSWER_RATE:
        cool(limiter, set, model, a, told ? a->retry_after_ns : strike(limiter, set, model, closed ? &live : &rate));
        return;
    case LLIM_ANSWER_OVERLOAD:
        cool(limiter, set, model, a, told ? a->retry_after_ns : strike(limiter, set, model, &overload));
        return;
    case LLIM_ANSWER_QUOTA:
        cool(limiter, set, model, a, spent);
        return;
    case LLIM_ANSWER_AUTH:
        cool(limiter, set, model, a, refused);
        return;
    default:
        return;
    }
}

int llim_answered(llim_limiter *limiter, llim_permit *permit, const llim_response *response, llim_answer *answer)
{
    llim_answer a;
    if (permit->n_rows == 0 || permit->n_rows > LLIM_MAX_ROWS) return LLIM_EENDED;
    llim__thread *thread = llim__limiter_enter(limiter, NULL);
    if (!thread) return LLIM_ENOMEM;
    llim__set *set = thread->set;
    const uint32_t model = model_of(set, permit->row[0]);
    if (model == set->n_models) return LLIM_EINVAL;
    llim_response r = *response;
    if (r.provider == LLIM_PROVIDER_ANY) r.provider = provider_of(set->models[model].provider);
    if (r.now_wall_ns == 0) llim_zone_now(limiter->zone, NULL, &r.now_wall_ns);
    int code = llim_classify(&r, &a);
    if (code) return code;
    if (answer) *answer = a;
    apply(limiter, set, model, r.close_code != 0, &a);
    /* A call that used nothing was refused; one that failed half-way is settled by what it used. */
    const bool nothing = a.kind != LLIM_ANSWER_OK && a.facts.charge.amount[LLIM_TOKENS] == 0;
    return nothing ? llim_reject(limiter->zone, permit) : llim_settle(limiter->zone, permit, &a.facts.charge);
}
