/*
 * test_bounds.c - scripts that mean harm, or are only wrong: each is ended, the default decides, nothing is charged that was not
 * asked for, the fault is told, and a good script goes on being right.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static const char overrides[] = "return { first = { rpm = 100, guard = 0 }, second = { rpm = 100, guard = 0 } }\n";
static const char *const models[] = {"first", "second"};

static unsigned logged;
static char last_logged[1024];

static void log_it(void *ctx, int level, const char *message)
{
    (void)ctx;
    (void)level;
    logged++;
    strncpy(last_logged, message, sizeof last_logged - 1);
}

/* What opening says; the limiter, if it is wanted. */
static int try_open(const char *policy, const char *mine, llim_limiter **out, llim_error *err)
{
    char rules[32], quotas[32];
    llim_limiter *limiter = NULL;
    kit_write_file(quotas, mine);
    kit_write_file(rules, policy);
    llim_options options = {.size = sizeof options, .overrides = quotas, .policy = rules, .log = log_it};
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    int code = llim_open(&options, &limiter, err);
    unlink(quotas);
    unlink(rules);
    if (out)
        *out = limiter;
    else
        llim_close(limiter);
    return code;
}

static uint32_t acquire(llim_limiter *limiter)
{
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

static int64_t used_of(llim_limiter *limiter, const char *name)
{
    llim_model_info info;
    assert_int_equal(llim_model(limiter, name, &info, NULL), LLIM_OK);
    return kit_used(llim_limiter_zone(limiter), info.row, 0);
}

#define ROUTE(body) "return policy { api = 1, name = 'test', route = function(req, pool) " body " end }\n"
#define SWAP        "return { pool[2], pool[1] }"

/* Each ends by the bounds. */
static const char *const endless[] = {
    ROUTE("while true do end"),
    ROUTE("repeat until false"),
    ROUTE("for i = 1, 2^53 do end"),
    ROUTE("while true do pcall(function() while true do end end) end"),
    ROUTE("pcall(pcall, function() while true do pcall(error) end end) while true do end"),
    ROUTE("local function f() return f() end return f()"),
    ROUTE("table.sort({3, 2, 1, 5, 4, 7, 6}, function(a, b) while true do end end)"),
    ROUTE("local t = {} for i = 1, 250 do t[i] = i % 7 end while true do table.sort(t) end"),
    ROUTE("local t = {} for i = 1, 2^40 do t[i] = i end"),
    ROUTE("local t = {} for i = 1, 2^40 do t[i] = {} end"),
    ROUTE("local t = {} while true do t = { t, t } end"),
    ROUTE("local t = {} for i = 1, 2^40 do t['k' .. i] = i end"),
    ROUTE("local s = 'x' while true do s = s .. s end"),
    ROUTE("local s = string.rep('x', 900) while true do local t = s .. 'y' end"),
    ROUTE("local s = ('x'):rep(900) while true do s:upper() end"),
    ROUTE("local s, t = ('x'):rep(900) .. 'a', ('x'):rep(900) .. 'b' while true do local b = s < t end"),
    ROUTE("local s = ('x'):rep(900) while true do pcall(string.rep, s, 2) s:reverse() end"),
    ROUTE("local t = {} for i = 1, 250 do t[i] = 'abcdefgh' end while true do table.concat(t) end"),
    ROUTE("local function f(n) if n > 0 then return f(n - 1), f(n - 1) end end while true do f(20) end"),
    ROUTE("local function f() return 1 + f() end return f()"),
    ROUTE("while true do tostring({}) end"),
    ROUTE("while true do string.format('%99.99f', 1e300) end"),
};

/* Each fails on its own, or gives no plan. */
static const char *const wrong[] = {
    ROUTE("error 'no'"),
    ROUTE("error({})"),
    ROUTE("error()"),
    ROUTE("return os.time()"),
    ROUTE("return io.open('/etc/passwd')"),
    ROUTE("return debug.getregistry()"),
    ROUTE("return load('return 1')()"),
    ROUTE("return require 'os'"),
    ROUTE("return package.loaded"),
    ROUTE("return _G.os"),
    ROUTE("return coroutine.wrap(function() while true do end end)()"),
    ROUTE("return getmetatable('').__index.rep"),
    ROUTE("return setmetatable({}, { __gc = function() end })"),
    ROUTE("return collectgarbage('count')"),
    ROUTE("return ('x'):rep(2^40)"),
    ROUTE("return ('x'):gsub('x', 'y')"),
    ROUTE("return ('a'):find(('a?'):rep(30) .. ('a'):rep(30))"),
    ROUTE("return table.move({}, 1, 2^40, 2)"),
    ROUTE("table.insert(pool, 2^40, 1)"),
    ROUTE("return table.concat({}, ',', 1, 2^40)"),
    ROUTE("return table.unpack({}, 1, 2^40)"),
    ROUTE("return string.dump(function() end)"),
    ROUTE("return rawset(string, 'rep', 1)"),
    ROUTE("minute.window = 1 return pool"),
    ROUTE("return 5"),
    ROUTE("return pool[2]"),
    ROUTE("return"),
    ROUTE("return { 1, 2 }"),
    ROUTE("return { {} }"),
    ROUTE("return { { index = 3 } }"),
    ROUTE("return { { index = 2^53 } }"),
    ROUTE("pool[1].index = 1e308 return pool"),
    ROUTE("pool[1].index = 'x' return pool"),
};

static int64_t processor_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * LLIM_SECOND + ts.tv_nsec;
}

