/*
 * test_classify.c - what providers answer, and what the library concludes from it.
 *
 * Every file of tests/fixtures/provider is an answer in the shape its provider documents or was seen to send; what must come
 * of it is in the tables here, and of each shape below the rule that it shows, with its source. Nothing reads a clock.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define U          LLIM_UNKNOWN
#define FIXTURES   "tests/fixtures/provider/"
#define NOON_UTC   INT64_C(1765886400000000000) /* 2025-12-16 12:00:00 */
#define SECONDS(s) ((int64_t)((s)*1e9 + 0.5))

typedef struct bytes {
    char *at;
    size_t len;
} bytes;

static bytes load(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, FIXTURES "%s", name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be read", path);
    bytes b = {malloc(1 << 16), 0};
    assert_non_null(b.at);
    b.len = fread(b.at, 1, 1 << 16, file);
    fclose(file);
    assert_in_range(b.len, 1, (1 << 16) - 1);
    b.at[b.len] = 0;
    return b;
}

/* Status line, headers, a blank line and the body; or, without a status line, a body of status 200. */
static llim_response response_of(const char *text, size_t len, int provider)
{
    llim_response r = {.size = sizeof r, .provider = provider, .status = 200, .body = text, .body_len = len};
    if (strncmp(text, "HTTP/1.1 ", 9) != 0) return r;
    r.status = atoi(text + 9);
    r.headers = strchr(text, '\n') + 1;
    const char *end = strstr(r.headers, "\n\n");
    assert_non_null(end);
    r.headers_len = (size_t)(end + 1 - r.headers);
    r.body = end + 2;
    r.body_len = len - (size_t)(r.body - text);
    return r;
}

static llim_answer classify(const llim_response *r)
{
    llim_answer a;
    memset(&a, 0xA5, sizeof a);
    assert_int_equal(llim_classify(r, &a), LLIM_OK);
    return a;
}

typedef struct expected {
    const char *file;
    int provider, kind, scope, meter, unit, law;
    int64_t retry_ns, limit, used, requested;
    const char *model, *family;
    int64_t input, output, total, images, thinking, cached;
    const char *learned; /* as shown by learned_text() */
} expected;

/* "tokens/minute 15433 of 30000, full in 29.134 s; ..." */
static void learned_text(const llim_answer *a, char *out, size_t cap)
{
    static const char *const units[] = {"?", "minute", "hour", "day", "week", "month"};
    size_t n = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < a->n_learned; i++) {
        const llim_learned *l = &a->learned[i];
        n += (size_t)snprintf(out + n, cap - n, "%s%s%s/%s", i ? "; " : "", l->project ? "project " : "",
                              llim_meter_name(l->meter), units[l->unit]);
        if (l->remaining != U) n += (size_t)snprintf(out + n, cap - n, " %lld of", (long long)l->remaining);
        if (l->limit != U) n += (size_t)snprintf(out + n, cap - n, " %lld", (long long)l->limit);
        if (l->reset_ns != U) n += (size_t)snprintf(out + n, cap - n, ", full in %.9g s", (double)l->reset_ns / 1e9);
        assert_in_range(n, 0, cap - 1);
    }
}

static void check_facts(const llim_facts *f, const expected *e)
{
    assert_int_equal(f->charge.amount[LLIM_INPUT_TOKENS], e->input);
    assert_int_equal(f->charge.amount[LLIM_OUTPUT_TOKENS], e->output);
    assert_int_equal(f->charge.amount[LLIM_TOKENS], e->total);
    assert_int_equal(f->charge.amount[LLIM_IMAGES], e->images);
    assert_int_equal(f->charge.amount[LLIM_REQUESTS], U);
    assert_int_equal(f->thinking_tokens, e->thinking);
    assert_int_equal(f->cached_tokens, e->cached);
}

