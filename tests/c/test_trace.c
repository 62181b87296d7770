/*
 * test_trace.c - the trace reader: both formats, every kind of bad input with the place that the message names, the order
 * of rows, and the shaping by speed and demand.
 *
 * Inputs are strings read through fmemopen; the command line itself is tested in tests/cli.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/instant.h"
#include "cli/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define ROW   "2023-11-16 18:17:03.9799600,4808,10\n"

static int read_bytes(const char *text, size_t size, cli_trace *trace, llim_error *err)
{
    FILE *file = size ? fmemopen((void *)(uintptr_t)text, size, "r") : fopen("/dev/null", "r");
    assert_non_null(file);
    int code = cli_trace_read(file, "t.csv", trace, err);
    fclose(file);
    return code;
}

static void read_good(const char *text, cli_trace *trace)
{
    llim_error err = {0};
    int code = read_bytes(text, strlen(text), trace, &err);
    if (code != LLIM_OK) print_error("%s\n", err.message);
    assert_int_equal(code, LLIM_OK);
}

static void azure_rows(void **state)
{
    (void)state;
    cli_trace t;
    read_good(AZURE ROW "2023-11-16 18:17:04.0319600,0,8\n", &t);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.n_groups, 1);
    assert_int_equal(t.wall_ns, 1700158623979960000);
    assert_int_equal(t.rows[0].at_ns, 0);
    assert_int_equal(t.rows[0].input, 4808);
    assert_int_equal(t.rows[0].output, 10);
    assert_int_equal(t.rows[0].tokens, 4818);
    assert_int_equal(t.rows[1].at_ns, 52000000);
    assert_int_equal(t.rows[1].input, 8);
    assert_string_equal(t.groups[0].model, "");
    cli_trace_free(&t);
}

static void line_ends_and_blank_lines(void **state)
{
    (void)state;
    const char *const forms[] = {
        "time,tokens\n0,5\n1.5,6\n",
        "time,tokens\r\n0,5\r\n1.5,6\r\n",
        "time,tokens\r\n0,5\r\n1.5,6",
        "\xef\xbb\xbftime,tokens\n\n0,5\n\r\n1.5,6\n\n",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        cli_trace t;
        read_good(forms[i], &t);
        assert_int_equal(t.n, 2);
        assert_int_equal(t.rows[1].at_ns, 1500000000);
        assert_int_equal(t.rows[1].tokens, 6);
        assert_int_equal(t.rows[1].input, 6);
        assert_int_equal(t.wall_ns, 1704067200000000000);
        cli_trace_free(&t);
    }
}

static void models_and_scopes_make_groups(void **state)
{
    (void)state;
    cli_trace t;
    read_good("time,tokens,model,scope\n0,1,a,team:x\n1,2,,\n2,3,a,team:x\n3,4,,team:x\n", &t);
    assert_int_equal(t.n_groups, 3);
    assert_int_equal(t.rows[0].group, t.rows[2].group);
    assert_string_equal(t.groups[0].model, "a");
    assert_string_equal(t.groups[0].scope, "team:x");
    assert_string_equal(t.groups[t.rows[1].group].model, "");
    assert_string_equal(t.groups[t.rows[3].group].scope, "team:x");
    assert_int_equal(t.groups[t.rows[3].group].line, 5);
    cli_trace_free(&t);
    read_good("time,tokens,scope\n2023-11-16T18:17:03Z,1,team:x\n", &t);
    assert_string_equal(t.groups[0].scope, "team:x");
    assert_int_equal(t.wall_ns, 1700158623000000000);
    cli_trace_free(&t);
}

static void rows_out_of_order_are_sorted_stably(void **state)
{
    (void)state;
    cli_trace t;
    read_good("time,tokens\n5,1\n3,2\n5,3\n3,4\n9,5\n", &t);
    const int64_t tokens[] = {2, 4, 1, 3, 5}, at[] = {0, 0, 2, 2, 6};
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(t.rows[i].tokens, tokens[i]);
        assert_int_equal(t.rows[i].at_ns, at[i] * LLIM_SECOND);
    }
    assert_int_equal(t.unsorted, 2);
    cli_trace_free(&t);
}

static void bad_input_names_its_place(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int line;
        const char *field, *says;
    } cases[] = {
        {"", 1, "header", "empty"},
        {"\n", 1, "header", "expected TIMESTAMP"},
        {"when,what\n1,2\n", 1, "header", "when,what"},
        {"time,tokens\n", 1, "", "No row follows"},
        {AZURE ROW "2023-11-16 18:17:04,5\n", 3, "GeneratedTokens", "2 of 3 columns"},
        {AZURE ROW "2023-11-1", 3, "ContextTokens", "cut off"},
        {AZURE ROW "2023-11-16 18:17:04,5,", 3, "GeneratedTokens", "whole number"},
        {AZURE "2023-11-16 18:17:04,5,6,7\n", 2, "", "4 columns"},
        {AZURE "yesterday,5,6\n", 2, "TIMESTAMP", "yesterday"},
        {AZURE "12.5,5,6\n", 2, "TIMESTAMP", "expected a timestamp"},
        {AZURE "2023-02-29 00:00:00,5,6\n", 2, "TIMESTAMP", "2023-02-29"},
        {AZURE "2023-11-16 24:00:00,5,6\n", 2, "TIMESTAMP", "24:00"},
        {AZURE "1969-11-16 00:00:00,5,6\n", 2, "TIMESTAMP", "1970"},
        {AZURE "2023-11-16 18:17:03.,5,6\n", 2, "TIMESTAMP", "18:17:03."},
        {AZURE "2023-11-16 18:17:03+02:00,5,6\n", 2, "TIMESTAMP", "+02:00"},
        {AZURE "2023-11-16 18:17:04,-1,6\n", 2, "ContextTokens", "\"-1\""},
        {AZURE "2023-11-16 18:17:04,5,0.5\n", 2, "GeneratedTokens", "\"0.5\""},
        {AZURE "2023-11-16 18:17:04,1e400,6\n", 2, "ContextTokens", "1e400"},
        {AZURE "2023-11-16 18:17:04,NaN,6\n", 2, "ContextTokens", "NaN"},
        {AZURE "2023-11-16 18:17:04,9223372036854775808,6\n", 2, "ContextTokens", "1099511627775"},
        {AZURE "2023-11-16 18:17:04,1099511627776,6\n", 2, "ContextTokens", "1099511627775"},
        {AZURE "2023-11-16 18:17:04,1099511627775,1\n", 2, "ContextTokens", "together"},
        {"time,tokens\n-1,5\n", 2, "time", "\"-1\""},
        {"time,tokens\nnan,5\n", 2, "time", "nan"},
        {"time,tokens\n1e400,5\n", 2, "time", "1e400"},
        {"time,tokens\n7258118400,5\n", 2, "time", "7258118400"},
        {"time,tokens\n0,5\n288230377,5\n1,5\n", 3, "time", "9 years"},
        {"time,tokens\n.,5\n", 2, "time", "seconds"},
        {"time,tokens\n0,18446744073709551616\n", 2, "tokens", "1844674407"},
        {"time,tokens\n0, 5\n", 2, "tokens", "\" 5\""},
        {"time,tokens\n0,5\n2023-11-16 18:17:04,5\n", 3, "time", "as in the first row"},
        {"time,tokens\n2023-11-16 18:17:04,5\n7,5\n", 3, "time", "expected a timestamp"},
        {"time,tokens,scope\n0,5,acme\n", 2, "scope", "team:acme"},
        {"time,tokens,scope\n0,5,team:\n", 2, "scope", "team:acme"},
        {"time,tokens,model\n0,5,\"a\"\n", 2, "model", "without quotes"},
        {"time,tokens\n0,5\n\x1b[2J,5\n", 3, "time", "?[2J"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cli_trace t;
        llim_error err = {0};
        char place[32];
        int code = read_bytes(cases[i].text, strlen(cases[i].text), &t, &err);
        snprintf(place, sizeof place, "t.csv:%d: ", cases[i].line);
        if (err.line != cases[i].line || !strstr(err.message, cases[i].says))
            print_error("case %zu: line %d: %s\n", i, (int)err.line, err.message);
        assert_int_equal(code, LLIM_ECONFIG);
        assert_int_equal(err.code, LLIM_ECONFIG);
        assert_int_equal(err.line, cases[i].line);
        assert_string_equal(err.file, "t.csv");
        assert_string_equal(err.field, cases[i].field);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_int_equal(strncmp(err.message, place, strlen(place)), 0);
        cli_trace_free(&t);
    }
}

static void hostile_bytes(void **state)
{
    (void)state;
    cli_trace t;
    llim_error err = {0};
    const char zero[] = "time,tokens\n0,5\n1,\0006\n";
    assert_int_equal(read_bytes(zero, sizeof zero - 1, &t, &err), LLIM_ECONFIG);
    assert_int_equal(err.line, 3);
    assert_non_null(strstr(err.message, "zero byte"));
    cli_trace_free(&t);
    char *wide = malloc(100000);
    assert_non_null(wide);
    memset(wide, '1', 100000);
    memcpy(wide, "time,tokens\n", 12);
    assert_int_equal(read_bytes(wide, 100000, &t, &err), LLIM_ECONFIG);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.message, "longer than"));
    cli_trace_free(&t);
    assert_int_equal(read_bytes(wide, 100000, &t, NULL), LLIM_ECONFIG);
    cli_trace_free(&t);
    free(wide);
}

static void cut_anywhere(void **state)
{
    (void)state;
    const char text[] = AZURE ROW "2023-11-16 18:17:04.0319600,3180,8\r\n";
    size_t header = strlen(AZURE);
    for (size_t n = 0; n < sizeof text; n++) {
        cli_trace t;
        llim_error err = {0};
        int code = read_bytes(text, n, &t, &err);
        if (code == LLIM_OK) {
            assert_true(n >= header + strlen(ROW) - 2); /* at least one digit of the last column */
            assert_in_range(t.n, 1, 2);
        } else {
            assert_int_equal(code, LLIM_ECONFIG);
            assert_true(err.line > 0 && strlen(err.message) > 20);
        }
        cli_trace_free(&t);
    }
}

