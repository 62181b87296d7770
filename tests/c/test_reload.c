/*
 * test_reload.c - other quotas and another policy in force: what becomes of counts, permits, models, scopes and strings, and
 * that what fails changes nothing.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

/* A limiter of files that the test rewrites. */
typedef struct world {
    char mine[32], rules[32]; /* overrides and policy */
    llim_options options;
    llim_limiter *limiter;
    llim_zone *zone;
    char log[4][256];
    int logged;
    void *(*meanwhile)(void *world); /* what another thread does when the log is told next */
} world;

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void note(void *ctx, int level, const char *message)
{
    world *w = ctx;
    (void)level;
    snprintf(w->log[w->logged++ % 4], sizeof w->log[0], "%s", message);
    void *(*meanwhile)(void *) = w->meanwhile;
    pthread_t thread;
    w->meanwhile = NULL;
    if (!meanwhile) return;
    assert_int_equal(pthread_create(&thread, NULL, meanwhile, w), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void open_world(world *w, const char *overrides, const char *policy)
{
    llim_error err;
    *w = (world){.options.size = sizeof w->options};
    kit_write_file(w->mine, overrides);
    kit_write_file(w->rules, policy ? policy : "return policy { api = 1, name = 'none' }\n");
    w->options.overrides = w->mine;
    w->options.policy = w->rules;
    w->options.log = note;
    w->options.log_ctx = w;
    w->options.zone = (llim_zone_options){.size = sizeof w->options.zone,
                                          .clock = LLIM_CLOCK_VIRTUAL,
                                          .start_wall_ns = KIT_WALL,
                                          .rows = 4,
                                          .sliding = 4};
    if (llim_open(&w->options, &w->limiter, &err)) fail_msg("%s", err.message);
    w->zone = llim_limiter_zone(w->limiter);
}

static void close_world(world *w)
{
    llim_close(w->limiter);
    unlink(w->mine);
    unlink(w->rules);
}

static llim_status status_of(const world *w)
{
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(w->limiter, &status), LLIM_OK);
    return status;
}

static uint32_t reload(const world *w, const char *overrides)
{
    llim_error err;
    uint32_t generation;
    if (overrides) write_to(w->mine, overrides);
    if (llim_reload(w->limiter, NULL, &generation, &err)) fail_msg("%s", err.message);
    assert_int_equal(status_of(w).generation, generation);
    return generation;
}

static int acquire(const world *w, const char *model, int64_t tokens, llim_permit *permit)
{
    llim_permit own;
    llim_request request = {
        .size = sizeof request, .models = &model, .n_models = 1, .charge.amount[LLIM_TOKENS] = tokens};
    return llim_acquire(w->limiter, &request, permit ? permit : &own, NULL, NULL);
}

static int acquire_times(const world *w, const char *model, int times)
{
    int admitted = 0;
    while (times-- > 0) admitted += acquire(w, model, 1, NULL) == LLIM_OK;
    return admitted;
}

static llim_model_info model_of(const world *w, const char *name)
{
    llim_model_info info;
    assert_int_equal(llim_model(w->limiter, name, &info, NULL), LLIM_OK);
    return info;
}

static int64_t used_of(const world *w, const char *name)
{
    return kit_used(w->zone, model_of(w, name).row, 0);
}

static void test_counts_stay(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 5, guard = 0 }, b = { rpm = 5, guard = 0 }, c = { rpm = 5, guard = 0 } }",
               NULL);
    assert_int_equal(acquire_times(&w, "a", 5), 5);
    assert_int_equal(acquire_times(&w, "b", 5), 5);
    assert_int_equal(acquire_times(&w, "c", 3), 3);
    uint32_t generation =
        reload(&w, "return { a = { rpm = 8, guard = 0 }, b = { rpm = 3, guard = 0 }, c = { rpm = 5, guard = 0 } }");
    assert_int_equal(generation, 2);
    assert_int_equal(used_of(&w, "a"), 5);
    assert_int_equal(acquire_times(&w, "a", 9), 3);
    assert_int_equal(used_of(&w, "b"), 5); /* lowering refunds nothing */
    assert_int_equal(acquire_times(&w, "b", 9), 0);
    assert_int_equal(acquire_times(&w, "c", 9), 2);
    kit_advance(w.zone, KIT_MINUTE);
    assert_int_equal(acquire_times(&w, "b", 9), 3);
    close_world(&w);
}

