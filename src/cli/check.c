/*
 * check.c - the command check: whether quota tables, overrides and policies are good, and what they would change.
 *
 * Each file is opened as a limiter opens it, which runs a policy's test as well.
 */
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/role.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <dirent.h>
#include <getopt.h>
#include <sys/stat.h>

static const char usage[] = "usage: llm-limiters check FILE|DIR... [OPTION]...\n"
                            "\n"
                            "Tells of each file whether it is a good quota table, table of overrides or policy, as a\n"
                            "program that opens or reloads it would find, and how it changes the quotas: the models\n"
                            "and limits that it adds, removes, raises, lowers or counts in another way. A policy's\n"
                            "own test is run. Of a directory, all *.lua and *.json are read, and if all are quota\n"
                            "tables, together as a set too.\n"
                            "\n"
                            "  --against SET    quota tables to compare with: baseline, published, a directory or a\n"
                            "                   file (baseline)\n"
                            "  --tier NAME      \"tier1\", or per provider \"openai=tier3,gemini=free\" (free, or the\n"
                            "                   first that a quota table has); a table of a directory may lack it\n"
                            "  --modality KIND  text, image, audio or live (quota tables: all; overrides: text)\n"
                            "  --json           as JSON\n"
                            "\n"
                            "The exit code is 0 if all are good, 1 if not, 2 if the command was misused.\n";

enum { AGAINST = 1, TIER, MODALITY, JSON, HELP };

static const struct option options[] = {
    {"against", required_argument, NULL, AGAINST},
    {"tier", required_argument, NULL, TIER},
    {"modality", required_argument, NULL, MODALITY},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static const char *const modalities[] = {"text", "image", "audio", "live"};

typedef struct setup {
    const char *against, *tier;
    const char *base_tier; /* of against, by which it can be opened */
    int32_t modality;      /* -1: not given */
    bool json;
    cJSON *report; /* with json */
} setup;

/* Opens a limiter with the path in that role; NULL: err. */
static llim_limiter *open_as(const setup *s, enum cli_role role, const char *path, const char *tier, int32_t modality,
                             int *code, llim_error *err)
{
    llim_limiter *limiter;
    llim_options o = {.size = sizeof o, .quotas = s->against, .tier = tier, .modality = modality};
    cli_role_set(&o, role, path);
    memset(err, 0, sizeof *err);
    *code = llim_open(&o, &limiter, err);
    return limiter;
}

static bool has_tier(const setup *s, enum cli_role role, const char *path, const char *tier, llim_error *err)
{
    int code;
    llim_close(open_as(s, role, path, tier, LLIM_TEXT, &code, err));
    return !cli_lacks_tier(code, err);
}

/* Of a list of one tier per provider, the one of the table's provider. NULL: there is none, or it is no such list. */
static char *part_of(const setup *s, const char *path)
{
    llim_error err;
    char *found = NULL;
    for (const char *part = s->tier; part; part = strchr(part, ',') ? strchr(part, ',') + 1 : NULL) {
        char *tier = cli_copy(part);
        tier[strcspn(tier, ",")] = 0;
        const bool names_one = strchr(tier, '=');
        if (!found && names_one && has_tier(s, CLI_QUOTAS, path, tier, &err)) {
            found = tier;
            continue;
        }
        free(tier);
        if (names_one) continue;
        free(found);
        return NULL;
    }
    return found;
}

/* The first of the usual tiers that the quota tables have, or else of all, which the error lists. NULL: there is none. */
static char *any_tier(const setup *s, enum cli_role role, const char *path)
{
    static const char *const usual[] = {"free", "tier1", "tier2", "tier3", "tier4", "tier5"};
    static const char list[] = "the tiers are ";
    llim_error err;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (has_tier(s, role, path, usual[i], &err)) return cli_copy(usual[i]);
    const char *first = strstr(err.message, list);
    if (!first) return NULL;
    char *tier = cli_copy(first + sizeof list - 1);
    size_t n = strcspn(tier, ",");
    if (n && !tier[n]) n--; /* a dot ends the list */
    tier[n] = 0;
    if (n) return tier;
    free(tier);
    return NULL;
}

/* What it is to lack the tier that was given, or those of other providers. */
enum lacking { FAULT, FAULT_BUT_OF_OTHERS, NO_FAULT };

/* The tier to judge quota tables by, the caller's. */
static char *tier_of(const setup *s, enum cli_role role, const char *path, enum lacking lacking)
{
    llim_error err;
    const char *given = s->tier ? s->tier : "free";
    char *tier = NULL;
    if (!has_tier(s, role, path, given, &err)) {
        if (s->tier && lacking == FAULT_BUT_OF_OTHERS) tier = part_of(s, path);
        if (!s->tier || lacking == NO_FAULT) tier = any_tier(s, role, path);
    }
    return tier ? tier : cli_copy(given);
}

static void write_difference(const cli_difference *d)
{
    printf("  ");
    if (d->modality != LLIM_TEXT) printf("%s ", modalities[d->modality]);
    printf("%s%s%s: %s", d->model, d->limit[0] ? " " : "", d->limit, d->change);
    if (d->before[0] && d->after[0])
        printf(" from %s to %s", d->before, d->after);
    else if (d->limit[0])
        printf(", %s%s", d->before[0] ? "was " : "", d->before[0] ? d->before : d->after);
    putchar('\n');
}

static void add_difference(cJSON *list, const cli_difference *d)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cJSON_AddStringToObject(item, "modality", modalities[d->modality]);
    cJSON_AddStringToObject(item, "model", d->model);
    if (d->limit[0]) cJSON_AddStringToObject(item, "limit", d->limit);
    cJSON_AddStringToObject(item, "change", d->change);
    if (d->before[0]) cJSON_AddStringToObject(item, "before", d->before);
    if (d->after[0]) cJSON_AddStringToObject(item, "after", d->after);
}

