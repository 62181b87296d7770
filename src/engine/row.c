/*
 * row.c - placing scopes and changing their limits, under the zone's lock, while others decide.
 *
 * A change marks the row, seals all its limits, works out the new cells aside, writes them, and unseals them word by word,
 * each last. A decision that was planned before the seal cannot commit; one planned in between reads the row's state again
 * once it has committed, sees another version, undoes itself and starts over.
 *
 * That a word is as it was when it was read proves nothing if its cell has gone to another limit by then. So a limit never
 * moves while it is there, and a cell that is left over among others holds no limit. A new limit takes the cell of the one
 * whose use it inherits: what a late operation on the old one does to it is what it should have done.
 */
#include <string.h>

#include "base/error.h"
#include "engine/journal.h"
#include "engine/laws.h"
#include "engine/notes.h"
#include "engine/rings.h"
#include "engine/rows.h"
#include "engine/shape.h"
#include "engine/table.h"
#include "engine/writer.h"

typedef struct plan {
    uint32_t shape[LLIM_MAX_LIMITS];
    int64_t amount[LLIM_MAX_LIMITS];
    uint64_t words[LLIM_MAX_LIMITS][2];
    uint32_t born[LLIM_MAX_LIMITS];
    int kept[LLIM_MAX_LIMITS];     /* the cell of the limit that the i-th continues, or -1 */
    int inherits[LLIM_MAX_LIMITS]; /* the cell of the limit whose use a new one starts with, or -1 */
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
        p->kept[i] = p->inherits[i] = -1;
        const llim__shape *a = &zone->shape[p->shape[i]];
        for (uint32_t k = 0; k < i; k++) {
            const llim__shape *b = &zone->shape[p->shape[k]];
            if (a->law == LLIM_GAUGE && b->law == LLIM_GAUGE && a->meter == b->meter)
                return llim__fail(err, LLIM_EINVAL, "scope %.*s has two gauges of %s, one is possible",
                                  (int)spec->scope_len, spec->scope, llim_meter_name(a->meter));
            if (llim__shape_same(a, b))
                return llim__fail(err, LLIM_EINVAL, "scope %.*s has two %s limits on %s over the same window",
                                  (int)spec->scope_len, spec->scope, llim_law_name(a->law), llim_meter_name(a->meter));
        }
    }
    return LLIM_OK;
}

static bool needs_ring(const llim_zone *zone, const plan *p, uint32_t i)
{
    return zone->shape[p->shape[i]].law == LLIM_SLIDING && p->kept[i] < 0;
}

/* Gives back the rings that the first n limits have taken. */
static void return_rings(llim_zone *zone, const plan *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (needs_ring(zone, p, i)) llim__rings_return(zone, p->words[i][1]);
}

/* Takes the rings that new sliding limits need, none of them from the row keep. */
static int take_rings(llim_zone *zone, llim__now now, uint32_t keep, plan *p, llim_error *err)
{
    uint32_t i = 0;
    int64_t ring = 0;
    for (; i < p->n; i++) {
        if (!needs_ring(zone, p, i)) continue;
        ring = llim__rings_take(zone);
        if (ring < 0 && llim__table_recycle_ring(zone, now, keep)) ring = llim__rings_take(zone);
        if (ring < 0) break;
        p->words[i][1] = (uint64_t)ring;
    }
    if (ring >= 0) return LLIM_OK;
    return_rings(zone, p, i);
    return llim__fail(err, LLIM_EFULL, "no sliding window is left: all %u are in use", zone->header->rings);
}

static int no_row(const llim_zone *zone, llim_error *err)
{
    return llim__fail(err, LLIM_EFULL, "no row is left: all %u are in use by scopes that are not idle",
                      zone->header->rows);
}

/* begins differs from tenant to tenant of a cell, so that its words do. */
static void start(llim_zone *zone, llim__now now, plan *p, uint32_t i, int64_t used, uint32_t begins)
{
    llim__step step = {.shape = &zone->shape[p->shape[i]], .limit = p->amount[i], .identity = begins};
    llim__law_start(zone, now, &step, used, p->words[i]);
}

