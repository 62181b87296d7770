/*
 * usage.c - owns the reading of what a call used, from a body or a stream of server-sent events in pieces of any size.
 *
 * Counts in a stream are running totals (Gemini) or come once at its end (OpenAI), so the last value counts and none is
 * ever added. A stream that may still be running tells its input; its output is known once it says that it is finished.
 */
#include "provider/provider.h"
#include "provider/scan.h"

#include <string.h>

enum form { UNDECIDED, DOCUMENT, EVENTS };
enum line { FIELD, SPACE, DATA, SKIP };

/* Lives in the caller's llim_usage_reader, whose words it may therefore alias. */
typedef struct __attribute__((may_alias)) reader {
    llim__scan scan;
    uint8_t form;
    uint8_t line;    /* what the current line of an event is */
    uint8_t matched; /* bytes of "data:" or "[DONE]" that the line has so far; more: it is another */
    bool cr;         /* a line ended in CR: an LF belongs to it */
    bool done;       /* the stream said so */
} reader;

_Static_assert(sizeof(reader) <= sizeof(llim_usage_reader), "the reader fits its place");
_Static_assert(_Alignof(reader) <= _Alignof(llim_usage_reader), "the reader suits its place");

void llim_usage_begin(llim_usage_reader *opaque)
{
    reader *r = (reader *)(void *)opaque;
    memset(opaque, 0, sizeof *opaque);
    llim__scan_begin(&r->scan);
}

static void match(reader *r, const char *word, size_t len, char c)
{
    r->matched = r->matched < len && word[r->matched] == c ? (uint8_t)(r->matched + 1) : UINT8_MAX;
}

/* A blank line ends an event, and with it the document in its data. */
static void end_line(reader *r)
{
    if (r->line == FIELD && r->matched == 0) llim__scan_restart(&r->scan);
    if (r->line == DATA) {
        if (r->matched == strlen("[DONE]")) r->done = true;
        llim__scan_byte(&r->scan, '\n');
    }
    r->line = FIELD;
    r->matched = 0;
}

static void event_byte(reader *r, char c)
{
    bool pair = r->cr && c == '\n';
    r->cr = c == '\r';
    if (pair) return;
    if (c == '\n' || c == '\r') {
        end_line(r);
        return;
    }
    switch (r->line) {
    case FIELD:
        match(r, "data:", 5, c);
        if (r->matched == UINT8_MAX) r->line = SKIP;
        if (r->matched != 5) return;
        r->line = SPACE;
        r->matched = 0;
        return;
    case SPACE: /* one blank before the data is not of it */
        r->line = DATA;
        if (c == ' ') return;
        break;
    case SKIP:
        return;
    default:
        break;
    }
    match(r, "[DONE]", 6, c);
    llim__scan_byte(&r->scan, c);
}

static void decide(reader *r, char c)
{
    if (strchr(" \t\r\n\xef\xbb\xbf", c) && c) return; /* blanks, or the mark of UTF-8 */
    r->form = c == '{' || c == '[' ? DOCUMENT : EVENTS;
}

void llim_usage_feed(llim_usage_reader *opaque, const char *data, size_t len)
{
    reader *r = (reader *)(void *)opaque;
    for (size_t i = 0; i < len; i++) {
        if (r->form == UNDECIDED) decide(r, data[i]);
        if (r->form == DOCUMENT) llim__scan_byte(&r->scan, data[i]);
        if (r->form == EVENTS) event_byte(r, data[i]);
    }
}

static int64_t sum(int64_t a, int64_t b)
{
    if (a == LLIM_UNKNOWN) return LLIM_UNKNOWN;
    int64_t s = a + (b == LLIM_UNKNOWN ? 0 : b);
    return s <= LLIM_AMOUNT_MAX ? s : LLIM_UNKNOWN;
}

/* The total, where it is told, has all that is not input: with Gemini the thinking, which has no count of its own behind the
   OpenAI-compatible door, and zeros, which are left out. */
static void read_slots(const int64_t *slot, llim_facts *f)
{
    int64_t input = sum(sum(slot[LLIM__INPUT], slot[LLIM__TOOL]), slot[LLIM__CACHE_WRITE]);
    int64_t output = sum(slot[LLIM__OUTPUT], slot[LLIM__THOUGHTS]);
    int64_t total = slot[LLIM__TOTAL];
    if (input != LLIM_UNKNOWN && total - input > output) output = total - input;
    if (total == LLIM_UNKNOWN && output != LLIM_UNKNOWN && input != LLIM_UNKNOWN) total = sum(input, output);
    f->charge.amount[LLIM_INPUT_TOKENS] = input;
    f->charge.amount[LLIM_OUTPUT_TOKENS] = output;
    f->charge.amount[LLIM_TOKENS] = total;
    f->charge.amount[LLIM_AUDIO_MS] = slot[LLIM__AUDIO_MS];
    f->thinking_tokens = slot[slot[LLIM__THOUGHTS] != LLIM_UNKNOWN ? LLIM__THOUGHTS : LLIM__REASONING];
    f->cached_tokens = slot[LLIM__CACHED];
}

void llim_usage_end(const llim_usage_reader *opaque, llim_facts *f)
{
    const reader *r = (const reader *)(const void *)opaque;
    const llim__scan *s = &r->scan;
    for (int m = 0; m < LLIM_METERS; m++) f->charge.amount[m] = LLIM_UNKNOWN;
    read_slots(s->slot, f);
    if (s->images) f->charge.amount[LLIM_IMAGES] = s->images;
    f->failed = s->failed;
    f->reserved = 0;
    bool final = r->done || s->final || (s->used && llim__scan_finished(s));
    if (s->chunked && (s->chunks || r->form == EVENTS) && (!final || s->failed)) {
        f->charge.amount[LLIM_OUTPUT_TOKENS] = f->charge.amount[LLIM_TOKENS] = LLIM_UNKNOWN;
        f->thinking_tokens = LLIM_UNKNOWN;
    }
}
