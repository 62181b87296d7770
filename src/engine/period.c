/*
 * period.c - a count per calendar period in two words.
 *
 * Each word is (id, unopened, count). The id is the quarter of an hour in which the period begins, or the minute if minutes
 * are counted, modulo 2^22, which also tells which of two periods is the newer, up to 59 or 4 years apart. Of a new limit
 * the words are unopened: older than any period, whatever their ids, so that the clock may be set by years before the first
 * charge. A period that has no word yet takes the older one.
 *
 * A decision is charged to the period that was a guard ago and to the one that will be in a guard, which differ only near
 * a boundary; and to a newer period that has been opened before, so that a wall clock that steps back neither reopens a
 * period nor spends one twice. Where a false clock has opened a period beyond a boundary that is near, that would make
 * three: nothing is admitted within that guard then. What a decision in the guard has charged to the period to come is there when it comes.
 */
#include "engine/laws.h"
#include "engine/writer.h"

enum { ID_BITS = 22, COUNT_BITS = 41 };

/* Boundaries that a refusal looks ahead; a few suffice unless ids have wrapped, and then asking again is the answer. */
enum { MOST_ROUNDS = 16 };

#define ID_SHIFT  (64 - ID_BITS)
#define ID_MASK   (((uint64_t)1 << ID_BITS) - 1)
#define UNOPENED  ((uint64_t)1 << COUNT_BITS)
#define MOST_USED ((int64_t)UNOPENED - 1)
#define MINUTE_NS ((int64_t)60 * LLIM_SECOND)

static uint64_t word_id(uint64_t word)
{
    return word >> ID_SHIFT;
}

static bool opened(uint64_t word)
{
    return !(word & UNOPENED);
}

/* Whether a word is that of an opened period. */
static bool is_of(uint64_t word, uint64_t id)
{
    return word >> COUNT_BITS == id << 1;
}

static int64_t count_of(uint64_t word)
{
    return (int64_t)(word & (uint64_t)MOST_USED);
}

static uint64_t pack(uint64_t id, int64_t count)
{
    return id << ID_SHIFT | (uint64_t)count;
}

static bool newer(uint64_t id, uint64_t than)
{
    return (int64_t)((id - than) << ID_SHIFT) > 0;
}

/* The unit of ids: no longer than a period. */
static int64_t grain(const llim__shape *shape)
{
    return shape->unit == LLIM_PER_MINUTE ? MINUTE_NS : 15 * MINUTE_NS;
}

static int64_t grains(const llim__shape *shape, int64_t ns)
{
    return ns / grain(shape) - (ns % grain(shape) < 0);
}

typedef struct period {
    int64_t start_ns, end_ns;
    uint64_t id;
} period;

/* The period of wall_ns, by the calendar; it is then the one that this process remembers. */
static period look_up(llim_zone *zone, const llim__shape *shape, int64_t wall_ns)
{
    llim__period_cache *cache = &zone->period[shape - zone->shape];
    llim__period found = llim__calendar_period(at_load_acq(&zone->timezone[shape->zone]), shape->unit, wall_ns);
    period p = {found.start_ns, found.end_ns, (uint64_t)grains(shape, found.start_ns) & ID_MASK};
    uint32_t seq = at_load_acq(&cache->seq);
    if (!(seq & 1) && at_cas_u32(&cache->seq, &seq, seq + 1)) {
        at_store_rel(&cache->from_ns, p.start_ns + shape->guard_ns);
        at_store_rel(&cache->until_ns, p.end_ns - shape->guard_ns);
        at_store_rel(&cache->id, p.id);
        at_store_rel(&cache->seq, seq + 2);
    }
    return p;
}

/* What was looked up last, less the guard at both ends; false: nothing, or it is being replaced. */
static inline bool remembered(llim_zone *zone, const llim__shape *shape, period *quiet)
{
    llim__period_cache *cache = &zone->period[shape - zone->shape];
    uint32_t seq = at_load_acq(&cache->seq);
    /* The second look at seq comes after the values. */
    *quiet = (period){at_load_acq(&cache->from_ns), at_load_acq(&cache->until_ns), at_load_acq(&cache->id)};
    return !(seq & 1) && seq == at_load_rlx(&cache->seq);
}

