/*
 * test_gauge.c - leases: held until their permit ends or their time to live does, renewed, counted apart from windows, and
 * the one thing by which an ended permit's copy is noticed.
 */
#include "kit.h"

static llim_row one_gauge(kit_world *world, int64_t amount, uint32_t leases)
{
    kit_open(world, 4, 4, leases);
    llim_limit spec = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, amount, KIT_MINUTE, 0);
    return kit_row(world->zone, "model:live", &spec, 1);
}

static void test_holds_until_the_permit_ends(void **state)
{
    (void)state;
    static int (*const ends[])(llim_zone *, llim_permit *) = {llim_reject, llim_cancel};
    kit_world world;
    llim_row row = one_gauge(&world, 3, 16);
    for (size_t round = 0; round < 30; round++) {
        llim_permit permit[3];
        for (int i = 0; i < 3; i++) {
            permit[i] = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
            assert_int_equal(permit[i].n_leases, 1);
            assert_int_equal(kit_used(world.zone, row, 0), i + 1);
        }
        assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
        int code = round % 3 == 2 ? llim_settle(world.zone, &permit[1], NULL) : ends[round % 3](world.zone, &permit[1]);
        assert_int_equal(code, LLIM_OK);
        assert_int_equal(kit_used(world.zone, row, 0), 2);
        assert_int_equal(permit[1].n_rows, 0);
        assert_int_equal(llim_settle(world.zone, &permit[0], NULL), LLIM_OK);
        assert_int_equal(llim_settle(world.zone, &permit[2], NULL), LLIM_OK);
        assert_int_equal(kit_used(world.zone, row, 0), 0);
        kit_advance(world.zone, KIT_MS / 3);
    }
    kit_close(&world);
}

static void test_expires_after_its_time_to_live(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_gauge(&world, 2, 16);
    kit_at(world.zone, 123456);
    llim_permit first = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    kit_at(world.zone, 10 * KIT_SECOND);
    llim_permit second = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    llim_refusal refusal;
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
    int64_t end = KIT_START + 123456 + KIT_MINUTE;
    assert_true(refusal.at_ns >= end && refusal.at_ns <= end + KIT_MS);
    kit_check_instant(&world, &row, 1, &charge, &refusal);
    kit_at(world.zone, KIT_MINUTE + 123455);
    assert_int_equal(kit_used(world.zone, row, 0), 2);
    kit_at(world.zone, refusal.at_ns - KIT_START);
    assert_int_equal(kit_used(world.zone, row, 0), 1);
    assert_int_equal(llim_settle(world.zone, &first, NULL), LLIM_EENDED);
    assert_int_equal(first.n_rows, 0);
    assert_int_equal(kit_used(world.zone, row, 0), 1);
    assert_int_equal(llim_settle(world.zone, &second, NULL), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    kit_close(&world);
}

static void test_renewal_starts_the_time_to_live_anew(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_gauge(&world, 1, 16);
    llim_permit permit = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    for (int i = 0; i < 50; i++) {
        kit_advance(world.zone, 59 * KIT_SECOND);
        assert_int_equal(llim_renew(world.zone, &permit), LLIM_OK);
        assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    }
    int64_t wait = kit_wait(world.zone, row, LLIM_SESSIONS, 1);
    assert_true(wait >= KIT_MINUTE && wait <= KIT_MINUTE + KIT_MS);
    kit_advance(world.zone, KIT_MINUTE + KIT_MS);
    assert_int_equal(llim_renew(world.zone, &permit), LLIM_EENDED);
    llim_permit next = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    assert_int_equal(llim_renew(world.zone, &permit), LLIM_EENDED);
    assert_int_equal(llim_cancel(world.zone, &permit), LLIM_EENDED);
    assert_int_equal(kit_used(world.zone, row, 0), 1);
    assert_int_equal(llim_settle(world.zone, &next, NULL), LLIM_OK);
    kit_close(&world);
}

/* A permit's copy ends once: the second ending corrects nothing, neither the gauge nor the window beside it. */
static void test_copy_of_an_ended_permit_is_noticed(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 16);
    llim_limit specs[] = {kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 5, KIT_MINUTE, 0),
                          kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0)};
    llim_row row = kit_row(world.zone, "model:live", specs, 2);
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    charge.amount[LLIM_TOKENS] = 20;
    llim_permit permit, kept;
    assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &kept, NULL), LLIM_OK);
    assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    llim_permit copies[] = {permit, permit, permit, permit};
    assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
    llim_charge facts = kit_fact(LLIM_TOKENS, 90);
    /* The lease may be in use again, by somebody else. */
    assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    assert_int_equal(llim_cancel(world.zone, &copies[0]), LLIM_EENDED);
    assert_int_equal(llim_reject(world.zone, &copies[1]), LLIM_EENDED);
    assert_int_equal(llim_settle(world.zone, &copies[2], &facts), LLIM_EENDED);
    assert_int_equal(llim_renew(world.zone, &copies[3]), LLIM_EENDED);
    assert_int_equal(kit_used(world.zone, row, 0), 2);
    assert_int_equal(kit_used(world.zone, row, 1), 40);
    kit_close(&world);
}