static void report_json(const setup *s, const char *path, const char *kind, const llim_error *err,
                        const cli_differences *d)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(s->report, item);
    cJSON_AddStringToObject(item, "path", path);
    cJSON_AddStringToObject(item, "kind", strncmp(kind, "a ", 2) == 0 ? kind + 2 : kind);
    cJSON_AddBoolToObject(item, "good", err == NULL);
    if (err) {
        cJSON *fault = cJSON_AddObjectToObject(item, "fault");
        if (err->file[0]) cJSON_AddStringToObject(fault, "file", err->file);
        if (err->line) cJSON_AddNumberToObject(fault, "line", err->line);
        if (err->field[0]) cJSON_AddStringToObject(fault, "field", err->field);
        cJSON_AddStringToObject(fault, "message", err->message);
    }
    cJSON *list = d ? cJSON_AddArrayToObject(item, "differences") : NULL;
    for (uint32_t i = 0; d && i < d->n; i++) add_difference(list, &d->items[i]);
}

/* err NULL: it is good. d NULL: it was not compared. Returns what becomes of the exit code. */
static int report(const setup *s, const char *path, const char *kind, const llim_error *err, const cli_differences *d)
{
    if (s->json) {
        report_json(s, path, kind, err, d);
    } else if (err) {
        const bool named = err->file[0] || strncmp(err->message, path, strlen(path)) == 0;
        printf("%s%s%s\n", named ? "" : path, named ? "" : ": ", err->message);
    } else {
        const char *what = d ? d->n ? "" : " that changes no model's limits"
                           : strcmp(kind, cli_roles[CLI_OVERRIDES]) == 0
                               ? ", not compared: the quota tables lack the tier"
                               : "";
        printf("%s: good, %s%s\n", path, kind, what);
        for (uint32_t i = 0; d && i < d->n; i++) write_difference(&d->items[i]);
    }
    return err != NULL;
}

/* Opens it in every modality that it may matter in, compares if that is wanted, and reports. */
static int judge(const setup *s, enum cli_role role, const char *path, const char *kind, const char *tier,
                 bool compares, bool own)
{
    const bool all = s->modality < 0 && role == CLI_QUOTAS;
    const int32_t first = s->modality < 0 ? LLIM_TEXT : s->modality, last = all ? LLIM_LIVE : first;
    cli_differences d = {0};
    llim_error err, ignored;
    int code = LLIM_OK;
    for (int32_t m = first; m <= last && code == LLIM_OK; m++) {
        llim_limiter *after = open_as(s, role, path, tier, m, &code, &err);
        if (after && compares) {
            int compared;
            llim_limiter *before =
                open_as(s, CLI_NO_ROLE, NULL, tier, m, &compared, &ignored); /* NULL: without that tier */
            cli_compare(before, after, m, own, &d);
            llim_close(before);
        }
        llim_close(after);
    }
    int result = report(s, path, kind, code ? &err : NULL, compares ? &d : NULL);
    cli_differences_free(&d);
    return result;
}