/* The period of wall_ns, which is most often the one that was looked up last. */
static period period_at(llim_zone *zone, const llim__shape *shape, int64_t wall_ns)
{
    period p;
    if (remembered(zone, shape, &p) && p.start_ns < p.end_ns) { /* else nothing was looked up yet */
        p.start_ns -= shape->guard_ns;
        p.end_ns += shape->guard_ns;
        if (p.start_ns <= wall_ns && wall_ns < p.end_ns) return p;
    }
    return look_up(zone, shape, wall_ns);
}

/* Whether this process knows the shape's time zone: whoever takes the lock loads those that others have brought. */
static bool is_known(llim_zone *zone, const llim__shape *shape)
{
    return at_load_acq(&zone->timezone[shape->zone]) != NULL;
}

typedef struct view {
    uint64_t word[2];
    uint64_t id[2]; /* of the periods to be charged */
    int n;
    int place[2]; /* the word that each has or takes */
    bool three;   /* a third period would have to be charged: nothing is, until the boundary is past */
} view;

static int look(llim_zone *zone, int64_t wall, const llim__step *step, view *v)
{
    const llim__shape *shape = step->shape;
    v->word[0] = at_load_acq(&step->cell->word);
    v->word[1] = at_load_acq(&step->cell->aux);
    if (v->word[0] == LLIM__SEALED || v->word[1] == LLIM__SEALED || !is_known(zone, shape)) return LLIM__WAIT;
    period now = period_at(zone, shape, wall);
    uint64_t first = now.id, last = first;
    if (wall - shape->guard_ns < now.start_ns)
        first = period_at(zone, shape, wall - shape->guard_ns).id;
    else if (wall + shape->guard_ns >= now.end_ns)
        last = period_at(zone, shape, now.end_ns).id;
    const uint64_t id[2] = {word_id(v->word[0]), word_id(v->word[1])};
    const int newest = opened(v->word[0]) ? opened(v->word[1]) && newer(id[1], id[0]) : 1;
    const bool beyond = opened(v->word[newest]) && newer(id[newest], last);
    v->three = first != last && beyond;
    if (beyond) last = id[newest];
    if (opened(v->word[!newest]) && newer(id[!newest], first)) first = id[!newest];
    v->id[0] = first;
    v->id[1] = last;
    v->n = first == last ? 1 : 2;
    v->place[0] = is_of(v->word[newest], first) ? newest : !newest;
    v->place[1] = is_of(v->word[!newest], last) ? !newest : newest;
    if (v->n == 2 && v->place[1] == v->place[0]) v->place[1] = !v->place[0];
    return LLIM_OK;
}

/* What the i-th period to be charged holds. */
static int64_t count_in(const view *v, int i)
{
    uint64_t word = v->word[v->place[i]];
    return is_of(word, v->id[i]) ? count_of(word) : 0;
}

static at_u64 *word_at(const llim__step *step, int place)
{
    return place ? &step->cell->aux : &step->cell->word;
}

/* A count of a newer period in the other word must not be lost: swapping in place i never replaces a newer id. */
static uint64_t charged(const view *v, int i, int64_t amount)
{
    return pack(v->id[i], count_in(v, i) + amount);
}

int llim__period_plan(llim_zone *zone, llim__now now, llim__step *step)
{
    view v;
    if (look(zone, now.wall, step, &v)) return LLIM__WAIT;
    if (v.three) return LLIM_LATER;
    for (int i = 0; i < v.n; i++)
        if (count_in(&v, i) + step->amount > step->limit) return LLIM_LATER;
    if (step->amount == 0) return LLIM__NOTHING;
    step->swap.word = word_at(step, v.place[0]);
    step->swap.expected = v.word[v.place[0]];
    step->swap.desired = charged(&v, 0, step->amount);
    step->more = v.n == 2;
    if (step->more) {
        step->other = word_at(step, v.place[1]);
        step->other_expected = v.word[v.place[1]];
        step->other_desired = charged(&v, 1, step->amount);
    }
    return LLIM_OK;
}

