/*
 * notes.c - learns, per row, how many tokens four characters are and how long outputs get.
 *
 * What is wanted is not what a call uses but what it must reserve, so that those in flight together are hardly ever short:
 * what is short is a refusal at a provider that counts the truth on arrival, what is too much comes back at the settlement.
 * The mean alone is short half of the time. A high quantile of each is wasteful: of k calls the sum is k means and, unless all
 * are long at once, above that only as much as the square root of k quantiles are. So each reserves the mean, and what the
 * quantile is above it over the square root of k.
 *   - k is told by Little's law ("A proof for the queuing formula L = lambda W", 1961) from the settlements alone: the time
 *     from charge to settlement over the time between settlements. Permits that are abandoned do not count for ever.
 *   - The long ones are in flight for longer: who looks at an instant meets them more often. So each call weighs as long as
 *     it took.
 *
 * A spread is a mean and a quantile in one word. The mean is exponentially weighted, 1/n at first and then 1/64. The quantile
 * is a stochastic approximation (Robbins and Monro, "A stochastic approximation method", 1951; for quantiles Tierney, "A
 * space-efficient recursive procedure for estimating a quantile of an unknown distribution", 1983), here with steps in
 * proportion to the value, so that any scale suits. What is above it raises it, what is not lowers it, by steps whose logarithms are as HIGH to
 * 1 - HIGH; so it stands still where the weights of both are in that proportion, which is at the quantile of that level
 * whatever the distribution. The step goes down to a tenth and stays there, to follow: then 8 settlements above it double it,
 * and 700 below it halve it. It never rises above what raises it: where values end at a maximum it stays some percent short of
 * that. The first few take the greatest for it.
 */
#include "engine/notes.h"

#include <string.h>

/* The level of the quantile. */
#define HIGH 0.99

enum { MOST_N = 255, WINDOW = 64, FEW = 20, MOST_FLIGHT = 10000, MOST_STRIKES = 11 };

/* A note's word: two positive numbers of 25 bits (a float's without its sign and its last bits), how many there were, and the
   tenant's mark, which makes a word that another tenant has begun with differ from any that was read before. */
typedef struct pair {
    double a, b;
    uint32_t n, mark;
} pair;

enum { NUMBER = 25, CUT = 6 };

static uint64_t pack_number(double x)
{
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (bits + (1u << (CUT - 1))) >> CUT;
}

