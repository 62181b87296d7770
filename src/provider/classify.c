/*
 * classify.c - owns the conclusion: what an answer was, by its status, headers and body, or by a WebSocket's close.
 *
 * The status says what kind of answer it is at most; the provider's signs say it better where the body has them. What time
 * does not heal gets no wait, whatever a header says. Reads its arguments only: no clock, nothing kept.
 */
#include "base/posix_rule.h"
#include "provider/provider.h"

#include <string.h>

#include <cjson/cJSON.h>

#define LATEST (INT64_C(7258118400) * LLIM_SECOND) /* 2200 */

static int32_t kind_of_status(int32_t status)
{
    if (status < 200 || status > 599) return LLIM_ANSWER_UNKNOWN;
    if (status < 300) return LLIM_ANSWER_OK;
    switch (status) {
    case 401:
    case 403:
        return LLIM_ANSWER_AUTH;
    case 413:
        return LLIM_ANSWER_TOO_LARGE;
    case 429:
        return LLIM_ANSWER_RATE;
    case 503:
    case 504:
    case 529: /* Anthropic's "overloaded" */
        return LLIM_ANSWER_OVERLOAD;
    default:
        return LLIM_ANSWER_ERROR;
    }
}

/* 1000 is a normal close; others tell a failure, but not whose. */
static int32_t kind_of_close(int32_t code)
{
    if (code == 1000) return LLIM_ANSWER_OK;
    return code > 1000 && code <= 4999 ? LLIM_ANSWER_ERROR : LLIM_ANSWER_UNKNOWN;
}

static bool fits(const llim__sign *sign, const llim__error_fields *e)
{
    const char *text = e->field[sign->field];
    if (sign->match == LLIM__WHOLE) return strcmp(text, sign->text) == 0;
    if (sign->match == LLIM__BEGINS) return strncmp(text, sign->text, strlen(sign->text)) == 0;
    return strstr(text, sign->text) != NULL;
}

static bool apply_signs(const llim__provider *p, const llim__error_fields *e, llim_answer *a)
{
    for (const llim__sign *s = p->signs; s && s->text; s++) {
        if (!fits(s, e)) continue;
        a->kind = s->kind;
        a->scope = s->scope;
        return true;
    }
    return false;
}

static void read_fields(const cJSON *error, llim__error_fields *e)
{
    e->field[LLIM__TYPE] = llim__json_text(error, "type");
    e->field[LLIM__CODE] = llim__json_text(error, "code");
    e->field[LLIM__STATUS] = llim__json_text(error, "status");
    e->field[LLIM__MESSAGE] = llim__json_text(error, "message");
}

/* The provider by the error's shape. What several have in common tells none of them. */
static int32_t provider_of_error(const cJSON *root, const llim__error_fields *e)
{
    for (int32_t i = 1; i < LLIM_PROVIDERS; i++) {
        const llim__provider *p = &llim__providers[i];
        if (p->code && strcmp(e->field[LLIM__CODE], p->code) == 0) return i;
        if (p->message && strstr(e->field[LLIM__MESSAGE], p->message)) return i;
    }
    const char *type = llim__json_text(root, "type"); /* of an event; Anthropic's alone are without a number */
    bool numbered = llim__json_get(root, "event_id") || llim__json_get(root, "sequence_number");
    if (strncmp(type, "response.", 9) == 0 || (numbered && strcmp(type, "error") == 0)) return LLIM_PROVIDER_OPENAI;
    /* Of several elements the array is a stream of Gemini's own. */
    if (e->field[LLIM__STATUS][0])
        return cJSON_IsArray(root) && cJSON_GetArraySize(root) == 1 ? LLIM_PROVIDER_GEMINI_OPENAI
                                                                    : LLIM_PROVIDER_GEMINI;
    if (strcmp(type, "error") == 0 && e->field[LLIM__TYPE][0] && !e->field[LLIM__CODE][0])
        return LLIM_PROVIDER_ANTHROPIC;
    if (e->field[LLIM__TYPE][0] && llim__json_get(llim__json_get(root, "error"), "param")) return LLIM_PROVIDER_OPENAI;
    return LLIM_PROVIDER_ANY;
}

