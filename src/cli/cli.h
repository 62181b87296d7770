/*
 * cli.h - what every command of llm-limiters shares: its entry points, how it reports trouble, how it reads numbers.
 *
 * A command returns the exit code: 0, 1 when something failed at run time, 2 when it was called wrongly. Messages go to
 * standard error, one line each, and results to standard output. Only the files of src/cli include this.
 */
#ifndef LLIM_CLI_CLI_H
#define LLIM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_NONE UINT32_MAX /* no index */

int cli_simulate(int argc, char **argv);
int cli_generate(int argc, char **argv);
int cli_classify(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_verify(int argc, char **argv);

/* Prints "llm-limiters: " and the sentence; returns 1. */
__attribute__((format(printf, 1, 2))) int cli_fail(const char *format, ...);

/* The same, followed by where to find help on the command (NULL: on all of them); returns 2. */
__attribute__((format(printf, 2, 3))) int cli_misuse(const char *command, const char *format, ...);

/* What getopt_long() objected to, as a misuse; call it on '?' and ':' with opterr 0 and a leading ':' in its options. */
int cli_bad_option(const char *command, char **argv, int result);

/* Ends an output: 0, or 1 with a message if anything written to it was lost. Standard output is flushed, others closed. */
int cli_finish(FILE *out, const char *name);

/* realloc for n items of that size; ends the program with a message if there is no memory. */
void *cli_resize(void *items, size_t n, size_t size);

/* A copy of the text for the caller to free; ends the program likewise. */
char *cli_copy(const char *text);

/* A finite decimal number ("12", "0.5", "1e3") in least .. most, the whole of the text. */
bool cli_number(const char *text, double least, double most, double *value);

/* Decimal digits and nothing else, 0 .. most. */
bool cli_integer(const char *text, uint64_t most, uint64_t *value);

#endif
