/*
 * test_policies.c - every policy that comes with the library, and every example, loads: its own test passes in a limiter. And the
 * decisions that the specs cannot see, since they are the engine's, are those that the lessons promise. Run from the root of the
 * checkout.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static int try_open(const char *policy, const char *overrides, llim_limiter **limiter, llim_error *err)
{
    char quotas[32];
    if (overrides) kit_write_file(quotas, overrides);
    llim_options options = {.size = sizeof options, .policy = policy, .seed = 7, .scopes = 8};
    options.overrides = overrides ? quotas : NULL;
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    int code = llim_open(&options, limiter, err);
    if (overrides) unlink(quotas);
    return code;
}

static llim_limiter *open_policy(const char *policy, const char *overrides)
{
    llim_limiter *limiter;
    llim_error err;
    if (try_open(policy, overrides, &limiter, &err)) fail_msg("%s: %s", policy, err.message);
    return limiter;
}

static void test_shipped(void **state)
{
    (void)state;
    static const char *const names[] = {"priority", "weighted", "least_loaded", "cheapest", "sticky", "tenants"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) llim_close(open_policy(names[i], NULL));
}

static void test_examples(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("examples/policies/*.lua", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 4);
    for (size_t i = 0; i < found.gl_pathc; i++) llim_close(open_policy(found.gl_pathv[i], NULL));
    globfree(&found);
}

/* The README's example, whose test runs here. */
static void test_readme(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen("README.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *end, *at = strstr(text, "return policy {"), path[32];
    assert_non_null(at);
    while (strncmp(at, "```lua\n", 7) != 0) at--;
    at += 7;
    end = strstr(at, "```");
    assert_non_null(end);
    *end = 0;
    assert_non_null(strstr(at, "test = "));
    kit_write_file(path, at);
    llim_close(open_policy(path, NULL));
    unlink(path);
}

static const char *const models[] = {"a", "b", "c"};

/* The model that is admitted, or "". A hook that fails fails the test. */
static const char *ask(llim_limiter *limiter, const llim_tag *tags, uint32_t n_tags)
{
    llim_request request = {.size = sizeof request, .models = models, .n_models = 3, .tags = tags, .n_tags = n_tags};
    llim_permit permit;
    llim_refusal refusal;
    llim_error err;
    llim_status status = {.size = sizeof status};
    int code = llim_acquire(limiter, &request, &permit, &refusal, &err);
    if (code != LLIM_OK && code != LLIM_LATER) fail_msg("%s", err.message);
    assert_int_equal(llim_get_status(limiter, &status), LLIM_OK);
    if (status.faults) fail_msg("%s", status.fault.message);
    return code == LLIM_OK ? models[permit.candidate] : "";
}

static void test_weights(void **state)
{
    (void)state;
    enum { CALLS = 4000 };
    llim_limiter *limiter = open_policy("weighted", "return { a = { weight = 5 }, b = { weight = 2 }, c = {} }");
    int count[3] = {0};
    for (int i = 0; i < CALLS; i++) count[ask(limiter, NULL, 0)[0] - 'a']++;
    /* Six standard deviations of a binomial distribution are less than 200 here. */
    assert_in_range(count[0], CALLS * 5 / 8 - 200, CALLS * 5 / 8 + 200);
    assert_in_range(count[1], CALLS * 2 / 8 - 200, CALLS * 2 / 8 + 200);
    llim_close(limiter);
}

static void test_sessions(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("sticky", "return { a = { rpm = 99 }, b = { rpm = 99 }, c = { rpm = 99 } }");
    char name[] = "session 0";
    int seen[3] = {0};
    for (int i = 0; i < 10; i++) {
        name[sizeof name - 2] = (char)('0' + i);
        const llim_tag tag = {"session", name};
        const char *favourite = ask(limiter, &tag, 1);
        seen[favourite[0] - 'a']++;
        for (int k = 0; k < 4; k++) assert_string_equal(ask(limiter, &tag, 1), favourite);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    llim_close(limiter);
}

static void test_tenants(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("tenants", "return { a = {}, b = {}, c = {}, ['org:*'] = { rpm = 3 },\n"
                                                   "  ['team:*'] = { rpm = 2 } }");
    const llim_tag search[] = {{"org", "acme"}, {"team", "search"}}, ads[] = {{"org", "acme"}, {"team", "ads"}};
    const llim_tag other[] = {{"org", "ace"}, {"team", "search"}};
    assert_string_equal(ask(limiter, search, 2), "a");
    assert_string_equal(ask(limiter, search, 2), "a");
    for (int i = 0; i < 5; i++) assert_string_equal(ask(limiter, search, 2), "");
    assert_string_equal(ask(limiter, other, 2), "a");
    assert_string_equal(ask(limiter, ads, 2), "a");
    assert_string_equal(ask(limiter, ads, 2), "");
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped), cmocka_unit_test(test_examples), cmocka_unit_test(test_readme),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_sessions), cmocka_unit_test(test_tenants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
