/* error.c - names of codes, meters and laws, and the one way to fill an llim_error. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int llim__fail(llim_error *err, int code, const char *format, ...)
{
    if (err) {
        memset(err, 0, sizeof *err);
        err->code = code;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        /* What a message quotes may come from anywhere; a terminal must not be steered by it. */
        for (char *p = err->message; *p; p++)
            if ((unsigned char)*p < ' ' || *p == 0x7f) *p = '?';
    }
    return code;
}

static const char *name_at(const char *const *names, int n, int i)
{
    return i >= 0 && i < n ? names[i] : "?";
}

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

const char *llim_code_name(int code)
{
    static const char *const names[] = {"LLIM_OK",
                                        "LLIM_LATER",
                                        "LLIM_NEVER",
                                        "LLIM_EINVAL",
                                        "LLIM_ERANGE",
                                        "LLIM_ENOMEM",
                                        "LLIM_EFULL",
                                        "LLIM_ENOTFOUND",
                                        "LLIM_EENDED",
                                        "LLIM_ETIMEZONE",
                                        "LLIM_EUNKNOWN_MODEL",
                                        "LLIM_ENO_QUOTA",
                                        "LLIM_EUNKNOWN_TIER",
                                        "LLIM_ECONFIG",
                                        "LLIM_EIO",
                                        "LLIM_ELUA",
                                        "LLIM_EVERSION",
                                        "LLIM_WAITING",
                                        "LLIM_EBUSY",
                                        "LLIM_ECORRUPT"};
    return code > 0 ? "?" : name_at(names, COUNT(names), -code);
}

const char *llim_meter_name(int meter)
{
    static const char *const names[LLIM_METERS] = {"requests", "tokens",     "input_tokens", "output_tokens", "images",
                                                   "audio_ms", "characters", "sessions",     "cost"};
    return name_at(names, LLIM_METERS, meter);
}

const char *llim_law_name(int law)
{
    static const char *const names[] = {"sliding", "calendar", "bucket", "gauge"};
    return name_at(names, COUNT(names), law);
}

uint32_t llim_version(void)
{
    return LLIM_VERSION_MAJOR * 10000 + LLIM_VERSION_MINOR * 100 + LLIM_VERSION_PATCH;
}
