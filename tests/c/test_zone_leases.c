/*
 * test_zone_leases.c - leases of processes that have ended come back to those that live, and only those.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "engine/owner.h"

enum { LIMIT = 6 };

typedef struct gate {
    llim_zone *zone;
    llim_row row;
} gate;

static gate begin(const char *name, uint32_t leases)
{
    llim_zone_options options = crew_virtual();
    llim_limit limit = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, LIMIT, KIT_DAY, 0);
    options.name = name;
    options.leases = leases;
    gate g = {.zone = crew_open(&options)};
    g.row = kit_row(g.zone, "live", &limit, 1);
    return g;
}

/* Admits, not hindered by that it has just asked who lives. */
static int admit(const gate *g, int64_t amount)
{
    at_store_rlx(&g->zone->looked_at, 0);
    return kit_admit(g->zone, g->row, LLIM_SESSIONS, amount);
}

static int take_two_and_stand(void *arg)
{
    const gate *g = arg;
    if (admit(g, 1) || admit(g, 1)) return 1;
    raise(SIGSTOP);
    return 0;
}

static void test_leases_of_the_killed_return(void **state)
{
    (void)state;
    gate g = begin("killed", 0);
    pid_t child[3];
    for (int i = 0; i < 3; i++) {
        child[i] = crew_start(take_two_and_stand, &g);
        crew_stopped(child[i]);
    }
    assert_int_equal(kit_used(g.zone, g.row, 0), LIMIT);
    assert_int_equal(admit(&g, 1), LLIM_LATER); /* who stands is not dead */
    kill(child[1], SIGKILL);
    assert_int_equal(crew_end(child[1]), -SIGKILL);
    assert_int_equal(admit(&g, 2), LLIM_OK);
    assert_int_equal(admit(&g, 1), LLIM_LATER);
    kill(child[0], SIGCONT); /* this one ends by itself, and is asked for later */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child[0], &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(admit(&g, 3), LLIM_LATER);
    assert_int_equal(admit(&g, 2), LLIM_OK);
    assert_int_equal(crew_end(child[0]), 0);
    kill(child[2], SIGKILL);
    assert_int_equal(crew_end(child[2]), -SIGKILL);
    assert_int_equal(kit_used(g.zone, g.row, 0), LIMIT);
    llim_zone_close(g.zone);
}

static void test_a_table_of_leases_that_the_dead_hold(void **state)
{
    (void)state;
    gate g = begin("table", 4);
    llim_limit limit = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, LIMIT, KIT_DAY, 0);
    llim_row other = kit_row(g.zone, "other", &limit, 1);
    for (int i = 0; i < 2; i++) {
        pid_t child = crew_start(take_two_and_stand, &g);
        crew_stopped(child);
        kill(child, SIGKILL);
        crew_end(child);
    }
    at_store_rlx(&g.zone->looked_at, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(kit_admit(g.zone, other, LLIM_SESSIONS, 1), LLIM_OK);
    assert_int_equal(kit_admit(g.zone, other, LLIM_SESSIONS, 1), LLIM_EFULL);
    llim_zone_close(g.zone);
}

/* A process under the same id that started at another time is another one. */
static void test_an_id_that_was_given_again(void **state)
{
    (void)state;
    gate g = begin("again", 0);
    pid_t child = crew_start(take_two_and_stand, &g);
    crew_stopped(child);
    assert_int_equal(admit(&g, 5), LLIM_LATER);
    for (uint32_t i = 0; i < 2; i++) {
        at_u64 *owner = &g.zone->slot[i].owner;
        at_store_rel(owner, at_load_acq(owner) ^ (uint64_t)1 << 30); /* as if it were of one that was there before */
    }
    assert_int_equal(admit(&g, 6), LLIM_OK);
    kill(child, SIGKILL);
    crew_end(child);
    llim_zone_close(g.zone);
}

/* Ids of another namespace say nothing, and whoever is in another one leaves none. */
static void test_another_namespace(void **state)
{
    (void)state;
    gate g = begin("namespace", 0);
    pid_t child = crew_start(take_two_and_stand, &g);
    crew_stopped(child);
    kill(child, SIGKILL);
    crew_end(child);
    const uint64_t mine = at_load_rlx(&g.zone->header->pid_namespace);
    assert_true(mine != 0);
    at_store_rel(&g.zone->header->pid_namespace, mine + 1);
    assert_int_equal(llim__owner_self(g.zone), 0);
    assert_int_equal(admit(&g, 5), LLIM_LATER);
    at_store_rel(&g.zone->header->pid_namespace, mine);
    assert_int_equal(admit(&g, 5), LLIM_OK);
    llim_zone_close(g.zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leases_of_the_killed_return),
        cmocka_unit_test(test_a_table_of_leases_that_the_dead_hold),
        cmocka_unit_test(test_an_id_that_was_given_again),
        cmocka_unit_test(test_another_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
