/*
 * test_permits.c - how a reservation ends: settled, rejected or cancelled, once, for limits charged as used and as reserved,
 * and what is not a fact or an amount.
 */
#include "kit.h"

#include <string.h>

/* One row that counts requests, tokens as used, and output tokens as reserved. */
static llim_row three_limits(kit_world *world, int law)
{
    kit_open(world, 4, 8, 4);
    llim_limit specs[3];
    for (int i = 0; i < 3; i++) {
        static const int meters[] = {LLIM_REQUESTS, LLIM_TOKENS, LLIM_OUTPUT_TOKENS};
        specs[i] = law == LLIM_CALENDAR ? kit_calendar(meters[i], LLIM_PER_DAY, "", 1000, 0)
                                        : kit_limit(meters[i], law, 1000, KIT_MINUTE, 0);
    }
    specs[2].charged = LLIM_CHARGED_RESERVED;
    return kit_row(world->zone, "model:m", specs, 3);
}

static llim_permit reserve(kit_world *world, llim_row row)
{
    llim_charge charge = kit_charge(LLIM_REQUESTS, 1);
    charge.amount[LLIM_TOKENS] = charge.amount[LLIM_OUTPUT_TOKENS] = 100;
    llim_permit permit;
    assert_int_equal(llim_admit(world->zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    return permit;
}

static void check_used(kit_world *world, llim_row row, int64_t requests, int64_t tokens, int64_t output)
{
    assert_int_equal(kit_used(world->zone, row, 0), requests);
    assert_int_equal(kit_used(world->zone, row, 1), tokens);
    assert_int_equal(kit_used(world->zone, row, 2), output);
}

static const int laws[] = {LLIM_SLIDING, LLIM_CALENDAR, LLIM_BUCKET};

static llim_charge facts_of(int64_t tokens)
{
    llim_charge facts = kit_fact(LLIM_TOKENS, tokens);
    facts.amount[LLIM_REQUESTS] = 7; /* requests are never corrected */
    facts.amount[LLIM_OUTPUT_TOKENS] = tokens;
    return facts;
}

static void test_settle(void **state)
{
    (void)state;
    static const int64_t facts_tokens[] = {0, 1, 40, 100, 101, 250, 5000};
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        for (size_t f = 0; f < KIT_COUNT(facts_tokens); f++) {
            kit_world world;
            llim_row row = three_limits(&world, laws[l]);
            llim_permit other = reserve(&world, row), permit = reserve(&world, row);
            llim_charge facts = facts_of(facts_tokens[f]);
            assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
            check_used(&world, row, 2, 100 + facts_tokens[f], 200);
            /* A second settlement does nothing. */
            assert_int_equal(permit.n_rows, 0);
            assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_EENDED);
            assert_int_equal(llim_reject(world.zone, &permit), LLIM_EENDED);
            assert_int_equal(llim_cancel(world.zone, &permit), LLIM_EENDED);
            assert_int_equal(llim_renew(world.zone, &permit), LLIM_EENDED);
            check_used(&world, row, 2, 100 + facts_tokens[f], 200);
            assert_int_equal(llim_cancel(world.zone, &other), LLIM_OK);
            check_used(&world, row, 1, facts_tokens[f], 100);
            kit_close(&world);
        }
    }
}

static void test_unknown_facts_leave_the_reservation(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        llim_row row = three_limits(&world, laws[l]);
        llim_permit first = reserve(&world, row), second = reserve(&world, row);
        assert_int_equal(llim_settle(world.zone, &first, NULL), LLIM_OK);
        llim_charge facts = kit_fact(LLIM_IMAGES, 3);
        assert_int_equal(llim_settle(world.zone, &second, &facts), LLIM_OK);
        check_used(&world, row, 2, 200, 200);
        kit_close(&world);
    }
}

static void test_reject_keeps_the_request(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        llim_row row = three_limits(&world, laws[l]);
        llim_permit permit = reserve(&world, row);
        assert_int_equal(llim_reject(world.zone, &permit), LLIM_OK);
        check_used(&world, row, 1, 0, 0);
        assert_int_equal(llim_reject(world.zone, &permit), LLIM_EENDED);
        kit_close(&world);
    }
}