static void check(const llim_answer *a, const expected *e)
{
    char text[1024];
    assert_string_equal(llim_kind_name(a->kind), llim_kind_name(e->kind));
    assert_string_equal(llim_provider_name(a->provider), llim_provider_name(e->provider));
    assert_string_equal(llim_scope_kind_name(a->scope), llim_scope_kind_name(e->scope));
    assert_string_equal(llim_meter_name(a->meter), llim_meter_name(e->meter));
    assert_int_equal(a->unit, e->unit);
    assert_string_equal(llim_law_name(a->law), llim_law_name(e->law));
    assert_string_equal(a->zone, e->law == LLIM_CALENDAR ? "America/Los_Angeles" : "");
    assert_int_equal(a->retry_after_ns, e->retry_ns);
    assert_int_equal(a->limit, e->limit);
    assert_int_equal(a->used, e->used);
    assert_int_equal(a->requested, e->requested);
    assert_string_equal(a->model, e->model ? e->model : "");
    assert_string_equal(a->family, e->family ? e->family : "");
    learned_text(a, text, sizeof text);
    assert_string_equal(text, e->learned);
    check_facts(&a->facts, e);
}

#define OPENAI  LLIM_PROVIDER_OPENAI
#define GEMINI  LLIM_PROVIDER_GEMINI
#define REFUSED 0, 0, 0, 0, U, U
#define NOTHING U, U, U, U, U, U
#define PER_MIN LLIM_PER_MINUTE
#define PER_DAY LLIM_PER_DAY

