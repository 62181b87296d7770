/*
 * test_rows.c - scopes and their limits: made, found, changed without losing a count, and recycled only when
 * idle.
 */
#include "kit.h"

#include <stdio.h>
#include <string.h>

static int set_row(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n, bool pinned, llim_row *row)
{
    llim_row_spec spec = {.size = sizeof spec,
                          .scope_len = (uint32_t)strlen(scope),
                          .scope = scope,
                          .limits = limits,
                          .n_limits = n,
                          .generation = 7,
                          .pinned = pinned};
    return llim_row_set(zone, &spec, row, NULL);
}

static void test_found_by_name(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 300, 4, 4);
    llim_limit spec = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    llim_row row[200], found;
    char scope[LLIM_SCOPE_MAX + 1];
    for (int i = 0; i < 200; i++) {
        snprintf(scope, sizeof scope, "user:acme/%d", i);
        row[i] = kit_row(world.zone, scope, &spec, 1);
    }
    for (int i = 0; i < 200; i++) {
        int length = snprintf(scope, sizeof scope, "user:acme/%d", i);
        assert_int_equal(llim_row_find(world.zone, scope, (size_t)length, &found), LLIM_OK);
        assert_memory_equal(&found, &row[i], sizeof found);
        llim_row again = kit_row(world.zone, scope, &spec, 1);
        assert_memory_equal(&again, &row[i], sizeof again);
    }
    assert_int_equal(llim_row_find(world.zone, "user:acme/200", 13, &found), LLIM_ENOTFOUND);
    memset(scope, 'x', LLIM_SCOPE_MAX);
    scope[LLIM_SCOPE_MAX] = '\0';
    llim_row longest = kit_row(world.zone, scope, &spec, 1);
    assert_int_equal(llim_row_find(world.zone, scope, LLIM_SCOPE_MAX, &found), LLIM_OK);
    assert_memory_equal(&found, &longest, sizeof found);
    /* A refusal shows as much of the name as there is room for. */
    llim_charge charge = kit_charge(LLIM_TOKENS, 11);
    llim_refusal refusal;
    assert_int_equal(llim_check(world.zone, &longest, 1, &charge, &refusal), LLIM_NEVER);
    assert_int_equal(strlen(refusal.scope), LLIM_SCOPE_SHOWN - 1);
    assert_int_equal(refusal.scope[LLIM_SCOPE_SHOWN - 2], '~');
    kit_close(&world);
}

static void test_many_limits(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 8, 20, 4);
    llim_limit limits[LLIM_MAX_LIMITS];
    for (int i = 0; i < LLIM_MAX_LIMITS; i++)
        limits[i] = kit_limit(LLIM_TOKENS, i % 2 ? LLIM_SLIDING : LLIM_BUCKET, 100 + i, KIT_MINUTE * (i + 1), 0);
    llim_row row = kit_row(world.zone, "team:acme", limits, LLIM_MAX_LIMITS);
    kit_permit(world.zone, row, LLIM_TOKENS, 60);
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n;
    assert_int_equal(llim_row_usage(world.zone, row, usage, LLIM_MAX_LIMITS, &n), LLIM_OK);
    assert_int_equal(n, LLIM_MAX_LIMITS);
    for (int i = 0; i < LLIM_MAX_LIMITS; i++) {
        assert_int_equal(usage[i].used, 60);
        assert_int_equal(usage[i].limit.amount, 100 + i);
        assert_int_equal(usage[i].limit.window_ns, limits[i].window_ns);
        assert_int_equal(usage[i].limit.law, limits[i].law);
    }
    usage[2].used = -5;
    assert_int_equal(llim_row_usage(world.zone, row, usage, 2, &n), LLIM_OK);
    assert_int_equal(n, LLIM_MAX_LIMITS);
    assert_int_equal(usage[2].used, -5);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 41), LLIM_LATER);
    kit_permit(world.zone, row, LLIM_TOKENS, 40);
    assert_int_equal(kit_try_row(world.zone, "team:acme", limits, LLIM_MAX_LIMITS + 1, &row), LLIM_ERANGE);
    kit_close(&world);
}

