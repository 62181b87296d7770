/*
 * status.c - the command status: a zone as it is now, as text, JSON or for Prometheus.
 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/order.h"
#include "cli/shown.h"
#include "cli/table.h"
#include "cli/watch.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static const char usage[] =
    "usage: llm-limiters status ZONE [OPTION]...\n"
    "\n"
    "Tells of the models of a zone in a file what of each limit is used and when nothing of it\n"
    "will be any more, what cools down, what was admitted, refused, and answered with 429 (or\n"
    "a spent quota), and how full the zone is. Looking disturbs nobody: the file is read, and\n"
    "nothing waits. Faults of scripts are known to each process alone: see llim_get_status().\n"
    "\n"
    "  --json           as JSON\n"
    "  --prometheus     as Prometheus reads it (text exposition format 0.0.4)\n"
    "  --scopes PREFIX  scopes whose names begin so, \"\" all (model:)\n";

enum { AS_JSON = 1, AS_PROMETHEUS, SCOPES, HELP };

static const struct option options[] = {
    {"json", no_argument, NULL, AS_JSON},
    {"prometheus", no_argument, NULL, AS_PROMETHEUS},
    {"scopes", required_argument, NULL, SCOPES},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void write_limits(const cli_look *look, const cli_order *order)
{
    cli_table table = {0};
    cli_table_add(&table, 6, "limit", "law", "used", "of", "use", "free in");
    for (uint32_t i = 0; i < order->n; i++) {
        const cli_scope *s = order->scopes[i];
        for (uint32_t k = 0; k < s->n_limits; k++) {
            const llim_usage *u = &look->usage[s->first + k];
            char what[64], name[LLIM_SCOPE_SHOWN + 80], used[CLI_AMOUNT_TEXT], of[CLI_AMOUNT_TEXT], use[16],
                left[CLI_TIME_TEXT];
            cli_limit_text(u->limit.meter, u->limit.law, u->limit.unit, u->limit.window_ns, what, sizeof what);
            snprintf(name, sizeof name, "%s %s", s->name, what);
            snprintf(use, sizeof use, "%.1f %%", 100 * cli_use(u));
            cli_table_add(&table, 6, name, llim_law_name(u->limit.law), cli_amount_text(u->limit.meter, u->used, used),
                          cli_amount_text(u->limit.meter, u->limit.amount, of), use,
                          u->used ? cli_time_text(u->reset_ns, left) : "-");
        }
    }
    cli_table_write(&table, stdout);
}

static void write_counts(const cli_order *order)
{
    cli_table table = {0};
    cli_table_add(&table, 7, "scope", "admitted", "refused", "429", "strikes", "cools for", "generation");
    for (uint32_t i = 0; i < order->n; i++) {
        const cli_scope *s = order->scopes[i];
        char count[CLI_COUNTS][CLI_COUNT_TEXT], strikes[16] = "-", left[CLI_TIME_TEXT], generation[16];
        for (int c = 0; c < CLI_COUNTS; c++)
            if (s->noted)
                cli_count_text((int64_t)s->count[c], count[c]);
            else
                strcpy(count[c], "-");
        if (s->noted) snprintf(strikes, sizeof strikes, "%u", s->strikes);
        snprintf(generation, sizeof generation, "%u", s->generation);
        cli_table_add(&table, 7, s->name, count[CLI_COUNT_ADMITTED], count[CLI_COUNT_REFUSED], count[CLI_COUNT_LIMITED],
                      strikes, s->cooling_ns ? cli_time_text(s->cooling_ns, left) : "-", generation);
    }
    cli_table_write(&table, stdout);
}

static void write_zone(const llim_zone_stats *s)
{
    char bytes[CLI_COUNT_TEXT], rows[CLI_COUNT_TEXT], used[CLI_COUNT_TEXT];
    printf("%s of %s rows are used", cli_count_text(s->rows_used, used), cli_count_text(s->rows, rows));
    if (s->rows_held_percent >= 0) printf(", and about %d %% hold something", s->rows_held_percent);
    printf("; %u of %u sliding windows, %u of %u leases; %s bytes\n", s->sliding_used, s->sliding, s->leases_used,
           s->leases, cli_count_text((int64_t)s->bytes, bytes));
    const char *what;
    const uint32_t full = llim_zone_full(s, &what);
    if (cli_nearly_full(s))
        printf("The zone is nearly full: %u %% of its %s are taken; when all are, what needs one more is refused.\n",
               full, what);
}

static int write_text(const cli_look *look)
{
    cli_order order;
    cli_order_make(look, CLI_BY_NAME, "", &order);
    if (order.n) {
        write_limits(look, &order);
        putchar('\n');
        write_counts(&order);
        putchar('\n');
    } else {
        puts("There are no such scopes.");
    }
    for (uint32_t i = 0; i < order.n; i++) {
        char name[LLIM_SCOPE_SHOWN * MB_LEN_MAX];
        if (!order.scopes[i]->busy) continue;
        cli_show(order.scopes[i]->name, INT_MAX, name, sizeof name);
        printf("The limits of %s are being changed.\n", name);
    }
    write_zone(&look->stats);
    cli_order_free(&order);
    return 0;
}

static double seconds(int64_t ns)
{
    return (double)ns / LLIM_SECOND;
}

static void add_limit(cJSON *limits, const llim_usage *u)
{
    char span[32];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(limits, item);
    llim__span_text(u->limit.law, u->limit.unit, u->limit.window_ns, span, sizeof span);
    cJSON_AddStringToObject(item, "meter", llim_meter_name(u->limit.meter));
    cJSON_AddStringToObject(item, "law", llim_law_name(u->limit.law));
    cJSON_AddStringToObject(item, "window", span);
    if (u->limit.law == LLIM_CALENDAR)
        cJSON_AddStringToObject(item, "time_zone", u->limit.zone[0] ? u->limit.zone : "UTC");
    cJSON_AddNumberToObject(item, "guard_seconds", seconds(u->limit.guard_ns));
    cJSON_AddNumberToObject(item, "limit", (double)u->limit.amount);
    cJSON_AddNumberToObject(item, "used", (double)u->used);
    cJSON_AddNumberToObject(item, "reset_seconds", seconds(u->reset_ns));
}

static void add_scope(cJSON *scopes, const cli_look *look, const cli_scope *s)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(scopes, item);
    cJSON_AddStringToObject(item, "scope", s->name);
    cJSON_AddNumberToObject(item, "generation", s->generation);
    cJSON_AddNumberToObject(item, "cooldown_seconds", seconds(s->cooling_ns));
    if (s->noted) {
        cJSON_AddNumberToObject(item, "strikes", s->strikes);
        cJSON_AddNumberToObject(item, "admitted", (double)s->count[CLI_COUNT_ADMITTED]);
        cJSON_AddNumberToObject(item, "refused", (double)s->count[CLI_COUNT_REFUSED]);
        cJSON_AddNumberToObject(item, "limited", (double)s->count[CLI_COUNT_LIMITED]);
    }
    cJSON_AddBoolToObject(item, "changing", s->busy);
    cJSON *limits = cJSON_AddArrayToObject(item, "limits");
    for (uint32_t k = 0; k < s->n_limits; k++) add_limit(limits, &look->usage[s->first + k]);
}

static void add_percent(cJSON *zone, const char *name, int32_t percent)
{
    if (percent >= 0)
        cJSON_AddNumberToObject(zone, name, percent);
    else
        cJSON_AddNullToObject(zone, name); /* nobody knows yet */
}

