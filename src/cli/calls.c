/* calls.c - see calls.h. The parent of i is (i - 1) / 2. */
#include "cli/calls.h"

#include "cli/cli.h"

#include <stdlib.h>

static bool before(const cli_call *a, const cli_call *b)
{
    return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : a->row < b->row;
}

void cli_calls_add(cli_calls *calls, const cli_call *call)
{
    if (calls->n == calls->cap) {
        calls->cap = calls->cap ? 2 * calls->cap : 64;
        calls->heap = cli_resize(calls->heap, calls->cap, sizeof *calls->heap);
    }
    uint32_t i = calls->n++;
    for (; i && before(call, &calls->heap[(i - 1) / 2]); i = (i - 1) / 2) calls->heap[i] = calls->heap[(i - 1) / 2];
    calls->heap[i] = *call;
}

int64_t cli_calls_next(const cli_calls *calls)
{
    return calls->n ? calls->heap[0].end_ns : INT64_MAX;
}

void cli_calls_take(cli_calls *calls, cli_call *call)
{
    *call = calls->heap[0];
    const cli_call *last = &calls->heap[--calls->n];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < calls->n; i = child) {
        if (child + 1 < calls->n && before(&calls->heap[child + 1], &calls->heap[child])) child++;
        if (!before(&calls->heap[child], last)) break;
        calls->heap[i] = calls->heap[child];
    }
    calls->heap[i] = *last;
}

void cli_calls_free(cli_calls *calls)
{
    free(calls->heap);
}
