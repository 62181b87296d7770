/*
 * top.c - the command top: a zone, again and again.
 */
#include "cli/board.h"
#include "cli/cli.h"
#include "cli/screen.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
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
    "  --interval S     seconds from one look to the next, 0.1 to 3600 (1); longer if looking would\n"
    "                   take more than a tenth of the time\n"
    "  --sort KEY       use, name, admitted or refused (use)\n"
    "  --filter TEXT    only scopes whose names hold that\n"
    "  --scopes PREFIX  scopes whose names begin so, \"\" all (model:)\n"
    "  --once           look once, and end\n"
    "\n"
    "In a terminal: q ends, s changes the sort, / types a filter, escape clears it, arrows,\n"
    "j, k and page keys scroll. Elsewhere each look is printed below the one before. Of large\n"
    "amounts the rest is cut: 125M, then G, T, P and E, each a thousand times as much.\n";

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

/* Looking takes no more than one part of so many of the time, however large the zone is. */
enum { PARTS = 10 };

typedef struct setup {
    cli_view view;
    const char *prefix;
    bool once;
} setup;

/* A look, and its order as the view has asked for it then. */
typedef struct picture {
    cli_look look;
    cli_order order;
    enum cli_sort sort;
    char filter[LLIM_SCOPE_SHOWN];
} picture;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_in_order(picture *p, const cli_view *view)
{
    cli_order_free(&p->order);
    cli_order_make(&p->look, view->sort, view->filter, &p->order);
    p->sort = view->sort;
    strcpy(p->filter, view->filter);
}

/* Tells when to look again. */
static double look_again(llim_zone *zone, setup *s, picture *p)
{
    cli_look now;
    const double start = seconds_now();
    free(p->look.usage); /* rates are told by the scopes alone */
    p->look.usage = NULL;
    cli_look_at(zone, s->prefix, p->look.scopes ? &p->look : NULL, &now);
    cli_look_free(&p->look);
    p->look = now;
    put_in_order(p, &s->view);
    s->view.slow = PARTS * (seconds_now() - start);
    return start + (s->view.slow > s->view.interval ? s->view.slow : s->view.interval);
}

static void forget(picture *p)
{
    cli_order_free(&p->order);
    cli_look_free(&p->look);
}

static void draw(setup *s, picture *p)
{
    cli_lines lines = {.n = 0};
    if (p->sort != s->view.sort || strcmp(p->filter, s->view.filter) != 0) put_in_order(p, &s->view);
    cli_screen_size(&s->view.rows, &s->view.columns);
    cli_board(&p->look, &p->order, &s->view, &lines);
    cli_screen_draw(&lines);
    cli_lines_free(&lines);
}

static int show(llim_zone *zone, setup *s)
{
    picture p = {.sort = s->view.sort};
    s->view.keys = true;
    double due = seconds_now();
    for (bool goes_on = true; goes_on;) {
        if (seconds_now() >= due) due = look_again(zone, s, &p);
        draw(s, &p);
        int key = cli_screen_wait(due - seconds_now());
        for (; key > 0 && goes_on; key = cli_screen_wait(0))
            goes_on = cli_view_key(&s->view, key); /* all that are there */
        if (key == CLI_SCREEN_ENDED) break;
    }
    forget(&p);
    cli_screen_close();
    /* As every program that a signal ends, for whoever asks what became of it. */
    if (cli_screen_signal()) raise(cli_screen_signal());
    return 0;
}

static int print(llim_zone *zone, setup *s)
{
    picture p = {.sort = s->view.sort};
    double due = 0;
    s->view.columns = 100;
    do {
        cli_lines lines = {.n = 0};
        const double left = due - seconds_now();
        if (due > 0) putchar('\n');
        if (left > 0) nanosleep(&(struct timespec){(time_t)left, (long)((left - (double)(time_t)left) * 1e9)}, NULL);
        due = look_again(zone, s, &p);
        cli_board(&p.look, &p.order, &s->view, &lines);
        for (uint32_t i = 0; i < lines.n; i++) puts(lines.line[i]);
        cli_lines_free(&lines);
    } while (fflush(stdout) == 0 && !s->once);
    forget(&p);
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
