/*
 * simulate.c - the command simulate: what a trace of requests would have met under given quotas.
 *
 * This file reads the options and opens what they name; replay.c plays the trace, summary.h tells the result. Nothing is
 * opened before all options are known to be good, and the log is opened before the run, so that a wrong path costs nothing.
 */
#include "cli/cli.h"
#include "cli/role.h"
#include "cli/summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: llm-limiters simulate TRACE --models A,B,C [OPTION]...\n"
    "\n"
    "Runs a trace of requests through quotas in virtual time and tells what each model\n"
    "would have served, how long requests would have waited, and which limit they met.\n"
    "\n"
    "TRACE is a CSV file, or - for standard input, with one of the headers\n"
    "  TIMESTAMP,ContextTokens,GeneratedTokens   as the Azure LLM inference traces\n"
    "  time,tokens[,model][,scope]               seconds or timestamps; a model named here\n"
    "                                            replaces --models, a scope (team:acme) is\n"
    "                                            charged too if --quotas limits it\n"
    "Rows out of order are sorted by time; rows of one instant keep their order. For days\n"
    "and months, plain seconds begin at 2024-01-01 00:00 UTC.\n"
    "\n"
    "  --models A,B,C        models in the order of preference; needed unless every row\n"
    "                        names its own\n"
    "  --tier NAME           \"tier1\", or per provider \"openai=tier3,gemini=free\" (free)\n"
    "  --set SET             quota tables: baseline, published, or a directory (baseline)\n"
    "  --quotas FILE         Lua or .json file of overrides and further models\n"
    "  --policy POLICY       a policy by its name or path (priority)\n"
    "  --modality KIND       text, image, audio or live (text); an image request is one image,\n"
    "                        a live one a session that is held for its lease's time to live\n"
    "  --deadline SECONDS    how long a request may wait (60)\n"
    "  --guard SECONDS       safety margin of each window, at most a quarter of it (0.1)\n"
    "  --speed FACTOR        divides the gaps between arrivals (1)\n"
    "  --demand FACTOR       multiplies the requests: 2 has each twice, 0.5 every second (1)\n"
    "  --unknown-output      requests declare ContextTokens only; a call takes a second and one\n"
    "                        more for every 50 GeneratedTokens, at most an hour, is settled\n"
    "                        then, and meets a provider that knows them when it arrives: tells\n"
    "                        its 429s\n"
    "  --provider LAW        how that provider counts windows: sliding, calendar (minutes of\n"
    "                        the clock) or bucket (sliding)\n"
    "  --shadow PATH         a quota table, a directory of them, overrides or a policy: runs the\n"
    "                        trace again with that in the place of the set, the overrides or\n"
    "                        the policy, and tells how the two differ, request by request\n"
    "  --log FILE            writes a CSV line for each request:\n"
    "                        arrival,decided,outcome,model,tokens,wait,reason\n"
    "  --json                the summary as JSON\n"
    "\n"
    "In the log times are seconds since the first row, rounded up; an outcome is admitted,\n"
    "expired or never. The same trace and options always give the same bytes.\n";

enum {
    MODELS = 1,
    TIER,
    SET,
    QUOTAS,
    POLICY,
    SHADOW,
    MODALITY,
    DEADLINE,
    GUARD,
    SPEED,
    DEMAND,
    UNKNOWN,
    PROVIDER,
    LOG,
    JSON,
    HELP
};