static void test_another_window_starts_with_what_the_old_one_holds(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { requests = 5/minute, guard = 0 } }", NULL);
    assert_int_equal(acquire_times(&w, "a", 4), 4);
    reload(&w, "return { a = { requests = 5/hour, guard = 0 } }");
    assert_int_equal(used_of(&w, "a"), 4);
    assert_int_equal(acquire_times(&w, "a", 9), 1);
    close_world(&w);
}

static void test_the_same_content_is_no_new_generation(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 5 } }", NULL);
    uint64_t hash = status_of(&w).hash;
    assert_int_equal(reload(&w, NULL), 1);
    assert_int_equal(reload(&w, "return { a = { rpm = 5 } }"), 1);
    assert_int_equal(reload(&w, "return { a = { rpm = 6 } }"), 2);
    assert_true(status_of(&w).hash != hash);
    assert_int_equal(reload(&w, "return { a = { rpm = 5 } }"), 3);
    assert_true(status_of(&w).hash == hash);
    assert_int_equal(status_of(&w).reloads, 2);
    assert_int_equal(status_of(&w).failed_reloads, 0);
    close_world(&w);
}

/* A copy elsewhere is the same content, and is what is read from then on. */
static void test_takes_other_options(void **state)
{
    (void)state;
    world w;
    uint32_t generation;
    llim_error err;
    open_world(&w, "return { a = { rpm = 5 } }", NULL);
    char *copy = strdup(w.mine);
    kit_write_file(w.mine, "return { a = { rpm = 5 } }");
    assert_int_equal(llim_reload(w.limiter, &w.options, &generation, &err), LLIM_OK);
    assert_int_equal(generation, 1);
    unlink(copy);
    free(copy);
    assert_int_equal(reload(&w, "return { a = { rpm = 7 } }"), 2);

    w.options.tier = "tier1";
    int64_t before = kit_used(w.zone, model_of(&w, "gpt-4o-mini").row, 0);
    assert_int_equal(before, 0);
    assert_int_equal(llim_reload(w.limiter, &w.options, &generation, &err), LLIM_OK);
    assert_int_equal(generation, 3);
    assert_int_equal(reload(&w, "return { a = { rpm = 8 } }"), 4); /* the tier stays */
    w.options.tier = "tier9";
    assert_int_equal(llim_reload(w.limiter, &w.options, &generation, &err), LLIM_EUNKNOWN_TIER);
    assert_int_equal(generation, 4);
    assert_non_null(strstr(err.message, "tier1"));
    assert_int_equal(reload(&w, "return { a = { rpm = 9 } }"), 5);

    w.options.modality = LLIM_AUDIO;
    assert_int_equal(llim_reload(w.limiter, &w.options, NULL, &err), LLIM_EINVAL);
    w.options.size--;
    assert_int_equal(llim_reload(w.limiter, &w.options, NULL, NULL), LLIM_EVERSION);
    assert_int_equal(status_of(&w).failed_reloads, 1);
    close_world(&w);
}

