/*
 * test_shapes.c - shapes of answers beyond the fixtures: one row per rule, with what the rule rests on.
 *
 * Bodies are as short as the rule allows. Where a shape must not depend on the order of its parts, every order is tried.
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define U       LLIM_UNKNOWN
#define OPENAI  LLIM_PROVIDER_OPENAI
#define GEMINI  LLIM_PROVIDER_GEMINI
#define AZURE   LLIM_PROVIDER_AZURE
#define CLAUDE  LLIM_PROVIDER_ANTHROPIC
#define GROQ    LLIM_PROVIDER_GROQ
#define MINUTE  LLIM_PER_MINUTE
#define DAY     LLIM_PER_DAY
#define MS      KIT_MS
#define NOON_PT INT64_C(1765915200000000000) /* 2025-12-16 20:00:00 UTC, 12:00 in Los Angeles */

static llim_answer ask(int provider, int status, const char *headers, const char *body)
{
    llim_response r = {.size = sizeof r,
                       .provider = provider,
                       .status = status,
                       .headers = headers,
                       .headers_len = strlen(headers),
                       .body = body,
                       .body_len = strlen(body),
                       .now_wall_ns = NOON_PT};
    llim_answer a;
    assert_int_equal(llim_classify(&r, &a), LLIM_OK);
    return a;
}

#define OA(message, type, code)                                                                                        \
    "{\"error\":{\"message\":\"" message "\",\"type\":" type ",\"param\":null,\"code\":" code "}}"
#define LIMITED "\"rate_limit_exceeded\""
#define QUOTA(id, model, value)                                                                                        \
    "{\"quotaMetric\":\"generativelanguage.googleapis.com/generate_content_free_tier_requests\",\"quotaId\":\"" id     \
    "\",\"quotaDimensions\":{\"model\":\"" model "\"}" value "}"
#define FAILURE(violations)                                                                                            \
    "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[" violations "]}"
#define RETRY(delay) "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"" delay "\"}"
#define HELP         "{\"@type\":\"type.googleapis.com/google.rpc.Help\",\"links\":[{\"url\":\"PerDay\"}]}"
#define GM(message, details)                                                                                           \
    "{\"error\":{\"code\":429,\"message\":\"" message "\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[" details "]" \
    "}"                                                                                                                \
    "}"
#define RPM      QUOTA("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "g", ",\"quotaValue\":\"10\"")
#define RPD      QUOTA("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "g", ",\"quotaValue\":\"250\"")
#define TPM      QUOTA("GenerateContentInputTokensPerModelPerMinute-FreeTier", "g", ",\"quotaValue\":\"250000\"")
#define NO_RPM   QUOTA("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "g", "")
#define EXCEEDED "You exceeded your current quota, please check your plan and billing details."