static const expected answers[] = {
    {"openai_429_rpm.http", OPENAI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, PER_MIN, LLIM_BUCKET,
     SECONDS(20), 3, 3, 1, "tts-1", "", REFUSED, "requests/minute 0 of 3, full in 60 s"},
    {"openai_429_rpd.http", OPENAI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, PER_DAY, LLIM_BUCKET,
     SECONDS(432), 200, 200, 1, "tts-1", "", REFUSED, "requests/day 0 of 200, full in 86400 s"},
    {"openai_429_tpm.http", OPENAI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, PER_MIN, LLIM_BUCKET,
     SECONDS(18.642), 30000, 14567, 24754, "gpt-4o", "", REFUSED,
     "requests/minute 499 of 500, full in 0.12 s; tokens/minute 15433 of 30000, full in 29.134 s"},
    {"openai_429_request_too_large.http", OPENAI, LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, LLIM_TOKENS, PER_MIN,
     LLIM_BUCKET, U, 30000, U, 31538, "gpt-4o", "", REFUSED,
     "requests/minute 499 of 500, full in 0.12 s; tokens/minute 30000 of 30000, full in 0 s"},
    {"openai_429_image_ipm.http", OPENAI, LLIM_ANSWER_RATE, LLIM_SCOPE_FAMILY, LLIM_IMAGES, PER_MIN, LLIM_BUCKET,
     SECONDS(12), 5, 5, 1, "gpt-image-1", "gpt-image", REFUSED, "images/minute 0 of 5, full in 60 s"},
    {"openai_429_insufficient_quota.http", OPENAI, LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL, U, 0, U, U, U, U, U, "",
     "", REFUSED, ""},
    {"openai_200_headers.http",
     OPENAI,
     LLIM_ANSWER_OK,
     0,
     U,
     0,
     U,
     U,
     U,
     U,
     U,
     "",
     "",
     19,
     10,
     29,
     U,
     0,
     0,
     "requests/day 9999 of 10000, full in 8.64 s; tokens/minute 199971 of 200000, full in 0.008 s"},
    {"openai_stream_usage.sse", OPENAI, LLIM_ANSWER_OK, 0, U, 0, U, U, U, U, U, "", "", 19, 3, 22, U, 0, 0, ""},
    {"openai_responses_200.json", OPENAI, LLIM_ANSWER_OK, 0, U, 0, U, U, U, U, U, "", "", 36, 87, 123, U, 64, 0, ""},
    {"openai_image_200.json", OPENAI, LLIM_ANSWER_OK, 0, U, 0, U, U, U, U, U, "", "", 14, 1056, 1070, 1, U, U, ""},
    {"gemini_429_rpm_free.http", GEMINI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, PER_MIN, LLIM_SLIDING,
     17156209832, 10, U, U, "gemini-2.5-flash", "", REFUSED, "requests/minute 10"},
    {"gemini_429_rpd_free.http", GEMINI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, PER_DAY, LLIM_CALENDAR,
     SECONDS(43200), 250, U, U, "gemini-2.5-flash", "", REFUSED, "requests/day 250"},
    {"gemini_429_tpm.http", GEMINI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_INPUT_TOKENS, PER_MIN, LLIM_SLIDING,
     45811974541, 1000000, U, U, "gemini-2.5-flash", "", REFUSED, "input_tokens/minute 1000000"},
    {"gemini_429_limit_zero.http", GEMINI, LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_REQUESTS, PER_DAY, LLIM_CALENDAR,
     U, 0, U, U, "gemini-2.5-flash-preview-image", "", REFUSED, ""},
    {"gemini_429_generic.http", GEMINI, LLIM_ANSWER_RATE, 0, U, 0, U, U, U, U, U, "", "", REFUSED, ""},
    {"gemini_429_openai_compat.http", LLIM_PROVIDER_GEMINI_OPENAI, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS,
     PER_MIN, LLIM_SLIDING, SECONDS(37.4), 10, U, U, "gemini-2.5-flash", "", REFUSED, "requests/minute 10"},
    {"gemini_503.http", GEMINI, LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL, U, 0, U, U, U, U, U, "", "", REFUSED, ""},
    {"gemini_200.json", GEMINI, LLIM_ANSWER_OK, 0, U, 0, U, U, U, U, U, "", "", 41, 348, 389, U, 343, U, ""},
    {"gemini_stream.sse", GEMINI, LLIM_ANSWER_OK, 0, U, 0, U, U, U, U, U, "", "", 21, 129, 150, U, 120, U, ""},
    {"anthropic_429.http", LLIM_PROVIDER_ANTHROPIC, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_INPUT_TOKENS, PER_MIN,
     LLIM_BUCKET, SECONDS(24), 30000, U, U, "claude-sonnet-4-5-20250929", "", REFUSED,
     "requests/minute 47 of 50, full in 4 s; input_tokens/minute 0 of 30000, full in 60 s; output_tokens/minute 8000 "
     "of "
     "8000, full in 0 s; tokens/minute 8000 of 38000, full in 0 s"},
    {"anthropic_200_headers.http",
     LLIM_PROVIDER_ANTHROPIC,
     LLIM_ANSWER_OK,
     0,
     U,
     0,
     U,
     U,
     U,
     U,
     U,
     "",
     "",
     2095,
     12,
     2107,
     U,
     U,
     1800,
     "requests/minute 49 of 50, full in 1 s; input_tokens/minute 48000 of 50000, full in 2 s; output_tokens/minute "
     "10000 "
     "of 10000, full in 0 s; tokens/minute 58000 of 60000, full in 2 s"},
    {"azure_429.http", LLIM_PROVIDER_AZURE, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, PER_MIN, LLIM_SLIDING,
     SECONDS(22), U, U, U, "", "", REFUSED, "tokens/minute 0 of 10000, full in 22 s; requests/? 58 of"},
};

/* The provider is told, and where the answer shows it, found. */
static void fixtures_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(answers); i++) {
        bytes b = load(answers[i].file);
        print_message("# %s\n", answers[i].file);
        llim_response r = response_of(b.at, b.len, answers[i].provider);
        llim_answer a = classify(&r);
        check(&a, &answers[i]);
        if (r.headers) {
            r.provider = LLIM_PROVIDER_ANY;
            a = classify(&r);
            check(&a, &answers[i]);
        }
        free(b.at);
    }
}

