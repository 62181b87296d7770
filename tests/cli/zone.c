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

#define DAY (86400 * (int64_t)LLIM_SECOND)

static int set(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n, llim_row *row)
{
    llim_row_spec spec = {
        .size = sizeof spec, .scope = scope, .scope_len = (uint32_t)strlen(scope), .limits = limits, .n_limits = n};
    return llim_row_set(zone, &spec, row, NULL);
}

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
    llim_zone *zone = llim_limiter_zone(limiter);
    const llim_limit few = {.law = LLIM_BUCKET, .amount = 5, .window_ns = 60 * (int64_t)LLIM_SECOND};
    const llim_limit most[] = {
        {.meter = LLIM_OUTPUT_TOKENS, .law = LLIM_BUCKET, .amount = LLIM_AMOUNT_MAX, .window_ns = 400 * DAY},
        {.meter = LLIM_COST, .law = LLIM_CALENDAR, .unit = LLIM_PER_MONTH, .amount = LLIM_AMOUNT_MAX},
        {.meter = LLIM_TOKENS, .law = LLIM_BUCKET, .amount = 12500000, .window_ns = DAY}};
    if (set(zone, "user:\"an\\n\033[31m\xff\"", &few, 1, &row)) return 1;
    if (set(zone, "team:\xe6\x97\xa5\xe6\x9c\xac/\xf0\x9f\x98\x80/e\xcc\x81\xe2\x80\xae", most, 3, &row)) return 1;
    const llim_charge charge = {
        .amount = {[LLIM_OUTPUT_TOKENS] = 123456789012, [LLIM_COST] = 1234567890, [LLIM_TOKENS] = 12499999}};
    if (llim_admit(zone, &row, 1, &charge, &permit, NULL)) return 1;
    if (set(zone, "team:01234567890123456789012345678901234567890", &few, 1, &row)) return 1;
    llim_close(limiter);
    return 0;
}
