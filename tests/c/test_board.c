/*
 * test_board.c - what top draws of a look, in windows of every size, and what its keys do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/board.h"
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

static uint32_t width(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
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
            cli_board(&s.look, &view, &lines);
            assert_in_range(lines.n, 1, rows);
            for (uint32_t i = 0; i < lines.n; i++) assert_in_range(width(lines.line[i]), 0, columns);
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
    cli_board(&s.look, &view, &lines);
    assert_int_equal(count(&lines, "model:"), 7); /* of three lines each, and one of two */
    assert_int_equal(count(&lines, "0 before, 5 after are not shown"), 1);
    assert_int_equal(count(&lines, "about 93 % hold something: NEARLY FULL"), 1);
    assert_non_null(strstr(lines.line[3], "m-11")); /* the fullest first */
    assert_non_null(strstr(lines.line[4], "11,000 of 12,000 [#########.]  91.7 %         5.0 s"));
    cli_lines_free(&lines);
    view.first = 100; /* as far as there is something */
    cli_board(&s.look, &view, &lines);
    assert_int_equal(view.first, SCOPES - 1);
    assert_int_equal(count(&lines, "model:"), 1);
    assert_int_equal(count(&lines, "11 before, 0 after are not shown"), 1);
    cli_lines_free(&lines);
    view = view_of(0, 100); /* all */
    cli_board(&s.look, &view, &lines);
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
    cli_board(&s.look, &view, &lines);
    assert_non_null(strstr(lines.line[0], "by name"));
    assert_non_null(strstr(lines.line[3], "m-00"));
    cli_lines_free(&lines);
    assert_true(cli_view_key(&view, 's') && cli_view_key(&view, 's'));
    cli_board(&s.look, &view, &lines);
    assert_non_null(strstr(lines.line[0], "by refused"));
    assert_non_null(strstr(lines.line[3], "m-00"));
    cli_lines_free(&lines);
    for (const char *key = "/OPENAIq\b\r"; *key; key++)
        assert_true(cli_view_key(&view, *key)); /* q is a letter there */
    cli_board(&s.look, &view, &lines);
    assert_int_equal(count(&lines, "model:"), SCOPES / 2);
    assert_non_null(strstr(lines.line[0], "6 of 12 scopes with OPENAI"));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
