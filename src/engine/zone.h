/*
 * zone.h - the memory that holds the rows, and what a process keeps beside it.
 *
 * The bytes of a zone hold offsets and indexes, never pointers, so that they mean the same wherever they are mapped. Their
 * size is fixed at open. A row, once placed, never moves.
 *
 * Who writes what
 *   Deciding (admit, settle, cool) changes one atomic word at a time by compare-and-swap and holds no lock. Each operation
 *   charges before it tells its caller, and gives back after; a thread that stops for good in between leaves a count that
 *   is too high, never one that is too low, and it ends with its window.
 *   Placing (adding scopes, changing their limits, recycling) is done by one writer at a time under the writers' lock: see
 *   memory.h. A writer first marks the row as CHANGING, then seals every word of its limits (LLIM__SEALED): from then on no
 *   decision on them can take effect, because each commits by compare-and-swap from a value that it has read. What a reader
 *   saw of a row is whole if its state was the same before and after, and not CHANGING. A decider that meets the mark or a
 *   sealed word waits for the lock, and no longer than that allows. Whoever gets the lock after a writer that died puts right
 *   what it left: see writer.h.
 */
#ifndef LLIM_ENGINE_ZONE_H
#define LLIM_ENGINE_ZONE_H

#include <stddef.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/timezone.h"
#include "engine/calendar.h"
#include "engine/generation.h"
#include "engine/memory.h"
#include "engine/mirror.h"

#define LLIM__MAGIC  0x3130304d494c4c00u /* "\0LLIM001" read as a little-endian number */
#define LLIM__SEALED UINT64_MAX
/* The cooldown of a row that a writer is recycling: whoever wants to change it waits. */
#define LLIM__RECYCLED INT64_MIN

/* The most that a limit can hold: see the caveats in llm_limiters_core.h. */
#define LLIM__MOST_HELD ((int64_t)3 << 40)

/* Steady times are kept with this offset (2.3 years), so that a window before the clock's zero is still a positive time. */
#define LLIM__EPOCH ((int64_t)1 << 56)

enum {
    LLIM__CELLS = 3,
    LLIM__MORE_CELLS = 4,
    LLIM__SHAPES = 1024,
    LLIM__ZONES = 64,
    LLIM__RING = 128,
    LLIM__BLOCK = 16,
    LLIM__BLOCKS = 16 /* a window touches nine */
};

/* One limit of a row. What word and aux mean is the law's business: see sliding.c, bucket.c, period.c, gauge.c. */
typedef struct llim__cell {
    at_u64 config; /* shape << 54 | amount */
    at_u64 word;
    at_u64 aux;
} llim__cell;

/* A shape is one of LLIM__SHAPES whatever a reader of a row that is being recycled gets. */
#define LLIM__CONFIG(shape, amount) ((uint64_t)(shape) << 54 | (uint64_t)(amount))
#define LLIM__CONFIG_SHAPE(config)  ((uint32_t)((config) >> 54))
#define LLIM__CONFIG_AMOUNT(config) ((int64_t)((config) << 10 >> 10))

/* A scope. A row with more than three limits goes on in further rows of the table, linked by next; those are never LIVE. */
typedef struct llim__row {
    at_u64 state; /* epoch << 32 | version << 16 | number of limits << 8 | flags */
    at_u32 next;  /* row index, 0: none. In a free row: the next free one */
    at_u32 generation;
    union {
        struct {
            at_u64 key[2];
            at_i64 cool_until; /* zone time, or LLIM__RECYCLED */
            at_u32 identity;   /* how often a limit's identity has changed */
            at_u32 born[LLIM__CELLS];
            llim__cell cell[LLIM__CELLS];
        };
        struct {
            at_u32 more_born[LLIM__MORE_CELLS];
            llim__cell more_cell[LLIM__MORE_CELLS];
        };
    };
} llim__row;

