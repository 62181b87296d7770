/*
 * test_generation.c - one generation for all limiters of a zone: who puts something in force, who follows, and who cannot.
 *
 * Limiters of one process stand for processes, but for the last test: what they share is the zone.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

/* A limiter with a file of its own. */
typedef struct side {
    char directory[32], mine[48]; /* so that nobody else's files wake its watch */
    llim_options options;
    llim_limiter *limiter;
    char log[256]; /* the last line */
    int logged;
} side;

static void note(void *ctx, int level, const char *message)
{
    side *s = ctx;
    (void)level;
    snprintf(s->log, sizeof s->log, "%s", message);
    s->logged++;
}

static void write_rpm(const side *s, int rpm)
{
    FILE *file = fopen(s->mine, "w");
    assert_non_null(file);
    fprintf(file, "return { a = { rpm = %d, guard = 0 } }\n", rpm);
    assert_int_equal(fclose(file), 0);
}

static void open_side(side *s, const char *zone, const char *account, int rpm)
{
    llim_error err;
    *s = (side){.options.size = sizeof s->options};
    strcpy(s->directory, "/tmp/llim-side-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    snprintf(s->mine, sizeof s->mine, "%s/mine.lua", s->directory);
    write_rpm(s, rpm);
    s->options.overrides = s->mine;
    s->options.account = account;
    s->options.log = note;
    s->options.log_ctx = s;
    s->options.zone = (llim_zone_options){
        .size = sizeof s->options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .name = zone};
    if (llim_open(&s->options, &s->limiter, &err)) fail_msg("%s", err.message);
}

static void close_side(side *s)
{
    llim_close(s->limiter);
    unlink(s->mine);
    rmdir(s->directory);
}

static llim_status status_of(const side *s)
{
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(s->limiter, &status), LLIM_OK);
    return status;
}

static int64_t limit_of(const side *s)
{
    llim_model_info info;
    llim_usage usage;
    uint32_t n;
    assert_int_equal(llim_model(s->limiter, "a", &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(s->limiter), info.row, &usage, 1, &n), LLIM_OK);
    return usage.limit.amount;
}

static uint32_t reload(const side *s, int rpm)
{
    uint32_t generation;
    llim_error err;
    write_rpm(s, rpm);
    if (llim_reload(s->limiter, NULL, &generation, &err)) fail_msg("%s", err.message);
    return generation;
}

/* A decision, by which a limiter meets what others have done. */
static void decide(const side *s)
{
    static const char *const models[] = {"a"};
    const llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
    uint32_t candidate;
    assert_int_equal(llim_available(s->limiter, &request, &candidate, NULL, NULL), LLIM_OK);
}

static void test_the_same_content_has_the_same_number(void **state)
{
    (void)state;
    side a, b;
    open_side(&a, "number", "default", 10);
    open_side(&b, "number", "default", 10);
    assert_int_equal(status_of(&a).generation, 1);
    assert_int_equal(status_of(&b).generation, 1);
    assert_int_equal(reload(&a, 20), 2);
    assert_int_equal(status_of(&b).generation, 1);
    assert_int_equal(status_of(&b).zone_generation, 2);
    assert_int_equal(limit_of(&b), 20); /* the rows' */
    assert_int_equal(reload(&b, 20), 2);
    assert_int_equal(reload(&b, 30), 3);
    assert_int_equal(reload(&a, 30), 3);
    assert_int_equal(status_of(&a).conflicts + status_of(&b).conflicts, 0);
    close_side(&a);
    open_side(&a, "number", "default", 40); /* who comes with something new */
    assert_int_equal(status_of(&a).generation, 4);
    assert_int_equal(limit_of(&b), 40);
    close_side(&a);
    close_side(&b);
}

static void test_accounts_number_by_themselves(void **state)
{
    (void)state;
    side a, b;
    open_side(&a, "accounts", "one", 10);
    open_side(&b, "accounts", "two", 20);
    assert_int_equal(reload(&a, 11), 2);
    assert_int_equal(reload(&a, 12), 3);
    assert_int_equal(status_of(&b).zone_generation, 1);
    assert_int_equal(reload(&b, 21), 2);
    assert_int_equal(limit_of(&a), 12);
    close_side(&a);
    close_side(&b);
}

/* Polls until nothing has come for a while: what the watch does by itself at first. */
static void drain(const side *s, int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    while (poll(&in, 1, 300) == 1) assert_int_equal(llim_watch_poll(s->limiter, NULL, NULL), LLIM_OK);
}

