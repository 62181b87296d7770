/*
 * test_busy.c - another process stands in the middle of a change to the zone: what a limiter does with its requests meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "engine/writer.h"
#include "llm_limiters.h"

enum { ROWS = 1 << 22 }; /* whose repair would be waited for, for some 4 s */

typedef struct setup {
    llim_limiter *limiter;
    llim_zone *zone;
    llim_row row;     /* of model a */
    uint32_t writing; /* what the child says that it is about */
    bool copies;
} setup;

static setup open_limiter(const char *zone, int32_t clock)
{
    setup s = {.writing = LLIM__WRITER};
    llim_options options = {.size = sizeof options,
                            .overrides_text = "return { a = { rpm = 5 }, b = { rpm = 5 } }",
                            .zone = {.size = sizeof options.zone, .clock = clock, .name = zone, .rows = ROWS}};
    llim_error err;
    if (llim_open(&options, &s.limiter, &err)) fail_msg("%s", err.message);
    llim_model_info info;
    assert_int_equal(llim_model(s.limiter, "a", &info, NULL), LLIM_OK);
    s.zone = llim_limiter_zone(s.limiter);
    s.row = info.row;
    return s;
}

/* Stands in a change of model a's row until it is told to go on. */
static int stand(void *arg)
{
    setup *s = arg;
    if (llim__zone_lock(s->zone)) return 1;
    llim__row *row = &s->zone->row[s->row.index];
    const uint64_t state = at_load_acq(&row->state);
    at_store_rel(&s->zone->header->writing, s->writing);
    at_store_rel(&row->state, state | LLIM__CHANGING);
    if (s->copies) llim__memory_copies(s->zone->memory);
    raise(SIGSTOP);
    at_store_rel(&row->state, state + ((uint64_t)1 << 16));
    llim__zone_unlock(s->zone);
    return 0;
}

static pid_t start_standing(setup *s)
{
    pid_t child = crew_start(stand, s);
    crew_stopped(child);
    return child;
}

/* Until somebody of this process has waited for the child in vain. */
static void wait_for_despair(const setup *s)
{
    while (!at_load_acq(&s->zone->memory->stuck)) sched_yield();
}

static void go_on(pid_t child)
{
    kill(child, SIGCONT);
    assert_int_equal(crew_end(child), 0);
}

static llim_request request_for(const char *const *models, uint32_t n)
{
    return (llim_request){.size = sizeof(llim_request), .models = models, .n_models = n};
}

static void test_the_next_candidate_is_tried(void **state)
{
    (void)state;
    static const char *const models[] = {"a", "b"};
    setup s = open_limiter("busy-next", LLIM_CLOCK_VIRTUAL);
    const llim_request both = request_for(models, 2), one = request_for(models, 1);
    llim_permit permit;
    llim_error err;
    pid_t child = start_standing(&s);
    assert_int_equal(llim_acquire(s.limiter, &one, &permit, NULL, &err), LLIM_EBUSY);
    assert_string_equal(err.message, "a: another process stands in the middle of a change to the zone");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(llim_acquire(s.limiter, &both, &permit, NULL, NULL), LLIM_OK);
        assert_int_equal(permit.candidate, 1);
    }
    /* Nobody knows of a when it fits, so that no refusal can tell. */
    assert_int_equal(llim_acquire(s.limiter, &both, &permit, NULL, NULL), LLIM_EBUSY);
    go_on(child);
    assert_int_equal(llim_acquire(s.limiter, &both, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 0);
    llim_close(s.limiter);
}

static void *wait_for_a(void *arg)
{
    static const char *const models[] = {"a"};
    const setup *s = arg;
    const llim_request request = request_for(models, 1);
    const llim_wait_options options = {.size = sizeof options, .timeout_ns = 60 * KIT_SECOND};
    llim_permit permit;
    return (void *)(intptr_t)llim_wait(s->limiter, &request, &options, &permit, NULL, NULL);
}

static void test_who_waits_goes_on_waiting(void **state)
{
    (void)state;
    setup s = open_limiter("busy-wait", LLIM_CLOCK_REAL);
    pid_t child = start_standing(&s);
    pthread_t waiter;
    void *code;
    assert_int_equal(pthread_create(&waiter, NULL, wait_for_a, &s), 0);
    wait_for_despair(&s);
    go_on(child);
    pthread_join(waiter, &code);
    assert_int_equal((intptr_t)code, LLIM_OK);
    llim_close(s.limiter);
}

static void *place(void *arg)
{
    const setup *s = arg;
    const llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    llim_row row;
    return (void *)(intptr_t)kit_try_row(s->zone, "new", &limit, 1, &row);
}

/* What it comes to for who wants to place a scope while a child stands. */
static int place_meanwhile(setup *s)
{
    const bool waits = s->copies || s->writing == LLIM__REPAIRER;
    pthread_t placer;
    void *code;
    pid_t child = start_standing(s);
    assert_int_equal(pthread_create(&placer, NULL, place, s), 0);
    wait_for_despair(s);
    if (!waits) pthread_join(placer, &code);
    go_on(child);
    if (waits) pthread_join(placer, &code);
    at_store_rlx(&s->zone->memory->stuck, 0);
    return (int)(intptr_t)code;
}

/* A repair and a copy take longer than a writer is waited for, if there are many rows. */
static void test_what_takes_long_is_waited_for(void **state)
{
    (void)state;
    setup s = open_limiter("busy-long", LLIM_CLOCK_REAL);
    assert_int_equal(place_meanwhile(&s), LLIM_EBUSY);
    s.writing = LLIM__REPAIRER;
    assert_int_equal(place_meanwhile(&s), LLIM_OK);
    s.writing = LLIM__WRITER;
    s.copies = true;
    assert_int_equal(place_meanwhile(&s), LLIM_OK);
    s.copies = false; /* which is not so for ever */
    assert_int_equal(place_meanwhile(&s), LLIM_EBUSY);
    llim_close(s.limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_candidate_is_tried),
        cmocka_unit_test(test_who_waits_goes_on_waiting),
        cmocka_unit_test(test_what_takes_long_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
