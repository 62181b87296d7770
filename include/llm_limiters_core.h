/*
 * llm_limiters_core.h - the core: a zone of rows, exact limits, permits and refusals; providers' answers.
 *
 * A row is the live state of one scope (a model of an account, a tenant, a user): its limits with their counters and its
 * cooldown. llim_admit() charges one request to the limits of several rows at once, or to none of them. The permit it
 * fills ends by llim_settle(), llim_reject() or llim_cancel(). What a provider answered is read by llim_classify(), and what
 * a call used by an llim_usage_reader. Nothing here knows tiers, Lua or the network: that is llm_limiters.h.
 *
 * Conventions
 *   Results     int: LLIM_OK or a negative code of enum llim_code. Refusals (LLIM_LATER, LLIM_NEVER) are verdicts, not errors.
 *   Structs     Plain data on the caller's side. An options struct begins with its own size; zero in a field is its default.
 *   Strings     UTF-8, with their length beside them where they may hold any byte, else ended by a zero byte.
 *   Time        int64_t nanoseconds. "at" values are of the zone's steady clock unless they say wall (Unix epoch, UTC).
 *   Threads     Every function may be called from any thread at any time on an open zone, except llim_zone_close(), which
 *               must be the last. A permit belongs to one thread at a time.
 *   Processes   A zone on the heap is one process's own; one with a name or in a file is shared: see llim_zone_options. On a
 *               shared zone any function that says LLIM_EBUSY below, and any function that decides on a row which another process
 *               is changing, waits for that process, for some 100 ms at the most; then it returns LLIM_EBUSY. While that process puts
 *               right what a dead one left, or copies the zone for llm-limiters verify, which takes a fraction of a
 *               microsecond a row, it may be a microsecond a row more: a second in a zone of a million.
 *   Allocation  Only llim_zone_open() allocates, whoever meets a time zone for the first time, and llim_classify() for the body
 *               of an error, which it frees again.
 *
 * Caveats
 *   - A permit is a value. Ending a copy of a permit that has already ended corrects the counters twice; only permits
 *     that hold a lease notice.
 *   - Debt counts up to 2^41 in a window or period, and up to 800 days of a bucket's refilling.
 *   - What is admitted to a sliding limit in one window is at most 2^41, given back or not, and with debt 3 * 2^40: only a
 *     limit beyond 2^34 can meet that, if nearly all of what it admits is given back.
 *   - A zone knows at most 1,023 kinds of limits (meter, law, window, guard, charged) and 64 time zones, as long as it lives: whoever
 *     invents ever new windows uses them up, which is LLIM_EFULL.
 *   - A zone on the heap belongs to one process: after fork() the child has a copy and counts apart.
 *   - A process that ends in the middle of a call leaves a count that is too high by what that call was about, and in sliding
 *     limits by one slot's traffic at the most (a 62nd of the window); it ends with the window.
 *   - Calendar periods follow the wall clock: a false clock that steps forward across a boundary opens the new period.
 */
#ifndef LLM_LIMITERS_CORE_H
#define LLM_LIMITERS_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LLIM_API __attribute__((visibility("default")))
#else
#define LLIM_API
#endif

#define LLIM_VERSION_MAJOR 0
#define LLIM_VERSION_MINOR 1
#define LLIM_VERSION_PATCH 0

/* Result codes. The numbers are part of the ABI: none is ever reused. */
enum llim_code {
    LLIM_OK = 0,
    LLIM_LATER = -1,           /* refused now; llim_refusal tells the earliest instant at which it fits */
    LLIM_NEVER = -2,           /* refused for good: an amount above a limit, or every candidate blocked */
    LLIM_EINVAL = -3,          /* an argument breaks this header's contract */
    LLIM_ERANGE = -4,          /* a number outside its stated range */
    LLIM_ENOMEM = -5,          /* memory, at open */
    LLIM_EFULL = -6,           /* no row, sliding window, lease, note or shape is left in the zone */
    LLIM_ENOTFOUND = -7,       /* no such scope in this zone, or the row was recycled since */
    LLIM_EENDED = -8,          /* the permit has ended, or its lease has expired */
    LLIM_ETIMEZONE = -9,       /* the name is not a time zone of the system's database */
    LLIM_EUNKNOWN_MODEL = -10, /* no quota table or override knows this model */
    LLIM_ENO_QUOTA = -11,      /* the model is known, but has no numbers in this tier */
    LLIM_EUNKNOWN_TIER = -12,  /* no provider has this tier */
    LLIM_ECONFIG = -13,        /* a quota table, override or policy file is wrong; see file, line and field */
    LLIM_EIO = -14,            /* a file cannot be read, written or locked */
    LLIM_ELUA = -15,           /* a script failed, or this process runs another Lua under the same symbols */
    LLIM_EVERSION = -16,       /* a struct size or a zone layout that this build does not know */
    LLIM_WAITING = -17,        /* not decided yet: llim_wait_poll() tells when to ask again */
    LLIM_EBUSY = -18,          /* another process stands in the middle of a change to the zone: try again later */
    LLIM_ECORRUPT = -19        /* a file that is not a zone, or a damaged one */
};

