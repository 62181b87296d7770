/* check.c - see check.h. */
#include "engine/check.h"

#include <string.h>

#include "base/error.h"
#include "engine/laws.h"
#include "engine/notes.h"
#include "engine/open.h"
#include "engine/shape.h"

/* Times in a zone are far from where sums of them overflow. */
#define FAR ((int64_t)1 << 59)

static bool is_far(int64_t t)
{
    return t < 0 || t > FAR;
}

/* What is wrong, or NULL. */
static const char *check_header(const llim__header *h)
{
    if (at_load_rlx(&h->rows_top) > h->rows || at_load_rlx(&h->rings_top) > h->rings ||
        at_load_rlx(&h->slots_top) > h->slots)
        return "it counts more in use than it has room for";
    if (at_load_rlx(&h->shapes_used) >= LLIM__SHAPES || at_load_rlx(&h->zones_used) > LLIM__ZONES)
        return "it counts more kinds of limits or time zones than there can be";
    int64_t steady = at_load_rlx(&h->time.steady), wall;
    if (__builtin_add_overflow(steady, at_load_rlx(&h->time.wall_offset), &wall) || !llim__good_times(steady, wall))
        return "its clock shows no time that can be";
    return NULL;
}

llim__bounds llim__bounds_of(const llim_zone *zone, bool torn)
{
    const llim__header *h = zone->header;
    llim__bounds b = {at_load_rlx(&h->rows_top), at_load_rlx(&h->rings_top), at_load_rlx(&h->shapes_used),
                      at_load_rlx(&h->zones_used), torn};
    if (!torn) return b;
    b.rows = h->rows;
    b.rings = h->rings;
    for (uint32_t i = 1; i < LLIM__SHAPES; i++) {
        const llim__shape *shape = &zone->shape[i];
        if (shape->law == LLIM_CALENDAR && shape->zone < LLIM__ZONES && shape->zone >= b.zones)
            b.zones = shape->zone + 1;
    }
    for (b.shapes = 0; b.shapes + 1 < LLIM__SHAPES && llim__shape_is_sound(zone, b.shapes + 1, b.zones);) b.shapes++;
    return b;
}

static const char *check_shapes(const llim_zone *zone, const llim__bounds *b)
{
    for (uint32_t i = 0; i < b->zones; i++)
        if (!memchr(zone->zone_name[i], 0, sizeof zone->zone_name[i])) return "the name of a time zone has no end";
    for (uint32_t i = 0; i <= b->shapes; i++)
        if (!llim__shape_is_sound(zone, i, b->zones)) return "a kind of limit is none";
    return NULL;
}

/* The rows of a chain: enough for n limits, and an end. */
static bool chain_is_sound(const llim_zone *zone, const llim__row *row, uint32_t n, const llim__bounds *b)
{
    uint32_t room = LLIM__CELLS;
    for (uint32_t next = at_load_rlx(&row->next); next; next = at_load_rlx(&zone->row[next].next)) {
        if (next > b->rows || room >= LLIM_MAX_LIMITS) return false;
        room += LLIM__MORE_CELLS;
    }
    return n <= LLIM_MAX_LIMITS && (n <= room || b->torn);
}

/* A limit with its word and the ring that its aux names. */
static bool limit_is_sound(const llim_zone *zone, uint64_t config, uint64_t word, uint64_t aux, const llim__bounds *b)
{
    if (LLIM__CONFIG_SHAPE(config) > b->shapes) return b->torn;
    const llim__shape *shape = llim__cell_shape(zone, config);
    if (shape->law == LLIM__NO_LIMIT) return true;
    if (LLIM__CONFIG_AMOUNT(config) < 1 || LLIM__CONFIG_AMOUNT(config) > LLIM_AMOUNT_MAX) return false;
    if (shape->law == LLIM_BUCKET && word != LLIM__SEALED && word > llim__fine(FAR)) return false;
    return shape->law != LLIM_SLIDING || llim__sliding_is_sound(shape, aux, b->rings, FAR);
}

uint32_t llim__row_room(const llim_zone *zone, const llim__row *row, uint32_t most)
{
    uint32_t room = LLIM__CELLS;
    for (uint32_t next = at_load_rlx(&row->next); next && room < most; next = at_load_rlx(&zone->row[next].next))
        room += LLIM__MORE_CELLS;
    return room < most ? room : most;
}

