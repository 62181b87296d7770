/*
 * providers.c - what is known of each provider's answers, as data.
 *
 * Laws and charges are those of the quota tables. Signs are tried in their order, phrases too: one that is part of another
 * stands behind it. Where a rule is not what its provider documents, its comment says what it rests on.
 */
#include "provider/provider.h"

#define LIMIT(n, m, u)                                                                                                 \
    {                                                                                                                  \
        .name = n, .value = LLIM__LIMIT, .meter = m, .unit = u                                                         \
    }
#define REMAINS(n, m, u)                                                                                               \
    {                                                                                                                  \
        .name = n, .value = LLIM__REMAINING, .meter = m, .unit = u                                                     \
    }
#define RESET(n, m, u)                                                                                                 \
    {                                                                                                                  \
        .name = n, .value = LLIM__RESET, .meter = m, .unit = u                                                         \
    }
#define MARK(n)                                                                                                        \
    {                                                                                                                  \
        .name = n, .value = LLIM__MARK                                                                                 \
    }
#define X_RATELIMIT(what, meter, unit)                                                                                 \
    LIMIT("x-ratelimit-limit-" what, meter, unit), REMAINS("x-ratelimit-remaining-" what, meter, unit),                \
        RESET("x-ratelimit-reset-" what, meter, unit)

/* OpenAI, rate-limit guide; input-images as seen on gpt-4o. A requests header shows the minute or the day. */
static const llim__header openai_headers[] = {
    X_RATELIMIT("requests", LLIM_REQUESTS, LLIM_NO_UNIT),
    X_RATELIMIT("tokens", LLIM_TOKENS, LLIM_NO_UNIT),
    X_RATELIMIT("input-images", LLIM_IMAGES, LLIM_NO_UNIT),
    {.name = "x-ratelimit-limit-project-tokens", .value = LLIM__LIMIT, .meter = LLIM_TOKENS, .project = 1},
    {.name = "x-ratelimit-remaining-project-tokens", .value = LLIM__REMAINING, .meter = LLIM_TOKENS, .project = 1},
    {.name = "x-ratelimit-reset-project-tokens", .value = LLIM__RESET, .meter = LLIM_TOKENS, .project = 1},
    MARK("openai-"),
    {.name = NULL}};

/* Azure OpenAI, quota guide: tokens are counted per minute, resets are plain seconds. */
static const llim__header azure_headers[] = {X_RATELIMIT("requests", LLIM_REQUESTS, LLIM_NO_UNIT),
                                             X_RATELIMIT("tokens", LLIM_TOKENS, LLIM_PER_MINUTE),
                                             MARK("apim-request-id"),
                                             MARK("x-ms-region"),
                                             {.name = NULL}};

/* Groq, rate-limit page: requests are always the day's, tokens always the minute's. */
static const llim__header groq_headers[] = {X_RATELIMIT("requests", LLIM_REQUESTS, LLIM_PER_DAY),
                                            X_RATELIMIT("tokens", LLIM_TOKENS, LLIM_PER_MINUTE),
                                            MARK("x-groq-"),
                                            {.name = NULL}};

#define ANTHROPIC(what, meter)                                                                                         \
    LIMIT("anthropic-ratelimit-" what "-limit", meter, LLIM_PER_MINUTE),                                               \
        REMAINS("anthropic-ratelimit-" what "-remaining", meter, LLIM_PER_MINUTE),                                     \
        RESET("anthropic-ratelimit-" what "-reset", meter, LLIM_PER_MINUTE)

/* Anthropic, rate limits: everything is per minute; tokens are rounded to thousands, resets are instants. */
static const llim__header anthropic_headers[] = {ANTHROPIC("requests", LLIM_REQUESTS),
                                                 ANTHROPIC("input-tokens", LLIM_INPUT_TOKENS),
                                                 ANTHROPIC("output-tokens", LLIM_OUTPUT_TOKENS),
                                                 ANTHROPIC("tokens", LLIM_TOKENS),
                                                 MARK("anthropic-"),
                                                 {.name = NULL}};

static const llim__phrase openai_phrases[] = {{"requests per min", LLIM_REQUESTS, LLIM_PER_MINUTE},
                                              {"requests per day", LLIM_REQUESTS, LLIM_PER_DAY},
                                              {"input tokens per min", LLIM_INPUT_TOKENS, LLIM_PER_MINUTE},
                                              {"output tokens per min", LLIM_OUTPUT_TOKENS, LLIM_PER_MINUTE},
                                              {"tokens per min", LLIM_TOKENS, LLIM_PER_MINUTE},
                                              {"tokens per day", LLIM_TOKENS, LLIM_PER_DAY},
                                              {"images per min", LLIM_IMAGES, LLIM_PER_MINUTE},
                                              {NULL, 0, 0}};
static const llim__phrase openai_types[] = {
    {"requests", LLIM_REQUESTS, 0}, {"tokens", LLIM_TOKENS, 0}, {"input-images", LLIM_IMAGES, 0}, {NULL, 0, 0}};
static const llim__phrase azure_phrases[] = {{"exceeded token rate limit", LLIM_TOKENS, LLIM_PER_MINUTE},
                                             {"exceeded call rate limit", LLIM_REQUESTS, LLIM_NO_UNIT},
                                             {NULL, 0, 0}};

/* OpenAI, rate-limit guide and captured errors. Free accounts' texts mention billing in every refusal, so only type and code
   tell a spent credit; in 2023 the code was null. Requests above the limit come with the code of a rate limit. */