/* Cut in two at every byte, and in pieces of one: the same usage; and of a part, no other usage than the whole's. */
static void usage_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(answers); i++) {
        const expected *e = &answers[i];
        if (e->kind != LLIM_ANSWER_OK) continue;
        bytes b = load(e->file);
        llim_response r = response_of(b.at, b.len, e->provider);
        for (size_t cut = 0; cut <= r.body_len; cut++) {
            llim_usage_reader reader;
            llim_facts f;
            llim_usage_begin(&reader);
            llim_usage_feed(&reader, r.body, cut);
            llim_usage_end(&reader, &f);
            int64_t input = f.charge.amount[LLIM_INPUT_TOKENS], total = f.charge.amount[LLIM_TOKENS];
            assert_true(input == U || input == e->input);
            assert_true(total == U || total == e->total);
            llim_usage_feed(&reader, r.body + cut, r.body_len - cut);
            llim_usage_end(&reader, &f);
            check_facts(&f, e);
        }
        llim_usage_reader reader;
        llim_facts f;
        llim_usage_begin(&reader);
        for (size_t k = 0; k < r.body_len; k++) llim_usage_feed(&reader, r.body + k, 1);
        llim_usage_end(&reader, &f);
        check_facts(&f, e);
        free(b.at);
    }
}

/* A body that breaks off anywhere never turns into another refusal, a longer wait or a limit that nobody told. */
static void errors_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(answers); i++) {
        const expected *e = &answers[i];
        if (e->kind == LLIM_ANSWER_OK) continue;
        bytes b = load(e->file);
        llim_response r = response_of(b.at, b.len, e->provider);
        size_t whole = r.body_len;
        for (r.body_len = 0; r.body_len < whole; r.body_len++) {
            llim_answer a = classify(&r);
            assert_true(a.kind == e->kind || (a.kind == LLIM_ANSWER_RATE && e->kind >= LLIM_ANSWER_RATE));
            assert_true(a.meter == U || a.meter == e->meter);
            assert_true(a.unit == LLIM_NO_UNIT || a.unit == e->unit);
            assert_true(a.limit == U || a.limit == e->limit);
            assert_true(a.retry_after_ns == U || a.retry_after_ns == e->retry_ns);
        }
        free(b.at);
    }
}

static llim_answer message(int provider, const char *text)
{
    llim_response r = {.size = sizeof r, .provider = provider, .body = text, .body_len = strlen(text)};
    return classify(&r);
}

/* The n-th line of a file, from 1. */
static const char *line_of(bytes b, int n)
{
    char *at = b.at;
    while (--n) at = strchr(at, '\n') + 1;
    *strchr(at, '\n') = 0;
    return at;
}

/* OpenAI, Realtime events: limits when a response starts, with its output reserved, and again when it ends. */
static void realtime_messages(void **state)
{
    (void)state;
    const char *const learned[] = {
        "",
        "",
        "requests/minute 199 of 200, full in 0.3 s; tokens/minute 35772 of 40000, full in 6.342 s",
        "",
        "tokens/minute 120 of 40000, full in 59.82 s",
        "tokens/minute 40000"};
    const int64_t total[] = {U, U, U, 253, U, 0};
    for (int i = 0; i < 6; i++) {
        bytes b = load("openai_realtime_events.jsonl");
        char text[512];
        llim_answer a = message(i % 2 ? OPENAI : LLIM_PROVIDER_ANY, line_of(b, i + 1));
        learned_text(&a, text, sizeof text);
        assert_string_equal(text, learned[i]);
        assert_int_equal(a.provider, OPENAI);
        assert_int_equal(a.kind, i == 5 ? LLIM_ANSWER_RATE : LLIM_ANSWER_OK);
        assert_int_equal(a.facts.charge.amount[LLIM_TOKENS], total[i]);
        assert_int_equal(a.retry_after_ns, i == 5 ? SECONDS(6.33) : U);
        if (i == 3) {
            assert_int_equal(a.facts.charge.amount[LLIM_INPUT_TOKENS], 132);
            assert_int_equal(a.facts.charge.amount[LLIM_OUTPUT_TOKENS], 121);
            assert_int_equal(a.facts.cached_tokens, 64);
        }
        if (i == 5) {
            assert_string_equal(a.model, "gpt-4o-mini-realtime");
            assert_int_equal(a.used, 39880);
            assert_int_equal(a.requested, 4340);
        }
        free(b.at);
    }
}

