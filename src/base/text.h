/* text.h - what may be shown and written as JSON. */
#ifndef LLIM_BASE_TEXT_H
#define LLIM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 without control characters. */
bool llim__is_text(const char *text);

/* Makes it so: a question mark for each byte that is not. */
void llim__make_text(char *text);

/* What a limit of a law counts over: "min", "day", "2 days", "30s", or "at once" of a gauge. */
void llim__span_text(int law, int unit, int64_t window_ns, char *out, size_t cap);

#endif
