/*
 * json.c - the summary of a run as JSON; see summary.h.
 *
 * Keys are names with their unit, amounts are numbers, and what has no limit is null.
 */
#include "cli/cli.h"
#include "cli/summary.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static void add_tally(cJSON *object, const char *name, const cli_tally *tally)
{
    cJSON *item = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(item, "requests", (double)tally->requests);
    cJSON_AddNumberToObject(item, "tokens", (double)tally->tokens);
}

static cJSON *append(cJSON *array)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(array, item);
    return item;
}

static void add_options(cJSON *root, const cli_run *run)
{
    const cli_setup *setup = run->setup;
    const cli_trace *trace = run->trace;
    cJSON_AddStringToObject(root, "trace", setup->trace);
    cJSON_AddNumberToObject(root, "seconds", (double)trace->rows[trace->n - 1].at_ns / LLIM_SECOND);
    cJSON_AddNumberToObject(root, "out_of_order", trace->unsorted);
    cJSON_AddStringToObject(root, "tier", setup->limiter.tier ? setup->limiter.tier : "free");
    cJSON_AddStringToObject(root, "quotas", setup->limiter.quotas ? setup->limiter.quotas : "baseline");
    cJSON_AddStringToObject(root, "policy", setup->limiter.policy ? setup->limiter.policy : "priority");
    cJSON_AddNumberToObject(root, "deadline_seconds", setup->deadline);
    cJSON_AddNumberToObject(root, "guard_seconds", setup->guard);
    cJSON_AddNumberToObject(root, "speed", setup->speed);
    cJSON_AddNumberToObject(root, "demand", setup->demand);
}

static void add_limit(cJSON *limits, const cli_watch *watch, const cli_peak *p)
{
    cJSON *item = append(limits);
    const char *const units[] = {"", "minute", "hour", "day", "week", "month"};
    bool limited = p->limit.amount > 0;
    cJSON_AddStringToObject(item, "name", watch->name);
    cJSON_AddStringToObject(item, "meter", llim_meter_name(p->limit.meter));
    if (limited) cJSON_AddStringToObject(item, "law", llim_law_name(p->limit.law));
    if (p->limit.law == LLIM_CALENDAR) {
        cJSON_AddStringToObject(item, "unit", units[p->limit.unit]);
        cJSON_AddStringToObject(item, "time_zone", p->limit.zone[0] ? p->limit.zone : "UTC");
    } else {
        cJSON_AddNumberToObject(item, "window_seconds", (double)p->limit.window_ns / LLIM_SECOND);
    }
    cJSON_AddNumberToObject(item, "peak", (double)p->peak);
    if (limited)
        cJSON_AddNumberToObject(item, "limit", (double)p->limit.amount);
    else
        cJSON_AddNullToObject(item, "limit");
}

static void add_shadow(cJSON *root, const cli_shadow *s)
{
    cJSON *item = cJSON_AddObjectToObject(root, "shadow");
    cJSON_AddStringToObject(item, "path", s->path);
    cJSON_AddStringToObject(item, "kind", strncmp(s->kind, "a ", 2) == 0 ? s->kind + 2 : s->kind);
    cJSON_AddNumberToObject(item, "same", (double)s->same);
    cJSON_AddNumberToObject(item, "only_here", (double)s->only_here);
    cJSON_AddNumberToObject(item, "only_there", (double)s->only_there);
    cJSON_AddNumberToObject(item, "other_model", (double)s->other_model);
    cJSON_AddNumberToObject(item, "other_wait", (double)s->other_wait);
    cJSON_AddNumberToObject(item, "never_or_later", (double)s->never_or_later);
    cJSON_AddNumberToObject(item, "unknown_model", (double)s->unknown_model);
    cJSON *models = cJSON_AddArrayToObject(item, "models");
    for (uint32_t i = 0; i < s->n_models; i++) {
        cJSON *model = append(models);
        cJSON_AddStringToObject(model, "name", s->models[i].name);
        cJSON_AddNumberToObject(model, "here", (double)s->models[i].here);
        cJSON_AddNumberToObject(model, "there", (double)s->models[i].there);
    }
}

void cli_write_json(const cli_run *run, const cli_summary *s, FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    add_options(root, run);
    add_tally(root, "all", &s->all);
    add_tally(root, "admitted", &s->admitted);
    add_tally(root, "expired", &s->expired);
    add_tally(root, "never", &s->never);
    if (run->setup->unknown) {
        cJSON *provider = cJSON_AddObjectToObject(root, "provider");
        cJSON_AddStringToObject(provider, "law", llim_law_name(run->setup->provider));
        cJSON_AddNumberToObject(provider, "sent", (double)run->sent);
        cJSON_AddNumberToObject(provider, "answered_429", (double)run->answered_429);
    }
    cJSON *waits = cJSON_AddObjectToObject(root, "wait_seconds");
    cJSON_AddNumberToObject(waits, "p50", s->p50);
    cJSON_AddNumberToObject(waits, "p95", s->p95);
    cJSON_AddNumberToObject(waits, "p99", s->p99);
    cJSON_AddNumberToObject(waits, "max", s->longest);
    cJSON_AddNumberToObject(root, "waited", (double)s->waited);
    cJSON *models = cJSON_AddArrayToObject(root, "models");
    for (uint32_t i = 0; i < run->n_models; i++) {
        cJSON *item = append(models);
        cJSON_AddStringToObject(item, "name", run->models[i].info.name);
        cJSON_AddStringToObject(item, "scope", run->models[i].info.scope);
        cJSON_AddNumberToObject(item, "requests", (double)s->models[i].requests);
        cJSON_AddNumberToObject(item, "share", (double)s->models[i].requests / (double)s->all.requests);
        cJSON_AddNumberToObject(item, "tokens", (double)s->models[i].tokens);
    }
    cJSON *limits = cJSON_AddArrayToObject(root, "limits");
    for (uint32_t i = 0; i < run->n_watches; i++)
        for (uint32_t k = 0; k < run->watches[i].n_peaks; k++)
            add_limit(limits, &run->watches[i], &run->watches[i].peaks[k]);
    cJSON *refused = cJSON_AddArrayToObject(root, "refused_by");
    for (uint32_t i = 0; i < s->n_refused; i++) {
        const cli_refused *r = &s->refused[i];
        cJSON *item = append(refused);
        cJSON_AddStringToObject(item, "reason", run->reasons.text[r->reason]);
        cJSON_AddNumberToObject(item, "waited", (double)r->waited);
        cJSON_AddNumberToObject(item, "expired", (double)r->expired);
        cJSON_AddNumberToObject(item, "never", (double)r->never);
    }
    if (s->shadow) add_shadow(root, s->shadow);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (!text) exit(cli_fail("There is no memory for the JSON summary."));
    fprintf(out, "%s\n", text);
    cJSON_free(text);
}
