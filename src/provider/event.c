/*
 * event.c - owns the reading of an event, be it a WebSocket's message or of a stream: limits, failures and coming ends.
 *
 * OpenAI's APIs name each event by its type, Gemini's Live API by its members. What a message used is read by the usage reader,
 * as of any other answer.
 */
#include "provider/provider.h"

#include <string.h>

#include <cjson/cJSON.h>

/* Remaining includes what the running response has reserved; a later event corrects it. */
static void read_limits(const cJSON *list, llim_answer *a)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        const char *name = llim__json_text(item, "name");
        bool tokens = strcmp(name, "tokens") == 0;
        if (!tokens && strcmp(name, "requests") != 0) continue;
        llim_learned *l = llim__learn(a, tokens ? LLIM_TOKENS : LLIM_REQUESTS, LLIM_NO_UNIT, 0);
        if (!l) return;
        l->limit = llim__json_amount(item, "limit");
        if (l->limit == 0) l->limit = LLIM_UNKNOWN;
        l->remaining = llim__json_amount(item, "remaining");
        l->reset_ns = llim__json_seconds(item, "reset_seconds");
    }
}

static void read_live(const cJSON *root, llim_answer *a)
{
    static const char *const members[] = {"setupComplete",          "serverContent", "toolCall",
                                          "toolCallCancellation",   "usageMetadata", "goAway",
                                          "sessionResumptionUpdate"};
    bool known = false;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        known = known || llim__json_get(root, members[i]) != NULL;
    if (!known) return;
    a->kind = LLIM_ANSWER_OK;
    if (a->provider == LLIM_PROVIDER_ANY) a->provider = LLIM_PROVIDER_GEMINI;
    const char *left = llim__json_text(llim__json_get(root, "goAway"), "timeLeft");
    int64_t ns;
    if (llim_parse_duration(left, strlen(left), 0, &ns) == LLIM_OK) a->ends_after_ns = ns;
}

static const cJSON *object_in(const cJSON *object, const char *name)
{
    const cJSON *member = llim__json_get(object, name);
    return cJSON_IsObject(member) ? member : NULL;
}

/* In OpenAI's Responses an event of type "error" is the error itself. */
const cJSON *llim__event_error(const cJSON *root)
{
    const cJSON *response = llim__json_get(root, "response"), *error = object_in(root, "error");
    if (!error) error = object_in(response, "error");
    if (!error) error = object_in(llim__json_get(response, "status_details"), "error");
    if (!error && strcmp(llim__json_text(root, "type"), "error") == 0) error = root;
    return error;
}

void llim__event_read(const cJSON *root, llim_answer *a)
{
    const char *type = llim__json_text(root, "type");
    if (!*type) {
        read_live(root, a);
        return;
    }
    a->kind = strcmp(type, "response.failed") == 0 ? LLIM_ANSWER_ERROR : LLIM_ANSWER_OK;
    if (a->provider == LLIM_PROVIDER_ANY) a->provider = LLIM_PROVIDER_OPENAI;
    if (strcmp(type, "rate_limits.updated") == 0) read_limits(llim__json_get(root, "rate_limits"), a);
}