static void write_row(llim_zone *zone, uint32_t index, const plan *p, uint64_t state, uint32_t identity)
{
    llim__draft draft = {.state = state, .identity = identity, .n = p->n};
    for (uint32_t i = 0; i < p->n; i++) {
        const bool sliding = zone->shape[p->shape[i]].law == LLIM_SLIDING;
        draft.cell[i] = (struct llim__draft_cell){.config = LLIM__CONFIG(p->shape[i], p->amount[i]),
                                                  .words = {p->words[i][0], p->words[i][1]},
                                                  .born = p->born[i],
                                                  .keeps_aux = sliding && p->kept[i] >= 0}; /* see llim__law_unseal() */
    }
    llim__journal_write(zone, index, &draft);
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
                    uint32_t taken = at_load_rlx(&tail->next);
                    at_store_rel(&tail->next, 0); /* first, lest a row have two owners */
                    llim__table_put(zone, taken);
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

static uint32_t flags_of(const llim_row_spec *spec)
{
    return LLIM__LIVE | (spec->pinned ? LLIM__PINNED : 0) | (spec->notes ? LLIM__NOTED : 0);
}

static int no_note(const llim_zone *zone, llim_error *err)
{
    return llim__fail(err, LLIM_EFULL, "no note is left: all %u are in use by pinned scopes", zone->header->notes);
}

/* It goes to logs and terminals, and may come from anyone, with any bytes. */
static void write_name(char name[LLIM_SCOPE_SHOWN], const llim_row_spec *spec)
{
    const bool whole = spec->scope_len < LLIM_SCOPE_SHOWN;
    size_t n = whole ? spec->scope_len : LLIM_SCOPE_SHOWN - 2;
    while (!whole && n > 0 && ((unsigned char)spec->scope[n] & 0xc0) == 0x80) n--; /* not within a character of UTF-8 */
    memcpy(name, spec->scope, n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 127) name[i] = '?';
    if (!whole) name[n++] = '~';
    memset(name + n, 0, LLIM_SCOPE_SHOWN - n);
}

static int add(llim_zone *zone, llim__now now, const llim_row_spec *spec, llim__key key, plan *p, llim_row *out,
               llim_error *err)
{
    int code = take_rings(zone, now, 0, p, err);
    if (code) return code;
    uint32_t index = llim__table_take(zone, now, 0);
    llim__row *row = &zone->row[index];
    code = index ? extend(zone, now, index, p->n, err) : no_row(zone, err);
    const uint32_t epoch = LLIM__STATE_EPOCH(at_load_rlx(&row->state));
    if (!code && spec->notes && !llim__notes_take(zone, index, epoch)) code = no_note(zone, err);
    if (code) {
        return_rings(zone, p, p->n);
        if (index) llim__table_put(zone, index);
        return code;
    }
    at_store_rlx(&row->key[0], key.word[0]);
    at_store_rlx(&row->key[1], key.word[1]);
    at_store_rlx(&row->cool_until, now.steady - epoch % 1024); /* over, and not what it was before */
    at_store_rlx(&row->generation, spec->generation);
    write_name(zone->name[index], spec);
    for (uint32_t i = 0; i < p->n; i++) {
        p->born[i] = 0;
        start(zone, now, p, i, 0, epoch);
    }
    write_row(zone, index, p, LLIM__STATE(epoch, 0, p->n, flags_of(spec)), 0);
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

/* Whether one may take over what the other holds: leases are no use of a window. */
static bool akin(const llim__shape *a, const llim__shape *b)
{
    return a->meter == b->meter && (a->law == LLIM_GAUGE) == (b->law == LLIM_GAUGE);
}

/* The replaced limit of the same meter whose window is nearest, or -1. */
static int nearest(const llim__limits *old, const bool *gone, const llim__shape *shape)
{
    int found = -1;
    double least = 0;
    for (uint32_t k = 0; k < old->n; k++) {
        const llim__shape *other = old->step[k].shape;
        if (!gone[k] || !akin(other, shape)) continue;
        double d = distance(other, shape);
        if (found >= 0 && d >= least) continue;
        least = d;
        found = (int)k;
    }
    return found;
}

/* Finds which limits stay and which are gone, and puts each limit of the plan in its cell: see the top. */
static void place(llim_zone *zone, const llim__limits *old, plan *p, bool *gone)
{
    const plan asked = *p;
    int cell[LLIM_MAX_LIMITS], inherits[LLIM_MAX_LIMITS];
    bool taken[LLIM_MAX_LIMITS] = {false};
    for (uint32_t k = 0; k < old->n; k++) gone[k] = old->step[k].shape->law != LLIM__NO_LIMIT;
    for (uint32_t i = 0; i < asked.n; i++) {
        cell[i] = inherits[i] = -1;
        for (uint32_t k = 0; k < old->n; k++) {
            if (!llim__shape_same(old->step[k].shape, &zone->shape[asked.shape[i]])) continue;
            cell[i] = (int)k;
            taken[k] = true;
            gone[k] = false;
        }
    }
    *p = (plan){.n = 0};
    for (uint32_t at = 0; at < LLIM_MAX_LIMITS; at++) {
        bool empty = at < old->n && old->step[at].shape->law == LLIM__NO_LIMIT;
        p->kept[at] = taken[at] || empty ? (int)at : -1;
        p->inherits[at] = -1;
    }
    for (uint32_t i = 0; i < asked.n; i++) {
        if (cell[i] >= 0) continue;
        inherits[i] = nearest(old, gone, &zone->shape[asked.shape[i]]);
        if (inherits[i] < 0 || taken[inherits[i]]) continue;
        cell[i] = inherits[i];
        taken[cell[i]] = true;
    }
    for (uint32_t i = 0; i < asked.n; i++) {
        bool stays = cell[i] >= 0 && p->kept[cell[i]] >= 0;
        for (int at = 0; cell[i] < 0; at++)
            if (!taken[at]) cell[i] = at;
        uint32_t at = (uint32_t)cell[i];
        taken[at] = true;
        p->shape[at] = asked.shape[i];
        p->amount[at] = asked.amount[i];
        p->inherits[at] = inherits[i];
        if (!stays) p->kept[at] = -1;
        if (p->n <= at) p->n = at + 1;
    }
}

/* Whether the row has exactly these limits, in these cells. */
static bool same_limits(const llim__limits *old, const plan *p)
{
    bool same = old->n == p->n;
    for (uint32_t i = 0; i < p->n && same; i++)
        same =
            p->kept[i] == (int)i && at_load_rlx(&old->step[i].cell->config) == LLIM__CONFIG(p->shape[i], p->amount[i]);
    return same;
}

/* The new limit of the plan whose window is nearest to that of a replaced one, or -1. */
static int heir(const llim_zone *zone, const plan *p, const llim__shape *shape)
{
    int found = -1;
    double least = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        const llim__shape *other = &zone->shape[p->shape[i]];
        if (p->kept[i] >= 0 || other->law == LLIM__NO_LIMIT || !akin(other, shape)) continue;
        double d = distance(other, shape);
        if (found >= 0 && d >= least) continue;
        least = d;
        found = (int)i;
    }
    return found;
}

/* What the i-th limit of the plan, a new one, starts with: the most of the one whose use it inherits, and of those that have it
   for their heir. */
static int64_t inherited(const llim_zone *zone, const llim__limits *old, const plan *p, uint32_t i, const bool *gone,
                         const int64_t *used)
{
    int64_t most = p->inherits[i] < 0 ? 0 : used[p->inherits[i]];
    for (uint32_t k = 0; k < old->n; k++)
        if (gone[k] && used[k] > most && heir(zone, p, old->step[k].shape) == (int)i) most = used[k];
    return most;
}

/* A calendar limit in place of one that cuts time alike keeps its periods too, so that a step back of the clock reopens none. */
static void keep_periods(const llim_zone *zone, const llim__limits *old, plan *p, uint32_t i, const uint64_t words[2])
{
    const llim__shape *shape = &zone->shape[p->shape[i]], *before = old->step[p->inherits[i]].shape;
    if (shape->law == LLIM_CALENDAR && before->law == LLIM_CALENDAR && shape->unit == before->unit &&
        shape->zone == before->zone)
        llim__period_keep(words, p->words[i]);
}

/* Seals the limits, and works out the words of those that are to take their place. */
static void take_over(llim_zone *zone, const llim__limits *old, plan *p, const bool *gone,
                      uint64_t words[LLIM_MAX_LIMITS][2])
{
    int64_t used[LLIM_MAX_LIMITS];
    llim__now now = llim__zone_now(zone);
    for (uint32_t k = 0; k < old->n; k++) llim__law_seal(zone, now, &old->step[k], k, false, words[k], &used[k]);
    now = llim__zone_now(zone); /* not before the last charge that the seals let through */
    for (uint32_t i = 0; i < p->n; i++) {
        int k = p->kept[i];
        if (k < 0) {
            p->born[i] = old->identity + 1;
            start(zone, now, p, i, inherited(zone, old, p, i, gone, used), p->born[i]);
            if (p->inherits[i] >= 0) keep_periods(zone, old, p, i, words[p->inherits[i]]);
            continue;
        }
        const llim__shape *shape = &zone->shape[p->shape[i]];
        int64_t before = old->step[k].limit;
        p->born[i] = old->born[k];
        p->words[i][0] = words[k][0];
        p->words[i][1] = words[k][1];
        if (shape->law != LLIM_BUCKET || p->amount[i] == before) continue;
        /* A bucket's word is time, not an amount: another limit means another time for the same amount. What has refilled
           of older permits has done so by the old limit, so they give nothing back to a lower one. */
        llim__bucket_resize(now, shape, before, p->amount[i], p->words[i]);
        if (p->amount[i] < before) p->born[i] = old->identity + 1;
    }
}

static int change(llim_zone *zone, llim__now now, const llim_row_spec *spec, uint32_t index, plan *p, llim_row *out,
                  bool *frees, llim_error *err)
{
    llim__row *row = &zone->row[index];
    const uint64_t state = at_load_acq(&row->state);
    const uint32_t flags = flags_of(spec) | (LLIM__STATE_FLAGS(state) & LLIM__NOTED);
    llim__limits old;
    bool gone[LLIM_MAX_LIMITS], identity_changes = false;
    uint64_t words[LLIM_MAX_LIMITS][2];
    *out = (llim_row){index, LLIM__STATE_EPOCH(state)};
    if (spec->notes && !llim__notes_take(zone, index, out->epoch)) return no_note(zone, err);
    llim__limits_read(zone, row, out->epoch, &old);
    place(zone, &old, p, gone);
    const bool same = same_limits(&old, p);
    if (flags == LLIM__STATE_FLAGS(state) && same) {
        at_store_rlx(&row->generation, spec->generation);
        return LLIM_OK;
    }
    int code = take_rings(zone, now, index, p, err);
    if (code) return code;
    code = extend(zone, now, index, p->n, err);
    if (code) {
        return_rings(zone, p, p->n);
        return code;
    }
    llim__journal_begin(zone, index, at_load_rlx(&row->cool_until));
    at_store_rel(&row->state, state | LLIM__CHANGING);
    take_over(zone, &old, p, gone, words);
    for (uint32_t i = 0; i < p->n; i++) identity_changes |= p->born[i] == old.identity + 1;
    at_store_rlx(&row->generation, spec->generation);
    write_row(zone, index, p, LLIM__STATE(LLIM__STATE_EPOCH(state), LLIM__STATE_VERSION(state) + 1, p->n, flags),
              old.identity + identity_changes);
    *frees = !same;
    /* Last: a ring that a dead writer has left to nobody is found again, one with two owners would be wrong. */
    for (uint32_t k = 0; k < old.n; k++)
        if (gone[k] && old.step[k].shape->law == LLIM_SLIDING) llim__sliding_put_ring(zone, words[k][1], words[k][0]);
    return LLIM_OK;
}

static int check_spec(const llim_row_spec *spec, llim_error *err)
{
    if (spec->size != sizeof *spec)
        return llim__fail(err, LLIM_EVERSION, "llim_row_spec.size is %u, this library expects %zu", spec->size,
                          sizeof *spec);
    if (spec->scope_len == 0 || spec->scope_len > LLIM_SCOPE_MAX)
        return llim__fail(err, LLIM_EINVAL, "a scope's name has 1 to %d bytes, not %u", LLIM_SCOPE_MAX,
                          spec->scope_len);
    return LLIM_OK;
}

/* Under the lock. */
static int set(llim_zone *zone, const llim_row_spec *spec, llim_row *row, bool *frees, llim_error *err)
{
    plan p;
    int code = plan_limits(zone, spec, &p, err);
    if (code) return code;
    const llim__key key = llim__hash(zone->header->secret, spec->scope, spec->scope_len);
    const llim__now now = llim__zone_now(zone);
    const uint32_t index = llim__table_find(zone, key);
    return index ? change(zone, now, spec, index, &p, row, frees, err) : add(zone, now, spec, key, &p, row, err);
}

static int set_one(llim_zone *zone, const llim_row_spec *spec, llim_row *row, bool *frees, llim_error *err)
{
    int code = check_spec(spec, err);
    if (code) return code;
    code = llim__zone_lock(zone);
    if (code) return llim__zone_lock_failed(code, err);
    code = set(zone, spec, row, frees, err);
    llim__zone_unlock(zone);
    return code;
}

int llim_row_set(llim_zone *zone, const llim_row_spec *spec, llim_row *row, llim_error *err)
{
    bool frees = false;
    int code = set_one(zone, spec, row, &frees, err);
    if (frees) llim__zone_freed(zone);
    return code;
}

int llim__row_set_quietly(llim_zone *zone, const llim_row_spec *spec, llim_row *row, bool *frees, llim_error *err)
{
    *frees = false;
    return set_one(zone, spec, row, frees, err);
}

void llim__rows_freed(llim_zone *zone)
{
    llim__zone_freed(zone);
}

/* What is to be free before several rows are set one after the other, so that none of them can fail. */
typedef struct need {
    uint32_t rows, notes;
    int64_t rings, held; /* the most at one time, and after the last so far */
} need;

static uint32_t rows_for(uint32_t limits)
{
    return limits <= LLIM__CELLS ? 0 : (limits - LLIM__CELLS + LLIM__MORE_CELLS - 1) / LLIM__MORE_CELLS;
}

static int add_need(llim_zone *zone, const llim_row_spec *spec, need *n, llim_error *err)
{
    plan p;
    llim__limits old = {.n = 0};
    bool gone[LLIM_MAX_LIMITS];
    int code = plan_limits(zone, spec, &p, err);
    if (code) return code;
    const uint32_t index = llim__table_find(zone, llim__hash(zone->header->secret, spec->scope, spec->scope_len));
    llim__row *row = &zone->row[index];
    const uint64_t state = at_load_acq(&row->state);
    if (index) {
        llim__limits_read(zone, row, LLIM__STATE_EPOCH(state), &old);
        place(zone, &old, &p, gone);
    }
    for (uint32_t i = 0; i < p.n; i++) n->held += needs_ring(zone, &p, i);
    if (n->held > n->rings) n->rings = n->held;
    for (uint32_t k = 0; k < old.n; k++) n->held -= gone[k] && old.step[k].shape->law == LLIM_SLIDING;
    uint32_t chain = 0;
    for (uint32_t next = index; next; next = at_load_rlx(&zone->row[next].next)) chain++;
    const uint32_t wanted = 1 + rows_for(p.n);
    if (wanted > chain) n->rows += wanted - chain;
    /* One of an unpinned row may go to another meanwhile, or has, whatever the row's flag says. */
    const bool safe =
        index && LLIM__STATE_FLAGS(state) & LLIM__PINNED && llim__notes_has(zone, index, LLIM__STATE_EPOCH(state));
    n->notes += spec->notes && !safe;
    return LLIM_OK;
}

/* Takes so many rows, recycling what is idle, and gives them back: they are free then. */
static bool free_rows(llim_zone *zone, llim__now now, uint32_t n)
{
    uint32_t first = 0, taken = 0;
    for (uint32_t index; taken < n && (index = llim__table_take(zone, now, 0)) != 0; taken++) {
        at_store_rel(&zone->row[index].next, first);
        first = index;
    }
    llim__table_put(zone, first);
    return taken == n;
}

static bool free_rings(llim_zone *zone, llim__now now, int64_t n)
{
    const llim__header *h = zone->header;
    while ((int64_t)h->rings - (int64_t)at_load_rlx(&h->rings_used) < n)
        if (!llim__table_recycle_ring(zone, now, 0)) return false;
    return true;
}

/* Sees to it that all of them have place. What is recycled for that may be a row that they name: then they need more. */
static int make_place(llim_zone *zone, const llim_row_spec *specs, uint32_t n, llim_error *err)
{
    const llim__now now = llim__zone_now(zone);
    for (uint32_t before = UINT32_MAX; before != at_load_rlx(&zone->header->scopes_used);) {
        need all = {0, 0, 0, 0};
        before = at_load_rlx(&zone->header->scopes_used);
        for (uint32_t i = 0; i < n; i++) {
            int code = add_need(zone, &specs[i], &all, err);
            if (code) return code;
        }
        if (!free_rings(zone, now, all.rings))
            return llim__fail(
                err, LLIM_EFULL, "%lld sliding windows more are needed at one time than are left of %u",
                (long long)(all.rings - (int64_t)zone->header->rings + (int64_t)at_load_rlx(&zone->header->rings_used)),
                zone->header->rings);
        if (!free_rows(zone, now, all.rows)) return no_row(zone, err);
        if (llim__notes_left(zone) < all.notes) return no_note(zone, err);
    }
    return LLIM_OK;
}

int llim__rows_set(llim_zone *zone, const llim_row_spec *specs, uint32_t n, llim_row *rows, llim_error *err)
{
    bool frees = false;
    int code = LLIM_OK;
    for (uint32_t i = 0; i < n && !code; i++) code = check_spec(&specs[i], err);
    if (code) return code;
    code = llim__zone_lock_patiently(zone);
    if (code) return llim__zone_lock_failed(code, err);
    const uint32_t shapes = at_load_rlx(&zone->header->shapes_used);
    code = make_place(zone, specs, n, err);
    if (code) at_store_rel(&zone->header->shapes_used, shapes); /* no row has those that were made */
    for (uint32_t i = 0; i < n && !code; i++) code = set(zone, &specs[i], &rows[i], &frees, err);
    llim__zone_unlock(zone);
    if (frees) llim__zone_freed(zone);
    return code;
}

int llim__row_unpin(llim_zone *zone, llim_row handle, uint32_t generation)
{
    uint64_t state;
    const llim__row *pinned = llim__row_of(zone, handle, &state);
    if (!pinned) return LLIM_ENOTFOUND;
    if (!(LLIM__STATE_FLAGS(state) & LLIM__PINNED)) return LLIM_OK;
    int code = llim__zone_lock_patiently(zone);
    if (code) return code;
    llim__row *row = llim__row_of(zone, handle, &state);
    if (row) {
        at_store_rlx(&row->generation, generation);
        at_store_rel(&row->state, state & ~(uint64_t)LLIM__PINNED);
    }
    llim__zone_unlock(zone);
    return row ? LLIM_OK : LLIM_ENOTFOUND;
}

int llim_row_find(llim_zone *zone, const char *scope, size_t scope_len, llim_row *row)
{
    const llim__key key = llim__hash(zone->header->secret, scope, scope_len);
    const uint32_t repairs = at_load_acq(&zone->header->repairs);
    uint32_t index = llim__table_find(zone, key);
    if (!index && (repairs & 1 || at_load_acq(&zone->header->repairs) != repairs)) {
        int code = llim__zone_is_read_only(zone) ? LLIM_EBUSY : llim__zone_lock(zone); /* it was being made anew */
        if (code) return code;
        index = llim__table_find(zone, key);
        llim__zone_unlock(zone);
    }
    if (!index) return LLIM_ENOTFOUND;
    const llim__row *found = &zone->row[index];
    uint64_t state = at_load_acq(&found->state);
    bool same = at_load_acq(&found->key[0]) == key.word[0] && at_load_acq(&found->key[1]) == key.word[1];
    *row = (llim_row){index, LLIM__STATE_EPOCH(state)};
    /* Another scope may have got the row behind the index: it has the key only from another epoch on. */
    same = same && LLIM__STATE_EPOCH(at_load_acq(&found->state)) == row->epoch;
    return same && LLIM__STATE_FLAGS(state) & LLIM__LIVE ? LLIM_OK : LLIM_ENOTFOUND;
}

int llim_row_usage(llim_zone *zone, llim_row handle, llim_usage *out, uint32_t cap, uint32_t *n)
{
    if (handle.index == 0 || handle.index > zone->header->rows) return LLIM_ENOTFOUND;
    llim__row *row = &zone->row[handle.index];
    llim__limits limits;
    do {
        int code = llim__limits_read(zone, row, handle.epoch, &limits);
        if (code) return code;
        llim__now now = llim__zone_now(zone);
        *n = 0;
        for (const llim__step *step = limits.step; step < limits.step + limits.n; step++) {
            if (step->shape->law == LLIM__NO_LIMIT || ++*n > cap) continue;
            int64_t until;
            llim_usage *usage = &out[*n - 1];
            usage->limit = llim__shape_limit(zone, step->shape, step->limit);
            usage->used = llim__law_used(zone, now, step, &until);
            usage->reset_ns = until - now.steady;
        }
    } while (at_load_acq(&row->state) != limits.state);
    return LLIM_OK;
}
