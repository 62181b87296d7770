/* shadow.c - see shadow.h. */
#include "cli/shadow.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#define SAME_WAIT (LLIM_SECOND / 1000)

static cli_shadow_model *model_of(cli_shadow *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_models; i++)
        if (strcmp(s->models[i].name, name) == 0) return &s->models[i];
    s->models = cli_resize(s->models, (size_t)s->n_models + 1, sizeof *s->models);
    s->models[s->n_models] = (cli_shadow_model){name, 0, 0};
    return &s->models[s->n_models++];
}

static uint64_t *kind_of(cli_shadow *s, const cli_fate *a, const cli_fate *b, bool same_model)
{
    const bool here = a->outcome == CLI_ADMITTED, there = b->outcome == CLI_ADMITTED;
    const int64_t by = b->decided_ns - a->decided_ns;
    if (b->outcome == CLI_UNKNOWN) return &s->unknown_model;
    if (here != there) return here ? &s->only_here : &s->only_there;
    if (!here) return a->outcome == b->outcome ? &s->same : &s->never_or_later;
    if (!same_model) return &s->other_model;
    return by > SAME_WAIT || by < -SAME_WAIT ? &s->other_wait : &s->same;
}

void cli_shadow_compare(const cli_run *here, const cli_run *there, cli_shadow *s)
{
    for (uint32_t i = 0; i < here->n_models; i++) model_of(s, here->models[i].info.name);
    for (uint32_t i = 0; i < there->n_models; i++) model_of(s, there->models[i].info.name);
    for (uint32_t i = 0; i < here->trace->n; i++) {
        const cli_fate *a = &here->fates[i], *b = &there->fates[i];
        const char *x = a->outcome == CLI_ADMITTED ? here->models[a->model].info.name : "";
        const char *y = b->outcome == CLI_ADMITTED ? there->models[b->model].info.name : "";
        ++*kind_of(s, a, b, strcmp(x, y) == 0);
        if (*x) model_of(s, x)->here++, s->admitted_here++;
        if (*y) model_of(s, y)->there++, s->admitted_there++;
    }
}

void cli_shadow_free(cli_shadow *shadow)
{
    free(shadow->models);
}
