/*
 * test_zone_file.c - zones in files: made once however many start together, and going on where they were after all their
 * processes, and the boot, have ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot.h"
#include "crew.h"
#include "engine/zone.h"
#include "llm_limiters.h"

static void test_counts_outlive_processes(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limits[] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0),
                           kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "America/Los_Angeles", 1000, 0),
                           kit_limit(LLIM_TOKENS, LLIM_BUCKET, 500, KIT_HOUR, 0),
                           kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 5, KIT_HOUR, 0)};
    llim_zone_options options = crew_small(p.path);
    llim_zone *zone = crew_open(&options);
    llim_row row = kit_row(zone, "model:a", limits, 4), found;
    llim_charge charge = {{0}};
    charge.amount[LLIM_TOKENS] = 60;
    charge.amount[LLIM_SESSIONS] = 2;
    llim_permit permit;
    assert_int_equal(llim_admit(zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    assert_int_equal(llim_zone_sync(zone), LLIM_OK);
    llim_zone_close(zone);
    options.rows = options.sliding = options.leases = options.notes = 0; /* whatever it has */
    options.start_ns = 0;
    zone = crew_open(&options);
    int64_t steady;
    kit_now(zone, &steady, NULL);
    assert_int_equal(steady, KIT_START);
    assert_int_equal(llim_row_find(zone, "model:a", 7, &found), LLIM_OK);
    assert_memory_equal(&row, &found, sizeof row);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(kit_used(zone, row, i), 60);
    assert_int_equal(kit_used(zone, row, 3), 2);
    assert_int_equal(llim_cancel(zone, &permit), LLIM_OK);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(kit_used(zone, row, i), 0);
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    assert_int_equal(stats.rows, 16);
    assert_int_equal(stats.rows_used, 2);
    assert_int_equal(stats.sliding_used, 1);
    llim_zone_close(zone);
    crew_remove(p.dir);
}

/* Any bytes make a name, and a file with it is opened again. */
static void test_names_of_any_bytes(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_zone_options options = crew_small(p.path);
    options.rows = 300;
    llim_zone *zone = crew_open(&options);
    const llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_MINUTE, 0);
    for (int byte = 0; byte < 256; byte++) {
        const char scope[] = {'a', (char)byte, 'b'};
        llim_row_spec spec = {.size = sizeof spec, .scope = scope, .scope_len = 3, .limits = &limit, .n_limits = 1};
        llim_row row;
        assert_int_equal(llim_row_set(zone, &spec, &row, NULL), LLIM_OK);
        kit_permit(zone, row, LLIM_TOKENS, byte % 100 + 1);
    }
    llim_zone_close(zone);
    zone = crew_open(&options);
    for (int byte = 0; byte < 256; byte++) {
        const char scope[] = {'a', (char)byte, 'b'};
        llim_row row;
        assert_int_equal(llim_row_find(zone, scope, 3, &row), LLIM_OK);
        assert_int_equal(kit_used(zone, row, 0), byte % 100 + 1);
    }
    llim_zone_close(zone);
    crew_remove(p.dir);
}

static int make_named_with_little_allowed(void *arg)
{
    const struct rlimit little = {1 << 16, 1 << 16};
    llim_zone_options options = *(llim_zone_options *)arg;
    llim_zone *zone;
    options.path = NULL;
    options.name = "large";
    return setrlimit(RLIMIT_FSIZE, &little) ? 1 : llim_zone_open(&options, &zone, NULL) == LLIM_ENOMEM ? 0 : 2;
}

static void test_permission_bits(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    struct stat st;
    const mode_t mask = umask(077);
    llim_zone_options options = crew_small(p.path);
    options.mode = 0660;
    llim_zone_close(crew_open(&options));
    umask(mask);
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_true(st.st_blocks * 512 >= st.st_size); /* reserved */
    options.mode = 0;
    llim_zone_close(crew_open(&options)); /* what is there keeps its bits */
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    unlink(p.path);
    llim_zone_close(crew_open(&options));
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    crew_remove(p.dir);
}

static int make_where_none_fits(void *arg)
{
    llim_zone *zone;
    llim_error err;
    if (llim_zone_open(arg, &zone, &err) != LLIM_EIO) return 2;
    return strstr(err.message, "cannot be made") ? 0 : 3;
}