static const int laws[] = {LLIM_SLIDING, LLIM_CALENDAR, LLIM_BUCKET, LLIM_GAUGE};

static llim_limit of_law(int law, int64_t amount)
{
    return law == LLIM_CALENDAR ? kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "", amount, 0)
                                : kit_limit(LLIM_TOKENS, law, amount, KIT_MINUTE, 0);
}

/* The same limits again, others beside them, another charged: nothing is forgotten. */
static void test_unchanged_limits_keep_their_counts(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        kit_open(&world, 8, 8, 8);
        llim_limit limits[] = {of_law(laws[l], 100), kit_limit(LLIM_IMAGES, LLIM_BUCKET, 5, KIT_MINUTE, 0)};
        llim_row row = kit_row(world.zone, "team:acme", limits, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, 60);
        for (int i = 0; i < 3; i++) {
            llim_row again = kit_row(world.zone, "team:acme", limits, 1);
            assert_memory_equal(&row, &again, sizeof row);
            assert_int_equal(kit_used(world.zone, row, 0), 60);
        }
        kit_row(world.zone, "team:acme", limits, 2);
        assert_int_equal(kit_used(world.zone, row, 0), 60);
        assert_int_equal(kit_used(world.zone, row, 1), 0);
        llim_limit turned[] = {limits[1], limits[0]};
        turned[1].charged = LLIM_CHARGED_RESERVED;
        kit_row(world.zone, "team:acme", turned, 2);
        assert_int_equal(kit_used(world.zone, row, 0), 60); /* it keeps its place */
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 41), LLIM_LATER);
        kit_permit(world.zone, row, LLIM_TOKENS, 40);
        kit_close(&world);
    }
}

/* What stays is neither moved nor forgotten when a limit before it goes, and what comes takes the free place. */
static void test_limits_come_and_go_among_others(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        kit_open(&world, 8, 8, 8);
        llim_limit limits[] = {kit_limit(LLIM_IMAGES, LLIM_BUCKET, 5, KIT_MINUTE, 0), of_law(laws[l], 100),
                               kit_limit(LLIM_COST, LLIM_SLIDING, 7, KIT_MINUTE, 0)};
        llim_row row = kit_row(world.zone, "team:acme", limits, 2);
        kit_permit(world.zone, row, LLIM_TOKENS, 60);
        for (int i = 0; i < 3; i++) {
            llim_usage usage[3];
            uint32_t n;
            kit_row(world.zone, "team:acme", &limits[1], 1);
            assert_int_equal(llim_row_usage(world.zone, row, usage, 3, &n), LLIM_OK);
            assert_int_equal(n, 1);
            assert_int_equal(usage[0].limit.meter, LLIM_TOKENS);
            assert_int_equal(usage[0].used, 60);
            kit_permit(world.zone, row, LLIM_IMAGES, 50);
            kit_row(world.zone, "team:acme", &limits[1], 2);
            assert_int_equal(llim_row_usage(world.zone, row, usage, 3, &n), LLIM_OK);
            assert_int_equal(n, 2);
            assert_int_equal(usage[0].limit.meter, LLIM_COST);
            assert_int_equal(usage[1].used, 60);
            assert_int_equal(kit_admit(world.zone, row, LLIM_COST, 8), LLIM_NEVER);
        }
        kit_close(&world);
    }
}