/* Nearly always no boundary is near and the newest word is the period's own: it is then all that look() would find. Two
   words never have the same id, so the difference of the words has the sign of that of their ids. */
static inline bool usual(llim_zone *zone, int64_t wall, llim__cell *cell, const llim__shape *shape, at_u64 **place,
                         uint64_t *kept)
{
    uint64_t word = at_load_acq(&cell->word), aux = at_load_acq(&cell->aux);
    if (word == LLIM__SEALED || aux == LLIM__SEALED) return false;
    const bool second = (int64_t)(aux - word) > 0;
    *place = second ? &cell->aux : &cell->word;
    *kept = second ? aux : word;
    period quiet;
    return remembered(zone, shape, &quiet) && quiet.start_ns <= wall && wall < quiet.end_ns && is_of(*kept, quiet.id);
}

int llim__period_glance(llim_zone *zone, int64_t wall, llim__cell *cell, uint64_t config, int64_t amount,
                        llim__swap *swap)
{
    const int64_t limit = LLIM__CONFIG_AMOUNT(config);
    at_u64 *place;
    uint64_t kept;
    if (amount > limit) return LLIM_NEVER;
    if (!usual(zone, wall, cell, llim__cell_shape(zone, config), &place, &kept)) return LLIM__UNSURE;
    if (count_of(kept) + amount > limit) return LLIM_LATER;
    *swap = (llim__swap){place, kept, kept + (uint64_t)amount};
    return amount == 0 ? LLIM__NOTHING : LLIM_OK;
}

/* Adds to a period's count, or takes from it, if the limit keeps a word of that period. LLIM__WAIT: the limit is gone; else as
   llim__writer_wait(). */
static int adjust(llim_zone *zone, llim__step *step, uint64_t id, int64_t amount)
{
    for (int place = 0; place < 2;) {
        uint64_t word = at_load_acq(word_at(step, place));
        if (word == LLIM__SEALED || llim__step_stale(step)) {
            const int code = llim__step_again(zone, step);
            if (code) return code == LLIM_ENOTFOUND ? LLIM__WAIT : code;
            place = 0;
        } else if (!is_of(word, id)) {
            place++;
        } else {
            int64_t count = count_of(word) + amount;
            count = count < 0 ? 0 : count < MOST_USED ? count : MOST_USED;
            if (at_cas_acqrel(word_at(step, place), &word, pack(id, count))) return LLIM_OK;
        }
    }
    return LLIM_OK;
}

/* Commits a step that charges two periods. */
int llim__period_commit(llim_zone *zone, llim__step *step)
{
    if (!at_cas_acqrel(step->swap.word, &step->swap.expected, step->swap.desired)) return LLIM__RETRY;
    if (at_cas_acqrel(step->other, &step->other_expected, step->other_desired)) return LLIM_OK;
    adjust(zone, step, word_id(step->swap.desired), -step->amount);
    return LLIM__RETRY;
}

/* A scope that was charged and given all back may be recycled, and its cell's next tenant may come to the very same word in the
   same period. Whose swap hit that one gives it back there. */
void llim__period_disown(llim_zone *zone, llim__row *row, at_u64 *place, uint64_t charged, int64_t amount)
{
    uint64_t word = at_load_acq(place);
    for (;;) {
        if (word == LLIM__SEALED) {
            if (!(LLIM__STATE_FLAGS(at_load_acq(&row->state)) & LLIM__LIVE)) return; /* that one is gone, too */
            if (llim__writer_wait(zone)) return; /* too much is used there, until the period ends */
            word = at_load_acq(place);
            continue;
        }
        if (!is_of(word, word_id(charged))) return;
        int64_t count = count_of(word) - amount;
        if (at_cas_acqrel(place, &word, pack(word_id(word), count < 0 ? 0 : count))) return;
    }
}

static void undo(llim_zone *zone, llim__step *step, at_u64 *place, uint64_t before, uint64_t charged)
{
    int64_t amount = count_of(charged) - (is_of(before, word_id(charged)) ? count_of(before) : 0);
    int code = adjust(zone, step, word_id(charged), -amount);
    if (code == LLIM__WAIT && llim__step_is_anothers(step))
        llim__period_disown(zone, step->row, place, charged, amount);
}

