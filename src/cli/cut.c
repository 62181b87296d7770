/*
 * cut.c - see cut.h.
 *
 * SIGBUS comes from whatever instruction met a page that is gone, so that there is no going on after it; all that is called from
 * there is async-signal-safe. What was to be written and is not yet stays unwritten.
 */
#include "cli/cut.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const char *file;
static void (*volatile before)(void);

static void tell(const char *text)
{
    for (size_t n = strlen(text); n > 0;) {
        const ssize_t written = write(STDERR_FILENO, text, n);
        if (written <= 0) return;
        text += written;
        n -= (size_t)written;
    }
}

static void on_bus(int number)
{
    (void)number;
    if (before) before();
    tell("llm-limiters: The zone ");
    tell(file);
    tell(" was cut off while it was read, or cannot be read by its disk.\n");
    _exit(1);
}

void cli_cut_catch(const char *path)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_bus;
    file = path;
    sigaction(SIGBUS, &action, NULL);
}

void cli_cut_first(void (*first)(void))
{
    before = first;
}
