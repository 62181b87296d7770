/* shape.c - see shape.h. */
#include "engine/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/laws.h"

#define DAY_NS     ((int64_t)86400 * LLIM_SECOND)
#define LONGEST_NS (400 * DAY_NS)

/* The usual and the shortest length of a unit's period: an hour and a day may be cut by a transition of the clock. */
static const struct {
    int64_t usual, shortest;
} units[] = {{0, 0},
             {60 * (int64_t)LLIM_SECOND, 60 * (int64_t)LLIM_SECOND},
             {3600 * (int64_t)LLIM_SECOND, 1800 * (int64_t)LLIM_SECOND},
             {DAY_NS, DAY_NS / 24 * 22},
             {7 * DAY_NS, 6 * DAY_NS},
             {30 * DAY_NS, 27 * DAY_NS}};

int llim__shape_check(const llim_limit *l, llim_error *err)
{
    if (l->meter < 0 || l->meter >= LLIM_METERS)
        return llim__fail(err, LLIM_EINVAL, "limit.meter is %d, expected 0 to %d", l->meter, LLIM_METERS - 1);
    if (l->law < LLIM_SLIDING || l->law > LLIM_GAUGE)
        return llim__fail(err, LLIM_EINVAL, "limit.law is %d, expected a value of enum llim_law", l->law);
    if (l->charged != LLIM_CHARGED_USED && l->charged != LLIM_CHARGED_RESERVED)
        return llim__fail(err, LLIM_EINVAL, "limit.charged is %d, expected a value of enum llim_charged", l->charged);
    if (l->amount < 1 || l->amount > LLIM_AMOUNT_MAX)
        return llim__fail(err, LLIM_ERANGE, "limit.amount is %lld, expected 1 to 2^40 - 1", (long long)l->amount);
    int64_t shortest = l->window_ns;
    if (l->law == LLIM_CALENDAR) {
        if (l->unit < LLIM_PER_MINUTE || l->unit > LLIM_PER_MONTH)
            return llim__fail(err, LLIM_EINVAL, "limit.unit is %d, expected a period of enum llim_unit", l->unit);
        if (l->window_ns != 0) return llim__fail(err, LLIM_EINVAL, "limit.window_ns of a calendar limit must be 0");
        if (!memchr(l->zone, 0, sizeof l->zone))
            return llim__fail(err, LLIM_EINVAL, "limit.zone is not ended by a zero byte");
        shortest = units[l->unit].shortest;
    } else {
        if (l->unit != LLIM_NO_UNIT) return llim__fail(err, LLIM_EINVAL, "limit.unit is for calendar limits only");
        if (l->window_ns < LLIM_SECOND || l->window_ns > LONGEST_NS)
            return llim__fail(err, LLIM_ERANGE, "limit.window_ns is %lld, expected 1 second to 400 days",
                              (long long)l->window_ns);
    }
    int64_t most = l->law == LLIM_GAUGE ? 0 : shortest / 4;
    if (l->guard_ns < 0 || l->guard_ns > most)
        return llim__fail(err, LLIM_ERANGE, "limit.guard_ns is %lld, expected 0 to %lld, a quarter of the window",
                          (long long)l->guard_ns, (long long)most);
    return LLIM_OK;
}

static int zone_of(llim_zone *zone, const char *name, uint32_t *index, llim_error *err)
{
    llim__header *h = zone->header;
    uint32_t n = at_load_rlx(&h->zones_used);
    for (*index = 0; *index < n; ++*index)
        if (strcmp(zone->zone_name[*index], name) == 0) return LLIM_OK;
    if (n == LLIM__ZONES) return llim__fail(err, LLIM_EFULL, "a zone knows at most %d time zones", LLIM__ZONES);
    llim__timezone *tz;
    int code = llim__timezone_load(name, &tz, err);
    if (code) return code;
    snprintf(zone->zone_name[n], sizeof zone->zone_name[n], "%s", name);
    at_store_rel(&h->zones_used, n + 1);
    at_store_rel(&zone->timezone[n], tz); /* last: who dies before has loaded nothing for what is not there */
    return LLIM_OK;
}

bool llim__shape_same(const llim__shape *a, const llim__shape *b)
{
    return a->meter == b->meter && a->law == b->law && a->unit == b->unit && a->window_ns == b->window_ns &&
           a->guard_ns == b->guard_ns && a->zone == b->zone;
}

/* All but the time zone. */
static llim__shape make(const llim_limit *l)
{
    llim__shape shape = {.meter = l->meter,
                         .law = l->law,
                         .unit = l->unit,
                         .charged = l->charged,
                         .window_ns = l->law == LLIM_CALENDAR ? units[l->unit].usual : l->window_ns,
                         .guard_ns = l->guard_ns};
    shape.span_ns = shape.window_ns + shape.guard_ns;
    shape.window = llim__fine(shape.window_ns) | LLIM__TAG;
    shape.room = llim__fine(shape.window_ns - shape.guard_ns) | LLIM__TAG;
    if (l->law == LLIM_SLIDING) shape.tick_shift = llim__sliding_tick_shift(shape.span_ns);
    return shape;
}

bool llim__shape_is_sound(const llim_zone *zone, uint32_t index, uint32_t zones)
{
    const llim__shape *shape = &zone->shape[index];
    if (index == 0) return shape->law == LLIM__NO_LIMIT && shape->meter == 0;
    if (shape->law == LLIM_CALENDAR && shape->zone >= zones) return false;
    const llim_limit limit = llim__shape_limit(zone, shape, 1);
    if (llim__shape_check(&limit, NULL)) return false;
    llim__shape whole = make(&limit);
    whole.zone = shape->zone;
    return memcmp(&whole, shape, sizeof whole) == 0;
}

int llim__shape_of(llim_zone *zone, const llim_limit *l, uint32_t *index, llim_error *err)
{
    llim__shape shape = make(l);
    if (l->law == LLIM_CALENDAR) {
        int code = zone_of(zone, l->zone, &shape.zone, err);
        if (code) return code;
    }
    llim__header *h = zone->header;
    uint32_t n = at_load_rlx(&h->shapes_used);
    for (*index = 1; *index <= n; ++*index) {
        const llim__shape *other = &zone->shape[*index];
        if (llim__shape_same(other, &shape) && other->charged == shape.charged) return LLIM_OK;
    }
    if (n + 1 == LLIM__SHAPES)
        return llim__fail(err, LLIM_EFULL, "a zone knows at most %d kinds of limits (meter, law, window, guard)",
                          LLIM__SHAPES - 1);
    zone->shape[n + 1] = shape;
    at_store_rel(&h->shapes_used, n + 1);
    return LLIM_OK;
}

llim_limit llim__shape_limit(const llim_zone *zone, const llim__shape *shape, int64_t amount)
{
    llim_limit l = {.meter = shape->meter,
                    .law = shape->law,
                    .unit = shape->unit,
                    .charged = shape->charged,
                    .amount = amount,
                    .window_ns = shape->law == LLIM_CALENDAR ? 0 : shape->window_ns,
                    .guard_ns = shape->guard_ns};
    if (shape->law == LLIM_CALENDAR) snprintf(l.zone, sizeof l.zone, "%s", zone->zone_name[shape->zone]);
    return l;
}