/* Nanoseconds until the provider's day ends, or LLIM_UNKNOWN without a clock. The rule's changes are not at midnight. */
static int64_t until_midnight(const llim__provider *p, int64_t now_wall_ns)
{
    llim__posix_rule rule;
    if (now_wall_ns <= 0 || !p->day_rule || !llim__posix_rule_read(p->day_rule, &rule)) return LLIM_UNKNOWN;
    int64_t now_s = now_wall_ns / LLIM_SECOND;
    int64_t offset = llim__posix_rule_offset(&rule, now_s).offset_s;
    int64_t local_s = ((now_s + offset + 86400) / 86400) * 86400; /* the day's end; a day more keeps it above zero */
    int64_t end_s = local_s - llim__posix_rule_offset(&rule, local_s - offset).offset_s;
    return end_s * LLIM_SECOND - now_wall_ns;
}

static void set_law(const llim__provider *p, llim_answer *a)
{
    a->charged = p->charged;
    if (a->unit == LLIM_NO_UNIT) return;
    a->law = a->unit == LLIM_PER_DAY ? p->day_law : p->law;
    if (a->law == LLIM_CALENDAR) strncpy(a->zone, p->day_zone, sizeof a->zone - 1);
}

static void set_wait(const llim__provider *p, const llim__heads *heads, int64_t told, llim_answer *a)
{
    if (a->kind != LLIM_ANSWER_RATE && a->kind != LLIM_ANSWER_OVERLOAD) return;
    a->retry_after_ns = heads->retry_ms_ns;
    if (a->retry_after_ns == LLIM_UNKNOWN) a->retry_after_ns = heads->retry_ns > told ? heads->retry_ns : told;
    if (a->law == LLIM_CALENDAR) a->retry_after_ns = until_midnight(p, heads->now_wall_ns);
}

/* A refused call used nothing but a request; what another failure used nobody tells: Gemini was seen to count the tokens of
   a request that it found too large (400), and one past its deadline (504) may have run. */
static void set_facts(int32_t status, llim_answer *a)
{
    if (a->kind < LLIM_ANSWER_RATE || a->kind > LLIM_ANSWER_AUTH || status == 400 || status == 504) return;
    for (int m = LLIM_TOKENS; m <= LLIM_IMAGES; m++) a->facts.charge.amount[m] = 0;
}

static void read_error(const llim__provider *p, const cJSON *error, const llim__error_fields *e, int64_t *told,
                       llim_answer *a)
{
    const char *message = e->field[LLIM__MESSAGE];
    bool known = apply_signs(p, e, a);
    *told = llim__message_wait(message);
    if (p->google) {
        if (a->kind != LLIM_ANSWER_RATE) return;
        int64_t delay = llim__quota_failure(llim__json_get(error, "details"), message, a);
        if (*told == LLIM_UNKNOWN) *told = delay;
        return;
    }
    if (a->kind != LLIM_ANSWER_RATE && a->kind != LLIM_ANSWER_TOO_LARGE) return;
    llim__message_limit(p, message, a);
    if (known) llim__message_names(message, a);
    if (a->limit == 0) a->kind = LLIM_ANSWER_QUOTA; /* whoever sets it, no wait helps */
    if (a->kind == LLIM_ANSWER_RATE && a->limit > 0 && a->requested > a->limit) a->kind = LLIM_ANSWER_TOO_LARGE;
    for (const llim__phrase *t = p->types; a->meter == LLIM_UNKNOWN && t && t->text; t++)
        if (strcmp(t->text, e->field[LLIM__TYPE]) == 0) a->meter = t->meter;
}

/* An error's object, of a body or an event. Finds the provider if it was not told. */
static int64_t read_root(const cJSON *root, const cJSON *error, llim_answer *a)
{
    llim__error_fields e = {.field = {"", "", "", "", ""}};
    int64_t told = LLIM_UNKNOWN;
    read_fields(error, &e);
    if (a->provider == LLIM_PROVIDER_ANY) a->provider = provider_of_error(root, &e);
    read_error(&llim__providers[a->provider], error, &e, &told, a);
    return told;
}

/* Of an error status the body is wanted to tell an error; a message of a WebSocket or stream may tell anything. Returns the wait
   that the text tells. */
