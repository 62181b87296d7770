/*
 * cli.c - how commands report trouble, read numbers and end their outputs.
 *
 * Numbers from the command line and from traces pass here only, so that "nan", "0x10", " 1" and 1e400 are refused
 * everywhere alike.
 */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <getopt.h>

__attribute__((format(printf, 1, 0))) static void complain(const char *format, va_list args)
{
    fputs("llm-limiters: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return 1;
}

int cli_misuse(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    fprintf(stderr, "Try 'llm-limiters %s%s--help'.\n", command ? command : "", command ? " " : "");
    return 2;
}

int cli_bad_option(const char *command, char **argv, int result)
{
    const char *option = argv[optind - 1];
    if (result == ':') return cli_misuse(command, "Option %s wants a value.", option);
    if (optopt >= ' ') return cli_misuse(command, "There is no option -%c.", optopt);
    if (optopt)
        return cli_misuse(command, "Option %s: it takes no value.", option); /* a long one, by its small number */
    return cli_misuse(command, "There is no option %s, or it is short for more than one.", option);
}

int cli_finish(FILE *out, const char *name)
{
    bool lost = ferror(out) != 0; /* errno then tells of the last write that failed */
    if (!lost) errno = 0;
    if ((out == stdout ? fflush(out) : fclose(out)) != 0) lost = true;
    if (!lost) return 0;
    return cli_fail("%s cannot be written: %s.", name, errno ? strerror(errno) : "an earlier write failed");
}

void *cli_resize(void *items, size_t n, size_t size)
{
    void *moved = reallocarray(items, n ? n : 1, size);
    if (moved) return moved;
    exit(cli_fail("There is no memory for %zu items of %zu bytes.", n, size));
}

char *cli_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(cli_resize(NULL, size, 1), text, size);
}

bool cli_number(const char *text, double least, double most, double *value)
{
    /* strtod alone would take "nan", "inf", "0x10" and leading spaces */
    if (!*text || strspn(text, "0123456789.eE+-") != strlen(text)) return false;
    char *end;
    double number = strtod(text, &end);
    if (*end || !isfinite(number) || number < least || number > most) return false;
    *value = number;
    return true;
}

bool cli_integer(const char *text, uint64_t most, uint64_t *value)
{
    uint64_t number = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (digit > most || number > (most - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}
