/*
 * scan.h - a JSON document read byte by byte, for the few of its members that matter.
 *
 * The scanner keeps where it is, never what it has read: it needs the same memory for any document. Members are nodes of a
 * small tree (scan.c); a number or an end of a node goes to the usage it is part of. For usage.c.
 */
#ifndef LLIM_PROVIDER_SCAN_H
#define LLIM_PROVIDER_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#define LLIM__SCAN_DEPTH 64 /* what is nested deeper ends the document */
#define LLIM__SCAN_WORD  40 /* bytes of a key or number; longer ones are none of ours */

/* What is read of a usage object. */
enum llim__slot {
    LLIM__INPUT,
    LLIM__TOOL,        /* input of tools that Gemini called, beside the prompt */
    LLIM__CACHE_WRITE, /* Anthropic: input, beside input_tokens */
    LLIM__OUTPUT,
    LLIM__THOUGHTS,  /* Gemini: beside the candidates */
    LLIM__REASONING, /* OpenAI: part of the output */
    LLIM__TOTAL,
    LLIM__CACHED,
    LLIM__AUDIO_MS,
    LLIM__SLOTS
};

/* Part of a reader in the caller's memory, hence may_alias. */
typedef struct __attribute__((may_alias)) llim__scan {
    uint8_t state;
    uint8_t depth;
    uint8_t node[LLIM__SCAN_DEPTH]; /* of the value at that depth */
    uint64_t is_array;              /* a bit for each depth */
    uint8_t member;                 /* the node of the value that comes */
    uint8_t len;                    /* of word; more than fits: too long */
    bool escaped;
    bool is_key;
    bool chunked;             /* the usage is that of an answer which may still be running */
    bool chunks;              /* the document is an array of chunks */
    bool stopped;             /* a document said that the answer is finished */
    bool ended;               /* the candidate that is being read has a reason why */
    uint8_t candidate;        /* its number */
    uint32_t begun, finished; /* a bit for each candidate */
    bool used;                /* a whole usage was read in this document */
    bool final;               /* the last usage is that of the finished answer */
    bool image;               /* the element of data that is being read is an image */
    bool failed;              /* a document told an error */
    int64_t images;
    int64_t pending[LLIM__SLOTS]; /* of a usage that is being read */
    int64_t slot[LLIM__SLOTS];    /* of whole ones; LLIM_UNKNOWN */
    char word[LLIM__SCAN_WORD];
} llim__scan;

void llim__scan_begin(llim__scan *s);
/* The next document; what was read of the last stays. */
void llim__scan_restart(llim__scan *s);
void llim__scan_byte(llim__scan *s, char c);
/* Whether the answer has said that it is finished. */
bool llim__scan_finished(const llim__scan *s);

#endif