/* A permit gives back to the limits that it charged, even if others have come to the row at the same instant. */
static void test_permits_give_back_to_the_limits_they_charged(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 8, 8, 8);
    llim_limit limits[] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0),
                           kit_limit(LLIM_IMAGES, LLIM_SLIDING, 100, KIT_MINUTE, 0)};
    llim_row row = kit_row(world.zone, "team:acme", limits, 2);
    llim_permit permit, tokens = kit_permit(world.zone, row, LLIM_TOKENS, 60);
    llim_permit images = kit_permit(world.zone, row, LLIM_IMAGES, 60);
    limits[1].window_ns *= 2;
    kit_row(world.zone, "team:acme", limits, 2);
    permit = kit_permit(world.zone, row, LLIM_IMAGES, 40);
    assert_int_equal(llim_cancel(world.zone, &tokens), LLIM_OK);
    assert_int_equal(llim_cancel(world.zone, &images), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    assert_int_equal(kit_used(world.zone, row, 1), 100);
    assert_int_equal(llim_cancel(world.zone, &permit), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 1), 60);
    kit_close(&world);
}

static void test_names_are_shown_without_control_characters(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 2, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 1, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "team:a\n\x1b[31m\x7f", &limit, 1);
    llim_charge charge = kit_charge(LLIM_TOKENS, 2);
    llim_refusal refusal;
    assert_int_equal(llim_check(world.zone, &row, 1, &charge, &refusal), LLIM_NEVER);
    assert_string_equal(refusal.scope, "team:a??[31m?");
    kit_close(&world);
}

static void test_raising_never_denies_and_lowering_never_refunds(void **state)
{
    (void)state;
    for (size_t l = 0; l < KIT_COUNT(laws); l++) {
        kit_world world;
        kit_open(&world, 8, 8, 8);
        llim_limit limit = of_law(laws[l], 100);
        llim_row row = kit_row(world.zone, "team:acme", &limit, 1);
        kit_permit(world.zone, row, LLIM_TOKENS, 60);
        limit.amount = 1000;
        kit_row(world.zone, "team:acme", &limit, 1);
        assert_int_equal(kit_used(world.zone, row, 0), 60);
        kit_permit(world.zone, row, LLIM_TOKENS, 900);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 41), LLIM_LATER);
        limit.amount = 50;
        kit_row(world.zone, "team:acme", &limit, 1);
        assert_in_range(kit_used(world.zone, row, 0), 960, 961);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
        limit.amount = 1000;
        kit_row(world.zone, "team:acme", &limit, 1);
        assert_in_range(kit_used(world.zone, row, 0), 960, 961);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 41), LLIM_LATER);
        kit_permit(world.zone, row, LLIM_TOKENS, 39);
        kit_close(&world);
    }
}

static void test_changed_law_starts_charged(void **state)
{
    (void)state;
    for (size_t from = 0; from < 3; from++) {
        for (size_t to = 0; to < 3; to++) {
            kit_world world;
            kit_open(&world, 8, 8, 8);
            llim_limit limit = of_law(laws[from], 100);
            llim_row row = kit_row(world.zone, "team:acme", &limit, 1);
            llim_permit permit = kit_permit(world.zone, row, LLIM_TOKENS, 60);
            limit = of_law(laws[to], 100);
            limit.guard_ns = KIT_MS;
            kit_row(world.zone, "team:acme", &limit, 1);
            assert_in_range(kit_used(world.zone, row, 0), 60, 61);
            assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 41), LLIM_LATER);
            /* The permit settles against the row that it charged, and must not free what others hold. */
            llim_charge facts = kit_fact(LLIM_TOKENS, 80);
            assert_int_equal(llim_settle(world.zone, &permit, &facts), LLIM_OK);
            assert_in_range(kit_used(world.zone, row, 0), 80, 81);
            kit_close(&world);
        }
    }
}

/* Two old limits of a meter, one new: it starts with the larger of what they hold, at least. */
static void test_replacing_several(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 8, 8, 8);
    llim_limit old[] = {of_law(LLIM_SLIDING, 100), of_law(LLIM_BUCKET, 500)};
    llim_row row = kit_row(world.zone, "team:acme", old, 2);
    kit_permit(world.zone, row, LLIM_TOKENS, 70);
    llim_limit limit = of_law(LLIM_CALENDAR, 100);
    kit_row(world.zone, "team:acme", &limit, 1);
    assert_true(kit_used(world.zone, row, 0) >= 70);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 31), LLIM_LATER);
    kit_row(world.zone, "team:acme", NULL, 0);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, LLIM_AMOUNT_MAX), LLIM_OK);
    kit_close(&world);
}

