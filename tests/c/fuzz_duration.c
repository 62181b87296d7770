/*
 * fuzz_duration.c - a libFuzzer entry: the first eight bytes are now, the others a duration as a provider might print it.
 *
 * Whatever the bytes, it is a duration in range or an error that leaves the result alone. A violation aborts.
 */
#include <stdlib.h>
#include <string.h>

#include "llm_limiters_core.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    int64_t now, ns = -7;
    if (size < sizeof now) return 0;
    memcpy(&now, data, sizeof now);
    int code = llim_parse_duration((const char *)data + sizeof now, size - sizeof now, now, &ns);
    int good = code == LLIM_OK ? ns >= 0 && ns <= INT64_C(400) * 86400 * LLIM_SECOND
                               : (code == LLIM_EINVAL || code == LLIM_ERANGE) && ns == -7;
    if (!good) abort();
    return 0;
}
