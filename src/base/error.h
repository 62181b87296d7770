/* error.h - filling an llim_error. */
#ifndef LLIM_BASE_ERROR_H
#define LLIM_BASE_ERROR_H

#include "llm_limiters_core.h"

/* Fills *err (may be NULL) with the code and the formatted sentence, clears its place, and returns the code. */
__attribute__((format(printf, 3, 4))) int llim__fail(llim_error *err, int code, const char *format, ...);

#endif
