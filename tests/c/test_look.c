/*
 * test_look.c - whoever looks at a zone: scopes one after the other, counts of models, how full it is, Prometheus text, and a
 * file that is only read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "engine/zone.h"
#include "llm_limiters.h"

static llim_limit per_minute(int64_t amount)
{
    return kit_limit(LLIM_REQUESTS, LLIM_BUCKET, amount, KIT_MINUTE, 0);
}

static void test_every_scope_once(void **state)
{
    (void)state;
    kit_world w;
    kit_open(&w, 64, 8, 0);
    llim_limit many[9];
    for (int i = 0; i < 9; i++) many[i] = kit_limit(i % LLIM_METERS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    kit_row(w.zone, "long", many, 9); /* goes on in further rows, which are no scopes */
    llim_row first = kit_row(w.zone, "a\033[31m\xc2\x9b\xff\xc3\xa4", many, 1);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        kit_row(w.zone, name, many, 1);
    }
    uint32_t position = 0, n = 0, seen = 0, generation;
    llim_row row;
    char name[LLIM_SCOPE_SHOWN];
    while (llim_row_next(w.zone, &position, &row, name) == LLIM_OK) {
        n++;
        if (strcmp(name, "long") == 0) seen |= 1;
        if (strcmp(name, "s19") == 0) seen |= 2;
        if (row.index == first.index) { /* no escape of a terminal, one or two bytes long, and UTF-8 in any case */
            assert_string_equal(name, "a?[31m???\xc3\xa4");
            seen |= 4;
        }
        assert_int_equal(llim_row_generation(w.zone, row, &generation), LLIM_OK);
    }
    assert_int_equal(n, 22);
    assert_int_equal(seen, 7);
    assert_int_equal(llim_row_next(w.zone, &position, NULL, NULL), LLIM_ENOTFOUND);
    row.epoch++;
    assert_int_equal(llim_row_generation(w.zone, row, &generation), LLIM_ENOTFOUND);
    kit_close(&w);
}

/* Opens with a log that counts warnings of a zone that is nearly full. */
static void note_warning(void *ctx, int level, const char *message)
{
    if (level == LLIM_LOG_WARNING && strstr(message, "of its rows are taken")) ++*(int *)ctx;
}

static llim_limiter *open_limiter(uint32_t rows, const char *overrides, int *warnings)
{
    llim_options options = {.size = sizeof options, .seed = 1, .guard_ns = LLIM_NO_GUARD, .overrides = overrides};
    options.zone = (llim_zone_options){
        .size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .rows = rows, .start_wall_ns = KIT_WALL};
    options.log = warnings ? note_warning : NULL;
    options.log_ctx = warnings;
    llim_limiter *limiter;
    llim_error err;
    if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
    return limiter;
}

static llim_notes counts(llim_limiter *limiter, const char *model)
{
    llim_model_info info;
    llim_notes notes;
    assert_int_equal(llim_model(limiter, model, &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_notes(llim_limiter_zone(limiter), info.row, &notes), LLIM_OK);
    return notes;
}

static void test_counts_per_model(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(0, NULL, NULL);
    llim_options same = {.size = sizeof same, .seed = 1, .guard_ns = LLIM_NO_GUARD};
    llim_error err;
    assert_int_equal(llim_shadow(limiter, &same, &err), LLIM_OK);
    const char *models[] = {"gemini-2.5-flash", "gpt-4o-mini"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
    request.charge.amount[LLIM_TOKENS] = 10;
    llim_permit permit;
    uint32_t admitted = 0, candidate;
    while (llim_acquire(limiter, &request, &permit, NULL, NULL) == LLIM_OK && admitted < 1000) admitted++;
    assert_in_range(admitted, 1, 999);
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_LATER);
    assert_int_equal(llim_available(limiter, &request, &candidate, NULL, NULL), LLIM_LATER); /* only asks */
    assert_int_equal(counts(limiter, models[0]).admitted, admitted);
    assert_int_equal(counts(limiter, models[0]).refused, 2);
    request.n_models = 2; /* one that is passed over is not refused */
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1);
    assert_int_equal(counts(limiter, models[0]).refused, 2);
    assert_int_equal(counts(limiter, models[1]).admitted, 1);
    static const char body[] =
        "{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}";
    llim_response response = {
        .size = sizeof response, .status = 429, .headers = "", .body = body, .body_len = sizeof body - 1};
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_OK);
    assert_int_equal(counts(limiter, models[1]).limited, 1);
    assert_int_equal(counts(limiter, models[1]).strikes, 1);
    assert_int_equal(counts(limiter, models[0]).limited, 0);
    llim_close(limiter);
}

