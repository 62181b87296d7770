/*
 * fuzz_usage.c - a libFuzzer entry: a body or stream, whose first byte chooses where it is cut.
 *
 * Whatever the bytes and the pieces, the usage is the same, and each of its numbers in range. A violation aborts.
 */
#include <stdlib.h>
#include <string.h>

#include "llm_limiters_core.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static llim_facts read_in_pieces(const char *text, size_t len, size_t piece)
{
    llim_usage_reader reader;
    llim_facts f;
    llim_usage_begin(&reader);
    for (size_t at = 0; at < len; at += piece) {
        llim_usage_feed(&reader, text + at, len - at < piece ? len - at : piece);
        llim_usage_end(&reader, &f); /* may be asked at any time */
    }
    llim_usage_end(&reader, &f);
    return f;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 2) return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    llim_facts whole = read_in_pieces(text, len, len);
    llim_facts cut = read_in_pieces(text, len, 1 + data[0]);
    llim_facts bytes = read_in_pieces(text, len, 1);
    require(memcmp(&whole, &cut, sizeof whole) == 0 && memcmp(&whole, &bytes, sizeof whole) == 0);
    for (int m = 0; m < LLIM_METERS; m++) {
        int64_t n = whole.charge.amount[m];
        require(n == LLIM_UNKNOWN || (n >= 0 && n <= LLIM_AMOUNT_MAX));
    }
    return 0;
}
