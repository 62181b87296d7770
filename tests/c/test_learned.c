/*
 * test_learned.c - what settlements teach a row: that the estimates converge to what a long list says, follow a change, weigh
 * what is in flight, survive new limits, die with their row, and are not carried off by absurd facts; and what the default
 * estimate of a limiter makes of them.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static llim_zone *open_zone(uint32_t rows, uint32_t notes)
{
    llim_zone *zone;
    llim_zone_options options = {.size = sizeof options,
                                 .clock = LLIM_CLOCK_VIRTUAL,
                                 .rows = rows,
                                 .notes = notes,
                                 .start_ns = KIT_START,
                                 .start_wall_ns = KIT_WALL};
    assert_int_equal(llim_zone_open(&options, &zone, NULL), LLIM_OK);
    return zone;
}

static int try_noted(llim_zone *zone, const char *scope, int64_t rpm, int32_t notes, int32_t pinned, llim_row *row)
{
    const llim_limit limit = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, rpm, KIT_MINUTE, 0);
    const llim_row_spec spec = {.size = sizeof spec,
                                .scope = scope,
                                .scope_len = (uint32_t)strlen(scope),
                                .limits = &limit,
                                .n_limits = 1,
                                .notes = notes,
                                .pinned = pinned};
    return llim_row_set(zone, &spec, row, NULL);
}

static llim_row noted(llim_zone *zone, const char *scope)
{
    llim_row row;
    assert_int_equal(try_noted(zone, scope, LLIM_AMOUNT_MAX, 1, 0, &row), LLIM_OK);
    return row;
}

static llim_notes notes_of(llim_zone *zone, llim_row row)
{
    llim_notes notes;
    assert_int_equal(llim_row_notes(zone, row, &notes), LLIM_OK);
    return notes;
}

static llim_permit admit(llim_zone *zone, llim_row row, int64_t characters)
{
    llim_charge charge = kit_charge(LLIM_REQUESTS, 1);
    charge.amount[LLIM_CHARACTERS] = characters;
    llim_permit permit;
    assert_int_equal(llim_admit(zone, &row, 1, &charge, &permit, NULL), LLIM_OK);
    return permit;
}

static void settle(llim_zone *zone, llim_permit *permit, int64_t input, int64_t output)
{
    llim_charge facts = kit_fact(LLIM_INPUT_TOKENS, input);
    facts.amount[LLIM_OUTPUT_TOKENS] = output;
    assert_int_equal(llim_settle(zone, permit, &facts), LLIM_OK);
}

/* One call that takes a second. */
static void call(llim_zone *zone, llim_row row, int64_t output)
{
    llim_permit permit = admit(zone, row, 0);
    kit_advance(zone, KIT_SECOND);
    settle(zone, &permit, 1, output);
}

