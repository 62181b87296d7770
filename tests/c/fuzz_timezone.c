/*
 * fuzz_timezone.c - a libFuzzer entry: the first eight bytes are an instant, the others a file of the time zone
 * database.
 *
 * Whatever the bytes, a zone that parses has at every instant an offset in range, in an interval that holds the
 * instant and touches its neighbours. A violation aborts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/timezone.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    int64_t t;
    llim__timezone *tz;
    llim_error err;
    if (size < sizeof t) return 0;
    memcpy(&t, data, sizeof t);
    int rc = llim__timezone_parse(data + sizeof t, size - sizeof t, "Fuzz", &tz, &err);
    require(rc == (tz ? LLIM_OK : LLIM_ETIMEZONE));
    if (!tz) {
        require(err.code == rc && err.message[0] != 0);
        return 0;
    }
    llim__utc_offset o = llim__timezone_offset(tz, t);
    require(o.from_s <= t && (t < o.until_s || t == INT64_MAX));
    require(o.offset_s > -25 * 3600 && o.offset_s < 26 * 3600);
    if (o.until_s != INT64_MAX) {
        llim__utc_offset next = llim__timezone_offset(tz, o.until_s);
        require(next.from_s == o.until_s && next.offset_s != o.offset_s);
    }
    if (o.from_s != INT64_MIN) {
        llim__utc_offset before = llim__timezone_offset(tz, o.from_s - 1);
        require(before.until_s == o.from_s && before.offset_s != o.offset_s);
    }
    llim__timezone_free(tz);
    return 0;
}