static void test_says_that_it_is_nearly_full(void **state)
{
    (void)state;
    char path[32];
    int warnings = 0;
    kit_write_file(path, "return { [\"user:*\"] = { rpm = 2 } }");
    llim_limiter *limiter = open_limiter(200, path, &warnings);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_zone_stats stats;
    llim_charge one = kit_charge(LLIM_REQUESTS, 1);
    llim_permit permit;
    llim_row row;
    char name[32];
    int n = 0, made = 0;
    /* Scopes that hold something, until no place is left: it has been told before. */
    for (int code = LLIM_OK; code == LLIM_OK; made += code == LLIM_OK) {
        if (warnings == 0) n = made;
        snprintf(name, sizeof name, "user:%d", made);
        code = llim_scope(limiter, name, &row, NULL);
        if (code == LLIM_OK) assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
    }
    assert_int_equal(warnings, 1);
    assert_in_range(n, made / 2, made - 1);
    llim_zone_get_stats(zone, &stats);
    assert_int_equal(stats.rows_used, stats.rows);
    assert_int_equal(stats.rows_held_percent, 100);
    /* All idle by then: what is made anew finds room at once, and it is told that the zone is not full any more. */
    int64_t steady, wall;
    llim_zone_now(zone, &steady, &wall);
    assert_int_equal(llim_zone_set_clock(zone, steady + KIT_HOUR, wall + KIT_HOUR), LLIM_OK);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user:later/%d", i);
        assert_int_equal(llim_scope(limiter, name, &row, NULL), LLIM_OK);
    }
    llim_zone_get_stats(zone, &stats);
    assert_in_range(stats.rows_held_percent, 0, 79);
    assert_int_equal(warnings, 1);
    /* Full again, and told again. */
    for (int i = 0, code = LLIM_OK; code == LLIM_OK; i++) {
        snprintf(name, sizeof name, "user:last/%d", i);
        code = llim_scope(limiter, name, &row, NULL);
        if (code == LLIM_OK) assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
    }
    assert_int_equal(warnings, 2);
    llim_close(limiter);
    unlink(path);
}

static void note_text(void *ctx, int level, const char *message)
{
    if (level == LLIM_LOG_WARNING) snprintf(ctx, 160, "%s", message);
}

/* It tells of whatever is nearly used up, before anything is refused for want of it. */
static void test_says_what_is_nearly_full(void **state)
{
    (void)state;
    char path[32], told[160], name[32];
    kit_write_file(path, "return { [\"user:*\"] = { rpm = 2, law = \"sliding\" }, live = { sessions = 1000 } }");
    llim_options options = {.size = sizeof options, .overrides = path, .scopes = 20, .log = note_text, .log_ctx = told};
    options.zone = (llim_zone_options){.size = sizeof options.zone,
                                       .clock = LLIM_CLOCK_VIRTUAL,
                                       .rows = 1000,
                                       .sliding = 20,
                                       .leases = 30,
                                       .start_wall_ns = KIT_WALL};
    llim_limiter *limiter;
    llim_error err;
    if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_charge one = kit_charge(LLIM_REQUESTS, 1);
    llim_permit permit;
    llim_row row;
    *told = 0;
    for (int i = 0, code = LLIM_OK; code == LLIM_OK; i++) {
        snprintf(name, sizeof name, "user:%d", i);
        code = llim_scope(limiter, name, &row, NULL);
        if (code == LLIM_OK) assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
        assert_true(code == LLIM_OK || *told);
    }
    assert_non_null(strstr(told, "of its sliding windows are taken"));
    int64_t steady, wall;
    llim_zone_now(zone, &steady, &wall);
    assert_int_equal(llim_zone_set_clock(zone, steady + KIT_HOUR, wall + KIT_HOUR), LLIM_OK);
    for (int i = 0; i < 1000; i++) { /* idle ones take the place of idle ones: it is not full any more */
        snprintf(name, sizeof name, "user:later/%d", i);
        assert_int_equal(llim_scope(limiter, name, &row, NULL), LLIM_OK);
    }
    *told = 0;
    const char *models[] = {"live"};
    llim_request request = {.size = sizeof request, .models = models, .n_models = 1};
    request.charge.amount[LLIM_SESSIONS] = 1;
    for (int code = LLIM_OK; code == LLIM_OK;) {
        code = llim_acquire(limiter, &request, &permit, NULL, NULL);
        assert_true(code == LLIM_OK || *told);
    }
    assert_non_null(strstr(told, "of its leases are taken"));
    llim_close(limiter);
    unlink(path);
}

