/*
 * row.c - placing scopes and changing their limits, under the zone's mutex, while others decide.
 *
 * A change seals all limits of the row, works out the new cells aside, writes them, and unseals them word by word, each
 * last. A decision that was planned before the seal cannot commit; one planned in between reads the row's state again once
 * it has committed, sees another version, undoes itself and starts over.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/laws.h"
#include "engine/shape.h"
#include "engine/table.h"

typedef struct plan {
    uint32_t shape[LLIM_MAX_LIMITS];
    int64_t amount[LLIM_MAX_LIMITS];
    uint64_t words[LLIM_MAX_LIMITS][2];
    uint32_t n;
} plan;

static int plan_limits(llim_zone *zone, const llim_row_spec *spec, plan *p, llim_error *err)
{
    if (spec->n_limits > LLIM_MAX_LIMITS)
        return llim__fail(err, LLIM_ERANGE, "scope %.*s has %u limits, at most %d are possible", (int)spec->scope_len,
                          spec->scope, spec->n_limits, LLIM_MAX_LIMITS);
    p->n = spec->n_limits;
    for (uint32_t i = 0; i < p->n; i++) {
        int code = llim__shape_check(&spec->limits[i], err);
        if (!code) code = llim__shape_of(zone, &spec->limits[i], &p->shape[i], err);
        if (code) return code;
        p->amount[i] = spec->limits[i].amount;
        const llim__shape *a = &zone->shape[p->shape[i]];
        for (uint32_t k = 0; k < i; k++) {
            const llim__shape *b = &zone->shape[p->shape[k]];
            bool gauges = a->law == LLIM_GAUGE && b->law == LLIM_GAUGE && a->meter == b->meter;
            if (gauges || llim__shape_same(a, b))
                return llim__fail(err, LLIM_EINVAL, "scope %.*s has two %s limits on %s over the same window",
                                  (int)spec->scope_len, spec->scope, llim_law_name(a->law), llim_meter_name(a->meter));
        }
    }
    return LLIM_OK;
}

/* Takes the rings that new sliding limits need, none of them from the row keep; kept[i] is the old limit that the i-th
   continues, or -1. */
static int take_rings(llim_zone *zone, llim__now now, uint32_t keep, const int *kept, plan *p, llim_error *err)
{
    uint32_t i = 0;
    int64_t ring = 0;
    for (; i < p->n; i++) {
        if (zone->shape[p->shape[i]].law != LLIM_SLIDING || kept[i] >= 0) continue;
        ring = llim__sliding_take_ring(zone);
        if (ring < 0 && llim__table_recycle_ring(zone, now, keep)) ring = llim__sliding_take_ring(zone);
        if (ring < 0) break;
        p->words[i][1] = (uint64_t)ring;
    }
    if (ring >= 0) return LLIM_OK;
    while (i--)
        if (zone->shape[p->shape[i]].law == LLIM_SLIDING && kept[i] < 0)
            llim__sliding_return_ring(zone, p->words[i][1]);
    return llim__fail(err, LLIM_EFULL, "no sliding window is left: all %u are in use", zone->header->rings);
}

static int no_row(const llim_zone *zone, llim_error *err)
{
    return llim__fail(err, LLIM_EFULL, "no row is left: all %u are in use by scopes that are not idle",
                      zone->header->rows);
}

static void start(llim_zone *zone, llim__now now, plan *p, uint32_t i, int64_t used)
{
    llim__step step = {.shape = &zone->shape[p->shape[i]], .limit = p->amount[i]};
    llim__law_start(zone, now, &step, used, p->words[i]);
}

static void write_cells(llim_zone *zone, llim__row *row, const plan *p, uint64_t state)
{
    for (uint32_t i = 0; i < p->n; i++) {
        llim__cell *cell = llim__row_cell(zone, row, i);
        at_store_rel(&cell->word, LLIM__SEALED);
        at_store_rel(&cell->aux, p->words[i][1]);
        at_store_rel(&cell->config, LLIM__CONFIG(p->shape[i], p->amount[i]));
    }
    at_store_rel(&row->state, state);
    for (uint32_t i = 0; i < p->n; i++) at_store_rel(&llim__row_cell(zone, row, i)->word, p->words[i][0]);
}

/* Makes the row's chain as long as n limits need, or leaves it as it was. */
static int extend(llim_zone *zone, llim__now now, uint32_t index, uint32_t n, llim_error *err)
{
    llim__row *row = &zone->row[index], *tail = NULL;
    for (uint32_t have = LLIM__CELLS; have < n; have += LLIM__MORE_CELLS) {
        uint32_t next = at_load_rlx(&row->next);
        if (!next) {
            next = llim__table_take(zone, now, index);
            if (!next) {
                if (tail) {
                    llim__table_put(zone, at_load_rlx(&tail->next));
                    at_store_rel(&tail->next, 0);
                }
                return no_row(zone, err);
            }
            if (!tail) tail = row;
            memset(zone->row[next].more_cell, 0, sizeof zone->row[next].more_cell);
            at_store_rel(&row->next, next);
        }
        row = &zone->row[next];
    }
    return LLIM_OK;
}