/* What is counted. */
enum llim_meter {
    LLIM_REQUESTS,
    LLIM_TOKENS, /* input and output together */
    LLIM_INPUT_TOKENS,
    LLIM_OUTPUT_TOKENS,
    LLIM_IMAGES,
    LLIM_AUDIO_MS, /* milliseconds of audio */
    LLIM_CHARACTERS,
    LLIM_SESSIONS,
    LLIM_COST,  /* micro-dollars */
    LLIM_METERS /* how many there are */
};

/* How a limit counts over time. */
enum llim_law {
    LLIM_SLIDING,  /* in every half-open interval of the window's length, admitted <= amount */
    LLIM_CALENDAR, /* per period cut at the wall clock of a time zone */
    LLIM_BUCKET,   /* capacity = amount, refilled continuously over the window */
    LLIM_GAUGE     /* held at the same time; the window is a lease's time to live */
};

/* Periods of the calendar law. */
enum llim_unit { LLIM_NO_UNIT, LLIM_PER_MINUTE, LLIM_PER_HOUR, LLIM_PER_DAY, LLIM_PER_WEEK, LLIM_PER_MONTH };

/* What the provider counts in the end, hence whether settling moves the counter. */
enum llim_charged { LLIM_CHARGED_USED, LLIM_CHARGED_RESERVED };

#define LLIM_AMOUNT_MAX 1099511627775 /* 2^40 - 1: the largest limit or amount */
#define LLIM_UNKNOWN    (-1)          /* in facts: not reported, the reservation stands */
#define LLIM_MAX_ROWS   8             /* scopes of one admission */
#define LLIM_MAX_LIMITS 16            /* limits of one row */
#define LLIM_MAX_LEASES 4             /* gauge limits of one admission */
#define LLIM_SCOPE_MAX  255           /* bytes of a scope's name */
/* Bytes of a scope's name that are kept for display, with the ending zero: a longer one is cut and ends in ~, control
   characters are shown as ?. */
#define LLIM_SCOPE_SHOWN 48
#define LLIM_SECOND      ((int64_t)1000000000) /* nanoseconds */

/* Where and why something was wrong. Filled only when a function fails with an error (not a refusal); always ended by a
   zero byte. message is a whole sentence that already names file, line and field. Every err parameter may be NULL. */
typedef struct llim_error {
    int32_t code; /* enum llim_code */
    int32_t line; /* 0: none */
    char file[192];
    char field[96];
    char message[736];
} llim_error;

/* One limit, as it is given and shown. */
typedef struct llim_limit {
    int32_t meter;   /* enum llim_meter */
    int32_t law;     /* enum llim_law */
    int32_t unit;    /* enum llim_unit; calendar only */
    int32_t charged; /* enum llim_charged */
    int64_t amount;  /* 1 .. LLIM_AMOUNT_MAX */
    int64_t
        window_ns; /* sliding, bucket: 1 s .. 400 days; gauge: time to live of a lease, 1 s .. 400 days; calendar: 0 */
    int64_t guard_ns; /* 0 .. window / 4 (of a calendar: of its shortest period); gauge: 0 */
    char zone[48];    /* calendar: name in the system's time zone database, "" is UTC */
} llim_limit;

/* Amounts per meter, indexed by enum llim_meter: what is asked for (0 .. LLIM_AMOUNT_MAX), or the facts of a settlement
   (LLIM_UNKNOWN allowed). */
typedef struct llim_charge {
    int64_t amount[LLIM_METERS];
} llim_charge;

/* A row as its users hold it: it is of no use once the row has been recycled (LLIM_ENOTFOUND), never wrong. */
typedef struct llim_row {
    uint32_t index;
    uint32_t epoch;
} llim_row;

typedef struct llim_lease {
    uint32_t index;
    uint32_t nonce;
} llim_lease;

/* A reservation that was admitted. One with n_rows 0 has ended. The caller may keep it, move it and abandon it
   (its charge then stands as estimated until its windows end, its leases until their time to live ends). */