static const llim__sign openai_signs[] = {
    {LLIM__TYPE, LLIM__WHOLE, "insufficient_quota", LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL},
    {LLIM__CODE, LLIM__WHOLE, "insufficient_quota", LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL},
    {LLIM__MESSAGE, LLIM__BEGINS, "Request too large", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__CODE, LLIM__WHOLE, "context_length_exceeded", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__CODE, LLIM__WHOLE, "resource_unavailable", LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL},
    {LLIM__CODE, LLIM__WHOLE, "rate_limit_exceeded", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {LLIM__MESSAGE, LLIM__BEGINS, "Rate limit reached", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {0, 0, NULL, 0, 0}};

/* Gemini, error texts: a bare refusal does not tell whom it is about. A close's reason is cut at 123 bytes, and its code 1011
   is that of every internal error too. */
static const llim__sign gemini_signs[] = {
    {LLIM__MESSAGE, LLIM__BEGINS, "The input token count", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__STATUS, LLIM__WHOLE, "RESOURCE_EXHAUSTED", LLIM_ANSWER_RATE, LLIM_SCOPE_UNKNOWN},
    {LLIM__STATUS, LLIM__WHOLE, "UNAVAILABLE", LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL},
    {LLIM__STATUS, LLIM__WHOLE, "DEADLINE_EXCEEDED", LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL},
    {LLIM__STATUS, LLIM__WHOLE, "UNAUTHENTICATED", LLIM_ANSWER_AUTH, LLIM_SCOPE_CREDENTIAL},
    {LLIM__STATUS, LLIM__WHOLE, "PERMISSION_DENIED", LLIM_ANSWER_AUTH, LLIM_SCOPE_UNKNOWN},
    {LLIM__REASON, LLIM__BEGINS, "You exceeded your current quota", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {LLIM__REASON, LLIM__BEGINS, "Resource has been exhausted", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {0, 0, NULL, 0, 0}};

static const llim__sign anthropic_signs[] = {
    {LLIM__TYPE, LLIM__WHOLE, "rate_limit_error", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {LLIM__TYPE, LLIM__WHOLE, "overloaded_error", LLIM_ANSWER_OVERLOAD, LLIM_SCOPE_MODEL},
    {LLIM__TYPE, LLIM__WHOLE, "request_too_large", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__MESSAGE, LLIM__BEGINS, "prompt is too long", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__MESSAGE, LLIM__HOLDS, "credit balance is too low", LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL},
    {0, 0, NULL, 0, 0}};

static const llim__sign azure_signs[] = {
    {LLIM__TYPE, LLIM__WHOLE, "insufficient_quota", LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL},
    {LLIM__CODE, LLIM__WHOLE, "insufficient_quota", LLIM_ANSWER_QUOTA, LLIM_SCOPE_CREDENTIAL},
    {LLIM__CODE, LLIM__WHOLE, "context_length_exceeded", LLIM_ANSWER_TOO_LARGE, LLIM_SCOPE_MODEL},
    {LLIM__CODE, LLIM__WHOLE, "429", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL},
    {LLIM__CODE, LLIM__WHOLE, "rate_limit_exceeded", LLIM_ANSWER_RATE, LLIM_SCOPE_MODEL}, /* in a stream */
    {0, 0, NULL, 0, 0}};

#define ROLLING(l) .law = l, .day_law = l
/* Days of the Gemini API are cut at midnight Pacific time; the rule is the one in force since 2007. */
#define PACIFIC_DAY                                                                                                    \
    .law = LLIM_SLIDING, .day_law = LLIM_CALENDAR, .day_zone = "America/Los_Angeles",                                  \
    .day_rule = "PST8PDT,M3.2.0,M11.1.0"

const llim__provider llim__providers[LLIM_PROVIDERS] = {
    [LLIM_PROVIDER_ANY] = {.name = "any", ROLLING(LLIM_UNKNOWN), .charged = LLIM_UNKNOWN},
    [LLIM_PROVIDER_OPENAI] = {.name = "openai",
                              ROLLING(LLIM_BUCKET),
                              .charged = LLIM_CHARGED_RESERVED,
                              .headers = openai_headers,
                              .signs = openai_signs,
                              .phrases = openai_phrases,
                              .types = openai_types},
    [LLIM_PROVIDER_GEMINI] =
        {.name = "gemini", .google = true, PACIFIC_DAY, .charged = LLIM_CHARGED_USED, .signs = gemini_signs},
    [LLIM_PROVIDER_GEMINI_OPENAI] =
        {.name = "gemini_openai", .google = true, PACIFIC_DAY, .charged = LLIM_CHARGED_USED, .signs = gemini_signs},
    [LLIM_PROVIDER_AZURE] = {.name = "azure",
                             ROLLING(LLIM_SLIDING),
                             .charged = LLIM_CHARGED_RESERVED,
                             .zeros_are_noise = true,
                             .code = "429",
                             .headers = azure_headers,
                             .signs = azure_signs,
                             .phrases = azure_phrases},
    [LLIM_PROVIDER_ANTHROPIC] = {.name = "anthropic",
                                 ROLLING(LLIM_BUCKET),
                                 .charged = LLIM_UNKNOWN,
                                 .headers = anthropic_headers,
                                 .signs = anthropic_signs,
                                 .phrases = openai_phrases,
                                 .types = openai_types},
    [LLIM_PROVIDER_GROQ] = {.name = "groq",
                            ROLLING(LLIM_BUCKET),
                            .charged = LLIM_UNKNOWN,
                            .message = "service tier `",
                            .headers = groq_headers,
                            .signs = openai_signs,
                            .phrases = openai_phrases,
                            .types = openai_types},
};
