/*
 * response.h - an HTTP response as text: a status line, headers, a blank line and the body, as "curl -i" prints it.
 *
 * Lines end in LF or CRLF. The body may hold any bytes and is what remains of the file.
 */
#ifndef LLIM_CLI_RESPONSE_H
#define LLIM_CLI_RESPONSE_H

#include "llm_limiters_core.h"

#include <stdio.h>

#define CLI_RESPONSE_MAX (64 << 20) /* bytes of a file */

/* Reads a whole response; name is what messages call the file. What *response points to is *text, which the caller frees,
   also after an error. LLIM_ECONFIG with file and line, LLIM_EIO. */
int cli_response_read(FILE *file, const char *name, llim_response *response, char **text, llim_error *err);

#endif