static int add(llim_zone *zone, llim__now now, const llim_row_spec *spec, llim__key key, plan *p, llim_row *out,
               llim_error *err)
{
    int kept[LLIM_MAX_LIMITS];
    memset(kept, -1, sizeof kept);
    int code = take_rings(zone, now, 0, kept, p, err);
    if (code) return code;
    uint32_t index = llim__table_take(zone, now, 0);
    llim__row *row = &zone->row[index];
    code = index ? extend(zone, now, index, p->n, err) : no_row(zone, err);
    if (code) {
        for (uint32_t i = 0; i < p->n; i++)
            if (zone->shape[p->shape[i]].law == LLIM_SLIDING) llim__sliding_return_ring(zone, p->words[i][1]);
        if (index) llim__table_put(zone, index);
        return code;
    }
    at_store_rlx(&row->key[0], key.word[0]);
    at_store_rlx(&row->key[1], key.word[1]);
    at_store_rlx(&row->cool_until, 0);
    at_store_rlx(&row->since, now.steady);
    at_store_rlx(&row->generation, spec->generation);
    int cut = spec->scope_len < LLIM_SCOPE_SHOWN ? (int)spec->scope_len : LLIM_SCOPE_SHOWN - 2;
    snprintf(zone->name[index], LLIM_SCOPE_SHOWN, "%.*s%s", cut, spec->scope, cut < (int)spec->scope_len ? "~" : "");
    for (uint32_t i = 0; i < p->n; i++) start(zone, now, p, i, 0);
    uint32_t epoch = LLIM__STATE_EPOCH(at_load_rlx(&row->state));
    write_cells(zone, row, p, LLIM__STATE(epoch, 0, p->n, LLIM__LIVE | (spec->pinned ? LLIM__PINNED : 0)));
    llim__table_publish(zone, index, key);
    *out = (llim_row){index, epoch};
    return LLIM_OK;
}

/* How unlike two windows are. */
static double distance(const llim__shape *a, const llim__shape *b)
{
    double x = (double)a->window_ns / (double)b->window_ns;
    return x < 1 ? 1 / x : x;
}

/* The replaced limit of the same meter whose window is nearest: what it holds, the new one starts with. */
static int64_t inherited(llim_zone *zone, llim__row *row, uint32_t n, const bool *gone, const int64_t *used,
                         const llim__shape *shape)
{
    int64_t found = 0;
    double nearest = 0;
    for (uint32_t i = 0; i < n; i++) {
        const llim__shape *old = llim__step_at(zone, row, i).shape;
        if (!gone[i] || old->meter != shape->meter) continue;
        double d = distance(old, shape);
        if (nearest == 0 || d < nearest) {
            nearest = d;
            found = used[i];
        }
    }
    return found;
}

static int change(llim_zone *zone, llim__now now, const llim_row_spec *spec, uint32_t index, plan *p, llim_row *out,
                  llim_error *err)
{
    llim__row *row = &zone->row[index];
    uint64_t state = at_load_acq(&row->state), words[LLIM_MAX_LIMITS][2];
    uint32_t n = LLIM__STATE_LIMITS(state), flags = LLIM__LIVE | (spec->pinned ? LLIM__PINNED : 0);
    int kept[LLIM_MAX_LIMITS];
    int64_t used[LLIM_MAX_LIMITS];
    bool gone[LLIM_MAX_LIMITS], identical = n == p->n && flags == LLIM__STATE_FLAGS(state), as_before = n == p->n;
    *out = (llim_row){index, LLIM__STATE_EPOCH(state)};
    for (uint32_t k = 0; k < n; k++) gone[k] = true;
    for (uint32_t i = 0; i < p->n; i++) {
        kept[i] = -1;
        for (uint32_t k = 0; k < n; k++) {
            llim__step old = llim__step_at(zone, row, k);
            if (!llim__shape_same(old.shape, &zone->shape[p->shape[i]])) continue;
            kept[i] = (int)k;
            gone[k] = false;
            uint64_t config = LLIM__CONFIG(p->shape[i], p->amount[i]);
            identical = identical && k == i && config == at_load_rlx(&old.cell->config);
        }
        if (kept[i] < 0) as_before = false;
    }
    if (identical && as_before) {
        at_store_rlx(&row->generation, spec->generation);
        return LLIM_OK;
    }
    int code = take_rings(zone, now, index, kept, p, err);
    if (code) return code;
    code = extend(zone, now, index, p->n, err);
    if (code) {
        for (uint32_t i = 0; i < p->n; i++)
            if (zone->shape[p->shape[i]].law == LLIM_SLIDING && kept[i] < 0)
                llim__sliding_return_ring(zone, p->words[i][1]);
        return code;
    }
    now = llim__zone_now(zone);
    for (uint32_t k = 0; k < n; k++) {
        llim__step old = llim__step_at(zone, row, k);
        llim__law_seal(zone, now, &old, false, words[k], &used[k]);
    }
    now = llim__zone_now(zone); /* not before the last charge that the seals let through */
    for (uint32_t i = 0; i < p->n; i++) {
        const llim__shape *shape = &zone->shape[p->shape[i]];
        if (kept[i] < 0) {
            start(zone, now, p, i, inherited(zone, row, n, gone, used, shape));
            continue;
        }
        uint64_t *old = words[kept[i]];
        bool resized = p->amount[i] != llim__step_at(zone, row, (uint32_t)kept[i]).limit;
        p->words[i][0] = old[0];
        p->words[i][1] = old[1];
        /* A bucket's word is time, not an amount: another limit means another time for the same amount. */
        if (shape->law == LLIM_BUCKET && resized)
            llim__bucket_resize(now, shape, llim__step_at(zone, row, (uint32_t)kept[i]).limit, p->amount[i],
                                p->words[i]);
    }
    for (uint32_t k = 0; k < n; k++)
        if (gone[k] && llim__step_at(zone, row, k).shape->law == LLIM_SLIDING)
            llim__sliding_put_ring(zone, words[k][1], words[k][0]);
    if (!as_before) at_store_rel(&row->since, now.steady);
    at_store_rlx(&row->generation, spec->generation);
    write_cells(zone, row, p, LLIM__STATE(LLIM__STATE_EPOCH(state), LLIM__STATE_VERSION(state) + 1, p->n, flags));
    return LLIM_OK;
}