static void test_a_removed_model_drains(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 9, tpm = 100, guard = 0 }, b = { rpm = 1 } }", NULL);
    llim_permit settled, cancelled, answered;
    llim_model_info info = model_of(&w, "a");
    assert_int_equal(acquire(&w, "a", 50, &settled), LLIM_OK);
    assert_int_equal(acquire(&w, "a", 30, &cancelled), LLIM_OK);
    assert_int_equal(acquire(&w, "a", 10, &answered), LLIM_OK);
    reload(&w, "return { b = { rpm = 2 } }");
    assert_int_equal(acquire(&w, "a", 1, NULL), LLIM_EUNKNOWN_MODEL);
    reload(&w, "return { b = { rpm = 3 } }"); /* and another one */
    assert_string_equal(info.name, "a");
    llim_charge facts = kit_fact(LLIM_TOKENS, 20);
    assert_int_equal(llim_settle(w.zone, &settled, &facts), LLIM_OK);
    assert_int_equal(llim_cancel(w.zone, &cancelled), LLIM_OK);
    llim_response response = {.size = sizeof response,
                              .status = 429,
                              .headers = "retry-after: 7\r\n",
                              .headers_len = 16,
                              .body = "{}",
                              .body_len = 2};
    int64_t left;
    assert_int_equal(llim_answered(w.limiter, &answered, &response, NULL), LLIM_OK);
    assert_int_equal(llim_cooling(w.zone, info.row, &left), LLIM_OK);
    assert_int_equal(left, 7 * KIT_SECOND);

    reload(&w, "return { a = { rpm = 9, tpm = 100, guard = 0 } }"); /* and back */
    llim_model_info again = model_of(&w, "a");
    assert_ptr_equal(again.name, info.name);
    assert_int_equal(again.row.index, info.row.index);
    assert_int_equal(again.row.epoch, info.row.epoch);
    kit_advance(w.zone, 7 * KIT_SECOND);
    llim_usage usage[2];
    uint32_t n;
    assert_int_equal(llim_row_usage(w.zone, again.row, usage, 2, &n), LLIM_OK);
    assert_int_equal(n, 2);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(usage[i].used, usage[i].limit.meter == LLIM_TOKENS ? 20 : 2);
    assert_int_equal(acquire(&w, "a", 81, NULL), LLIM_LATER);
    assert_int_equal(acquire(&w, "a", 80, NULL), LLIM_OK);
    close_world(&w);
}

/* The place of a model that is gone and idle is another's in time, and nobody mistakes one for the other. */
static void test_an_idle_row_of_a_removed_model_is_given_away(void **state)
{
    (void)state;
    world w;
    char text[512];
    open_world(&w, "return { m0 = { rpm = 5, guard = 0 } }", NULL);
    for (int i = 1; i < 40; i++) {
        llim_permit old;
        snprintf(text, sizeof text, "m%d", i - 1);
        assert_int_equal(acquire(&w, text, 1, &old), LLIM_OK);
        snprintf(text, sizeof text, "return { m%d = { rpm = 5, guard = 0 } }", i);
        reload(&w, text);
        snprintf(text, sizeof text, "m%d", i);
        assert_int_equal(used_of(&w, text), 0);
        assert_int_equal(llim_cancel(w.zone, &old), LLIM_OK);
        kit_advance(w.zone, KIT_MINUTE);
    }
    close_world(&w);
}

static llim_limit limit_of(const world *w, llim_row row)
{
    llim_usage usage;
    uint32_t n;
    assert_int_equal(llim_row_usage(w->zone, row, &usage, 1, &n), LLIM_OK);
    assert_int_equal(n, 1);
    return usage.limit;
}

static void test_scopes_follow(void **state)
{
    (void)state;
    world w;
    llim_row acme, other, own, found;
    open_world(&w, "return { ['team:*'] = { rpm = 5 }, ['team:acme'] = { rpm = 7 }, a = { rpm = 100 } }", NULL);
    assert_int_equal(llim_scope(w.limiter, "team:acme", &acme, NULL), LLIM_OK);
    assert_int_equal(llim_scope(w.limiter, "team:other", &other, NULL), LLIM_OK);
    const llim_limit mine = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 3, KIT_MINUTE, 0);
    own = kit_row(w.zone, "team:own", &mine, 1);
    assert_int_equal(kit_admit(w.zone, other, LLIM_REQUESTS, 2), LLIM_OK);
    reload(&w, "return { ['team:*'] = { rpm = 9 }, a = { rpm = 100 } }");
    assert_int_equal(limit_of(&w, other).amount, 5); /* until it is asked for */
    assert_int_equal(llim_scope(w.limiter, "team:other", &found, NULL), LLIM_OK);
    assert_int_equal(found.index, other.index);
    assert_int_equal(found.epoch, other.epoch);
    assert_int_equal(limit_of(&w, other).amount, 9);
    assert_int_equal(kit_used(w.zone, other, 0), 2);
    assert_int_equal(llim_scope(w.limiter, "team:acme", &found, NULL), LLIM_OK); /* by the kind now */
    assert_int_equal(limit_of(&w, acme).amount, 9);
    assert_int_equal(llim_scope(w.limiter, "team:own", &found, NULL), LLIM_OK);
    assert_int_equal(found.index, own.index);
    assert_int_equal(limit_of(&w, own).amount, 3);
    reload(&w, "return { a = { rpm = 100 } }");
    assert_int_equal(llim_scope(w.limiter, "team:other", &found, NULL), LLIM_ENOTFOUND);
    assert_int_equal(limit_of(&w, other).amount, 9);
    close_world(&w);
}