static void test_full_zone_recycles_what_is_idle(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 60, KIT_MINUTE, 0);
    llim_row pinned, busy, idle, cooled, other, found;
    assert_int_equal(set_row(world.zone, "team:pinned", &limit, 1, true, &pinned), LLIM_OK);
    assert_int_equal(set_row(world.zone, "team:busy", &limit, 1, false, &busy), LLIM_OK);
    assert_int_equal(set_row(world.zone, "team:cooled", &limit, 1, false, &cooled), LLIM_OK);
    assert_int_equal(set_row(world.zone, "team:idle", &limit, 1, false, &idle), LLIM_OK);
    llim_permit permit = kit_permit(world.zone, busy, LLIM_TOKENS, 30),
                late = kit_permit(world.zone, idle, LLIM_TOKENS, 1);
    assert_int_equal(llim_cool(world.zone, cooled, KIT_MINUTE), LLIM_OK);
    assert_int_equal(set_row(world.zone, "team:new", &limit, 1, false, &other), LLIM_EFULL);
    kit_advance(world.zone, 2 * KIT_SECOND);
    assert_int_equal(set_row(world.zone, "team:new", &limit, 1, false, &other), LLIM_OK);
    assert_int_equal(llim_row_find(world.zone, "team:idle", 9, &found), LLIM_ENOTFOUND);
    assert_int_equal(llim_row_find(world.zone, "team:new", 8, &found), LLIM_OK);
    assert_int_equal(kit_used(world.zone, busy, 0), 28);
    kit_permit(world.zone, other, LLIM_TOKENS, 20);
    /* The old handle is of no use, and its permit corrects nobody else's counts. */
    llim_charge charge = kit_charge(LLIM_TOKENS, 1);
    llim_usage usage;
    llim_refusal refusal;
    int64_t left;
    uint32_t n;
    assert_int_equal(llim_row_usage(world.zone, idle, &usage, 1, &n), LLIM_ENOTFOUND);
    assert_int_equal(llim_admit(world.zone, &idle, 1, &charge, &permit, &refusal), LLIM_ENOTFOUND);
    assert_int_equal(llim_check(world.zone, &idle, 1, &charge, NULL), LLIM_ENOTFOUND);
    assert_int_equal(llim_record(world.zone, &idle, 1, &charge), LLIM_ENOTFOUND);
    assert_int_equal(llim_cool(world.zone, idle, KIT_SECOND), LLIM_ENOTFOUND);
    assert_int_equal(llim_cooling(world.zone, idle, &left), LLIM_ENOTFOUND);
    assert_int_equal(llim_cancel(world.zone, &late), LLIM_OK);
    assert_int_equal(kit_used(world.zone, other, 0), 20);
    /* An hour later all but the pinned one may go. */
    kit_advance(world.zone, KIT_HOUR);
    for (int i = 0; i < 50; i++) {
        char scope[32];
        snprintf(scope, sizeof scope, "team:%d", i);
        assert_int_equal(set_row(world.zone, scope, &limit, 1, false, &other), LLIM_OK);
    }
    assert_int_equal(llim_row_find(world.zone, "team:pinned", 11, &found), LLIM_OK);
    assert_memory_equal(&found, &pinned, sizeof found);
    llim_zone_stats stats;
    llim_zone_get_stats(world.zone, &stats);
    assert_int_equal(stats.rows, 4);
    assert_int_equal(stats.rows_used, 4);
    kit_close(&world);
}

