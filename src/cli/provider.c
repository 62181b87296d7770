/* provider.c - see provider.h. Exact whole numbers throughout; the plainest way to count that is right. */
#include "cli/provider.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

void cli_provider_open(cli_provider *provider, const llim_usage *limits, uint32_t n, int32_t law)
{
    *provider = (cli_provider){.n = 0};
    for (uint32_t i = 0; i < n; i++) {
        const llim_limit *l = &limits[i].limit;
        if (l->law != LLIM_SLIDING && l->law != LLIM_BUCKET) continue;
        provider->count[provider->n++] =
            (cli_count){.meter = l->meter, .law = law, .limit = l->amount, .window_ns = l->window_ns};
    }
}

/* Lets go what does not count any more at that instant. */
static void pass(cli_count *c, int64_t at_ns, int64_t wall_ns)
{
    switch (c->law) {
    case LLIM_SLIDING:
        for (; c->tail < c->n && c->arrivals[c->tail].at_ns <= at_ns - c->window_ns; c->tail++)
            c->sum -= c->arrivals[c->tail].amount;
        break;
    case LLIM_CALENDAR:
        if (wall_ns / c->window_ns != c->period) c->sum = 0;
        c->period = wall_ns / c->window_ns;
        break;
    default:
        c->level -= (cli_wide)c->limit * (at_ns - c->at_ns);
        if (c->level < 0) c->level = 0;
        c->at_ns = at_ns;
    }
}

/* From then until the amount fits: 0, or INT64_MAX if it never does. */
static int64_t wait_for(const cli_count *c, int64_t at_ns, int64_t wall_ns, int64_t amount)
{
    if (amount > c->limit) return INT64_MAX;
    if (c->law == LLIM_BUCKET) {
        const cli_wide over = c->level + (cli_wide)(amount - c->limit) * c->window_ns;
        return over > 0 ? (int64_t)((over + c->limit - 1) / c->limit) : 0;
    }
    int64_t sum = c->sum, leaves_ns = at_ns;
    if (sum + amount <= c->limit) return 0;
    if (c->law == LLIM_CALENDAR) return (c->period + 1) * c->window_ns - wall_ns;
    for (uint32_t i = c->tail; sum + amount > c->limit; i++) {
        sum -= c->arrivals[i].amount;
        leaves_ns = c->arrivals[i].at_ns + c->window_ns;
    }
    return leaves_ns - at_ns;
}

static void count(cli_count *c, int64_t at_ns, int64_t amount)
{
    c->sum += amount;
    if (c->law == LLIM_BUCKET) c->level += (cli_wide)amount * c->window_ns;
    if (c->law != LLIM_SLIDING) return;
    if (c->n == c->cap && c->tail > c->cap / 2) {
        c->n -= c->tail;
        memmove(c->arrivals, c->arrivals + c->tail, c->n * sizeof *c->arrivals);
        c->tail = 0;
    } else if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        c->arrivals = cli_resize(c->arrivals, c->cap, sizeof *c->arrivals);
    }
    c->arrivals[c->n++] = (cli_arrival){at_ns, amount};
}

bool cli_provider_take(cli_provider *provider, int64_t at_ns, int64_t wall_ns, const llim_charge *used,
                       int64_t *wait_ns)
{
    bool requests_fit = true;
    *wait_ns = 0;
    for (cli_count *c = provider->count; c < provider->count + provider->n; c++) {
        pass(c, at_ns, wall_ns);
        const int64_t wait = wait_for(c, at_ns, wall_ns, used->amount[c->meter]);
        if (wait > *wait_ns) *wait_ns = wait;
        if (wait > 0 && c->meter == LLIM_REQUESTS) requests_fit = false;
    }
    for (cli_count *c = provider->count; c < provider->count + provider->n; c++)
        if (*wait_ns == 0 || (requests_fit && c->meter == LLIM_REQUESTS)) count(c, at_ns, used->amount[c->meter]);
    return *wait_ns == 0;
}

void cli_provider_close(cli_provider *provider)
{
    for (uint32_t i = 0; i < provider->n; i++) free(provider->count[i].arrivals);
    provider->n = 0;
}