static void test_amounts(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_gauge(&world, 5, 16);
    llim_permit none = kit_permit(world.zone, row, LLIM_SESSIONS, 0);
    assert_int_equal(none.n_leases, 0);
    llim_permit three = kit_permit(world.zone, row, LLIM_SESSIONS, 3);
    assert_int_equal(kit_used(world.zone, row, 0), 3);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 3), LLIM_LATER);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 6), LLIM_NEVER);
    kit_permit(world.zone, row, LLIM_SESSIONS, 2);
    llim_charge facts = kit_charge(LLIM_SESSIONS, 1);
    assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 5);
    assert_int_equal(llim_settle(world.zone, &three, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 2);
    assert_int_equal(llim_settle(world.zone, &none, NULL), LLIM_OK);
    kit_close(&world);
}

/* Leases of a zone are finite: the error names it, changes nothing, and expired leases make room. */
static void test_no_lease_is_left(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 4);
    llim_limit specs[] = {kit_limit(LLIM_REQUESTS, LLIM_SLIDING, 100, KIT_MINUTE, 0),
                          kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 100, KIT_MINUTE, 0)};
    llim_row row = kit_row(world.zone, "model:live", specs, 2);
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    charge.amount[LLIM_REQUESTS] = 1;
    llim_permit permit;
    int code = LLIM_OK;
    int64_t held = 0;
    for (; code == LLIM_OK && held < 100; held++) code = llim_admit(world.zone, &row, 1, &charge, &permit, NULL);
    held--;
    assert_int_equal(code, LLIM_EFULL);
    assert_true(held >= 4);
    assert_int_equal(kit_used(world.zone, row, 0), held);
    assert_int_equal(kit_used(world.zone, row, 1), held);
    llim_zone_stats stats;
    llim_zone_get_stats(world.zone, &stats);
    assert_int_equal(stats.leases_used, held);
    kit_advance(world.zone, 2 * KIT_MINUTE);
    assert_int_equal(kit_used(world.zone, row, 1), 0);
    for (int64_t i = 0; i < held; i++)
        assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 1), held);
    kit_close(&world);
}

/* Several gauges in one admission: a refusal by the last leaves no lease of the others behind. */
static void test_refusal_leaves_no_lease(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 16);
    llim_limit wide = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 10, KIT_MINUTE, 0);
    llim_limit narrow = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 1, KIT_MINUTE, 0);
    llim_row rows[] = {kit_row(world.zone, "model:live", &wide, 1), kit_row(world.zone, "team:acme", &narrow, 1)};
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    llim_permit permit;
    assert_int_equal(llim_admit(world.zone, rows, 2, &charge, &permit, NULL), LLIM_OK);
    assert_int_equal(permit.n_leases, 2);
    for (int i = 0; i < 50; i++) {
        llim_permit refused;
        llim_refusal refusal;
        assert_int_equal(llim_admit(world.zone, rows, 2, &charge, &refused, &refusal), LLIM_LATER);
        assert_string_equal(refusal.scope, "team:acme");
    }
    llim_zone_stats stats;
    llim_zone_get_stats(world.zone, &stats);
    assert_int_equal(stats.leases_used, 2);
    assert_int_equal(kit_used(world.zone, rows[0], 0), 1);
    assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
    llim_zone_get_stats(world.zone, &stats);
    assert_int_equal(stats.leases_used, 0);
    kit_close(&world);
}

