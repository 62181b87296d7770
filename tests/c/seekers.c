/* seekers.c - see seekers.h. */
#include "seekers.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "host/limiter.h"

const char seekers_overrides[] =
    "return {\n"
    "  one = { rpm = 1, guard = 0 }, other = { rpm = 1, guard = 0 },\n"
    "  slots = { sessions = 1 }, three = { sessions = 3 },\n"
    "  tokens = { tpm = 10, guard = 0 }, level = { tpm = 10, guard = 0, law = 'bucket' },\n"
    "  never = { blocked = true },\n"
    "}\n";

llim_limiter *seekers_open(int clock, const char *policy)
{
    char mine[32], rules[32];
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .overrides = mine};
    options.zone = (llim_zone_options){.size = sizeof options.zone, .clock = clock};
    if (clock == LLIM_CLOCK_VIRTUAL) options.zone.start_wall_ns = KIT_WALL;
    kit_write_file(mine, seekers_overrides);
    if (policy) kit_write_file(rules, policy);
    if (policy) options.policy = rules;
    int code = llim_open(&options, &limiter, &err);
    unlink(mine);
    if (policy) unlink(rules);
    if (code) fail_msg("%s", err.message);
    return limiter;
}

static void note(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

void seeker_init(seeker *s, llim_limiter *limiter, const char *model, int meter, int64_t amount)
{
    memset(s, 0, sizeof *s);
    s->limiter = limiter;
    s->model = model;
    s->request = (llim_request){.size = sizeof s->request, .models = &s->model, .n_models = 1};
    s->request.charge.amount[meter] = amount;
    s->options = (llim_wait_options){.size = sizeof s->options, .wake = note, .wake_ctx = &s->woken};
}

void seeker_begin(seeker *s)
{
    llim_error err;
    int code = llim_wait_begin(s->limiter, &s->request, &s->options, &s->waiter, &err);
    if (code) fail_msg("%s", err.message);
}

int seeker_poll(seeker *s)
{
    s->woken = 0;
    return s->code = llim_wait_poll(s->waiter, &s->permit, &s->refusal, &s->at_ns, NULL);
}

llim_permit seekers_hold(llim_limiter *limiter, const char *model, int meter, int64_t amount)
{
    seeker s;
    seeker_init(&s, limiter, model, meter, amount);
    assert_int_equal(llim_acquire(limiter, &s.request, &s.permit, NULL, NULL), LLIM_OK);
    return s.permit;
}

int64_t seekers_now(llim_limiter *limiter)
{
    int64_t steady;
    llim_zone_now(llim_limiter_zone(limiter), &steady, NULL);
    return steady;
}

void seeker_wait(seeker *s)
{
    s->code = llim_wait(s->limiter, &s->request, &s->options, &s->permit, &s->refusal, NULL);
}

static void *wait_in_thread(void *arg)
{
    seeker_wait(arg);
    return NULL;
}

void seekers_settle(llim_limiter *limiter, uint32_t n)
{
    while (at_load_rlx(&limiter->queue.n) != n) sched_yield();
}

/* Starts a thread that waits, and goes on once it stands in the queue. */
void seeker_start(seeker *s)
{
    const uint32_t n = at_load_rlx(&s->limiter->queue.n);
    assert_int_equal(pthread_create(&s->thread, NULL, wait_in_thread, s), 0);
    seekers_settle(s->limiter, n + 1);
}

void seeker_join(seeker *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}