int llim_row_set(llim_zone *zone, const llim_row_spec *spec, llim_row *row, llim_error *err)
{
    if (spec->size != sizeof *spec)
        return llim__fail(err, LLIM_EVERSION, "llim_row_spec.size is %u, this library expects %zu", spec->size,
                          sizeof *spec);
    if (spec->scope_len == 0 || spec->scope_len > LLIM_SCOPE_MAX)
        return llim__fail(err, LLIM_EINVAL, "a scope's name has 1 to %d bytes, not %u", LLIM_SCOPE_MAX,
                          spec->scope_len);
    llim__key key = llim__hash(zone->header->secret, spec->scope, spec->scope_len);
    pthread_mutex_lock(&zone->placing);
    plan p;
    int code = plan_limits(zone, spec, &p, err);
    if (!code) {
        llim__now now = llim__zone_now(zone);
        uint32_t index = llim__table_find(zone, key);
        code = index ? change(zone, now, spec, index, &p, row, err) : add(zone, now, spec, key, &p, row, err);
    }
    pthread_mutex_unlock(&zone->placing);
    return code;
}

int llim_row_find(llim_zone *zone, const char *scope, size_t scope_len, llim_row *row)
{
    uint32_t index = llim__table_find(zone, llim__hash(zone->header->secret, scope, scope_len));
    if (!index) return LLIM_ENOTFOUND;
    uint64_t state = at_load_acq(&zone->row[index].state);
    *row = (llim_row){index, LLIM__STATE_EPOCH(state)};
    return LLIM__STATE_FLAGS(state) & LLIM__LIVE ? LLIM_OK : LLIM_ENOTFOUND;
}

int llim_row_usage(llim_zone *zone, llim_row handle, llim_usage *out, uint32_t cap, uint32_t *n)
{
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (!row) return LLIM_ENOTFOUND;
    llim__now now = llim__zone_now(zone);
    *n = LLIM__STATE_LIMITS(state);
    for (uint32_t i = 0; i < *n && i < cap; i++) {
        llim__step step = llim__step_at(zone, row, i);
        int64_t until;
        out[i].limit = llim__shape_limit(zone, step.shape, step.limit);
        out[i].used = llim__law_used(zone, now, &step, &until);
        out[i].reset_ns = until - now.steady;
    }
    return LLIM_OK;
}

void llim__zone_wait_for_writer(llim_zone *zone, llim__row *row)
{
    pthread_mutex_lock(&zone->placing);
    uint64_t state = at_load_acq(&row->state);
    llim__now now = llim__zone_now(zone);
    for (uint32_t i = 0; LLIM__STATE_FLAGS(state) & LLIM__LIVE && i < LLIM__STATE_LIMITS(state); i++) {
        llim__step step = llim__step_at(zone, row, i);
        bool calendar = step.shape->law == LLIM_CALENDAR;
        if (at_load_acq(&step.cell->word) != LLIM__SEALED &&
            !(calendar && at_load_acq(&step.cell->aux) == LLIM__SEALED))
            continue;
        uint64_t words[2];
        int64_t used;
        at_store_rel(&row->since, now.steady + 1); /* what older permits hold is not in the new count */
        llim__law_seal(zone, now, &step, false, words, &used);
        llim__law_unseal(step.cell, words);
    }
    pthread_mutex_unlock(&zone->placing);
}