/* One in ten holds something. Whoever comes new does so too, and lies behind the hand; it is told before all do, and not while
   all that are idle make room. */
static void test_new_ones_fill_it(void **state)
{
    (void)state;
    char path[32], name[32];
    int warnings = 0, code = LLIM_OK;
    kit_write_file(path, "return { [\"user:*\"] = { rpm = 2 } }");
    llim_limiter *limiter = open_limiter(1000, path, &warnings);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_zone_stats stats;
    const llim_charge one = kit_charge(LLIM_REQUESTS, 1);
    llim_permit permit;
    llim_row row;
    llim_zone_get_stats(zone, &stats);
    for (uint32_t i = 0; i < stats.rows; i++) { /* more than there is room for beside the models */
        snprintf(name, sizeof name, "user:%u", i);
        assert_int_equal(llim_scope(limiter, name, &row, NULL), LLIM_OK);
        if (i % 10 == 0) assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
    }
    llim_zone_get_stats(zone, &stats);
    assert_int_equal(stats.rows_used, stats.rows);
    assert_in_range(llim_zone_full(&stats, NULL), 0, 50);
    warnings = 0;
    for (int i = 0; code == LLIM_OK; i++) {
        snprintf(name, sizeof name, "user:new/%d", i);
        code = llim_scope(limiter, name, &row, NULL);
        if (code == LLIM_OK) assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
        if (i < 500) assert_int_equal(warnings, 0);
        if (code != LLIM_OK) assert_int_equal(warnings, 1);
    }
    llim_close(limiter);
    unlink(path);
}

/* Where a known share of the rows hold something, the estimate is near it. */
static void test_how_much_is_held(void **state)
{
    (void)state;
    enum { ROWS = 1000, NEW = 2000 };
    static const int shares[] = {50, 80, 90, 95};
    for (size_t s = 0; s < KIT_COUNT(shares); s++) {
        kit_world w;
        kit_rng rng = kit_seed();
        kit_open(&w, ROWS, 1, 0);
        llim_zone_stats stats;
        llim_limit limit = per_minute(1000);
        char name[32];
        for (int i = 0; i < ROWS; i++) {
            snprintf(name, sizeof name, "s%d", i);
            llim_row row = kit_row(w.zone, name, &limit, 1);
            if (kit_between(&rng, 0, 99) < shares[s]) assert_int_equal(kit_admit(w.zone, row, LLIM_REQUESTS, 1000), 0);
        }
        llim_zone_get_stats(w.zone, &stats);
        assert_int_equal(stats.rows_held_percent, LLIM_UNKNOWN);
        for (int i = 0; i < NEW; i++) { /* idle ones take the place of idle ones */
            snprintf(name, sizeof name, "n%d", i);
            kit_row(w.zone, name, &limit, 1);
        }
        llim_zone_get_stats(w.zone, &stats);
        const int off = shares[s] < 80 ? 18 : shares[s] < 90 ? 15 : 11; /* four times the standard deviation */
        assert_in_range(stats.rows_held_percent, shares[s] - off, shares[s] + off);
        kit_close(&w);
    }
}

static char *prometheus(llim_zone *zone, const char *prefix)
{
    size_t size, again;
    assert_int_equal(llim_prometheus(zone, prefix, NULL, 0, &size), LLIM_ERANGE);
    char *text = malloc(size + 1);
    assert_non_null(text);
    assert_int_equal(llim_prometheus(zone, prefix, text, size + 1, &again), LLIM_OK);
    assert_int_equal(again, size);
    assert_int_equal(strlen(text), size);
    return text;
}

static void expect(const char *text, const char *part)
{
    if (!text || !strstr(text, part)) fail_msg("lacks %s, is %s", part, text ? text : "nothing");
}

