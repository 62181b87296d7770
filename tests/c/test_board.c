/*
 * test_board.c - what top draws of a look, in windows of every size, and what its keys do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/board.h"
#include "cli/keys.h"
#include "cli/shown.h"
#include "cli/table.h"
#include "engine/notes.h"
#include "kit.h"

enum { SCOPES = 12, PER = 2 };

/* Twelve models, the fuller the later, the fifth in a cooldown, the sixth without counts, the seventh being changed. */
typedef struct scene {
    cli_look look;
    cli_scope scopes[SCOPES];
    llim_usage usage[SCOPES * PER];
} scene;

static void begin(scene *s)
{
    memset(s, 0, sizeof *s);
    s->look = (cli_look){.wall_ns = KIT_WALL,
                         .scopes = s->scopes,
                         .n = SCOPES,
                         .usage = s->usage,
                         .n_usage = SCOPES * PER,
                         .stats = {.rows = 1000, .rows_used = 1000, .rows_held_percent = 93, .sliding = 10}};
    for (uint32_t i = 0; i < SCOPES; i++) {
        cli_scope *c = &s->scopes[i];
        snprintf(c->name, sizeof c->name, "model:default/%s/m-%02u", i % 2 ? "openai" : "g\xc3\xa9mini", i);
        c->row.index = i + 1;
        c->first = i * PER;
        c->n_limits = PER;
        c->use = (double)i / SCOPES;
        c->noted = true;
        c->generation = 3;
        c->rate[CLI_COUNT_ADMITTED] = i;
        c->rate[CLI_COUNT_REFUSED] = SCOPES - i;
        for (int k = 0; k < PER; k++)
            s->usage[i * PER + (uint32_t)k] =
                (llim_usage){.limit = kit_limit(k ? LLIM_TOKENS : LLIM_REQUESTS, LLIM_BUCKET, 12000, KIT_MINUTE, 0),
                             .used = (int64_t)i * 1000,
                             .reset_ns = 5 * KIT_SECOND};
    }
    s->scopes[4].cooling_ns = 12500 * KIT_MS;
    s->scopes[4].strikes = 2;
    s->scopes[5].noted = false;
    for (int c = 0; c < CLI_COUNTS; c++) s->scopes[5].rate[c] = -1;
    s->scopes[6].busy = true;
    s->scopes[6].n_limits = 0;
}

static void draw(const scene *s, cli_view *view, cli_lines *lines)
{
    cli_order order;
    cli_order_make(&s->look, view->sort, view->filter, &order);
    cli_board(&s->look, &order, view, lines);
    cli_order_free(&order);
}

static uint32_t count(const cli_lines *lines, const char *part)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < lines->n; i++) n += strstr(lines->line[i], part) != NULL;
    return n;
}

static cli_view view_of(uint32_t rows, uint32_t columns)
{
    return (cli_view){.path = "z", .rows = rows, .columns = columns, .interval = 1, .keys = true};
}

static void test_fits_every_window(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    for (uint32_t rows = 1; rows < 70; rows++) {
        for (uint32_t columns = 1; columns < 220; columns += 7) {
            cli_view view = view_of(rows, columns);
            cli_lines lines = {.n = 0};
            draw(&s, &view, &lines);
            assert_in_range(lines.n, 1, rows);
            for (uint32_t i = 0; i < lines.n; i++) assert_in_range(cli_columns(lines.line[i]), 0, columns);
            cli_lines_free(&lines);
        }
    }
}

static void test_tells_what_it_does_not_show(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    cli_view view = view_of(24, 80);
    cli_lines lines = {.n = 0};
    draw(&s, &view, &lines);
    assert_int_equal(count(&lines, "model:"), 6); /* of three lines each */
    assert_int_equal(count(&lines, "not shown: 0 before, 6 after"), 1);
    assert_int_equal(count(&lines, "NEARLY FULL, 93 % of its rows"), 1);
    assert_non_null(strstr(lines.line[4], "m-11")); /* the fullest first */
    assert_non_null(strstr(lines.line[5], "11,000 of 12,000 [#######.]  91.7 %       5.0 s"));
    cli_lines_free(&lines);
    view.first = 100; /* as far as there is something */
    draw(&s, &view, &lines);
    assert_int_equal(view.first, SCOPES - 1);
    assert_int_equal(count(&lines, "model:"), 1);
    assert_int_equal(count(&lines, "not shown: 11 before, 0 after"), 1);
    cli_lines_free(&lines);
    view = view_of(0, 100); /* all */
    draw(&s, &view, &lines);
    assert_int_equal(count(&lines, "model:"), SCOPES);
    assert_int_equal(count(&lines, "not shown"), 0);
    assert_int_equal(count(&lines, "  cools down for 12.5 s, 2 strikes"), 1);
    assert_int_equal(count(&lines, "its limits are being changed"), 1);
    cli_lines_free(&lines);
}

