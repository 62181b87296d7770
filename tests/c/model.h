/*
 * model.h - the naive model of the engine: exact logs, slow and obvious, written from the contract and not from the code.
 *
 * Where the contract leaves the engine room (slots of a sliding window, the rounding of a give-back, the millisecond of a
 * lease, calendar periods that are no longer kept) the model counts twice: least is what must be counted, most is what may
 * be. The engine is right if it admits nothing that does not fit the least, refuses nothing that fits the most, and shows a
 * use between the two. Without that room both are equal. Test programs only; one thread.
 */
#ifndef LLIM_TESTS_MODEL_H
#define LLIM_TESTS_MODEL_H

#include "kit.h"

enum { MODEL_LIMITS = 4, MODEL_ROWS = 4, MODEL_EVENTS = 2048 };

/* A charge of a sliding window, a lease of a gauge, or a calendar period's count. */
typedef struct model_event {
    int64_t at; /* sliding: of the charge; gauge: until when a lease is held for sure; calendar: start of the period */
    int64_t until; /* calendar: end of the period; gauge: when the lease has ended for sure */
    int64_t least;
    int64_t most;
    uint32_t born; /* calendar: the operation that opened it */
} model_event;

typedef struct model_limit {
    llim_limit spec;
    model_event event[MODEL_EVENTS];
    uint32_t n;
    uint32_t left;               /* sliding: events before this one have left for good */
    int64_t oldest;              /* calendar: begin of the first period that was opened */
    int64_t tat_least, tat_most; /* bucket: in 1/16 ns of the steady clock */
} model_limit;

typedef struct model_row {
    model_limit limit[MODEL_LIMITS];
    uint32_t n;
    int64_t cool_until;
} model_row;

/* Where one limit holds a permit's charge. */
typedef struct model_mark {
    uint32_t event; /* sliding, gauge */
    bool leased;
    int64_t first, last; /* calendar: starts of the periods at the time of the charge */
} model_mark;

typedef struct model_permit {
    uint32_t rows[MODEL_ROWS];
    uint32_t n_rows;
    uint32_t born;
    int64_t at, wall;
    llim_charge charge;
    model_mark mark[MODEL_ROWS][MODEL_LIMITS];
} model_permit;

typedef struct model_zone {
    model_row row[MODEL_ROWS];
    uint32_t n;
    uint32_t operations;
    int64_t now, wall;
} model_zone;

enum model_verdict { MODEL_FITS, MODEL_LATER, MODEL_NEVER, MODEL_EITHER };

/* The process's TZ must be America/Los_Angeles: it is the model's only zone beside UTC. */
void model_init(model_zone *zone);
uint32_t model_add_row(model_zone *zone, const llim_limit *limits, uint32_t n);

enum model_verdict model_judge(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *charge);
/* What the engine has admitted. */
void model_charge(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *charge, model_permit *permit);
/* Whether each lease of the permit is still held for sure, or may have ended. */
bool model_leases_held(const model_zone *zone, const model_permit *permit);
bool model_leases_ended(const model_zone *zone, const model_permit *permit);
void model_settle(model_zone *zone, const model_permit *permit, const llim_charge *facts);
void model_reject(model_zone *zone, const model_permit *permit);
void model_cancel(model_zone *zone, const model_permit *permit);
/* Ends a permit of which a lease had expired: the others are given back, nothing is corrected. */
void model_release(model_zone *zone, const model_permit *permit);
/* all: the engine said that every lease was held. */
void model_renew(model_zone *zone, const model_permit *permit, bool all);
void model_record(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *facts);

/* What the engine may show as used. */
void model_used(model_zone *zone, uint32_t row, uint32_t limit, int64_t *least, int64_t *most);

#endif