typedef struct llim_permit {
    uint32_t n_rows; /* 0: ended */
    uint32_t n_leases;
    uint32_t candidate;  /* llim_acquire(): index of the admitted model in the caller's list */
    uint32_t generation; /* of the quotas that decided */
    int64_t at_ns;       /* when it was admitted, steady clock */
    int64_t wall_ns;     /* the same, wall clock */
    uint64_t serial;     /* by which a limiter's shadow knows the call, else 0 */
    uint64_t model; /* llim_acquire(): which model of which generation was admitted; llim_admit() leaves it as it is */
    llim_charge charge;
    llim_row row[LLIM_MAX_ROWS];
    uint32_t
        identity[LLIM_MAX_ROWS]; /* which limits of each row were charged: those that come later are not corrected */
    llim_lease lease[LLIM_MAX_LEASES];
    uint16_t done[LLIM_MAX_ROWS]; /* what an end that said LLIM_EBUSY has corrected already */
} llim_permit;

/* Why a request may not go, and when it may. */
enum llim_reason {
    LLIM_BY_LIMIT,
    LLIM_BY_COOLDOWN,
    LLIM_BY_BLOCKED, /* the tables say that the model is not to be used in this tier */
    LLIM_BY_POLICY, /* it fits, but the policy's plan leaves it out; wait_ns is 0, when to ask again is the policy's rule */
    LLIM_BY_QUEUE /* it fits, but others that wait for its models come first; wait_ns is 0 */
};

typedef struct llim_refusal {
    int32_t code;       /* LLIM_LATER or LLIM_NEVER */
    int32_t reason;     /* enum llim_reason; the limit fields below are zero unless LLIM_BY_LIMIT */
    uint32_t candidate; /* llim_acquire(): index in the caller's list of the model that this refusal is about */
    int32_t meter;
    int32_t law;
    int32_t unit;
    int64_t window_ns;
    int64_t guard_ns; /* a bucket refuses this much before its level would */
    int64_t limit;
    int64_t used;       /* reservations included */
    int64_t amount;     /* that was asked for */
    int64_t wait_ns;    /* from now until the earliest instant at which the same request fits, if nothing else happens;
                           0 when code is LLIM_NEVER */
    int64_t at_ns;      /* that instant, steady clock */
    int64_t at_wall_ns; /* that instant, wall clock */
    char scope[LLIM_SCOPE_SHOWN];
} llim_refusal;

/* One limit's state, as of the call. */
typedef struct llim_usage {
    llim_limit limit;
    int64_t used;     /* reservations included */
    int64_t reset_ns; /* from now until nothing is used any more, if nothing else happens */
} llim_usage;

enum llim_clock {
    LLIM_CLOCK_REAL,   /* CLOCK_MONOTONIC, and CLOCK_REALTIME for calendars */
    LLIM_CLOCK_VIRTUAL /* stands still until llim_zone_set_clock() moves it */
};

/* realloc in one function: size 0 frees and returns NULL. ptr is NULL or came from the same function. */
typedef void *(*llim_alloc_fn)(void *ctx, void *ptr, size_t old_size, size_t size);

typedef struct llim_zone llim_zone;

/* Where a zone is.
 *
 * On the heap, unless it has a path or a name.
 *
 * With a name it is memory that this process shares with the children it forks from then on; opening the name again in any of
 * them gives the same zone, which lasts until the last of them has ended. exec() leaves it.
 *
 * With a path it is in a file, which any processes of this machine open, one after the other or at once; the first one makes it.
 *   - Its directory tells its speed and its life: on tmpfs (/dev/shm) it ends with the boot, on a disk it outlives it. Both decide
 *     at the speed of memory.
 *   - Its blocks are reserved when it is made: a full disk is an error then (LLIM_EIO), never later.
 *   - Who may write the file may change what is in it: processes that have it open trust each other. The file that they leave
 *     is not trusted: whoever opens it alone checks its header, the scopes' names, and that nothing in it leads astray, which is
 *     LLIM_ECORRUPT or LLIM_EVERSION; it is not written to then. A count that is another, or a scope that has gone as a whole,
 *     shows no damage there; `llm-limiters verify` tells of more.
 *   - It must not be truncated while it is open: a process that meets pages that are gone is killed (SIGBUS). Deleted or
 *     replaced, it stays the zone of those that have it open; who opens the path gets, or makes, another one.
 *   - Remote file systems (NFS, SMB, 9P, AFS, Ceph) are refused. Containers may share a file if they are on one kernel and have
 *     one CLOCK_MONOTONIC (no time namespace of their own).
 *   - A process that opens and closes the file by itself, or closes descriptors wholesale, loses its lock on the file: it must
 *     not. With the descriptor gone, placing and settling on rows that change are LLIM_EIO.
 *   - When processes are killed nothing is lost. When the machine loses its power, what was not yet written is: by default the
 *     last 30 seconds or so, as the kernel is set (vm.dirty_expire_centisecs). With sync_ns a thread of this process writes the
 *     file that often, and a power cut loses no more than that and the time that the disk takes; what was there before
 *     llim_zone_sync() returned is safe, too. What was half written then is put right when the file is opened again: a limit that
 *     is in doubt counts as full until its window ends, one that had just come is gone, a scope that had just come has lost its
 *     name ("?") but not its counts.
 *   - Over a boot windows go on by the wall clock, which must be right by then; leases end.
 *
 * fork() is safe at any time, in any thread: the child uses the handle, or opens its own. Leases (of gauges) belong to the process
 * that took them. They end by their time to live, or when a gauge is full and their process has ended; that is noticed within 10
 * ms, and only among processes of one namespace of process ids. */
