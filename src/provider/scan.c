/*
 * scan.c - owns the reading of JSON byte by byte, and the tree of the members that matter in it.
 *
 * Invariant: depth counts the containers that are open, and node[depth - 1] is what the innermost is. Values that matter to
 * nobody are passed over without being kept, so a picture of many megabytes costs a comparison a byte. Structure is checked,
 * the spelling of words and strings is not: a document whose brackets, commas or colons are wrong is broken, and nothing
 * more is read of it.
 */
#include "provider/scan.h"

#include <string.h>

#include "provider/provider.h"

enum { LAST = 31 }; /* candidates from here on are one, which never ends: nobody asks for so many */

enum state { VALUE, ELEMENT, MEMBER, KEY, COLON, NEXT, STRING, WORD, CLOSED, BROKEN };

enum node {
    OTHER,
    ROOT,
    RESPONSE,
    OUTCOME,
    FAILURE,
    TYPE,
    MESSAGE,
    CHOICES,
    DELTA,
    DATA,
    IMAGE,
    FINISH,
    CANDIDATE,
    USAGE,
    DETAILS,
    SLOT
};

/* Where usage stands in the answers of each provider, streamed and whole, and what tells that a running answer is finished or
   has failed. */
static const struct {
    uint8_t parent;
    const char *key;
    uint8_t node;
} tree[] = {
    {ROOT, "usage", USAGE},
    {ROOT, "usageMetadata", USAGE}, /* Gemini */
    {ROOT, "response", RESPONSE},   /* OpenAI: Responses as a stream, Realtime */
    {RESPONSE, "usage", USAGE},
    {ROOT, "x_groq", RESPONSE}, /* Groq: the last chunk of a stream */
    {ROOT, "error", FAILURE},
    {RESPONSE, "error", FAILURE},
    {RESPONSE, "status_details", OUTCOME}, /* OpenAI: Realtime */
    {OUTCOME, "error", FAILURE},
    {ROOT, "type", TYPE},       /* OpenAI: Responses as a stream, an event "error" without an object */
    {ROOT, "message", MESSAGE}, /* Anthropic: a stream begins with the usage of its input */
    {MESSAGE, "usage", USAGE},
    {ROOT, "choices", CHOICES},
    {ROOT, "candidates", CHOICES},
    {CHOICES, "index", CANDIDATE},
    {CHOICES, "finish_reason", FINISH},
    {CHOICES, "finishReason", FINISH},
    {ROOT, "delta", DELTA},
    {DELTA, "stop_reason", FINISH},
    {ROOT, "data", DATA}, /* OpenAI: images */
    {DATA, "b64_json", IMAGE},
    {DATA, "url", IMAGE},
    {ROOT, "predictions", DATA}, /* Imagen */
    {DATA, "bytesBase64Encoded", IMAGE},
    {USAGE, "prompt_tokens", SLOT + LLIM__INPUT},
    {USAGE, "input_tokens", SLOT + LLIM__INPUT},
    {USAGE, "promptTokenCount", SLOT + LLIM__INPUT},
    {USAGE, "toolUsePromptTokenCount", SLOT + LLIM__TOOL},
    {USAGE, "cache_creation_input_tokens", SLOT + LLIM__CACHE_WRITE},
    {USAGE, "cache_read_input_tokens", SLOT + LLIM__CACHED},
    {USAGE, "cachedContentTokenCount", SLOT + LLIM__CACHED},
    {USAGE, "completion_tokens", SLOT + LLIM__OUTPUT},
    {USAGE, "output_tokens", SLOT + LLIM__OUTPUT},
    {USAGE, "candidatesTokenCount", SLOT + LLIM__OUTPUT},
    {USAGE, "responseTokenCount", SLOT + LLIM__OUTPUT}, /* Gemini Live */
    {USAGE, "thoughtsTokenCount", SLOT + LLIM__THOUGHTS},
    {USAGE, "total_tokens", SLOT + LLIM__TOTAL},
    {USAGE, "totalTokenCount", SLOT + LLIM__TOTAL},
    {USAGE, "seconds", SLOT + LLIM__AUDIO_MS}, /* OpenAI: transcription by duration */
    {USAGE, "prompt_tokens_details", DETAILS},
    {USAGE, "input_tokens_details", DETAILS},
    {USAGE, "input_token_details", DETAILS}, /* Realtime */
    {USAGE, "completion_tokens_details", DETAILS},
    {USAGE, "output_tokens_details", DETAILS},
    {DETAILS, "cached_tokens", SLOT + LLIM__CACHED},
    {DETAILS, "reasoning_tokens", SLOT + LLIM__REASONING},
};

