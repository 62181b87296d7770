/* model.c - see model.h: one naive answer per law, and the loops over rows and limits around them. */
#include "model.h"

#include <string.h>
#include <time.h>

#define SIXTEENTHS 16
#define LET_OFF    (64 * SIXTEENTHS) /* what the costs of many charges may have been rounded up together */

static int64_t span(const llim_limit *spec)
{
    return spec->window_ns + spec->guard_ns;
}

/* How much longer than the window a charge may count: the slot it shares with later ones, and the tick it is rounded to. */
static int64_t slack(const llim_limit *spec)
{
    return span(spec) / 62 + (span(spec) >> 18) + 2;
}

static int64_t cost_up(const llim_limit *spec, int64_t amount)
{
    kit_wide top = (kit_wide)amount * spec->window_ns * 2, halves = (top + spec->amount - 1) / spec->amount;
    return (int64_t)(halves * (SIXTEENTHS / 2));
}

static int64_t cost_down(const llim_limit *spec, int64_t amount)
{
    return (int64_t)((kit_wide)amount * spec->window_ns * 2 / spec->amount * (SIXTEENTHS / 2));
}

typedef struct period {
    int64_t start, end;
} period;

/* Of minutes and hours only zones with whole hours of offset are modelled, so they are cut as in UTC. */
static period period_at(const llim_limit *spec, int64_t wall)
{
    static period last[2][LLIM_PER_MONTH + 1];
    bool local = spec->zone[0] != '\0';
    period *cached = &last[local][spec->unit];
    if (cached->start < cached->end && wall >= cached->start && wall < cached->end) return *cached;
    time_t s = (time_t)(wall / KIT_SECOND);
    struct tm tm;
    if (spec->unit == LLIM_PER_MINUTE || spec->unit == LLIM_PER_HOUR) {
        time_t length = spec->unit == LLIM_PER_MINUTE ? 60 : 3600;
        s -= s % length;
        *cached = (period){s * KIT_SECOND, (s + length) * KIT_SECOND};
        return *cached;
    }
    (void)(local ? localtime_r(&s, &tm) : gmtime_r(&s, &tm));
    tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
    if (spec->unit == LLIM_PER_WEEK) tm.tm_mday -= (tm.tm_wday + 6) % 7;
    if (spec->unit == LLIM_PER_MONTH) tm.tm_mday = 1;
    struct tm next = tm;
    if (spec->unit == LLIM_PER_DAY) next.tm_mday += 1;
    if (spec->unit == LLIM_PER_WEEK) next.tm_mday += 7;
    if (spec->unit == LLIM_PER_MONTH) next.tm_mon += 1;
    tm.tm_isdst = next.tm_isdst = -1;
    *cached = (period){(local ? mktime(&tm) : timegm(&tm)) * KIT_SECOND,
                       (local ? mktime(&next) : timegm(&next)) * KIT_SECOND};
    return *cached;
}

static model_event *add_event(model_limit *limit, int64_t at, int64_t amount)
{
    if (limit->n == MODEL_EVENTS) fail_msg("the model's log is too short");
    limit->event[limit->n] = (model_event){.at = at, .least = amount, .most = amount};
    return &limit->event[limit->n++];
}

/* The engine counts a lease's end in milliseconds, rounded up. */
static void lease_until(model_event *event, int64_t end)
{
    event->at = end;
    event->until = end + KIT_MS;
}

/* The engine keeps the newest period that a charge has opened and the one before it, but none from before the row. */
static bool is_kept(const model_limit *limit, const model_event *event)
{
    if (event->at < limit->oldest) return false;
    for (uint32_t i = 0; i < limit->n; i++)
        if (limit->event[i].at > event->at && limit->event[i].at != event->until) return false;
    return true;
}

static void open_period(model_zone *zone, model_limit *limit, period p)
{
    for (uint32_t i = 0; i < limit->n; i++)
        if (limit->event[i].at == p.start) return;
    model_event *event = add_event(limit, p.start, 0);
    event->until = p.end;
    event->born = zone->operations;
}

/* A period opens when an amount is charged in it, or within the guard of it. */
static void open_periods(model_zone *zone, model_limit *limit, int64_t wall)
{
    open_period(zone, limit, period_at(&limit->spec, wall - limit->spec.guard_ns));
    open_period(zone, limit, period_at(&limit->spec, wall + limit->spec.guard_ns));
}