typedef struct llim_zone_options {
    uint32_t size;    /* sizeof(llim_zone_options) */
    int32_t clock;    /* enum llim_clock; a virtual one is the zone's, for all its processes */
    uint32_t rows;    /* scopes of up to three limits; four more limits take one more. Default 1024, at most 2^24 */
    uint32_t sliding; /* sliding limits. Default 256, at most 2^20 */
    uint32_t leases;  /* leases of gauges at one time. Default 1024, at most 2^20 */
    uint32_t notes;   /* rows that learn from their settlements. Default 256, at most 2^20 */
    int64_t start_ns; /* virtual clock: its first steady time, 0 .. 2^58 (9 years) */
    int64_t start_wall_ns; /* virtual clock: its first wall time, 1970 .. 2199 */
    llim_alloc_fn alloc;   /* default: the C library's */
    void *alloc_ctx;
    const char *path; /* of the zone's file, no symbolic link; NULL: none. Borrowed for the call */
    const char *name; /* 1 to 63 bytes; NULL: none. Borrowed likewise */
    uint32_t mode; /* permission bits of a file that is made, whatever the umask: 0600 and others. Default 0600. Who may
                         read it may hold a record lock on it, and so keep others from placing: LLIM_EBUSY */
    /* 1: the file at path is only looked at. It is not made, nothing in it is changed or repaired, no lock is taken, and who
       decides meanwhile notices nothing; its figures and its clock are the file's. Every function that decides or changes
       something returns LLIM_EINVAL then, and those that read return LLIM_EBUSY for a row that a writer is at work on, or has
       died on: nobody waits. */
    int32_t read_only;
    /* Of a file: how often it is written to its disk, a millisecond to a day, and once more when the handle is closed. 0: as the
       kernel does it. The thread is of the process that opens: a child of fork() that outlives it opens the zone itself. One
       process that does so is enough. No decision waits until something is written, but a page's first change after it was
       written costs a page fault, in which a busy disk's file system may hold a thread up for some 10 ms. */
    int64_t sync_ns;
} llim_zone_options;

/* How full a zone is. A zone whose rows are all used makes room for a new scope by recycling one that holds nothing, so that
   being used up is its usual state; LLIM_EFULL comes when all rows hold something. */
typedef struct llim_zone_stats {
    uint64_t bytes; /* of the whole zone */
    uint32_t rows, rows_used;
    uint32_t sliding, sliding_used;
    uint32_t leases, leases_used;
    /* Of the rows, and of the sliding windows, that are used, the share in percent that hold something, or are of a pinned scope: an
       estimate from 128 rows (of 90 %, right to 3 % in two of three cases), made each time that some 64th of the rows have been
       recycled. LLIM_UNKNOWN while none has been; 100: none could be of late. */
    int32_t rows_held_percent, sliding_held_percent;
    /* Of limits, by meter, law, window, guard and charged; and of calendars. None is ever given back. */
    uint32_t kinds, kinds_used;
    uint32_t time_zones, time_zones_used;
    int64_t
        synced_ns; /* steady time at which the handle's last writing to the disk began that succeeded; 0: none has */
} llim_zone_stats;

/* The version of the library, major * 10000 + minor * 100 + patch: compare with the header's. */
LLIM_API uint32_t llim_version(void);

/* The name of a code ("LLIM_EFULL"), meter ("input_tokens") or law ("sliding"); "?" for an unknown one. Static strings. */
LLIM_API const char *llim_code_name(int code);
LLIM_API const char *llim_meter_name(int meter);
LLIM_API const char *llim_law_name(int law);