static double uniform(kit_rng *rng)
{
    return ((double)(kit_random(rng) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(kit_rng *rng)
{
    return sqrt(-2 * log(uniform(rng))) * cos(6.283185307179586 * uniform(rng));
}

static double draw(kit_rng *rng, int kind)
{
    switch (kind) {
    case 0:
        return 300; /* always the same */
    case 1:
        return 1 + 999 * uniform(rng);
    case 2:
        return -200 * log(uniform(rng)); /* exponential */
    case 3:
        return 40 * exp(normal(rng)); /* log-normal */
    case 4:
        return uniform(rng) < 0.9 ? 10 : 1000; /* two kinds of calls */
    default:
        return 10 / sqrt(uniform(rng)); /* Pareto: no variance */
    }
}

enum { KINDS = 6, WARM = 2000, DRAWS = 20000 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The geometric mean of the quantile that is reported, over many settlements, is that of the list; so is the mean. */
static void test_converges_to_the_quantile(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    static double list[DRAWS];
    for (int kind = 0; kind < KINDS; kind++) {
        llim_zone *zone = open_zone(8, 8);
        llim_row row = noted(zone, "model:m");
        double highs = 0, means = 0, sum = 0;
        uint32_t short_of = 0;
        for (int i = 0; i < WARM + DRAWS; i++) {
            const llim_notes n = notes_of(zone, row);
            const double x = floor(draw(&rng, kind)) + 1;
            call(zone, row, (int64_t)x);
            if (i < WARM) continue;
            list[i - WARM] = x;
            sum += x;
            highs += log(n.output_high);
            means += n.output_mean;
            short_of += x > n.output_high * 1.1;
        }
        qsort(list, DRAWS, sizeof *list, ascending);
        const double high = exp(highs / DRAWS), exact = list[DRAWS * 99 / 100];
        print_message("# %d: 99th percentile %.0f, of the list %.0f; more than a tenth above it %.2f %%; mean %.0f, of "
                      "the list %.0f\n",
                      kind, high, exact, 100.0 * short_of / DRAWS, means / DRAWS, sum / DRAWS);
        assert_true(high > exact * 0.8 && high < exact * 1.25);
        assert_true(short_of <= DRAWS * 15 / 1000);
        assert_true(fabs(means / DRAWS - sum / DRAWS) < 0.15 * sum / DRAWS);
        llim_zone_close(zone);
    }
}

static void test_is_of_use_from_the_first_on(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    assert_int_equal(notes_of(zone, row).outputs, 0);
    assert_true(notes_of(zone, row).output_reserve == 0);
    static const int64_t outputs[] = {100, 40, 500, 7};
    static const double at_least[] = {100, 60, 500, 300};
    for (uint32_t i = 0; i < KIT_COUNT(outputs); i++) {
        call(zone, row, outputs[i]);
        const llim_notes n = notes_of(zone, row);
        assert_int_equal(n.outputs, i + 1);
        assert_true(n.output_high >= at_least[i] && n.output_high <= 510);
        assert_true(n.output_reserve >= n.output_mean && n.output_reserve <= n.output_high);
    }
    llim_zone_close(zone);
}

/* How many settlements it takes until the quantile has come half the way in logarithms. */
static int follow(llim_zone *zone, llim_row row, kit_rng *rng, double from, double to)
{
    int n = 0;
    for (; n < 10000; n++) {
        const double high = notes_of(zone, row).output_high, half = sqrt(from * to) * 10;
        if (to > from ? high >= half : high <= half) break;
        call(zone, row, (int64_t)(to * exp(normal(rng))));
    }
    return n;
}

static void test_follows_a_change(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    for (int i = 0; i < 3000; i++) call(zone, row, (int64_t)(100 * exp(normal(&rng))));
    const int up = follow(zone, row, &rng, 100, 1600);
    for (int i = 0; i < 3000; i++) call(zone, row, (int64_t)(1600 * exp(normal(&rng))));
    const int down = follow(zone, row, &rng, 1600, 100);
    print_message("# half the way to 16 times the size in %d settlements, back in %d\n", up, down);
    assert_true(up <= 200);
    assert_true(down <= 2500);
    llim_zone_close(zone);
}

/* Long calls are what is in flight most of the time, and how many there are is time in flight over time between ends. */
static void test_weighs_what_is_in_flight(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    enum { LONG = 20 };
    llim_permit held[LONG];
    for (int i = 0; i < LONG; i++) held[i] = admit(zone, row, 0);
    for (int i = 0; i < 20 * LONG; i++) {
        settle(zone, &held[i % LONG], 1, 1000); /* after 20 s */
        held[i % LONG] = admit(zone, row, 0);
        llim_permit quick = admit(zone, row, 0);
        settle(zone, &quick, 1, 10);
        kit_advance(zone, KIT_SECOND);
    }
    const llim_notes n = notes_of(zone, row);
    print_message("# mean %.0f, in flight %.1f\n", n.output_mean, n.in_flight);
    assert_true(n.output_mean > 900 && n.output_mean <= 1000);
    assert_true(n.in_flight > 0.8 * LONG && n.in_flight < 1.2 * LONG);
    llim_zone_close(zone);
}

/* More than a thousand settlements a second teach by samples: what is learned is the same. */
static void test_a_busy_row_samples(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    enum { FLIGHT = 50 };
    llim_permit held[FLIGHT];
    double sum = 0;
    for (int i = 0; i < 40000; i++) {
        if (i >= FLIGHT) settle(zone, &held[i % FLIGHT], 1, kit_between(&rng, 1, 999));
        held[i % FLIGHT] = admit(zone, row, 0);
        kit_advance(zone, KIT_MS / 10);
        if (i >= 20000) sum += notes_of(zone, row).output_mean;
    }
    const llim_notes n = notes_of(zone, row);
    assert_true(n.in_flight > 0.9 * FLIGHT && n.in_flight < 1.1 * FLIGHT);
    assert_true(sum / 20000 > 450 && sum / 20000 < 550);
    assert_true(n.output_high > 850 && n.output_high <= 1000);
    llim_zone_close(zone);
}

static void test_concentrates(void **state)
{
    (void)state;
    kit_rng rng = kit_seed();
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    enum { FLIGHT = 16 };
    llim_permit held[FLIGHT];
    int64_t used[FLIGHT];
    int shorter = 0, n = 0;
    double reserved[FLIGHT], all_reserved = 0, all_high = 0;
    for (int i = 0; i < 4000; i++) {
        const int k = i % FLIGHT;
        if (i >= FLIGHT) settle(zone, &held[k], 1, used[k]);
        held[k] = admit(zone, row, 0);
        used[k] = (int64_t)(100 * exp(normal(&rng)));
        const llim_notes notes = notes_of(zone, row);
        reserved[k] = notes.output_reserve;
        kit_advance(zone, KIT_SECOND);
        if (i < 1000) continue;
        double room = 0;
        for (int j = 0; j < FLIGHT; j++) room += reserved[j] - (double)used[j];
        n++;
        shorter += room < 0;
        all_reserved += notes.output_reserve;
        all_high += notes.output_high;
    }
    print_message("# %d of %d times short with %.2f of the percentile\n", shorter, n, all_reserved / all_high);
    assert_true(shorter <= n * 5 / 100);
    assert_true(all_reserved < 0.6 * all_high);
    llim_zone_close(zone);
}

static void test_learns_the_input(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    for (int i = 0; i < 100; i++) {
        llim_permit permit = admit(zone, row, 1000);
        kit_advance(zone, KIT_SECOND);
        settle(zone, &permit, 300, LLIM_UNKNOWN);
    }
    llim_notes n = notes_of(zone, row);
    assert_int_equal(n.inputs, 100);
    assert_int_equal(n.outputs, 0);
    assert_true(n.input_mean > 1.19 && n.input_mean < 1.21);
    assert_true(n.input_reserve > 1.19 && n.input_reserve < 1.25);
    llim_zone_close(zone);
}

static void test_what_facts_tell(void **state)
{
    (void)state;
    enum { U = LLIM_UNKNOWN };
    static const struct {
        int64_t tokens, input, output;
        uint32_t inputs, outputs;
        double mean;
    } rows[] = {
        {U, U, U, 0, 0, 0},     {500, U, U, 0, 0, 0},   {500, 100, U, 1, 1, 400}, {100, 500, U, 1, 0, 0},
        {U, 100, U, 1, 0, 0},   {U, U, 70, 0, 1, 70},   {500, 100, 0, 1, 1, 1},   {0, 0, 0, 1, 1, 1},
        {500, 500, U, 1, 1, 1}, {7, 100, 60, 1, 1, 60},
    };
    for (size_t i = 0; i < KIT_COUNT(rows); i++) {
        llim_zone *zone = open_zone(8, 8);
        llim_row row = noted(zone, "model:m");
        llim_permit permit = admit(zone, row, 400);
        llim_charge facts = kit_fact(LLIM_TOKENS, rows[i].tokens);
        facts.amount[LLIM_INPUT_TOKENS] = rows[i].input;
        facts.amount[LLIM_OUTPUT_TOKENS] = rows[i].output;
        assert_int_equal(llim_settle(zone, &permit, &facts), LLIM_OK);
        const llim_notes n = notes_of(zone, row);
        assert_int_equal(n.inputs, rows[i].inputs);
        assert_int_equal(n.outputs, rows[i].outputs);
        assert_true(fabs(n.output_mean - rows[i].mean) < 0.01);
        llim_zone_close(zone);
    }
}

static void test_other_ends_teach_nothing(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    const llim_charge facts = {{1, 2000, 1000, 1000, 0, 0, 4000, 0, 0}};
    llim_charge bad = facts;
    bad.amount[LLIM_IMAGES] = LLIM_AMOUNT_MAX + 1;
    llim_permit permit = admit(zone, row, 4000);
    assert_int_equal(llim_settle(zone, &permit, &bad), LLIM_ERANGE);
    assert_int_equal(llim_settle(zone, &permit, NULL), LLIM_OK);
    assert_int_equal(llim_settle(zone, &permit, &facts), LLIM_EENDED);
    permit = admit(zone, row, 4000);
    assert_int_equal(llim_reject(zone, &permit), LLIM_OK);
    permit = admit(zone, row, 4000);
    assert_int_equal(llim_cancel(zone, &permit), LLIM_OK);
    assert_int_equal(llim_record(zone, &row, 1, &facts), LLIM_OK);
    assert_int_equal(notes_of(zone, row).outputs, 0);
    assert_int_equal(notes_of(zone, row).inputs, 0);
    llim_zone_close(zone);
}

/* The greatest fact there is, and the least, and a copied permit, after ordinary ones. */
static void test_absurd_facts_do_not_carry_it_off(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 8);
    llim_row row = noted(zone, "model:m");
    for (int i = 0; i < 300; i++) call(zone, row, 90 + i % 20);
    llim_permit permit = admit(zone, row, 1), copy = permit;
    settle(zone, &permit, LLIM_AMOUNT_MAX, LLIM_AMOUNT_MAX);
    assert_true(notes_of(zone, row).output_reserve < 200);
    settle(zone, &copy, 0, 0);
    assert_true(notes_of(zone, row).output_reserve > 80);
    for (int i = 0; i < 300; i++) {
        permit = admit(zone, row, LLIM_AMOUNT_MAX);
        settle(zone, &permit, LLIM_AMOUNT_MAX, LLIM_AMOUNT_MAX);
        const llim_notes n = notes_of(zone, row);
        assert_true(n.output_reserve >= 80 && n.output_reserve <= 1.1 * (double)LLIM_AMOUNT_MAX);
        assert_true(n.input_reserve > 0 && n.input_reserve <= 65 && n.in_flight >= 1);
    }
    llim_zone_close(zone);
}

static void test_new_limits_keep_it(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 1);
    llim_row row, other;
    llim_notes n;
    assert_int_equal(try_noted(zone, "model:m", 5, 0, 1, &row), LLIM_OK);
    assert_int_equal(llim_row_notes(zone, row, &n), LLIM_ENOTFOUND);
    assert_int_equal(try_noted(zone, "model:m", 5, 1, 1, &row), LLIM_OK);
    call(zone, row, 77);
    for (int32_t i = 0; i < 4; i++) {
        assert_int_equal(try_noted(zone, "model:m", 100 + i, i & 1, 1, &row), LLIM_OK);
        assert_int_equal(notes_of(zone, row).outputs, 1 + i);
        call(zone, row, 77);
    }
    /* There is one note in this zone: who gets none changes nothing. */
    assert_int_equal(try_noted(zone, "model:other", 5, 1, 1, &other), LLIM_EFULL);
    assert_int_equal(llim_row_find(zone, "model:other", 11, &other), LLIM_ENOTFOUND);
    assert_int_equal(try_noted(zone, "model:other", 5, 0, 1, &other), LLIM_OK);
    assert_int_equal(try_noted(zone, "model:other", 9, 1, 1, &other), LLIM_EFULL);
    llim_usage usage;
    uint32_t n_limits;
    assert_int_equal(llim_row_usage(zone, other, &usage, 1, &n_limits), LLIM_OK);
    assert_int_equal(usage.limit.amount, 5);
    llim_zone_close(zone);
}

/* Models that a reload has removed are not pinned any more: their notes go to those that need them. */
static void test_who_is_not_pinned_may_lose_it(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(8, 1);
    llim_row old, new;
    llim_notes n;
    assert_int_equal(try_noted(zone, "model:old", 5, 1, 1, &old), LLIM_OK);
    call(zone, old, 77);
    assert_int_equal(try_noted(zone, "model:old", 5, 0, 0, &old), LLIM_OK);
    assert_int_equal(notes_of(zone, old).outputs, 1);
    assert_int_equal(try_noted(zone, "model:new", 5, 1, 0, &new), LLIM_OK);
    assert_int_equal(notes_of(zone, new).outputs, 0);
    assert_int_equal(llim_row_notes(zone, old, &n), LLIM_ENOTFOUND);
    call(zone, old, 77);
    call(zone, new, 7);
    assert_int_equal(notes_of(zone, new).outputs, 1);
    assert_int_equal(try_noted(zone, "model:old", 5, 1, 1, &old), LLIM_OK);
    assert_int_equal(notes_of(zone, old).outputs, 0);
    assert_int_equal(llim_row_notes(zone, new, &n), LLIM_ENOTFOUND);
    assert_int_equal(try_noted(zone, "model:new", 5, 1, 0, &new), LLIM_EFULL);
    llim_zone_close(zone);
}

static void test_recycled_rows_forget(void **state)
{
    (void)state;
    llim_zone *zone = open_zone(1, 1);
    llim_notes n;
    for (int i = 0; i < 200; i++) { /* more often than a note's mark can count */
        char scope[16];
        snprintf(scope, sizeof scope, "model:%d", i);
        llim_row row = noted(zone, scope), next;
        assert_int_equal(notes_of(zone, row).outputs, 0);
        call(zone, row, 77);
        llim_permit late = admit(zone, row, 0);
        kit_advance(zone, KIT_DAY);
        next = noted(zone, "model:next");
        settle(zone, &late, 1, 9999);
        assert_int_equal(llim_row_notes(zone, row, &n), LLIM_ENOTFOUND);
        assert_int_equal(notes_of(zone, next).outputs, 0);
        kit_advance(zone, KIT_DAY);
    }
    llim_zone_close(zone);
}

typedef struct hand {
    llim_zone *zone;
    llim_row row;
} hand;

enum { HANDS = 4, CALLS = 5000 };

static void *settle_many(void *arg)
{
    const hand *h = arg;
    for (int i = 0; i < CALLS; i++) {
        llim_charge charge = kit_charge(LLIM_REQUESTS, 1), facts = kit_fact(LLIM_OUTPUT_TOKENS, 50 + i % 100);
        llim_permit permit;
        if (llim_admit(h->zone, &h->row, 1, &charge, &permit, NULL)) return NULL;
        if (llim_settle(h->zone, &permit, &facts)) return NULL;
    }
    return arg;
}

static void test_threads(void **state)
{
    (void)state;
    llim_zone *zone;
    llim_zone_options options = {.size = sizeof options};
    assert_int_equal(llim_zone_open(&options, &zone, NULL), LLIM_OK);
    hand h = {zone, noted(zone, "model:m")};
    pthread_t threads[HANDS];
    for (int i = 0; i < HANDS; i++) assert_int_equal(pthread_create(&threads[i], NULL, settle_many, &h), 0);
    for (int i = 0; i < 100; i++) { /* meanwhile its limits change */
        llim_row row;
        assert_int_equal(try_noted(zone, "model:m", LLIM_AMOUNT_MAX - i % 2, 1, 1, &row), LLIM_OK);
        const llim_notes n = notes_of(zone, h.row);
        assert_true(n.outputs == 0 || (n.output_mean >= 49.9 && n.output_mean <= 149.1));
    }
    for (int i = 0; i < HANDS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    const llim_notes n = notes_of(zone, h.row);
    assert_int_equal(n.outputs, 255);
    assert_true(n.output_high > 120 && n.output_high < 180);
    llim_zone_close(zone);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Of a limiter: "used" is corrected by what is used, "priced" never. */
static llim_limiter *open_limiter(int32_t modality)
{
    static const char overrides[] =
        "return { used = { tpm = 1000000 }, priced = { tpm = 1000000, charged = 'reserved' } }";
    char path[32];
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .overrides = path, .modality = modality};
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    kit_write_file(path, overrides);
    if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
    unlink(path);
    return limiter;
}

typedef struct declared {
    int64_t characters, input, output, tokens, most;
} declared;

static llim_permit acquire(llim_limiter *limiter, const char *model, declared d)
{
    llim_request request = {.size = sizeof request, .models = &model, .n_models = 1, .max_output_tokens = d.most};
    request.charge.amount[LLIM_CHARACTERS] = d.characters;
    request.charge.amount[LLIM_INPUT_TOKENS] = d.input;
    request.charge.amount[LLIM_OUTPUT_TOKENS] = d.output;
    request.charge.amount[LLIM_TOKENS] = d.tokens;
    llim_permit permit;
    llim_error err;
    if (llim_acquire(limiter, &request, &permit, NULL, &err)) fail_msg("%s", err.message);
    return permit;
}

static void check(llim_limiter *limiter, const char *model, declared d, int64_t input, int64_t output, int64_t tokens)
{
    llim_permit permit = acquire(limiter, model, d);
    assert_int_equal(permit.charge.amount[LLIM_INPUT_TOKENS], input);
    assert_int_equal(permit.charge.amount[LLIM_OUTPUT_TOKENS], output);
    assert_int_equal(permit.charge.amount[LLIM_TOKENS], tokens);
    assert_int_equal(llim_cancel(llim_limiter_zone(limiter), &permit), LLIM_OK);
}

/* Calls of 400 characters, 120 tokens in and 50 out, one at a time. */
static void teach(llim_limiter *limiter, const char *model, int n)
{
    for (int i = 0; i < n; i++) {
        llim_permit permit = acquire(limiter, model, (declared){.characters = 400});
        kit_advance(llim_limiter_zone(limiter), 10 * KIT_SECOND);
        settle(llim_limiter_zone(limiter), &permit, 120, 50);
    }
}

static void test_the_default_estimate(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_TEXT);
    check(limiter, "used", (declared){.characters = 400}, 100, 512, 612);
    check(limiter, "used", (declared){.input = 70}, 70, 512, 582);
    check(limiter, "used", (declared){.characters = 400, .most = 2000}, 100, 2000, 2100);
    teach(limiter, "used", 1);
    check(limiter, "used", (declared){.characters = 400}, 120, 256, 376); /* half of the start still counts */
    teach(limiter, "used", 299);
    check(limiter, "used", (declared){.characters = 400}, 120, 50, 170);
    check(limiter, "used", (declared){.input = 70}, 70, 50, 120);
    /* What is declared wins. */
    check(limiter, "used", (declared){.characters = 400, .most = 2000}, 120, 50, 170);
    check(limiter, "used", (declared){.characters = 400, .most = 30}, 120, 30, 150);
    check(limiter, "used", (declared){.characters = 400, .output = 9}, 120, 9, 129);
    check(limiter, "used", (declared){.input = 70, .output = 9, .most = 2000}, 70, 9, 79);
    check(limiter, "used", (declared){.characters = 400, .tokens = 99}, 100, 0, 99);
    /* Where no input was told there is nothing to go by. */
    check(limiter, "used", (declared){.most = 40}, 0, 40, 40);
    check(limiter, "used", (declared){.tokens = 0}, 0, 0, 0);
    llim_close(limiter);
}

/* New limits, and a while without the model, forget nothing. */
static void test_reloads_keep_it(void **state)
{
    (void)state;
    char path[32];
    llim_limiter *limiter;
    llim_error err;
    llim_options options = {.size = sizeof options, .overrides = path};
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    kit_write_file(path, "return { used = { tpm = 1000000 } }");
    if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
    teach(limiter, "used", 300);
    static const char *const texts[] = {"return { used = { tpm = 5000, rpm = 100 } }",
                                        "return { other = { tpm = 5000 } }",
                                        "return { other = { tpm = 1 }, used = { tpm = 900000 } }"};
    for (size_t i = 0; i < KIT_COUNT(texts); i++) {
        write_text(path, texts[i]);
        if (llim_reload(limiter, NULL, NULL, &err)) fail_msg("%s", err.message);
        if (i != 1) check(limiter, "used", (declared){.characters = 400}, 120, 50, 170);
    }
    unlink(path);
    llim_close(limiter);
}

/* Its provider prices the declaration. */
static void test_what_counts_the_declared_is_not_corrected(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_TEXT);
    llim_model_info info;
    teach(limiter, "priced", 50);
    assert_int_equal(llim_model(limiter, "priced", &info, NULL), LLIM_OK);
    assert_int_equal(notes_of(llim_limiter_zone(limiter), info.row).outputs, 50); /* for reports */
    check(limiter, "priced", (declared){.characters = 400}, 100, 0, 100);
    check(limiter, "priced", (declared){.characters = 400, .most = 2000}, 100, 2000, 2100);
    llim_close(limiter);
}

static void test_only_texts_have_a_start(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(LLIM_AUDIO);
    check(limiter, "used", (declared){.characters = 400}, 100, 0, 100);
    teach(limiter, "used", 300);
    check(limiter, "used", (declared){.characters = 400}, 120, 50, 170);
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converges_to_the_quantile),
        cmocka_unit_test(test_is_of_use_from_the_first_on),
        cmocka_unit_test(test_follows_a_change),
        cmocka_unit_test(test_weighs_what_is_in_flight),
        cmocka_unit_test(test_a_busy_row_samples),
        cmocka_unit_test(test_concentrates),
        cmocka_unit_test(test_learns_the_input),
        cmocka_unit_test(test_what_facts_tell),
        cmocka_unit_test(test_other_ends_teach_nothing),
        cmocka_unit_test(test_absurd_facts_do_not_carry_it_off),
        cmocka_unit_test(test_new_limits_keep_it),
        cmocka_unit_test(test_who_is_not_pinned_may_lose_it),
        cmocka_unit_test(test_recycled_rows_forget),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_the_default_estimate),
        cmocka_unit_test(test_reloads_keep_it),
        cmocka_unit_test(test_what_counts_the_declared_is_not_corrected),
        cmocka_unit_test(test_only_texts_have_a_start),
    };
    return cmocka_run_group_tests_name("learned", tests, NULL, NULL);
}