static void charge_periods(model_zone *zone, model_limit *limit, int64_t amount, model_mark *mark)
{
    mark->first = period_at(&limit->spec, zone->wall - limit->spec.guard_ns).start;
    mark->last = period_at(&limit->spec, zone->wall + limit->spec.guard_ns).start;
    if (amount == 0) return;
    open_periods(zone, limit, zone->wall);
    for (uint32_t i = 0; i < limit->n; i++) {
        model_event *event = &limit->event[i];
        if (event->at < mark->first) continue;
        event->most += amount;
        if (is_kept(limit, event)) event->least += amount;
    }
}

/* The two counts that a decision of now meets. */
static void count(model_zone *zone, model_limit *limit, int64_t *least, int64_t *most)
{
    const llim_limit *spec = &limit->spec;
    *least = *most = 0;
    switch (spec->law) {
    case LLIM_SLIDING:
        while (limit->left < limit->n && limit->event[limit->left].at + span(spec) + slack(spec) <= zone->now)
            limit->left++;
        for (uint32_t i = limit->left; i < limit->n; i++) {
            const model_event *event = &limit->event[i];
            *most += event->most;
            if (zone->now < event->at + span(spec)) *least += event->least;
        }
        break;
    case LLIM_GAUGE:
        for (uint32_t i = 0; i < limit->n; i++) {
            const model_event *event = &limit->event[i];
            if (zone->now < event->at) *least += event->least;
            if (zone->now < event->until) *most += event->most;
        }
        break;
    case LLIM_CALENDAR: {
        int64_t first = period_at(spec, zone->wall - spec->guard_ns).start;
        for (uint32_t i = 0; i < limit->n; i++) {
            const model_event *event = &limit->event[i];
            if (event->at < first) continue;
            if (event->most > *most) *most = event->most;
            if (is_kept(limit, event) && event->least > *least) *least = event->least;
        }
        break;
    }
    default:
        fail_msg("a bucket is not counted");
    }
}

static bool bucket_fits(const model_zone *zone, const llim_limit *spec, int64_t tat, int64_t amount)
{
    int64_t now = zone->now * SIXTEENTHS, window = spec->window_ns * SIXTEENTHS, guard = spec->guard_ns * SIXTEENTHS;
    if (amount == 0) return tat <= now + window;
    if (tat + guard <= now) return true;
    return (tat > now ? tat : now) + cost_up(spec, amount) <= now + window - guard;
}

static bool fits(model_zone *zone, model_limit *limit, int64_t amount, bool most)
{
    const llim_limit *spec = &limit->spec;
    if (spec->law == LLIM_BUCKET) return bucket_fits(zone, spec, most ? limit->tat_most : limit->tat_least, amount);
    int64_t low, high;
    count(zone, limit, &low, &high);
    return (most ? high : low) + amount <= spec->amount;
}

void model_init(model_zone *zone)
{
    zone->n = zone->operations = 0;
}

uint32_t model_add_row(model_zone *zone, const llim_limit *limits, uint32_t n)
{
    model_row *row = &zone->row[zone->n];
    row->n = n;
    row->cool_until = 0;
    for (uint32_t i = 0; i < n; i++) {
        model_limit *limit = &row->limit[i];
        limit->spec = limits[i];
        limit->n = limit->left = 0;
        limit->tat_least = limit->tat_most = (zone->now - limit->spec.guard_ns) * SIXTEENTHS; /* idle */
        limit->oldest =
            limit->spec.law == LLIM_CALENDAR ? period_at(&limit->spec, zone->wall - limit->spec.guard_ns).start : 0;
    }
    return zone->n++;
}

/* Near a boundary, with a period open beyond the one to come: the engine admits nothing. */
static bool between_three(const model_zone *zone, model_limit *limit)
{
    if (limit->spec.law != LLIM_CALENDAR) return false;
    int64_t first = period_at(&limit->spec, zone->wall - limit->spec.guard_ns).start;
    int64_t last = period_at(&limit->spec, zone->wall + limit->spec.guard_ns).start;
    for (uint32_t i = 0; first != last && i < limit->n; i++)
        if (limit->event[i].at > last) return true;
    return false;
}