static const struct shape {
    const char *rule;
    int provider, status;
    const char *headers, *body;
    int kind, scope, meter, unit;
    int64_t retry_ns, limit;
} shapes[] = {
    {"OpenAI, old texts: no use and no request in the message, 6 ms", OPENAI, 429, "",
     OA("Rate limit reached for default-gpt-3.5-turbo in organization org-1 on tokens per min. Limit: 10000 / min. "
        "Please "
        "try again in 6ms.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, MINUTE, 6 * MS, 10000},
    {"OpenAI, gpt-image of 2025: seconds in words, neither type nor code", OPENAI, 429, "",
     OA("You've exceeded the rate limit, please slow down and try again after 51.84 seconds.", "null", "null"),
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 51840 * MS, U},
    {"OpenAI, captured days: 86400 / 1000 s, with a fraction behind minutes", OPENAI, 429, "",
     OA("Rate limit reached for gpt-realtime in organization o on requests per day (RPD): Limit 1000, Used 1000, "
        "Requested "
        "1. Please try again in 1m26.4s.",
        "\"requests\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, DAY, 86400 * MS, 1000},
    {"OpenAI, 2023: a spent credit with a code of null", OPENAI, 429, "",
     OA(EXCEEDED, "\"insufficient_quota\"", "null"), LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"OpenAI, guide: a retry-after never makes a billing error worth retrying", OPENAI, 429,
     "retry-after: 20\nretry-after-ms: 20000\n", OA(EXCEEDED, "\"insufficient_quota\"", "\"insufficient_quota\""),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"OpenAI, free accounts: a sentence about billing is no spent credit", OPENAI, 429, "",
     OA("Rate limit reached for tts-1 in organization o on requests per min (RPM): Limit 3, Used 3, Requested 1. "
        "Please try "
        "again in 20s. You can increase your rate limit by adding a payment method to your account at billing.",
        "\"requests\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE, 20000 * MS, 3},
    {"OpenAI, free accounts: even the words of a spent credit are none without its type or code", OPENAI, 429, "",
     OA(EXCEEDED, "\"requests\"", LIMITED), LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, 0, U, U},
    {"OpenAI, client: milliseconds before seconds", OPENAI, 429, "Retry-After: 19\nRETRY-AFTER-MS: 18642\n", "",
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 18642 * MS, U},
    {"OpenAI, client: seconds may have a fraction", OPENAI, 429, "retry-after: 1.5\r\n", "", LLIM_ANSWER_RATE,
     LLIM_SCOPE_UNKNOWN, U, 0, 1500 * MS, U},
    {"HTTP: a date, from the answer's own date and not from ours", OPENAI, 429,
     "date: Tue, 16 Dec 2025 12:00:00 GMT\nretry-after: Tue, 16 Dec 2025 12:01:30 GMT\n", "", LLIM_ANSWER_RATE,
     LLIM_SCOPE_UNKNOWN, U, 0, 90000 * MS, U},
    {"HTTP: without a date of its own, from ours", OPENAI, 429, "retry-after: Tue, 16 Dec 2025 20:00:05 GMT\n", "",
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 5000 * MS, U},
    {"OpenAI, specification: a retry-after is at least 1, so 0 and -1 are none", OPENAI, 429,
     "retry-after-ms: 0\nretry-after: -1\n", "", LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"OpenAI, captured: too large tells no use, and a wait in a header does not help it", OPENAI, 429,
     "retry-after: 60\n",
     OA("Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 31538.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, LLIM_TOKENS, MINUTE, U, 30000},
    {"OpenAI, bucket: what asks for more than the limit is too large, whatever the words", OPENAI, 429, "",
     OA("Rate limit reached for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Used 0, Requested "
        "30001. "
        "Please try again in 2ms.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, LLIM_TOKENS, MINUTE, U, 30000},
    {"OpenAI, bucket: just the limit fits an empty one", OPENAI, 429, "",
     OA("Rate limit reached for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Used 1, Requested "
        "30000. "
        "Please try again in 2ms.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, MINUTE, 2 * MS, 30000},
    {"OpenAI, captured: a model may not pass for a limit by its name", OPENAI, 429, "",
     OA("Rate limit reached for ft:requests per min in organization o on tokens per day (TPD): Limit 3, "
        "Used 3, Requested 1. Please try again in 20s.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, DAY, 20000 * MS, 3},
    {"OpenAI, guide: a spent credit by its code alone", OPENAI, 429, "", OA("x", "null", "\"insufficient_quota\""),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"OpenAI, bucket: a limit of 0 is never refilled", OPENAI, 429, "retry-after: 9\n",
     OA("Rate limit reached for m in organization o on requests per min (RPM): Limit 0, Used 0, Requested 1. Please "
        "try "
        "again in 1s.",
        "\"requests\"", LIMITED),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE, U, 0},
    {"a wait in words that nobody is known to print is not guessed", OPENAI, 429, "",
     OA("Please try again in 5 minutes.", "null", "null"), LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"OpenAI, specification: a retry-after of 0 alone", OPENAI, 429, "retry-after: 0\n", "", LLIM_ANSWER_RATE,
     LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"Gemini: a violation whose id was lost keeps the meter of its metric, not a window", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE("{\"quotaMetric\":\"generativelanguage.googleapis.com/generate_content_free_tier_requests\","
                          "\"quotaValue\":\"20\"}")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, 0, U, 20},
    {"Gemini, captured: a limit of 0 in any line of the message", GEMINI, 429, "",
     GM("* Quota exceeded for metric: x_requests, limit: 10, model: g\\n* Quota exceeded for metric: "
        "x_input_token_count, limit: 0, model: g",
        HELP),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_INPUT_TOKENS, 0, U, 0},
    {"OpenAI, flex tier: capacity, not quota", OPENAI, 429, "", OA("Busy.", "null", "\"resource_unavailable\""),
     LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL, U, 0, U, U},
    {"OpenAI, guide: a type alone tells the meter, not the window", OPENAI, 429, "",
     OA("Slow down.", "\"tokens\"", LIMITED), LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, 0, U, U},
    {"Gemini, captured: a day is told by the quota's id, and its delay of 2 s is misleading", GEMINI, 429, "",
     GM(EXCEEDED "\\nPlease retry in 2.1s.", FAILURE(RPD) "," RETRY("2s")), LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL,
     LLIM_REQUESTS, DAY, 43200000 * MS, 250},
    {"Gemini, captured: the metric is the same for day and minute, the id tells the minute", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE(RPM) "," RETRY("38s")), LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE, 39000 * MS,
     10},
    {"Gemini, captured: a delay of whole seconds was cut, so a second more", GEMINI, 429, "", GM("", RETRY("17s")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 18000 * MS, U},
    {"Gemini, protocol buffers: a delay with a fraction was not", GEMINI, 429, "", GM("", RETRY("34.074824224s")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, INT64_C(34074824224), U},
    {"Gemini, captured: the message is finer than the detail", GEMINI, 429, "",
     GM("Please retry in 39.915s.", RETRY("39s")), LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 39915 * MS, U},
    {"Gemini, captured: no quotaValue is a limit of 0, which no waiting helps", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE(NO_RPM) "," RETRY("6s")), LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE, U, 0},
    {"Gemini, captured: a limit of 0 that is written out", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE(QUOTA("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "g", ",\"quotaValue\":\"0\""))),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_REQUESTS, DAY, U, 0},
    {"Gemini, captured: a value that was lost is not 0 where the message tells another", GEMINI, 429, "",
     GM("* Quota exceeded for metric: x_requests, limit: 10, model: g", FAILURE(NO_RPM)), LLIM_ANSWER_RATE,
     LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE, U, U},
    {"Gemini, captured: a limit of 20 may be a day's, but without an id nobody knows", GEMINI, 429, "",
     GM(EXCEEDED
        "\\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, "
        "limit: 20, model: gemini-2.5-flash\\nPlease retry in 4s.",
        HELP),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, 0, 4000 * MS, 20},
    {"Gemini, captured: the same with a limit of 0", GEMINI, 429, "",
     GM("* Quota exceeded for metric: x_requests, limit: 0, model: g", HELP), LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL,
     LLIM_REQUESTS, 0, U, 0},
    {"Gemini, rate-limit page of 2026: a spend limit is a 429 like others; an id that tells nothing", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE("{\"quotaId\":\"SpendPerTenMinutes\",\"quotaValue\":\"10\"}")), LLIM_ANSWER_RATE,
     LLIM_SCOPE_UNKNOWN, U, 0, U, 10},
    {"Gemini: an unknown id without a value is no limit of 0", GEMINI, 429, "",
     GM(EXCEEDED, FAILURE("{\"quotaId\":\"SpendPerTenMinutes\"}")), LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"Gemini: what a key may not do is not known to hold for every model", GEMINI, 403, "",
     "{\"error\":{\"code\":403,\"message\":\"x\",\"status\":\"PERMISSION_DENIED\"}}", LLIM_ANSWER_AUTH,
     LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"Gemini, OpenAI-compatible door: an array around the error", LLIM_PROVIDER_GEMINI_OPENAI, 429, "",
     "[" GM(EXCEEDED, FAILURE(RPD)) "]", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, DAY, 43200000 * MS, 250},
    {"Gemini, OpenAI-compatible door: two elements are none of its answers", LLIM_PROVIDER_GEMINI_OPENAI, 429, "",
     "[" GM("", FAILURE(RPD)) "," GM("", "") "]", LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"Gemini: a deadline is the provider's trouble", GEMINI, 504, "",
     "{\"error\":{\"code\":504,\"message\":\"Deadline expired.\",\"status\":\"DEADLINE_EXCEEDED\"}}",
     LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL, U, 0, U, U},
    {"Azure, captured: a call rate is requests, over a slice that is not told", AZURE, 429, "",
     "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded call rate limit of your current OpenAI S0 "
     "pricing "
     "tier. Please retry after 86400 seconds.\"}}",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, 0, 86400000 * MS, U},
    {"Anthropic: overload is the provider's, with a status of its own", CLAUDE, 529, "",
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", LLIM_ANSWER_OVERLOAD,
     LLIM_SCOPE_MODEL, U, 0, U, U},
    {"Anthropic: billing is a 400", CLAUDE, 400, "",
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low "
     "to "
     "access the API.\"}}",
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"Groq, captured: the wait is finer than a millisecond, the model stands in backticks", GROQ, 429, "",
     OA("Rate limit reached for model `llama-3` in organization `o` service tier `on_demand` on tokens per minute "
        "(TPM): "
        "Limit 8000, Used 5536, Requested 5599. Please try again in 23.5125s.",
        "\"tokens\"", LIMITED),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_TOKENS, MINUTE, INT64_C(23512500000), 8000},
    {"Groq, rate-limit page: too large is a 413", GROQ, 413, "retry-after: 5\n", "", LLIM_ANSWER_TOO_LARGE,
     LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"HTTP: no credentials", OPENAI, 401, "", OA("Incorrect API key provided.", "\"invalid_request_error\"", "null"),
     LLIM_ANSWER_AUTH, LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"OpenAI, client: more than a model's context never fits it, and is no rate", OPENAI, 400, "retry-after: 5\n",
     OA("This model's maximum context length is 128000 tokens.", "\"invalid_request_error\"",
        "\"context_length_exceeded\""),
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, U, 0, U, U},
    {"Gemini, captured: the same is a 400 of its own", GEMINI, 400, "",
     "{\"error\":{\"code\":400,\"message\":\"The input token count (3475108) exceeds the maximum number of tokens "
     "allowed "
     "(1048576).\",\"status\":\"INVALID_ARGUMENT\"}}",
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, U, 0, U, U},
    {"Anthropic, captured: and again another", CLAUDE, 400, "",
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 207791 "
     "tokens > "
     "200000 maximum\"}}",
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, U, 0, U, U},
    {"HTTP: a bad request is neither quota nor load", GEMINI, 400, "retry-after: 5\n", "{\"error\":{\"code\":400}}",
     LLIM_ANSWER_ERROR, LLIM_SCOPE_UNKNOWN, U, 0, U, U},
    {"HTTP: a wait for an overloaded provider", OPENAI, 503, "retry-after: 3\n", "<html>", LLIM_ANSWER_OVERLOAD,
     LLIM_SCOPE_UNKNOWN, U, 0, 3000 * MS, U},
    {"Gemini, rate-limit page: a day of images is a day", GEMINI, 429, "",
     GM(EXCEEDED,
        FAILURE("{\"quotaMetric\":\"x/generate_images\",\"quotaId\":\"GenerateImagesPerDayPerProjectPerModel\","
                "\"quotaValue\":\"70\"}") "," RETRY("38s")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_IMAGES, DAY, 43200000 * MS, 70},
    {"Gemini: and one of something unknown too", GEMINI, 429, "",
     GM(EXCEEDED,
        FAILURE("{\"quotaId\":\"GenerateSongsPerDayPerProjectPerModel\",\"quotaValue\":\"7\"}") "," RETRY("38s")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, DAY, 43200000 * MS, 7},
    {"Gemini: beside a minute of requests, in either order", GEMINI, 429, "",
     GM(EXCEEDED,
        FAILURE(RPM ",{\"quotaId\":\"GenerateSongsPerDayPerProjectPerModel\",\"quotaValue\":\"7\"}") "," RETRY("38s")),
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, DAY, 43200000 * MS, 7},
    {"Gemini, captured: no images at all", GEMINI, 429, "",
     GM("* Quota exceeded for metric: x/predict_images_free_tier, limit: 0, model: imagen\\nPlease retry in 12.3s.",
        FAILURE("{\"quotaId\":\"PredictImagesPerDayPerProjectPerModel-FreeTier\"}")),
     LLIM_ANSWER_QUOTA, LLIM_SCOPE_MODEL, LLIM_IMAGES, DAY, U, 0},
    {"Gemini behind a gateway: a header that was cut is not shorter than the message", GEMINI, 429, "retry-after: 17\n",
     GM("Please retry in 17.156209832s.", FAILURE(RPM)), LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, MINUTE,
     INT64_C(17156209832), 10},
    {"HTTP: of two waits the longer one", OPENAI, 429, "retry-after: 60\nretry-after: 1\n", "", LLIM_ANSWER_RATE,
     LLIM_SCOPE_UNKNOWN, U, 0, 60000 * MS, U},
    {"Groq, rate-limit page: a 413 is too large, whatever its code", GROQ, 413, "", OA("x", "\"tokens\"", LIMITED),
     LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL, LLIM_TOKENS, 0, U, U},
    {"OpenAI: an error status whose body is a stream", OPENAI, 429, "",
     "event: error\ndata: " OA("x", "\"insufficient_quota\"", "\"insufficient_quota\"") "\n\n", LLIM_ANSWER_QUOTA,
     LLIM_SCOPE_CREDENTIAL, U, 0, U, U},
    {"Gemini, OpenAI-compatible door: the error is the last of several", LLIM_PROVIDER_GEMINI_OPENAI, 429, "",
     "[{}," GM("", FAILURE(RPD)) "]", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, LLIM_REQUESTS, DAY, 43200000 * MS, 250},
    {"HTTP: a status that is none", OPENAI, 999, "retry-after: 3\n", "", LLIM_ANSWER_UNKNOWN, LLIM_SCOPE_UNKNOWN, U, 0,
     U, U},
    {"a 429 by nobody known", LLIM_PROVIDER_ANY, 429, "retry-after: 7\n", "{\"detail\":\"slow down\"}",
     LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN, U, 0, 7000 * MS, U},
};

static void each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(shapes); i++) {
        const struct shape *s = &shapes[i];
        llim_answer a = ask(s->provider, s->status, s->headers, s->body);
        if (a.kind != s->kind || a.scope != s->scope || a.meter != s->meter || a.unit != s->unit ||
            a.retry_after_ns != s->retry_ns || a.limit != s->limit)
            fail_msg("%s: %s, %s, %s, unit %d, wait %lld, limit %lld", s->rule, llim_kind_name(a.kind),
                     llim_scope_kind_name(a.scope), llim_meter_name(a.meter), a.unit, (long long)a.retry_after_ns,
                     (long long)a.limit);
    }
}

/* Gemini: several violations come together and details in any order; what lasts longest counts. */
static void any_order(void **state)
{
    (void)state;
    const char *const orders[] = {
        GM(EXCEEDED, FAILURE(RPM "," TPM "," RPD) "," HELP "," RETRY("2s")),
        GM(EXCEEDED, RETRY("2s") "," FAILURE(RPM "," RPD "," TPM) "," HELP),
        GM(EXCEEDED, HELP "," RETRY("2s") "," FAILURE(TPM "," RPM "," RPD)),
        GM(EXCEEDED, HELP "," FAILURE(TPM "," RPD "," RPM) "," RETRY("2s")),
        GM(EXCEEDED, FAILURE(RPD "," RPM "," TPM) "," RETRY("2s") "," HELP),
        GM(EXCEEDED, RETRY("2s") "," HELP "," FAILURE(RPD "," TPM "," RPM)),
        GM(EXCEEDED, FAILURE(RPD) "," FAILURE(TPM) "," FAILURE(RPM)),
    };
    for (size_t i = 0; i < KIT_COUNT(orders); i++) {
        llim_answer a = ask(GEMINI, 429, "", orders[i]);
        assert_int_equal(a.kind, LLIM_ANSWER_RATE);
        assert_int_equal(a.unit, DAY);
        assert_int_equal(a.limit, 250);
        assert_int_equal(a.retry_after_ns, 43200 * KIT_SECOND);
        assert_int_equal(a.n_learned, 3);
    }
    const char *const minutes[] = {GM("", FAILURE(TPM "," RPM)), GM("", FAILURE(RPM "," TPM))};
    for (size_t i = 0; i < 2; i++) assert_int_equal(ask(GEMINI, 429, "", minutes[i]).meter, LLIM_REQUESTS);
    const char many[] = QUOTA("GenerateRequestsPerMinutePerProjectPerModel", "g", ",\"quotaValue\":\"300000\"");
    char body[2048];
    snprintf(body, sizeof body, GM("", FAILURE(TPM ",%s")), many);
    assert_int_equal(ask(GEMINI, 429, "", body).meter, LLIM_REQUESTS);
    snprintf(body, sizeof body, GM("", FAILURE("%s," RPM)), many);
    assert_int_equal(ask(GEMINI, 429, "", body).limit, 10);
    snprintf(body, sizeof body, GM("", FAILURE(RPM ",%s")), many);
    assert_int_equal(ask(GEMINI, 429, "", body).limit, 10);
    const char *const zeros[] = {GM("", FAILURE(RPD "," NO_RPM)), GM("", FAILURE(NO_RPM "," RPD))};
    for (size_t i = 0; i < 2; i++) assert_int_equal(ask(GEMINI, 429, "", zeros[i]).kind, LLIM_ANSWER_QUOTA);
}

/* Gemini, rate-limit page: days end at midnight Pacific time, 08:00 UTC in winter and 07:00 in summer. The instant is that of
   the answer; without any, how long is not known. */
static void days_end_at_midnight_pacific(void **state)
{
    (void)state;
    const struct {
        const char *date;
        int64_t seconds;
    } days[] = {
        {"date: Tue, 16 Dec 2025 20:00:00 GMT\n", 43200},     {"date: Wed, 17 Dec 2025 07:59:59 GMT\n", 1},
        {"date: Wed, 17 Dec 2025 08:00:00 GMT\n", 86400},     {"date: Tue, 15 Jul 2025 06:59:00 GMT\n", 60},
        {"date: Sun, 09 Mar 2025 08:00:00 GMT\n", 23 * 3600}, /* clocks go forward */
        {"date: Sun, 02 Nov 2025 07:00:00 GMT\n", 25 * 3600}, /* and back */
    };
    for (size_t i = 0; i < KIT_COUNT(days); i++) {
        llim_answer a = ask(GEMINI, 429, days[i].date, GM("Please retry in 2s.", FAILURE(RPD)));
        assert_int_equal(a.retry_after_ns, days[i].seconds * KIT_SECOND);
        assert_int_equal(a.law, LLIM_CALENDAR);
        assert_string_equal(a.zone, "America/Los_Angeles");
    }
    const char *body = GM("Please retry in 2s.", FAILURE(RPD));
    llim_response r = {.size = sizeof r, .provider = GEMINI, .status = 429, .body = body, .body_len = strlen(body)};
    llim_answer a;
    assert_int_equal(llim_classify(&r, &a), LLIM_OK);
    assert_int_equal(a.unit, DAY);
    assert_int_equal(a.retry_after_ns, U);
}

#define HEADERS(what, limit, remaining, reset)                                                                         \
    "x-ratelimit-limit-" what ": " limit "\nx-ratelimit-remaining-" what ": " remaining "\nx-ratelimit-reset-" what    \
    ": " reset "\n"

static void check_learned(int provider, const char *headers, int meter, int unit, int64_t limit, int64_t remaining,
                          int64_t reset_ns)
{
    llim_answer a = ask(provider, 200, headers, "");
    if (a.n_learned != 1) fail_msg("%u learned of %s", a.n_learned, headers);
    const llim_learned *l = &a.learned[0];
    assert_int_equal(l->meter, meter);
    if (l->unit != unit) fail_msg("unit %d instead of %d of %s", l->unit, unit, headers);
    assert_int_equal(l->limit, limit);
    assert_int_equal(l->remaining, remaining);
    assert_int_equal(l->reset_ns, reset_ns);
    assert_int_equal(a.retry_after_ns, U); /* the time to a full bucket is no wait */
}

static void headers_teach(void **state)
{
    (void)state;
    /* OpenAI, guide: a reset is the time to a full bucket, so it tells the window: a minute, or the day's bucket */
    check_learned(OPENAI, HEADERS("requests", "500", "499", "120ms"), LLIM_REQUESTS, MINUTE, 500, 499, 120 * MS);
    check_learned(OPENAI, HEADERS("requests", "10000", "9999", "8.64s"), LLIM_REQUESTS, DAY, 10000, 9999, 8640 * MS);
    check_learned(OPENAI, HEADERS("requests", "10000", "9998", "17.1s"), LLIM_REQUESTS, DAY, 10000, 9998, 17100 * MS);
    check_learned(OPENAI, HEADERS("requests", "10000", "9998", "13.8s"), LLIM_REQUESTS, DAY, 10000, 9998, 13800 * MS);
    check_learned(OPENAI, HEADERS("tokens", "150000", "0", "1m0s"), LLIM_TOKENS, MINUTE, 150000, 0, 60000 * MS);
    check_learned(OPENAI, HEADERS("input-images", "50000", "49999", "1ms"), LLIM_IMAGES, MINUTE, 50000, 49999, MS);
    /* nothing is taken, or the numbers fit no window: not known */
    check_learned(OPENAI, HEADERS("tokens", "30000", "30000", "0s"), LLIM_TOKENS, 0, 30000, 30000, 0);
    check_learned(OPENAI, HEADERS("tokens", "30000", "15000", "3m"), LLIM_TOKENS, 0, 30000, 15000, 180000 * MS);
    check_learned(OPENAI, HEADERS("tokens", "1000000000", "999999999", "1us"), LLIM_TOKENS, 0, 1000000000, 999999999,
                  1000);
    check_learned(OPENAI, HEADERS("tokens", "100", "200", "1s"), LLIM_TOKENS, 0, 100, 200, 1000 * MS);
    /* Groq, rate-limit page: requests are the day's and tokens the minute's, whatever the numbers */
    check_learned(GROQ, HEADERS("requests", "14400", "14370", "2m59.56s"), LLIM_REQUESTS, DAY, 14400, 14370,
                  179560 * MS);
    check_learned(GROQ, HEADERS("tokens", "18000", "17997", "7.66s"), LLIM_TOKENS, MINUTE, 18000, 17997, 7660 * MS);
    /* Azure, field reports: -1 and 0 for a while mean that it does not know */
    check_learned(AZURE, HEADERS("tokens", "10000", "-1", "0"), LLIM_TOKENS, MINUTE, 10000, U, U);
    check_learned(AZURE, HEADERS("tokens", "10000", "0", "-1"), LLIM_TOKENS, MINUTE, 10000, U, U);
    check_learned(AZURE, HEADERS("tokens", "10000", "0", "22"), LLIM_TOKENS, MINUTE, 10000, 0, 22000 * MS);
    assert_int_equal(ask(AZURE, 200, HEADERS("tokens", "-1", "0", "0"), "").n_learned, 0);
    assert_int_equal(ask(AZURE, 200, HEADERS("requests", "0", "-1", "-1"), "").n_learned, 0);
    /* values that no header has */
    assert_int_equal(ask(OPENAI, 200, HEADERS("tokens", "many", "1e3", "soon"), "").n_learned, 0);
    assert_int_equal(ask(OPENAI, 200, HEADERS("tokens", "1099511627776", "", "9999h"), "").n_learned, 0);
    /* OpenAI, guide: the pool of a project beside that of its organisation */
    llim_answer a =
        ask(OPENAI, 200,
            HEADERS("tokens", "150000", "149000", "400ms") HEADERS("project-tokens", "60000", "57000", "3s"), "");
    assert_int_equal(a.n_learned, 2);
    assert_int_equal(a.learned[0].project, 0);
    assert_int_equal(a.learned[1].project, 1);
    assert_int_equal(a.learned[1].limit, 60000);
    assert_int_equal(a.learned[1].unit, MINUTE);
}

/* A limit that the message tells completes its header, and stands beside headers that are of another. */
static void messages_teach(void **state)
{
    (void)state;
    llim_answer a =
        ask(CLAUDE, 429, "anthropic-ratelimit-input-tokens-remaining: 0\n",
            "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"This request would exceed "
            "your organization's rate limit of 30,000 input tokens per minute (org: o, model: c).\"}}");
    assert_int_equal(a.n_learned, 1);
    assert_int_equal(a.learned[0].limit, 30000);
    assert_int_equal(a.learned[0].remaining, 0);
    assert_string_equal(a.model, "c");
    a = ask(
        OPENAI, 429, HEADERS("project-tokens", "30000", "0", "1m0s"),
        OA("Rate limit reached for m in organization o on tokens per min (TPM): Limit 30000, Used 30000, Requested 5. "
           "Please try again in 10ms.",
           "\"tokens\"", LIMITED));
    assert_int_equal(a.n_learned, 2);
    assert_int_equal(a.learned[0].project, 1);
    assert_int_equal(a.learned[1].project, 0);
    assert_int_equal(a.learned[1].limit, 30000);
}

/* OpenAI, Realtime: what the event does not name as requests or tokens is not ours, and a limit of 0 teaches none. */
static void events_teach(void **state)
{
    (void)state;
    llim_answer a = ask(OPENAI, 0, "",
                        "{\"type\":\"rate_limits.updated\",\"rate_limits\":[{\"name\":\"audio\",\"limit\":5},{\"name\":"
                        "\"tokens\",\"limit\":0,\"remaining\":7}]}");
    assert_int_equal(a.n_learned, 1);
    assert_int_equal(a.learned[0].meter, LLIM_TOKENS);
    assert_int_equal(a.learned[0].limit, U);
    assert_int_equal(a.learned[0].remaining, 7);
    a = ask(OPENAI, 0, "", "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"x\"}}");
    assert_int_equal(a.kind, LLIM_ANSWER_ERROR);
    assert_int_equal(ask(OPENAI, 0, "", "{\"foo\":1}").kind, LLIM_ANSWER_UNKNOWN);
    assert_int_equal(ask(OPENAI, 0, "", "{\"type\":\"response.done").kind, LLIM_ANSWER_UNKNOWN);
}

#define TOLD                                                                                                           \
    "Rate limit reached for m in organization o on tokens per min (TPM): Limit 9, Used 9, Requested 1. Please try "    \
    "again "                                                                                                           \
    "in 6s."

/* Errors that come in a response which began with status 200, or as a message of its own: field reports of each provider's
   streams, and OpenAI's specification of its events. */
static const struct late {
    const char *rule;
    int provider; /* asked and answered */
    const char *body;
    int kind, scope;
    int64_t retry_ns;
} late[] = {
    {"OpenAI, Responses: response.failed carries the error", OPENAI,
     "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\nevent: "
     "response.failed\ndata: "
     "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_"
     "exceeded\",\"message\":\"" TOLD "\"}}}\n\n",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6000 * MS},
    {"OpenAI, Responses: an error without an object around it", OPENAI,
     "data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"" TOLD "\",\"sequence_number\":3}\n\n",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6000 * MS},
    {"OpenAI, chat: an error for a chunk, and the end behind it", OPENAI,
     "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\"\"}}]}\r\n\r\ndata: " OA(
         "x", "\"requests\"", LIMITED) "\r\n\r\ndata: [DONE]\r\n\r\n",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, U},
    {"OpenAI, chat: an error that no sign is known of", OPENAI,
     "data: {\"error\":{\"message\":\"The server had an "
     "error\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
     LLIM_ANSWER_ERROR, LLIM_SCOPE_UNKNOWN, U},
    {"OpenAI, Responses in the background: a failed response", OPENAI,
     "{\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"" TOLD
     "\",\"param\":null,\"type\":\"tokens\"}}",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6000 * MS},
    {"Gemini: a stream that ends in an error", GEMINI,
     "data: {\"candidates\":[{}]}\r\n\r\ndata: {\"error\":{\"code\":503,\"message\":\"The model is "
     "overloaded.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
     LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL, U},
    {"OpenAI: later events that hold the word are no error", OPENAI,
     "data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"" TOLD
     "\",\"sequence_number\":3}\n\ndata: {\"type\":\"response.incomplete\",\"response\":{\"error\":null}}\n\ndata: "
     "{\"type\":\"response.failed\",\"response\":{\"error\":{\"co",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6000 * MS},
    {"a mark of UTF-8, CR alone, and data over several lines", OPENAI,
     "\xef\xbb\xbf"
     "data: {\"type\":\"error\",\rdata: \"code\":\"rate_limit_exceeded\",\rdata:\"message\":\"" TOLD
     "\",\"sequence_number\":3}\r\r",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6000 * MS},
    {"Gemini: a stream as an array", GEMINI, "[{\"candidates\":[{}]}," GM("", FAILURE(RPM) "," RETRY("6.5s")) "]",
     LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL, 6500 * MS},
    {"Anthropic: an event of its own", CLAUDE,
     "event: error\ndata: "
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
     LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL, U},
};

static void errors_come_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(late); i++) {
        const struct late *e = &late[i];
        for (int known = 0; known < 4; known++) {
            /* As a response and as it stands alone; the provider told, and found. */
            llim_answer a = ask(known & 1 ? e->provider : LLIM_PROVIDER_ANY, known & 2 ? 200 : 0, "", e->body);
            if (a.kind != e->kind || a.scope != e->scope || a.retry_after_ns != e->retry_ns ||
                a.provider != e->provider || a.facts.failed != 1)
                fail_msg("%s: %s, %s, %s, wait %lld", e->rule, llim_provider_name(a.provider), llim_kind_name(a.kind),
                         llim_scope_kind_name(a.scope), (long long)a.retry_after_ns);
        }
    }
    /* What says nothing of an error has not failed, and what is too long to be read has, for whatever reason. */
    llim_answer a = ask(OPENAI, 200, "", "data: {\"error\":null,\"type\":\"x\"}\n\ndata: {\"choices\":[]}\n\n");
    assert_int_equal(a.kind, LLIM_ANSWER_OK);
    assert_int_equal(a.facts.failed, 0);
    char *text = malloc(300001);
    assert_non_null(text);
    memset(text, ' ', 300000);
    text[300000] = 0;
    memcpy(text, "{\"error\":{", 10);
    a = ask(OPENAI, 200, "", text);
    assert_int_equal(a.kind, LLIM_ANSWER_ERROR);
    free(text);
}

/* OpenAI, captured: "(for limit gpt-image)" names the limit that a family shares. Names that cannot be shown are left out. */
static void names(void **state)
{
    (void)state;
    llim_answer a =
        ask(OPENAI, 429, "",
            OA("Rate limit reached for gpt-image-2 (for limit gpt-image) in organization o on input-images per "
               "min: Limit 5, Used 5, Requested 1. Please try again in 12s.",
               "\"input-images\"", LIMITED));
    assert_string_equal(a.model, "gpt-image-2");
    assert_string_equal(a.family, "gpt-image");
    assert_int_equal(a.scope, LLIM_SCOPE_FAMILY);
    a = ask(
        GROQ, 429, "",
        OA("Rate limit reached for model `a/b` in organization `o` service tier `on_demand` on requests per day (RPD): "
           "Limit 1000, Used 1000, Requested 1.",
           "\"requests\"", LIMITED));
    assert_string_equal(a.model, "a/b");
    a = ask(GEMINI, 429, "", GM("", FAILURE(QUOTA("GenerateRequestsPerDayPerProjectPerModel", "\\u001b[2J", ""))));
    assert_string_equal(a.model, "");
    a = ask(OPENAI, 429, "",
            OA("Rate limit reached for 0123456789012345678901234567890123456789012345678901234567890123 in "
               "organization o on "
               "requests per min: Limit 5.",
               "\"requests\"", LIMITED));
    assert_string_equal(a.model, "");
    assert_int_equal(a.limit, 5);
}

/* Known by their answers alone; what several could have sent is nobody's. */
static void providers_by_their_answers(void **state)
{
    (void)state;
    const struct {
        const char *headers, *body;
        int provider;
    } cases[] = {
        {"OpenAI-Version: 2020-10-01\n", "", OPENAI},
        {"x-ms-region: East US\n", "", AZURE},
        {"openai-version: 1\napim-request-id: 1\n", "", AZURE},
        {"x-groq-region: us\nopenai-version: 1\n", "", GROQ},
        {"x-groq-region: us\n", "", GROQ},
        {"anthropic-ratelimit-requests-limit: 50\n", "", CLAUDE},
        {"x-ratelimit-limit-requests: 50\n", "", LLIM_PROVIDER_ANY},
        {"", GM("", RPD), GEMINI},
        {"", "[" GM("", RPD) "]", LLIM_PROVIDER_GEMINI_OPENAI},
        {"", OA("x service tier `on_demand` y", "\"tokens\"", LIMITED), GROQ},
        {"", OA("x", "\"tokens\"", LIMITED), OPENAI},
        {"", "{\"error\":{\"code\":\"429\",\"message\":\"x\"}}", AZURE},
        {"", "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}}", CLAUDE},
        {"", "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}", LLIM_PROVIDER_ANY},
        {"", "{\"error\":\"x\"}", LLIM_PROVIDER_ANY},
        {"", "429", LLIM_PROVIDER_ANY},
    };
    for (size_t i = 0; i < KIT_COUNT(cases); i++)
        assert_int_equal(ask(LLIM_PROVIDER_ANY, 429, cases[i].headers, cases[i].body).provider, cases[i].provider);
}

/* What is longer than an error's body or the headers may be is not read; the status stands. */
static void bodies_are_bounded(void **state)
{
    (void)state;
    char *text = malloc(262144 + 2);
    assert_non_null(text);
    for (size_t over = 0; over < 2; over++) {
        memset(text, ' ', 262144 + 1);
        text[262144 + over] = 0;
        memcpy(text, GM("", FAILURE(RPD)), strlen(GM("", FAILURE(RPD))));
        llim_answer a = ask(GEMINI, 429, "retry-after: 4\n", text);
        assert_int_equal(a.kind, LLIM_ANSWER_RATE);
        assert_int_equal(a.unit, over ? LLIM_NO_UNIT : DAY);
    }
    free(text);
    char *headers = malloc(65536 + 32);
    assert_non_null(headers);
    memset(headers, '\n', 65536);
    strcpy(headers + 65536, "retry-after: 4\n");
    assert_int_equal(ask(OPENAI, 429, headers, "").retry_after_ns, U);
    assert_int_equal(ask(OPENAI, 429, headers + 32, "").retry_after_ns, 4000 * MS);
    free(headers);
}

static void arguments(void **state)
{
    (void)state;
    llim_answer a;
    llim_response r = {.size = sizeof r};
    assert_int_equal(llim_classify(&r, &a), LLIM_OK);
    assert_int_equal(a.kind, LLIM_ANSWER_UNKNOWN);
    assert_int_equal(llim_classify(NULL, &a), LLIM_EINVAL);
    assert_int_equal(llim_classify(&r, NULL), LLIM_EINVAL);
    r.size--;
    assert_int_equal(llim_classify(&r, &a), LLIM_EVERSION);
    r = (llim_response){.size = sizeof r, .provider = LLIM_PROVIDERS};
    assert_int_equal(llim_classify(&r, &a), LLIM_EINVAL);
    r = (llim_response){.size = sizeof r, .body_len = 1};
    assert_int_equal(llim_classify(&r, &a), LLIM_EINVAL);
    r = (llim_response){.size = sizeof r, .headers_len = 1};
    assert_int_equal(llim_classify(&r, &a), LLIM_EINVAL);
    assert_string_equal(llim_kind_name(99), "?");
    assert_string_equal(llim_scope_kind_name(-1), "?");
    assert_string_equal(llim_provider_name(LLIM_PROVIDERS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule),
        cmocka_unit_test(any_order),
        cmocka_unit_test(days_end_at_midnight_pacific),
        cmocka_unit_test(headers_teach),
        cmocka_unit_test(messages_teach),
        cmocka_unit_test(events_teach),
        cmocka_unit_test(errors_come_late),
        cmocka_unit_test(names),
        cmocka_unit_test(providers_by_their_answers),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
