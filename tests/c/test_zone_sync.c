/* test_zone_sync.c - a zone in a file is written to its disk by a thread of its own, as often as was asked for. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"

static char directory[64], path[80];

static int set_up(void **state)
{
    (void)state;
    crew_directory(directory, "/tmp");
    snprintf(path, sizeof path, "%s/zone", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    crew_remove(directory);
    return 0;
}

static llim_zone_options options_of(int64_t sync_ns)
{
    return (llim_zone_options){.size = sizeof(llim_zone_options), .path = path, .sync_ns = sync_ns};
}

static int64_t synced(llim_zone *zone)
{
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    return stats.synced_ns;
}

static void expect_later(llim_zone *zone, int64_t than)
{
    while (synced(zone) <= than) sched_yield();
}

static void test_it_is_written_again_and_again(void **state)
{
    (void)state;
    const llim_zone_options options = options_of(LLIM_SECOND / 1000);
    llim_zone *zone = crew_open(&options);
    int64_t opened;
    llim_zone_now(zone, &opened, NULL);
    expect_later(zone, opened);
    expect_later(zone, synced(zone));
    llim_zone_close(zone);
}

static void test_only_when_asked(void **state)
{
    (void)state;
    const llim_zone_options options = options_of(0);
    llim_zone *zone = crew_open(&options);
    assert_int_equal(synced(zone), 0);
    assert_int_equal(llim_zone_sync(zone), LLIM_OK);
    assert_true(synced(zone) > 0);
    llim_zone_close(zone);
}

static int close_in_child(void *zone)
{
    llim_zone_close(zone);
    return 0;
}

/* A child has no such thread to wait for, and closing its handle leaves the parent's alone. */
static void test_a_child_closes(void **state)
{
    (void)state;
    const llim_zone_options options = options_of(LLIM_SECOND / 1000);
    llim_zone *zone = crew_open(&options);
    for (int i = 0; i < 20; i++) assert_int_equal(crew_end(crew_start(close_in_child, zone)), 0);
    expect_later(zone, synced(zone));
    llim_zone_close(zone);
}

/* However long the interval, closing waits for no more than a last writing. */
static void test_closing_does_not_wait(void **state)
{
    (void)state;
    const llim_zone_options options = options_of(86400 * LLIM_SECOND);
    llim_zone_close(crew_open(&options));
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    static const struct {
        llim_zone_options options;
        int code;
        const char *says;
    } cases[] = {
        {{.sync_ns = LLIM_SECOND}, LLIM_EINVAL, "only a zone in a file"},
        {{.sync_ns = LLIM_SECOND, .name = "n"}, LLIM_EINVAL, "only a zone in a file"},
        {{.sync_ns = LLIM_SECOND, .path = path, .read_only = 1}, LLIM_EINVAL, "only a zone in a file"},
        {{.sync_ns = LLIM_SECOND / 1000 - 1, .path = path}, LLIM_ERANGE, "sync_ns is 999999, expected"},
        {{.sync_ns = -1, .path = path}, LLIM_ERANGE, "sync_ns is -1, expected"},
        {{.sync_ns = 86400 * LLIM_SECOND + 1, .path = path}, LLIM_ERANGE, "a millisecond to a day"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        llim_zone_options options = cases[i].options;
        llim_zone *zone;
        llim_error err;
        options.size = sizeof options;
        assert_int_equal(llim_zone_open(&options, &zone, &err), cases[i].code);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s", err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_written_again_and_again),
        cmocka_unit_test(test_only_when_asked),
        cmocka_unit_test(test_a_child_closes),
        cmocka_unit_test(test_closing_does_not_wait),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