static void test_keys(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    cli_view view = view_of(60, 100);
    cli_lines lines = {.n = 0};
    assert_true(cli_view_key(&view, 's'));
    draw(&s, &view, &lines);
    assert_non_null(strstr(lines.line[0], "by name"));
    assert_non_null(strstr(lines.line[3], "m-00"));
    cli_lines_free(&lines);
    assert_true(cli_view_key(&view, 's') && cli_view_key(&view, 's'));
    draw(&s, &view, &lines);
    assert_non_null(strstr(lines.line[0], "by refused"));
    assert_non_null(strstr(lines.line[3], "m-00"));
    cli_lines_free(&lines);
    for (const char *key = "/OPENAIq\b\r"; *key; key++)
        assert_true(cli_view_key(&view, *key)); /* q is a letter there */
    draw(&s, &view, &lines);
    assert_int_equal(count(&lines, "model:"), SCOPES / 2);
    assert_non_null(strstr(lines.line[2], "6 of 12 scopes with OPENAI"));
    cli_lines_free(&lines);
    assert_true(cli_view_key(&view, CLI_KEY_ESCAPE));
    assert_string_equal(view.filter, "");
    assert_true(cli_view_key(&view, CLI_KEY_UP));
    assert_int_equal(view.first, 0);
    assert_true(cli_view_key(&view, CLI_KEY_DOWN) && cli_view_key(&view, CLI_KEY_PAGE_DOWN));
    assert_int_equal(view.first, 11);
    assert_true(cli_view_key(&view, CLI_KEY_PAGE_UP));
    assert_int_equal(view.first, 1);
    assert_true(cli_view_key(&view, 0));                                           /* one that is not known */
    for (int i = 0; i < 100; i++) assert_true(cli_view_key(&view, i ? 'x' : '/')); /* a filter has an end */
    assert_int_equal(strlen(view.filter), sizeof view.filter - 1);
    assert_true(cli_view_key(&view, CLI_KEY_ESCAPE));
    assert_false(cli_view_key(&view, 'q'));
}

/* The longest of everything, at 80 columns: nothing is cut. */
static void test_cuts_nothing(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    const cli_scope *c = &s.scopes[11];
    memset(s.scopes[11].name, 'n', sizeof c->name - 1);
    s.scopes[11].rate[CLI_COUNT_ADMITTED] = 1e9;
    s.usage[c->first] =
        (llim_usage){.limit = kit_limit(LLIM_OUTPUT_TOKENS, LLIM_BUCKET, LLIM_AMOUNT_MAX, 400 * 86400 * KIT_SECOND, 0),
                     .used = LLIM_AMOUNT_MAX,
                     .reset_ns = 86399 * KIT_SECOND};
    s.usage[c->first + 1] = (llim_usage){.limit = kit_limit(LLIM_INPUT_TOKENS, LLIM_BUCKET, 99999999, 1234567890123, 0),
                                         .used = 99999999,
                                         .reset_ns = 3599 * KIT_SECOND};
    s.look.stats = (llim_zone_stats){.rows = 1 << 24,
                                     .rows_used = 1 << 24,
                                     .rows_held_percent = 100,
                                     .sliding = 1 << 20,
                                     .sliding_used = 1 << 20,
                                     .leases = 1 << 20,
                                     .leases_used = 1 << 20};
    cli_view view = view_of(10, 80);
    view.path = "/somewhere/far/down/in/some/directory/of/a/service/zone";
    view.sort = CLI_BY_ADMITTED;
    view.slow = 3600;
    cli_lines lines = {.n = 0};
    draw(&s, &view, &lines);
    static const char *const shown[] = {
        NULL,
        "zone: NEARLY FULL, 100 % of its rows: 16,777,216 of 16,777,216 rows",
        "      1,048,576 of 1,048,576 windows, 1,048,576 of 1,048,576 leases",
        "scope                                           admitted/s refused/s  429/s  gen",
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn 1000000000       1.0    0.0    3",
        "  output_tokens/400 days         1.099T of 1.099T [########] 100.0 % 23 h 59 min",
        "  input_tokens/1234.57s  99,999,999 of 99,999,999 [########] 100.0 % 59 min 59 s",
    };
    for (size_t i = 1; i < sizeof shown / sizeof *shown; i++) assert_string_equal(lines.line[i], shown[i]);
    assert_non_null(strstr(lines.line[0], "UTC  every 1 s, slowed to 3600 s  by admitted  12 scopes"));
    assert_int_equal(lines.line[0][0], '~');
    assert_int_equal(strlen(lines.line[0]), 80);
    cli_lines_free(&lines);
}

