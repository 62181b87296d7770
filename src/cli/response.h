/*
 * response.h - an answer as text: a status line, headers, a blank line and the body, as "curl -i" prints it; or a body alone,
 * which is JSON or a stream of server-sent events.
 *
 * Lines end in LF or CRLF. The body may hold any bytes and is what remains of the file.
 */
#ifndef LLIM_CLI_RESPONSE_H
#define LLIM_CLI_RESPONSE_H

#include "llm_limiters_core.h"

#include <stdio.h>

#define CLI_RESPONSE_MAX (64 << 20) /* bytes of a file */

/* Reads a whole file; name is what messages call it. *text is for the caller to free, also after an error. LLIM_ECONFIG,
   LLIM_EIO. */
int cli_response_load(FILE *file, const char *name, char **text, size_t *len, llim_error *err);

/* Cuts the text into what *response points to; without a status line its status is 0. LLIM_ECONFIG with file and line. */
int cli_response_read(const char *text, size_t len, const char *name, llim_response *response, llim_error *err);

#endif
