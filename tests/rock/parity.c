/*
 * parity.c - the C library's side of parity_spec.lua: plays a script of operations and tells what came of each.
 *
 *   parity OVERRIDES POLICY SEED START < operations > results
 *   a MASK INPUT OUTPUT SIZE    acquires the models m1 to m4 whose bits are set; SIZE is a tag, or - for none
 *   s K TOKENS, c K             settles or cancels the K-th permit that was admitted
 *   o K INPUT TOTAL, r K WAIT   its answer: well, with that usage; or 429, with that retry-after
 *   t EIGHTHS                   moves the clock on
 */
#include <llm_limiters.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS = 4, MOST_PERMITS = 1 << 16 };

static const char *const names[MODELS] = {"m1", "m2", "m3", "m4"};
static llim_permit permits[MOST_PERMITS];

static double seconds(int64_t ns)
{
    return (double)ns / LLIM_SECOND;
}

static int acquire(llim_limiter *limiter, const int *v, const char *size, llim_permit *permit)
{
    static const char *const reasons[] = {"limit", "cooldown", "blocked", "policy", "queue"};
    const char *models[MODELS];
    const llim_tag tag = {"size", size};
    llim_request q = {.size = sizeof q, .models = models, .tags = &tag, .n_tags = strcmp(size, "-") != 0};
    llim_refusal r;
    llim_error err;
    for (int i = 0; i < MODELS; i++)
        if (v[0] & 1 << i) models[q.n_models++] = names[i];
    q.charge.amount[LLIM_INPUT_TOKENS] = v[1];
    q.max_output_tokens = v[2];
    const int code = llim_acquire(limiter, &q, permit, &r, &err);
    if (code == LLIM_OK)
        printf("ok %s\n", models[permit->candidate]);
    else if (code == LLIM_LATER || code == LLIM_NEVER)
        printf("%s %s %s %s %s %lld %lld %lld %.9f %.9f\n", llim_code_name(code), reasons[r.reason], r.scope,
               models[r.candidate], r.reason == LLIM_BY_LIMIT ? llim_meter_name(r.meter) : "-", (long long)r.limit,
               (long long)r.used, (long long)r.amount, code == LLIM_NEVER ? (double)HUGE_VAL : seconds(r.wait_ns),
               code == LLIM_NEVER ? 0 : seconds(r.at_wall_ns));
    else
        printf("%s\n", err.message);
    return code;
}

static int answered(llim_limiter *limiter, llim_permit *permit, const char *headers, const char *body, int status)
{
    llim_response r = {.size = sizeof r,
                       .status = status,
                       .headers = headers,
                       .headers_len = strlen(headers),
                       .body = body,
                       .body_len = strlen(body)};
    llim_answer answer;
    const int code = llim_answered(limiter, permit, &r, &answer);
    if (code)
        printf("%s\n", llim_code_name(code));
    else
        printf("%s\n", llim_kind_name(answer.kind));
    return code;
}

static void play(llim_limiter *limiter)
{
    llim_zone *zone = llim_limiter_zone(limiter);
    char line[128], size[32], text[128];
    int n = 0;
    while (fgets(line, sizeof line, stdin)) {
        int v[3] = {0, 0, 0};
        char op;
        if (sscanf(line, "%c %d %d %d %31s", &op, &v[0], &v[1], &v[2], size) < 2) exit(1);
        llim_permit *permit = op != 'a' && op != 't' ? &permits[v[0]] : NULL;
        llim_charge facts;
        int64_t steady, wall, ns;
        switch (op) {
        case 'a':
            if (n < MOST_PERMITS && acquire(limiter, v, size, &permits[n]) == LLIM_OK) n++;
            break;
        case 's':
            for (int m = 0; m < LLIM_METERS; m++) facts.amount[m] = LLIM_UNKNOWN;
            facts.amount[LLIM_TOKENS] = v[1];
            printf("%s\n", llim_code_name(llim_settle(zone, permit, &facts)));
            break;
        case 'c':
            printf("%s\n", llim_code_name(llim_cancel(zone, permit)));
            break;
        case 'o':
            snprintf(text, sizeof text, "{\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d}}", v[1], v[2]);
            answered(limiter, permit, "", text, 200);
            break;
        case 'r':
            snprintf(text, sizeof text, "retry-after: %d", v[1]);
            answered(limiter, permit, text, "", 429);
            break;
        case 't':
            llim_zone_now(zone, &steady, &wall);
            ns = v[0] * (LLIM_SECOND / (int64_t)8);
            printf("%s\n", llim_code_name(llim_zone_set_clock(zone, steady + ns, wall + ns)));
            break;
        default:
            exit(1);
        }
    }
}

static void print_usage(llim_limiter *limiter)
{
    for (int i = 0; i < MODELS; i++) {
        llim_usage usage[LLIM_MAX_LIMITS];
        llim_model_info info;
        uint32_t n_limits = 0;
        llim_model(limiter, names[i], &info, NULL);
        llim_row_usage(llim_limiter_zone(limiter), info.row, usage, LLIM_MAX_LIMITS, &n_limits);
        for (uint32_t k = 0; k < n_limits; k++)
            printf("%s %s %lld %.9f\n", names[i], llim_meter_name(usage[k].limit.meter), (long long)usage[k].used,
                   seconds(usage[k].reset_ns));
    }
}

int main(int argc, char **argv)
{
    llim_limiter *limiter;
    llim_error err;
    if (argc != 5) return 1;
    const llim_options o = {
        .size = sizeof o,
        .overrides = argv[1],
        .policy = argv[2],
        .seed = (uint64_t)atoll(argv[3]),
        .zone = {.size = sizeof o.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = atoll(argv[4]) * LLIM_SECOND}};
    if (llim_open(&o, &limiter, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    play(limiter);
    print_usage(limiter);
    llim_status status = {.size = sizeof status};
    llim_get_status(limiter, &status);
    printf("%llu faults\n", (unsigned long long)status.faults);
    llim_close(limiter);
    return 0;
}