/* of_set: a quota table that is one of several, which are compared together. */
static int check_file(const setup *s, const char *path, bool of_set, bool *is_table)
{
    llim_error err;
    const llim_options base = {
        .quotas = s->against, .tier = s->base_tier, .modality = s->modality < 0 ? LLIM_TEXT : s->modality};
    const enum cli_role role = cli_role_of(&base, path, &err);
    if (is_table) *is_table = role == CLI_QUOTAS;
    if (role == CLI_NO_ROLE) return report(s, path, "unknown", &err, NULL);
    if (role != CLI_QUOTAS) { /* not compared by another tier than was asked for */
        const bool compares = role == CLI_OVERRIDES && (!s->tier || strcmp(s->tier, s->base_tier) == 0);
        return judge(s, role, path, cli_roles[role], s->base_tier, compares, true);
    }
    char *tier = tier_of(s, role, path, of_set ? NO_FAULT : FAULT_BUT_OF_OTHERS);
    int result = judge(s, role, path, cli_roles[role], tier, !of_set, true);
    free(tier);
    return result;
}

static int is_source(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && (strcmp(dot, ".lua") == 0 || strcmp(dot, ".json") == 0);
}

static int check_directory(const setup *s, const char *directory)
{
    struct dirent **found;
    int n = scandir(directory, &found, is_source, alphasort), result = 0;
    bool all_tables = true;
    if (n <= 0) {
        if (n == 0) free(found);
        llim_error err = {.code = LLIM_EIO};
        snprintf(err.message, sizeof err.message, "%s: holds no *.lua or *.json that can be read", directory);
        return report(s, directory, "unknown", &err, NULL);
    }
    for (int i = 0; i < n; i++) {
        bool is_table;
        const size_t size = strlen(directory) + strlen(found[i]->d_name) + 2;
        char *path = cli_resize(NULL, size, 1);
        snprintf(path, size, "%s/%s", directory, found[i]->d_name);
        result |= check_file(s, path, true, &is_table);
        all_tables = all_tables && is_table;
        free(path);
        free(found[i]);
    }
    free(found);
    if (!all_tables || result) return result;
    char *tier = tier_of(s, CLI_QUOTAS, directory, FAULT);
    result = judge(s, CLI_QUOTAS, directory, "a set of quota tables", tier, true, false);
    free(tier);
    return result;
}

static int check(const setup *s, char **paths, int n)
{
    int result = 0;
    llim_error err;
    int code;
    llim_limiter *base = open_as(s, CLI_NO_ROLE, NULL, s->base_tier, LLIM_TEXT, &code, &err);
    if (!base && !cli_lacks_tier(code, &err)) return cli_fail("%s", err.message);
    llim_close(base);
    for (int i = 0; i < n; i++) {
        struct stat info;
        const bool directory = stat(paths[i], &info) == 0 && S_ISDIR(info.st_mode);
        result |= directory ? check_directory(s, paths[i]) : check_file(s, paths[i], false, NULL);
    }
    if (s->json) {
        char *text = cJSON_Print(s->report);
        if (!text) exit(cli_fail("There is no memory for the JSON report."));
        puts(text);
        cJSON_free(text);
    }
    int ended = cli_finish(stdout, "standard output");
    return result ? result : ended;
}

static int read_modality(setup *s)
{
    for (s->modality = LLIM_TEXT; s->modality <= LLIM_LIVE; s->modality++)
        if (strcmp(optarg, modalities[s->modality]) == 0) return 0;
    return cli_misuse("check", "--modality is \"%s\"; expected text, image, audio or live.", optarg);
}

int cli_check(int argc, char **argv)
{
    setup s = {.modality = -1};
    int code = 0;
    opterr = 0;
    for (int option; code == 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            return cli_finish(stdout, "standard output");
        }
        if (option == '?' || option == ':') code = cli_bad_option("check", argv, option);
        if (option == AGAINST) s.against = optarg;
        if (option == TIER) s.tier = optarg;
        if (option == MODALITY) code = read_modality(&s);
        if (option == JSON) s.json = true;
    }
    if (code == 0 && optind == argc) code = cli_misuse("check", "A file or directory is missing.");
    if (code) return code;
    if (s.json) s.report = cJSON_CreateArray();
    char *base_tier = tier_of(&s, CLI_NO_ROLE, NULL, NO_FAULT);
    s.base_tier = base_tier;
    code = check(&s, argv + optind, argc - optind);
    free(base_tier);
    cJSON_Delete(s.report);
    return code;
}
