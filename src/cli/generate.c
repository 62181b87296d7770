/*
 * generate.c - the command generate: writes a trace that looks like production traffic.
 *
 * Arrivals are a Poisson process in two states. In a burst the rate is the given factor times the mean rate, and bursts are
 * as rare as it takes that half of all requests come in them; the calm between makes up the mean. Sizes are log-normal.
 */
#include "cli/cli.h"
#include "cli/instant.h"
#include "cli/random.h"
#include "llm_limiters_core.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <getopt.h>

#define BURST_SECONDS 10.0      /* mean length of a burst */
#define TOKENS_MAX    (1 << 30) /* of one amount: two of them are still a valid charge */

typedef struct settings {
    uint64_t requests, seed;
    double rate, burst, context, generated, sigma;
    int64_t start_ns;
    const char *out;
} settings;

static const char usage[] = "usage: llm-limiters generate [OPTION]...\n"
                            "\n"
                            "Writes a trace of requests as CSV: TIMESTAMP,ContextTokens,GeneratedTokens.\n"
                            "The same options give the same bytes on every machine.\n"
                            "\n"
                            "  --requests N           how many (10000)\n"
                            "  --rate PER_MINUTE      mean rate of arrivals (330)\n"
                            "  --burst FACTOR         half of the requests come in bursts at this factor times the\n"
                            "                         mean rate; 1 has no bursts (4)\n"
                            "  --context-median N     median of the tokens sent (800)\n"
                            "  --generated-median N   median of the tokens received (40)\n"
                            "  --sigma S              spread of both, the standard deviation of their logarithm (1)\n"
                            "  --seed N               another trace of the same kind (1)\n"
                            "  --start TIMESTAMP      when it begins (2024-01-01 00:00:00)\n"
                            "  --out FILE             where to write (standard output)\n";

enum { REQUESTS = 1, RATE, BURST, CONTEXT, GENERATED, SIGMA, SEED, START, OUT, HELP };

static const struct option options[] = {
    {"requests", required_argument, NULL, REQUESTS},
    {"rate", required_argument, NULL, RATE},
    {"burst", required_argument, NULL, BURST},
    {"context-median", required_argument, NULL, CONTEXT},
    {"generated-median", required_argument, NULL, GENERATED},
    {"sigma", required_argument, NULL, SIGMA},
    {"seed", required_argument, NULL, SEED},
    {"start", required_argument, NULL, START},
    {"out", required_argument, NULL, OUT},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static int number(const char *option, double least, double most, double *value)
{
    if (cli_number(optarg, least, most, value)) return 0;
    return cli_misuse("generate", "--%s is \"%s\"; expected a number from %.10g to %.10g.", option, optarg, least,
                      most);
}

static int integer(const char *option, uint64_t least, uint64_t most, uint64_t *value)
{
    if (cli_integer(optarg, most, value) && *value >= least) return 0;
    return cli_misuse("generate", "--%s is \"%s\"; expected a whole number from %llu to %llu.", option, optarg,
                      (unsigned long long)least, (unsigned long long)most);
}

static int read_option(settings *s, int option)
{
    switch (option) {
    case REQUESTS:
        return integer("requests", 1, 100000000, &s->requests);
    case RATE:
        return number("rate", 0.001, 1e7, &s->rate);
    case BURST:
        return number("burst", 1, 1000, &s->burst);
    case CONTEXT:
        return number("context-median", 1, 1e7, &s->context);
    case GENERATED:
        return number("generated-median", 1, 1e7, &s->generated);
    case SIGMA:
        return number("sigma", 0, 4, &s->sigma);
    case SEED:
        return integer("seed", 0, UINT64_MAX, &s->seed);
    case START:
        if (cli_timestamp(optarg, &s->start_ns)) return 0;
        return cli_misuse("generate", "--start is \"%s\"; expected a timestamp such as 2024-01-01 00:00:00.", optarg);
    default:
        s->out = optarg;
        return 0;
    }
}

static int64_t amount(cli_random *random, double median, double sigma)
{
    double size = floor(cli_random_size(random, median, sigma) + 0.5);
    return size < 1 ? 1 : size > TOKENS_MAX ? TOKENS_MAX : (int64_t)size;
}

static int write_trace(const settings *s, FILE *out)
{
    cli_random random;
    cli_random_seed(&random, s->seed);
    double share = 1 / (2 * s->burst); /* of the time, that bursts take */
    double mean[2] = {BURST_SECONDS * (1 - share) / share, BURST_SECONDS};
    double gap[2] = {60 / s->rate * (2 * (1 - share)), 60 / s->rate / s->burst};
    int burst = 0;
    double now = 0, until = cli_random_gap(&random, mean[0]);
    fputs("TIMESTAMP,ContextTokens,GeneratedTokens\n", out);
    for (uint64_t i = 0; i < s->requests && !ferror(out); i++) {
        double next = i ? now + cli_random_gap(&random, gap[burst]) : 0;
        while (next >= until) { /* what is left of the gap is drawn anew: the process has no memory */
            now = until;
            burst = !burst;
            until = now + cli_random_gap(&random, mean[burst]);
            next = now + cli_random_gap(&random, gap[burst]);
        }
        now = next;
        if (now + (double)s->start_ns / LLIM_SECOND >= (double)CLI_INSTANT_END)
            return cli_fail("The trace would run past the year 2199; expected an earlier --start or a higher --rate.");
        char text[40];
        cli_timestamp_text(s->start_ns + (int64_t)(now * LLIM_SECOND), text, sizeof text);
        long long context = amount(&random, s->context, s->sigma), generated = amount(&random, s->generated, s->sigma);
        fprintf(out, "%s,%lld,%lld\n", text, context, generated);
    }
    return 0;
}

int cli_generate(int argc, char **argv)
{
    settings s = {.requests = 10000,
                  .seed = 1,
                  .rate = 330,
                  .burst = 4,
                  .context = 800,
                  .generated = 40,
                  .sigma = 1,
                  .start_ns = 1704067200 * (int64_t)LLIM_SECOND};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (option == '?' || option == ':') return cli_bad_option("generate", argv, option);
        if (option == HELP) {
            fputs(usage, stdout);
            return cli_finish(stdout, "standard output");
        }
        int code = read_option(&s, option);
        if (code) return code;
    }
    if (optind < argc) return cli_misuse("generate", "There is no place for \"%s\"; is --out meant?", argv[optind]);
    FILE *out = s.out ? fopen(s.out, "w") : stdout;
    if (!out) return cli_fail("%s cannot be written: %s.", s.out, strerror(errno));
    int code = write_trace(&s, out);
    int ended = cli_finish(out, s.out ? s.out : "standard output");
    return code ? code : ended;
}