/* Opens a zone, and makes it if there is none. options may be NULL. The caller owns *zone and ends it by llim_zone_close(). Of a
   zone that is there the figures are what they are: 0 asks for nothing, others than it was made with are LLIM_EINVAL, and so is
   the other kind of clock; start_ns, start_wall_ns and mode do not matter. Who opens a file alone reads all of it: some 0.1 s
   for a million rows. Others wait for that, for 20 seconds at the most (LLIM_EBUSY).
   LLIM_EINVAL, LLIM_ERANGE, LLIM_ENOMEM, LLIM_EVERSION, LLIM_ECORRUPT, LLIM_EIO, LLIM_EBUSY, LLIM_ETIMEZONE; *zone is then NULL. */
LLIM_API int llim_zone_open(const llim_zone_options *options, llim_zone **zone, llim_error *err);

/* Ends a handle of a zone; NULL is allowed. No other thread may be inside, or use it later. The zone ends with it on the heap. */
LLIM_API void llim_zone_close(llim_zone *zone);

/* Both clocks of the zone, now. Either pointer may be NULL. */
LLIM_API void llim_zone_now(llim_zone *zone, int64_t *steady_ns, int64_t *wall_ns);

/* Sets a virtual clock. The steady part never goes backwards (LLIM_ERANGE, nothing changes); the wall part may.
   LLIM_ERANGE too outside 0 .. 2^58 and 1970 .. 2199. LLIM_EINVAL on a real clock. LLIM_EBUSY, LLIM_EIO. */
LLIM_API int llim_zone_set_clock(llim_zone *zone, int64_t steady_ns, int64_t wall_ns);

/* Writes a zone in a file to its disk, and returns when it is there; see sync_ns. A zone elsewhere has nothing to write: LLIM_OK.
   LLIM_EINVAL: it is only read. LLIM_EIO. */
LLIM_API int llim_zone_sync(llim_zone *zone);

/* Leases that live are counted one by one. */
LLIM_API void llim_zone_get_stats(llim_zone *zone, llim_zone_stats *stats);

/* How full the zone is, in percent of what is fullest of rows, sliding windows, leases, kinds of limits and time zones: what is
   held where that is known, else what is used. *what, which may be NULL, is its name in the plural, a static string. From 90 on
   the zone is nearly full: what needs one more may soon be refused by LLIM_EFULL. */
LLIM_API uint32_t llim_zone_full(const llim_zone_stats *stats, const char **what);

/* Somebody who waits for room in a zone. */
typedef struct llim_listener {
    void (*freed)(void *ctx);
    void *ctx;
} llim_listener;

/* From now on listener->freed(listener->ctx) is called whenever a request may fit earlier than a refusal said: something was given
   back, a row got other limits, a virtual clock was set. It is called under no lock, by the thread that did so, through this
   handle of the zone; it may be called for nothing, and once more after another listener has taken its place. NULL: nobody.
   Whoever asks after this call, is refused, and is not called, has missed nothing. listener is borrowed until the zone is
   closed. A limiter listens to its own zone: leave that to it. */
LLIM_API void llim_zone_listen(llim_zone *zone, const llim_listener *listener);

/* Makes the scope's row, or gives an existing one these limits: a limit of the same meter, law, window, unit, time zone
   and guard keeps its count (charged and amount may change); a new one of the same meter starts charged with everything
   the ones that it replaces still hold, and permits of before give nothing back to it, nor to a bucket that was lowered;
   others are removed. n = 0 leaves a row with a cooldown only. pinned rows are
   never recycled; others may be once nothing is in their windows, when a new scope needs the place.
   Slow path: takes a lock; deciders go on meanwhile.
   LLIM_EINVAL (empty or long scope, two equal limits, two gauges of one meter), LLIM_ERANGE, LLIM_ETIMEZONE, LLIM_EFULL, LLIM_EBUSY,
   LLIM_EIO; nothing changes then. */
typedef struct llim_row_spec {
    uint32_t size; /* sizeof(llim_row_spec) */
    uint32_t scope_len;
    const char *scope; /* "model:default/openai/gpt-4o", "team:acme"; borrowed for the call */
    const llim_limit *limits;
    uint32_t n_limits;
    uint32_t generation; /* of the quotas these limits come from; carried by permits */
    int32_t pinned;
    int32_t notes; /* 1: the row learns from its settlements, see llim_row_notes(), from now on. Where notes are scarce
                      a row that is not pinned loses its own to another; they begin anew when it is set again */
} llim_row_spec;
LLIM_API int llim_row_set(llim_zone *zone, const llim_row_spec *spec, llim_row *row, llim_error *err);

/* Finds a scope's row without a lock. LLIM_ENOTFOUND. LLIM_EBUSY, for as long as what a dead process left is put right. */
LLIM_API int llim_row_find(llim_zone *zone, const char *scope, size_t scope_len, llim_row *row);

