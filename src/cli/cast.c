/*
 * cast.c - who takes part in a run: the models to choose from, the parties that ask, the scopes that are charged.
 *
 * All names are looked up before the first request, so that a misspelt one in the last row ends the run at once, with its
 * line. Watches are made here and nowhere else; scopes which the overrides do not limit get none.
 */
#include "cli/cli.h"
#include "cli/replay.h"

#include <stdlib.h>
#include <string.h>

static int fail(cli_run *run, int code)
{
    run->code = code;
    return code;
}

static uint32_t watch_for(cli_run *run, llim_row row, const char *name, bool is_model)
{
    for (uint32_t i = 0; i < run->n_model_watches; i++)
        if (run->watches[i].row.index == row.index && run->watches[i].row.epoch == row.epoch) return i;
    if ((run->n_watches & (run->n_watches + 1)) == 0)
        run->watches = cli_resize(run->watches, ((size_t)run->n_watches + 1) * 2, sizeof *run->watches);
    int code = cli_watch_open(&run->watches[run->n_watches], llim_limiter_zone(run->limiter), row, name, is_model);
    if (code != LLIM_OK) {
        snprintf(run->err.message, sizeof run->err.message, "The limits of \"%.100s\" cannot be read: %s.", name,
                 llim_code_name(code));
        fail(run, code);
        return CLI_NONE;
    }
    if (is_model) run->n_model_watches++;
    return run->n_watches++;
}

/* The number of a model by any of its names. */
static uint32_t model_of(cli_run *run, const char *name)
{
    llim_model_info info;
    if (fail(run, llim_model(run->limiter, name, &info, &run->err)) != LLIM_OK) return CLI_NONE;
    for (uint32_t i = 0; i < run->n_models; i++)
        if (strcmp(run->models[i].info.name, info.name) == 0) return i;
    uint32_t watch = watch_for(run, info.row, info.name, true);
    if (watch == CLI_NONE) return CLI_NONE;
    run->models = cli_resize(run->models, (size_t)run->n_models + 1, sizeof *run->models);
    run->models[run->n_models] = (cli_model){info, watch};
    return run->n_models++;
}

static bool is_unknown(int code)
{
    return code == LLIM_EUNKNOWN_MODEL || code == LLIM_ENO_QUOTA;
}

static int add_choice(cli_run *run, const char *const *names, uint32_t n)
{
    run->choices = cli_resize(run->choices, (size_t)run->n_choices + 1, sizeof *run->choices);
    cli_choice *choice = &run->choices[run->n_choices++];
    *choice = (cli_choice){.n = n, .parties = {.place = run->party_place}};
    choice->names = cli_resize(NULL, n, sizeof *choice->names);
    choice->models = cli_resize(NULL, n, sizeof *choice->models);
    for (uint32_t i = 0; i < n; i++) {
        choice->names[i] = names[i];
        choice->models[i] = model_of(run, names[i]);
        if (choice->models[i] != CLI_NONE) continue;
        if (!run->setup->in_shadow || !is_unknown(run->code)) return run->code;
        choice->n = 0;
        return fail(run, LLIM_OK);
    }
    return LLIM_OK;
}

/* Names in a row of the trace: the message tells where. */
static int at_row(cli_run *run, const cli_group *group, const char *field)
{
    char text[sizeof run->err.message];
    memcpy(text, run->err.message, sizeof text);
    snprintf(run->err.message, sizeof run->err.message, "%.200s:%u: %s: %.400s", run->setup->trace, group->line, field,
             text);
    return run->code;
}

static int find_scopes(cli_run *run)
{
    run->scopes = cli_resize(NULL, run->scope_names.n, sizeof *run->scopes);
    for (uint32_t i = 0; i < run->scope_names.n; i++) run->scopes[i].watch = CLI_NONE;
    for (uint32_t i = 0; i < run->trace->n_groups; i++) {
        cli_party *party = &run->parties[i];
        if (party->scope == CLI_NONE) continue;
        const cli_group *group = &run->trace->groups[i];
        cli_scope *scope = &run->scopes[party->scope];
        if (scope->watch != CLI_NONE) continue;
        int code = llim_scope(run->limiter, group->scope, &scope->row, &run->err);
        if (code == LLIM_ENOTFOUND) {
            party->scope = CLI_NONE;
            continue;
        }
        if (fail(run, code) != LLIM_OK) return at_row(run, group, "scope");
        scope->watch = watch_for(run, scope->row, group->scope, false);
        if (scope->watch == CLI_NONE) return at_row(run, group, "scope");
    }
    return LLIM_OK;
}