static int64_t read_body(llim__text body, bool message, llim_answer *a)
{
    const cJSON *error;
    cJSON *root = llim__error_find(body, &error);
    int64_t told = LLIM_UNKNOWN;
    if (error && message) a->kind = LLIM_ANSWER_ERROR;
    if (error || !message)
        told = read_root(root, error, a);
    else
        llim__event_read(root, a);
    cJSON_Delete(root);
    return told;
}

static void read_close(int32_t code, llim__text reason, llim_answer *a)
{
    char text[124]; /* a close frame has no more */
    size_t n = reason.len < sizeof text ? reason.len : sizeof text - 1;
    if (n) memcpy(text, reason.at, n);
    text[n] = 0;
    llim__error_fields e = {.field = {[LLIM__TYPE] = "", "", "", "", text}};
    a->kind = kind_of_close(code);
    if (code != 1011) return;
    for (int32_t i = 1; i < LLIM_PROVIDERS; i++) {
        if (a->provider != LLIM_PROVIDER_ANY && a->provider != i) continue;
        if (!apply_signs(&llim__providers[i], &e, a)) continue;
        a->provider = i;
        return;
    }
}

static int64_t now_of(const llim_response *r, llim__text headers)
{
    int64_t wall_ns;
    llim__text date = llim__header_find(headers, "date");
    if (date.at && llim__instant(date, &wall_ns)) return wall_ns;
    return r->now_wall_ns > 0 && r->now_wall_ns < LATEST ? r->now_wall_ns : 0;
}

static void clear(llim_answer *a)
{
    memset(a, 0, sizeof *a);
    a->meter = a->law = a->charged = LLIM_UNKNOWN;
    a->retry_after_ns = a->limit = a->used = a->requested = a->ends_after_ns = LLIM_UNKNOWN;
    a->facts.thinking_tokens = a->facts.cached_tokens = LLIM_UNKNOWN;
    for (int m = 0; m < LLIM_METERS; m++) a->facts.charge.amount[m] = LLIM_UNKNOWN;
}

static void read_usage(const llim_response *r, llim_answer *a)
{
    llim_usage_reader reader;
    if (!r->usage) {
        llim_usage_begin(&reader);
        llim_usage_feed(&reader, r->body, r->body_len);
    }
    llim_usage_end(r->usage ? r->usage : &reader, &a->facts);
}

/* Returns the wait that the text tells. */
static int64_t read_response(const llim_response *r, llim__text body, llim_answer *a)
{
    int64_t told;
    a->kind = kind_of_status(r->status);
    if (r->status && a->kind != LLIM_ANSWER_OK) {
        told = read_body(body, false, a);
        if (r->status == 413) a->kind = LLIM_ANSWER_TOO_LARGE; /* whatever its body calls it */
        set_facts(r->status, a);
        return told;
    }
    read_usage(r, a);
    if (r->status == 0 && r->close_code) {
        read_close(r->close_code, body, a);
        return LLIM_UNKNOWN;
    }
    if (r->status == 0) return read_body(body, true, a);
    if (!a->facts.failed) return LLIM_UNKNOWN;
    told = read_body(body, true, a);
    if (a->kind <= LLIM_ANSWER_OK) a->kind = LLIM_ANSWER_ERROR; /* too long to be read */
    return told;
}

int llim_classify(const llim_response *r, llim_answer *a)
{
    if (!r || !a) return LLIM_EINVAL;
    if (r->size != sizeof *r) return LLIM_EVERSION;
    if (r->provider < 0 || r->provider >= LLIM_PROVIDERS || (!r->headers && r->headers_len) ||
        (!r->body && r->body_len))
        return LLIM_EINVAL;
    llim__text headers = {r->headers, r->headers_len}, body = {r->body, r->body_len};
    llim__heads heads = {LLIM_UNKNOWN, LLIM_UNKNOWN, now_of(r, headers)};
    clear(a);
    a->provider = r->provider == LLIM_PROVIDER_ANY ? llim__headers_provider(headers) : r->provider;
    int64_t told = read_response(r, body, a);
    if (r->status == 401 && a->kind == LLIM_ANSWER_AUTH) a->scope = LLIM_SCOPE_CREDENTIAL;
    const llim__provider *p = &llim__providers[a->provider];
    llim__headers_read(headers, p, &heads, a);
    set_law(p, a);
    set_wait(p, &heads, told, a);
    llim__learned_finish(a);
    return LLIM_OK;
}