static double unpack_number(uint64_t word)
{
    const uint32_t bits = (uint32_t)(word & ((1u << NUMBER) - 1)) << CUT;
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static pair unpack(uint64_t word)
{
    return (pair){unpack_number(word >> NUMBER), unpack_number(word), (uint32_t)(word >> 2 * NUMBER) & MOST_N,
                  (uint32_t)(word >> 58)};
}

static uint64_t pack(const pair *p)
{
    return (uint64_t)p->mark << 58 | (uint64_t)p->n << 2 * NUMBER | pack_number(p->a) << NUMBER | pack_number(p->b);
}

static uint64_t owner_of(uint32_t index, uint32_t epoch)
{
    return (uint64_t)epoch << 32 | index;
}

/* The first from the row's own place on that has this owner. */
static llim__note *find(llim_zone *zone, uint32_t index, uint64_t owner)
{
    const uint32_t n = zone->header->notes;
    for (uint32_t i = index < n ? index : index % n, k = 0; k < n; k++, i = i + 1 == n ? 0 : i + 1)
        if (at_load_acq(&zone->note[i].owner) == owner) return &zone->note[i];
    return NULL;
}

static llim__note *note_of(llim_zone *zone, llim_row row)
{
    uint64_t state;
    if (!llim__row_of(zone, row, &state) || !(state & LLIM__NOTED)) return NULL;
    return find(zone, row.index, owner_of(row.index, row.epoch));
}

static void begin(at_u64 *word)
{
    const pair empty = {0, 0, 0, unpack(at_load_rlx(word)).mark + 1};
    at_store_rel(word, pack(&empty));
}

/* The first from the row's own place on whose owner has gone or, with robs, is not pinned; NULL: none. */
static llim__note *find_free(llim_zone *zone, uint32_t index, bool robs)
{
    const uint32_t n = zone->header->notes;
    for (uint32_t i = index < n ? index : index % n, k = 0; k < n; k++, i = i + 1 == n ? 0 : i + 1) {
        const uint64_t owner = at_load_acq(&zone->note[i].owner);
        const uint64_t state = at_load_acq(&zone->row[(uint32_t)owner].state); /* the row 0 has nothing */
        if (LLIM__STATE_EPOCH(state) != owner >> 32 || !(state & LLIM__NOTED) || (robs && !(state & LLIM__PINNED)))
            return &zone->note[i];
    }
    return NULL;
}

static bool is_sound(const at_u64 *word)
{
    const pair p = unpack(at_load_rlx(word));
    return p.a < 0x1p60 && p.b < 0x1p60; /* nor is it not a number */
}

bool llim__note_is_sound(const llim_zone *zone, const llim__note *note)
{
    const int64_t settled = at_load_rlx(&note->settled_at), struck = at_load_rlx(&note->struck_at),
                  far = (int64_t)1 << 59;
    return (uint32_t)at_load_rlx(&note->owner) <= zone->header->rows && is_sound(&note->input) &&
           is_sound(&note->output) && is_sound(&note->flight) && settled >= 0 && settled < far && struck >= 0 &&
           struck < far && at_load_rlx(&note->strikes) <= MOST_STRIKES;
}

bool llim__notes_has(llim_zone *zone, uint32_t index, uint32_t epoch)
{
    return find(zone, index, owner_of(index, epoch)) != NULL;
}

uint32_t llim__notes_left(llim_zone *zone)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < zone->header->notes; i++) {
        const uint64_t owner = at_load_acq(&zone->note[i].owner);
        const uint64_t state = at_load_acq(&zone->row[(uint32_t)owner].state);
        left += LLIM__STATE_EPOCH(state) != owner >> 32 || !(state & LLIM__NOTED) || !(state & LLIM__PINNED);
    }
    return left;
}

bool llim__notes_take(llim_zone *zone, uint32_t index, uint32_t epoch)
{
    const uint64_t owner = owner_of(index, epoch);
    if (find(zone, index, owner)) return true;
    llim__note *note = find_free(zone, index, false);
    if (!note) note = find_free(zone, index, true);
    if (!note) return false;
    at_store_rel(&note->owner, 0); /* before its words change, lest they be taken for its */
    begin(&note->input);
    begin(&note->output);
    begin(&note->flight);
    at_store_rel(&note->settled_at, 0);
    at_store_rel(&note->since, 0);
    at_store_rel(&note->strikes, 0);
    at_store_rel(&note->struck_at, 0);
    for (int i = 0; i < LLIM__COUNTS; i++) at_store_rel(&note->count[i], 0);
    at_store_rel(&note->owner, owner);
    return true;
}

/* The mean with one more; that one does not carry it off if it is absurd: it counts for eight times most at the most. */
static double mean_with(double mean, double x, double most, uint32_t n, double weight)
{
    if (x > 8 * most) x = 8 * most;
    const double share = n < WINDOW ? weight / n : weight * (1.0 / WINDOW);
    return mean + (x - mean) * (share < 1 ? share : 1);
}

static void observe_spread(pair *p, double x, double weight)
{
    if (p->n < MOST_N) p->n++;
    if (p->n == 1) {
        p->a = p->b = x;
        return;
    }
    p->a = mean_with(p->a, x, p->b > p->a ? p->b : p->a, p->n, weight);
    const double gain = weight * (p->n < 200 ? 20.0 / p->n : 0.1), up = p->b * (1 + gain * HIGH);
    if (x <= p->b)
        p->b *= 1 - gain * (1 - HIGH);
    else
        p->b = up < x && p->n > FEW ? up : x;
}