static uint32_t *places(uint32_t n)
{
    uint32_t *place = cli_resize(NULL, n, sizeof *place);
    for (uint32_t i = 0; i < n; i++) place[i] = CLI_NONE;
    return place;
}

/* A provider for each row that models have, with that row's limits. */
static int open_providers(cli_run *run)
{
    run->providers = cli_resize(NULL, run->n_model_watches, sizeof *run->providers);
    memset(run->providers, 0, run->n_model_watches * sizeof *run->providers);
    for (uint32_t i = 0; i < run->n_model_watches; i++) {
        llim_usage limits[LLIM_MAX_LIMITS];
        uint32_t n;
        int code = llim_row_usage(llim_limiter_zone(run->limiter), run->watches[i].row, limits, LLIM_MAX_LIMITS, &n);
        if (code != LLIM_OK) return fail(run, code);
        cli_provider_open(&run->providers[i], limits, n, run->setup->provider);
    }
    return LLIM_OK;
}

int cli_run_open(cli_run *run, const cli_setup *setup, const cli_trace *trace, llim_limiter *limiter)
{
    *run = (cli_run){.setup = setup, .trace = trace, .limiter = limiter};
    run->row_place = places(trace->n);
    run->party_place = places(trace->n_groups);
    run->fates = cli_resize(NULL, trace->n, sizeof *run->fates);
    for (uint32_t i = 0; i < trace->n; i++) run->fates[i] = (cli_fate){.model = CLI_NONE, .reason = CLI_NONE};
    run->parties = cli_resize(NULL, trace->n_groups, sizeof *run->parties);
    for (uint32_t i = 0; i < trace->n_groups; i++)
        run->parties[i] = (cli_party){.scope = CLI_NONE, .waiting = {.place = run->row_place}};
    if (add_choice(run, setup->models, setup->n_models) != LLIM_OK) return run->code;
    cli_names named = {0}; /* by rows: their choices follow that of the command line */
    for (uint32_t i = 0; i < trace->n_groups; i++) {
        const cli_group *group = &trace->groups[i];
        if (group->scope[0]) run->parties[i].scope = cli_names_add(&run->scope_names, group->scope);
        if (!group->model[0]) continue;
        run->parties[i].choice = 1 + cli_names_add(&named, group->model);
        const char *name = group->model;
        if (run->parties[i].choice == run->n_choices && add_choice(run, &name, 1) != LLIM_OK) {
            at_row(run, group, "model");
            break;
        }
    }
    cli_names_free(&named);
    if (run->code == LLIM_OK && setup->unknown) open_providers(run);
    return run->code == LLIM_OK ? find_scopes(run) : run->code;
}

void cli_run_close(cli_run *run)
{
    for (uint32_t i = 0; run->providers && i < run->n_model_watches; i++) cli_provider_close(&run->providers[i]);
    for (uint32_t i = 0; i < run->n_watches; i++) cli_watch_close(&run->watches[i]);
    for (uint32_t i = 0; i < run->n_choices; i++) {
        cli_queue_free(&run->choices[i].parties);
        free(run->choices[i].names);
        free(run->choices[i].models);
    }
    for (uint32_t i = 0; run->parties && i < run->trace->n_groups; i++) cli_queue_free(&run->parties[i].waiting);
    cli_names_free(&run->reasons);
    cli_names_free(&run->scope_names);
    cli_calls_free(&run->calls);
    free(run->providers);
    free(run->watches);
    free(run->choices);
    free(run->parties);
    free(run->scopes);
    free(run->models);
    free(run->fates);
    free(run->row_place);
    free(run->party_place);
    memset(run, 0, sizeof *run);
}
