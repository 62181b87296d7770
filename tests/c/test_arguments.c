/*
 * test_arguments.c - every argument that the header excludes is refused with its code and a sentence, and changes nothing:
 * limits, scopes, rows, options, overrides as a text, and memory that runs out at open.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm_limiters.h"

static const int laws[] = {LLIM_SLIDING, LLIM_CALENDAR, LLIM_BUCKET, LLIM_GAUGE};

static llim_limit of_law(int law, int64_t amount)
{
    return law == LLIM_CALENDAR ? kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "", amount, 0)
                                : kit_limit(LLIM_TOKENS, law, amount, KIT_MINUTE, 0);
}

static void test_two_equal_limits(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        kit_open(&world, 4, 4, 4);
        llim_limit limits[] = {of_law(laws[l], 100), of_law(laws[l], 200)};
        llim_row row;
        assert_int_equal(kit_try_row(world.zone, "team:acme", limits, 2, &row), LLIM_EINVAL);
        assert_int_equal(llim_row_find(world.zone, "team:acme", 9, &row), LLIM_ENOTFOUND);
        kit_close(&world);
    }
}

static void test_bad_limits_change_nothing(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 4);
    llim_limit good = of_law(LLIM_BUCKET, 100);
    llim_row row = kit_row(world.zone, "team:acme", &good, 1);
    kit_permit(world.zone, row, LLIM_TOKENS, 60);
    struct {
        llim_limit limit;
        int code;
    } bad[] = {
        {kit_limit(LLIM_METERS, LLIM_BUCKET, 1, KIT_MINUTE, 0), LLIM_EINVAL},
        {kit_limit(-1, LLIM_BUCKET, 1, KIT_MINUTE, 0), LLIM_EINVAL},
        {kit_limit(LLIM_TOKENS, LLIM_GAUGE + 1, 1, KIT_MINUTE, 0), LLIM_EINVAL},
        {kit_limit(LLIM_TOKENS, LLIM_BUCKET, 0, KIT_MINUTE, 0), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_BUCKET, -1, KIT_MINUTE, 0), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_BUCKET, (int64_t)LLIM_AMOUNT_MAX + 1, KIT_MINUTE, 0), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_BUCKET, 1, KIT_SECOND - 1, 0), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1, 400 * KIT_DAY + 1, 0), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1, KIT_MINUTE, -1), LLIM_ERANGE},
        {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1, KIT_MINUTE, KIT_MINUTE / 4 + 1), LLIM_ERANGE},
        {kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 1, KIT_MINUTE, 1), LLIM_ERANGE},
        {kit_calendar(LLIM_TOKENS, LLIM_NO_UNIT, "", 1, 0), LLIM_EINVAL},
        {kit_calendar(LLIM_TOKENS, LLIM_PER_MONTH + 1, "", 1, 0), LLIM_EINVAL},
        {kit_calendar(LLIM_TOKENS, LLIM_PER_MINUTE, "", 1, 16 * KIT_SECOND), LLIM_ERANGE},
        {kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "Mars/Olympus_Mons", 1, 0), LLIM_ETIMEZONE},
        {kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "../etc/passwd", 1, 0), LLIM_ETIMEZONE},
        {kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "/etc/localtime", 1, 0), LLIM_ETIMEZONE},
    };
    for (size_t i = 0; i < KIT_COUNT(bad); i++) {
        llim_limit limits[] = {of_law(LLIM_BUCKET, 1000), bad[i].limit};
        llim_error err;
        llim_row_spec spec = {
            .size = sizeof spec, .scope_len = 9, .scope = "team:acme", .limits = limits, .n_limits = 2};
        llim_row other;
        int code = llim_row_set(world.zone, &spec, &other, &err);
        if (code != bad[i].code) fail_msg("limit %zu: %s", i, llim_code_name(code));
        assert_int_equal(err.code, code);
        assert_true(err.message[0] != '\0');
        assert_int_equal(llim_row_set(world.zone, &spec, &other, NULL), code);
        assert_int_equal(kit_used(world.zone, row, 0), 60);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 101), LLIM_NEVER);
    }
    kit_close(&world);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 16, 4, 4);
    llim_limit limit = of_law(LLIM_BUCKET, 100);
    char scope[LLIM_SCOPE_MAX + 2];
    memset(scope, 'x', sizeof scope - 1);
    scope[sizeof scope - 1] = '\0';
    llim_row row, rows[LLIM_MAX_ROWS + 1];
    assert_int_equal(kit_try_row(world.zone, scope, &limit, 1, &row), LLIM_EINVAL);
    assert_int_equal(kit_try_row(world.zone, "", &limit, 1, &row), LLIM_EINVAL);
    llim_row_spec spec = {.size = sizeof spec - 1, .scope_len = 1, .scope = "x", .limits = &limit, .n_limits = 1};
    assert_int_equal(llim_row_set(world.zone, &spec, &row, NULL), LLIM_EVERSION);
    for (int i = 0; i <= LLIM_MAX_ROWS; i++) {
        scope[2] = '\0';
        scope[1] = (char)('a' + i);
        rows[i] = kit_row(world.zone, scope, &limit, 1);
    }
    llim_charge charge = kit_charge(LLIM_TOKENS, 1);
    llim_permit permit;
    assert_int_equal(llim_admit(world.zone, rows, 0, &charge, &permit, NULL), LLIM_EINVAL);
    assert_int_equal(llim_admit(world.zone, rows, LLIM_MAX_ROWS + 1, &charge, &permit, NULL), LLIM_EINVAL);
    assert_int_equal(llim_check(world.zone, rows, 0, &charge, NULL), LLIM_EINVAL);
    assert_int_equal(llim_record(world.zone, rows, LLIM_MAX_ROWS + 1, &charge), LLIM_EINVAL);
    for (int i = 0; i <= LLIM_MAX_ROWS; i++) assert_int_equal(kit_used(world.zone, rows[i], 0), 0);
    static const llim_row nowhere[] = {{0, 0}, {UINT32_MAX, 0}, {UINT32_MAX, UINT32_MAX}, {0, 1}, {16, 99}, {17, 0}};
    for (size_t i = 0; i < KIT_COUNT(nowhere); i++)
        assert_int_equal(llim_admit(world.zone, &nowhere[i], 1, &charge, &permit, NULL), LLIM_ENOTFOUND);
    kit_close(&world);
}

static void *no_memory(void *ctx, void *ptr, size_t old_size, size_t size)
{
    int *left = ctx;
    (void)old_size;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return (*left)-- > 0 ? realloc(ptr, size) : NULL;
}

static void test_opening(void **state)
{
    (void)state;
    llim_zone *zone = NULL;
    static const llim_zone_options wrong[] = {
        {.size = sizeof(llim_zone_options), .rows = (1u << 24) + 1},
        {.size = sizeof(llim_zone_options), .sliding = (1u << 20) + 1},
        {.size = sizeof(llim_zone_options), .leases = (1u << 20) + 1},
        {.size = sizeof(llim_zone_options), .clock = LLIM_CLOCK_VIRTUAL, .start_ns = -1},
        {.size = sizeof(llim_zone_options), .clock = LLIM_CLOCK_VIRTUAL, .start_ns = ((int64_t)1 << 58) + 1},
        {.size = sizeof(llim_zone_options), .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = -1},
        {.size = sizeof(llim_zone_options), .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = INT64_MAX},
    };
    for (size_t i = 0; i < KIT_COUNT(wrong); i++) {
        zone = (llim_zone *)&zone;
        assert_int_equal(llim_zone_open(&wrong[i], &zone, NULL), LLIM_ERANGE);
        assert_null(zone);
    }
    llim_zone_options options = {.size = sizeof options + 8};
    assert_int_equal(llim_zone_open(&options, &zone, NULL), LLIM_EVERSION);
    int code = LLIM_ENOMEM;
    for (int blocks = 0; code == LLIM_ENOMEM && blocks < 100; blocks++) {
        int left = blocks;
        options = (llim_zone_options){.size = sizeof options, .alloc = no_memory, .alloc_ctx = &left};
        code = llim_zone_open(&options, &zone, NULL);
        assert_true(code == LLIM_OK || (code == LLIM_ENOMEM && !zone));
        if (code == LLIM_OK) llim_zone_close(zone);
    }
    assert_int_equal(code, LLIM_OK);
    assert_int_equal(llim_zone_open(NULL, &zone, NULL), LLIM_OK);
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    assert_int_equal(stats.rows, 1024);
    assert_int_equal(stats.sliding, 256);
    assert_int_equal(stats.leases, 1024);
    assert_int_equal(stats.rows_used, 0);
    llim_zone_close(zone);
    llim_zone_close(NULL);
}

/* Overrides as a text: kept for later reloads, wrong ones named, and never beside a file. */
static void test_overrides_text(void **state)
{
    (void)state;
    llim_options o = {.size = sizeof o, .overrides_text = "return { mine = { rpm = 7 } }"};
    llim_limiter *limiter;
    llim_model_info info;
    llim_error err;
    uint32_t generation;
    char text[64];
    snprintf(text, sizeof text, "%s", o.overrides_text);
    o.overrides_text = text;
    assert_int_equal(llim_open(&o, &limiter, &err), LLIM_OK);
    memset(text, 0, sizeof text); /* it was borrowed for the call */
    assert_int_equal(llim_model(limiter, "mine", &info, &err), LLIM_OK);
    assert_int_equal(llim_reload(limiter, NULL, &generation, &err), LLIM_OK);
    assert_int_equal(generation, 1);
    o.overrides_text = "return { other = { rpm = 7 } }";
    assert_int_equal(llim_reload(limiter, &o, &generation, &err), LLIM_OK);
    assert_int_equal(generation, 2);
    assert_int_equal(llim_model(limiter, "mine", &info, &err), LLIM_EUNKNOWN_MODEL);
    assert_int_equal(llim_model(limiter, "other", &info, &err), LLIM_OK);
    o.overrides_text = "return {\n  other = { rpn = 7 } }";
    assert_int_equal(llim_reload(limiter, &o, &generation, &err), LLIM_ECONFIG);
    assert_string_equal(err.file, "overrides_text");
    assert_int_equal(err.line, 2);
    o.overrides = "quotas.lua";
    assert_int_equal(llim_reload(limiter, &o, &generation, &err), LLIM_EINVAL);
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_equal_limits), cmocka_unit_test(test_bad_limits_change_nothing),
        cmocka_unit_test(test_bad_arguments),    cmocka_unit_test(test_opening),
        cmocka_unit_test(test_overrides_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
