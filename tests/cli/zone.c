/*
 * zone.c - makes a zone in a file for the specs that look at one: a day in the life of a limiter, in virtual time, so that what
 * is seen is the same each time.
 */
#include <llm_limiters.h>
#include <stdio.h>
#include <string.h>

static const char limited[] =
    "{\"error\":{\"message\":\"Rate limit reached for gpt-4o-mini in organization o on tokens per "
    "min (TPM): Limit 200000, Used 199000, Requested 1200. Please try again in 6s.\","
    "\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}";

int main(int argc, char **argv)
{
    llim_options options = {.size = sizeof options, .seed = 1};
    llim_limiter *limiter;
    llim_permit permit;
    llim_row row;
    llim_error err;
    if (argc != 2) return 2;
    options.zone = (llim_zone_options){.size = sizeof options.zone,
                                       .clock = LLIM_CLOCK_VIRTUAL,
                                       .start_wall_ns = INT64_C(1718452800) * LLIM_SECOND, /* 2024-06-15 12:00 UTC */
                                       .path = argv[1]};
    if (llim_open(&options, &limiter, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    const char *models[] = {"gemini-2.5-flash", "gpt-4o-mini"};
    llim_request request = {.size = sizeof request, .n_models = 1, .charge.amount[LLIM_TOKENS] = 1200};
    for (int i = 0; i < 13; i++) { /* ten of them are admitted in a minute */
        request.models = &models[0];
        llim_acquire(limiter, &request, &permit, NULL, NULL);
    }
    request.models = &models[1];
    llim_response response = {
        .size = sizeof response, .status = 429, .headers = "", .body = limited, .body_len = sizeof limited - 1};
    if (llim_acquire(limiter, &request, &permit, NULL, &err) || llim_answered(limiter, &permit, &response, NULL))
        return 1;
    const llim_limit limit = {.law = LLIM_BUCKET, .amount = 5, .window_ns = 60 * (int64_t)LLIM_SECOND};
    const char *scope = "user:\"an\\n\033[31m\xff\"";
    llim_row_spec spec = {
        .size = sizeof spec, .scope = scope, .scope_len = (uint32_t)strlen(scope), .limits = &limit, .n_limits = 1};
    if (llim_row_set(llim_limiter_zone(limiter), &spec, &row, &err)) return 1;
    llim_close(limiter);
    return 0;
}