/* The limits of a row with their use: up to cap of them into out, their number into *n. One that stays through changes keeps
   its place among those that stay. LLIM_ENOTFOUND, LLIM_EBUSY. */
LLIM_API int llim_row_usage(llim_zone *zone, llim_row row, llim_usage *out, uint32_t cap, uint32_t *n);

/* Walks the scopes of a zone, without a lock and in no order that means something: *position is 0 at first, and the caller's to
   keep. LLIM_OK: a scope's row, and its name as refusals show it, but UTF-8 in any case; either may be NULL. A scope that comes
   or goes meanwhile may be told or not, every other is told once. LLIM_ENOTFOUND: there are no more. */
LLIM_API int llim_row_next(llim_zone *zone, uint32_t *position, llim_row *row, char name[LLIM_SCOPE_SHOWN]);

/* The generation of the quotas that set the row's limits last. LLIM_ENOTFOUND. */
LLIM_API int llim_row_generation(llim_zone *zone, llim_row row, uint32_t *generation);

/* What the settlements of a row have taught. An input is the tokens of one for each four characters that its permit was
   charged with; an output is the tokens of one, in the facts' output_tokens or else tokens without input_tokens. Facts that do
   not tell these teach nothing, nor do settlements without facts and other ends of a permit. */
typedef struct llim_notes {
    uint32_t inputs, outputs; /* how many taught it; counts up to 255 */
    /* Of late, and of those in flight at an instant: each weighs as long as it took. */
    double input_mean, output_mean; /* over some 64 settlements */
    double input_high, output_high; /* the 99th percentile; 8 settlements above it double it, 700 below it halve it */
    /* What each call should reserve so that all that are in flight together are hardly ever short: the mean, and what the
       percentile is above it over the square root of their number. */
    double input_reserve, output_reserve;
    double in_flight; /* 1 until that is known */
    /* What limiters have counted since the row got its notes, of the model that the row is for: requests that were admitted to
       it; refusals that named it, once each time that somebody asked, be it the same request that waits; and answers of its
       provider that told of a spent limit or quota (LLIM_ANSWER_RATE, LLIM_ANSWER_QUOTA). llim_admit() alone counts nothing
       here, llim_available() neither, and a shadow counts in its own zone. */
    uint64_t admitted, refused, limited;
    uint32_t
        strikes; /* how often its provider has refused of late: one is forgotten with every minute without a cooldown */
    uint32_t reserved;
} llim_notes;

/* LLIM_ENOTFOUND: the row was recycled, or has no notes. */
LLIM_API int llim_row_notes(llim_zone *zone, llim_row row, llim_notes *notes);

/* Charges the request to all limits of all rows, or to none. Each limit of the rows is asked for the amount of its meter;
   a limit that is in debt refuses an amount of 0 too. rows: 1 .. LLIM_MAX_ROWS, distinct.
   LLIM_OK fills *permit. LLIM_LATER and LLIM_NEVER fill *refusal and change nothing; *refusal may be NULL.
   LLIM_ERANGE: an amount outside 0 .. LLIM_AMOUNT_MAX. LLIM_ENOTFOUND: a row was recycled: llim_row_set() again.
   LLIM_EFULL: no lease is left. LLIM_EBUSY, LLIM_EIO: nothing is charged, but for limits of a row that a process began to change and
   stopped just when this request was charged to them; these keep it until their windows end. LLIM_ETIMEZONE: another process
   has brought a calendar that cannot be loaded here. *permit is untouched unless LLIM_OK. */
LLIM_API int llim_admit(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                        llim_permit *permit, llim_refusal *refusal);

/* What llim_admit() would say now, charging nothing. */
LLIM_API int llim_check(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge,
                        llim_refusal *refusal);

/* Ends a permit with what the call really used. Limits that are charged as used are corrected, up or down: down at the
   instant of the charge (what has left its window stays gone; a bucket returns at most what it has not refilled since),
   up from now on, as debt (of a calendar: in the period of the charge). Limits charged as reserved do not move. requests
   are never corrected, sessions and other gauges are given back. facts may be NULL: everything as reserved.
   LLIM_ERANGE: a fact outside -1 .. LLIM_AMOUNT_MAX; the permit then lives on. LLIM_EENDED: the permit had
   ended, or one of its leases has: it is cleared, its other leases end, and nothing else is corrected. LLIM_EBUSY, LLIM_EIO,
   LLIM_ETIMEZONE: it lives on, and is to be ended again, when that corrects what is not corrected yet. */
LLIM_API int llim_settle(llim_zone *zone, llim_permit *permit, const llim_charge *facts);

/* Ends a permit that the provider refused: requests stay charged, everything else is given back, whatever charged says. */
LLIM_API int llim_reject(llim_zone *zone, llim_permit *permit);