static void forget(int64_t slots[LLIM__SLOTS])
{
    for (int i = 0; i < LLIM__SLOTS; i++) slots[i] = LLIM_UNKNOWN;
}

void llim__scan_begin(llim__scan *s)
{
    memset(s, 0, sizeof *s);
    forget(s->slot);
    llim__scan_restart(s);
}

/* Every candidate that has begun has ended. */
bool llim__scan_finished(const llim__scan *s)
{
    return s->stopped || (s->begun && s->begun == s->finished);
}

/* A usage is final if it came with the word that the answer is finished, or behind it. */
static void end_document(llim__scan *s)
{
    s->final = s->final || (s->used && llim__scan_finished(s));
    s->used = false;
}

void llim__scan_restart(llim__scan *s)
{
    end_document(s);
    s->state = VALUE;
    s->depth = 0;
    s->member = ROOT;
}

static bool in_array(const llim__scan *s)
{
    return s->is_array >> (s->depth - 1) & 1;
}

static uint8_t node_of_element(uint8_t array)
{
    return array == ROOT || array == CHOICES || array == DATA ? array : OTHER;
}

static void push(llim__scan *s, bool array)
{
    if (s->depth == LLIM__SCAN_DEPTH) {
        s->state = BROKEN;
        return;
    }
    if (s->member == USAGE) forget(s->pending);
    if (s->member == DATA && !array) s->image = false;
    if (s->member == FAILURE && !array) s->failed = true;
    if (s->member == CHOICES && !array) s->candidate = 0, s->ended = false;
    if (s->member == CHOICES || s->member == MESSAGE) s->chunked = true;
    if (array && s->depth == 0) s->chunks = true;
    s->node[s->depth] = s->member;
    s->is_array = (s->is_array & ~(UINT64_C(1) << s->depth)) | (uint64_t)array << s->depth;
    s->depth++;
    if (array) s->member = node_of_element(s->member);
    s->state = array ? ELEMENT : MEMBER;
}

static void commit(llim__scan *s)
{
    for (int i = 0; i < LLIM__SLOTS; i++)
        if (s->pending[i] != LLIM_UNKNOWN) s->slot[i] = s->pending[i];
    s->used = true;
}

static void pop(llim__scan *s, bool array)
{
    if (in_array(s) != array) {
        s->state = BROKEN;
        return;
    }
    uint8_t node = s->node[--s->depth];
    if (node == USAGE && !array) commit(s);
    if (node == DATA && !array && s->image) s->images++;
    if (node == CHOICES && !array) {
        const uint32_t bit = UINT32_C(1) << s->candidate;
        s->begun |= bit;
        if (s->ended && s->candidate < LAST) s->finished |= bit;
        if (!(s->finished & bit)) s->final = false;
    }
    if (node == ROOT && array) s->final = true; /* all chunks are there */
    if (node == ROOT && !array) end_document(s);
    s->state = s->depth ? NEXT : CLOSED;
}

static void begin_value(llim__scan *s, char c)
{
    s->len = 0;
    s->escaped = false;
    s->is_key = false;
    if (c == '{' || c == '[') {
        push(s, c == '[');
    } else if (s->depth == 0) {
        s->state = BROKEN; /* an answer is an object, or an array of them */
    } else if (c == '"') {
        s->state = STRING;
        if (s->member == IMAGE) s->image = true;
    } else if (c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) {
        s->word[s->len++] = c;
        s->state = WORD;
    } else {
        s->state = BROKEN;
    }
}