static void test_prometheus(void **state)
{
    (void)state;
    kit_world w;
    kit_open(&w, 64, 8, 0);
    const llim_limit limits[] = {
        kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, KIT_MINUTE, 0),
        kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 20, KIT_MINUTE, KIT_GUARD), /* differs by the guard alone */
        kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1000, 90 * KIT_SECOND, 0),
        kit_calendar(LLIM_REQUESTS, LLIM_PER_DAY, "America/Los_Angeles", 100, 0),
    };
    llim_row row = kit_row(w.zone, "model:a \"b\\c", limits, 4);
    const llim_limit one = per_minute(7);
    char name[2][80];
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[i], "model:%060d", i); /* both are shown alike */
        kit_row(w.zone, name[i], &one, 1);
    }
    kit_row(w.zone, "team:acme", &one, 1);
    assert_int_equal(kit_admit(w.zone, row, LLIM_REQUESTS, 3), LLIM_OK);
    assert_int_equal(llim_cool(w.zone, row, 1500 * KIT_MS), LLIM_OK);
    char *text = prometheus(w.zone, NULL);
    expect(text, "# TYPE llm_limiters_limit gauge\nllm_limiters_limit{scope=\"model:a \\\"b\\\\c\",meter=\"requests\","
                 "law=\"bucket\",window=\"min\",guard=\"0\"} 10\n");
    expect(text, "window=\"min\",guard=\"0.100000000\"} 20\n");
    expect(text, "law=\"sliding\",window=\"90s\"} 1000\n");
    expect(text, "window=\"day\",time_zone=\"America/Los_Angeles\"} 3\n");
    expect(text, "llm_limiters_cooldown_seconds{scope=\"model:a \\\"b\\\\c\"} 1.500000000\n");
    expect(text, "~\",row=\"4\",meter=");
    expect(text, "~\",row=\"3\",meter=");
    expect(text, "\nllm_limiters_zone_rows 64\n");
    expect(text, "\nllm_limiters_zone_full_ratio ");
    assert_null(strstr(text, "team:acme"));
    /* Cut anywhere, nothing is written beyond, and how much there is stays the same. */
    const size_t all = strlen(text);
    char *cut = malloc(all + 2);
    for (size_t cap = 0; cap <= all; cap += 1 + all / 97) {
        size_t size;
        memset(cut, 'x', all + 2);
        assert_int_equal(llim_prometheus(w.zone, NULL, cut, cap, &size), LLIM_ERANGE);
        assert_int_equal(size, all);
        assert_int_equal(cut[cap], 'x');
        if (cap == 0) continue;
        assert_int_equal(strlen(cut), cap - 1);
        assert_memory_equal(cut, text, cap - 1);
    }
    free(cut);
    free(text);
    text = prometheus(w.zone, "");
    expect(text, "scope=\"team:acme\"");
    free(text);
    text = prometheus(w.zone, "none");
    assert_null(strstr(text, "scope="));
    free(text);
    kit_close(&w);
}