enum model_verdict model_judge(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *charge)
{
    bool surely = true, maybe = true;
    for (uint32_t r = 0; r < n; r++) {
        model_row *row = &zone->row[rows[r]];
        if (zone->now < row->cool_until) surely = maybe = false;
        for (uint32_t i = 0; i < row->n; i++) {
            model_limit *limit = &row->limit[i];
            int64_t amount = charge->amount[limit->spec.meter];
            if (amount > limit->spec.amount) return MODEL_NEVER;
            if (!fits(zone, limit, amount, true) || between_three(zone, limit)) surely = false;
            if (!fits(zone, limit, amount, false)) maybe = false;
        }
    }
    return surely ? MODEL_FITS : maybe ? MODEL_EITHER : MODEL_LATER;
}

static void charge_tat(const model_zone *zone, model_limit *limit, int64_t amount)
{
    int64_t now = zone->now * SIXTEENTHS, cost = cost_up(&limit->spec, amount);
    if (amount == 0) return;
    limit->tat_least = (limit->tat_least > now ? limit->tat_least : now) + cost;
    limit->tat_most = (limit->tat_most > now ? limit->tat_most : now) + cost;
}

void model_charge(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *charge, model_permit *permit)
{
    *permit =
        (model_permit){.n_rows = n, .born = ++zone->operations, .at = zone->now, .wall = zone->wall, .charge = *charge};
    for (uint32_t r = 0; r < n; r++) {
        permit->rows[r] = rows[r];
        model_row *row = &zone->row[rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            model_limit *limit = &row->limit[i];
            model_mark *mark = &permit->mark[r][i];
            int64_t amount = charge->amount[limit->spec.meter];
            mark->event = limit->n;
            switch (limit->spec.law) {
            case LLIM_SLIDING:
                add_event(limit, zone->now, amount);
                break;
            case LLIM_BUCKET:
                charge_tat(zone, limit, amount);
                break;
            case LLIM_CALENDAR:
                charge_periods(zone, limit, amount, mark);
                break;
            default:
                mark->leased = amount > 0;
                lease_until(add_event(limit, 0, amount), zone->now + limit->spec.window_ns);
            }
        }
    }
}

bool model_leases_held(const model_zone *zone, const model_permit *permit)
{
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        const model_row *row = &zone->row[permit->rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            const model_mark *mark = &permit->mark[r][i];
            if (mark->leased && zone->now >= row->limit[i].event[mark->event].at) return false;
        }
    }
    return true;
}

bool model_leases_ended(const model_zone *zone, const model_permit *permit)
{
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        const model_row *row = &zone->row[permit->rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            const model_mark *mark = &permit->mark[r][i];
            if (mark->leased && zone->now >= row->limit[i].event[mark->event].until) return true;
        }
    }
    return false;
}

static void give_back(model_zone *zone, model_limit *limit, const model_permit *permit, const model_mark *mark,
                      int64_t amount)
{
    const llim_limit *spec = &limit->spec;
    int64_t elapsed = (zone->now - permit->at) * SIXTEENTHS;
    switch (spec->law) {
    case LLIM_SLIDING:
        limit->event[mark->event].least -= amount;
        limit->event[mark->event].most -= amount;
        break;
    case LLIM_BUCKET: {
        int64_t most = cost_up(spec, amount) - elapsed, least = cost_down(spec, amount) - elapsed;
        if (most > 0) limit->tat_least -= most;
        if (least > 0) limit->tat_most -= least;
        break;
    }
    default:
        for (uint32_t i = 0; i < limit->n; i++) {
            model_event *event = &limit->event[i];
            if (event->at < mark->first || event->born > permit->born) continue;
            bool kept = is_kept(limit, event) && event->at <= mark->last;
            event->least -= amount;
            if (kept) event->most -= amount;
        }
    }
}

static void add_debt(model_zone *zone, model_limit *limit, const model_permit *permit, const model_mark *mark,
                     int64_t amount)
{
    switch (limit->spec.law) {
    case LLIM_SLIDING:
        add_event(limit, zone->now, amount);
        break;
    case LLIM_BUCKET:
        charge_tat(zone, limit, amount);
        break;
    default: {
        /* A newer period than any right clock has opened by now is charged with what is behind it. */
        int64_t wall = permit->wall + (zone->now - permit->at) + limit->spec.guard_ns;
        int64_t legit = period_at(&limit->spec, wall).start;
        open_periods(zone, limit, permit->wall);
        for (uint32_t i = 0; i < limit->n; i++) {
            model_event *event = &limit->event[i];
            bool charged = event->at >= mark->first && event->at <= mark->last;
            if (charged || (event->at > mark->last && event->at > legit)) event->most += amount;
            if (charged && is_kept(limit, event)) event->least += amount;
        }
    }
    }
}