static void test_cancel_gives_everything_back(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        llim_row row = three_limits(&world, laws[l]);
        llim_permit permit = reserve(&world, row);
        assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
        check_used(&world, row, 0, 0, 0);
        assert_int_equal(llim_cancel(world.zone, &permit), LLIM_EENDED);
        kit_close(&world);
    }
}

static void test_range_errors_leave_the_permit_alive(void **state)
{
    (void)state;
    static const int64_t wrong[] = {-2, INT64_MIN, (int64_t)LLIM_AMOUNT_MAX + 1, INT64_MAX};
    kit_world world;
    llim_row row = three_limits(&world, LLIM_SLIDING);
    llim_permit permit = reserve(&world, row), before = permit;
    for (size_t i = 0; i < KIT_COUNT(wrong); i++) {
        for (int m = 0; m < LLIM_METERS; m++) {
            llim_charge facts = kit_fact(m, wrong[i]);
            assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_ERANGE);
            assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_ERANGE);
            assert_memory_equal(&permit, &before, sizeof permit);
            llim_charge charge = kit_charge(m, wrong[i]);
            llim_permit untouched = before;
            assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &untouched, NULL), LLIM_ERANGE);
            assert_int_equal(llim_check(world.zone, &row, 1, &charge, NULL), LLIM_ERANGE);
            assert_memory_equal(&untouched, &before, sizeof before);
        }
    }
    llim_charge unknown = kit_charge(LLIM_IMAGES, LLIM_UNKNOWN);
    assert_int_equal(llim_check(world.zone, &row, 1, &unknown, NULL), LLIM_ERANGE);
    check_used(&world, row, 1, 100, 100);
    assert_int_equal(llim_settle(world.zone, &permit, NULL), LLIM_OK);
    kit_close(&world);
}

static void test_largest_facts(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = three_limits(&world, LLIM_SLIDING);
    llim_permit permit = reserve(&world, row);
    llim_charge facts = kit_fact(LLIM_TOKENS, LLIM_AMOUNT_MAX);
    assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
    check_used(&world, row, 1, LLIM_AMOUNT_MAX, 100);
    kit_close(&world);
}

static void test_several_rows_or_none(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 8, 16, 4);
    llim_row rows[LLIM_MAX_ROWS];
    for (int i = 0; i < LLIM_MAX_ROWS; i++) {
        char scope[] = "team:0";
        scope[5] = (char)('0' + i);
        llim_limit spec = kit_limit(LLIM_TOKENS, laws[i % 2 ? 0 : 2], 100 - i, KIT_MINUTE, 0);
        rows[i] = kit_row(world.zone, scope, &spec, 1);
    }
    llim_charge charge = kit_charge(LLIM_TOKENS, 50);
    llim_permit permit;
    llim_refusal refusal;
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_ROWS, &charge, &permit, NULL), LLIM_OK);
    for (int i = 0; i < LLIM_MAX_ROWS; i++) assert_int_equal(kit_used(world.zone, rows[i], 0), 50);
    charge.amount[LLIM_TOKENS] = 45;
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_ROWS, &charge, &permit, &refusal), LLIM_LATER);
    assert_int_equal(refusal.amount, 45);
    assert_int_equal(refusal.used, 50);
    for (int i = 0; i < LLIM_MAX_ROWS; i++) assert_int_equal(kit_used(world.zone, rows[i], 0), 50);
    kit_check_instant(&world, rows, LLIM_MAX_ROWS, &charge, &refusal);
    /* One row that can never take it decides, wherever it stands and however full the others are. */
    charge.amount[LLIM_TOKENS] = 94;
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_ROWS, &charge, &permit, &refusal), LLIM_NEVER);
    assert_int_equal(refusal.code, LLIM_NEVER);
    assert_string_equal(refusal.scope, "team:7");
    assert_int_equal(refusal.limit, 93);
    assert_int_equal(refusal.wait_ns, 0);
    kit_close(&world);
}

