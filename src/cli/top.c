/*
 * top.c - the command top: a zone, again and again.
 */
#include "cli/board.h"
#include "cli/cli.h"
#include "cli/screen.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: llm-limiters top ZONE [OPTION]...\n"
    "\n"
    "Shows the models of a zone in a file as they are used: a bar for each limit, cooldowns,\n"
    "and per second what was admitted, what was refused and what the provider answered with\n"
    "429. Looking disturbs nobody: the file is read, and nothing waits. A row that shows \"-\"\n"
    "has no counts, or no earlier look. Faults of scripts are known to each process alone:\n"
    "see llim_get_status().\n"
    "\n"
    "  --interval S     seconds between two looks, 0.1 to 3600 (1)\n"
    "  --sort KEY       use, name, admitted or refused (use)\n"
    "  --filter TEXT    only scopes whose names hold that\n"
    "  --scopes PREFIX  scopes whose names begin so, \"\" all (model:)\n"
    "  --once           look once, and end\n"
    "\n"
    "In a terminal: q ends, s changes the sort, / types a filter, escape clears it, arrows,\n"
    "j, k and page keys scroll. Elsewhere each look is printed below the one before.\n";

enum { INTERVAL = 1, SORT, FILTER, SCOPES, ONCE, HELP };

static const struct option options[] = {
    {"interval", required_argument, NULL, INTERVAL},
    {"sort", required_argument, NULL, SORT},
    {"filter", required_argument, NULL, FILTER},
    {"scopes", required_argument, NULL, SCOPES},
    {"once", no_argument, NULL, ONCE},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

typedef struct setup {
    cli_view view;
    const char *prefix;
    bool once;
} setup;

static void look_again(llim_zone *zone, const setup *s, cli_look *look)
{
    cli_look now;
    cli_look_at(zone, s->prefix, look->scopes ? look : NULL, &now);
    cli_look_free(look);
    *look = now;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void draw(setup *s, const cli_look *look)
{
    cli_lines lines = {.n = 0};
    cli_screen_size(&s->view.rows, &s->view.columns);
    cli_board(look, &s->view, &lines);
    cli_screen_draw(&lines);
    cli_lines_free(&lines);
}

static int show(llim_zone *zone, setup *s)
{
    cli_look look = {.n = 0};
    s->view.keys = true;
    double due = seconds_now();
    for (bool goes_on = true; goes_on;) {
        if (seconds_now() >= due) {
            look_again(zone, s, &look);
            due = seconds_now() + s->view.interval;
        }
        draw(s, &look);
        const int key = cli_screen_wait(due - seconds_now());
        if (key == CLI_SCREEN_ENDED) break;
        if (key > 0) goes_on = cli_view_key(&s->view, key);
    }
    cli_look_free(&look);
    cli_screen_close();
    /* As every program that a signal ends, for whoever asks what became of it. */
    if (cli_screen_signal()) raise(cli_screen_signal());
    return 0;
}

static int print(llim_zone *zone, setup *s)
{
    cli_look look = {.n = 0};
    bool first = true;
    s->view.columns = 100;
    do {
        cli_lines lines = {.n = 0};
        if (!first) {
            const struct timespec pause = {(time_t)s->view.interval,
                                           (long)((s->view.interval - (double)(time_t)s->view.interval) * 1e9)};
            nanosleep(&pause, NULL);
            putchar('\n');
        }
        first = false;
        look_again(zone, s, &look);
        cli_board(&look, &s->view, &lines);
        for (uint32_t i = 0; i < lines.n; i++) puts(lines.line[i]);
        cli_lines_free(&lines);
    } while (fflush(stdout) == 0 && !s->once);
    cli_look_free(&look);
    return cli_finish(stdout, "standard output");
}

static int read_option(setup *s, int option, char **argv)
{
    switch (option) {
    case INTERVAL:
        if (!cli_number(optarg, 0.1, 3600, &s->view.interval))
            return cli_misuse("top", "--interval is \"%s\"; expected seconds from 0.1 to 3600.", optarg);
        return 0;
    case SORT:
        for (int i = 0; i < CLI_SORTS; i++) {
            if (strcmp(optarg, cli_sorts[i]) != 0) continue;
            s->view.sort = (enum cli_sort)i;
            return 0;
        }
        return cli_misuse("top", "--sort is \"%s\"; expected use, name, admitted or refused.", optarg);
    case FILTER:
        if (strlen(optarg) >= sizeof s->view.filter)
            return cli_misuse("top", "--filter is longer than %zu bytes.", sizeof s->view.filter - 1);
        strcpy(s->view.filter, optarg);
        return 0;
    case SCOPES:
        s->prefix = optarg;
        return 0;
    case ONCE:
        s->once = true;
        return 0;
    default:
        return cli_bad_option("top", argv, option);
    }
}

int cli_top(int argc, char **argv)
{
    setup s = {.view = {.interval = 1}, .prefix = "model:"};
    int code = 0;
    opterr = 0;
    for (int option; code == 0 && (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            return cli_finish(stdout, "standard output");
        }
        code = read_option(&s, option, argv);
    }
    if (code == 0 && optind + 1 != argc)
        code = cli_misuse("top", optind == argc ? "The zone's file is missing." : "One zone's file is expected.");
    if (code) return code;
    s.view.path = argv[optind];
    llim_zone *zone = cli_look_open(s.view.path);
    if (!zone) return 1;
    code = !s.once && cli_screen_open() ? show(zone, &s) : print(zone, &s);
    llim_zone_close(zone);
    return code;
}
