/*
 * quota_failure.c - owns the details of a Google error: the violated quotas and the delay.
 *
 * Details are found by their type, never by their place. A day is told from a minute by the quota's id alone: the metric is
 * the same, and the delay beside a day is as short as that of a minute. Of several violations the one that lasts longest
 * counts: no quota at all, then a day, then a minute; among equals requests before tokens, so that their order is nothing.
 */
#include "provider/provider.h"

#include <string.h>

#include <cjson/cJSON.h>

typedef struct violation {
    int32_t meter;
    int32_t unit;
    int64_t limit; /* 0: this tier has none of the model */
    char model[LLIM_NAME_SHOWN];
} violation;

/* The ids of the Gemini API's quotas name meter and window in words. */
static const llim__phrase meters[] = {{"InputToken", LLIM_INPUT_TOKENS, 0},
                                      {"Requests", LLIM_REQUESTS, 0},
                                      {"Images", LLIM_IMAGES, 0},
                                      {"Tokens", LLIM_TOKENS, 0},
                                      {NULL, 0, 0}};
static const llim__phrase units[] = {{"PerDay", 0, LLIM_PER_DAY}, {"PerMinute", 0, LLIM_PER_MINUTE}, {NULL, 0, 0}};
static const llim__phrase metrics[] = {{"input_token_count", LLIM_INPUT_TOKENS, 0},
                                       {"requests", LLIM_REQUESTS, 0},
                                       {"images", LLIM_IMAGES, 0},
                                       {"token_count", LLIM_TOKENS, 0},
                                       {NULL, 0, 0}};

static const llim__phrase *phrase_in(const llim__phrase *list, const char *text)
{
    while (list->text && !strstr(text, list->text)) list++;
    return list->text ? list : NULL;
}

static bool says_zero(const char *message)
{
    for (const char *at = message; (at = strstr(at, "limit: 0")) != NULL; at++)
        if (!strchr("0123456789.", at[8]) || !at[8]) return true;
    return false;
}

/* A limit of 0 is left out where JSON is made from protocol buffers; the message, where it tells limits, tells it too. */
static int64_t limit_unless_told(const char *message)
{
    return !strstr(message, "limit: ") || says_zero(message) ? 0 : LLIM_UNKNOWN;
}

static int64_t limit_of(const cJSON *item, int64_t otherwise)
{
    const cJSON *value = llim__json_get(item, "quotaValue");
    if (cJSON_IsString(value) && value->valuestring)
        return llim__amount((llim__text){value->valuestring, strlen(value->valuestring)});
    return value ? llim__json_amount(item, "quotaValue") : otherwise;
}

/* otherwise: the limit of a violation that has none, if its id is one of those that are known to leave out a 0 */
static violation read_violation(const cJSON *item, int64_t otherwise)
{
    const char *id = llim__json_text(item, "quotaId");
    const char *metric = llim__json_text(item, "quotaMetric");
    const char *model = llim__json_text(llim__json_get(item, "quotaDimensions"), "model");
    const llim__phrase *meter = phrase_in(meters, id), *unit = phrase_in(units, id);
    if (!meter) meter = phrase_in(metrics, metric);
    violation v = {.meter = meter ? meter->meter : LLIM_UNKNOWN,
                   .unit = unit ? unit->unit : LLIM_NO_UNIT,
                   .limit = limit_of(item, unit ? otherwise : LLIM_UNKNOWN)};
    llim__show_name(v.model, model, strlen(model));
    return v;
}

static int weight(const violation *v)
{
    int unit = v->unit == LLIM_PER_DAY ? 2 : v->unit == LLIM_PER_MINUTE;
    return (v->limit == 0) * 64 + unit * 16 + (v->meter == LLIM_UNKNOWN ? 0 : LLIM_METERS - v->meter);
}

/* Whether v lasts longer than w; of two that last alike the tighter one. */
static bool outlasts(const violation *v, const violation *w)
{
    return weight(v) != weight(w) ? weight(v) > weight(w) : v->limit < w->limit;
}

static void teach(const violation *v, llim_answer *a)
{
    if (v->limit <= 0 || v->meter == LLIM_UNKNOWN) return;
    llim_learned *l = llim__learn(a, v->meter, v->unit, 0);
    if (l) l->limit = v->limit;
}

static void refuse(const violation *v, llim_answer *a)
{
    a->kind = v->limit == 0 ? LLIM_ANSWER_QUOTA : LLIM_ANSWER_RATE;
    a->meter = v->meter;
    a->unit = v->unit;
    a->limit = v->limit;
    memcpy(a->model, v->model, sizeof a->model);
    a->scope = v->model[0] || v->meter != LLIM_UNKNOWN ? LLIM_SCOPE_MODEL : LLIM_SCOPE_UNKNOWN;
}

/* "x_requests, limit: 10, model: g" */
static violation read_line(const char *line)
{
    char text[256]; /* no line is longer; without a bound a message of many would be read by its square */
    size_t len = 0;
    violation v = {.meter = LLIM_UNKNOWN, .limit = LLIM_UNKNOWN};
    while (len < sizeof text && line[len] && line[len] != '\n') len++;
    if (len == sizeof text) return v;
    memcpy(text, line, len);
    text[len] = 0;
    const llim__phrase *meter = phrase_in(metrics, text);
    if (meter) v.meter = meter->meter;
    v.limit = llim__number_after(text, "limit: ");
    const char *model = strstr(text, ", model: ");
    if (model) llim__show_name(v.model, model + strlen(", model: "), strlen(model) - strlen(", model: "));
    return v;
}

#define LINES 32 /* no message has more quotas */

/* The lines of the message, for an answer that has lost its details: windows are not told then. */
static void read_lines(const char *message, llim_answer *a)
{
    static const char start[] = "Quota exceeded for metric: ";
    bool any = false;
    violation worst = {0};
    const char *line = message;
    for (int n = 0; n < LINES && (line = strstr(line, start)) != NULL; n++) {
        line += strlen(start);
        violation v = read_line(line);
        if (!any || outlasts(&v, &worst)) worst = v;
        any = true;
    }
    if (any) refuse(&worst, a);
}

/* Cut to whole seconds from a longer one: a second more is safe. */
static int64_t delay_of(const cJSON *detail)
{
    const char *delay = llim__json_text(detail, "retryDelay");
    int64_t ns;
    if (llim_parse_duration(delay, strlen(delay), 0, &ns) != LLIM_OK) return LLIM_UNKNOWN;
    return ns % LLIM_SECOND == 0 ? ns + LLIM_SECOND : ns;
}

int64_t llim__quota_failure(const cJSON *details, const char *message, llim_answer *a)
{
    int64_t delay = LLIM_UNKNOWN, otherwise = limit_unless_told(message); /* once: both may be long */
    bool any = false;
    violation worst = {0};
    const cJSON *detail, *item;
    cJSON_ArrayForEach(detail, details)
    {
        const char *type = llim__json_text(detail, "@type");
        if (strcmp(type, "type.googleapis.com/google.rpc.RetryInfo") == 0) delay = delay_of(detail);
        if (strcmp(type, "type.googleapis.com/google.rpc.QuotaFailure") != 0) continue;
        cJSON_ArrayForEach(item, llim__json_get(detail, "violations"))
        {
            violation v = read_violation(item, otherwise);
            teach(&v, a);
            if (!any || outlasts(&v, &worst)) worst = v;
            any = true;
        }
    }
    if (any)
        refuse(&worst, a);
    else
        read_lines(message, a);
    return delay;
}
