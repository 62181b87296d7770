/*
 * test_closings.c - closings of a sliding window that are late or lost, and reloads in between: nothing that was charged is
 * forgotten, and a limit that stays stays exact. Moments that only an interleaving reaches are made by hand.
 */
#include "engine/laws.h"
#include "kit.h"

typedef struct bench {
    kit_world world;
    llim_row row;
    llim__row *place;
} bench;

static void set(bench *b, int64_t amount, int64_t window_ns)
{
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, amount, window_ns, 0);
    b->row = kit_row(b->world.zone, "team:a", &limit, 1);
    b->place = &b->world.zone->row[b->row.index];
}

/* A limit whose last charges were long ago. */
static void begin(bench *b, int64_t amount)
{
    kit_open(&b->world, 4, 4, 1);
    set(b, amount, KIT_MINUTE);
    kit_permit(b->world.zone, b->row, LLIM_TOKENS, 6);
    kit_advance(b->world.zone, 10 * KIT_SECOND);
    kit_permit(b->world.zone, b->row, LLIM_TOKENS, 3);
    kit_advance(b->world.zone, 4 * KIT_MINUTE); /* slots are told apart for 8 */
}

/* Charges beyond any limit, and dies before it closes the slots that it leaves behind. */
static void charge_and_die(bench *b, int64_t amount)
{
    llim__step step = llim__step_at(b->world.zone, b->place, 0);
    llim__ring *ring = llim__sliding_ring_of(b->world.zone, at_load_acq(&step.cell->aux));
    uint64_t closing[LLIM__RING];
    for (int i = 0; i < LLIM__RING; i++) closing[i] = at_load_acq(&ring->closing[i]);
    const llim_charge facts = kit_charge(LLIM_TOKENS, amount);
    assert_int_equal(llim_record(b->world.zone, &b->row, 1, &facts), LLIM_OK);
    for (int i = 0; i < LLIM__RING; i++) at_store_rel(&ring->closing[i], closing[i]);
}

/* Plans a charge that moves the head. */
static llim__step plan(bench *b, int64_t amount)
{
    llim__step step = llim__step_at(b->world.zone, b->place, 0);
    step.amount = amount;
    assert_int_equal(llim__law_plan(b->world.zone, llim__zone_now(b->world.zone), &step), LLIM_OK);
    assert_true(step.more);
    return step;
}

static void test_who_moves_the_head_of_a_limit_that_stays_closes(void **state)
{
    (void)state;
    bench b;
    begin(&b, 20);
    llim__step step = plan(&b, 12);
    set(&b, 15, KIT_MINUTE);
    assert_int_equal(llim__law_commit(b.world.zone, llim__zone_now(b.world.zone), &step), LLIM_OK);
    assert_int_equal(kit_used(b.world.zone, b.row, 0), 12);
    assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 3), LLIM_OK);
    assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_close(&b.world);
}

/* It waits for nobody: the writer that has marked the row may wait for the closings. */
static void test_who_moves_the_head_below_a_mark_closes(void **state)
{
    (void)state;
    bench b;
    begin(&b, 20);
    llim__step step = plan(&b, 12);
    at_store_rel(&b.place->state, step.state | LLIM__CHANGING);
    assert_int_equal(llim__law_commit(b.world.zone, llim__zone_now(b.world.zone), &step), LLIM_OK);
    assert_int_equal(step.state, at_load_acq(&b.place->state) & ~(uint64_t)LLIM__CHANGING);
    at_store_rel(&b.place->state, step.state);
    assert_int_equal(kit_used(b.world.zone, b.row, 0), 12);
    kit_close(&b.world);
}

/* Lowered, so that what is in use is more than the limit; then a window and an amount in which that would be little. */
static void test_a_new_limit_begins_with_all_that_may_be_in_use(void **state)
{
    (void)state;
    for (int lowered = 0; lowered < 2; lowered++) {
        bench b;
        begin(&b, lowered ? 20 : 10);
        charge_and_die(&b, 18);
        if (lowered) set(&b, 10, KIT_MINUTE);
        assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 1), LLIM_LATER);
        set(&b, 30, 4 * KIT_MINUTE);
        /* At most one slot's traffic too much: that of the head which nobody has closed. */
        assert_in_range(kit_used(b.world.zone, b.row, 0), 18, 18 + 3);
        assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 13), LLIM_LATER);
        kit_advance(b.world.zone, 4 * KIT_MINUTE + KIT_SECOND);
        assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 30), LLIM_OK);
        kit_close(&b.world);
    }
}

/* Of which a part is known: what came behind the closings that are lost. */
static void test_what_is_known_is_not_all(void **state)
{
    (void)state;
    bench b;
    begin(&b, 10);
    charge_and_die(&b, 18);
    kit_advance(b.world.zone, 5 * KIT_SECOND);
    const llim_charge facts = kit_charge(LLIM_TOKENS, 12);
    assert_int_equal(llim_record(b.world.zone, &b.row, 1, &facts), LLIM_OK);
    set(&b, 40, 4 * KIT_MINUTE);
    assert_in_range(kit_used(b.world.zone, b.row, 0), 30, 30 + 3);
    kit_close(&b.world);
}

/* The clock of a machine that lost its power may come back from before the last charge. */
static void test_what_is_ahead_of_the_clock_is_in_use(void **state)
{
    (void)state;
    const int64_t back[] = {3 * KIT_SECOND, 50 * KIT_SECOND, 5 * KIT_MINUTE};
    for (size_t i = 0; i < KIT_COUNT(back); i++) {
        bench b;
        begin(&b, 10);
        const llim_charge facts = kit_charge(LLIM_TOKENS, 18);
        assert_int_equal(llim_record(b.world.zone, &b.row, 1, &facts), LLIM_OK);
        at_i64 *clock = &b.world.zone->header->time.steady;
        at_store_rel(clock, at_load_acq(clock) - back[i]);
        assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 1), LLIM_LATER);
        set(&b, 30, 4 * KIT_MINUTE);
        assert_true(kit_used(b.world.zone, b.row, 0) >= 18);
        assert_int_equal(kit_admit(b.world.zone, b.row, LLIM_TOKENS, 13), LLIM_LATER);
        kit_close(&b.world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_moves_the_head_of_a_limit_that_stays_closes),
        cmocka_unit_test(test_who_moves_the_head_below_a_mark_closes),
        cmocka_unit_test(test_a_new_limit_begins_with_all_that_may_be_in_use),
        cmocka_unit_test(test_what_is_known_is_not_all),
        cmocka_unit_test(test_what_is_ahead_of_the_clock_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
