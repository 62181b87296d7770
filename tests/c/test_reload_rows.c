/* test_reload_rows.c - reloads by which models draw on other rows, and reloads for which there is no memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

#define DAYS(n) ((int64_t)(n)*86400 * LLIM_SECOND)

static const char apart[] = "return quota 'acme' { api = 1, modality = 'text',\n"
                            "  tier 'free' { a = { rpm = 10 }, b = { rpm = 10 } } }\n";
static const char together[] = "return quota 'acme' { api = 1, modality = 'text', families = { a = { 'b' } },\n"
                               "  tier 'free' { a = { rpm = 10 } } }\n";

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static llim_limiter *open_limiter(llim_options *options)
{
    llim_limiter *limiter;
    llim_error err;
    options->size = sizeof *options;
    options->zone =
        (llim_zone_options){.size = sizeof options->zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    if (llim_open(options, &limiter, &err)) fail_msg("%s", err.message);
    return limiter;
}

static int acquire(llim_limiter *limiter, const char *model, llim_permit *permit, llim_refusal *refusal)
{
    llim_request request = {.size = sizeof request, .models = &model, .n_models = 1};
    return llim_acquire(limiter, &request, permit, refusal, NULL);
}

/* b comes to the row of a while a call of it is under way: the answer ends the permit, and cools what b means by now. */
static void test_an_answer_finds_a_model_in_its_family(void **state)
{
    (void)state;
    char quotas[32];
    kit_write_file(quotas, apart);
    llim_options options = {.quotas = quotas};
    llim_limiter *limiter = open_limiter(&options);
    llim_permit permit, other;
    llim_refusal refusal;
    static const char headers[] = "retry-after: 100\r\n";
    const llim_response refused = {
        .size = sizeof refused, .status = 429, .headers = headers, .headers_len = sizeof headers - 1};
    assert_int_equal(acquire(limiter, "b", &permit, NULL), LLIM_OK);
    write_to(quotas, together);
    assert_int_equal(llim_reload(limiter, NULL, NULL, NULL), LLIM_OK);
    assert_int_equal(llim_answered(limiter, &permit, &refused, NULL), LLIM_OK);
    assert_int_equal(permit.n_rows, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(acquire(limiter, i ? "a" : "b", &other, &refusal), LLIM_LATER);
        assert_int_equal(refusal.reason, LLIM_BY_COOLDOWN);
        assert_int_equal(refusal.wait_ns, 100 * (int64_t)LLIM_SECOND);
    }
    llim_close(limiter);
    unlink(quotas);
}

/* The row of an account that is not in force any more makes room once it is idle. */
static void test_accounts_may_rotate_for_ever(void **state)
{
    (void)state;
    char mine[32], account[16];
    llim_error err;
    kit_write_file(mine, "return { ['in-house'] = { rpm = 5 } }\n");
    llim_options options = {.overrides = mine, .account = "key"};
    llim_limiter *limiter = open_limiter(&options);
    llim_permit permit;
    for (int i = 1; i <= 40; i++) {
        kit_advance(llim_limiter_zone(limiter), DAYS(40));
        snprintf(account, sizeof account, "key-%d", i);
        options.account = account;
        if (llim_reload(limiter, &options, NULL, &err)) fail_msg("rotation %d: %s", i, err.message);
        assert_int_equal(acquire(limiter, "in-house", &permit, NULL), LLIM_OK);
    }
    llim_close(limiter);
    unlink(mine);
}

/* Refuses one allocation, and no other. */
typedef struct scarcity {
    int64_t until; /* so many more are granted */
    bool refused;
} scarcity;

static void *scarce(void *ctx, void *memory, size_t before, size_t after)
{
    scarcity *s = ctx;
    (void)before;
    if (after == 0) {
        free(memory);
        return NULL;
    }
    if (s->until-- != 0) return realloc(memory, after);
    s->refused = true;
    return NULL;
}

/* Whichever allocation is refused, the set that was in force stays, or the new one is; and the next reload is as ever. */
static void check_reloads_without_memory(const char *policy)
{
    char mine[32], rules[32], text[64];
    llim_limiter *limiter;
    llim_permit permit;
    scarcity s = {-1, false};
    kit_write_file(mine, "return { a = { rpm = 1 } }\n");
    kit_write_file(rules, policy);
    const llim_options options = {.size = sizeof options,
                                  .overrides = mine,
                                  .policy = rules,
                                  .zone = {.size = sizeof options.zone,
                                           .clock = LLIM_CLOCK_VIRTUAL,
                                           .start_wall_ns = KIT_WALL,
                                           .alloc = scarce,
                                           .alloc_ctx = &s}};
    assert_int_equal(llim_open(&options, &limiter, NULL), LLIM_OK);
    assert_int_equal(acquire(limiter, "a", &permit, NULL), LLIM_OK); /* by a VM of this thread, if hooks are asked */
    int64_t k = 0;
    for (bool refused = true; refused; k++) {
        uint32_t before, after;
        assert_int_equal(llim_reload(limiter, NULL, &before, NULL), LLIM_OK);
        snprintf(text, sizeof text, "return { a = { rpm = %d } }\n", (int)k + 2);
        write_to(mine, text);
        s = (scarcity){k, false};
        int code = llim_reload(limiter, NULL, &after, NULL);
        refused = s.refused;
        s = (scarcity){-1, false};
        if (code) assert_int_equal(code, LLIM_ENOMEM);
        assert_int_equal(after, code ? before : before + 1);
        llim_model_info info;
        assert_int_equal(llim_model(limiter, "a", &info, NULL), LLIM_OK);
        assert_int_equal(kit_used(llim_limiter_zone(limiter), info.row, 0), 1);
    }
    assert_true(k > 20);
    llim_close(limiter);
    unlink(mine);
    unlink(rules);
}

static void test_without_memory(void **state)
{
    (void)state;
    check_reloads_without_memory("return policy { api = 1, name = 'none' }\n");
    check_reloads_without_memory(
        "return policy { api = 1, name = 'same', route = function(req, pool) return pool end }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_finds_a_model_in_its_family),
        cmocka_unit_test(test_accounts_may_rotate_for_ever),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