/* The default takes each decision, and each charges once. */
static void check_fault(const char *policy, bool ends)
{
    llim_limiter *limiter;
    llim_error err;
    logged = 0;
    if (try_open(policy, overrides, &limiter, &err)) fail_msg("%s: %s", policy, err.message);
    for (unsigned i = 1; i <= 3; i++) {
        if (acquire(limiter) != 0) fail_msg("%s: decided all the same", policy);
        llim_status status = status_of(limiter);
        if (status.faults != i || status.ended != (ends ? i : 0))
            fail_msg("%s: %llu faults, %llu ended: %s", policy, (unsigned long long)status.faults,
                     (unsigned long long)status.ended, status.fault.message);
        assert_true(strstr(status.fault.message, "the policy's route hook failed: ") != NULL);
        assert_int_equal(used_of(limiter, "first"), i);
        assert_int_equal(used_of(limiter, "second"), 0);
        kit_advance(llim_limiter_zone(limiter), KIT_SECOND); /* a hook that was ended rests so long */
    }
    assert_int_equal(logged, 1);
    assert_true(strstr(last_logged, "the policy's route hook failed: ") != NULL);
    llim_close(limiter);
}

static void test_what_never_ends_is_ended(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(endless); i++) check_fault(endless[i], true);
}

static void test_what_reaches_out_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(wrong); i++) check_fault(wrong[i], false);
}

/* A hook that was ended rests for a second, since its VM is to be made anew; then it is asked again. */
static void test_a_hook_that_was_ended_rests(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    int code = try_open("local n = 0\n" ROUTE("n = n + 1 if n == 2 then while true do end end " SWAP), overrides,
                        &limiter, &err);
    if (code) fail_msg("%s", err.message);
    assert_int_equal(acquire(limiter), 1);
    assert_int_equal(acquire(limiter), 0); /* ended */
    for (int i = 0; i < 10; i++) assert_int_equal(acquire(limiter), 0);
    assert_int_equal(status_of(limiter).faults, 1);
    kit_advance(llim_limiter_zone(limiter), KIT_SECOND - 1);
    assert_int_equal(acquire(limiter), 0);
    kit_advance(llim_limiter_zone(limiter), 1);
    assert_int_equal(acquire(limiter), 1); /* a fresh VM: n begins anew */
    assert_int_equal(status_of(limiter).ended, 1);
    llim_close(limiter);
}

/* What a hook takes is freed again, and a policy of a usual size is far within its bounds. */
static void test_bounds_are_for_each_call(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    int code =
        try_open(ROUTE("local t = {} for i = 1, 1000 do t[i] = i end local s = '' for i = 1, 50 do s = s .. i end "
                       "table.sort(pool, function(a, b) return a.name > b.name end) return pool"),
                 overrides, &limiter, &err);
    if (code) fail_msg("%s", err.message);
    for (int i = 0; i < 100; i++) assert_int_equal(acquire(limiter), 1);
    assert_int_equal(status_of(limiter).faults, 0);
    llim_close(limiter);
}

/* The same of tables while they load: nothing opens, and the error names the file. */
static void test_loading_is_bounded(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "while true do end",
        "pcall(function() while true do end end) return {}",
        "local t = {} for i = 1, 2^40 do t['m' .. i] = { rpm = 1 } end return t",
        "local s = 'x' while true do s = s .. s end",
    };
    for (size_t i = 0; i < KIT_COUNT(bodies); i++) {
        for (int policy = 0; policy < 2; policy++) {
            llim_error err;
            int code = try_open(policy ? bodies[i] : ROUTE(SWAP), policy ? overrides : bodies[i], NULL, &err);
            assert_int_equal(code, LLIM_ECONFIG);
            assert_true(strstr(err.message, "the script failed: it ") != NULL);
            assert_true(strncmp(err.file, "/tmp/llim-test-", 15) == 0);
        }
    }
}

