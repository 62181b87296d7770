/*
 * test_returns.c - what was given back of a sliding window's charges, at the level of its words: whose a place is, and who may
 * write there. What the whole window makes of it is tested through the public API.
 */
#include <string.h>

#include "engine/laws.h"
#include "engine/returns.h"
#include "kit.h"

#define SLOT 10000005 /* any that is not the first of a block */

typedef struct bench {
    kit_world world;
    llim__step step; /* aimed at the only limit */
    llim__ring *ring;
} bench;

static void begin(bench *b)
{
    kit_open(&b->world, 4, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1000, KIT_MINUTE, 0);
    llim_row row = kit_row(b->world.zone, "team:a", &limit, 1);
    b->step = llim__step_at(b->world.zone, &b->world.zone->row[row.index], 0);
    b->ring = llim__sliding_ring_of(b->world.zone, at_load_acq(&b->step.cell->aux));
}

/* The ring as that of a limit whose newest slot this is. */
static void stand_at(bench *b, int64_t slot)
{
    uint64_t aux = at_load_acq(&b->step.cell->aux), reach = (uint64_t)llim__sliding_reach(&b->step);
    at_store_rel(&b->step.cell->aux, aux - reach + (uint64_t)slot);
    llim__returns_start(b->ring, slot);
}

static void give(bench *b, int64_t slot, int64_t amount)
{
    assert_int_equal(llim__returns_add(b->world.zone, &b->step, slot, amount), LLIM_OK);
}

static void test_counts_from_any_slot_on(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    for (int64_t k = SLOT - 127; k <= SLOT; k++) give(&b, k, k % 7);
    for (int64_t first = SLOT - 120; first <= SLOT; first++) {
        int64_t sum = 0;
        for (int64_t k = first; k <= SLOT; k++) sum += k % 7;
        assert_int_equal(llim__returns_between(b.ring, first, SLOT), sum);
    }
    kit_close(&b.world);
}

/* Places come round after 128 slots, their numbers after 2^14, those of blocks after 2^18. */
static void test_what_is_of_long_ago_is_not_taken(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    const int64_t ago[] = {128, 129, 256, 1024, 1 << 14, (1 << 14) + 5, 1 << 18, 1 << 20};
    give(&b, SLOT, 1);
    for (size_t i = 0; i < KIT_COUNT(ago); i++) give(&b, SLOT - ago[i], 9);
    assert_int_equal(llim__returns_between(b.ring, SLOT - 127, SLOT), 1);
    kit_close(&b.world);
}

/* Who died between raising reach and entering the slot has turned nothing over. */
static void test_a_place_that_was_not_turned_over_is_left_alone(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    give(&b, SLOT - 127, 3);
    at_store_rel(&b.step.cell->aux, at_load_acq(&b.step.cell->aux) + 1);
    give(&b, SLOT + 1, 5);
    assert_int_equal(llim__returns_of_slot(b.ring, SLOT - 127), 3);
    assert_int_equal(llim__returns_of_slot(b.ring, SLOT + 1), 0);
    kit_close(&b.world);
}

static void test_another_tenant_has_other_words(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    llim__ring before;
    memcpy(&before, b.ring, sizeof before);
    llim__returns_start(b.ring, SLOT);
    for (int i = 0; i < LLIM__RING; i++) assert_true(before.returned[i] != b.ring->returned[i]);
    for (int i = 0; i < LLIM__BLOCKS; i++) assert_true(before.block_returned[i] != b.ring->block_returned[i]);
    kit_close(&b.world);
}

static void test_a_place_is_turned_over_by_who_enters_it(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    give(&b, SLOT - 100, 5);
    llim__step *step = &b.step;
    step->swap.word = &step->cell->word;
    step->swap.expected = at_load_acq(&step->cell->word);
    step->from_slot = SLOT;
    step->to_slot = SLOT + 28; /* the place of SLOT - 100 */
    step->swap.expected++;     /* somebody has moved the head meanwhile */
    assert_false(llim__returns_turn_over(b.ring, step));
    assert_int_equal(llim__returns_of_slot(b.ring, SLOT - 100), 5);
    step->swap.expected--;
    assert_true(llim__returns_turn_over(b.ring, step));
    assert_int_equal(llim__returns_of_slot(b.ring, SLOT - 100), 0);
    give(&b, SLOT - 100, 5); /* late */
    assert_int_equal(llim__returns_of_slot(b.ring, SLOT + 28), 0);
    kit_close(&b.world);
}

static void test_a_changed_row_is_told(void **state)
{
    (void)state;
    bench b;
    begin(&b);
    stand_at(&b, SLOT);
    b.step.state ^= LLIM__STATE(0, 1, 0, 0);
    assert_int_equal(llim__returns_add(b.world.zone, &b.step, SLOT, 5), LLIM__WAIT);
    assert_int_equal(llim__returns_between(b.ring, SLOT - 120, SLOT), 0);
    kit_close(&b.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_from_any_slot_on),
        cmocka_unit_test(test_what_is_of_long_ago_is_not_taken),
        cmocka_unit_test(test_a_place_that_was_not_turned_over_is_left_alone),
        cmocka_unit_test(test_another_tenant_has_other_words),
        cmocka_unit_test(test_a_place_is_turned_over_by_who_enters_it),
        cmocka_unit_test(test_a_changed_row_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
