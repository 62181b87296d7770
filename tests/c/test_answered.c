/*
 * test_answered.c - what follows from an answer: how its permit ends, who cools for how long, and where the next call goes.
 */
#include <string.h>

#include "kit.h"
#include "llm_limiters.h"

#define OA(message, type, code)                                                                                        \
    "{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":null,\"code\":\"" code "\"}}"
#define LIMITED                                                                                                        \
    OA("Rate limit reached for gpt-4o-mini in organization o on tokens per min (TPM): Limit 200000, Used 199000, "     \
       "Requested 1200. Please try again in 6s.",                                                                      \
       "tokens", "rate_limit_exceeded")
#define GM(status, code, details)                                                                                      \
    "{\"error\":{\"code\":" code ",\"message\":\"x\",\"status\":\"" status "\",\"details\":[" details "]}}"
#define QUOTA(id, value)                                                                                               \
    "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"quotaMetric\":\"x_requests\","      \
    "\"quotaId\":\"" id "\"" value "}]}"
#define PER_DAY "GenerateRequestsPerDayPerProjectPerModel-FreeTier"

static const char *const models[] = {"gemini-2.5-flash", "gpt-4o-mini", "gemini-2.5-flash-lite", "gpt-4o"};
enum { FLASH, MINI, LITE, GPT, MODELS };

static llim_limiter *open_limiter(uint64_t seed)
{
    llim_options options = {.size = sizeof options, .seed = seed, .guard_ns = LLIM_NO_GUARD};
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    llim_limiter *limiter;
    llim_error err;
    if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
    return limiter;
}

static llim_permit admit(llim_limiter *limiter, unsigned model)
{
    llim_request request = {
        .size = sizeof request, .models = &models[model], .n_models = 1, .charge.amount[LLIM_TOKENS] = 1200};
    llim_permit permit;
    llim_refusal refusal;
    char why[256] = "";
    llim_error err;
    int code = llim_acquire(limiter, &request, &permit, &refusal, &err);
    if (code == LLIM_LATER) llim_refusal_text(&refusal, why, sizeof why);
    if (code) fail_msg("%s %s", llim_code_name(code), why);
    return permit;
}

static llim_answer answered(llim_limiter *limiter, llim_permit *permit, int status, const char *headers,
                            const char *body)
{
    llim_response response = {.size = sizeof response,
                              .status = status,
                              .headers = headers,
                              .headers_len = strlen(headers),
                              .body = body,
                              .body_len = strlen(body)};
    llim_answer answer;
    assert_int_equal(llim_answered(limiter, permit, &response, &answer), LLIM_OK);
    assert_int_equal(permit->n_rows, 0);
    return answer;
}

static int64_t cooling(llim_limiter *limiter, unsigned model)
{
    llim_model_info info;
    int64_t left;
    assert_int_equal(llim_model(limiter, models[model], &info, NULL), LLIM_OK);
    assert_int_equal(llim_cooling(llim_limiter_zone(limiter), info.row, &left), LLIM_OK);
    return left;
}

static int64_t used(llim_limiter *limiter, unsigned model, int meter)
{
    llim_model_info info;
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n;
    assert_int_equal(llim_model(limiter, models[model], &info, NULL), LLIM_OK);
    assert_int_equal(llim_row_usage(llim_limiter_zone(limiter), info.row, usage, LLIM_MAX_LIMITS, &n), LLIM_OK);
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.meter == meter && usage[i].limit.law != LLIM_CALENDAR) return usage[i].used;
    fail_msg("%s has no such limit", models[model]);
    return 0;
}

