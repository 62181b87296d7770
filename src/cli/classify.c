/*
 * classify.c - the command classify: what the library concludes from a provider's answer.
 *
 * The answer is read by the same function that a limiter asks. Numbers that the answer does not tell are left out of the text,
 * and null in JSON.
 */
#include "cli/cli.h"
#include "cli/response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <getopt.h>

static const char usage[] =
    "usage: llm-limiters classify FILE [OPTION]...\n"
    "\n"
    "Reads a provider's answer and tells what it means: whether a limit over time refused,\n"
    "which one and whose, when it is worth asking again, what the answer teaches of limits,\n"
    "and what the call used.\n"
    "\n"
    "FILE, or - for standard input, holds a status line, headers, a blank line and the body,\n"
    "as \"curl -i\" prints them; a stream of server-sent events is a body too. A body alone is\n"
    "read as the messages of a WebSocket: JSON, one a line if there are several; a line\n"
    "{\"_close\": {\"code\": 1011, \"reason\": \"...\"}} stands for its close.\n"
    "\n"
    "  --provider NAME  openai, gemini, gemini_openai, azure, anthropic or groq (told by the\n"
    "                   answer, where it shows)\n"
    "  --close CODE     FILE is the reason that a WebSocket was closed with\n"
    "  --json           as JSON, on one line for each message\n";

enum { PROVIDER = 1, CLOSE, JSON, HELP };

static const struct option options[] = {
    {"provider", required_argument, NULL, PROVIDER},
    {"close", required_argument, NULL, CLOSE},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static const char *const units[] = {"", "minute", "hour", "day", "week", "month"};

static void put_amount(const char *name, int64_t amount)
{
    if (amount != LLIM_UNKNOWN) printf("%-14s %lld\n", name, (long long)amount);
}

static void put_seconds(const char *name, int64_t ns)
{
    if (ns != LLIM_UNKNOWN) printf("%-14s %.10g s\n", name, (double)ns / LLIM_SECOND);
}

static void put_learned(const llim_learned *l)
{
    printf("%-14s %s%s", "learned", l->project ? "project " : "", llim_meter_name(l->meter));
    if (l->unit) printf("/%s", units[l->unit]);
    if (l->limit != LLIM_UNKNOWN) printf(", limit %lld", (long long)l->limit);
    if (l->remaining != LLIM_UNKNOWN) printf(", %lld left", (long long)l->remaining);
    if (l->reset_ns != LLIM_UNKNOWN) printf(", full again in %.10g s", (double)l->reset_ns / LLIM_SECOND);
    putchar('\n');
}

static void write_text(const llim_answer *a)
{
    printf("%-14s %s\n", "kind", llim_kind_name(a->kind));
    if (a->provider) printf("%-14s %s\n", "provider", llim_provider_name(a->provider));
    if (a->scope) printf("%-14s %s\n", "scope", llim_scope_kind_name(a->scope));
    if (a->model[0]) printf("%-14s %s\n", "model", a->model);
    if (a->family[0]) printf("%-14s %s\n", "family", a->family);
    if (a->meter != LLIM_UNKNOWN) printf("%-14s %s\n", "meter", llim_meter_name(a->meter));
    if (a->unit) printf("%-14s %s%s%s\n", "window", units[a->unit], a->zone[0] ? " of " : "", a->zone);
    put_amount("limit", a->limit);
    put_amount("used", a->used);
    put_amount("requested", a->requested);
    put_seconds("retry after", a->retry_after_ns);
    put_seconds("ends after", a->ends_after_ns);
    for (uint32_t i = 0; i < a->n_learned; i++) put_learned(&a->learned[i]);
    for (int m = 0; m < LLIM_METERS; m++) put_amount(llim_meter_name(m), a->facts.charge.amount[m]);
    put_amount("thinking", a->facts.thinking_tokens);
    put_amount("cached", a->facts.cached_tokens);
}

static void add_amount(cJSON *object, const char *name, int64_t amount)
{
    if (amount == LLIM_UNKNOWN)
        cJSON_AddNullToObject(object, name);
    else
        cJSON_AddNumberToObject(object, name, (double)amount);
}

static void add_seconds(cJSON *object, const char *name, int64_t ns)
{
    if (ns == LLIM_UNKNOWN)
        cJSON_AddNullToObject(object, name);
    else
        cJSON_AddNumberToObject(object, name, (double)ns / LLIM_SECOND);
}

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text[0])
        cJSON_AddStringToObject(object, name, text);
    else
        cJSON_AddNullToObject(object, name);
}

static void add_learned(cJSON *list, const llim_learned *l)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cJSON_AddStringToObject(item, "meter", llim_meter_name(l->meter));
    add_text(item, "window", units[l->unit]);
    cJSON_AddBoolToObject(item, "project", l->project);
    add_amount(item, "limit", l->limit);
    add_amount(item, "remaining", l->remaining);
    add_seconds(item, "reset_seconds", l->reset_ns);
}

