/*
 * test_usage_reader.c - what a call used, from every shape in which it is reported, and durations in every form.
 *
 * Each text is read whole and in pieces of one, two and seven bytes; streams are broken off too.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define U LLIM_UNKNOWN

static llim_facts read_in_pieces(const char *text, size_t len, size_t piece)
{
    llim_usage_reader reader;
    llim_facts f;
    llim_usage_begin(&reader);
    for (size_t at = 0; at < len; at += piece) llim_usage_feed(&reader, text + at, len - at < piece ? len - at : piece);
    llim_usage_end(&reader, &f);
    return f;
}

#define CHUNK(text, usage) "data: {\"candidates\":[{\"content\":{}" text "}],\"usageMetadata\":{" usage "}}\r\n\r\n"
#define DELTA(usage)       "data: {\"choices\":[{\"delta\":{},\"finish_reason\":null}],\"usage\":" usage "}\n\n"
#define START                                                                                                          \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,"             \
    "\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\n\n"

static const struct reported {
    const char *rule, *text;
    int64_t input, output, total, images, audio_ms, thinking, cached;
} reports[] = {
    {"OpenAI: an embedding has no output",
     "{\"data\":[{\"embedding\":[0.1]}],\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}", 8, 0, 8, U, U, U, U},
    {"OpenAI: a transcription by duration", "{\"text\":\"a\",\"usage\":{\"type\":\"duration\",\"seconds\":9.25}}", U, U,
     U, U, 9250, U, U},
    {"OpenAI: a transcription by tokens",
     "{\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{\"audio_tokens\":14},\"output_"
     "tokens\":45,\"total_tokens\":59}}",
     14, 45, 59, U, U, U, U},
    {"OpenAI: images without usage", "{\"data\":[{\"url\":\"x\"},{\"b64_json\":\"y\",\"url\":\"x\"},{}]}", U, U, U, 2,
     U, U, U},
    {"Imagen: images alone",
     "{\"predictions\":[{\"mimeType\":\"image/png\",\"bytesBase64Encoded\":\"y\"},{\"raiFilteredReason\":\"x\"}]}", U,
     U, U, 1, U, U, U},
    {"OpenAI: a streamed image is one when it is complete",
     "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"y\"}\n\ndata: "
     "{\"type\":\"image_generation.completed\",\"b64_json\":\"y\",\"usage\":{\"input_tokens\":14,\"output_tokens\":"
     "1056,"
     "\"total_tokens\":1070}}\n\n",
     14, 1056, 1070, 1, U, U, U},
    {"two candidates, of which one has ended: the output may still grow",
     "data: "
     "{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
     "\"total_tokens\":7}}\n\ndata: {\"choices\":[{\"index\":1,\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":5,"
     "\"completion_tokens\":4,\"total_tokens\":9}}\n\n",
     5, U, U, U, U, U, U},
    {"both have ended",
     "data: "
     "{\"choices\":[{\"index\":1,\"finish_reason\":\"stop\"},{\"index\":0,\"finish_reason\":null}],\"usage\":null}"
     "\n\ndata: "
     "{\"choices\":[{\"index\":0,\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":4,"
     "\"total_tokens\":9}}\n\n",
     5, 4, 9, U, U, U, U},
    {"Gemini: the same, whose first candidate has no number",
     "data: {\"candidates\":[{\"finishReason\":\"STOP\"},{\"index\":1}],\"usageMetadata\":{\"promptTokenCount\":5,"
     "\"candidatesTokenCount\":4}}\n\n",
     5, U, U, U, U, U, U},
    {"an empty reason is none",
     "data: "
     "{\"choices\":[{\"finish_reason\":\"\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":"
     "7}}\n\n",
     5, U, U, U, U, U, U},
    {"more candidates than anybody asks for",
     "data: "
     "{\"choices\":[{\"index\":40,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}"
     "\n\n",
     5, U, U, U, U, U, U},
    {"Gemini: a stream as an array that failed tells its input",
     "[{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":1}},{\"error\":{"
     "\"code\":429}}]",
     4, U, U, U, U, U, U},
    {"Groq: a stream tells its usage in a member of its own",
     DELTA("null") "data: "
                   "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"usage\":{"
                   "\"prompt_tokens\":19,"
                   "\"completion_tokens\":3,\"total_tokens\":22}}}\n\ndata: [DONE]\n\n",
     19, 3, 22, U, U, U, U},
    {"OpenAI: speech is bytes", "ID3\x04{\"usage\":{\"total_tokens\":1}}\n\xff\xfb", U, U, U, U, U, U, U},
    {"OpenAI: speech as a stream",
     "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AA==\"}\n\ndata: "
     "{\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":14,\"output_tokens\":101,\"total_tokens\":115}}\n\n",
     14, 101, 115, U, U, U, U},
    {"OpenAI: Responses as a stream, usage inside the last event",
     "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\nevent: "
     "response.completed\ndata: "
     "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":37,\"output_tokens\":11,\"output_"
     "tokens_details\":{\"reasoning_tokens\":4},\"total_tokens\":48}}}\n\n",
     37, 11, 48, U, U, 4, U},
    {"OpenAI: a stream that broke off has none",
     DELTA("null") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":3", U, U, U, U, U, U,
     U},
    {"OpenAI: a stream without include_usage has none", DELTA("null") "data: [DONE]\n\n", U, U, U, U, U, U, U},
    {"Gemini, OpenAI-compatible door: running totals, thinking only in the total",
     DELTA("{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":10}")
         DELTA("{\"prompt_tokens\":5,\"completion_tokens\":4,\"total_tokens\":30}") "data: [DONE]\n\n",
     5, 25, 30, U, U, U, U},
    {"the same, broken off: the input stands",
     DELTA("{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":10}"), 5, U, U, U, U, U, U},
    {"Gemini: totals are never added, the last counts",
     CHUNK("", "\"promptTokenCount\":21,\"candidatesTokenCount\":3,\"totalTokenCount\":24") CHUNK(
         ",\"finishReason\":\"STOP\"", "\"promptTokenCount\":21,\"candidatesTokenCount\":9,\"totalTokenCount\":30"),
     21, 9, 30, U, U, U, U},
    {"Gemini: older models report in the last chunk only",
     "data: {\"candidates\":[{}]}\r\n\r\n" CHUNK(",\"finishReason\":\"STOP\"",
                                                 "\"promptTokenCount\":21,\"candidatesTokenCount\":9"),
     21, 9, 30, U, U, U, U},
    {"Gemini: broken off inside the last chunk, behind its end mark",
     CHUNK("", "\"promptTokenCount\":21,\"candidatesTokenCount\":3,\"totalTokenCount\":24") "data: "
                                                                                            "{\"candidates\":[{"
                                                                                            "\"finishReason\":\"STOP\"}"
                                                                                            "],\"usageMetadata\":{"
                                                                                            "\"promptTokenCount\":21,"
                                                                                            "\"candidatesTok",
     21, U, U, U, U, U, U},
    {"Gemini: a stream as an array, whole",
     "[{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":1,\"totalTokenCount\":5}"
     "}\r\n,{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":3,"
     "\"totalTokenCount\":7}}\r\n]",
     4, 3, 7, U, U, U, U},
    {"Gemini: a stream as an array, broken off",
     "[{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":1,\"totalTokenCount\":5}"
     "}\r\n,{\"candidates\":[{\"finishReason\":\"STOP\"",
     4, U, U, U, U, U, U},
    {"Gemini: a blocked prompt leaves zeros out",
     "{\"promptFeedback\":{},\"usageMetadata\":{\"promptTokenCount\":4,\"totalTokenCount\":4}}", 4, 0, 4, U, U, U, U},
    {"Gemini: prompts of tools are input, a cache is part of it",
     "{\"usageMetadata\":{\"promptTokenCount\":100,\"cachedContentTokenCount\":80,\"toolUsePromptTokenCount\":20,"
     "\"candidatesTokenCount\":7,\"thoughtsTokenCount\":3,\"totalTokenCount\":130}}",
     120, 10, 130, U, U, 3, 80},
    {"Gemini Live: other names",
     "{\"usageMetadata\":{\"promptTokenCount\":3,\"responseTokenCount\":2,\"totalTokenCount\":5}}", 3, 2, 5, U, U, U,
     U},
    {"Gemini: counting tokens uses none", "{\"totalTokens\":31,\"cachedContentTokenCount\":3}", U, U, U, U, U, U, U},
    {"Anthropic: a stream begins with its input and ends with its output",
     START "event: message_delta\ndata: "
           "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":12}}\n\n",
     15, 12, 27, U, U, U, 7},
    {"Anthropic: broken off, the input stands", START, 15, U, U, U, U, U, 7},
    {"server-sent events: CR alone, comments, other fields, no blank, data over lines",
     ": hi\rretry: 3\rdata:{\"usage\":{\"prompt_tokens\":1,\rdata: \"completion_tokens\":2}}\r\r", 1, 2, 3, U, U, U, U},
    {"server-sent events: data over lines that end in CRLF",
     "data: {\"usage\":{\"prompt_tokens\":1,\r\ndata: \"completion_tokens\":2}}\r\n\r\n", 1, 2, 3, U, U, U, U},
    {"Gemini: an end without counts leaves the running total what it is",
     CHUNK("", "\"promptTokenCount\":21,\"candidatesTokenCount\":3") "data: "
                                                                     "{\"candidates\":[{\"finishReason\":\"STOP\"}]}"
                                                                     "\r\n\r\ndata: {}\r\n\r\n",
     21, U, U, U, U, U, U},
    {"Gemini: broken off behind the last count",
     "data: "
     "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":21,"
     "\"candidatesTokenCount\":3},",
     21, 3, 24, U, U, U, U},
    {"a number that is longer than any",
     "{\"usage\":{\"prompt_tokens\":000000000000000000000000000000000000000000005,\"total_tokens\":2}}", U, U, 2, U, U,
     U, U},
    {"a mark of UTF-8 and blank lines first",
     "\xef\xbb\xbf\r\n\r\n{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", 1, 2, 3, U, U, U, U},
    {"words in a text are no usage",
     "{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":1}\",\"choices\":[{\"usage\":{\"prompt_tokens\":2}}]}", U, U,
     U, U, U, U, U},
    {"usage as a text, an array, null or nothing", "{\"usage\":\"x\",\"usage\":[1],\"usage\":null,\"usage\":{}}", U, U,
     U, U, U, U, U},
    {"numbers that are no counts", "{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1e3,\"total_tokens\":1.5}}",
     U, U, U, U, U, U, U},
    {"numbers out of range",
     "{\"usage\":{\"prompt_tokens\":1099511627776,\"completion_tokens\":99999999999999999999999999999999999999999999,"
     "\"total_tokens\":1099511627775}}",
     U, U, 1099511627775, U, U, U, U},
    {"sums out of range", "{\"usage\":{\"prompt_tokens\":1099511627775,\"completion_tokens\":1099511627775}}",
     1099511627775, 1099511627775, U, U, U, U, U},
    {"a broken document tells nothing behind the break", "{\"a\" 1,\"usage\":{\"prompt_tokens\":1}}", U, U, U, U, U, U,
     U},
    {"brackets that do not fit", "{\"a\":[1},\"usage\":{\"prompt_tokens\":1}}", U, U, U, U, U, U, U},
    {"a text is no document, whatever closes behind it", "data: \"a\"}\ndata: ]\n\n", U, U, U, U, U, U, U},
    {"a broken event does not spoil the next",
     "data: {\"a\":]\n\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", 1, 2, 3, U, U, U, U},
};

static void every_report(void **state)
{
    (void)state;
    const size_t pieces[] = {1, 2, 7, SIZE_MAX / 2};
    for (size_t i = 0; i < KIT_COUNT(reports); i++)
        for (size_t p = 0; p < KIT_COUNT(pieces); p++) {
            const struct reported *e = &reports[i];
            llim_facts f = read_in_pieces(e->text, strlen(e->text), pieces[p]);
            const int64_t *m = f.charge.amount;
            if (m[LLIM_INPUT_TOKENS] != e->input || m[LLIM_OUTPUT_TOKENS] != e->output || m[LLIM_TOKENS] != e->total ||
                m[LLIM_IMAGES] != e->images || m[LLIM_AUDIO_MS] != e->audio_ms || f.thinking_tokens != e->thinking ||
                f.cached_tokens != e->cached)
                fail_msg("%s: %lld in, %lld out, %lld, %lld images, %lld ms, %lld thinking, %lld cached", e->rule,
                         (long long)m[LLIM_INPUT_TOKENS], (long long)m[LLIM_OUTPUT_TOKENS], (long long)m[LLIM_TOKENS],
                         (long long)m[LLIM_IMAGES], (long long)m[LLIM_AUDIO_MS], (long long)f.thinking_tokens,
                         (long long)f.cached_tokens);
        }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(2 * DEEP + 64);
    assert_non_null(text);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    strcpy(text + 2 * DEEP, "{\"usage\":{\"prompt_tokens\":1}}");
    assert_int_equal(read_in_pieces(text, strlen(text), 1).charge.amount[LLIM_INPUT_TOKENS], U);
    llim_response r = {.size = sizeof r, .status = 429, .body = text, .body_len = 2 * DEEP};
    llim_answer a;
    assert_int_equal(llim_classify(&r, &a), LLIM_OK);
    assert_int_equal(a.kind, LLIM_ANSWER_RATE);
    free(text);
}

static void depth_of_a_neighbour(void **state)
{
    (void)state;
    for (int arrays = 62; arrays < 66; arrays++) {
        char text[256] = "{\"a\":";
        for (int i = 0; i < arrays; i++) strcat(text, "[");
        for (int i = 0; i < arrays; i++) strcat(text, "]");
        strcat(text, ",\"usage\":{\"prompt_tokens\":1}}");
        assert_int_equal(read_in_pieces(text, strlen(text), 1).charge.amount[LLIM_INPUT_TOKENS], arrays < 64 ? 1 : U);
    }
}

/* 10 MB in pieces of a byte: who kept or read again what has been would not come to an end. */
static void streams_without_end(void **state)
{
    (void)state;
    enum { LONG = 10000000 };
    const char *const starts[] = {"{\"data\":[{\"b64_json\":\"", "data: ", "{\"usage\":{\"prompt_tokens\":", "[[[["};
    char *text = malloc(LONG);
    assert_non_null(text);
    for (size_t i = 0; i < KIT_COUNT(starts); i++) {
        memset(text, '1', LONG);
        memcpy(text, starts[i], strlen(starts[i]));
        strcpy(text + LONG - 80, "\"}],\n\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n");
        llim_facts f = read_in_pieces(text, strlen(text), 1);
        assert_int_equal(f.charge.amount[LLIM_TOKENS], i == 1 ? 3 : U); /* the others are no streams */
    }
    free(text);
}