#define ROUTE(body) "return policy { api = 1, name = 'test', route = function(req, pool) " body " end }\n"

static uint32_t first_of(const world *w)
{
    static const char *const models[] = {"a", "b"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 2};
    llim_permit permit;
    assert_int_equal(llim_acquire(w->limiter, &request, &permit, NULL, NULL), LLIM_OK);
    return permit.candidate;
}

static void test_another_policy_decides_next(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 100 }, b = { rpm = 100 } }", NULL);
    assert_int_equal(first_of(&w), 0);
    write_to(w.rules, ROUTE("return { pool[2], pool[1] }"));
    reload(&w, NULL);
    assert_int_equal(first_of(&w), 1);
    write_to(w.rules, ROUTE("return { pool[1], pool[2] }"));
    reload(&w, NULL);
    assert_int_equal(first_of(&w), 0);
    w.logged = 0;
    write_to(w.rules, ROUTE("while true do end"));
    reload(&w, NULL);
    for (int i = 0; i < 5; i++) assert_int_equal(first_of(&w), 0);
    assert_int_equal(status_of(&w).ended, 1);
    write_to(w.rules, ROUTE("return { pool[2], pool[1] }"));
    reload(&w, NULL);
    assert_int_equal(first_of(&w), 1); /* a good one is asked at once */
    write_to(w.rules, ROUTE("error 'no'"));
    reload(&w, NULL);
    for (int i = 0; i < 5; i++) assert_int_equal(first_of(&w), 0);
    assert_int_equal(status_of(&w).faults, 6);
    assert_int_equal(w.logged, 3 + 2); /* of each generation, and one for each that failed */
    close_world(&w);
}

static void test_strikes_go_on(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 100 } }", NULL);
    llim_response response = {.size = sizeof response, .status = 429, .body = "{}", .body_len = 2};
    llim_row row = model_of(&w, "a").row;
    for (int i = 0; i < 3; i++) {
        llim_permit permit;
        char text[64];
        int64_t left;
        assert_int_equal(acquire(&w, "a", 1, &permit), LLIM_OK);
        assert_int_equal(llim_answered(w.limiter, &permit, &response, NULL), LLIM_OK);
        assert_int_equal(llim_cooling(w.zone, row, &left), LLIM_OK);
        assert_in_range(left, (30 << i) * KIT_SECOND, (60 << i) * KIT_SECOND);
        snprintf(text, sizeof text, "return { a = { rpm = %d } }", 101 + i);
        reload(&w, text);
        const int64_t forgotten = left / KIT_MINUTE;
        if (forgotten) break;
        kit_advance(w.zone, left);
    }
    close_world(&w);
}

static void *give_the_row_away(void *arg)
{
    world *w = arg;
    static const char scope[] = "model:default/custom/a";
    const llim_limit limit = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 3, KIT_MINUTE, 0);
    llim_row row;
    reload(w, "return { b = { rpm = 5 } }");
    for (int i = 0; llim_row_find(w->zone, scope, sizeof scope - 1, &row) == LLIM_OK; i++) {
        char name[32];
        assert_in_range(i, 0, 10000);
        snprintf(name, sizeof name, "team:%d", i);
        kit_row(w->zone, name, &limit, 1);
    }
    return NULL;
}

static void *give_the_row_away_and_return(void *arg)
{
    give_the_row_away(arg);
    reload(arg, "return { a = { rpm = 7 } }");
    return NULL;
}

/* A decision that has begun by the set before, and whose model has lost its row to another, is taken by the set in force. */
static void test_a_row_that_is_given_away_within_a_decision(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 5 } }", ROUTE("error 'so that the log is told'"));
    w.meanwhile = give_the_row_away_and_return;
    assert_int_equal(acquire(&w, "a", 1, NULL), LLIM_OK);
    assert_null(w.meanwhile);
    assert_int_equal(used_of(&w, "a"), 1);
    close_world(&w);
    open_world(&w, "return { a = { rpm = 5 } }", ROUTE("error 'so that the log is told'"));
    w.meanwhile = give_the_row_away;
    assert_int_equal(acquire(&w, "a", 1, NULL), LLIM_EUNKNOWN_MODEL);
    assert_null(w.meanwhile);
    close_world(&w);
}