/* Sliding limits are few: without one left nothing changes, and those of idle rows come back clean. */
static void test_sliding_limits_run_out(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 16, 2, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 10, KIT_MINUTE, 0);
    llim_limit day = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 10, KIT_HOUR, 0);
    llim_row a = kit_row(world.zone, "team:a", &limit, 1), b = kit_row(world.zone, "team:b", &limit, 1), c;
    kit_permit(world.zone, a, LLIM_TOKENS, 10);
    kit_permit(world.zone, b, LLIM_TOKENS, 10);
    assert_int_equal(set_row(world.zone, "team:c", &limit, 1, false, &c), LLIM_EFULL);
    assert_int_equal(llim_row_find(world.zone, "team:c", 6, &c), LLIM_ENOTFOUND);
    llim_limit both[] = {limit, day};
    assert_int_equal(set_row(world.zone, "team:a", both, 2, false, &c), LLIM_EFULL);
    assert_int_equal(kit_used(world.zone, a, 0), 10);
    for (int i = 0; i < 40; i++) {
        kit_advance(world.zone, KIT_MINUTE + KIT_SECOND + i * KIT_SECOND * 7);
        char scope[32];
        snprintf(scope, sizeof scope, "team:%d", i);
        llim_row row = kit_row(world.zone, scope, i % 3 ? &limit : &day, 1);
        assert_int_equal(kit_used(world.zone, row, 0), 0);
        kit_permit(world.zone, row, LLIM_TOKENS, 10);
        assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
        if (i % 3 == 0) kit_advance(world.zone, KIT_HOUR);
    }
    kit_close(&world);
}

/* What has refilled by a higher limit is not given back to a lower one. */
static void test_lowered_bucket_refunds_nothing_of_before(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 1000, KIT_MINUTE, 0);
    llim_row row = kit_row(world.zone, "team:a", &limit, 1);
    llim_permit before = kit_permit(world.zone, row, LLIM_TOKENS, 500);
    kit_advance(world.zone, KIT_MINUTE / 2);
    assert_int_equal(kit_used(world.zone, row, 0), 0);
    limit.amount = 100;
    row = kit_row(world.zone, "team:a", &limit, 1);
    kit_permit(world.zone, row, LLIM_TOKENS, 100);
    llim_charge facts = kit_charge(LLIM_TOKENS, 400);
    assert_int_equal(llim_settle(world.zone, &before, &facts), LLIM_OK);
    assert_int_equal(kit_used(world.zone, row, 0), 100);
    kit_close(&world);
}

/* Whatever is replaced has an heir: two by one, however far their windows are. */
static void test_every_replaced_limit_has_an_heir(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 4, 4, 1);
    llim_limit old[] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0),
                        kit_limit(LLIM_TOKENS, LLIM_SLIDING, 300, KIT_HOUR, 0)};
    llim_row row = kit_row(world.zone, "team:a", old, 2);
    for (int i = 0; i < 3; i++) {
        kit_permit(world.zone, row, LLIM_TOKENS, 100);
        kit_advance(world.zone, KIT_MINUTE + KIT_MINUTE / 10);
    }
    llim_limit one = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 300, 5 * KIT_MINUTE, 0);
    row = kit_row(world.zone, "team:a", &one, 1);
    assert_int_equal(kit_used(world.zone, row, 0), 300);
    kit_close(&world);
}

static uint32_t sliding_used(llim_zone *zone)
{
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    return stats.sliding_used;
}

/* What a change that fails had taken for its sliding limits is there again. */
static void test_failed_changes_leak_nothing(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 2, 5, 1);
    llim_limit limits[5];
    for (int i = 0; i < 5; i++) limits[i] = kit_limit(i, LLIM_SLIDING, 10, KIT_MINUTE, 0);
    llim_limit bucket = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    llim_row row;
    assert_int_equal(set_row(world.zone, "team:a", limits, 1, true, &row), LLIM_OK);
    assert_int_equal(set_row(world.zone, "team:b", &bucket, 1, true, &row), LLIM_OK);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(set_row(world.zone, "team:c", limits, 1, false, &row), LLIM_EFULL);
        assert_int_equal(set_row(world.zone, "team:a", limits, 5, true, &row), LLIM_EFULL); /* no row for the fourth */
        assert_int_equal(set_row(world.zone, "team:b", limits, 5, true, &row), LLIM_EFULL); /* no fifth window */
        assert_int_equal(sliding_used(world.zone), 1);
    }
    kit_close(&world);
}