/* One that is kept whole is its scope's: its hash is the key. */
static const char *check_name(const llim_zone *zone, uint32_t row)
{
    const char *name = zone->name[row];
    const size_t n = strnlen(name, LLIM_SCOPE_SHOWN);
    if (n == 0 || n == LLIM_SCOPE_SHOWN) return n ? "the name of a scope has no end" : "a scope has no name";
    if (name[n - 1] == '~' || strchr(name, '?')) return NULL; /* cut, or with what terminals must not get */
    const llim__key own = llim__hash(zone->header->secret, name, n);
    const bool same =
        at_load_rlx(&zone->row[row].key[0]) == own.word[0] && at_load_rlx(&zone->row[row].key[1]) == own.word[1];
    return same ? NULL : "the name of a scope is not that of its key";
}

static const char *check_row(llim_zone *zone, uint32_t index, const llim__bounds *b)
{
    llim__row *row = &zone->row[index];
    const uint64_t state = at_load_rlx(&row->state);
    if (index == 0 || index > b->rows) return state ? "a row is in use that cannot be" : NULL;
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return NULL;
    const int64_t cool = at_load_rlx(&row->cool_until);
    if (cool != LLIM__RECYCLED && is_far(cool)) return "a row cools down for ever";
    const char *wrong = b->torn ? NULL : check_name(zone, index);
    if (wrong) return wrong;
    if (!chain_is_sound(zone, row, LLIM__STATE_LIMITS(state), b)) return "a row has more limits than cells";
    for (uint32_t i = 0, n = llim__row_room(zone, row, LLIM__STATE_LIMITS(state)); i < n; i++) {
        const llim__cell *cell = llim__row_cell(zone, row, i);
        if (!limit_is_sound(zone, at_load_rlx(&cell->config), at_load_rlx(&cell->word), at_load_rlx(&cell->aux), b))
            return "a limit is none";
    }
    return NULL;
}

bool llim__journal_is_sound(llim_zone *zone)
{
    const llim__journal *j = &zone->header->journal;
    const uint32_t row = at_load_rlx(&j->row), n = at_load_rlx(&j->n);
    if (row == 0 || row > at_load_rlx(&zone->header->rows_top) || is_far(at_load_rlx(&j->cool))) return false;
    const bool sealing = at_load_rlx(&j->phase) == LLIM__SEALING;
    const llim__bounds b = llim__bounds_of(zone, false);
    const uint64_t state = sealing ? at_load_rlx(&zone->row[row].state) : at_load_rlx(&j->state);
    if (sealing && !(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return true;
    if ((!sealing && n != LLIM__STATE_LIMITS(state)) ||
        !chain_is_sound(zone, &zone->row[row], LLIM__STATE_LIMITS(state), &b))
        return false;
    for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) {
        const llim__cell *cell = llim__row_cell(zone, &zone->row[row], i);
        const struct llim__journal_cell *to = &j->cell[i];
        const uint64_t config = at_load_rlx(sealing ? &cell->config : &to->config),
                       word = at_load_rlx(sealing ? &j->was[i][0] : &to->words[0]),
                       aux = at_load_rlx(sealing || at_load_rlx(&to->keeps_aux) ? &cell->aux : &to->words[1]);
        const bool sealed = at_load_rlx(&cell->word) == LLIM__SEALED;
        if (!limit_is_sound(zone, config, sealing && !sealed ? 0 : word, aux, &b)) return false;
    }
    return true;
}

static const char *check_beside(const llim_zone *zone)
{
    const llim__header *h = zone->header;
    for (uint32_t i = 0; i < h->slots; i++)
        if (!llim__gauge_is_sound(zone, &zone->slot[i])) return "a lease is of no row";
    for (uint32_t i = 0; i < h->notes; i++)
        if (!llim__note_is_sound(zone, &zone->note[i])) return "what a row has learned is no number";
    return NULL;
}

bool llim__name_is_sound(const llim_zone *zone, uint32_t row)
{
    return !check_name(zone, row);
}

int llim__zone_check(llim_zone *zone, const char *path, bool torn, llim_error *err)
{
    const llim__bounds b = llim__bounds_of(zone, torn);
    const char *wrong = check_header(zone->header);
    if (!wrong) wrong = check_shapes(zone, &b);
    if (!wrong) wrong = check_beside(zone);
    if (wrong) return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: %s", path, wrong);
    for (uint32_t row = 0; row <= zone->header->rows; row++) {
        wrong = check_row(zone, row, &b);
        if (wrong) return llim__fail(err, LLIM_ECORRUPT, "%s is a damaged zone: row %u: %s", path, row, wrong);
    }
    return LLIM_OK;
}
