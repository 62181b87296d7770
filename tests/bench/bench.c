/*
 * bench.c - what a decision costs, as a ratio to a floor measured in the same run: clock_gettime(CLOCK_MONOTONIC) and three
 * uncontended compare-and-swaps on one cache line. Bytes come from llim_zone_get_stats().
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

double admit(bench *b)
{
    llim_permit permit;
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++)
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, NULL)) die("admit", LLIM_LATER);
    return (double)(read_ns() - begin) / BATCH;
}

static double refuse(bench *b)
{
    llim_permit permit;
    llim_refusal refusal;
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++)
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, &refusal) != LLIM_LATER) die("refuse", LLIM_OK);
    return (double)(read_ns() - begin) / BATCH;
}

static void reserve_batch(bench *b)
{
    for (int i = 0; i < BATCH; i++) {
        int code = llim_admit(b->zone, &b->row, 1, &call, &b->permits[i], NULL);
        if (code) die("reserve", code);
    }
}

static double settle_batch(bench *b)
{
    int64_t begin = read_ns();
    for (int i = 0; i < BATCH; i++) llim_settle(b->zone, &b->permits[i], &facts);
    return (double)(read_ns() - begin) / BATCH;
}

static double settle_now(bench *b)
{
    reserve_batch(b);
    return settle_batch(b);
}

/* On a virtual clock: other traffic in every slot, then the settlement. No clock is read, which flatters it by that much. */
static double settle_later(bench *b)
{
    reserve_batch(b);
    for (int slot = 0; slot < 80; slot++) {
        int64_t steady, wall;
        llim_permit permit;
        llim_zone_now(b->zone, &steady, &wall);
        llim_zone_set_clock(b->zone, steady + SECOND / 4, wall + SECOND / 4);
        if (llim_admit(b->zone, &b->row, 1, &call, &permit, NULL)) die("slots", LLIM_LATER);
    }
    return settle_batch(b);
}

static void *admit_thread(void *arg)
{
    for (int i = 0; i < BATCHES_OF_TWO; i++) admit(arg);
    return NULL;
}

/* Wall time over the decisions of both threads. */
static double admit_twice(bench *b)
{
    pthread_t other;
    int64_t begin = read_ns();
    if (pthread_create(&other, NULL, admit_thread, b)) die("thread", LLIM_ENOMEM);
    admit_thread(b);
    pthread_join(other, NULL);
    return (double)(read_ns() - begin) / (2 * BATCHES_OF_TWO * BATCH);
}

static bench bench_new(const llim_limit *limits, int32_t clock)
{
    bench b = {.zone = zone_new(8, 8, clock), .permits = calloc(BATCH, sizeof *b.permits), .random = 1};
    if (!b.permits) die("permits", LLIM_ENOMEM);
    b.row = row_new(b.zone, "model:m", limits, 3);
    return b;
}

static void bench_free(bench *b)
{
    llim_zone_close(b->zone);
    free(b->permits);
    free(b->tenants);
    free(b->records);
}

static void one_model(const char *provider, const llim_limit *limits)
{
    char what[64];
    bench b = bench_new(limits, LLIM_CLOCK_REAL);
    snprintf(what, sizeof what, "admit, %s", provider);
    double admitted = report(what, admit, &b, 1.5, 0);
    snprintf(what, sizeof what, "settle in the slot of the charge, %s", provider);
    report(what, settle_now, &b, 1.0, 0);
    snprintf(what, sizeof what, "two threads, same model, %s", provider);
    report(what, admit_twice, &b, 3.0, 0);
    bench_free(&b);

    b = bench_new(limits, LLIM_CLOCK_VIRTUAL);
    snprintf(what, sizeof what, "settle 20 s later (virtual clock), %s", provider);
    report(what, settle_later, &b, 4.0, 0);
    bench_free(&b);

    llim_limit full[3];
    memcpy(full, limits, sizeof full);
    full[0].amount = 1; /* spent once, refused for the minute that this takes a small part of */
    b = bench_new(full, LLIM_CLOCK_REAL);
    llim_permit permit;
    int code = llim_admit(b.zone, &b.row, 1, &call, &permit, NULL);
    if (code) die("fill", code);
    snprintf(what, sizeof what, "refused at the first limit, %s", provider);
    report(what, refuse, &b, 1.5, admitted);
    bench_free(&b);
}

