/*
 * test_bounds_text.c - what a script may cost beside its instructions: long strings, a text that is hard to compile, memory that is
 * taken again and again, and the limiters of a policy's test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static const char overrides[] = "return { first = { rpm = 1000, guard = 0 }, second = { rpm = 1000, guard = 0 } }\n";

static size_t live, most;

static void *counted(void *ctx, void *memory, size_t before, size_t after)
{
    (void)ctx;
    void *moved = NULL;
    if (after)
        moved = realloc(memory, after);
    else
        free(memory);
    live += after - (memory ? before : 0);
    if (live > most) most = live;
    return moved;
}

/* What opening says; the limiter, if it is wanted. */
static int try_open(const char *policy, const char *mine, llim_limiter **out, llim_error *err)
{
    char rules[32], quotas[32];
    llim_limiter *limiter = NULL;
    kit_write_file(quotas, mine);
    kit_write_file(rules, policy);
    llim_options options = {.size = sizeof options, .overrides = quotas, .policy = rules};
    options.zone = (llim_zone_options){
        .size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL, .alloc = counted};
    memset(err, 0, sizeof *err);
    int code = llim_open(&options, &limiter, err);
    unlink(quotas);
    unlink(rules);
    if (out)
        *out = limiter;
    else
        llim_close(limiter);
    return code;
}

/* A text that grows. */
typedef struct text {
    char *start;
    size_t size;
} text;

static void add(text *t, const char *piece, int times)
{
    const size_t len = strlen(piece);
    t->start = realloc(t->start, t->size + len * (size_t)times + 1);
    assert_non_null(t->start);
    for (int i = 0; i < times; i++, t->size += len) memcpy(t->start + t->size, piece, len);
    t->start[t->size] = 0;
}

#define POLICY(body) "return policy { api = 1, name = 'test', " body " }\n"

static llim_error refused(const text *t, int line)
{
    llim_error err;
    assert_int_equal(try_open(t->start, overrides, NULL, &err), LLIM_ECONFIG);
    if (err.line != line) fail_msg("line %d: %s", err.line, err.message);
    assert_true(strncmp(err.file, "/tmp/llim-test-", 15) == 0);
    free(t->start);
    return err;
}

/* What a string of any length would cost is one instruction: a literal, a name, and what the parser would join are no longer than
   the longest that a script makes. */
static void test_literals_are_bounded(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"'", "'"}, {"\"", "\""}, {"[[", "]]"}, {"[==[\n", "]==]"}, {"{ ", " = 1 }"}};
    for (size_t i = 0; i < KIT_COUNT(shapes); i++) {
        text good = {0}, bad = {0};
        llim_error err;
        const int more_lines = i == 3;
        add(&good, "-- ", 1), add(&good, "long", 5000), add(&good, "\nlocal s = ", 1);
        add(&bad, "-- ", 1), add(&bad, "long", 5000), add(&bad, "\nlocal s = ", 1);
        add(&good, shapes[i][0], 1), add(&good, "x", 999), add(&good, shapes[i][1], 1);
        add(&bad, shapes[i][0], 1), add(&bad, "x", 1001), add(&bad, shapes[i][1], 1);
        add(&good, "\n" POLICY(""), 1), add(&bad, "\n" POLICY(""), 1);
        const int code = try_open(good.start, overrides, NULL, &err);
        if (code) fail_msg("%s", err.message);
        err = refused(&bad, 2 + more_lines);
        assert_non_null(strstr(err.message, "string of more than 1000 bytes"));
        free(good.start);
    }
}

/* The parser looks for a name that nobody has in every function around it, which is much more work than the text is long. */
static void test_compiling_is_bounded(void **state)
{
    (void)state;
    text t = {0};
    for (int i = 0; i < 180; i++) {
        add(&t, "local function f() local a", 1);
        add(&t, ", a", 180);
        add(&t, "\n", 1);
    }
    add(&t, "q = q ", 10000);
    add(&t, "end ", 180);
    add(&t, "\n" POLICY(""), 1);
    llim_error err = refused(&t, 181);
    assert_non_null(strstr(err.message, "the script failed: it used more than "));
}

/* It moves all waiting gotos at each one that comes to its label. */
static void test_gotos_are_bounded(void **state)
{
    (void)state;
    static const char *const words[] = {"goto z ", "break "};
    for (size_t i = 0; i < KIT_COUNT(words); i++) {
        text good = {0}, bad = {0};
        llim_error err;
        add(&good, "local function f(x) while x do ", 1), add(&good, words[i], 1900);
        add(&bad, "local function f(x) while x do ", 1), add(&bad, words[i], 2100);
        add(&good, "end ::z:: end\n" POLICY(""), 1), add(&bad, "end ::z:: end\n" POLICY(""), 1);
        const int code = try_open(good.start, overrides, NULL, &err);
        if (code) fail_msg("%s", err.message);
        err = refused(&bad, 0);
        assert_non_null(strstr(err.message, "it has more than 2000 times the word goto or break"));
        free(good.start);
    }
}

/* As much as everybody's models. */
static void test_a_long_table_is_no_harm(void **state)
{
    (void)state;
    text t = {0};
    llim_error err;
    add(&t, "return {\n", 1);
    for (int i = 0; i < 5000; i++) {
        char line[96];
        snprintf(line, sizeof line, "  [\"model-%d\"] = { rpm = %d, tpm = 1000000, rpd = 1000000000 },\n", i, i + 1);
        add(&t, line, 1);
    }
    add(&t, "}\n", 1);
    const int code = try_open(POLICY(""), t.start, NULL, &err);
    if (code) fail_msg("%s", err.message);
    free(t.start);
}