/* A decision, and what its waking leads to: so many conflicts, this generation. */
static void wait_for(const side *s, int fd, uint64_t conflicts, uint32_t generation)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    decide(s);
    do {
        assert_int_equal(poll(&in, 1, 60000), 1);
        assert_int_equal(llim_watch_poll(s->limiter, NULL, NULL), LLIM_OK);
    } while (status_of(s).conflicts != conflicts || status_of(s).generation != generation);
}

static void test_a_decision_wakes_the_watch(void **state)
{
    (void)state;
    side a, b;
    open_side(&a, "watch", "default", 10);
    open_side(&b, "watch", "default", 10);
    const int fd = llim_watch_fd(b.limiter, NULL);
    assert_true(fd >= 0);
    drain(&b, fd);
    assert_int_equal(b.logged, 0);
    const uint64_t hash = status_of(&b).hash;

    /* Something that only the one has: told once, and not taken over. */
    assert_int_equal(reload(&a, 20), 2);
    wait_for(&b, fd, 1, 1);
    assert_int_equal(status_of(&b).hash, hash);
    assert_int_equal(b.logged, 1);
    assert_non_null(strstr(b.log, "generation 2 of the zone has other contents"));
    assert_int_equal(limit_of(&b), 20);
    decide(&b);
    drain(&b, fd);
    assert_int_equal(status_of(&b).conflicts, 1);

    /* Back again: the same as what the other has had all the time. */
    assert_int_equal(reload(&a, 10), 3);
    wait_for(&b, fd, 1, 3);
    assert_int_equal(status_of(&b).reloads, 0);

    /* Both have it, one by the call and one by its watch. */
    write_rpm(&b, 40);
    assert_int_equal(reload(&a, 40), 4);
    decide(&b);
    drain(&b, fd);
    assert_int_equal(status_of(&b).generation, 4);
    assert_int_equal(status_of(&b).conflicts, 1);
    assert_int_equal(limit_of(&b), 40);
    close_side(&a);
    close_side(&b);
}

/* A bad file is told once, whoever wakes the watch. */
static void test_what_is_no_good_is_no_follower(void **state)
{
    (void)state;
    side a, b;
    open_side(&a, "bad", "default", 10);
    open_side(&b, "bad", "default", 10);
    const int fd = llim_watch_fd(b.limiter, NULL);
    drain(&b, fd);
    write_rpm(&b, -1);
    struct pollfd in = {.fd = fd, .events = POLLIN};
    while (status_of(&b).failed_reloads == 0) {
        assert_int_equal(poll(&in, 1, 60000), 1);
        llim_watch_poll(b.limiter, NULL, NULL);
    }
    assert_int_equal(reload(&a, 20), 2);
    decide(&b);
    drain(&b, fd);
    assert_int_equal(status_of(&b).failed_reloads, 1);
    assert_int_equal(status_of(&b).generation, 1);
    assert_int_equal(status_of(&b).zone_generation, 2);
    write_rpm(&b, 20);
    drain(&b, fd);
    assert_int_equal(status_of(&b).generation, 2);
    close_side(&a);
    close_side(&b);
}

/* Another process, by a file. */
static void test_processes_follow_one_another(void **state)
{
    (void)state;
    char path[80];
    side s;
    open_side(&s, NULL, "default", 10);
    llim_close(s.limiter);
    snprintf(path, sizeof path, "%s/zone", s.directory);
    s.options.zone = (llim_zone_options){.size = sizeof s.options.zone, .path = path};
    assert_int_equal(llim_open(&s.options, &s.limiter, NULL), LLIM_OK);
    const int fd = llim_watch_fd(s.limiter, NULL);
    drain(&s, fd);
    const pid_t child = fork();
    if (child == 0) {
        llim_limiter *own;
        s.options.tier = "tier1";
        _exit(llim_open(&s.options, &own, NULL) == LLIM_OK ? 0 : 1);
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    wait_for(&s, fd, 1, 1);
    assert_int_equal(status_of(&s).zone_generation, 2);
    unlink(path);
    close_side(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_content_has_the_same_number),
        cmocka_unit_test(test_accounts_number_by_themselves),
        cmocka_unit_test(test_a_decision_wakes_the_watch),
        cmocka_unit_test(test_what_is_no_good_is_no_follower),
        cmocka_unit_test(test_processes_follow_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