static char *contents(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

static void test_reading_alone(void **state)
{
    (void)state;
    char directory[64], path[80];
    crew_directory(directory, "/tmp");
    snprintf(path, sizeof path, "%s/zone", directory);
    llim_zone_options options = crew_virtual(), reads = {.size = sizeof reads, .path = path, .read_only = 1};
    llim_zone *zone;
    llim_error err;
    assert_int_equal(llim_zone_open(&reads, &zone, &err), LLIM_EIO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(access(path, F_OK), -1);
    reads.path = NULL;
    assert_int_equal(llim_zone_open(&reads, &zone, &err), LLIM_EINVAL);
    reads.path = path;

    options.path = path;
    options.rows = 32;
    zone = crew_open(&options);
    const llim_limit limits[] = {per_minute(10), kit_calendar(LLIM_REQUESTS, LLIM_PER_DAY, "Asia/Tokyo", 100, 0),
                                 kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 3, KIT_HOUR, 0)};
    llim_row row = kit_row(zone, "model:m", limits, 3), same;
    llim_charge one = kit_charge(LLIM_REQUESTS, 1);
    one.amount[LLIM_SESSIONS] = 1;
    llim_permit permit;
    assert_int_equal(llim_admit(zone, &row, 1, &one, &permit, NULL), LLIM_OK);
    llim_zone_close(zone);

    size_t size, size_after;
    char *before = contents(path, &size);
    assert_int_equal(llim_zone_open(&reads, &zone, &err), LLIM_OK);
    llim_usage usage[3];
    uint32_t n, position = 0;
    char name[LLIM_SCOPE_SHOWN];
    int64_t left, steady, wall;
    assert_int_equal(llim_row_next(zone, &position, &same, name), LLIM_OK);
    assert_int_equal(same.index, row.index);
    assert_string_equal(name, "model:m");
    assert_int_equal(llim_row_usage(zone, row, usage, 3, &n), LLIM_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(usage[i].used, 1);
    assert_int_equal(llim_cooling(zone, row, &left), LLIM_OK);
    assert_int_equal(llim_row_find(zone, "model:m", 7, &same), LLIM_OK);
    llim_zone_now(zone, &steady, &wall);
    assert_int_equal(wall, KIT_WALL);
    /* What decides or changes says so, and does not. */
    llim_row_spec spec = {.size = sizeof spec, .scope = "x", .scope_len = 1, .limits = limits, .n_limits = 1};
    llim_permit copy = permit;
    assert_int_equal(llim_admit(zone, &row, 1, &one, &copy, NULL), LLIM_EINVAL);
    assert_int_equal(llim_check(zone, &row, 1, &one, NULL), LLIM_EINVAL);
    assert_int_equal(llim_settle(zone, &copy, NULL), LLIM_EINVAL);
    assert_int_equal(llim_reject(zone, &copy), LLIM_EINVAL);
    assert_int_equal(llim_cancel(zone, &copy), LLIM_EINVAL);
    assert_int_equal(llim_renew(zone, &copy), LLIM_EINVAL);
    assert_int_equal(llim_record(zone, &row, 1, &one), LLIM_EINVAL);
    assert_int_equal(llim_cool(zone, row, KIT_SECOND), LLIM_EINVAL);
    assert_int_equal(llim_row_set(zone, &spec, &same, &err), LLIM_EINVAL);
    assert_non_null(strstr(err.message, "reading alone"));
    assert_int_equal(llim_zone_set_clock(zone, steady, wall), LLIM_EINVAL);
    assert_int_equal(llim_zone_sync(zone), LLIM_EINVAL);
    llim_zone_close(zone);
    char *after = contents(path, &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    free(after);

    /* A writer stands on the row: that is told, at once. */
    llim__header *h = (void *)before;
    llim__row *rows = (void *)(before + h->rows_at);
    const uint64_t old = at_load_rlx(&rows[row.index].state);
    at_store_rlx(&rows[row.index].state, old | LLIM__CHANGING);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, before, size, 0), (ssize_t)size);
    close(fd);
    assert_int_equal(llim_zone_open(&reads, &zone, &err), LLIM_OK);
    assert_int_equal(llim_row_usage(zone, row, usage, 3, &n), LLIM_EBUSY);
    assert_int_equal(llim_cooling(zone, row, &left), LLIM_OK);
    char *text = prometheus(zone, "");
    assert_null(strstr(text, "llm_limiters_used{"));
    expect(text, "llm_limiters_cooldown_seconds{");
    free(text);
    llim_zone_close(zone);
    free(before);
    crew_remove(directory);
}

/* A zone that this process decides in as well is seen as it is, and closing the look loses no lock. */
static void test_reading_beside_deciding(void **state)
{
    (void)state;
    char directory[64], path[80];
    crew_directory(directory, "/tmp");
    snprintf(path, sizeof path, "%s/zone", directory);
    llim_zone_options options = crew_virtual(), reads = {.size = sizeof reads, .path = path, .read_only = 1};
    options.path = path;
    llim_zone *zone = crew_open(&options), *look = crew_open(&reads);
    const llim_limit limit = per_minute(10);
    llim_row row = kit_row(zone, "model:m", &limit, 1);
    assert_int_equal(kit_admit(zone, row, LLIM_REQUESTS, 4), LLIM_OK);
    assert_int_equal(kit_used(look, row, 0), 4);
    assert_int_equal(kit_admit(look, row, LLIM_REQUESTS, 1), LLIM_EINVAL);
    llim_zone_close(look);
    assert_int_equal(kit_admit(zone, row, LLIM_REQUESTS, 4), LLIM_OK);
    kit_row(zone, "model:n", &limit, 1);
    llim_zone_close(zone);
    crew_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_scope_once),
        cmocka_unit_test(test_counts_per_model),
        cmocka_unit_test(test_says_that_it_is_nearly_full),
        cmocka_unit_test(test_says_what_is_nearly_full),
        cmocka_unit_test(test_new_ones_fill_it),
        cmocka_unit_test(test_how_much_is_held),
        cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_reading_alone),
        cmocka_unit_test(test_reading_beside_deciding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