/* Ends a permit of a call that was never sent: everything is given back. */
LLIM_API int llim_cancel(llim_zone *zone, llim_permit *permit);

/* Starts the time to live of the permit's leases anew. LLIM_EENDED: one of them had expired; the others are renewed. */
LLIM_API int llim_renew(llim_zone *zone, llim_permit *permit);

/* Charges facts that no permit reserved (a turn of a live session) as debt: never refused. Gauges do not move.
   LLIM_ERANGE; LLIM_ENOTFOUND: a row was recycled (those before it may be charged). LLIM_EBUSY likewise. */
LLIM_API int llim_record(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *facts);

/* The scope admits nothing for for_ns from now, 0 .. 400 days (LLIM_ERANGE). An earlier end never shortens a later one.
   LLIM_ENOTFOUND; LLIM_EBUSY: it is being recycled. */
LLIM_API int llim_cool(llim_zone *zone, llim_row row, int64_t for_ns);

/* Nanoseconds until the row's cooldown ends, 0 if there is none. LLIM_ENOTFOUND. */
LLIM_API int llim_cooling(llim_zone *zone, llim_row row, int64_t *left_ns);

/* The zone as Prometheus reads it (text exposition format 0.0.4): of each scope whose name begins with prefix its limits with
   their use, cooldown, strikes, counts and generation, and how full the zone is. prefix NULL: "model:", since a series for each
   of many tenants serves nobody; "": all. Amounts are in their meter's unit. Never more than cap bytes are written; the last is
   a zero byte, which *size, the bytes that all of it takes, does not count. A row that a writer is at work on is left out this
   time. LLIM_ERANGE: it was cut; a zone that is in use may need more the next time. */
LLIM_API int llim_prometheus(llim_zone *zone, const char *prefix, char *out, size_t cap, size_t *size);

/* The refusal as a sentence, cut to cap and ended by a zero byte; returns its whole length, as snprintf does. */
LLIM_API int llim_refusal_text(const llim_refusal *refusal, char *buf, size_t cap);

/* What a provider answered.
 *
 * llim_classify() reads one answer: an HTTP response, a message of a WebSocket, or its close. It does no I/O, knows no clock
 * and keeps nothing between calls. Any byte string gives an answer; what is not told stays unknown, and nothing here is
 * applied to a row: that is for whoever asked. */

enum llim_provider {
    LLIM_PROVIDER_ANY, /* asked: tell it by the answer. Answered: it cannot be told */
    LLIM_PROVIDER_OPENAI,
    LLIM_PROVIDER_GEMINI,
    LLIM_PROVIDER_GEMINI_OPENAI, /* Gemini behind its OpenAI-compatible door */
    LLIM_PROVIDER_AZURE,
    LLIM_PROVIDER_ANTHROPIC,
    LLIM_PROVIDER_GROQ,
    LLIM_PROVIDERS /* how many there are */
};

enum llim_kind {
    LLIM_ANSWER_UNKNOWN,
    LLIM_ANSWER_OK,
    LLIM_ANSWER_RATE,      /* a limit over time, which time heals */
    LLIM_ANSWER_QUOTA,     /* nothing is left or was ever granted: waiting does not help, a human does */
    LLIM_ANSWER_TOO_LARGE, /* this request never fits this model */
    LLIM_ANSWER_OVERLOAD,  /* the provider's trouble, not the caller's quota */
    LLIM_ANSWER_AUTH,
    LLIM_ANSWER_ERROR /* anything else that failed */
};

/* Whom the answer is about. */
enum llim_scope_kind {
    LLIM_SCOPE_UNKNOWN,
    LLIM_SCOPE_MODEL,
    LLIM_SCOPE_FAMILY,    /* every model that draws on the named limit */
    LLIM_SCOPE_CREDENTIAL /* every model of this key's organisation or project */
};

#define LLIM_NAME_SHOWN  64 /* bytes of a printed name with its ending zero; longer ones are left out */
#define LLIM_LEARNED_MAX 12 /* limits that one answer may teach; further ones are left out */

/* A limit as the answer tells it. Each number may be LLIM_UNKNOWN. */
typedef struct llim_learned {
    int32_t meter; /* enum llim_meter */
    int32_t unit;  /* enum llim_unit: how long its window is, LLIM_NO_UNIT if that is neither told nor to be inferred */
    int32_t project; /* 1: the pool of a project beside that of its organisation */
    int32_t reserved;
    int64_t limit;
    int64_t remaining;
    int64_t reset_ns; /* from the answer until the whole limit is free again; the next request may fit much earlier */
} llim_learned;