static void keep(llim__scan *s, char c)
{
    if (s->len < LLIM__SCAN_WORD) s->word[s->len] = c;
    if (s->len <= LLIM__SCAN_WORD) s->len++;
}

static void end_key(llim__scan *s)
{
    uint8_t parent = s->node[s->depth - 1];
    s->member = OTHER;
    for (size_t i = 0; parent != OTHER && i < sizeof tree / sizeof tree[0]; i++)
        if (tree[i].parent == parent && strlen(tree[i].key) == s->len && memcmp(tree[i].key, s->word, s->len) == 0)
            s->member = tree[i].node;
    s->state = COLON;
}

static void end_number(llim__scan *s)
{
    llim__text number = {s->word, s->len};
    int slot = s->member - SLOT;
    int64_t value = LLIM_UNKNOWN;
    if (s->member == CANDIDATE && s->len <= LLIM__SCAN_WORD) {
        value = llim__amount(number);
        s->candidate = value >= 0 && value < LAST ? (uint8_t)value : LAST;
        return;
    }
    if (slot < 0 || s->len > LLIM__SCAN_WORD) return;
    if (slot != LLIM__AUDIO_MS)
        value = llim__amount(number);
    else if (!llim__decimal(number, 1000, &value) || value > LLIM_AMOUNT_MAX)
        value = LLIM_UNKNOWN;
    s->pending[slot] = value;
}

static bool is_word(const llim__scan *s, const char *word)
{
    return s->len == strlen(word) && memcmp(s->word, word, s->len) == 0;
}

/* Keys matter, what an event's type is, and that there is a reason to finish. */
static void end_string(llim__scan *s)
{
    if (s->is_key) {
        end_key(s);
        return;
    }
    if (s->member == TYPE && is_word(s, "error")) s->failed = true;
    if (s->member == TYPE && (is_word(s, "image_generation.completed") || is_word(s, "image_edit.completed")))
        s->images++;
    if (s->member == FINISH && s->len) {
        s->ended = true;
        s->stopped = s->stopped || s->node[s->depth - 1] == DELTA;
    }
    s->state = NEXT;
}

static void string_byte(llim__scan *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
    } else if (c == '"') {
        end_string(s);
        return;
    }
    if (s->is_key || s->member == TYPE || s->member == FINISH) keep(s, c);
}

/* What may come behind a value. */
static void next_byte(llim__scan *s, char c)
{
    if (c == '}' || c == ']') {
        pop(s, c == ']');
    } else if (c == ',') {
        s->state = in_array(s) ? VALUE : KEY;
        if (in_array(s)) s->member = node_of_element(s->node[s->depth - 1]);
    } else {
        s->state = BROKEN;
    }
}

static void token_byte(llim__scan *s, char c)
{
    switch (s->state) {
    case CLOSED: /* another document, as in a file of a line each */
        llim__scan_restart(s);
        begin_value(s, c);
        return;
    case ELEMENT:
        if (c == ']')
            pop(s, true);
        else
            begin_value(s, c);
        return;
    case VALUE:
        begin_value(s, c);
        return;
    case MEMBER:
    case KEY:
        s->len = 0;
        s->escaped = false;
        s->is_key = true;
        if (c == '"')
            s->state = STRING;
        else if (c == '}' && s->state == MEMBER)
            pop(s, false);
        else
            s->state = BROKEN;
        return;
    case COLON:
        s->state = c == ':' ? VALUE : BROKEN;
        return;
    default:
        next_byte(s, c);
        return;
    }
}

void llim__scan_byte(llim__scan *s, char c)
{
    if (s->state == BROKEN) return;
    if (s->state == STRING) {
        string_byte(s, c);
        return;
    }
    bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (s->state == WORD) {
        if (!blank && c != ',' && c != '}' && c != ']') {
            keep(s, c);
            return;
        }
        end_number(s);
        s->state = NEXT;
    }
    if (!blank) token_byte(s, c);
}
