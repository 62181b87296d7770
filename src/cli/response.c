/*
 * response.c - owns the cutting of a response's text into status, headers and body; see response.h.
 *
 * Only what would make the answer another one is refused: what begins neither as a response nor as a body, and a line among
 * the headers that is none.
 */
#include "cli/response.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static int bad(llim_error *err, const char *name, int line, const char *format,
                                                     ...)
{
    va_list args;
    memset(err, 0, sizeof *err);
    err->code = LLIM_ECONFIG;
    err->line = line;
    snprintf(err->file, sizeof err->file, "%s", name);
    int n = snprintf(err->message, sizeof err->message, "%.400s:%d: ", name, line);
    va_start(args, format);
    vsnprintf(err->message + n, sizeof err->message - (size_t)n, format, args);
    va_end(args);
    for (char *p = err->message; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f) *p = '?'; /* a terminal must not be steered by a file */
    return LLIM_ECONFIG;
}

int cli_response_load(FILE *file, const char *name, char **text, size_t *len, llim_error *err)
{
    size_t cap = 65536;
    *len = 0;
    *text = cli_resize(NULL, cap + 1, 1);
    for (size_t got; (got = fread(*text + *len, 1, cap - *len, file)) > 0;) {
        *len += got;
        if (*len > CLI_RESPONSE_MAX)
            return bad(err, name, 1, "The response is longer than %d MiB.", CLI_RESPONSE_MAX >> 20);
        if (*len == cap) *text = cli_resize(*text, (cap *= 2) + 1, 1);
    }
    (*text)[*len] = 0;
    if (!ferror(file)) return LLIM_OK;
    bad(err, name, 1, "The response cannot be read: %s.", strerror(errno));
    return err->code = LLIM_EIO;
}

/* "HTTP/1.1 429 Too Many Requests", "HTTP/2 429": 0 if it is none. */
static int status_of(const char *line, size_t len)
{
    const char *end = line + len, *at = memchr(line, ' ', len);
    if (len < 5 || memcmp(line, "HTTP/", 5) != 0 || !at || end - at < 4) return 0;
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (at[i] < '0' || at[i] > '9') return 0;
        status = status * 10 + (at[i] - '0');
    }
    if (end - at > 4 && at[4] != ' ' && at[4] != '\r') return 0;
    return status >= 100 && status <= 599 ? status : 0;
}

/* JSON, or a field of a server-sent event or a comment between them. */
static bool begins_a_body(const char *text, size_t len)
{
    static const char *const fields[] = {"data:", "event:", "id:", "retry:", ":"};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, len -= 3; /* the mark of UTF-8 */
    while (len && strchr(" \t\r\n", *text) && *text) text++, len--;
    if (len && (*text == '{' || *text == '[')) return true;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (len >= strlen(fields[i]) && memcmp(text, fields[i], strlen(fields[i])) == 0) return true;
    return false;
}

int cli_response_read(const char *text, size_t len, const char *name, llim_response *r, llim_error *err)
{
    const char *at = text, *end = at + len;
    for (int number = 1, begins = 1;; number++) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf ? lf : end, *next = lf ? lf + 1 : end;
        size_t n = (size_t)(stop - at);
        if (n && at[n - 1] == '\r') n--;
        int shown = n < 80 ? (int)n : 80;
        if (number == begins) {
            r->status = status_of(at, n);
            r->headers = next;
            if (r->status) {
                at = next;
                continue;
            }
            r->body = text;
            r->body_len = len;
            if (begins_a_body(text, len)) return LLIM_OK;
            return bad(
                err, name, 1,
                "\"%.*s\" begins no answer; expected a status line such as \"HTTP/1.1 429 Too Many Requests\", then "
                "headers, a blank line and the body, or a body alone.",
                shown, at);
        }
        if (n == 0) {
            /* Another one follows what a proxy said, or an interim response. */
            const char *then = memchr(next, '\n', (size_t)(end - next));
            if (status_of(next, (size_t)((then ? then : end) - next))) {
                begins = number + 1;
                at = next;
                continue;
            }
            r->headers_len = (size_t)(at - r->headers);
            r->body = next;
            r->body_len = (size_t)(end - next);
            return LLIM_OK;
        }
        if (!memchr(at, ':', n))
            return bad(err, name, number,
                       "\"%.*s\" is no header; expected \"name: value\", or a blank line before the body.", shown, at);
        at = next;
    }
}
