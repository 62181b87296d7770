/*
 * message.c - owns the reading of an error's sentence: which limit, whose, how much of it, and how long to wait.
 *
 * Phrases are looked for behind the organisation where one is named, so that no model's name can pass for one. A number or
 * name that is not there is left unknown.
 */
#include "provider/provider.h"

#include <string.h>

int64_t llim__number_after(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    if (!at) return LLIM_UNKNOWN;
    at += strlen(word);
    if (*at == ':') at++;
    while (*at == ' ') at++;
    char digits[24];
    size_t n = 0;
    for (; (*at >= '0' && *at <= '9') || (*at == ',' && at[1] >= '0' && at[1] <= '9'); at++) {
        if (*at == ',') continue;
        if (n == sizeof digits) return LLIM_UNKNOWN;
        digits[n++] = *at;
    }
    return llim__amount((llim__text){digits, n});
}

static const char *behind_organisation(const char *message)
{
    const char *at = strstr(message, " in organization ");
    return at ? at : message;
}

void llim__message_limit(const llim__provider *p, const char *message, llim_answer *a)
{
    const char *text = behind_organisation(message);
    for (const llim__phrase *f = p->phrases; f && f->text; f++) {
        if (!strstr(text, f->text)) continue;
        a->meter = f->meter;
        a->unit = f->unit;
        break;
    }
    a->limit = llim__number_after(text, "Limit");
    a->used = llim__number_after(text, "Used");
    a->requested = llim__number_after(text, "Requested");
    if (a->limit == LLIM_UNKNOWN) a->limit = llim__number_after(text, "rate limit of");
}

void llim__show_name(char out[LLIM_NAME_SHOWN], const char *name, size_t len)
{
    if (len == 0 || len >= LLIM_NAME_SHOWN) return;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
            return; /* all in use are printable ASCII */
    memcpy(out, name, len);
    out[len] = 0;
}

/* The name between two texts. */
static void name_between(const char *from, const char *before, const char *after, char out[LLIM_NAME_SHOWN])
{
    const char *start = strstr(from, before);
    if (!start) return;
    start += strlen(before);
    const char *end = strstr(start, after);
    if (end) llim__show_name(out, start, (size_t)(end - start));
}

void llim__message_names(const char *message, llim_answer *a)
{
    const char *family = strstr(message, " (for limit ");
    name_between(message, " for ", family ? " (for limit " : " in organization ", a->model);
    name_between(message, " for model `", "` in organization ", a->model);
    name_between(message, " (for limit ", ") ", a->family);
    name_between(message, ", model: ", ")", a->model);
    if (a->family[0]) a->scope = LLIM_SCOPE_FAMILY;
}

int64_t llim__message_wait(const char *message)
{
    static const char *const before[] = {"ry again in ", "ry again after ", "etry in ", "etry after "};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const char *at = strstr(message, before[i]);
        if (!at) continue;
        at += strlen(before[i]);
        size_t n = strspn(at, "0123456789.hmsun");
        bool words = strncmp(at + n, " second", 7) == 0;
        while (n && at[n - 1] == '.') n--; /* of the sentence */
        int64_t ns;
        bool plain = n && at[n - 1] >= '0' && at[n - 1] <= '9';
        if (plain == words && llim_parse_duration(at, n, 0, &ns) == LLIM_OK) return ns;
    }
    return LLIM_UNKNOWN;
}
