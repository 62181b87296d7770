/*
 * verify.c - the command verify: whether a zone in a file is sound.
 */
#include "engine/verify.h"

#include "cli/cli.h"

#include <getopt.h>

static const char usage[] =
    "usage: llm-limiters verify ZONE\n"
    "\n"
    "Proves a zone in a file sound: that its rows, index, free lists, sliding windows, notes and\n"
    "leases agree with one another and its header, and that each limit holds what its law\n"
    "allows. Nothing is written. On a zone in use those who decide go on, and those who would\n"
    "add scopes or reload wait for as long as copying it takes, if the file may be written to.\n"
    "If not, or if a process stands in the middle of a change, copies are looked at until one is\n"
    "sound; where none is, nothing can be told.\n"
    "\n"
    "The exit code is 0 if it is sound, 1 if not or if it cannot be read, 3 if that cannot be\n"
    "told now, 2 if the command was misused.\n";

static void tell(void *ctx, const char *fault)
{
    (void)ctx;
    printf("fault: %s\n", fault);
}

static void report(const llim__verified *v)
{
    printf(
        "looked at: %u scopes with %u limits, %u further rows, %u free rows, the index; %u sliding windows, %u free\n"
        "ones; %u kinds of limits, %u time zones; %u leases; %u notes\n",
        v->scopes, v->limits, v->more_rows, v->free_rows, v->rings, v->free_rings, v->shapes, v->zones, v->leases,
        v->notes);
    if (v->writer_died)
        puts("A writer died in the middle of a change. The next one puts that right, and so was done here, in memory.");
    if (v->faults)
        printf("not sound: %u fault%s\n", v->faults, v->faults == 1 ? "" : "s");
    else
        puts("sound");
}

int cli_verify(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 1}, {NULL, 0, NULL, 0}};
    static const llim__faults faults = {.tell = tell};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option != 1) return cli_bad_option("verify", argv, option);
        fputs(usage, stdout);
        return cli_finish(stdout, "standard output");
    }
    if (optind + 1 != argc)
        return cli_misuse("verify", optind == argc ? "The zone's file is missing." : "One zone's file is expected.");
    llim__verified done = {.faults = 0};
    llim_error err = {.message = "There is no memory to verify it."};
    const int code = llim__file_verify(argv[optind], &faults, &done, &err);
    if (code == LLIM_EBUSY) {
        cli_fail("%s", err.message);
        return 3;
    }
    if (code && !done.faults) return cli_fail("%s", err.message);
    report(&done);
    const int ended = cli_finish(stdout, "standard output");
    return code ? 1 : ended;
}
