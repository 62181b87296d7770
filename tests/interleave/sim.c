/*
 * sim.c - see sim.h.
 *
 * Three ways to schedule, one picked by each seed: anybody at each step; bursts; priorities that change at a few steps only,
 * which finds what needs one long pause in the right place. Beside them a thread may be made to stand for hundreds of steps.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "engine/zone.h"

enum { STACK = 256 << 10, MOST_STEPS = 200000, MOST_ALONE = 100000000, CHANGES = 4, USUAL_STEPS = 700 };
enum mode { ANYBODY, BURSTS, PRIORITIES };
enum state { READY, WAITS, ENDED, DEAD };

typedef struct thread {
    ucontext_t context;
    void (*body)(void *);
    void *arg;
    enum state state;
    int64_t priority;
    uint64_t stands_until;
    int64_t read, read_wall; /* by the call, first */
    int64_t steady;          /* read last */
} thread;

static struct {
    sim_options options;
    kit_rng rng;
    thread thread[SIM_THREADS];
    char *stack[SIM_THREADS];
    unsigned n;
    int self, holder;
    ucontext_t main;
    enum mode mode;
    uint64_t burst, time_odds, wall_odds, stand_odds, death_odds, steps, change[CHANGES];
    uint64_t alone; /* steps of the main thread, before and after */
    int64_t wall_offset, wall_high;
    unsigned dead;
    char wrong[256];
} sim = {.self = -1, .holder = -1};

void sim_begin(const sim_options *options)
{
    sim.options = *options;
    sim.rng.state = options->seed;
    sim.n = sim.dead = 0;
    sim.self = sim.holder = -1;
    sim.steps = sim.alone = 0;
    sim.wrong[0] = 0;
    sim.mode = (enum mode)kit_between(&sim.rng, ANYBODY, PRIORITIES);
    sim.burst = (uint64_t)4 << kit_between(&sim.rng, 0, 5);
    sim.time_odds = options->window_ns ? (uint64_t)8 << kit_between(&sim.rng, 0, 6) : 0;
    sim.wall_odds = options->wall_step_ns ? (uint64_t)16 << kit_between(&sim.rng, 0, 4) : 0;
    sim.wall_high = sim_wall();
    sim.wall_offset = sim.wall_high - sim_clock();
    sim.stand_odds = (uint64_t)16 << kit_between(&sim.rng, 0, 6);
    sim.death_odds = options->deaths ? (uint64_t)64 << kit_between(&sim.rng, 0, 4) : 0;
    for (unsigned i = 0; i < CHANGES; i++) sim.change[i] = kit_random(&sim.rng) % USUAL_STEPS;
}

static void enter(unsigned low, unsigned high);

unsigned sim_spawn(void (*body)(void *), void *arg)
{
    thread *t = &sim.thread[sim.n];
    if (!sim.stack[sim.n]) sim.stack[sim.n] = malloc(STACK);
    assert_non_null(sim.stack[sim.n]);
    *t = (thread){.body = body, .arg = arg, .priority = kit_between(&sim.rng, 1, 1000)};
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = sim.stack[sim.n];
    t->context.uc_stack.ss_size = STACK;
    t->context.uc_link = NULL;
    makecontext(&t->context, (void (*)(void))enter, 2, sim.n, 0u);
    return sim.n++;
}

static bool one_in(uint64_t odds)
{
    return odds && kit_random(&sim.rng) % odds == 0;
}

/* Who goes on; -1: nobody can. */
static int pick(void)
{
    int ready[SIM_THREADS], n = 0, standing = -1, best = -1;
    for (int i = 0; i < (int)sim.n; i++) {
        thread *t = &sim.thread[i];
        if (t->state != READY) continue;
        if (t->stands_until > sim.steps) {
            standing = i;
            continue;
        }
        ready[n++] = i;
        if (best < 0 || t->priority > sim.thread[best].priority) best = i;
    }
    if (n == 0) return standing;
    if (sim.mode == PRIORITIES) return best;
    bool can_go_on = sim.thread[sim.self].state == READY && sim.thread[sim.self].stands_until <= sim.steps;
    if (sim.mode == BURSTS && can_go_on && !one_in(sim.burst)) return sim.self;
    return ready[kit_random(&sim.rng) % (uint64_t)n];
}

static void go_to_main(void)
{
    int self = sim.self;
    sim.self = -1;
    swapcontext(&sim.thread[self].context, &sim.main);
}

static void pass_on(void)
{
    int next = pick(), self = sim.self;
    if (next == self) return;
    if (next < 0) {
        go_to_main();
        return;
    }
    sim.self = next;
    swapcontext(&sim.thread[self].context, &sim.thread[next].context);
}

static void enter(unsigned low, unsigned high)
{
    thread *t = &sim.thread[low + high];
    t->body(t->arg);
    t->state = ENDED;
    pass_on();
}

