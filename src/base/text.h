/* text.h - what may be shown and written as JSON. */
#ifndef LLIM_BASE_TEXT_H
#define LLIM_BASE_TEXT_H

#include <stdbool.h>

/* UTF-8 without control characters. */
bool llim__is_text(const char *text);

#endif