void llim__period_undo(llim_zone *zone, llim__step *step)
{
    undo(zone, step, step->swap.word, step->swap.expected, step->swap.desired);
    if (step->more) undo(zone, step, step->other, step->other_expected, step->other_desired);
}

/* The ids that a charge of then went to, as far as its own instant tells. */
static int periods_of(llim_zone *zone, const llim__shape *shape, int64_t wall, uint64_t id[2])
{
    period now = period_at(zone, shape, wall);
    id[0] = now.id;
    if (wall - shape->guard_ns < now.start_ns)
        id[1] = period_at(zone, shape, wall - shape->guard_ns).id;
    else if (wall + shape->guard_ns >= now.end_ns)
        id[1] = period_at(zone, shape, now.end_ns).id;
    else
        return 1;
    return 2;
}

/* From the periods that then tells, not from one that had been opened beyond it: whether the charge went there nobody knows. */
int llim__period_give_back(llim_zone *zone, llim__now then, llim__step *step, int64_t amount)
{
    uint64_t id[2];
    if (!is_known(zone, step->shape)) return LLIM__WAIT;
    int n = periods_of(zone, step->shape, then.wall, id), code = adjust(zone, step, id[0], -amount);
    if (code || n == 1) return code;
    code = adjust(zone, step, id[1], -amount);
    return code == LLIM__WAIT ? code
                              : LLIM_OK; /* where a writer stands too much is used; it must not be given back twice */
}

static bool among(const uint64_t *ids, int n, uint64_t id)
{
    while (n > 0 && ids[n - 1] != id) n--;
    return n > 0;
}

/* Debt goes where a decision at wall is charged, and opens those periods; of newer ones than wall tells only to those that begin
   beyond legit, which no right clock has opened yet: a charge behind them counts in them. While others open newer ones it goes
   to those too. In order, since a period takes the place of the oldest: else two might open the same one in both. */
static int charge(llim_zone *zone, int64_t wall, uint64_t legit, llim__step *step, int64_t amount)
{
    view v;
    uint64_t done[8], own[2];
    const int n_own = periods_of(zone, step->shape, wall, own);
    for (int n = 0; n < 8;) {
        if (look(zone, wall, step, &v) || llim__step_stale(step)) {
            const int code = llim__step_again(zone, step);
            if (code) return code == LLIM_ENOTFOUND ? LLIM__WAIT : code;
            continue;
        }
        int i = 0;
        while (i < v.n && (among(done, n, v.id[i]) || !(among(own, n_own, v.id[i]) || newer(v.id[i], legit)))) i++;
        if (i == v.n) return LLIM_OK;
        int64_t room = MOST_USED - count_in(&v, i), fits = amount < room ? amount : room > 0 ? room : 0;
        const uint64_t next = charged(&v, i, fits);
        at_u64 *place = word_at(step, v.place[i]);
        if (!at_cas_acqrel(place, &v.word[v.place[i]], next)) continue;
        if (llim__step_is_anothers(step)) {
            llim__period_disown(zone, step->row, place, next, fits);
            return LLIM__WAIT;
        }
        done[n++] = v.id[i];
    }
    return LLIM_OK;
}

int llim__period_record(llim_zone *zone, llim__now now, llim__step *step, int64_t amount)
{
    if (!is_known(zone, step->shape)) return LLIM__WAIT;
    return charge(zone, now.wall, period_at(zone, step->shape, now.wall).id, step, amount);
}

int llim__period_add_debt(llim_zone *zone, llim__now now, llim__now then, llim__step *step, int64_t amount)
{
    /* What a right clock shows by now, if it was right when it was charged. */
    if (!is_known(zone, step->shape)) return LLIM__WAIT;
    const int64_t wall = then.wall + (now.steady - then.steady);
    return charge(zone, then.wall, period_at(zone, step->shape, wall + step->shape->guard_ns).id, step, amount);
}

/* When the period of an id that is newer than p begins. Where none does, by rules of the time zone that have changed since or in a
   file from anywhere, the next one after that. */
