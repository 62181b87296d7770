/*
 * log.c - the log of a run, a CSV line per request; see summary.h.
 *
 * Two runs of the same trace and options write the same bytes: nothing here depends on the host.
 */
#include "cli/cli.h"
#include "cli/summary.h"

#include <string.h>

static int64_t microseconds(int64_t ns)
{
    return (ns + 999) / 1000;
}

static void write_time(FILE *out, int64_t us)
{
    fprintf(out, "%lld.%06lld,", (long long)(us / 1000000), (long long)(us % 1000000));
}

/* Names may hold what CSV must quote. */
static void write_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"') putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void cli_write_log(const cli_run *run, FILE *out)
{
    static const char *const outcomes[] = {"waiting", "admitted", "expired", "never"};
    fputs("arrival,decided,outcome,model,tokens,wait,reason\n", out);
    for (uint32_t i = 0; i < run->trace->n; i++) {
        const cli_row *row = &run->trace->rows[i];
        const cli_fate *fate = &run->fates[i];
        int64_t arrival = microseconds(row->at_ns), decided = microseconds(fate->decided_ns);
        write_time(out, arrival);
        write_time(out, decided);
        fprintf(out, "%s,", outcomes[fate->outcome]);
        if (fate->model != CLI_NONE) write_text(out, run->models[fate->model].info.name);
        fprintf(out, ",%lld,", (long long)row->tokens);
        write_time(out, decided - arrival);
        if (fate->reason != CLI_NONE) write_text(out, run->reasons.text[fate->reason]);
        putc('\n', out);
    }
}
