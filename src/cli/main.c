/*
 * main.c - the program llm-limiters: finds the command and hands over.
 *
 * Each command lives in a file of its name and reads its own options; this file knows their names and nothing else.
 */
#include "cli/cli.h"
#include "llm_limiters_core.h"

#include <locale.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"simulate", cli_simulate, "run a trace of requests through quotas in virtual time"},
    {"generate", cli_generate, "write a realistic trace"},
    {"classify", cli_classify, "tell what a provider's answer means"},
    {"check", cli_check, "tell whether quotas and policies are good, and what they change"},
    {"status", cli_status, "tell how a zone is used, as text, JSON or for Prometheus"},
    {"top", cli_top, "show a zone as it is used"},
    {"verify", cli_verify, "prove that a zone is sound"},
};

static int help(void)
{
    puts("usage: llm-limiters COMMAND [OPTION]...\n"
         "\n"
         "Rate limits and quotas for calls to language models.\n"
         "\n"
         "commands:");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].about);
    puts("\n"
         "  --help     this text; llm-limiters COMMAND --help tells more\n"
         "  --version  the version");
    return cli_finish(stdout, "standard output");
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* for what is shown; numbers stay as C writes them */
    if (argc < 2) return cli_misuse(NULL, "A command is missing.");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return help();
    if (strcmp(name, "--version") == 0) {
        uint32_t v = llim_version();
        printf("llm-limiters %u.%u.%u\n", v / 10000, v / 100 % 100, v % 100);
        return cli_finish(stdout, "standard output");
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    if (name[0] == '-') return cli_misuse(NULL, "There is no option %s.", name);
    return cli_misuse(
        NULL, "There is no command \"%s\"; there are simulate, generate, classify, check, status, top and verify.",
        name);
}
