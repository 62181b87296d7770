/*
 * timezone.h - UTC offsets from the system's time zone database, read directly: libc knows only the process's own TZ, and a
 * library must not touch that.
 *
 * A loaded zone is immutable and may be read from any thread.
 */
#ifndef LLIM_BASE_TIMEZONE_H
#define LLIM_BASE_TIMEZONE_H

#include "llm_limiters_core.h"

typedef struct llim__timezone llim__timezone;

/* Loads a zone by name ("America/Los_Angeles"; "" and "UTC" are UTC without any file). LLIM_ETIMEZONE: the name has "..",
   begins with "/", or is not in the database; the file is damaged. LLIM_ENOMEM. The caller frees. */
int llim__timezone_load(const char *name, llim__timezone **tz, llim_error *err);
void llim__timezone_free(llim__timezone *tz);

/* The same from the bytes of a zone's file, which may be hostile; name is for the message only. */
int llim__timezone_parse(const unsigned char *data, size_t size, const char *name, llim__timezone **tz,
                         llim_error *err);

/* The local offset east of UTC in force at an instant, and the half-open interval of UTC seconds in which it holds without
   a transition (INT64_MIN and INT64_MAX where there is none). */
typedef struct llim__utc_offset {
    int64_t offset_s;
    int64_t from_s;
    int64_t until_s;
} llim__utc_offset;
llim__utc_offset llim__timezone_offset(const llim__timezone *tz, int64_t utc_s);

#endif