/* Leases outlive their gauge: one that comes back counts them, and a stranger that gets the row does not. */
static void test_leases_belong_to_their_scope(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 8);
    llim_limit gauge = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 3, KIT_HOUR, 0);
    llim_row row = kit_row(world.zone, "team:a", &gauge, 1);
    llim_permit held[3];
    for (int i = 0; i < 3; i++) held[i] = kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    row = kit_row(world.zone, "team:a", NULL, 0);
    row = kit_row(world.zone, "team:a", &gauge, 1);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    assert_int_equal(llim_cancel(world.zone, &held[0]), LLIM_OK);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_OK);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    row = kit_row(world.zone, "team:a", NULL, 0);
    row = kit_row(world.zone, "team:b", &gauge, 1); /* the only row there is */
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_OK);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    kit_close(&world);
}

/* A gauge that holds more than it may by now refuses who asks for a session, and nobody else. */
static void test_who_asks_for_none_is_not_refused(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 16);
    llim_limit limits[] = {kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 5, KIT_HOUR, 0),
                           kit_limit(LLIM_REQUESTS, LLIM_SLIDING, 1, KIT_MINUTE, 0)};
    llim_row row = kit_row(world.zone, "model:live", limits, 2);
    for (int i = 0; i < 5; i++) kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    limits[0].amount = 2;
    row = kit_row(world.zone, "model:live", limits, 2);
    kit_permit(world.zone, row, LLIM_REQUESTS, 1);
    llim_charge charge = kit_charge(LLIM_REQUESTS, 1);
    llim_refusal refusal;
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
    assert_int_equal(refusal.meter, LLIM_REQUESTS);
    kit_check_instant(&world, &row, 1, &charge, &refusal);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    kit_close(&world);
}

/* More leases than a permit holds are too many whether or not there is room for them. */
static void test_more_leases_than_a_permit_holds(void **state)
{
    (void)state;
    kit_world world;
    llim_row rows[LLIM_MAX_LEASES + 1];
    kit_open(&world, 16, 4, 64);
    for (int i = 0; i <= LLIM_MAX_LEASES; i++) {
        const char name[2] = {(char)('a' + i), 0};
        llim_limit limit = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 1, KIT_MINUTE, 0);
        rows[i] = kit_row(world.zone, name, &limit, 1);
    }
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    llim_permit permit;
    llim_refusal refusal;
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_LEASES, &charge, &permit, &refusal), LLIM_OK);
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_LEASES + 1, &charge, &permit, &refusal), LLIM_EINVAL);
    assert_int_equal(llim_check(world.zone, rows, LLIM_MAX_LEASES + 1, &charge, &refusal), LLIM_EINVAL);
    kit_close(&world);
}

static void test_asking_tells_that_no_lease_is_left(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = one_gauge(&world, 9, 2);
    llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(llim_check(world.zone, &row, 1, &charge, NULL), LLIM_OK);
        kit_permit(world.zone, row, LLIM_SESSIONS, 1);
    }
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, NULL), LLIM_EFULL);
    assert_int_equal(kit_admit(world.zone, row, LLIM_SESSIONS, 1), LLIM_EFULL);
    kit_advance(world.zone, KIT_MINUTE + KIT_MS);
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, NULL), LLIM_OK);
    kit_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_asks_for_none_is_not_refused),
        cmocka_unit_test(test_more_leases_than_a_permit_holds),
        cmocka_unit_test(test_asking_tells_that_no_lease_is_left),
        cmocka_unit_test(test_leases_belong_to_their_scope),
        cmocka_unit_test(test_holds_until_the_permit_ends),
        cmocka_unit_test(test_expires_after_its_time_to_live),
        cmocka_unit_test(test_renewal_starts_the_time_to_live_anew),
        cmocka_unit_test(test_copy_of_an_ended_permit_is_noticed),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_no_lease_is_left),
        cmocka_unit_test(test_refusal_leaves_no_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