static void observe_flight(pair *p, double gap, double flight)
{
    if (p->n < MOST_N) p->n++;
    p->a = p->n == 1 ? gap : mean_with(p->a, gap, p->a + LLIM_SECOND, p->n, 1);
    p->b = p->n == 1 ? flight : mean_with(p->b, flight, p->b + LLIM_SECOND, p->n, 1);
}

static void learn_spread(llim__note *note, uint64_t owner, at_u64 *word, double x, double weight)
{
    uint64_t old = at_load_acq(word);
    pair p;
    do {
        if (at_load_acq(&note->owner) != owner) return;
        p = unpack(old);
        observe_spread(&p, x, weight);
    } while (!at_cas_acqrel(word, &old, pack(&p)));
}

static double between(double least, double x, double most)
{
    return x < least ? least : x > most ? most : x;
}

/* What a call weighs: how long it was in flight, in means. The first settlement of a row only starts the clock. */
static double learn_flight(llim__note *note, uint64_t owner, uint64_t settlements, int64_t now, int64_t then)
{
    /* Not worth a swap: of two at once one is forgotten, and a stray one only starts another row's clock. */
    const int64_t last = at_load_rlx(&note->settled_at);
    at_store_rlx(&note->settled_at, now);
    if (last == 0) return 1;
    const double gap = now > last ? (double)(now - last) / (double)settlements : 0,
                 flight = now > then ? (double)now - (double)then : 0;
    uint64_t old = at_load_acq(&note->flight);
    pair p;
    do {
        if (at_load_acq(&note->owner) != owner) return 1;
        p = unpack(old);
        observe_flight(&p, gap, flight);
    } while (!at_cas_acqrel(&note->flight, &old, pack(&p)));
    return p.b > 0 ? between(1.0 / 8, flight / p.b, 8) : 1;
}

/* Of a row that has as many as a thousand settlements a second, every eighth teaches enough. */
static bool skips(llim__note *note, uint64_t settlements)
{
    const pair flight = unpack(at_load_rlx(&note->flight));
    return settlements < 8 && flight.n == MOST_N && flight.a < LLIM_SECOND / 1000;
}

void llim__notes_learn(llim_zone *zone, llim_row row, llim__now then, const llim_charge *charge,
                       const llim_charge *facts)
{
    const uint64_t owner = owner_of(row.index, row.epoch);
    llim__note *note = find(zone, row.index, owner);
    if (!note) return;
    const uint64_t settlements = at_load_rlx(&note->since) + 1;
    const bool skip = skips(note, settlements);
    at_store_rlx(&note->since, skip ? settlements : 0);
    if (skip) return;
    const int64_t input = facts->amount[LLIM_INPUT_TOKENS], all = facts->amount[LLIM_TOKENS];
    const int64_t characters = charge->amount[LLIM_CHARACTERS];
    int64_t output = facts->amount[LLIM_OUTPUT_TOKENS];
    if (output == LLIM_UNKNOWN && all != LLIM_UNKNOWN && input != LLIM_UNKNOWN && all >= input) output = all - input;
    const int64_t now = llim__clock_roughly(&zone->clock) + LLIM__EPOCH;
    const double weight = learn_flight(note, owner, settlements, now, then.steady);
    if (input != LLIM_UNKNOWN && characters > 0)
        learn_spread(note, owner, &note->input, between(1.0 / 64, 4.0 * (double)input / (double)characters, 64),
                     weight);
    if (output == LLIM_UNKNOWN) return;
    learn_spread(note, owner, &note->output, between(1, (double)output, (double)LLIM_AMOUNT_MAX), weight);
}

/* Newton's method, for 1 .. MOST_FLIGHT; the core needs no library of mathematics. */
static double square_root(double x)
{
    double r = (x + 1) / 2;
    for (int i = 0; i < 12; i++) r = (r + x / r) / 2;
    return r;
}