static int64_t beginning(llim_zone *zone, const llim__shape *shape, period p, uint64_t id)
{
    int64_t ahead = (int64_t)((id - p.id) & ID_MASK);
    period found = period_at(zone, shape, (grains(shape, p.start_ns) + ahead + 1) * grain(shape) - 1);
    return found.id == id ? found.start_ns : found.end_ns;
}

/* Walks from boundary to boundary: what is refused now fits only after one, and not within its guard. A period that a
   false clock opened far ahead is reached in one step. */
int64_t llim__period_earliest(llim_zone *zone, llim__now now, const llim__step *step)
{
    if (step->amount > step->limit) return INT64_MAX;
    const llim__shape *shape = step->shape;
    int64_t wall = now.wall;
    at_u64 *place;
    uint64_t kept;
    if (usual(zone, wall, step->cell, shape, &place, &kept) && count_of(kept) + step->amount <= step->limit)
        return now.steady;
    for (int rounds = 0;; rounds++) {
        view v;
        if (look(zone, wall, step, &v)) return now.steady;
        period p = period_at(zone, shape, wall);
        int64_t next = wall;
        int64_t past = (wall < p.start_ns + shape->guard_ns ? p.start_ns : p.end_ns) + shape->guard_ns;
        for (int i = 0; i < v.n; i++) {
            if (count_in(&v, i) + step->amount <= step->limit) continue;
            int64_t begins = newer(v.id[i], p.id) ? beginning(zone, shape, p, v.id[i]) : wall;
            if (begins > wall)
                next = begins;
            else if (next == wall)
                next = past;
        }
        if (v.three && next == wall) next = past;
        if (next == wall || rounds == MOST_ROUNDS) return now.steady + (wall - now.wall);
        wall = next;
    }
}

int64_t llim__period_used(llim_zone *zone, llim__now now, const llim__step *step, int64_t *until)
{
    view v;
    if (until) *until = now.steady;
    if (look(zone, now.wall, step, &v)) return step->limit;
    int64_t used = 0;
    for (int i = 0; i < v.n; i++)
        if (count_in(&v, i) > used) used = count_in(&v, i);
    if (used == 0 || !until) return used;
    /* Nothing is used once an amount of the whole limit fits. */
    llim__step whole = *step;
    whole.amount = whole.limit;
    *until = llim__period_earliest(zone, now, &whole);
    return used;
}

void llim__period_start(llim_zone *zone, llim__now now, const llim__step *step, int64_t used, uint64_t words[2])
{
    uint64_t id[2];
    const int n = periods_of(zone, step->shape, now.wall, id);
    const int64_t count = used < MOST_USED ? used : MOST_USED;
    /* Words that no earlier tenant of the cell has had: unopened ones of other ids, which are older for whoever does not look
       closer; or the places change. */
    uint64_t older = (id[0] - 1 - 2 * (step->identity % (1 << (ID_BITS - 3)))) & ID_MASK;
    uint64_t first = used > 0 ? pack(id[0], count) : pack(older, 0) | UNOPENED;
    uint64_t second = used > 0 && n == 2 ? pack(id[1], count) : pack((older - 1) & ID_MASK, 0) | UNOPENED;
    const bool turned = used > 0 && step->identity % 2;
    words[0] = turned ? second : first;
    words[1] = turned ? first : second;
}

bool llim__period_is_idle(llim_zone *zone, llim__now now, const llim__shape *shape, const uint64_t words[2])
{
    const period before = period_at(zone, shape, period_at(zone, shape, now.wall).start_ns - 1);
    for (int i = 0; i < 2; i++)
        if (opened(words[i]) && count_of(words[i]) > 0 && !newer(before.id, word_id(words[i]))) return false;
    return true;
}

void llim__period_keep(const uint64_t old[2], uint64_t words[2])
{
    for (int i = 0; i < 2; i++) {
        int free = opened(words[0]) ? 1 : 0;
        bool known = is_of(words[0], word_id(old[i])) || is_of(words[1], word_id(old[i]));
        if (opened(old[i]) && !known && !opened(words[free])) words[free] = old[i];
    }
}

bool llim__period_is_sound(const uint64_t words[2])
{
    return !opened(words[0]) || !opened(words[1]) || word_id(words[0]) != word_id(words[1]);
}
