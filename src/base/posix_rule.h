/*
 * posix_rule.h - the rule of a TZ string, "PST8PDT,M3.2.0,M11.1.0": an offset, and two days a year on which another
 * begins and ends to hold, for all time.
 *
 * A rule that was read is immutable and may be asked from any thread. For base/timezone.c, which finds one behind the
 * last transition of a file; the extensions of RFC 9636, 3.3.2 (hours from -167 to 167) are understood.
 */
#ifndef LLIM_BASE_POSIX_RULE_H
#define LLIM_BASE_POSIX_RULE_H

#include <stdbool.h>

#include "base/timezone.h"

/* One of the two yearly changes: Jn, n or Mm.w.d, and the local time of day, which may leave the day. */
typedef struct llim__rule_edge {
    char kind; /* 'J', 'n' or 'M' */
    int32_t month;
    int32_t week;
    int32_t day;
    int32_t time_s;
} llim__rule_edge;

typedef struct llim__posix_rule {
    bool has_dst;
    bool reversed; /* the year begins in DST */
    int32_t std_s; /* east of UTC, as everywhere but in the string itself */
    int32_t dst_s;
    llim__rule_edge start;
    llim__rule_edge end;
} llim__posix_rule;

/* Reads the whole of text, which may be hostile. False: it is no rule, or one that leaves the days to the system. */
bool llim__posix_rule_read(const char *text, llim__posix_rule *rule);

/* The offset at any instant, and the interval in which the rule keeps it. */
llim__utc_offset llim__posix_rule_offset(const llim__posix_rule *rule, int64_t utc_s);

#endif