static void write_json(const llim_answer *a)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "kind", llim_kind_name(a->kind));
    cJSON_AddStringToObject(root, "provider", llim_provider_name(a->provider));
    cJSON_AddStringToObject(root, "scope", llim_scope_kind_name(a->scope));
    add_text(root, "model", a->model);
    add_text(root, "family", a->family);
    add_text(root, "meter", a->meter == LLIM_UNKNOWN ? "" : llim_meter_name(a->meter));
    add_text(root, "window", units[a->unit]);
    add_text(root, "law", a->law == LLIM_UNKNOWN ? "" : llim_law_name(a->law));
    add_text(root, "time_zone", a->zone);
    add_amount(root, "limit", a->limit);
    add_amount(root, "used", a->used);
    add_amount(root, "requested", a->requested);
    add_seconds(root, "retry_after_seconds", a->retry_after_ns);
    add_seconds(root, "ends_after_seconds", a->ends_after_ns);
    cJSON *learned = cJSON_AddArrayToObject(root, "learned");
    for (uint32_t i = 0; i < a->n_learned; i++) add_learned(learned, &a->learned[i]);
    cJSON *facts = cJSON_AddObjectToObject(root, "usage");
    for (int m = LLIM_TOKENS; m <= LLIM_AUDIO_MS; m++) add_amount(facts, llim_meter_name(m), a->facts.charge.amount[m]);
    add_amount(facts, "thinking_tokens", a->facts.thinking_tokens);
    add_amount(facts, "cached_tokens", a->facts.cached_tokens);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text) exit(cli_fail("There is no memory for the answer as JSON."));
    puts(text);
    cJSON_free(text);
}

static int read_provider(int32_t *provider)
{
    for (*provider = LLIM_PROVIDER_ANY + 1; *provider < LLIM_PROVIDERS; ++*provider)
        if (strcmp(optarg, llim_provider_name(*provider)) == 0) return 0;
    return cli_misuse(
        "classify", "--provider is \"%s\"; expected openai, gemini, gemini_openai, azure, anthropic or groq.", optarg);
}

static int read_close(int32_t *close_code)
{
    uint64_t number;
    if (!cli_integer(optarg, 4999, &number) || number < 1000)
        return cli_misuse("classify", "--close is \"%s\"; expected the code of a WebSocket's close, 1000 to 4999.",
                          optarg);
    *close_code = (int32_t)number;
    return 0;
}

static void tell(const llim_response *response, bool json)
{
    llim_answer answer;
    llim_classify(response, &answer);
    if (json)
        write_json(&answer);
    else
        write_text(&answer);
}

/* The first line of a text that holds a message on each, or all of it. */
static size_t first_message(const char *text, size_t len)
{
    const char *lf = len ? memchr(text, '\n', len) : NULL;
    if (!lf || *text != '{') return len;
    const char *end = lf, *next = lf;
    while (end > text && (end[-1] == '\r' || end[-1] == ' ')) end--;
    while (next < text + len && (*next == '\n' || *next == '\r')) next++;
    return end[-1] == '}' && next < text + len && *next == '{' ? (size_t)(lf - text) : len;
}

/* {"_close":{"code":1011,"reason":"..."}} stands for a close among messages. The document is for the caller to delete. */
static cJSON *read_close_line(llim_response *r)
{
    cJSON *root = r->body_len < 4096 ? cJSON_ParseWithLength(r->body, r->body_len) : NULL;
    const cJSON *close = cJSON_GetObjectItemCaseSensitive(root, "_close");
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(close, "code");
    const cJSON *reason = cJSON_GetObjectItemCaseSensitive(close, "reason");
    r->close_code = 0;
    if (!cJSON_IsNumber(code)) return root;
    r->close_code = code->valueint;
    r->body = cJSON_IsString(reason) ? reason->valuestring : "";
    r->body_len = strlen(r->body);
    return root;
}

/* Messages of a WebSocket: one, or one a line. */
static void tell_messages(llim_response *r, bool json)
{
    const char *at = r->body, *end = at + r->body_len;
    if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3; /* the mark of UTF-8 */
    while (at < end && *at && strchr(" \t\r\n", *at)) at++;
    size_t n = first_message(at, (size_t)(end - at));
    const bool lines = n < (size_t)(end - at);
    for (bool first = true; first || at < end; first = false) {
        if (!first && !json) putchar('\n');
        r->body = at;
        r->body_len = n;
        cJSON *closing = read_close_line(r);
        tell(r, json);
        cJSON_Delete(closing);
        at += n;
        while (lines && at < end && (*at == '\n' || *at == '\r')) at++;
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        n = (size_t)((lf ? lf : end) - at);
    }
}

static int classify(const char *path, llim_response *response, bool json)
{
    const bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (!file) return cli_fail("%s cannot be read: %s.", path, strerror(errno));
    llim_error err = {0};
    char *text = NULL;
    size_t len = 0;
    int code = cli_response_load(file, name, &text, &len, &err);
    if (!standard) fclose(file);
    if (code == LLIM_OK && response->close_code) {
        while (len && text[len - 1] == '\n') len--;
        response->body = text;
        response->body_len = len;
    } else if (code == LLIM_OK) {
        code = cli_response_read(text, len, name, response, &err);
    }
    if (code == LLIM_OK && !response->status && !response->close_code)
        tell_messages(response, json);
    else if (code == LLIM_OK)
        tell(response, json);
    free(text);
    return code == LLIM_OK ? cli_finish(stdout, "standard output") : cli_fail("%s", err.message);
}

int cli_classify(int argc, char **argv)
{
    llim_response response = {.size = sizeof response};
    bool json = false;
    int code = 0;
    opterr = 0;
    for (int option; code == 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            return cli_finish(stdout, "standard output");
        }
        if (option == PROVIDER)
            code = read_provider(&response.provider);
        else if (option == CLOSE)
            code = read_close(&response.close_code);
        else if (option == JSON)
            json = true;
        else
            code = cli_bad_option("classify", argv, option);
    }
    if (code == 0 && optind == argc) code = cli_misuse("classify", "A file is missing.");
    if (code == 0 && optind + 1 < argc)
        code = cli_misuse("classify", "There is one file too many: \"%s\".", argv[optind + 1]);
    return code ? code : classify(argv[optind], &response, json);
}