/* What a reload must leave alone. */
typedef struct picture {
    llim_zone_stats stats;
    uint64_t hash;
    uint32_t generation;
    llim_usage usage[3];
} picture;

static picture picture_of(const world *w)
{
    picture p;
    memset(&p, 0, sizeof p);
    uint32_t n;
    llim_zone_get_stats(w->zone, &p.stats);
    p.hash = status_of(w).hash;
    p.generation = status_of(w).generation;
    assert_int_equal(llim_row_usage(w->zone, model_of(w, "a").row, p.usage, 3, &n), LLIM_OK);
    assert_int_equal(n, 3);
    return p;
}

static void test_what_is_wrong_changes_nothing(void **state)
{
    (void)state;
    static const struct wrong {
        const char *overrides, *policy;
        int code, line;
    } all[] = {
        {"return { a = { rpm = 9", NULL, LLIM_ECONFIG, 1},
        {"", NULL, LLIM_ECONFIG, 0},
        {"return { a = { rpm = 9 },\n  b = { rpn = 4 } }", NULL, LLIM_ECONFIG, 2},
        {"return { a = { rpm = -9 } }", NULL, LLIM_ECONFIG, 1},
        {"\nerror 'no'", NULL, LLIM_ECONFIG, 2},
        {"while true do end", NULL, LLIM_ECONFIG, 0},
        {"local t = {} while true do t = { t, t } end", NULL, LLIM_ECONFIG, 0},
        {"return os.exit(1)", NULL, LLIM_ECONFIG, 1},
        {"\x1bLua", NULL, LLIM_ECONFIG, 0},
        {"return { a = { requests = 5/day { tz = 'No/Where' } } }", NULL, LLIM_ECONFIG, 1},
        {NULL, "return policy { api = 1, name = 'x', rout = 5 }", LLIM_ECONFIG, 1},
        {NULL, "return policy { api = 2, name = 'x' }", LLIM_ECONFIG, 1},
        {NULL, "return policy { api = 1, ", LLIM_ECONFIG, 1},
        {NULL, "return {}", LLIM_ECONFIG, 0},
        {NULL, "return policy { api = 1, name = 'x',\n test = function(t)\n error 'no' end }", LLIM_ECONFIG, 3},
    };
    world w;
    const char *good = "return { a = { rpm = 5, tpm = 50, rpd = 9 } }";
    open_world(&w, good, NULL);
    llim_permit permit;
    assert_int_equal(acquire(&w, "a", 7, &permit), LLIM_OK);
    picture before = picture_of(&w);
    for (size_t i = 0; i < KIT_COUNT(all); i++) {
        llim_error err;
        if (all[i].overrides) write_to(w.mine, all[i].overrides);
        if (all[i].policy) write_to(w.rules, all[i].policy);
        const char *path = all[i].policy ? w.rules : w.mine;
        w.logged = 0;
        assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), all[i].code);
        assert_string_equal(err.file, path);
        if (all[i].line) assert_int_equal(err.line, all[i].line);
        assert_non_null(strstr(err.message, path));
        assert_int_equal(w.logged, 1);
        assert_non_null(strstr(w.log[0], "generation 1 stays in force: "));
        assert_string_equal(status_of(&w).reload_fault.message, err.message);
        assert_int_equal(status_of(&w).failed_reloads, i + 1);
        picture after = picture_of(&w);
        assert_memory_equal(&before, &after, sizeof before);
        write_to(w.mine, good);
        write_to(w.rules, "return policy { api = 1, name = 'none' }\n");
    }
    llim_error err;
    unlink(w.mine);
    assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), LLIM_EIO);
    assert_string_equal(err.file, w.mine);
    assert_int_equal(mkdir(w.mine, 0700), 0);
    assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), LLIM_EIO);
    rmdir(w.mine);
    w.options.quotas = "/no/such/directory";
    assert_int_equal(llim_reload(w.limiter, &w.options, NULL, &err), LLIM_ECONFIG);
    picture after = picture_of(&w);
    assert_memory_equal(&before, &after, sizeof before);
    llim_charge facts = kit_fact(LLIM_TOKENS, 3);
    assert_int_equal(llim_settle(w.zone, &permit, &facts), LLIM_OK);
    assert_int_equal(reload(&w, "return { a = { rpm = 6, tpm = 50, rpd = 9 } }"), 2);
    assert_int_equal(acquire_times(&w, "a", 9), 5);
    close_world(&w);
}