enum { SCOPES = 1000000 };

static uint64_t bytes_of(uint32_t rows, uint32_t sliding)
{
    llim_zone *zone = zone_new(rows, sliding, LLIM_CLOCK_VIRTUAL);
    llim_zone_stats stats;
    llim_zone_get_stats(zone, &stats);
    llim_zone_close(zone);
    return stats.bytes;
}

static void memory(void)
{
    double row = (double)(bytes_of(SCOPES + 1, 1) - bytes_of(1, 1)) / SCOPES;
    double sliding = (double)(bytes_of(1, 10001) - bytes_of(1, 1)) / 10000;
    printf("%-54s %8.1f bytes  bar 192%s\n", "a tenant scope of up to 3 limits", row, row <= 192 ? "" : "  MISSED");
    printf("%-54s %8.1f bytes  bar 2560%s\n", "a sliding limit", sliding, sliding <= 2560 ? "" : "  MISSED");
}

static void read_usage(const char *text, size_t len)
{
    llim_usage_reader reader;
    llim_usage_begin(&reader);
    for (size_t i = 0; i < len; i++) llim_usage_feed(&reader, text + i, 1);
}

static void read_error(const char *text, size_t len)
{
    llim_response r = {
        .size = sizeof r, .provider = LLIM_PROVIDER_GEMINI, .status = 429, .body = text, .body_len = len};
    llim_answer answer;
    int code = llim_classify(&r, &answer);
    if (code) die("classify", code);
}

/* Head, as many parts as fit in len, and tail. */
typedef struct text {
    const char *what, *head, *part, *tail;
    void (*read)(const char *, size_t);
    size_t len;
} text;

/* The least of a few, per byte. */
static double per_byte(const text *t, size_t len)
{
    size_t n = 0, part = strlen(t->part), tail = strlen(t->tail);
    char *bytes = malloc(len + 1);
    if (!bytes) die("answers", LLIM_ENOMEM);
    for (const char *h = t->head; *h; h++) bytes[n++] = *h;
    for (; n + part + tail <= len; n += part) memcpy(bytes + n, t->part, part);
    memcpy(bytes + n, t->tail, tail);
    double least = 1e9;
    for (size_t i = 0; i < 5 * t->len / len; i++) {
        int64_t begin = read_ns();
        t->read(bytes, n + tail);
        double took = (double)(read_ns() - begin) / (double)(n + tail);
        if (took < least) least = took;
    }
    free(bytes);
    return least;
}

#define FAILURE "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":["
#define MESSAGE "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\""

/* What a byte costs in a long answer, beside one in an answer of a tenth: the same, where time is linear. */
static void answers(void)
{
    static const text texts[] = {
        {"usage of a picture, byte by byte", "{\"data\":[{\"b64_json\":\"", "1", "\"}]}", read_usage, 10000000},
        {"usage of a stream, byte by byte", "", "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n",
         "data: [DONE]\n\n", read_usage, 10000000},
        {"usage in a number, byte by byte", "{\"usage\":{\"prompt_tokens\":", "1", "}}", read_usage, 10000000},
        {"an error of many violations", MESSAGE "limit: 1" FAILURE, "{\"quotaId\":\"Requests\"},", "{}]}]}}",
         read_error, 260000},
        {"an error of many lines", MESSAGE, "Quota exceeded for metric: requests\\n", FAILURE "]}]}}", read_error,
         260000},
        {"an error with a long word", MESSAGE, "limit: ", FAILURE "{\"quotaId\":\"Requests\"}]}]}}", read_error,
         260000},
    };
    for (const text *t = texts; t < texts + sizeof texts / sizeof texts[0]; t++) {
        double tenth = per_byte(t, t->len / 10), whole = per_byte(t, t->len);
        printf("%-54s %8.2f ns a byte of %zu, %.2f x that of a tenth  bar 2.0%s\n", t->what, whole, t->len,
               whole / tenth, whole <= 2 * tenth ? "" : "  MISSED");
    }
}

int main(void)
{
    printf("medians of %d repetitions of %d; least .. most; floor: clock_gettime + 3 compare-and-swaps\n", REPETITIONS,
           BATCH);
    one_model("OpenAI (3 buckets)", openai);
    one_model("Gemini (2 sliding, 1 day)", gemini);
    scripts();
    scopes_and_processes();
    memory();
    answers();
    reloads();
    return 0;
}
