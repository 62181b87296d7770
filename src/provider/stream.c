/*
 * stream.c - finds the error in a stream of server-sent events, or in any other body.
 *
 * Only events that could tell an error are read, from the last one back, and not more than a few: hostile streams cost no more
 * than honest ones. Lines end in LF, CRLF or CR, and an event's data may be spread over several.
 */
#include "provider/provider.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { CANDIDATES = 8 };

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* Cuts the next line off the rest, without its end. */
static llim__text next_line(llim__text *rest)
{
    llim__text line = {rest->at, 0};
    while (line.len < rest->len && !ends_line(line.at[line.len])) line.len++;
    size_t end = line.len;
    if (end < rest->len && rest->at[end++] == '\r' && end < rest->len && rest->at[end] == '\n') end++;
    rest->at += end;
    rest->len -= end;
    return line;
}

static bool is_data(llim__text line)
{
    return line.len >= 5 && memcmp(line.at, "data:", 5) == 0;
}

/* The data of an event's lines, one behind the other, which JSON does not mind. */
static cJSON *parse_event(llim__text event)
{
    char *data = malloc(event.len + 1);
    size_t n = 0;
    if (!data) return NULL;
    while (event.len) {
        llim__text line = next_line(&event);
        if (!is_data(line)) continue;
        memcpy(data + n, line.at + 5, line.len - 5);
        n += line.len - 5;
        data[n++] = ' '; /* there is room: at least the field's name was left out */
    }
    cJSON *root = llim__json_parse((llim__text){data, n});
    free(data);
    return root;
}

/* The error of an object, or the last one of an array's elements. */
static const cJSON *error_in(const cJSON *root)
{
    const cJSON *item, *error = NULL;
    if (!cJSON_IsArray(root)) return llim__event_error(root);
    cJSON_ArrayForEach(item, root)
    {
        const cJSON *one = llim__event_error(item);
        if (one) error = one;
    }
    return error;
}

/* The last events that name an error, oldest first in a ring; how many there were. */
static size_t find_candidates(llim__text body, llim__text candidates[CANDIDATES])
{
    size_t n = 0;
    if (body.len >= 3 && memcmp(body.at, "\xef\xbb\xbf", 3) == 0) body.at += 3, body.len -= 3; /* the mark of UTF-8 */
    while (body.len) {
        llim__text event = {body.at, 0};
        bool names = false;
        while (body.len) {
            llim__text line = next_line(&body);
            if (line.len == 0) break;
            names = names || (is_data(line) && memmem(line.at, line.len, "\"error\"", 7));
            event.len = (size_t)(line.at + line.len - event.at);
        }
        if (names) candidates[n++ % CANDIDATES] = event;
    }
    return n;
}

cJSON *llim__error_find(llim__text body, const cJSON **error)
{
    cJSON *root = body.len <= LLIM__LONGEST_ERROR ? llim__json_parse(body) : NULL;
    *error = error_in(root);
    if (*error) return root;
    /* The last of a stream begins anywhere, perhaps with what looks like a document. */
    llim__text candidates[CANDIDATES];
    size_t n = find_candidates(body, candidates), oldest = n > CANDIDATES ? n - CANDIDATES : 0;
    while (n-- > oldest) {
        const llim__text event = candidates[n % CANDIDATES];
        cJSON *told = event.len <= LLIM__LONGEST_ERROR ? parse_event(event) : NULL;
        *error = error_in(told);
        if (*error) {
            cJSON_Delete(root);
            return told;
        }
        cJSON_Delete(told);
    }
    return root;
}