/* By ticks, slots, parts of a window, and whole windows. */
static void let_time_pass(void)
{
    int64_t window = sim.options.window_ns, by;
    switch (kit_random(&sim.rng) % 8) {
    case 0:
        by = kit_between(&sim.rng, 1, 1000);
        break;
    case 1:
    case 2:
        by = kit_between(&sim.rng, 1, window / 62);
        break;
    case 3:
    case 4:
        by = kit_between(&sim.rng, 1, window / 8);
        break;
    case 5:
        by = kit_between(&sim.rng, window / 4, window);
        break;
    case 6:
        by = kit_between(&sim.rng, window - window / 50, window + window / 50);
        break;
    default:
        by = one_in(8) ? kit_between(&sim.rng, window, window * 17) : kit_between(&sim.rng, 1, window / 31);
    }
    at_i64 *clock = &sim.options.zone->header->time.steady;
    atomic_store_explicit(clock, sim_clock() + by, memory_order_relaxed);
}

static void step_wall(void)
{
    int64_t off =
        kit_between(&sim.rng, 0, 2) * kit_between(&sim.rng, -sim.options.wall_step_ns, sim.options.wall_step_ns);
    atomic_store_explicit(&sim.options.zone->header->time.wall_offset, sim.wall_offset + off / 2, memory_order_relaxed);
}

static void free_lock(void)
{
    sim.holder = -1;
    for (unsigned i = 0; i < sim.n; i++)
        if (sim.thread[i].state == WAITS) sim.thread[i].state = READY;
}

static void step(void)
{
    thread *t = &sim.thread[sim.self];
    if (++sim.steps > MOST_STEPS) sim_wrong("no end after %d steps: somebody waits for ever", MOST_STEPS);
    if (one_in(sim.time_odds)) let_time_pass();
    if (one_in(sim.wall_odds)) step_wall();
    if (one_in(sim.stand_odds)) t->stands_until = sim.steps + (uint64_t)kit_between(&sim.rng, 10, 400);
    for (unsigned i = 0; i < CHANGES; i++) {
        if (sim.change[i] != sim.steps) continue;
        t->priority = -(int64_t)i;
        if (sim.time_odds && one_in(2)) let_time_pass();
    }
    if (sim.dead < sim.options.deaths && one_in(sim.death_odds)) {
        sim.dead++;
        t->state = DEAD;
        if (sim.holder == sim.self) free_lock();
    }
    pass_on();
}

void sim_step(const volatile void *word)
{
    if (sim.self < 0) {
        if (++sim.alone > MOST_ALONE) fail_msg("no end after %d steps with nobody else there", MOST_ALONE);
        return;
    }
    step();
    thread *t = &sim.thread[sim.self];
    if (word == &sim.options.zone->header->time.steady) {
        t->steady = sim_clock();
        if (t->read == 0) t->read = t->steady;
    } else if (word == &sim.options.zone->header->time.wall_offset) {
        int64_t wall = t->steady + sim_wall() - sim_clock();
        if (t->read_wall == 0) t->read_wall = wall;
        if (wall > sim.wall_high) sim.wall_high = wall;
    }
}

/* Somebody else goes on, whoever has priority. */
int sim_yield(void)
{
    if (sim.self < 0) return 0;
    sim.thread[sim.self].stands_until = sim.steps + (uint64_t)kit_between(&sim.rng, 2, 20);
    step();
    return 0;
}

int sim_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
    if (sim.self < 0) return 0;
    step();
    while (sim.holder >= 0) {
        sim.thread[sim.self].state = WAITS;
        pass_on();
    }
    sim.holder = sim.self;
    return 0;
}

int sim_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
    if (sim.self < 0) return 0;
    free_lock();
    step();
    return 0;
}

const char *sim_run(void)
{
    sim.self = (int)(kit_random(&sim.rng) % sim.n);
    swapcontext(&sim.main, &sim.thread[sim.self].context);
    sim.self = -1;
    return sim_failure();
}

const char *sim_failure(void)
{
    return sim.wrong[0] ? sim.wrong : NULL;
}

int64_t sim_read(void)
{
    return sim.thread[sim.self].read;
}

int64_t sim_read_wall(void)
{
    return sim.thread[sim.self].read_wall;
}

void sim_call(void)
{
    sim.thread[sim.self].read = sim.thread[sim.self].read_wall = 0;
}

int64_t sim_clock(void)
{
    return atomic_load_explicit(&sim.options.zone->header->time.steady, memory_order_relaxed);
}

int64_t sim_wall(void)
{
    return sim_clock() + atomic_load_explicit(&sim.options.zone->header->time.wall_offset, memory_order_relaxed);
}

int64_t sim_wall_high(void)
{
    return sim.wall_high;
}

unsigned sim_deaths(void)
{
    return sim.dead;
}

void sim_wrong(const char *format, ...)
{
    va_list args;
    if (sim.wrong[0]) return;
    va_start(args, format);
    vsnprintf(sim.wrong, sizeof sim.wrong, format, args);
    va_end(args);
    if (sim.self >= 0) go_to_main();
}