static int make_with_little_allowed(void *arg)
{
    const struct rlimit little = {1 << 16, 1 << 16}; /* beyond which the kernel would send SIGXFSZ */
    return setrlimit(RLIMIT_FSIZE, &little) ? 1 : make_where_none_fits(arg);
}

/* It is told when a zone is made, and nothing is left behind. */
static void expect_no_room(crew_place *p, int (*make)(void *))
{
    llim_zone_options options = crew_small(p->path);
    assert_int_equal(crew_end(crew_start(make, &options)), 0);
    assert_int_equal(access(p->path, F_OK), -1);
}

static void test_no_file_may_be_so_large(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    expect_no_room(&p, make_with_little_allowed);
    expect_no_room(&p, make_named_with_little_allowed);
    assert_int_equal(rmdir(p.dir), 0);
}

static void test_a_full_disk(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    if (mount("none", p.dir, "tmpfs", 0, "size=64k") != 0) {
        crew_remove(p.dir);
        print_message("a full disk was not tried: no file system may be mounted here\n");
        skip();
    }
    expect_no_room(&p, make_where_none_fits);
    assert_int_equal(umount(p.dir), 0);
    assert_int_equal(rmdir(p.dir), 0);
}

static int make_and_delete(void *arg)
{
    const llim_zone_options *options = arg;
    for (;;) {
        llim_zone *zone;
        if (llim_zone_open(options, &zone, NULL)) return 1;
        llim_zone_close(zone);
        unlink(options->path);
    }
}

/* Whoever is killed while it makes a zone leaves a whole one or nothing. */
static void test_makers_that_are_killed(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    crew_place p = crew_begin();
    llim_zone_options options = crew_small(p.path);
    for (int64_t round = 4 * kit_env("LLIM_ROUNDS", 5); round > 0; round--) {
        pid_t child = crew_start(make_and_delete, &options);
        usleep((useconds_t)kit_between(&rng, 0, 3000));
        kill(child, SIGKILL);
        assert_int_equal(crew_end(child), -SIGKILL);
        llim_zone_close(crew_open(&options));
        unlink(p.path);
        assert_int_equal(rmdir(p.dir), 0);
        assert_int_equal(mkdir(p.dir, 0700), 0);
    }
    crew_remove(p.dir);
}

static llim_limiter *limiter_on(const char *path, const char *overrides)
{
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .tier = "free", .overrides = overrides};
    options.zone = (llim_zone_options){
        .size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .path = path};
    if (llim_open(&options, &limiter, &err)) fail_msg("llim_open: %s", err.message);
    return limiter;
}

/* A limiter needs room of its own in the zone; one that comes later, perhaps with other tables, takes what is there. */
static void test_limiters_on_one_file(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    char more[32];
    kit_write_file(more, "return { [\"in-house\"] = { rpm = 20 } }");
    llim_limiter *first = limiter_on(p.path, NULL), *second = limiter_on(p.path, NULL);
    const char *models[] = {"gemini-2.5-flash"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
    request.charge.amount[LLIM_REQUESTS] = 1;
    llim_permit permit;
    llim_refusal refusal;
    int code, admitted = 0;
    while ((code = llim_acquire(admitted % 2 ? first : second, &request, &permit, &refusal, NULL)) == LLIM_OK)
        admitted++;
    assert_int_equal(code, LLIM_LATER);
    assert_int_equal(refusal.limit, admitted);
    llim_close(first);
    llim_close(second);
    first = limiter_on(p.path, more);
    assert_int_equal(llim_acquire(first, &request, &permit, &refusal, NULL), LLIM_LATER);
    models[0] = "in-house";
    assert_int_equal(llim_acquire(first, &request, &permit, &refusal, NULL), LLIM_OK);
    llim_close(first);
    unlink(more);
    crew_remove(p.dir);
}

enum { TOGETHER = 50 };

typedef struct start {
    const char *path;
    atomic_int *go;
} start;

static int open_together(void *arg)
{
    const start *s = arg;
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, TOGETHER, KIT_HOUR, 0);
    llim_zone_options options = crew_small(s->path);
    llim_zone *zone;
    llim_row row;
    while (!atomic_load(s->go)) usleep(100);
    if (llim_zone_open(&options, &zone, NULL)) return 1;
    int code;
    for (int tries = 0; (code = kit_try_row(zone, "one", &limit, 1, &row)) == LLIM_EBUSY && tries < 100;) tries++;
    if (code) return 2;
    llim_charge one = kit_charge(LLIM_TOKENS, 1);
    llim_permit permit;
    return llim_admit(zone, &row, 1, &one, &permit, NULL) ? 3 : 0;
}