_Static_assert(sizeof(llim__row) == 128, "a row is two cache lines");
_Static_assert(offsetof(llim__row, cell[0].word) == 64,
               "what deciders write is in the second, what they only read in the first");

/* MORE: found to continue another row by the last repair. */
enum { LLIM__LIVE = 1, LLIM__PINNED = 2, LLIM__CHANGING = 4, LLIM__NOTED = 8, LLIM__MORE = 16 };

#define LLIM__STATE(epoch, version, n, flags)                                                                          \
    ((uint64_t)(epoch) << 32 | (uint64_t)((version)&0xffff) << 16 | (uint64_t)(n) << 8 | (uint64_t)(flags))
#define LLIM__STATE_EPOCH(state)   ((uint32_t)((state) >> 32))
#define LLIM__STATE_VERSION(state) ((uint32_t)((state) >> 16) & 0xffff)
#define LLIM__STATE_LIMITS(state)  ((uint32_t)((state) >> 8) & 0xff)
#define LLIM__STATE_FLAGS(state)   ((uint32_t)(state)&0xff)

/* The law of the shape 0: a cell that holds no limit. */
enum { LLIM__NO_LIMIT = -1 };

/* The identity of limits, shared by all rows that have one like it. Written once under the lock, then published by the
   cell that names it; never reused. */
typedef struct llim__shape {
    int32_t meter, law, unit, charged;
    int64_t window_ns; /* of a calendar: the unit's usual length */
    int64_t guard_ns;
    int64_t span_ns;     /* sliding: window + guard */
    uint32_t tick_shift; /* sliding: a tick is 2^tick_shift ns */
    uint32_t zone;       /* calendar: index of the time zone's name */
    uint64_t window;     /* bucket: how far its word may lie ahead, and how far less the guard; see bucket.c */
    uint64_t room;
} llim__shape;

_Static_assert(sizeof(llim__shape) == 64, "a shape is one cache line");

/* What a sliding limit remembers of the last LLIM__RING slots; see sliding.c, and returns.h for what was returned. */
typedef struct llim__ring {
    _Alignas(64) at_u64 closing[LLIM__RING];
    at_u64 returned[LLIM__RING];
    at_u64 block_returned[LLIM__BLOCKS]; /* of LLIM__BLOCK slots each */
    at_i64 newest_returned;              /* no later slot has any */
} llim__ring;

/* A lease of a gauge; see gauge.c. What has not the nonce of its word is of an earlier lease. */
typedef struct llim__slot {
    at_u64 word;   /* expiry in ms << 24 | nonce; 0: free */
    at_u64 holder; /* nonce << 40 | row << 15 | epoch << 4 | meter */
    at_u64 amount; /* nonce << 40 | amount */
    at_u64 owner;  /* nonce << 40 | whose process it is, see owner.h */
} llim__slot;

/* What is counted of a model, by its limiters. */
enum llim__count { LLIM__ADMITTED, LLIM__REFUSED, LLIM__LIMITED, LLIM__COUNTS };

/* What a row keeps beside its limits; see notes.c. */
typedef struct llim__note {
    at_u64 owner;         /* epoch << 32 | row, 0: none yet */
    at_u64 input, output; /* of each settlement: input tokens per four characters, output tokens */
    at_u64 flight;        /* ns between settlements, and from charge to settlement */
    at_i64 settled_at;    /* zone time of the last that was learned from, 0: none */
    at_u64 since;         /* settlements since then */
    at_u64 strikes;
    at_i64 struck_at;
    at_u64 count[LLIM__COUNTS]; /* since it has this owner */
    at_u64 spare[8 - LLIM__COUNTS];
} llim__note;

_Static_assert(sizeof(llim__note) == 128 && offsetof(llim__note, count) == 64,
               "a note is two cache lines: what is learned, and what is counted");

/* What who has the lock is about. */
enum llim__writing { LLIM__NO_WRITER, LLIM__WRITER, LLIM__REPAIRER };

