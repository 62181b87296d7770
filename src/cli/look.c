/* look.c - see look.h. */
#include "cli/look.h"

#include "cli/cli.h"
#include "cli/cut.h"

#include <stdlib.h>
#include <string.h>

llim_zone *cli_look_open(const char *path)
{
    llim_zone_options options = {.size = sizeof options, .path = path, .read_only = 1};
    llim_zone *zone;
    llim_error err;
    cli_cut_catch(path);
    if (llim_zone_open(&options, &zone, &err) != LLIM_OK) cli_fail("%s", err.message);
    return zone;
}

double cli_use(const llim_usage *usage)
{
    return (double)usage->used / (double)usage->limit.amount;
}

/* LLIM_ENOTFOUND: it has gone meanwhile. */
static int look_at_limits(llim_zone *zone, cli_look *look, cli_scope *s)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    s->first = look->n_usage;
    const int code = llim_row_usage(zone, s->row, usage, LLIM_MAX_LIMITS, &s->n_limits);
    s->busy = code == LLIM_EBUSY;
    if (code) s->n_limits = 0;
    if (s->n_limits > LLIM_MAX_LIMITS) s->n_limits = LLIM_MAX_LIMITS;
    for (uint32_t i = 0; i < s->n_limits; i++)
        if (cli_use(&usage[i]) > s->use) s->use = cli_use(&usage[i]);
    if (look->n_usage + s->n_limits > look->usage_room) {
        look->usage_room = 2 * look->usage_room + LLIM_MAX_LIMITS;
        look->usage = cli_resize(look->usage, look->usage_room, sizeof *look->usage);
    }
    memcpy(look->usage + look->n_usage, usage, s->n_limits * sizeof *usage);
    look->n_usage += s->n_limits;
    return code == LLIM_EBUSY ? LLIM_OK : code;
}

static void look_at_notes(llim_zone *zone, cli_scope *s)
{
    llim_notes notes;
    s->noted = llim_row_notes(zone, s->row, &notes) == LLIM_OK;
    if (!s->noted) return;
    s->strikes = notes.strikes;
    s->count[CLI_COUNT_ADMITTED] = notes.admitted;
    s->count[CLI_COUNT_REFUSED] = notes.refused;
    s->count[CLI_COUNT_LIMITED] = notes.limited;
}

/* Both looks are in the order of rows. Counts that have begun anew meanwhile tell no rate. */
static void find_rates(const cli_look *before, cli_look *look)
{
    const double seconds = before ? (double)(look->steady_ns - before->steady_ns) / LLIM_SECOND : 0;
    for (uint32_t i = 0, k = 0; i < look->n; i++) {
        cli_scope *s = &look->scopes[i];
        while (before && k < before->n && before->scopes[k].row.index < s->row.index) k++;
        const cli_scope *b = before && k < before->n ? &before->scopes[k] : NULL;
        const bool same = b && b->row.index == s->row.index && b->row.epoch == s->row.epoch && b->noted && s->noted;
        for (int c = 0; c < CLI_COUNTS; c++)
            s->rate[c] =
                same && seconds > 0 && s->count[c] >= b->count[c] ? (double)(s->count[c] - b->count[c]) / seconds : -1;
    }
}

void cli_look_at(llim_zone *zone, const char *prefix, const cli_look *before, cli_look *look)
{
    *look = (cli_look){.n = 0};
    cli_scope s;
    uint32_t position = 0, room = 0;
    llim_zone_now(zone, &look->steady_ns, &look->wall_ns);
    llim_zone_get_stats(zone, &look->stats);
    for (memset(&s, 0, sizeof s); llim_row_next(zone, &position, &s.row, s.name) == LLIM_OK; memset(&s, 0, sizeof s)) {
        if (strncmp(s.name, prefix, strlen(prefix)) != 0 || look_at_limits(zone, look, &s) != LLIM_OK) continue;
        look_at_notes(zone, &s);
        if (llim_cooling(zone, s.row, &s.cooling_ns) || llim_row_generation(zone, s.row, &s.generation)) continue;
        if (look->n == room) {
            room = room ? room * 2 : 64;
            look->scopes = cli_resize(look->scopes, room, sizeof *look->scopes);
        }
        look->scopes[look->n++] = s;
    }
    find_rates(before, look);
}

void cli_look_free(cli_look *look)
{
    free(look->scopes);
    free(look->usage);
    *look = (cli_look){.n = 0};
}

bool cli_nearly_full(const llim_zone_stats *stats)
{
    return llim_zone_full(stats, NULL) >= 90;
}