static void test_refusal_names_what_refused(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = three_limits(&world, LLIM_SLIDING);
    reserve(&world, row);
    llim_charge charge = kit_charge(LLIM_TOKENS, 901);
    llim_refusal refusal;
    llim_permit permit, untouched;
    memset(&permit, 0x5a, sizeof permit);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_int_equal(llim_admit(world.zone, &row, 1, &charge, &permit, &refusal), LLIM_LATER);
    assert_memory_equal(&permit, &untouched, sizeof permit);
    assert_int_equal(refusal.code, LLIM_LATER);
    assert_int_equal(refusal.reason, LLIM_BY_LIMIT);
    assert_int_equal(refusal.meter, LLIM_TOKENS);
    assert_int_equal(refusal.law, LLIM_SLIDING);
    assert_int_equal(refusal.window_ns, KIT_MINUTE);
    assert_int_equal(refusal.limit, 1000);
    assert_int_equal(refusal.used, 100);
    assert_int_equal(refusal.amount, 901);
    assert_string_equal(refusal.scope, "model:m");
    char text[256], cut[8];
    int length = llim_refusal_text(&refusal, text, sizeof text);
    assert_true(length > 0 && (size_t)length == strlen(text));
    assert_non_null(strstr(text, "model:m"));
    assert_non_null(strstr(text, "tokens"));
    assert_int_equal(llim_refusal_text(&refusal, cut, sizeof cut), length);
    assert_int_equal(strlen(cut), sizeof cut - 1);
    kit_close(&world);
}

static void test_cooldown(void **state)
{
    (void)state;
    kit_world world;
    llim_row row = three_limits(&world, LLIM_SLIDING);
    llim_charge charge = kit_charge(LLIM_TOKENS, 1);
    llim_refusal refusal;
    int64_t left;
    assert_int_equal(llim_cooling(world.zone, row, &left), LLIM_OK);
    assert_int_equal(left, 0);
    assert_int_equal(llim_cool(world.zone, row, 10 * KIT_SECOND), LLIM_OK);
    assert_int_equal(llim_cool(world.zone, row, 3 * KIT_SECOND), LLIM_OK);
    assert_int_equal(llim_cool(world.zone, row, 0), LLIM_OK);
    assert_int_equal(llim_cool(world.zone, row, -1), LLIM_ERANGE);
    assert_int_equal(llim_cool(world.zone, row, 400 * KIT_DAY + 1), LLIM_ERANGE);
    kit_advance(world.zone, 4 * KIT_SECOND);
    assert_int_equal(llim_cooling(world.zone, row, &left), LLIM_OK);
    assert_int_equal(left, 6 * KIT_SECOND);
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_LATER);
    assert_int_equal(refusal.reason, LLIM_BY_COOLDOWN);
    assert_int_equal(refusal.wait_ns, 6 * KIT_SECOND);
    assert_int_equal(refusal.limit, 0);
    assert_string_equal(refusal.scope, "model:m");
    kit_check_instant(&world, &row, 1, &charge, &refusal);
    kit_advance(world.zone, 6 * KIT_SECOND);
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_OK);
    kit_close(&world);
}

static void test_record_is_never_refused(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        llim_row row = three_limits(&world, laws[l]);
        llim_charge facts = kit_fact(LLIM_TOKENS, 700);
        assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
        assert_int_equal(llim_record(world.zone, &row, 1, &facts), LLIM_OK);
        check_used(&world, row, 0, 1400, 0);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 0), LLIM_LATER);
        kit_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_unknown_facts_leave_the_reservation),
        cmocka_unit_test(test_reject_keeps_the_request),
        cmocka_unit_test(test_cancel_gives_everything_back),
        cmocka_unit_test(test_range_errors_leave_the_permit_alive),
        cmocka_unit_test(test_largest_facts),
        cmocka_unit_test(test_several_rows_or_none),
        cmocka_unit_test(test_refusal_names_what_refused),
        cmocka_unit_test(test_cooldown),
        cmocka_unit_test(test_record_is_never_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