/* What a call used. An amount that was not reported is LLIM_UNKNOWN. output_tokens include thinking. */
typedef struct llim_facts {
    llim_charge charge;      /* for llim_settle(); requests are always LLIM_UNKNOWN */
    int64_t thinking_tokens; /* of the output */
    int64_t cached_tokens;   /* read from a cache: part of the input, with Anthropic beside it */
    int32_t failed;          /* 1: it tells an error, be it in a stream that began well */
    int32_t reserved;
} llim_facts;

typedef struct llim_response {
    uint32_t size;       /* sizeof(llim_response) */
    int32_t provider;    /* enum llim_provider */
    int32_t status;      /* of HTTP; 0: body is a message of a WebSocket, or the reason of its close */
    int32_t close_code;  /* of a WebSocket's close, else 0 */
    const char *headers; /* lines "name: value"; the first 64 KiB are read */
    size_t headers_len;
    const char *body; /* whole, decompressed; an error's that is longer than 256 KiB is not read */
    size_t body_len;
    int64_t now_wall_ns; /* when it came, for instants in it, unless it has a date header; 0: not known */
    const struct llim_usage_reader *usage; /* not NULL: it was fed the body as it came, and tells what was used; body is
                                              then the last of it, where a stream tells an error */
} llim_response;

typedef struct llim_answer {
    int32_t kind;                /* enum llim_kind */
    int32_t provider;            /* enum llim_provider */
    int32_t scope;               /* enum llim_scope_kind */
    int32_t meter;               /* enum llim_meter of the limit that refused, or LLIM_UNKNOWN */
    int32_t unit;                /* enum llim_unit: its window, LLIM_NO_UNIT if that is not told */
    int32_t law;                 /* enum llim_law: how such a window counts there, or LLIM_UNKNOWN; calendar: in zone */
    int32_t charged;             /* enum llim_charged: what this provider counts in the end, or LLIM_UNKNOWN */
    uint32_t n_learned;          /* of learned[] */
    int64_t retry_after_ns;      /* from the answer until it is worth asking again, or LLIM_UNKNOWN */
    int64_t limit;               /* of the limit that refused, each LLIM_UNKNOWN if not told: its size, */
    int64_t used;                /* what was used of it, */
    int64_t requested;           /* and what this request was priced at */
    int64_t ends_after_ns;       /* the connection is closed in that time, or LLIM_UNKNOWN */
    char model[LLIM_NAME_SHOWN]; /* as printed, which may be a family's name; "" if not */
    char family[LLIM_NAME_SHOWN]; /* the shared limit that is named beside the model, or "" */
    char zone[48];                /* of law calendar */
    llim_facts facts;
    llim_learned learned[LLIM_LEARNED_MAX];
} llim_answer;

/* Reads an answer. retry_after_ns is never given for kinds that time does not heal, and for a calendar day it is the time
   until that day ends. An error inside a response or stream that began with status 200 is read like any other: its last event
   that tells one. LLIM_EINVAL: a NULL with a length, an unknown provider. LLIM_EVERSION. *answer is else filled. */
LLIM_API int llim_classify(const llim_response *response, llim_answer *answer);

/* The names of a kind ("too_large"), kind of scope ("credential") and provider ("gemini"); "?" for an unknown one. Static strings. */
LLIM_API const char *llim_kind_name(int kind);
LLIM_API const char *llim_scope_kind_name(int kind);
LLIM_API const char *llim_provider_name(int provider);

/* Reads what a call used from its response's bytes as they come, in pieces of any size: a JSON body, or a stream of server-sent
   events. Held by the caller, allocates nothing, takes time by the bytes alone, needs no end. */
typedef struct llim_usage_reader {
    uint64_t opaque[48];
} llim_usage_reader;

LLIM_API void llim_usage_begin(llim_usage_reader *reader);
LLIM_API void llim_usage_feed(llim_usage_reader *reader, const char *data, size_t len);

/* What is known so far. A stream that reports running totals and broke off before its end tells its input only. */
LLIM_API void llim_usage_end(const llim_usage_reader *reader, llim_facts *facts);

/* Reads a duration in any form that providers print: "1m26.4s", "534ms", "34.5s", plain seconds "22" or "0.5", and instants,
   "Tue, 16 Dec 2025 12:00:00 GMT" or "2025-12-16T12:00:00Z", counted from now_wall_ns (0: not known) and 0 if they have passed.
   LLIM_EINVAL: it is none of these, or an instant without a now. LLIM_ERANGE: above 400 days. *ns is else filled. */
LLIM_API int llim_parse_duration(const char *text, size_t len, int64_t now_wall_ns, int64_t *ns);

#ifdef __cplusplus
}
#endif
#endif