/* The zone was made for what there was, and a little more. */
static void test_a_full_zone_changes_nothing(void **state)
{
    (void)state;
    world w;
    char text[4096];
    open_world(&w, "return { a = { rpm = 5, tpm = 50, rpd = 9 }, b = { requests = 5/minute } }", NULL);
    assert_int_equal(acquire_times(&w, "a", 2), 2);
    assert_int_equal(acquire_times(&w, "b", 2), 2);
    picture before = picture_of(&w);
    size_t n = (size_t)snprintf(text, sizeof text, "return { a = { rpm = 99, tpm = 99, rpd = 99 }, ");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "m%d = { requests = %d/minute }, ", i, i + 1);
    snprintf(text + n, sizeof text - n, "}");
    write_to(w.mine, text);
    for (int i = 0; i < 3; i++) {
        llim_error err;
        assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), LLIM_EFULL);
        picture after = picture_of(&w);
        assert_memory_equal(before.usage, after.usage, sizeof before.usage);
        assert_int_equal(after.generation, 1);
        assert_int_equal(acquire(&w, "m0", 1, NULL), LLIM_EUNKNOWN_MODEL);
    }
    /* What was taken for it may be had by others. */
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text,
                 "return { a = { rpm = 5, tpm = 50, rpd = 9 }, b = { requests = 5/minute }, "
                 "n%d = { requests = 1/minute } }",
                 i);
        assert_int_equal(reload(&w, text), 2 + (uint32_t)i);
    }
    assert_int_equal(acquire_times(&w, "b", 9), 3);
    assert_int_equal(acquire_times(&w, "a", 9), 3);
    close_world(&w);
}

/* Nothing of an old set is needed for what it has given out. */
/* Nor does it forget what is used of limits that the new text has not, or put some of the new ones in force: in whatever order
   the models come, and without memory too. */
static void test_a_reload_that_fails_forgets_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "return { a = { rpm = 10 }, b = { rpm = 5, tpm = 5, rpd = 5, itpm = 5, otpm = 5, ipm = 5, tpd = 5 } }\n",
        "return { a = { rpm = 10, law = 'bucket' }, b = { rpm = 5, tpm = 5, rpd = 5, itpm = 5, otpm = 5, ipm = 5, tpd "
        "= 5 } }\n",
        "return { a = { ipm = 3 }, b = { rpm = 5, tpm = 5, rpd = 5, itpm = 5, otpm = 5, ipm = 5, tpd = 5 }, c = { rpm "
        "= 1 } }\n",
    };
    static const char mine[] = "return { a = { rpm = 10, tpm = 1000, guard = 0 }, b = { rpm = 5, law = 'bucket' } }\n";
    for (size_t i = 0; i < KIT_COUNT(texts); i++) {
        world w;
        llim_error err;
        llim_permit permit;
        open_world(&w, mine, NULL);
        assert_int_equal(acquire(&w, "a", 900, &permit), LLIM_OK);
        write_to(w.mine, texts[i]);
        assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), LLIM_EFULL);
        llim_usage usage[LLIM_MAX_LIMITS];
        uint32_t n;
        assert_int_equal(llim_row_usage(w.zone, model_of(&w, "a").row, usage, LLIM_MAX_LIMITS, &n), LLIM_OK);
        assert_int_equal(n, 2);
        assert_int_equal(usage[0].used, 1);
        assert_int_equal(usage[1].used, 900);
        assert_int_equal(usage[1].limit.law, LLIM_SLIDING);
        assert_int_equal(acquire(&w, "a", 101, NULL), LLIM_LATER);
        assert_int_equal(llim_settle(w.zone, &permit, &(llim_charge){{[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 100}}),
                         LLIM_OK);
        assert_int_equal(acquire(&w, "a", 900, NULL), LLIM_OK);
        reload(&w, mine);
        assert_int_equal(used_of(&w, "b"), 0);
        close_world(&w);
    }
}