#define MS  KIT_MS
#define S   KIT_SECOND
#define NOW (INT64_C(1765886400) * S) /* 2025-12-16 12:00:00 UTC */

static void durations(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t ns; /* or a code */
    } cases[] = {
        {"8ms", 8 * MS},
        {"120ms", 120 * MS},
        {"8.64s", 8640 * MS},
        {"58.891s", 58891 * MS},
        {"1m0s", 60 * S},
        {"6m0s", 360 * S},
        {"7m12s", 432 * S},
        {"1m26.4s", 86400 * MS},
        {"1h2m3s", 3723 * S},
        {"0s", 0},
        {"24h0m0s", 86400 * S},
        {"2m59.56s", 179560 * MS},
        {"17.156209832s", INT64_C(17156209832)},
        {"34.5s", 34500 * MS},
        {"1.5ms", 1500000},
        {"250us", 250000},
        {"250\xc2\xb5s", 250000},
        {"7ns", 7},
        {"0.1234567891s", 123456790},
        {"22", 22 * S},
        {"0.5", 500 * MS},
        {"0", 0},
        {"34560000", 34560000 * S},
        {"Tue, 16 Dec 2025 12:01:30 GMT", 90 * S},
        {"Tue, 16 Dec 2025 11:00:00 GMT", 0},
        {"2025-12-16T12:00:24Z", 24 * S},
        {"2025-12-16T13:00:24.25+01:00", 24250 * MS},
        {"2025-12-16T07:30:01-04:30", S},
        {"2025-12-16T11:59:59Z", 0},
        {"34560001", LLIM_ERANGE},
        {"9601h", LLIM_ERANGE},
        {"9600h1ns", LLIM_ERANGE},
        {"99999999999999999999s", LLIM_ERANGE},
        {"99999999999999999999", LLIM_ERANGE},
        {"Tue, 16 Dec 2031 12:01:30 GMT", LLIM_ERANGE},
        {"", LLIM_EINVAL},
        {"-1", LLIM_EINVAL},
        {"-1s", LLIM_EINVAL},
        {"+1s", LLIM_EINVAL},
        {"1e3", LLIM_EINVAL},
        {"0x10", LLIM_EINVAL},
        {" 1s", LLIM_EINVAL},
        {"1s ", LLIM_EINVAL},
        {"1.s", LLIM_EINVAL},
        {".5s", LLIM_EINVAL},
        {"1.2.3s", LLIM_EINVAL},
        {"s", LLIM_EINVAL},
        {"1s1m", LLIM_EINVAL},
        {"1s1s", LLIM_EINVAL},
        {"1x", LLIM_EINVAL},
        {"1m5", LLIM_EINVAL},
        {"soon", LLIM_EINVAL},
        {"nan", LLIM_EINVAL},
        {"2025-13-16T12:00:24Z", LLIM_EINVAL},
        {"2025-02-29T12:00:24Z", LLIM_EINVAL},
        {"2025-12-16T24:00:00Z", LLIM_EINVAL},
        {"2025-12-16T12:00:24", LLIM_EINVAL},
        {"Tue, 16 Dez 2025 12:01:30 GMT", LLIM_EINVAL},
        {"Tue, 16 Dec 2025 12:01:30 CET", LLIM_EINVAL},
    };
    for (size_t i = 0; i < KIT_COUNT(cases); i++) {
        int64_t ns = 77;
        int code = llim_parse_duration(cases[i].text, strlen(cases[i].text), NOW, &ns);
        int64_t want = cases[i].ns;
        if (want < 0 ? code != want || ns != 77 : code != LLIM_OK || ns != want)
            fail_msg("\"%s\": code %d, %lld ns", cases[i].text, code, (long long)ns);
    }
    int64_t ns;
    assert_int_equal(llim_parse_duration("2025-12-16T12:00:24Z", 20, 0, &ns), LLIM_EINVAL);
    assert_int_equal(llim_parse_duration(NULL, 0, NOW, &ns), LLIM_EINVAL);
    assert_int_equal(llim_parse_duration("1s", 2, NOW, NULL), LLIM_EINVAL);
    assert_int_equal(llim_parse_duration("10s", 2, NOW, &ns), LLIM_OK);
    assert_int_equal(ns, 10 * S);
}

/* Every part of an instant is all the reader may look at: bytes behind its end are not there. */
static void instants_cut_anywhere(void **state)
{
    (void)state;
    const char *const texts[] = {"Tue, 16 Dec 2025 12:01:30 GMT", "2025-12-16T13:00:24.25+01:00"};
    for (size_t i = 0; i < KIT_COUNT(texts); i++)
        for (size_t n = 1; n < strlen(texts[i]); n++) {
            char *part = malloc(n);
            int64_t ns = 0;
            assert_non_null(part);
            memcpy(part, texts[i], n);
            assert_int_equal(llim_parse_duration(part, n, NOW, &ns), n <= 4 && i == 1 ? LLIM_OK : LLIM_EINVAL);
            free(part);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_report),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(depth_of_a_neighbour),
        cmocka_unit_test(streams_without_end),
        cmocka_unit_test(durations),
        cmocka_unit_test(instants_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
