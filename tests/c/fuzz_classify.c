/*
 * fuzz_classify.c - a libFuzzer entry: a response's text as in tests/fixtures/provider, or without a status line a message of a
 * WebSocket; its length chooses the provider that is told.
 *
 * Whatever the bytes, an answer stays in its ranges, tells no wait for what time does not heal, shows only names that a
 * terminal bears, and is the same a second time. A violation aborts.
 */
#include <stdlib.h>
#include <string.h>

#include "llm_limiters_core.h"

#define LONGEST (INT64_C(400) * 86400 * LLIM_SECOND)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static int known(int64_t value, int64_t least, int64_t most)
{
    return value == LLIM_UNKNOWN || (value >= least && value <= most);
}

static void check_name(const char *name, size_t size)
{
    require(memchr(name, 0, size) != NULL);
    for (; *name; name++) require((unsigned char)*name > ' ' && *name != 0x7f);
}

static void check(const llim_answer *a)
{
    require(a->kind >= LLIM_ANSWER_UNKNOWN && a->kind <= LLIM_ANSWER_ERROR);
    require(a->provider >= 0 && a->provider < LLIM_PROVIDERS);
    require(a->scope >= LLIM_SCOPE_UNKNOWN && a->scope <= LLIM_SCOPE_CREDENTIAL);
    require(known(a->meter, 0, LLIM_METERS - 1) && a->unit >= LLIM_NO_UNIT && a->unit <= LLIM_PER_MONTH);
    require(known(a->law, LLIM_SLIDING, LLIM_GAUGE));
    require(known(a->retry_after_ns, 0, LONGEST + LLIM_SECOND) && known(a->ends_after_ns, 0, LONGEST));
    require(a->retry_after_ns == LLIM_UNKNOWN || a->kind == LLIM_ANSWER_RATE || a->kind == LLIM_ANSWER_OVERLOAD);
    require(known(a->limit, 0, LLIM_AMOUNT_MAX) && known(a->used, 0, LLIM_AMOUNT_MAX));
    require(a->limit != 0 || a->kind == LLIM_ANSWER_QUOTA);
    require(known(a->requested, 0, LLIM_AMOUNT_MAX) && a->n_learned <= LLIM_LEARNED_MAX);
    for (uint32_t i = 0; i < a->n_learned; i++) {
        const llim_learned *l = &a->learned[i];
        require(known(l->meter, 0, LLIM_METERS - 1) && l->meter != LLIM_UNKNOWN);
        require(known(l->limit, 1, LLIM_AMOUNT_MAX) && known(l->remaining, 0, LLIM_AMOUNT_MAX));
        require(known(l->reset_ns, 0, LONGEST));
    }
    for (int m = 0; m < LLIM_METERS; m++) require(known(a->facts.charge.amount[m], 0, LLIM_AMOUNT_MAX));
    check_name(a->model, sizeof a->model);
    check_name(a->family, sizeof a->family);
    check_name(a->zone, sizeof a->zone);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *text = (const char *)data;
    llim_response r = {.size = sizeof r, .provider = (int32_t)(size % LLIM_PROVIDERS), .body = text, .body_len = size};
    llim_answer a, again;
    if (size > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0) {
        r.status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
        r.headers = text + 12;
        size_t n = 12;
        while (n + 1 < size && memcmp(text + n, "\n\n", 2) != 0) n++;
        r.headers_len = n - 12;
        r.body = text + n;
        r.body_len = size - n;
    } else if (size > 2 && data[0] == 0xff) {
        r.close_code = 1000 + data[1];
        r.body = text + 2;
        r.body_len = size - 2;
    }
    memset(&a, 0, sizeof a);
    memset(&again, 0x5A, sizeof again);
    require(llim_classify(&r, &a) == LLIM_OK && llim_classify(&r, &again) == LLIM_OK);
    require(memcmp(&a, &again, sizeof a) == 0);
    check(&a);
    return 0;
}