/* Gemini, Live API: usage by turn, the notice before the end, and a close whose reason is cut at 123 bytes. */
static void live_messages(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        bytes b = load("gemini_live_messages.jsonl");
        llim_answer a = message(i % 2 ? GEMINI : LLIM_PROVIDER_ANY, line_of(b, i));
        assert_int_equal(a.kind, LLIM_ANSWER_OK);
        assert_int_equal(a.provider, GEMINI);
        assert_int_equal(a.facts.charge.amount[LLIM_INPUT_TOKENS], i == 4 ? 321 : U);
        assert_int_equal(a.facts.charge.amount[LLIM_OUTPUT_TOKENS], i == 4 ? 150 : U);
        assert_int_equal(a.facts.charge.amount[LLIM_TOKENS], i == 4 ? 471 : U);
        assert_int_equal(a.ends_after_ns, i == 5 ? SECONDS(50) : U);
        free(b.at);
    }
}

#define QUOTA_REASON                                                                                                   \
    "You exceeded your current quota, please check your plan and billing details. For more information on this "       \
    "error, head to: h"

/* Gemini, Live API: 1011 is every internal error's code, so the reason decides; the model cools for a time nobody tells. */
static void closes(void **state)
{
    (void)state;
    const struct {
        int code;
        const char *reason;
        int kind, scope;
    } cases[] = {
        {1011, QUOTA_REASON, LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
        {1011, "Resource has been exhausted (e.g. check quota).", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
        {1011, "Deadline expired before operation could complete.", LLIM_ANSWER_ERROR, 0},
        {1011, "", LLIM_ANSWER_ERROR, 0},
        {1011, "Internal error: You exceeded your current quota", LLIM_ANSWER_ERROR, 0},
        {1008, QUOTA_REASON, LLIM_ANSWER_ERROR, 0},
        {1007, "", LLIM_ANSWER_ERROR, 0},
        {1006, "", LLIM_ANSWER_ERROR, 0},
        {1000, "", LLIM_ANSWER_OK, 0},
        {7, QUOTA_REASON, LLIM_ANSWER_UNKNOWN, 0},
    };
    for (size_t i = 0; i < KIT_COUNT(cases); i++)
        for (int provider = LLIM_PROVIDER_ANY; provider <= GEMINI; provider += GEMINI) {
            llim_response r = {.size = sizeof r,
                               .provider = provider,
                               .close_code = cases[i].code,
                               .body = cases[i].reason,
                               .body_len = strlen(cases[i].reason)};
            llim_answer a = classify(&r);
            assert_int_equal(a.kind, cases[i].kind);
            assert_int_equal(a.scope, cases[i].scope);
            assert_int_equal(a.unit, LLIM_NO_UNIT);
            assert_int_equal(a.retry_after_ns, U);
            assert_int_equal(a.facts.charge.amount[LLIM_TOKENS], U);
            if (a.kind == LLIM_ANSWER_RATE) assert_int_equal(a.provider, GEMINI);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_whole),      cmocka_unit_test(usage_cut_anywhere),
        cmocka_unit_test(errors_cut_anywhere), cmocka_unit_test(realtime_messages),
        cmocka_unit_test(live_messages),       cmocka_unit_test(closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