static double reserve(const pair *p, double in_flight)
{
    return p->b > p->a ? p->a + (p->b - p->a) / square_root(in_flight) : p->a;
}

/* They do not fade while the row cools: a model that could not be asked has not proved anything. Of a row whose note goes to
   another one meanwhile the strikes may be the other's, or go there: it backs off a little longer. */
static uint32_t strikes_now(llim_zone *zone, llim_row row, const llim__note *note, int64_t now)
{
    const uint64_t n = at_load_acq(&note->strikes);
    int64_t since = at_load_acq(&note->struck_at);
    const int64_t cooled = at_load_acq(&zone->row[row.index].cool_until);
    if (cooled > since) since = cooled;
    const int64_t faded = now > since ? (now - since) / (60 * (int64_t)LLIM_SECOND) : 0;
    return n && (int64_t)n > faded ? (uint32_t)((int64_t)n - faded) : 0;
}

int llim_row_notes(llim_zone *zone, llim_row row, llim_notes *notes)
{
    const llim__note *note = note_of(zone, row);
    if (!note) return LLIM_ENOTFOUND;
    const pair input = unpack(at_load_acq(&note->input)), output = unpack(at_load_acq(&note->output));
    const pair flight = unpack(at_load_acq(&note->flight));
    double k = flight.n >= FEW && flight.a > 0 ? between(1, flight.b / flight.a, MOST_FLIGHT) : 1;
    *notes = (llim_notes){.inputs = input.n,
                          .outputs = output.n,
                          .input_mean = input.a,
                          .input_high = input.b,
                          .input_reserve = reserve(&input, k),
                          .output_mean = output.a,
                          .output_high = output.b,
                          .output_reserve = reserve(&output, k),
                          .in_flight = k,
                          .admitted = at_load_rlx(&note->count[LLIM__ADMITTED]),
                          .refused = at_load_rlx(&note->count[LLIM__REFUSED]),
                          .limited = at_load_rlx(&note->count[LLIM__LIMITED]),
                          .strikes = llim__strikes(zone, row)};
    return LLIM_OK;
}

bool llim__row_counts_declared(llim_zone *zone, llim_row handle)
{
    uint64_t state;
    llim__row *row = llim__row_of(zone, handle, &state);
    for (uint32_t i = 0; row && i < LLIM__STATE_LIMITS(state); i++) {
        const llim__shape *shape = llim__cell_shape(zone, at_load_acq(&llim__row_cell(zone, row, i)->config));
        const bool tokens =
            shape->meter == LLIM_TOKENS || shape->meter == LLIM_INPUT_TOKENS || shape->meter == LLIM_OUTPUT_TOKENS;
        if (shape->law != LLIM__NO_LIMIT && tokens && shape->charged == LLIM_CHARGED_RESERVED) return true;
    }
    return false;
}

uint32_t llim__strikes(llim_zone *zone, llim_row row)
{
    const llim__note *note = note_of(zone, row);
    return note && at_load_acq(&note->strikes) ? strikes_now(zone, row, note, llim__zone_now(zone).steady) : 0;
}

void llim__strike(llim_zone *zone, llim_row row)
{
    llim__note *note = note_of(zone, row);
    if (!note) return;
    const int64_t now = llim__zone_now(zone).steady;
    const uint32_t n = strikes_now(zone, row, note, now);
    at_store_rel(&note->strikes, n < MOST_STRIKES ? n + 1 : n);
    at_store_rel(&note->struck_at, now);
}

void llim__strikes_end(llim_zone *zone, llim_row row)
{
    llim__note *note = note_of(zone, row);
    if (note) at_store_rel(&note->strikes, 0);
}

/* Of a row whose note goes to another one meanwhile, one more or less is told of the other. */
void llim__count(llim_zone *zone, llim_row row, enum llim__count what)
{
    llim__note *note = note_of(zone, row);
    if (note) at_add_rlx(&note->count[what], 1);
}