static void unreadable_file(void **state)
{
    (void)state;
    cli_trace t;
    llim_error err = {0};
    FILE *file = fopen("/", "r");
    assert_non_null(file);
    assert_int_equal(cli_trace_read(file, "t.csv", &t, &err), LLIM_EIO);
    fclose(file);
    assert_int_equal(err.code, LLIM_EIO);
    assert_non_null(strstr(err.message, "cannot be read"));
    cli_trace_free(&t);
}

static void shaping(void **state)
{
    (void)state;
    const struct {
        double speed;
        uint32_t demand;
        uint32_t n;
        int64_t tokens[8];
    } cases[] = {
        {1, 1000000, 4, {1, 2, 3, 4}},
        {2, 2000000, 8, {1, 1, 2, 2, 3, 3, 4, 4}},
        {0.5, 500000, 2, {1, 3}},
        {1, 1500000, 6, {1, 1, 2, 3, 3, 4}},
        {1, 1000, 1, {1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cli_trace t;
        llim_error err = {0};
        read_good("time,tokens\n10,1\n11,2\n12,3\n13,4\n", &t);
        assert_int_equal(cli_trace_shape(&t, cases[i].speed, cases[i].demand, &err), LLIM_OK);
        assert_int_equal(t.n, cases[i].n);
        for (uint32_t k = 0; k < t.n; k++) {
            assert_int_equal(t.rows[k].tokens, cases[i].tokens[k]);
            assert_int_equal(t.rows[k].at_ns, (int64_t)((double)(t.rows[k].tokens - 1) * LLIM_SECOND / cases[i].speed));
        }
        cli_trace_free(&t);
    }
    cli_trace t;
    llim_error err = {0};
    read_good("time,tokens\n0,1\n7000000,2\n", &t);
    assert_int_equal(cli_trace_shape(&t, 0.001, 1000000, &err), LLIM_ERANGE);
    assert_non_null(strstr(err.message, "--speed"));
    cli_trace_free(&t);
}

static void timestamps_there_and_back(void **state)
{
    (void)state;
    const char *const texts[] = {"1970-01-01 00:00:00.0000000", "2000-02-29 23:59:59.9999999",
                                 "2023-11-16 18:17:03.9799600", "2100-03-01 00:00:00.0000000",
                                 "2199-12-31 23:59:59.0000001"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ns = -1;
        char back[40];
        assert_true(cli_timestamp(texts[i], &ns));
        cli_timestamp_text(ns, back, sizeof back);
        assert_string_equal(back, texts[i]);
    }
    int64_t day = 0, next = 0;
    assert_true(cli_timestamp("2100-02-28 00:00:00", &day)); /* 2100 is no leap year */
    assert_true(cli_timestamp("2100-03-01 00:00:00", &next));
    assert_int_equal(next - day, 86400 * (int64_t)LLIM_SECOND);
}

static void numbers(void **state)
{
    (void)state;
    const char *const bad[] = {"",      " 1",     "1 ", "nan", "inf", "-inf", "0x10",
                               "1e400", "-1e400", "-1", "2",   "1..", "e",    "1,5"};
    double x = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(cli_number(bad[i], 0, 1.5, &x));
    assert_true(x == 7);
    assert_true(cli_number("1.25", 0, 1.5, &x) && x == 1.25);
    assert_true(cli_number("1e-3", 0, 1.5, &x) && x == 0.001);
    uint64_t n = 7;
    assert_false(cli_integer("11", 10, &n) || cli_integer("", 10, &n) || cli_integer("+1", 10, &n));
    assert_false(cli_integer("18446744073709551616", UINT64_MAX, &n));
    assert_int_equal(n, 7);
    assert_true(cli_integer("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
    assert_true(cli_integer("000000000000000000000010", 10, &n) && n == 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(azure_rows),
        cmocka_unit_test(line_ends_and_blank_lines),
        cmocka_unit_test(models_and_scopes_make_groups),
        cmocka_unit_test(rows_out_of_order_are_sorted_stably),
        cmocka_unit_test(bad_input_names_its_place),
        cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(unreadable_file),
        cmocka_unit_test(shaping),
        cmocka_unit_test(timestamps_there_and_back),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