enum { LLIM__IDLE, LLIM__SEALING, LLIM__WRITING, LLIM__OPENING };

/* What a writer is about to do to a row; see journal.h. */
typedef struct llim__journal {
    at_u32 phase; /* LLIM__IDLE and so on */
    at_u32 row;
    at_i64 cool;
    at_u64 was[LLIM_MAX_LIMITS][2]; /* each limit's words before they were sealed */
    at_u64 state;                   /* what the row is to be, from here on */
    at_u32 identity, n;
    struct llim__journal_cell {
        at_u64 config, words[2];
        at_u32 born, keeps_aux;
    } cell[LLIM_MAX_LIMITS];
} llim__journal;

/* What is only read stands in lines of its own. */
typedef struct llim__header {
    uint64_t magic;
    uint32_t version, header_size;
    uint32_t rows, index_size, rings, slots, notes;
    int32_t clock; /* enum llim_clock */
    uint64_t rows_at, index_at, names_at, rings_at, ring_cum_at, slots_at, notes_at, shapes_at, zones_at, size;
    uint64_t secret[2];
    uint32_t asked_rows, asked_rings, asked_slots, asked_notes; /* by who made it; the figures above may be greater */
    uint64_t sum;                                               /* of all before it, which never changes */
    llim__generation generation[LLIM__GENERATIONS];
    /* Changed only under the lock. */
    _Alignas(64) at_u32 writing; /* enum llim__writing: who gets the lock and finds it set takes over */
    at_u32 repairs;              /* odd while the index is being made anew */
    at_u32 rows_top, rows_free, rows_used, rows_hand, scopes_used;
    at_u32 recycled;              /* rows that were */
    at_u32 rows_held, rings_held; /* what share holds something, in percent, and 1; 0: not known yet. See table.c */
    at_u32 rings_top, rings_free, rings_used;
    at_u32 shapes_used, zones_used;
    llim__journal journal;
    /* Changed by deciders. */
    _Alignas(64) at_u32 slots_top, slots_hint, nonce;
    _Alignas(64) llim__time time; /* of a virtual clock; of a real one in a file the last look at it: see times.h */
    at_i64 base;                  /* of CLOCK_MONOTONIC since that boot */
    at_u64 boot;
    at_u64 pid_namespace; /* of the owners of leases, 0: none is told; see owner.h */
} llim__header;

/* The period of a calendar shape that was looked up last: a seqlock of this process. From from_ns to before until_ns no
   boundary is within the shape's guard. */
typedef struct llim__period_cache {
    at_u32 seq;
    at_i64 from_ns, until_ns;
    at_u64 id; /* see period.c */
} llim__period_cache;

/*
 * Who listens is not to miss what is given back, and who gives back must not pay for it while nobody listens: one load, and
 * a fence where a read-modify-write is none.
 *   listening   stores listener, fence, reads the limits' words: refused, it sleeps until it is told
 *   giving back changes a limit's word, fence, loads listener: if there is one, it is told
 * The fences are in some order. If that of giving back is first, then who listens reads the changed word; if not, then who
 * gives back loads the listener. All that gives back ends by a read-modify-write, be it a mutex's unlocking.
 * The listener is this process's own, not in the zone's bytes: one that dies while it waits leaves nothing behind.
 */
struct llim_zone {
    llim__header *header; /* the zone's bytes begin here */
    _Atomic(const llim_listener *) listener;
    _Atomic(const llim__mirror *) mirror;
    llim__row *row; /* [rows + 1]; 0 is not a row */
    at_u64 *index;
    char (*name)[LLIM_SCOPE_SHOWN];
    llim__ring *ring;
    at_u64 *ring_cum; /* per free ring: next free ring << 42 | where its count stopped; see rings.c */
    llim__slot *slot;
    llim__note *note;
    llim__shape *shape;
    char (*zone_name)[48];
    uint32_t most_rows; /* of one decision: LLIM_MAX_ROWS; 0: the zone is only read, and its bytes cannot be written */