static int write_json(const cli_look *look)
{
    cli_order order;
    cJSON *root = cJSON_CreateObject(), *zone = cJSON_AddObjectToObject(root, "zone");
    const llim_zone_stats *z = &look->stats;
    cJSON_AddNumberToObject(root, "at", seconds(look->wall_ns));
    cJSON_AddNumberToObject(zone, "bytes", (double)z->bytes);
    cJSON_AddNumberToObject(zone, "rows", z->rows);
    cJSON_AddNumberToObject(zone, "rows_used", z->rows_used);
    add_percent(zone, "rows_held_percent", z->rows_held_percent);
    cJSON_AddBoolToObject(zone, "nearly_full", cli_nearly_full(z));
    cJSON_AddNumberToObject(zone, "sliding", z->sliding);
    cJSON_AddNumberToObject(zone, "sliding_used", z->sliding_used);
    add_percent(zone, "sliding_held_percent", z->sliding_held_percent);
    cJSON_AddNumberToObject(zone, "leases", z->leases);
    cJSON_AddNumberToObject(zone, "leases_used", z->leases_used);
    cJSON_AddNumberToObject(zone, "kinds", z->kinds);
    cJSON_AddNumberToObject(zone, "kinds_used", z->kinds_used);
    cJSON_AddNumberToObject(zone, "time_zones", z->time_zones);
    cJSON_AddNumberToObject(zone, "time_zones_used", z->time_zones_used);
    cJSON *scopes = cJSON_AddArrayToObject(root, "scopes");
    cli_order_make(look, CLI_BY_NAME, "", &order);
    for (uint32_t i = 0; i < order.n; i++) add_scope(scopes, look, order.scopes[i]);
    cli_order_free(&order);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (!text) exit(cli_fail("There is no memory for the JSON report."));
    puts(text);
    cJSON_free(text);
    return 0;
}

/* A zone in use may take more bytes the next time. */
static int write_prometheus(llim_zone *zone, const char *prefix)
{
    char *text = NULL;
    size_t cap = 0, size = 4095;
    do {
        cap = size + size / 8 + 1;
        text = cli_resize(text, cap, 1);
    } while (llim_prometheus(zone, prefix, text, cap, &size) == LLIM_ERANGE);
    fputs(text, stdout);
    free(text);
    return 0;
}

static int write(llim_zone *zone, int format, const char *prefix)
{
    if (format == AS_PROMETHEUS) return write_prometheus(zone, prefix);
    cli_look look;
    cli_look_at(zone, prefix, NULL, &look);
    int code = format == AS_JSON ? write_json(&look) : write_text(&look);
    cli_look_free(&look);
    return code;
}

int cli_status(int argc, char **argv)
{
    const char *prefix = "model:";
    int code = 0, format = 0;
    opterr = 0;
    for (int option; code == 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            return cli_finish(stdout, "standard output");
        }
        if (option == '?' || option == ':') code = cli_bad_option("status", argv, option);
        if (option == SCOPES) prefix = optarg;
        if (option != AS_JSON && option != AS_PROMETHEUS) continue;
        if (format && format != option) code = cli_misuse("status", "--json and --prometheus exclude one another.");
        format = option;
    }
    if (code == 0 && optind + 1 != argc)
        code = cli_misuse("status", optind == argc ? "The zone's file is missing." : "One zone's file is expected.");
    if (code) return code;
    llim_zone *zone = cli_look_open(argv[optind]);
    if (!zone) return 1;
    write(zone, format, prefix);
    llim_zone_close(zone);
    return cli_finish(stdout, "standard output");
}