static const struct option options[] = {
    {"models", required_argument, NULL, MODELS},
    {"tier", required_argument, NULL, TIER},
    {"set", required_argument, NULL, SET},
    {"quotas", required_argument, NULL, QUOTAS},
    {"policy", required_argument, NULL, POLICY},
    {"shadow", required_argument, NULL, SHADOW},
    {"modality", required_argument, NULL, MODALITY},
    {"deadline", required_argument, NULL, DEADLINE},
    {"guard", required_argument, NULL, GUARD},
    {"speed", required_argument, NULL, SPEED},
    {"demand", required_argument, NULL, DEMAND},
    {"unknown-output", no_argument, NULL, UNKNOWN},
    {"provider", required_argument, NULL, PROVIDER},
    {"log", required_argument, NULL, LOG},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static int number(const char *option, const char *unit, double least, double most, double *value)
{
    if (cli_number(optarg, least, most, value)) return 0;
    return cli_misuse("simulate", "--%s is \"%s\"; expected a number%s from %.10g to %.10g.", option, optarg, unit,
                      least, most);
}

static int read_modality(cli_setup *setup)
{
    static const char *const names[] = {"text", "image", "audio", "live"};
    for (int32_t i = 0; i < 4; i++) {
        setup->limiter.modality = i;
        if (strcmp(optarg, names[i]) == 0) return 0;
    }
    return cli_misuse("simulate", "--modality is \"%s\"; expected text, image, audio or live.", optarg);
}

static int read_provider(cli_setup *setup)
{
    for (setup->provider = LLIM_SLIDING; setup->provider <= LLIM_BUCKET; setup->provider++)
        if (strcmp(optarg, llim_law_name(setup->provider)) == 0) return 0;
    return cli_misuse("simulate", "--provider is \"%s\"; expected sliding, calendar or bucket.", optarg);
}

/* Cuts the list at its commas, in place. */
static int read_models(cli_setup *setup)
{
    setup->n_models = 0;
    for (char *name = optarg, *comma = name; comma; name = comma + 1) {
        comma = strchr(name, ',');
        if (comma) *comma = 0;
        if (!*name) return cli_misuse("simulate", "--models has an empty name; expected names between commas.");
        setup->models = cli_resize(setup->models, (size_t)setup->n_models + 1, sizeof *setup->models);
        setup->models[setup->n_models++] = name;
    }
    return 0;
}

static int read_option(cli_setup *setup, int option)
{
    switch (option) {
    case MODELS:
        return read_models(setup);
    case TIER:
        setup->limiter.tier = optarg;
        return 0;
    case SET:
        setup->limiter.quotas = optarg;
        return 0;
    case QUOTAS:
        setup->limiter.overrides = optarg;
        return 0;
    case POLICY:
        setup->limiter.policy = optarg;
        return 0;
    case SHADOW:
        setup->shadow = optarg;
        return 0;
    case MODALITY:
        return read_modality(setup);
    case DEADLINE:
        return number("deadline", " of seconds", 0, 31536000, &setup->deadline);
    case GUARD:
        return number("guard", " of seconds", 0, 86400, &setup->guard);
    case SPEED:
        return number("speed", "", 0.001, 1e6, &setup->speed);
    case DEMAND:
        return number("demand", "", 0.001, 1000, &setup->demand);
    case UNKNOWN:
        setup->unknown = true;
        return 0;
    case PROVIDER:
        return read_provider(setup);
    case LOG:
        setup->log = optarg;
        if (strcmp(optarg, "-") == 0)
            return cli_misuse("simulate", "--log needs the path of a file; standard output carries the summary.");
        return 0;
    default:
        setup->json = true;
        return 0;
    }
}

/* What went wrong in the library, in its own words. */
static int failed(int code, const llim_error *err)
{
    if (err->message[0]) return cli_fail("%s", err->message);
    return cli_fail("The limiter failed: %s.", llim_code_name(code));
}

static int read_trace(cli_setup *setup, cli_trace *trace)
{
    bool standard = strcmp(setup->trace, "-") == 0;
    FILE *file = standard ? stdin : fopen(setup->trace, "r");
    if (!file) return cli_fail("%s cannot be read: %s.", setup->trace, strerror(errno));
    if (standard) setup->trace = "standard input";
    llim_error err = {0};
    int code = cli_trace_read(file, setup->trace, trace, &err);
    if (!standard) fclose(file);
    if (code == LLIM_OK) code = cli_trace_shape(trace, setup->speed, (uint32_t)lrint(setup->demand * 1e6), &err);
    if (code != LLIM_OK) return failed(code, &err);
    for (uint32_t i = 0; i < trace->n_groups; i++)
        if (!trace->groups[i].model[0] && setup->n_models == 0)
            return cli_misuse("simulate",
                              "--models is missing, and %s:%u names no model of its own; expected names in "
                              "the order of preference, such as --models gpt-4o,gemini-2.5-flash.",
                              setup->trace, trace->groups[i].line);
    return 0;
}

static void warn(void *ctx, int level, const char *message)
{
    (void)ctx;
    if (level == LLIM_LOG_WARNING) cli_fail("%s", message);
}

static int open_limiter(cli_setup *setup, const cli_trace *trace, llim_limiter **limiter)
{
    llim_options *o = &setup->limiter;
    uint32_t scopes = 0;
    for (uint32_t i = 0; i < trace->n_groups; i++) scopes += trace->groups[i].scope[0] != 0;
    o->size = sizeof *o;
    o->guard_ns = llrint(setup->guard * LLIM_SECOND);
    if (o->guard_ns == 0) o->guard_ns = LLIM_NO_GUARD;
    o->log = warn;
    o->seed = 1; /* of policies that draw: the same bytes each time */
    o->zone.size = sizeof o->zone;
    o->zone.clock = LLIM_CLOCK_VIRTUAL;
    o->zone.start_wall_ns = trace->wall_ns;
    o->zone.leases = trace->n < 1 << 20 ? trace->n : 1 << 20;
    o->scopes = scopes < 1 << 22 ? scopes : 1 << 22; /* idle ones are recycled beyond that */
    llim_error err = {0};
    int code = llim_open(o, limiter, &err);
    return code == LLIM_OK ? 0 : failed(code, &err);
}

/* input may be "-", the standard input. */
static bool is_input(const char *path, const char *input)
{
    struct stat x, y;
    if (!path || !input || stat(path, &x) != 0 || !S_ISREG(x.st_mode)) return false;
    int got = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &y) : stat(input, &y);
    return got == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A limiter and the trace's run through it. */
typedef struct side {
    cli_setup setup;
    llim_limiter *limiter;
    cli_run run;
} side;

static int open_side(side *s, const cli_setup *setup, const cli_trace *trace)
{
    s->setup = *setup;
    int code = open_limiter(&s->setup, trace, &s->limiter);
    if (code) return code;
    int opened = cli_run_open(&s->run, &s->setup, trace, s->limiter);
    return opened == LLIM_OK ? 0 : failed(opened, &s->run.err);
}

static void close_side(side *s)
{
    if (s->limiter) cli_run_close(&s->run);
    llim_close(s->limiter);
}

/* The setup with the candidate in its place. */
static int open_shadow(side *s, const cli_setup *setup, const cli_trace *trace, cli_shadow *shadow)
{
    llim_error err = {0};
    cli_setup candidate = *setup;
    const enum cli_role role = cli_role_of(&setup->limiter, setup->shadow, &err);
    if (role == CLI_NO_ROLE) return failed(err.code, &err);
    cli_role_set(&candidate.limiter, role, setup->shadow);
    candidate.in_shadow = true;
    struct stat info;
    const bool is_file = stat(setup->shadow, &info) == 0 && S_ISREG(info.st_mode);
    *shadow = (cli_shadow){.path = setup->shadow,
                           .kind = role == CLI_QUOTAS && !is_file ? "a set of quota tables" : cli_roles[role]};
    return open_side(s, &candidate, trace);
}

/* there NULL: without a shadow. */
static int play(side *here, side *there, cli_shadow *shadow)
{
    const cli_setup *setup = &here->setup;
    FILE *log = setup->log ? fopen(setup->log, "w") : NULL;
    if (setup->log && !log) return cli_fail("%s cannot be written: %s.", setup->log, strerror(errno));
    side *last = here;
    int code = cli_replay(&here->run);
    if (code == LLIM_OK && there) code = cli_replay(&(last = there)->run);
    if (code != LLIM_OK) {
        if (log) fclose(log);
        return failed(code, &last->run.err);
    }
    if (log) {
        cli_write_log(&here->run, log);
        code = cli_finish(log, setup->log);
    }
    cli_summary summary;
    cli_summarize(&here->run, &summary);
    if (there) cli_shadow_compare(&here->run, &there->run, shadow);
    if (there) summary.shadow = shadow;
    if (setup->json)
        cli_write_json(&here->run, &summary, stdout);
    else
        cli_write_table(&here->run, &summary, stdout);
    cli_summary_free(&summary);
    int ended = cli_finish(stdout, "standard output");
    return code ? code : ended;
}

static int simulate(cli_setup *setup)
{
    cli_trace trace = {0};
    side here = {.limiter = NULL}, there = {.limiter = NULL};
    cli_shadow shadow = {.path = NULL};
    const char *const inputs[] = {setup->trace, setup->limiter.overrides, setup->limiter.quotas, setup->limiter.policy,
                                  setup->shadow};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (inputs[i] && is_input(setup->log, inputs[i]))
            return cli_fail("%s is an input of this run and would be overwritten; give --log another file.",
                            setup->log);
    int code = read_trace(setup, &trace);
    if (code == 0) code = open_side(&here, setup, &trace);
    if (code == 0 && setup->shadow) code = open_shadow(&there, setup, &trace, &shadow);
    if (code == 0) code = play(&here, setup->shadow ? &there : NULL, &shadow);
    cli_shadow_free(&shadow);
    close_side(&there);
    close_side(&here);
    cli_trace_free(&trace);
    return code;
}

int cli_simulate(int argc, char **argv)
{
    cli_setup setup = {.deadline = 60, .guard = 0.1, .speed = 1, .demand = 1, .provider = -1};
    int code = 0;
    opterr = 0;
    for (int option; code == 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            free(setup.models);
            return cli_finish(stdout, "standard output");
        }
        code = option == '?' || option == ':' ? cli_bad_option("simulate", argv, option) : read_option(&setup, option);
    }
    if (code == 0 && setup.provider >= 0 && !setup.unknown)
        code = cli_misuse("simulate", "--provider says how calls of an unknown output are judged; expected "
                                      "--unknown-output beside it.");
    if (code == 0 && optind == argc) code = cli_misuse("simulate", "A trace is missing.");
    if (code == 0 && optind + 1 < argc)
        code = cli_misuse("simulate", "There is one trace too many: \"%s\".", argv[optind + 1]);
    if (code == 0) {
        setup.trace = argv[optind];
        if (setup.provider < 0) setup.provider = LLIM_SLIDING;
        setup.deadline_ns = llrint(setup.deadline * LLIM_SECOND);
        code = simulate(&setup);
    }
    free(setup.models);
    return code;
}