static void test_fifty_start_together(void **state)
{
    (void)state;
    for (int64_t round = kit_env("LLIM_ROUNDS", 5); round > 0; round--) {
        crew_place p = crew_begin();
        start s = {p.path, crew_share(sizeof *s.go)};
        pid_t child[TOGETHER];
        for (int i = 0; i < TOGETHER; i++) child[i] = crew_start(open_together, &s);
        atomic_store(s.go, 1);
        for (int i = 0; i < TOGETHER; i++) assert_int_equal(crew_end(child[i]), 0);
        llim_zone_options options = crew_small(p.path);
        llim_zone *zone = crew_open(&options);
        llim_row row;
        assert_int_equal(llim_row_find(zone, "one", 3, &row), LLIM_OK);
        assert_int_equal(kit_used(zone, row, 0), TOGETHER);
        llim_zone_close(zone);
        crew_remove(p.dir);
    }
}

/* Who has a file open goes on with it when another takes its place; who comes gets the other. */
static void test_a_file_is_replaced(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_HOUR, 0);
    llim_zone_options options = crew_small(p.path);
    llim_zone *old = crew_open(&options), *again = crew_open(&options);
    llim_row row = kit_row(old, "a", &limit, 1), none;
    kit_permit(again, row, LLIM_TOKENS, 7);
    unlink(p.path);
    llim_zone *new = crew_open(&options);
    assert_int_equal(llim_row_find(new, "a", 1, &none), LLIM_ENOTFOUND);
    assert_int_equal(kit_used(old, row, 0), 7);
    llim_zone_close(again);
    kit_permit(old, row, LLIM_TOKENS, 3);
    kit_row(old, "b", &limit, 1); /* the lock is still there, though a handle of the file was closed */
    assert_int_equal(kit_used(old, row, 0), 10);
    llim_zone_close(old);
    llim_zone_close(new);
    crew_remove(p.dir);
}

static void test_a_descriptor_that_was_closed(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, KIT_HOUR, 0);
    llim_zone_options options = crew_small(p.path);
    llim_zone *zone = crew_open(&options);
    llim_row row = kit_row(zone, "a", &limit, 1), other;
    const int fd = zone->memory->fd;
    close(fd);
    assert_int_equal(kit_try_row(zone, "b", &limit, 1, &other), LLIM_EIO);
    const int null = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(null, fd), fd);
    assert_int_equal(kit_try_row(zone, "b", &limit, 1, &other), LLIM_EIO);
    assert_int_equal(kit_admit(zone, row, LLIM_TOKENS, 1), LLIM_OK);
    llim_zone_close(zone);
    assert_int_equal(fcntl(fd, F_GETFD), 0); /* it is another's by now */
    if (null != fd) close(null);
    close(fd);
    crew_remove(p.dir);
}

static void check_between(int64_t x, int64_t low, int64_t high)
{
    if (x < low || x > high)
        fail_msg("%lld is not within %lld and %lld", (long long)x, (long long)low, (long long)high);
}

static void patch(const char *path, size_t at, int64_t by)
{
    int64_t value;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &value, 8, (off_t)at), 8);
    value += by;
    assert_int_equal(pwrite(fd, &value, 8, (off_t)at), 8);
    close(fd);
}

/* After a boot CLOCK_MONOTONIC begins anew, and the wall clock has gone on meanwhile: as if it were ns ahead of now. */
static llim_zone *boot(const llim_zone_options *options, llim_zone *zone, uint64_t id, int64_t ns)
{
    llim_zone_close(zone);
    at_store_rlx(&llim__boot_pretended, id);
    patch(options->path, offsetof(llim__header, time.wall_offset), -ns);
    patch(options->path, offsetof(llim__header, base), -12345 * KIT_SECOND); /* which tells nothing now */
    return crew_open(options);
}