static void test_amounts(void **state)
{
    (void)state;
    static const struct {
        int meter;
        int64_t value;
        const char *text;
    } cases[] = {
        {LLIM_TOKENS, 0, "0"},
        {LLIM_TOKENS, 99999999, "99,999,999"},
        {LLIM_TOKENS, 100000000, "100M"},
        {LLIM_TOKENS, 125500000, "125.5M"},
        {LLIM_TOKENS, 999999999, "999.999M"},
        {LLIM_TOKENS, 1000000000, "1G"},
        {LLIM_TOKENS, LLIM_AMOUNT_MAX, "1.099T"},
        {LLIM_TOKENS, INT64_MAX, "9.223E"},
        {LLIM_COST, 0, "$0.00"},
        {LLIM_COST, 1, "$0.000001"},
        {LLIM_COST, 4200, "$0.0042"},
        {LLIM_COST, 50000000, "$50.00"},
        {LLIM_COST, 99999999, "$99.999999"},
        {LLIM_COST, 123456789, "$123.45"},
        {LLIM_COST, 99999999999, "$99,999.99"},
        {LLIM_COST, LLIM_AMOUNT_MAX, "$1,099,511"},
        {LLIM_COST, 12345678000000, "$12.345M"},
        {LLIM_COST, INT64_MAX, "$9.223T"},
    };
    char text[CLI_AMOUNT_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(cli_amount_text(cases[i].meter, cases[i].value, text), cases[i].text);
        assert_in_range(strlen(text), 1, CLI_AMOUNT);
    }
}

/* All keys there are, in pieces of every size; the bytes of a key may come one by one. */
static void test_keys_in_pieces(void **state)
{
    (void)state;
    static const char bytes[] =
        "a\033[A\033OB\033[5~\033[1;5C\xff\xc3\xa9\xe6\x97z\xe6\x97\xa5\xf0\x9f\x98\x80\xc2\x9b\033\033[6~q";
    static const int expected[] = {'a',    CLI_KEY_UP, CLI_KEY_DOWN,   CLI_KEY_PAGE_UP,   0xe9, 'z',
                                   0x65e5, 0x1f600,    CLI_KEY_ESCAPE, CLI_KEY_PAGE_DOWN, 'q'};
    for (size_t piece = 1; piece <= sizeof bytes - 1; piece++) {
        cli_keys keys = {.n = 0};
        size_t found = 0;
        for (size_t at = 0; at < sizeof bytes - 1; at += piece) {
            const size_t n = at + piece < sizeof bytes - 1 ? piece : sizeof bytes - 1 - at;
            memcpy(keys.bytes + keys.n, bytes + at, n);
            keys.n += n;
            for (int key; (key = cli_keys_take(&keys, false)) != 0;) assert_int_equal(key, expected[found++]);
        }
        assert_int_equal(found, sizeof expected / sizeof *expected);
    }
    cli_keys alone = {.bytes = "\033", .n = 1};
    assert_int_equal(cli_keys_take(&alone, false), 0);
    assert_int_equal(cli_keys_take(&alone, true), CLI_KEY_ESCAPE);
    cli_keys endless = {.n = sizeof endless.bytes}; /* room comes in any case */
    memset(endless.bytes, '0', sizeof endless.bytes);
    memcpy(endless.bytes, "\033[", 2);
    assert_int_equal(cli_keys_take(&endless, false), CLI_KEY_ESCAPE);
    assert_true(endless.n < sizeof endless.bytes);
}

static void test_rates(void **state)
{
    (void)state;
    kit_world w;
    kit_open(&w, 32, 1, 0);
    const llim_limit limit = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    llim_row_spec spec = {
        .size = sizeof spec, .scope = "model:a", .scope_len = 7, .limits = &limit, .n_limits = 1, .notes = 1};
    llim_row row;
    assert_int_equal(llim_row_set(w.zone, &spec, &row, NULL), LLIM_OK);
    kit_row(w.zone, "team:t", &limit, 1);
    kit_row(w.zone, "model:b", &limit, 1);
    cli_look first, second;
    cli_look_at(w.zone, "model:", NULL, &first);
    assert_int_equal(first.n, 2);
    assert_true(first.scopes[0].noted && !first.scopes[1].noted);
    assert_true(first.scopes[0].rate[CLI_COUNT_ADMITTED] < 0); /* not known yet */
    assert_int_equal(kit_admit(w.zone, row, LLIM_REQUESTS, 4), LLIM_OK);
    for (int i = 0; i < 5; i++) llim__count(w.zone, row, LLIM__REFUSED);
    kit_advance(w.zone, 2 * KIT_SECOND);
    cli_look_at(w.zone, "model:", &first, &second);
    assert_true(second.scopes[0].rate[CLI_COUNT_ADMITTED] == 0);
    assert_true(second.scopes[0].rate[CLI_COUNT_REFUSED] == 2.5);
    assert_true(second.scopes[1].rate[CLI_COUNT_ADMITTED] < 0);
    assert_int_equal(second.usage[second.scopes[0].first].used, 4);
    cli_look_free(&first);
    cli_look_free(&second);
    kit_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_every_window),
        cmocka_unit_test(test_tells_what_it_does_not_show),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_cuts_nothing),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_keys_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
