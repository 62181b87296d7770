/* book.c - see book.h. */
#include "book.h"

#include "sim.h"

entry *book_open(book *b, int64_t most)
{
    if (b->n == BOOK_ENTRIES) fail_msg("the book of a limit is full");
    entry *e = &b->entry[b->n++];
    *e = (entry){.at = sim_clock(), .done = INT64_MAX, .most = most, .known = UINT64_MAX, .opened = b->opened};
    return e;
}

static int64_t span_of(const book *b)
{
    return b->limit.window_ns + b->limit.guard_ns;
}

/* Periods are minutes of UTC. */
static int64_t period_of(int64_t wall)
{
    return wall / KIT_MINUTE;
}

/* The newest period that somebody who read wall opens. */
static int64_t opens(const book *b, int64_t wall)
{
    return period_of(wall + b->limit.guard_ns);
}

void book_done(book *b, entry *e, int64_t at, int64_t wall, int64_t amount, uint64_t known)
{
    e->at = at;
    e->wall = wall;
    e->amount = amount;
    e->known = known;
    e->done = sim_clock();
    e->expires = at + b->limit.window_ns;
    e->may_opened = opens(b, sim_wall_high());
    if (amount == 0) return;
    int64_t own = opens(b, wall);
    if (own > b->opened) b->opened = own;
    if (own > e->opened) e->opened = own;
}

/* Charges, and those debts that were complete when the admission in question began. */
static bool counts(const entry *e, uint64_t began)
{
    return e->amount > 0 && (!e->debt || e->known < began);
}

static void check_sliding(const book *b, const entry *own, uint64_t began, int64_t limit)
{
    int64_t span = span_of(b);
    for (const entry *first = b->entry; first < b->entry + b->n; first++) {
        if (!counts(first, began) || first->at > own->at || own->at - first->at >= span) continue;
        int64_t sum = 0;
        for (const entry *e = b->entry; e < b->entry + b->n; e++)
            if (counts(e, began) && e->at >= first->at && e->at - first->at < span) sum += e->amount;
        if (sum > limit)
            sim_wrong("sliding: %lld in the window from %lld, limit %lld, last admitted at %lld", (long long)sum,
                      (long long)first->at, (long long)limit, (long long)own->at);
    }
}

/* For all s <= t: charged in [s, t] <= limit + refilled in between. */
static void check_bucket(const book *b, const entry *own, uint64_t began, int64_t limit)
{
    for (const entry *s = b->entry; s < b->entry + b->n; s++) {
        if (!counts(s, began) || s->at > own->at) continue;
        for (const entry *t = b->entry; t < b->entry + b->n; t++) {
            if (!counts(t, began) || t->at < own->at) continue;
            int64_t sum = 0;
            for (const entry *e = b->entry; e < b->entry + b->n; e++)
                if (counts(e, began) && e->at >= s->at && e->at <= t->at) sum += e->amount;
            if ((kit_wide)sum * b->limit.window_ns > (kit_wide)limit * (b->limit.window_ns + t->at - s->at))
                sim_wrong("bucket: %lld from %lld to %lld, limit %lld", (long long)sum, (long long)s->at,
                          (long long)t->at, (long long)limit);
        }
    }
}

/* One that was over for a whole period when the admission returned is nobody's any more. */
static void check_calendar(const book *b, const entry *own, uint64_t began, int64_t limit)
{
    int64_t guard = b->limit.guard_ns, this = own->wall / KIT_MINUTE * KIT_MINUTE;
    for (int64_t from = this - KIT_MINUTE; from <= this + KIT_MINUTE; from += KIT_MINUTE) {
        int64_t low = from - guard, high = from + KIT_MINUTE + guard, sum = 0;
        int64_t returned = own->wall + (own->done - own->at);
        if (own->wall < low || own->wall >= high || returned >= from + 2 * KIT_MINUTE - guard) continue;
        for (const entry *e = b->entry; e < b->entry + b->n; e++)
            if (counts(e, began) && e->wall >= low && e->wall < high) sum += e->amount;
        if (sum > limit)
            sim_wrong("calendar: %lld in the period from %lld, limit %lld", (long long)sum, (long long)from,
                      (long long)limit);
    }
}

static bool in_newest(const entry *e, int64_t newest)
{
    return e->opened == newest && e->may_opened == newest;
}

static void check_newest(const book *b, const entry *own, uint64_t began, int64_t limit)
{
    int64_t sum = 0;
    if (!in_newest(own, own->opened)) return;
    for (const entry *e = b->entry; e < b->entry + b->n; e++)
        if (counts(e, began) && in_newest(e, own->opened)) sum += e->amount;
    if (sum > limit)
        sim_wrong("calendar: %lld while minute %lld was the newest, limit %lld", (long long)sum, (long long)own->opened,
                  (long long)limit);
}

static void check_gauge(const book *b, uint64_t began, int64_t limit)
{
    for (const entry *then = b->entry; then < b->entry + b->n; then++) {
        int64_t sum = 0;
        if (!counts(then, began)) continue;
        /* Who stood before it returned holds its lease from then on for sure. */
        for (const entry *e = b->entry; e < b->entry + b->n; e++)
            if (counts(e, began) && e->done <= then->done && then->done < e->expires) sum += e->amount;
        if (sum > limit)
            sim_wrong("gauge: %lld held at %lld, limit %lld", (long long)sum, (long long)then->done, (long long)limit);
    }
}

void book_check(const book *b, const entry *e, uint64_t began, int64_t limit)
{
    if (!b->exact || e->amount == 0) return;
    /* Who stood for a window between reading the clock and returning is in no window of anybody's any more. */
    if (b->limit.law == LLIM_SLIDING && e->done - e->at >= span_of(b)) return;
    switch (b->limit.law) {
    case LLIM_SLIDING:
        check_sliding(b, e, began, limit);
        break;
    case LLIM_BUCKET:
        check_bucket(b, e, began, limit);
        break;
    case LLIM_CALENDAR:
        (b->steps ? check_newest : check_calendar)(b, e, began, limit);
        break;
    default:
        check_gauge(b, began, limit);
    }
}

int64_t book_least(const book *b, uint64_t began)
{
    const int64_t now = sim_clock(), wall = sim_wall(), high = sim_wall_high();
    const int64_t newest = opens(b, wall > high ? wall : high);
    int64_t used = 0;
    kit_wide full = 0, window = b->limit.window_ns; /* the bucket's level at now, in amount * window */
    for (const entry *e = b->entry; e < b->entry + b->n; e++) {
        if (e->known >= began) continue;
        switch (b->limit.law) {
        case LLIM_SLIDING:
            used += now - e->at < span_of(b) ? e->amount : 0;
            break;
        case LLIM_CALENDAR:
            if (b->steps ? in_newest(e, newest) : period_of(wall) == period_of(e->wall)) used += e->amount;
            break;
        case LLIM_GAUGE:
            used += now < e->expires ? e->amount : 0;
            break;
        default: {
            kit_wide level = -(kit_wide)b->limit.amount * (now - e->at);
            for (const entry *later = b->entry; later < b->entry + b->n; later++)
                if (later->at >= e->at && later->known < began) level += later->amount * window;
            if (e->amount > 0 && level > full) full = level;
        }
        }
    }
    return used + (int64_t)((full + window / 2) / (window ? window : 1));
}

int64_t book_most(const book *b)
{
    int64_t used = 0;
    for (const entry *e = b->entry; e < b->entry + b->n; e++) used += e->most;
    return used;
}