/* The handle of a scope that has made room for another of the same request is not found, which is no mistake of the caller's. */
static void test_a_recycled_row_beside_its_heir(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    llim_row rows[2] = {kit_row(world.zone, "team:a", &limit, 1)};
    rows[1] = kit_row(world.zone, "user:b", &limit, 1);
    assert_int_equal(rows[0].index, rows[1].index);
    llim_charge charge = kit_charge(LLIM_TOKENS, 1);
    llim_permit permit;
    assert_int_equal(llim_admit(world.zone, rows, 2, &charge, &permit, NULL), LLIM_ENOTFOUND);
    rows[0] = rows[1];
    assert_int_equal(llim_admit(world.zone, rows, 2, &charge, &permit, NULL), LLIM_EINVAL);
    kit_close(&world);
}

/* What was charged in the period before keeps its scope: a wall clock that steps back must find it. */
static void test_a_scope_of_yesterday_is_not_recycled(void **state)
{
    (void)state;
    kit_world world;
    llim_row row;
    kit_open(&world, 1, 1, 1);
    llim_limit limit = kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "", 10, 0);
    row = kit_row(world.zone, "team:a", &limit, 1);
    kit_permit(world.zone, row, LLIM_TOKENS, 10);
    assert_int_equal(kit_try_row(world.zone, "team:b", &limit, 1, &row), LLIM_EFULL);
    kit_advance(world.zone, KIT_DAY);
    assert_int_equal(kit_try_row(world.zone, "team:b", &limit, 1, &row), LLIM_EFULL);
    kit_step_wall(world.zone, -KIT_DAY);
    row = kit_row(world.zone, "team:a", &limit, 1);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_advance(world.zone, 2 * KIT_DAY);
    assert_int_equal(kit_try_row(world.zone, "team:b", &limit, 1, &row), LLIM_OK);
    kit_close(&world);
}

/* A bucket's level is shown rounded, but handed over in full. */
static void test_a_large_bucket_hands_over_all(void **state)
{
    (void)state;
    kit_world world;
    kit_open(&world, 1, 1, 1);
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, LLIM_AMOUNT_MAX, KIT_SECOND, 0);
    llim_row row = kit_row(world.zone, "team:a", &limit, 1);
    kit_permit(world.zone, row, LLIM_TOKENS, LLIM_AMOUNT_MAX);
    limit.law = LLIM_SLIDING;
    row = kit_row(world.zone, "team:a", &limit, 1);
    assert_int_equal(kit_used(world.zone, row, 0), LLIM_AMOUNT_MAX);
    assert_int_equal(kit_admit(world.zone, row, LLIM_TOKENS, 1), LLIM_LATER);
    kit_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_scope_of_yesterday_is_not_recycled),
        cmocka_unit_test(test_a_large_bucket_hands_over_all),
        cmocka_unit_test(test_a_recycled_row_beside_its_heir),
        cmocka_unit_test(test_found_by_name),
        cmocka_unit_test(test_many_limits),
        cmocka_unit_test(test_unchanged_limits_keep_their_counts),
        cmocka_unit_test(test_names_are_shown_without_control_characters),
        cmocka_unit_test(test_limits_come_and_go_among_others),
        cmocka_unit_test(test_permits_give_back_to_the_limits_they_charged),
        cmocka_unit_test(test_raising_never_denies_and_lowering_never_refunds),
        cmocka_unit_test(test_changed_law_starts_charged),
        cmocka_unit_test(test_replacing_several),
        cmocka_unit_test(test_full_zone_recycles_what_is_idle),
        cmocka_unit_test(test_sliding_limits_run_out),
        cmocka_unit_test(test_failed_changes_leak_nothing),
        cmocka_unit_test(test_lowered_bucket_refunds_nothing_of_before),
        cmocka_unit_test(test_every_replaced_limit_has_an_heir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
