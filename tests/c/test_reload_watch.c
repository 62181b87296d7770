/*
 * test_reload_watch.c - files that change under a limiter are read again: however an editor, an installer or a mounted volume
 * changes them. Real files in a directory of the test's own; it waits for the descriptor as an event loop does.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

enum { LONGEST_MS = 30000 }; /* for a machine that is busy; what is expected comes long before */

typedef struct world {
    char top[32];
    llim_limiter *limiter;
    int fd;
    int told[2]; /* a pipe: the log's messages, by their level */
} world;

static char *at(const world *w, const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", w->top, name);
    return path;
}

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Overrides of one model with so many requests per minute. */
static const char *rpm(int n)
{
    static char text[64];
    snprintf(text, sizeof text, "return { a = { rpm = %d } }\n", n);
    return text;
}

static const char *quotas(int n)
{
    static char text[160];
    snprintf(text, sizeof text,
             "return quota 'openai' { api = 1, modality = 'text', tier 'free' { a = { rpm = %d } } }\n", n);
    return text;
}

static void note(void *ctx, int level, const char *message)
{
    world *w = ctx;
    const char byte = (char)level;
    assert_true(strlen(message) > 0);
    assert_int_equal(write(w->told[1], &byte, 1), 1);
}

static void begin(world *w)
{
    strcpy(w->top, "/tmp/llim-watch-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    assert_int_equal(pipe(w->told), 0);
}

static void open_limiter(world *w, llim_options options)
{
    llim_error err;
    options.size = sizeof options;
    options.log = note;
    options.log_ctx = w;
    if (llim_open(&options, &w->limiter, &err)) fail_msg("%s", err.message);
    w->fd = llim_watch_fd(w->limiter, &err);
    if (w->fd < 0) fail_msg("%s", err.message);
    assert_int_equal(llim_watch_fd(w->limiter, NULL), w->fd);
}

static void end(world *w)
{
    char command[64];
    llim_close(w->limiter);
    close(w->told[0]);
    close(w->told[1]);
    snprintf(command, sizeof command, "rm -r %s", w->top);
    assert_int_equal(system(command), 0);
}

static void wait_for(int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    if (poll(&in, 1, LONGEST_MS) != 1) fail_msg("nothing has come in %d ms", LONGEST_MS);
}

/* Serves the descriptor until something is read again: what that returned. */
static int next_reload(world *w, llim_error *err)
{
    llim_status before = {.size = sizeof before}, after = before;
    llim_get_status(w->limiter, &before);
    for (;;) {
        wait_for(w->fd);
        int code = llim_watch_poll(w->limiter, NULL, err);
        llim_get_status(w->limiter, &after);
        if (after.reloads + after.failed_reloads != before.reloads + before.failed_reloads) return code;
        assert_int_equal(code, LLIM_OK);
    }
}

static int64_t limit_of(world *w)
{
    llim_model_info info;
    llim_usage usage;
    uint32_t n;
    assert_int_equal(llim_model(w->limiter, "a", &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(w->limiter), info.row, &usage, 1, &n), LLIM_OK);
    return usage.limit.amount;
}

/* Several may be one, and one several, where a burst does not settle; what is in force in the end is the last. */
static void expect_limit(world *w, int64_t limit)
{
    llim_error err;
    while (limit_of(w) != limit)
        if (next_reload(w, &err)) fail_msg("%s", err.message);
}

/* Until no look is due: what comes next comes by an event. */
static void settle(world *w)
{
    llim_error err;
    struct pollfd in = {.fd = w->fd, .events = POLLIN};
    while (poll(&in, 1, 200) == 1)
        if (llim_watch_poll(w->limiter, NULL, &err)) fail_msg("%s", err.message);
}

static void rename_to(const char *from, const char *to)
{
    assert_int_equal(rename(from, to), 0);
}

static void test_a_file_that_is_written_or_replaced(void **state)
{
    (void)state;
    world w;
    llim_error err;
    begin(&w);
    write_to(at(&w, "mine.lua"), rpm(1));
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua")});
    for (int i = 2; i < 8; i++) {
        write_to(at(&w, "else.lua"), rpm(1000)); /* nobody's */
        if (i % 2) {
            write_to(at(&w, "mine.lua"), rpm(i));
        } else {
            write_to(at(&w, "mine.lua.new"), rpm(i));
            rename_to(at(&w, "mine.lua.new"), at(&w, "mine.lua"));
        }
        expect_limit(&w, i);
    }
    /* Half of it; then the rest of it. */
    write_to(at(&w, "mine.lua"), "return { a = { rpm = 9");
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    assert_string_equal(err.file, at(&w, "mine.lua"));
    assert_int_equal(limit_of(&w), 7);
    write_to(at(&w, "mine.lua"), rpm(9));
    expect_limit(&w, 9);
    /* Gone, and back. */
    rename_to(at(&w, "mine.lua"), at(&w, "away"));
    assert_int_equal(next_reload(&w, &err), LLIM_EIO);
    assert_int_equal(limit_of(&w), 9);
    write_to(at(&w, "away"), rpm(10));
    rename_to(at(&w, "away"), at(&w, "mine.lua"));
    expect_limit(&w, 10);
    end(&w);
}

static void test_a_bad_file_is_told_once(void **state)
{
    (void)state;
    world w;
    llim_error err;
    llim_status status = {.size = sizeof status};
    begin(&w);
    write_to(at(&w, "mine.lua"), rpm(1));
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua")});
    write_to(at(&w, "mine.lua"), "return { a = { rpn = 9 } }");
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    for (int i = 0; i < 3; i++) { /* other files are no reason to try again */
        write_to(at(&w, "else.lua"), rpm(i));
        wait_for(w.fd);
        assert_int_equal(llim_watch_poll(w.limiter, NULL, &err), LLIM_OK); /* an event */
        wait_for(w.fd);
        assert_int_equal(llim_watch_poll(w.limiter, NULL, &err), LLIM_OK); /* the look, or another event */
    }
    assert_int_equal(link(at(&w, "mine.lua"), at(&w, "link")), 0); /* another ctime, */
    settle(&w);
    write_to(at(&w, "mine.lua"), "return { a = { rpn = 9 } }"); /* and the same content */
    settle(&w);
    llim_get_status(w.limiter, &status);
    assert_int_equal(status.failed_reloads, 1);
    assert_int_equal(llim_watch_poll(w.limiter, NULL, &err), LLIM_OK);
    /* The same message of another content; and what was bad before something good. */
    write_to(at(&w, "mine.lua"), "return { a = { rpn = 10 } }");
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    write_to(at(&w, "mine.lua"), rpm(2));
    expect_limit(&w, 2);
    write_to(at(&w, "mine.lua"), "return { a = { rpn = 10 } }");
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    end(&w);
}

static void test_a_bad_table_is_told_once(void **state)
{
    (void)state;
    world w;
    llim_error err;
    llim_status status = {.size = sizeof status};
    begin(&w);
    assert_int_equal(mkdir(at(&w, "q"), 0700), 0);
    write_to(at(&w, "q/1.lua"), quotas(1));
    open_limiter(&w, (llim_options){.quotas = at(&w, "q")});
    write_to(at(&w, "q/new"), "return quota");
    rename_to(at(&w, "q/new"), at(&w, "q/1.lua"));
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    write_to(at(&w, "q/README"), "no table"); /* which changes the directory that the options name */
    settle(&w);
    llim_get_status(w.limiter, &status);
    assert_int_equal(status.failed_reloads, 1);
    end(&w);
}

static void test_a_directory_of_tables(void **state)
{
    (void)state;
    world w;
    llim_error err;
    begin(&w);
    assert_int_equal(mkdir(at(&w, "q"), 0700), 0);
    write_to(at(&w, "q/1.lua"), quotas(1));
    open_limiter(&w, (llim_options){.quotas = at(&w, "q")});
    write_to(at(&w, "q/1.lua"), quotas(2));
    expect_limit(&w, 2);
    write_to(at(&w, "q/2.lua"), quotas(2)); /* the same model twice */
    assert_int_equal(next_reload(&w, &err), LLIM_ECONFIG);
    unlink(at(&w, "q/1.lua"));
    write_to(at(&w, "q/2.lua"), quotas(3));
    expect_limit(&w, 3);
    /* Another directory in its place. */
    assert_int_equal(mkdir(at(&w, "q2"), 0700), 0);
    write_to(at(&w, "q2/1.lua"), quotas(4));
    rename_to(at(&w, "q"), at(&w, "q1"));
    rename_to(at(&w, "q2"), at(&w, "q"));
    expect_limit(&w, 4);
    write_to(at(&w, "q/1.lua"), quotas(5));
    expect_limit(&w, 5);
    end(&w);
}

static void test_a_directory_with_the_letters_of_patterns(void **state)
{
    (void)state;
    world w;
    begin(&w);
    assert_int_equal(mkdir(at(&w, "q[1]*?"), 0700), 0);
    write_to(at(&w, "q[1]*?/1.lua"), quotas(1));
    write_to(at(&w, "q[1]*?/.2.lua"), "hidden, as editors leave it");
    open_limiter(&w, (llim_options){.quotas = at(&w, "q[1]*?")});
    assert_int_equal(limit_of(&w), 1);
    write_to(at(&w, "q[1]*?/1.lua"), quotas(2));
    expect_limit(&w, 2);
    end(&w);
}

/* As volumes of configuration are mounted: a link to a link that is swapped. */
static void test_symbolic_links_that_are_swapped(void **state)
{
    (void)state;
    world w;
    begin(&w);
    assert_int_equal(mkdir(at(&w, "v1"), 0700), 0);
    write_to(at(&w, "v1/mine.lua"), rpm(1));
    assert_int_equal(symlink("v1", at(&w, "data")), 0);
    assert_int_equal(symlink("data/mine.lua", at(&w, "mine.lua")), 0);
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua")});
    for (int i = 2; i < 5; i++) {
        char name[16], file[32];
        snprintf(name, sizeof name, "v%d", i);
        snprintf(file, sizeof file, "v%d/mine.lua", i);
        assert_int_equal(mkdir(at(&w, name), 0700), 0);
        write_to(at(&w, file), rpm(i));
        assert_int_equal(symlink(name, at(&w, "data.new")), 0);
        rename_to(at(&w, "data.new"), at(&w, "data"));
        expect_limit(&w, i);
        write_to(at(&w, file), rpm(100 + i));
        expect_limit(&w, 100 + i);
    }
    end(&w);
}

static void test_a_directory_far_above_that_is_replaced(void **state)
{
    (void)state;
    world w;
    begin(&w);
    const char *const made[] = {"conf", "conf/cur", "conf/cur/policies", "conf/new", "conf/new/policies"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) assert_int_equal(mkdir(at(&w, made[i]), 0700), 0);
    write_to(at(&w, "conf/cur/policies/o.lua"), rpm(1));
    write_to(at(&w, "conf/new/policies/o.lua"), rpm(2));
    open_limiter(&w, (llim_options){.overrides = at(&w, "conf/cur/policies/o.lua")});
    settle(&w);
    rename_to(at(&w, "conf/cur"), at(&w, "conf/old"));
    rename_to(at(&w, "conf/new"), at(&w, "conf/cur"));
    expect_limit(&w, 2);
    end(&w);
}

static void test_a_file_that_is_written_by_another_name(void **state)
{
    (void)state;
    world w;
    begin(&w);
    assert_int_equal(mkdir(at(&w, "d"), 0700), 0);
    write_to(at(&w, "mine.lua"), rpm(1));
    assert_int_equal(link(at(&w, "mine.lua"), at(&w, "d/other.lua")), 0);
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua")});
    settle(&w);
    write_to(at(&w, "d/other.lua"), rpm(2));
    expect_limit(&w, 2);
    end(&w);
}

/* No event tells of a directory that comes back. */
static void test_looks_now_and_then_where_there_are_no_events(void **state)
{
    (void)state;
    world w;
    llim_error err;
    begin(&w);
    assert_int_equal(mkdir(at(&w, "d"), 0700), 0);
    assert_int_equal(mkdir(at(&w, "d/e"), 0700), 0);
    write_to(at(&w, "d/e/mine.lua"), rpm(1));
    open_limiter(&w, (llim_options){.overrides = at(&w, "d/e/mine.lua")});
    unlink(at(&w, "d/e/mine.lua"));
    rmdir(at(&w, "d/e"));
    rmdir(at(&w, "d"));
    assert_int_equal(next_reload(&w, &err), LLIM_EIO);
    assert_int_equal(mkdir(at(&w, "d"), 0700), 0);
    assert_int_equal(mkdir(at(&w, "d/e"), 0700), 0);
    write_to(at(&w, "d/e/mine.lua"), rpm(2));
    expect_limit(&w, 2);
    end(&w);
}

static void test_a_thread_of_the_limiter(void **state)
{
    (void)state;
    world w;
    char level;
    begin(&w);
    write_to(at(&w, "mine.lua"), rpm(1));
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua"), .watch = 1});
    for (int i = 2; i < 5; i++) {
        write_to(at(&w, "mine.lua"), rpm(i));
        do {
            wait_for(w.told[0]);
            assert_int_equal(read(w.told[0], &level, 1), 1);
        } while (limit_of(&w) != i);
    }
    do {
        write_to(at(&w, "mine.lua"), "return {");
        wait_for(w.told[0]);
        assert_int_equal(read(w.told[0], &level, 1), 1);
    } while (level != LLIM_LOG_WARNING);
    assert_int_equal(limit_of(&w), 4);
    end(&w);
}

/* What llim_reload() puts in the place of a path is what is watched then. */
static void test_other_paths_are_watched_instead(void **state)
{
    (void)state;
    world w;
    begin(&w);
    write_to(at(&w, "mine.lua"), rpm(1));
    assert_int_equal(mkdir(at(&w, "d"), 0700), 0);
    write_to(at(&w, "d/mine.lua"), rpm(2));
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua")});
    llim_options options = {.size = sizeof options, .overrides = at(&w, "d/mine.lua")};
    assert_int_equal(llim_reload(w.limiter, &options, NULL, NULL), LLIM_OK);
    assert_int_equal(limit_of(&w), 2);
    write_to(at(&w, "d/mine.lua"), rpm(3));
    expect_limit(&w, 3);
    end(&w);
}

/* What a child has of the watch is its parent's: it neither wakes nor ends it, and makes its own. */
static void test_children_watch_by_themselves(void **state)
{
    (void)state;
    world w;
    int go[2];
    char byte = 0;
    begin(&w);
    write_to(at(&w, "mine.lua"), rpm(1));
    open_limiter(&w, (llim_options){.overrides = at(&w, "mine.lua"), .zone.name = "children"});
    settle(&w);
    assert_int_equal(pipe(go), 0);
    const pid_t child = fork();
    if (child == 0) {
        const int own = llim_watch_fd(w.limiter, NULL);
        if (own < 0 || read(go[0], &byte, 1) != 1) _exit(1);
        for (w.fd = own; limit_of(&w) != 3;) {
            wait_for(own);
            llim_watch_poll(w.limiter, NULL, NULL);
        }
        llim_close(w.limiter);
        _exit(0);
    }
    for (int i = 2; i <= 3; i++) {
        write_to(at(&w, "mine.lua"), rpm(i));
        expect_limit(&w, i);
    }
    settle(&w);
    struct pollfd in = {.fd = w.fd, .events = POLLIN};
    assert_int_equal(poll(&in, 1, 300), 0); /* though the child has what it was told by open still */
    assert_int_equal(write(go[1], &byte, 1), 1);
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    write_to(at(&w, "mine.lua"), rpm(4)); /* the parent's goes on */
    expect_limit(&w, 4);
    close(go[0]);
    close(go[1]);
    end(&w);
}

static void test_comes_after_its_descriptor(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(llim_open(NULL, &limiter, NULL), LLIM_OK);
    assert_int_equal(llim_watch_poll(limiter, NULL, &err), LLIM_EINVAL);
    assert_true(llim_watch_fd(limiter, NULL) >= 0); /* of no files */
    assert_int_equal(llim_watch_poll(limiter, NULL, &err), LLIM_OK);
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_that_is_written_or_replaced),
        cmocka_unit_test(test_a_bad_file_is_told_once),
        cmocka_unit_test(test_a_bad_table_is_told_once),
        cmocka_unit_test(test_a_directory_of_tables),
        cmocka_unit_test(test_a_directory_with_the_letters_of_patterns),
        cmocka_unit_test(test_symbolic_links_that_are_swapped),
        cmocka_unit_test(test_a_directory_far_above_that_is_replaced),
        cmocka_unit_test(test_a_file_that_is_written_by_another_name),
        cmocka_unit_test(test_looks_now_and_then_where_there_are_no_events),
        cmocka_unit_test(test_a_thread_of_the_limiter),
        cmocka_unit_test(test_other_paths_are_watched_instead),
        cmocka_unit_test(test_children_watch_by_themselves),
        cmocka_unit_test(test_comes_after_its_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