    llim__clock clock;
    llim__memory *memory;
    llim__memory heap; /* what memory is, unless the bytes are shared */
    void *block; /* likewise, as it was allocated; the header is its first multiple of 128. NULL: heap is mapped */
    _Atomic(llim__timezone *) timezone[LLIM__ZONES]; /* NULL: not met by this process yet; see writer.c */
    llim__period_cache period[LLIM__SHAPES];
    struct llim__sync *sync; /* NULL: nobody asked for it */
    at_i64 synced_at;        /* by the zone's clock, 0: never */
    at_i64 looked_at;        /* CLOCK_MONOTONIC of the last search for leases of the dead */
    llim_alloc_fn alloc;
    void *alloc_ctx;
};

/* Whether a slot's word is a lease that has not expired. */
static inline bool llim__slot_lives(uint64_t word, int64_t t)
{
    return (int64_t)(word >> 24) * 1000000 > t;
}

/* Zone time (steady + LLIM__EPOCH) and wall time. */
static inline llim__now llim__zone_now(llim_zone *zone)
{
    llim__now now = llim__clock_now(&zone->clock);
    now.steady += LLIM__EPOCH;
    return now;
}

/* Reads the clock into *now unless that was done before. */
static inline llim__now llim__zone_now_once(llim_zone *zone, llim__now *now)
{
    if (now->steady == 0) *now = llim__zone_now(zone);
    return *now;
}

/* The row of a scope's chain that holds its i-th limit, which is not in the first; *i becomes its place there. */
static inline llim__row *llim__row_more(llim_zone *zone, llim__row *row, uint32_t *i)
{
    *i -= LLIM__CELLS;
    row = &zone->row[at_load_rlx(&row->next)];
    for (; *i >= LLIM__MORE_CELLS; *i -= LLIM__MORE_CELLS) row = &zone->row[at_load_rlx(&row->next)];
    return row;
}

/* To be called when something was given back that a refusal may have counted. */
static inline void llim__zone_freed(llim_zone *zone)
{
    at_fence_after_rmw();
    const llim_listener *listener = at_load_acq(&zone->listener);
    if (listener) listener->freed(listener->ctx);
}

/* The cell of the i-th limit. */
static inline llim__cell *llim__row_cell(llim_zone *zone, llim__row *row, uint32_t i)
{
    if (i < LLIM__CELLS) return &row->cell[i];
    row = llim__row_more(zone, row, &i);
    return &row->more_cell[i];
}

/* The row's identity number when the i-th limit came: permits that are older have charged something else. */
static inline at_u32 *llim__row_born(llim_zone *zone, llim__row *row, uint32_t i)
{
    if (i < LLIM__CELLS) return &row->born[i];
    row = llim__row_more(zone, row, &i);
    return &row->more_born[i];
}

static inline const llim__shape *llim__cell_shape(const llim_zone *zone, uint64_t config)
{
    return &zone->shape[LLIM__CONFIG_SHAPE(config)];
}

/* The row behind a handle and its state, or NULL if it was recycled. */
static inline llim__row *llim__row_of(llim_zone *zone, llim_row handle, uint64_t *state)
{
    if (handle.index == 0 || handle.index > zone->header->rows) return NULL;
    llim__row *row = &zone->row[handle.index];
    *state = at_load_acq(&row->state);
    if (LLIM__STATE_EPOCH(*state) != handle.epoch || !(LLIM__STATE_FLAGS(*state) & LLIM__LIVE)) return NULL;
    return row;
}

static inline bool llim__zone_is_read_only(const llim_zone *zone)
{
    return zone->most_rows == 0;
}

/* The zone's bytes, for tests that compare them. */
const void *llim__zone_bytes(const llim_zone *zone, size_t *size);

#endif