static void test_boots(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limits[] = {kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_HOUR, 0),
                           kit_calendar(LLIM_TOKENS, LLIM_PER_MONTH, "", 100, 0),
                           kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100, 100 * KIT_HOUR, 0),
                           kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 1, KIT_DAY, 0)};
    llim_zone_options options = crew_small(p.path);
    options.clock = LLIM_CLOCK_REAL;
    llim_zone *zone = crew_open(&options);
    llim_row row = kit_row(zone, "a", limits, 4);
    kit_permit(zone, row, LLIM_TOKENS, 90);
    kit_permit(zone, row, LLIM_SESSIONS, 1);
    assert_int_equal(kit_admit(zone, row, LLIM_SESSIONS, 1), LLIM_LATER);
    int64_t before, after, wall_before, wall;
    kit_now(zone, &before, &wall_before);
    zone = boot(&options, zone, 1, KIT_HOUR / 2);
    kit_now(zone, &after, &wall);
    check_between(after - before, KIT_HOUR / 2 - KIT_SECOND, KIT_HOUR / 2 + KIT_MINUTE);
    check_between(wall - wall_before, 0, KIT_MINUTE); /* that was not moved here */
    assert_int_equal(kit_used(zone, row, 0), 90);
    assert_int_equal(kit_used(zone, row, 1), 90);
    assert_int_equal(kit_used(zone, row, 2), 90);
    kit_permit(zone, row, LLIM_SESSIONS, 1); /* the lease was of a process of then */
    before = after;
    zone = boot(&options, zone, 2, KIT_HOUR);
    assert_int_equal(kit_used(zone, row, 0), 0); /* its hour is over */
    assert_int_equal(kit_used(zone, row, 1), 90);
    check_between(kit_used(zone, row, 2), 88, 89);
    kit_now(zone, &before, NULL);
    zone = boot(&options, zone, 3, -KIT_DAY); /* the wall clock went back: no time has passed */
    kit_now(zone, &after, NULL);
    check_between(after - before, -KIT_SECOND, KIT_MINUTE);
    check_between(kit_used(zone, row, 2), 88, 89);
    /* In the same boot everything goes on by itself. */
    llim_zone_close(zone);
    zone = crew_open(&options);
    kit_now(zone, &before, NULL);
    check_between(before - after, 0, KIT_MINUTE);
    zone = boot(&options, zone, 4, 3000 * KIT_DAY); /* all has left, and the clock is not at its end */
    kit_now(zone, &after, NULL);
    check_between(after - before, 1000 * KIT_DAY, 1400 * KIT_DAY);
    assert_int_equal(kit_used(zone, row, 2), 0);
    llim_zone_close(zone);
    at_store_rlx(&llim__boot_pretended, 0);
    crew_remove(p.dir);
}

static int open_alone(void *arg)
{
    llim_zone *zone;
    at_store_rlx(&llim__boot_pretended, 99);
    return -llim_zone_open(arg, &zone, NULL);
}

static void test_two_boots_at_once(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_zone_options options = crew_small(p.path);
    options.clock = LLIM_CLOCK_REAL;
    llim_zone *zone = crew_open(&options);
    /* The child drops what it inherits, so that the file is new to it. */
    pid_t child = fork();
    if (child == 0) {
        llim_zone_close(zone);
        _exit(open_alone(&options));
    }
    assert_int_equal(crew_end(child), -LLIM_EIO);
    llim_zone_close(zone);
    crew_remove(p.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_outlive_processes),
        cmocka_unit_test(test_names_of_any_bytes),
        cmocka_unit_test(test_permission_bits),
        cmocka_unit_test(test_no_file_may_be_so_large),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_makers_that_are_killed),
        cmocka_unit_test(test_limiters_on_one_file),
        cmocka_unit_test(test_fifty_start_together),
        cmocka_unit_test(test_a_file_is_replaced),
        cmocka_unit_test(test_a_descriptor_that_was_closed),
        cmocka_unit_test(test_boots),
        cmocka_unit_test(test_two_boots_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