static void release(model_limit *limit, const model_mark *mark)
{
    if (mark->leased) limit->event[mark->event].least = limit->event[mark->event].most = 0;
}

/* facts hold the amounts that stand; a limit charged as reserved listens only if all is to be undone. */
static void correct(model_zone *zone, const model_permit *permit, const llim_charge *facts, bool whatever_charged)
{
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        model_row *row = &zone->row[permit->rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            model_limit *limit = &row->limit[i];
            const model_mark *mark = &permit->mark[r][i];
            int64_t before = permit->charge.amount[limit->spec.meter], after = facts->amount[limit->spec.meter];
            if (limit->spec.law == LLIM_GAUGE)
                release(limit, mark);
            else if (limit->spec.charged == LLIM_CHARGED_RESERVED && !whatever_charged)
                continue;
            else if (after < before)
                give_back(zone, limit, permit, mark, before - after);
            else if (after > before)
                add_debt(zone, limit, permit, mark, after - before);
        }
    }
}

void model_settle(model_zone *zone, const model_permit *permit, const llim_charge *facts)
{
    llim_charge stands = permit->charge;
    for (int m = 0; m < LLIM_METERS; m++)
        if (facts && m != LLIM_REQUESTS && facts->amount[m] != LLIM_UNKNOWN) stands.amount[m] = facts->amount[m];
    correct(zone, permit, &stands, false);
}

void model_reject(model_zone *zone, const model_permit *permit)
{
    llim_charge stands = kit_charge(LLIM_REQUESTS, permit->charge.amount[LLIM_REQUESTS]);
    correct(zone, permit, &stands, true);
}

void model_cancel(model_zone *zone, const model_permit *permit)
{
    llim_charge nothing = {{0}};
    correct(zone, permit, &nothing, true);
}

void model_release(model_zone *zone, const model_permit *permit)
{
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        model_row *row = &zone->row[permit->rows[r]];
        for (uint32_t i = 0; i < row->n; i++) release(&row->limit[i], &permit->mark[r][i]);
    }
}

void model_renew(model_zone *zone, const model_permit *permit, bool all)
{
    for (uint32_t r = 0; r < permit->n_rows; r++) {
        model_row *row = &zone->row[permit->rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            model_limit *limit = &row->limit[i];
            if (!permit->mark[r][i].leased) continue;
            model_event *event = &limit->event[permit->mark[r][i].event];
            int64_t end = zone->now + limit->spec.window_ns;
            if (all || zone->now < event->at)
                lease_until(event, end);
            else if (zone->now < event->until)
                event->until = end + KIT_MS;
        }
    }
}

void model_record(model_zone *zone, const uint32_t *rows, uint32_t n, const llim_charge *facts)
{
    zone->operations++;
    for (uint32_t r = 0; r < n; r++) {
        model_row *row = &zone->row[rows[r]];
        for (uint32_t i = 0; i < row->n; i++) {
            model_limit *limit = &row->limit[i];
            int64_t amount = facts->amount[limit->spec.meter];
            model_mark mark;
            if (amount <= 0) continue;
            if (limit->spec.law == LLIM_SLIDING) add_event(limit, zone->now, amount);
            if (limit->spec.law == LLIM_BUCKET) charge_tat(zone, limit, amount);
            if (limit->spec.law == LLIM_CALENDAR) charge_periods(zone, limit, amount, &mark);
        }
    }
}

static int64_t level(const model_zone *zone, const llim_limit *spec, int64_t tat, bool up)
{
    int64_t ahead = tat - zone->now * SIXTEENTHS - (up ? 0 : LET_OFF);
    if (ahead <= 0) return 0;
    kit_wide bottom = (kit_wide)spec->window_ns * SIXTEENTHS;
    return (int64_t)(((kit_wide)ahead * spec->amount + (up ? bottom - 1 : 0)) / bottom);
}

void model_used(model_zone *zone, uint32_t row, uint32_t limit, int64_t *least, int64_t *most)
{
    model_limit *l = &zone->row[row].limit[limit];
    if (l->spec.law == LLIM_BUCKET) {
        *least = level(zone, &l->spec, l->tat_least, false);
        *most = level(zone, &l->spec, l->tat_most, true);
        return;
    }
    count(zone, l, least, most);
    if (*least < 0) *least = 0;
}