/* Each rule of the header: the permit's tokens, who cools, and from when to when it ends. */
static const struct rule {
    const char *rule;
    unsigned model;
    int status;
    const char *headers, *body;
    int kind;
    int64_t tokens; /* of the model, afterwards */
    int64_t least, most;
    unsigned cool; /* a bit for each model */
} rules[] = {
    {"a call that succeeds is settled by its usage", FLASH, 200, "",
     "{\"usageMetadata\":{\"promptTokenCount\":40,\"candidatesTokenCount\":60,\"totalTokenCount\":100}}",
     LLIM_ANSWER_OK, 100, 0, 0, 0},
    {"without usage as reserved", FLASH, 200, "", "{}", LLIM_ANSWER_OK, 1200, 0, 0, 0},
    {"OpenAI's is not corrected", MINI, 200, "", "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
     LLIM_ANSWER_OK, 1200, 0, 0, 0},
    {"another failure as reserved", FLASH, 500, "", "oops", LLIM_ANSWER_ERROR, 1200, 0, 0, 0},
    {"a rate by the time that is told", MINI, 429, "retry-after-ms: 6000\n", LIMITED, LLIM_ANSWER_RATE, 0,
     6 * KIT_SECOND, 6 * KIT_SECOND, 1u << MINI},
    {"without a time by a backoff from 30 s on", FLASH, 429, "", GM("RESOURCE_EXHAUSTED", "429", ""), LLIM_ANSWER_RATE,
     0, 30 * KIT_SECOND, 60 * KIT_SECOND, 1u << FLASH},
    {"a day until midnight Pacific, which is 7 hours ahead of UTC in summer", FLASH, 429,
     "date: Sat, 15 Jun 2024 12:00:00 GMT\n",
     GM("RESOURCE_EXHAUSTED", "429", QUOTA(PER_DAY, ",\"quotaValue\":\"250\"")), LLIM_ANSWER_RATE, 0, 19 * KIT_HOUR,
     19 * KIT_HOUR, 1u << FLASH},
    {"a model without quota in this tier for an hour", FLASH, 429, "",
     GM("RESOURCE_EXHAUSTED", "429", QUOTA(PER_DAY, "")), LLIM_ANSWER_QUOTA, 0, KIT_HOUR, KIT_HOUR, 1u << FLASH},
    {"a spent credential with all models of its provider", MINI, 429, "",
     OA("x", "insufficient_quota", "insufficient_quota"), LLIM_ANSWER_QUOTA, 0, KIT_HOUR, KIT_HOUR,
     1u << MINI | 1u << GPT},
    {"a credential that is refused for a minute", FLASH, 401, "", GM("UNAUTHENTICATED", "401", ""), LLIM_ANSWER_AUTH, 0,
     KIT_MINUTE, KIT_MINUTE, 1u << FLASH | 1u << LITE},
    {"an overloaded provider by a backoff from 1 s on", FLASH, 503, "", GM("UNAVAILABLE", "503", ""),
     LLIM_ANSWER_OVERLOAD, 0, KIT_SECOND, 2 * KIT_SECOND, 1u << FLASH},
    {"or as long as it says", FLASH, 503, "retry-after: 9\n", "", LLIM_ANSWER_OVERLOAD, 0, 9 * KIT_SECOND,
     9 * KIT_SECOND, 1u << FLASH},
    {"a stream that failed half-way used what it tells", FLASH, 200, "",
     "data: {\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":900,\"candidatesTokenCount\":5}}\n\ndata: " GM(
         "UNAVAILABLE", "503", "") "\n\n",
     LLIM_ANSWER_OVERLOAD, 1200, KIT_SECOND, 2 * KIT_SECOND, 1u << FLASH},
    {"OpenAI's was priced when it was admitted", MINI, 200, "",
     "data: "
     "{\"type\":\"response.failed\",\"response\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":6,\"total_tokens\":"
     "11},"
     "\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"Please try again in 6s.\"}}}\n\n",
     LLIM_ANSWER_RATE, 1200, 6 * KIT_SECOND, 6 * KIT_SECOND, 1u << MINI},
    {"a call past its deadline may have run", FLASH, 504, "", GM("DEADLINE_EXCEEDED", "504", ""), LLIM_ANSWER_OVERLOAD,
     1200, KIT_SECOND, 2 * KIT_SECOND, 1u << FLASH},
    {"a family's limit cools all whose names begin with it", MINI, 429, "retry-after: 12\n",
     OA("Rate limit reached for gpt-4o-mini (for limit gpt-4o) in organization o on requests per min (RPM): Limit 3, "
        "Used "
        "3, Requested 1. Please try again in 12s.",
        "requests", "rate_limit_exceeded"),
     LLIM_ANSWER_RATE, 0, 12 * KIT_SECOND, 12 * KIT_SECOND, 1u << MINI | 1u << GPT},
    {"what is too large cools nobody", MINI, 429, "",
     OA("Request too large for gpt-4o-mini in organization o on tokens per min (TPM): Limit 900, Requested 1200.",
        "tokens", "rate_limit_exceeded"),
     LLIM_ANSWER_TOO_LARGE, 0, 0, 0, 0},
};

static void test_each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIT_COUNT(rules); i++) {
        const struct rule *r = &rules[i];
        llim_limiter *limiter = open_limiter(7);
        llim_permit permit = admit(limiter, r->model);
        llim_answer a = answered(limiter, &permit, r->status, r->headers, r->body);
        if (a.kind != r->kind) fail_msg("%s: %s", r->rule, llim_kind_name(a.kind));
        if (used(limiter, r->model, LLIM_TOKENS) != r->tokens)
            fail_msg("%s: %lld tokens", r->rule, (long long)used(limiter, r->model, LLIM_TOKENS));
        if (used(limiter, r->model, LLIM_REQUESTS) != 1) fail_msg("%s: the request is not counted", r->rule);
        for (unsigned m = 0; m < MODELS; m++) {
            int64_t left = cooling(limiter, m);
            bool good = r->cool >> m & 1 ? left >= r->least && left <= r->most : left == 0;
            if (!good) fail_msg("%s: %s cools for %lld ns", r->rule, models[m], (long long)left);
        }
        llim_close(limiter);
    }
}