/* However often. */
static void test_refused_reloads_use_nothing_up(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 10, law = 'bucket' } }\n", NULL);
    for (int i = 0; i < 300; i++) {
        char text[256];
        llim_error err;
        snprintf(
            text, sizeof text,
            "return { a = { rpm = 5, tpm = 5, rpd = 5, itpm = 5, otpm = 5, ipm = 5, tpd = 5, guard = %d.%03d } }\n",
            i / 100, i % 100);
        write_to(w.mine, text);
        assert_int_equal(llim_reload(w.limiter, NULL, NULL, &err), LLIM_EFULL);
    }
    reload(&w, "return { a = { rpm = 10, law = 'bucket', guard = 7 } }\n");
    close_world(&w);
}

/* Limits that take new windows while they leave old ones need no more than one row does at a time. */
static void test_all_windows_may_change_at_once(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 9, guard = 0 }, b = { rpm = 9, guard = 0 }, c = { rpm = 9, guard = 0 } }\n",
               NULL);
    assert_int_equal(acquire_times(&w, "b", 4), 4);
    for (int i = 1; i <= 20; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "return { a = { rpm = 9, guard = %d }, b = { rpm = 9, guard = %d }, c = { rpm = 9, guard = %d } }\n",
                 i % 7, i % 7, i % 7);
        reload(&w, text);
        assert_int_equal(used_of(&w, "b"), 4);
    }
    close_world(&w);
}

static void test_strings_live_on(void **state)
{
    (void)state;
    world w;
    open_world(&w, "return { a = { rpm = 5 } }", NULL);
    llim_model_info first = model_of(&w, "a"), at;
    assert_int_equal(llim_model_at(w.limiter, 0, &at), LLIM_OK);
    for (int i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "return { b = { rpm = %d } }", i + 1);
        reload(&w, text);
        assert_int_equal(acquire(&w, "b", 1, NULL), LLIM_OK);
    }
    assert_string_equal(first.name, "a");
    assert_string_equal(first.provider, "custom");
    assert_string_equal(first.scope, "model:default/custom/a");
    assert_true(strlen(at.name) > 0);
    close_world(&w);
}

static void *decide_once(void *arg)
{
    llim_permit permit;
    return (void *)(uintptr_t)(acquire(arg, "a", 1, &permit) == LLIM_OK);
}

/* A policy's test may keep the limiters that it opens: they end with the last thread that uses the set. */
static void test_the_last_thread_ends_what_a_test_has_kept(void **state)
{
    (void)state;
    world w;
    pthread_t thread;
    void *admitted;
    open_world(&w, "return { a = { rpm = 9 } }",
               "local kept return policy { api = 1, name = 'keeps', test = function(t)"
               " kept = t { models = { b = { rpm = 1 } } } assert(kept:acquire({ 'b' }) == 'b') end }\n");
    assert_int_equal(pthread_create(&thread, NULL, decide_once, &w), 0);
    assert_int_equal(pthread_join(thread, &admitted), 0);
    assert_non_null(admitted);
    assert_int_equal(acquire(&w, "a", 1, NULL), LLIM_OK);
    write_to(w.rules, "return policy { api = 1, name = 'none' }\n");
    assert_int_equal(reload(&w, NULL), 2);
    close_world(&w); /* this thread still uses the first set */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_stay),
        cmocka_unit_test(test_another_window_starts_with_what_the_old_one_holds),
        cmocka_unit_test(test_the_same_content_is_no_new_generation),
        cmocka_unit_test(test_takes_other_options),
        cmocka_unit_test(test_a_removed_model_drains),
        cmocka_unit_test(test_an_idle_row_of_a_removed_model_is_given_away),
        cmocka_unit_test(test_scopes_follow),
        cmocka_unit_test(test_another_policy_decides_next),
        cmocka_unit_test(test_strikes_go_on),
        cmocka_unit_test(test_a_row_that_is_given_away_within_a_decision),
        cmocka_unit_test(test_what_is_wrong_changes_nothing),
        cmocka_unit_test(test_a_full_zone_changes_nothing),
        cmocka_unit_test(test_a_reload_that_fails_forgets_nothing),
        cmocka_unit_test(test_refused_reloads_use_nothing_up),
        cmocka_unit_test(test_all_windows_may_change_at_once),
        cmocka_unit_test(test_strings_live_on),
        cmocka_unit_test(test_the_last_thread_ends_what_a_test_has_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
