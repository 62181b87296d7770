/*
 * headers.c - owns the walk through a response's header lines.
 *
 * Names are compared without case, values are read by the provider's table and nothing else; a value that is not what its
 * header should hold (-1 while the provider does not know, a word, a number too large) is as good as none. One pass, and at
 * most LONGEST bytes, so hostile headers cost no more than honest ones.
 */
#include "provider/provider.h"

#include <string.h>
#include <strings.h>

#define LONGEST 65536

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static llim__text trimmed(llim__text t)
{
    while (t.len && is_blank(*t.at)) t.at++, t.len--;
    while (t.len && is_blank(t.at[t.len - 1])) t.len--;
    return t;
}

/* Cuts the next header off the rest. False at the end; lines that are no header are passed over. */
static bool next_header(llim__text *rest, llim__text *name, llim__text *value)
{
    while (rest->len) {
        const char *end = memchr(rest->at, '\n', rest->len);
        llim__text line = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
        rest->at += line.len + (end != NULL);
        rest->len -= line.len + (end != NULL);
        const char *colon = memchr(line.at, ':', line.len);
        if (!colon) continue;
        *name = (llim__text){line.at, (size_t)(colon - line.at)};
        *value = trimmed((llim__text){colon + 1, line.len - name->len - 1});
        return true;
    }
    return false;
}

static llim__text bounded(llim__text headers)
{
    if (headers.len > LONGEST) headers.len = LONGEST;
    return headers;
}

static bool is_name(llim__text name, const char *wanted)
{
    size_t n = strlen(wanted);
    if (n && wanted[n - 1] == '-') return name.len >= n && strncasecmp(name.at, wanted, n) == 0;
    return name.len == n && strncasecmp(name.at, wanted, n) == 0;
}

static const llim__header *find_rule(const llim__header *rules, llim__text name)
{
    for (; rules && rules->name; rules++)
        if (is_name(name, rules->name)) return rules;
    return NULL;
}

llim__text llim__header_find(llim__text headers, const char *wanted)
{
    llim__text name, value;
    headers = bounded(headers);
    while (next_header(&headers, &name, &value))
        if (is_name(name, wanted)) return value;
    return (llim__text){NULL, 0};
}

/* The last of the list that has a mark: Azure and Groq send some of OpenAI's headers too. */
int32_t llim__headers_provider(llim__text headers)
{
    llim__text name, value;
    int32_t found = LLIM_PROVIDER_ANY;
    headers = bounded(headers);
    while (next_header(&headers, &name, &value))
        for (int32_t i = found + 1; i < LLIM_PROVIDERS; i++)
            for (const llim__header *rule = llim__providers[i].headers; rule && rule->name; rule++)
                if (rule->value == LLIM__MARK && is_name(name, rule->name)) found = i;
    return found;
}

/* A wait of 0 is none: the least that is documented is a second. */
static int64_t positive(llim__text value, int64_t now, int64_t otherwise)
{
    int64_t ns;
    return llim_parse_duration(value.at, value.len, now, &ns) == LLIM_OK && ns > 0 ? ns : otherwise;
}

static void read_limit(const llim__header *rule, llim__text value, int64_t now, llim_answer *a)
{
    llim_learned *l = llim__learn(a, rule->meter, rule->unit, rule->project);
    int64_t ns, n = llim__amount(value);
    if (!l) return;
    if (rule->value == LLIM__RESET && llim_parse_duration(value.at, value.len, now, &ns) == LLIM_OK) l->reset_ns = ns;
    if (rule->value == LLIM__LIMIT && n > 0) l->limit = n;
    if (rule->value == LLIM__REMAINING) l->remaining = n;
}

/* Azure sends -1 and 0 for a while after a deployment has changed: a zero is believed only beside the time that mends it. */
static void drop_noise(llim_answer *a)
{
    for (uint32_t i = 0; i < a->n_learned; i++) {
        llim_learned *l = &a->learned[i];
        if (l->reset_ns == 0) l->reset_ns = LLIM_UNKNOWN;
        if (l->remaining == 0 && l->reset_ns == LLIM_UNKNOWN) l->remaining = LLIM_UNKNOWN;
    }
}

void llim__headers_read(llim__text headers, const llim__provider *p, llim__heads *heads, llim_answer *a)
{
    static const llim__header common[] = {{.name = "retry-after-ms", .value = LLIM__RETRY_MS},
                                          {.name = "retry-after", .value = LLIM__RETRY},
                                          {.name = NULL}};
    llim__text name, value;
    headers = bounded(headers);
    while (next_header(&headers, &name, &value)) {
        const llim__header *rule = find_rule(common, name);
        int64_t ms;
        if (!rule) rule = find_rule(p->headers, name);
        if (!rule) continue;
        if (rule->value == LLIM__RETRY_MS) {
            if (llim__decimal(value, LLIM_SECOND / 1000, &ms) && ms > 0) heads->retry_ms_ns = ms;
        } else if (rule->value == LLIM__RETRY) {
            int64_t ns = positive(value, heads->now_wall_ns, LLIM_UNKNOWN);
            if (ns > heads->retry_ns) heads->retry_ns = ns; /* the longest of several */
        } else if (rule->value != LLIM__MARK) {
            read_limit(rule, value, heads->now_wall_ns, a);
        }
    }
    if (p->zeros_are_noise) drop_noise(a);
}