static int64_t refuse(llim_limiter *limiter, unsigned model, int64_t pause)
{
    kit_advance(llim_limiter_zone(limiter), pause);
    llim_permit permit = admit(limiter, model);
    answered(limiter, &permit, 503, "", "");
    return cooling(limiter, model);
}

/* Doubles with each refusal, up to its most; forgets one a minute, and all by a call that succeeds. */
static void test_backoff(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(7);
    int64_t waits = 0;
    for (int i = 0; i < 9; i++) {
        int64_t least = i < 5 ? KIT_SECOND << i : KIT_MINUTE / 2;
        int64_t wait = refuse(limiter, FLASH, waits);
        if (wait < least || wait > 2 * least) fail_msg("strike %d: %lld ns", i, (long long)wait);
        waits = wait;
    }
    int64_t faded = refuse(limiter, FLASH, 8 * KIT_MINUTE);
    assert_true(faded >= KIT_SECOND && faded <= 8 * KIT_SECOND);
    kit_advance(llim_limiter_zone(limiter), faded);
    llim_permit permit = admit(limiter, FLASH);
    answered(limiter, &permit, 200, "", "{}");
    int64_t first = refuse(limiter, FLASH, 0);
    assert_true(first >= KIT_SECOND && first <= 2 * KIT_SECOND);
    llim_close(limiter);
}

/* The same seed gives the same waits, and not all callers the same one. */
static void test_chance_is_seeded(void **state)
{
    (void)state;
    int64_t wait[3][8];
    for (unsigned s = 0; s < 3; s++) {
        llim_limiter *limiter = open_limiter(s == 2 ? 8 : 7);
        for (unsigned i = 0; i < 8; i++) wait[s][i] = refuse(limiter, FLASH, 20 * KIT_MINUTE);
        llim_close(limiter);
    }
    assert_memory_equal(wait[0], wait[1], sizeof wait[0]);
    assert_memory_not_equal(wait[0], wait[2], sizeof wait[0]);
    assert_memory_not_equal(wait[0], wait[0] + 1, sizeof wait[0] / 2);
}

/* What was read as it came tells the usage, and the last of the body why it broke off. */
static void test_a_body_that_passed_by(void **state)
{
    (void)state;
    static const char text[] = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":30,"
                               "\"total_tokens\":100}}\n\ndata: [DONE]\n\n";
    static const char broken[] = "data: {\"choices\":[],\"usage\":null}\n\ndata: " LIMITED "\n\n";
    llim_limiter *limiter = open_limiter(7);
    for (int i = 0; i < 2; i++) {
        const char *body = i ? broken : text;
        llim_usage_reader reader;
        llim_response response = {.size = sizeof response, .status = 200, .usage = &reader};
        llim_permit permit = admit(limiter, MINI);
        llim_answer answer;
        llim_usage_begin(&reader);
        for (const char *at = body; *at; at++) llim_usage_feed(&reader, at, 1);
        response.body = i ? body + 20 : NULL;
        response.body_len = i ? strlen(body) - 20 : 0;
        assert_int_equal(llim_answered(limiter, &permit, &response, &answer), LLIM_OK);
        assert_int_equal(permit.n_rows, 0);
        assert_int_equal(answer.kind, i ? LLIM_ANSWER_RATE : LLIM_ANSWER_OK);
        assert_int_equal(answer.facts.charge.amount[LLIM_TOKENS], i ? LLIM_UNKNOWN : 100);
        assert_int_equal(cooling(limiter, MINI), i ? 6 * KIT_SECOND : 0);
    }
    llim_close(limiter);
}

/* The next call goes past who cools, and back to it at the instant at which that ends. */
static void test_the_next_candidate_follows(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(7);
    llim_request request = {.size = sizeof request, .models = models, .n_models = 2};
    llim_permit permit;
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, FLASH);
    answered(limiter, &permit, 429, "retry-after: 10\n", "");
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, MINI);
    kit_advance(llim_limiter_zone(limiter), 10 * KIT_SECOND);
    assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, FLASH);
    llim_close(limiter);
}

static void test_arguments(void **state)
{
    (void)state;
    llim_limiter *limiter = open_limiter(7);
    llim_permit permit = admit(limiter, FLASH), copy = permit;
    llim_response response = {.size = sizeof response - 1, .status = 429};
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_EVERSION);
    assert_int_equal(permit.n_rows, 1);
    assert_int_equal(cooling(limiter, FLASH), 0);
    response.size = sizeof response;
    copy.row[0].epoch++;
    assert_int_equal(llim_answered(limiter, &copy, &response, NULL), LLIM_EINVAL);
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_OK);
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_EENDED);
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule),        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_chance_is_seeded), cmocka_unit_test(test_the_next_candidate_follows),
        cmocka_unit_test(test_arguments),        cmocka_unit_test(test_a_body_that_passed_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