/* Bounds are options. */
static void test_bounds_are_options(void **state)
{
    (void)state;
    char rules[32];
    kit_write_file(rules, "local t = {} for i = 1, 2000 do t[i] = i end\n" ROUTE("for i = 1, 2000 do end return pool"));
    const struct {
        int64_t load, hook;
        int code;
        uint64_t ended;
    } cases[] = {{0, 0, LLIM_OK, 0}, {1000, 0, LLIM_ECONFIG, 0}, {0, 1000, LLIM_OK, 1}, {-1, 0, LLIM_ERANGE, 0}};
    for (size_t i = 0; i < KIT_COUNT(cases); i++) {
        llim_options options = {.size = sizeof options, .policy = rules};
        options.load.instructions = cases[i].load;
        options.hook.instructions = cases[i].hook;
        llim_limiter *limiter;
        llim_error err;
        assert_int_equal(llim_open(&options, &limiter, &err), cases[i].code);
        if (cases[i].code) continue;
        const char *const names[] = {"gpt-4o"};
        llim_request request = {.size = sizeof request, .models = names, .n_models = 1};
        llim_permit permit;
        assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, &err), LLIM_OK);
        assert_int_equal(status_of(limiter).ended, cases[i].ended);
        llim_close(limiter);
    }
    unlink(rules);
}

/* Not an assertion on time: what the longest took is shown. */
static void test_shows_what_the_longest_took(void **state)
{
    (void)state;
    int64_t most = 0;
    const char *which = "";
    for (size_t i = 0; i < KIT_COUNT(endless); i++) {
        llim_limiter *limiter;
        llim_error err;
        assert_int_equal(try_open(endless[i], overrides, &limiter, &err), LLIM_OK);
        acquire(limiter); /* makes the VM */
        kit_advance(llim_limiter_zone(limiter), KIT_SECOND);
        int64_t begin = processor_ns();
        acquire(limiter);
        int64_t took = processor_ns() - begin;
        if (took > most) which = endless[i];
        if (took > most) most = took;
        llim_close(limiter);
    }
    print_message("# the longest took %.1f ms with its VM: %s", (double)most / 1e6, which);
}

/* A locale in which "a" stands before "B", made from its source; false: there is none. */
static bool use_locale(char directory[32])
{
    char command[160];
    strcpy(directory, "/tmp/llim-locale-XXXXXX");
    if (!mkdtemp(directory)) return false;
    snprintf(command, sizeof command, "localedef -i en_US -f UTF-8 %s/en_US.UTF-8 >/dev/null 2>&1", directory);
    if (system(command) != 0) return false;
    setenv("LOCPATH", directory, 1);
    return setlocale(LC_ALL, "en_US.UTF-8") != NULL;
}

/* What a script decides, and how long comparing takes it, is not the program's locale. */
static void test_the_locale_is_that_of_c(void **state)
{
    (void)state;
    char directory[32], command[64];
    const bool made = use_locale(directory);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    if (!made) {
        print_message("# the locale en_US cannot be made from its source\n");
        skip();
    }
    assert_true(strcoll("a", "B") < 0);
    llim_limiter *limiter;
    llim_error err;
    if (try_open("return policy { api = 1, name = 'x', route = function(req, pool)\n"
                 "  return { pool['a' < 'B' and 1 or 2] }\nend }\n",
                 "return { first = { rpm = 5 }, second = { rpm = 5 } }\n", &limiter, &err))
        fail_msg("%s", err.message);
    assert_int_equal(acquire(limiter), 1);
    assert_true(strcoll("a", "B") < 0); /* as it was */
    llim_close(limiter);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_never_ends_is_ended),    cmocka_unit_test(test_what_reaches_out_fails),
        cmocka_unit_test(test_a_hook_that_was_ended_rests), cmocka_unit_test(test_bounds_are_for_each_call),
        cmocka_unit_test(test_loading_is_bounded),          cmocka_unit_test(test_bounds_are_options),
        cmocka_unit_test(test_shows_what_the_longest_took), cmocka_unit_test(test_the_locale_is_that_of_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