static uint32_t acquire(llim_limiter *limiter)
{
    static const char *const models[] = {"first", "second"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 2};
    llim_permit permit;
    llim_error err;
    int code = llim_acquire(limiter, &request, &permit, NULL, &err);
    if (code) fail_msg("%s: %s", llim_code_name(code), err.message);
    return permit.candidate;
}

static llim_status status_of(llim_limiter *limiter)
{
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(limiter, &status), LLIM_OK);
    return status;
}

/* What a script takes beyond its bounds is not refused again and again, each time with a collection: the first ends it. */
static void test_memory_that_is_over_ends_the_call(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "local s = string.rep('x', 600) local function f() calls = calls + 1 return s .. s end "
        "while true do pcall(f) end",
        "local t = {} local function f() for i = 1, 2^40 do t[i] = {} end end while true do pcall(f) end",
        "local s = string.rep('x', 600) return { pool[2], pool[1], s .. s }",
    };
    for (size_t i = 0; i < KIT_COUNT(bodies); i++) {
        text t = {0};
        llim_limiter *limiter;
        llim_error err;
        add(&t,
            "local calls = 0\n"
            "return policy { api = 1, name = 'test', route = function(req, pool) ",
            1);
        add(&t, bodies[i], 1);
        add(&t, " end }\n", 1);
        assert_int_equal(try_open(t.start, overrides, &limiter, &err), LLIM_OK);
        assert_int_equal(acquire(limiter), 0);
        assert_int_equal(status_of(limiter).ended, 1);
        llim_close(limiter);
        free(t.start);
        assert_int_equal(live, 0);
    }
}

/* Pieces of one size are not reused for another: what a VM has had of the host is bounded, whatever of it is in use. */
static void test_a_vm_is_bounded_whatever_its_sizes(void **state)
{
    (void)state;
    static const char sizes[] =
        "local keep, n, c = {}, 0, 0\n"
        "local sizes = { 45, 60, 76, 92, 108, 124, 140, 156, 172, 188, 204, 220 }\n"
        "return policy { api = 1, name = 'x', route = function(req, pool)\n"
        "  local phase, step = math.floor(n / 6), n % 6\n"
        "  n = n + 1\n"
        "  if step == 0 then keep = {} end\n"
        "  local size = sizes[phase % #sizes + 1]\n"
        "  local t = {} keep[step] = t\n"
        "  local pad = string.rep('x', size - 8)\n"
        "  for i = 1, math.min(4000, math.floor(500000 / (size + 56))) do c = c + 1 t[i] = pad .. (10000000 + c) end\n"
        "  return { pool[2], pool[1] }\n"
        "end }\n";
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(try_open(sizes, overrides, &limiter, &err), LLIM_OK);
    const size_t before = live;
    most = live;
    uint32_t second = 0;
    for (int i = 0; i < 100; i++) {
        second += acquire(limiter);
        kit_advance(llim_limiter_zone(limiter), KIT_SECOND);
    }
    assert_true(second > 0);
    assert_true(most - before < 8 << 20); /* a VM of 1 MiB, the 4 that it may keep, and 1 of a call */
    assert_true(status_of(limiter).ended > 0);
    llim_close(limiter);
}

/* Opening a policy that sorts so often while it loads, whose test makes so many limiters. */
static int open_sorting(int sorts, int worlds, llim_error *err)
{
    char policy[512];
    snprintf(policy, sizeof policy,
             "local t = {} for i = 1, 250 do t[i] = i end for i = 1, %d do table.sort(t) end " POLICY(
                 "test = function(t) for i = 1, %d do t { models = { a = { rpm = 1 } } } end end"),
             sorts, worlds);
    return try_open(policy, overrides, NULL, err);
}

/* What opens in a quarter of the time that a file has, or half of it, is good twice and too much nine times. */
static void test_limiters_of_a_test_take_its_time(void **state)
{
    (void)state;
    llim_error err;
    int too_many = 100;
    while (open_sorting(too_many, 0, &err) == LLIM_OK) too_many *= 2;
    assert_int_equal(open_sorting(too_many / 4, 1, &err), LLIM_OK);
    assert_int_equal(open_sorting(too_many / 4, 8, &err), LLIM_ECONFIG);
    assert_string_equal(err.field, "test");
}

/* What the kernel writes down for such a limiter may be long. */
static void test_limiters_of_a_test_have_any_models(void **state)
{
    (void)state;
    text t = {0};
    char line[128];
    add(&t, "return policy { api = 1, name = 'many', test = function(t)\n  local w = t { models = {\n", 1);
    for (int i = 0; i < 60; i++) {
        snprintf(line, sizeof line, "    [\"model-of-some-length-%d\"] = { rpm = 10, tpm = 1000, rpd = 100 },\n", i);
        add(&t, line, 1);
    }
    add(&t, "  } }\n  assert(w:acquire({ 'model-of-some-length-59' }, { tokens = 1 }))\n", 1);
    add(&t, "  local fine = pcall(t, { models = { [1] = 2 } })\n  assert(not fine)\nend }\n", 1);
    llim_error err;
    if (try_open(t.start, "return {}\n", NULL, &err)) fail_msg("%s", err.message);
    free(t.start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_are_bounded),
        cmocka_unit_test(test_compiling_is_bounded),
        cmocka_unit_test(test_gotos_are_bounded),
        cmocka_unit_test(test_a_long_table_is_no_harm),
        cmocka_unit_test(test_memory_that_is_over_ends_the_call),
        cmocka_unit_test(test_a_vm_is_bounded_whatever_its_sizes),
        cmocka_unit_test(test_limiters_of_a_test_take_its_time),
        cmocka_unit_test(test_limiters_of_a_test_have_any_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
