/*
 * provider.h - what the files of this room share: a provider as data, and the answer while it is read.
 *
 * A provider is a table: its laws, its headers, the signs that tell one kind of error from another, and the phrases of its
 * messages. classify.c walks the table; adding a provider is adding one to providers.c, with its answers in the tests.
 * Tables are constant; everything else belongs to one call.
 */
#ifndef LLIM_PROVIDER_PROVIDER_H
#define LLIM_PROVIDER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llm_limiters_core.h"

/* Bytes that somebody else owns; not ended by a zero. */
typedef struct llim__text {
    const char *at;
    size_t len;
} llim__text;

/* What a header's value is. */
enum llim__value {
    LLIM__LIMIT,
    LLIM__REMAINING,
    LLIM__RESET, /* until the limit is wholly free again */
    LLIM__RETRY,
    LLIM__RETRY_MS,
    LLIM__MARK /* its name gives the provider away, its value is not read */
};

typedef struct llim__header {
    const char *name; /* in lower case; one that ends in - stands for all names that begin so */
    int32_t value;    /* enum llim__value */
    int32_t meter;
    int32_t unit;    /* LLIM_NO_UNIT: to be inferred */
    int32_t project; /* as in llim_learned */
} llim__header;

/* A sign by which an error is known: a text in one of its fields. The first that fits decides. */
enum llim__field { LLIM__TYPE, LLIM__CODE, LLIM__STATUS, LLIM__MESSAGE, LLIM__REASON, LLIM__FIELDS };
enum llim__match { LLIM__WHOLE, LLIM__BEGINS, LLIM__HOLDS };

typedef struct llim__sign {
    int32_t field;
    int32_t match;
    const char *text;
    int32_t kind;
    int32_t scope;
} llim__sign;

/* A phrase that names a limit, in a message or in a quota's id. LLIM_UNKNOWN and LLIM_NO_UNIT: it does not tell that part. */
typedef struct llim__phrase {
    const char *text;
    int32_t meter;
    int32_t unit;
} llim__phrase;

/* Every list ends with an entry of zeros. */
typedef struct llim__provider {
    const char *name;
    bool google;          /* its errors are Google's: a status, and details */
    int32_t law;          /* of a window that rolls or whose law is not documented */
    int32_t day_law;      /* of a day */
    const char *day_zone; /* calendar days only: where they are cut, */
    const char *day_rule; /* and the rule of that zone, so that no file is needed */
    int32_t charged;      /* enum llim_charged */
    bool zeros_are_noise; /* a zero in a header may mean that the provider does not know */
    const char *code;     /* an error code or message part that no other provider has, or NULL */
    const char *message;
    const llim__header *headers;
    const llim__sign *signs;
    const llim__phrase *phrases; /* of messages */
    const llim__phrase *types;   /* an error's type, where the message tells no limit */
} llim__provider;

/* Indexed by enum llim_provider; the first knows only what all share. */
extern const llim__provider llim__providers[LLIM_PROVIDERS];

/* What the headers told beside the limits. */
typedef struct llim__heads {
    int64_t retry_ns;    /* LLIM_UNKNOWN */
    int64_t retry_ms_ns; /* the same, from a header that is exact */
    int64_t now_wall_ns; /* 0: not known */
} llim__heads;

/* The fields of an error, of whatever shape. */
typedef struct llim__error_fields {
    const char *field[LLIM__FIELDS]; /* "" if it has none */
} llim__error_fields;

/* headers.c: which provider's headers these are, LLIM_PROVIDER_ANY if none tells; and reading them into the answer. */
int32_t llim__headers_provider(llim__text headers);
void llim__headers_read(llim__text headers, const llim__provider *p, llim__heads *heads, llim_answer *a);
/* The value of a header, without blanks around it; at is NULL if there is none. */
llim__text llim__header_find(llim__text headers, const char *name);

/* learn.c */
/* The entry for such a limit, made if needed; NULL if there is no room. */
llim_learned *llim__learn(llim_answer *a, int32_t meter, int32_t unit, int32_t project);
/* Gives entries without a window the one that their numbers show, forgets those that tell nothing, and adds the limit that
   refused if it is not among them. */
void llim__learned_finish(llim_answer *a);

/* message.c: what the sentence of an error tells. Each leaves what it does not find. */
void llim__message_limit(const llim__provider *p, const char *message, llim_answer *a);
void llim__message_names(const char *message, llim_answer *a);
int64_t llim__message_wait(const char *message); /* LLIM_UNKNOWN */
/* The number behind the first "word" of the text: digits, with commas between; LLIM_UNKNOWN. */
int64_t llim__number_after(const char *text, const char *word);
/* A name, if it can be shown whole. */
void llim__show_name(char out[LLIM_NAME_SHOWN], const char *name, size_t len);

/* quota_failure.c: the details of a Google error. Returns the delay they tell, or LLIM_UNKNOWN. */
struct cJSON;
int64_t llim__quota_failure(const struct cJSON *details, const char *message, llim_answer *a);

/* stream.c: the error of a body, be it JSON or a stream of events. Returns the document that holds it, for cJSON_Delete(): with
   *error NULL one that tells none, NULL if there is neither. Bodies and events that are longer are not read. */
#define LLIM__LONGEST_ERROR 262144
struct cJSON *llim__error_find(llim__text body, const struct cJSON **error);

/* event.c: the error that an event tells, or NULL; and what one without an error tells. */
const struct cJSON *llim__event_error(const struct cJSON *root);
void llim__event_read(const struct cJSON *root, llim_answer *a);

/* json.c: members by their exact name; each takes NULL, and gives NULL, "" or LLIM_UNKNOWN for what is not there. */
struct cJSON *llim__json_parse(llim__text text);
const struct cJSON *llim__json_get(const struct cJSON *object, const char *name);
const char *llim__json_text(const struct cJSON *object, const char *name);
int64_t llim__json_amount(const struct cJSON *object, const char *name);
int64_t llim__json_seconds(const struct cJSON *object, const char *name); /* in nanoseconds */

/* duration.c */
/* Decimal digits with an optional fraction, the whole of the text, times scale and rounded up. False: no such number, or
   one above LLIM__DECIMAL_MAX after scaling. */
#define LLIM__DECIMAL_MAX (INT64_C(400) * 86400 * LLIM_SECOND)
bool llim__decimal(llim__text text, int64_t scale, int64_t *value);
/* Digits only, 0 .. LLIM_AMOUNT_MAX, else LLIM_UNKNOWN. */
int64_t llim__amount(llim__text text);
/* An instant of HTTP or RFC 3339 as wall time, 1970 .. 2199. */
bool llim__instant(llim__text text, int64_t *wall_ns);

#endif
