/*
 * llm_limiters.h - the limiter for C programs: quota tables and policies in Lua over the engine of llm_limiters_core.h.
 *
 * llim_open() loads the quota tables of one modality, picks a tier, lays the caller's overrides over it and makes a row per
 * model. llim_acquire() walks a list of models in the caller's order and admits the first that fits. The permit ends by
 * llim_settle(), llim_reject() or llim_cancel() on llim_limiter_zone(). The conventions of the core header hold here too.
 *
 * The library carries Lua 5.4. In a process where another Lua answers under the same symbols llim_open() returns LLIM_ELUA.
 */
#ifndef LLM_LIMITERS_H
#define LLM_LIMITERS_H

#include "llm_limiters_core.h"

#ifdef __cplusplus
extern "C" {
#endif

enum llim_modality { LLIM_TEXT, LLIM_IMAGE, LLIM_AUDIO, LLIM_LIVE };

enum llim_log_level { LLIM_LOG_INFO, LLIM_LOG_WARNING };

#define LLIM_NO_GUARD (-1) /* llim_options.guard_ns: none at all, since 0 means the default */

typedef struct llim_limiter llim_limiter;

/* What a script may use in one call; what uses more is ended, and the default decides. */
typedef struct llim_script_bounds {
    int64_t instructions; /* of Lua's virtual machine, and 40 ns of processor time for each on average; and 100 ns for
                             each byte of a text that is compiled */
    int64_t bytes;        /* that it takes, whether or not it frees them; a quarter of it in one piece */
} llim_script_bounds;

typedef struct llim_options {
    uint32_t size;              /* sizeof(llim_options) */
    int32_t modality;           /* enum llim_modality; default text */
    const char *tier;           /* "free" (default), "tier1", or per provider "openai=tier3,gemini=free" */
    const char *quotas;         /* a set of quota tables: "baseline" (default), "published", or the path of a directory
                               of such files or of one */
    const char *overrides;      /* path of a Lua file returning { ["model"] = { rpm = 20, ... } }, or of a .json file
                               that holds { "model": { "rpm": 20, ... } }; default none */
    const char *overrides_text; /* the text of such a Lua file in its place, which errors call overrides_text */
    const char *policy;  /* "priority" (default), "weighted", "least_loaded", "cheapest", "sticky", "tenants", or the
                               path of a Lua file */
    const char *account; /* whose quota is spent; default "default" */
    int64_t guard_ns;    /* default 100 ms; LLIM_NO_GUARD for none. A table that states a guard keeps its own */
    llim_zone_options
        zone;        /* all zero: defaults, with room for every model of the tables, and for as many that a reload
                               puts in their place. rows, sliding and leases are what is wanted beyond the models in
                               the place of that; with them they keep the bounds of the core header */
    uint64_t seed;   /* of the chance in backoffs; 0: another one each time */
    uint32_t scopes; /* of the overrides, in use at one time: room for so many, each with the most that one has */
    int32_t watch;   /* 1: a thread of the limiter reloads when one of the files changes; see llim_watch_fd() */
    void (*log)(void *ctx, int level, const char *message); /* default none; called under no lock */
    void *log_ctx;
    llim_script_bounds
        load; /* of each quota table, override table and policy while it loads; 0: 1,000,000, to which 4 come for each byte, and 16 MiB */
    llim_script_bounds hook; /* of a policy's hook at each decision; 0: 200,000 and 1 MiB */
} llim_options;

/* Something that the policy may know of a request beside its amounts: its tenant, user, session, priority. */
typedef struct llim_tag {
    const char *
        name; /* as scripts read it: "tenant" is req.tenant. no name of a meter, nor max_output_tokens, random or at. Both are UTF-8 of at most 255
                         bytes without control characters: what comes from outside is checked before scripts see it */
    const char *value;
} llim_tag;

/* What is asked for. */
typedef struct llim_request {
    uint32_t size;             /* sizeof(llim_request) */
    uint32_t n_models;         /* 1 .. 64 */
    const char *const *models; /* names in the order of preference; any spelling that the tables know */
    llim_charge charge; /* what is known. requests 0 means 1; so do images in the image modality, and sessions in the
                            live one. tokens 0 is estimated: input_tokens + output_tokens if
                            given, else characters / 4 (rounded up) + max_output_tokens; input_tokens likewise, and
                            without either it is tokens. Where tokens is 0 and an input is told, the model's
                            settlements correct that (llim_row_notes()), unless one of its limits on tokens is
                            charged as reserved: characters / 4 times input_reserve, and output_reserve for an
                            output that is not given, at most max_output_tokens. An output that nothing is known of
                            is taken for max_output_tokens or, of a text, 512; n settlements later for at least an
                            n + 1st of that */
    int64_t max_output_tokens; /* the limit declared to the provider, 0 if none */
    const llim_row *scopes;    /* further rows to charge with the model's (tenant, user); borrowed for the call */
    uint32_t n_scopes;         /* 0 .. LLIM_MAX_ROWS - 1 */
    uint32_t n_tags;           /* 0 .. 32 */
    const llim_tag *tags;      /* for the policy; borrowed for the call */
} llim_request;

/* One model of a limiter, as of the call. Strings live as long as the limiter. */
typedef struct llim_model_info {
    const char *name;     /* canonical */
    const char *provider; /* "openai", "gemini", "custom" */
    const char *scope;    /* its row */
    llim_row row;
    int32_t blocked; /* the tables say that it is not to be used in this tier */
    int32_t reserved;
} llim_model_info;

/* Opens a limiter. options may be NULL. The caller owns *limiter and ends it by llim_close().
   A child of fork() goes on with it, if no other thread was inside; on a shared zone the limits are those of all. It has no thread
   that watches files until it meets a generation of another process or calls a function of watching: then it gets one of its
   own, or another descriptor by llim_watch_fd(). What it closes is its own.
   LLIM_EUNKNOWN_TIER (the message lists those that exist), LLIM_ECONFIG (file, line and field), LLIM_EIO, LLIM_ETIMEZONE,
   LLIM_ELUA, LLIM_EINVAL (unknown modality), LLIM_ERANGE, LLIM_ENOMEM, LLIM_EFULL; *limiter is then NULL. */
LLIM_API int llim_open(const llim_options *options, llim_limiter **limiter, llim_error *err);

/* What is in force, and what has gone wrong since the limiter was opened. */
typedef struct llim_status {
    uint32_t size;           /* sizeof(llim_status), set by the caller */
    uint32_t generation;     /* of the quotas and policy in force; the first is 1 */
    uint64_t hash;           /* of their texts, tier, account and bounds: equal where these are, in every process */
    uint64_t faults;         /* decisions that the default took because a hook failed */
    uint64_t ended;          /* of these, the hook used more than it may; hooks are then not asked for a second */
    uint64_t reloads;        /* that put other quotas or another policy in force */
    uint64_t failed_reloads; /* that left everything as it was */
    llim_error fault;        /* the last one of a hook */
    llim_error reload_fault; /* why the last of them failed */
    uint64_t conflicts;      /* generations of the zone whose contents were not those of this process's files */
    /* In force in the zone; another one than generation has not been followed. 0: nobody is, since the zone knows 64 kinds of
       limiters already, as the log has told. */
    uint32_t zone_generation;
    uint32_t reserved;
} llim_status;

/* LLIM_OK, LLIM_EVERSION. */
LLIM_API int llim_get_status(llim_limiter *limiter, llim_status *status);

/* Reads the texts again and puts them in force, at once for calls that begin afterwards, in every thread. options NULL: the same
   paths, tier and all as before; else what llim_open() would be given, of which tier, quotas, overrides, overrides_text, policy, account,
   guard_ns and the bounds count and are kept for the next time. modality must be the limiter's; the others are not read.
   *generation, which may be NULL, is the number in force afterwards: where nothing has changed, the same as before.

   Counts stay: a limit that has the same meter, law, window and guard keeps what is used of it, whether its amount was raised or
   lowered; what has been admitted above a lowered one stands. A changed law or window starts charged with all that the old one
   holds. A limit that is taken out, of a model that stays, is forgotten: put back, it starts empty. A model that draws on another row
   than before (it joins or leaves a family; another account) is charged there from then on, and what it has used stays with the
   old one. A model that is gone is refused by LLIM_EUNKNOWN_MODEL or LLIM_ENO_QUOTA; its permits end as ever, against the row that
   they charged, and if it comes back while anything is in its windows, its counts are there.
   Rows of llim_scope() get their new limits at the next llim_scope() for them, and have the old ones until then; a scope that
   has no limits any more is LLIM_ENOTFOUND, and its row as it was for who still holds it.

   An error is one of llim_open(), or LLIM_EINVAL (another modality), and changes nothing: what was in force stays. LLIM_EFULL:
   the zone, which has the room that llim_open() made, has none for a new limit; options.zone.rows and .sliding make more. 
   The processes of a zone (options.zone.path or .name) follow one another, those of one kind, by modality and account, of which a
   zone knows 64: what one puts in force has the next number for all, and the first decision of another process that meets it makes
   its llim_watch_fd() readable, so that it reads its own files again. Without a watch it goes on by its own names, scripts and prices, and by the
   limits that the zone's rows have by now, until it reloads. Files that say something else are told once, by the log and
   status.conflicts, and left in force as far as they are this process's own.
   Takes some milliseconds, and as much for each thread that has a VM of its own. What threads have left behind is ended by the
   next call of this. Any thread; one at a time, others wait. */
LLIM_API int llim_reload(llim_limiter *limiter, const llim_options *options, uint32_t *generation, llim_error *err);

/* A descriptor for poll() or epoll that is readable when llim_watch_poll() is to be called: a file of quotas, overrides or policy,
   a directory or a symbolic link on the way to them, may have changed. It is the limiter's, the same at each call, and closed by
   llim_close(). Waiting for it costs nothing; where the system tells no events (network file systems, a directory that is
   gone, no watch left) it becomes readable once a second. LLIM_ENOMEM, LLIM_EIO. Any thread. */
LLIM_API int llim_watch_fd(llim_limiter *limiter, llim_error *err);

/* Reloads as llim_reload(limiter, NULL, ...) does if files have changed and 50 ms have passed since the last change, or half a
   second since the first; else does nothing, in no time. A file that makes it fail is reported once, and read again when it
   changes. LLIM_EINVAL: llim_watch_fd() was not called; the errors of llim_reload(). Any thread. */
LLIM_API int llim_watch_poll(llim_limiter *limiter, uint32_t *generation, llim_error *err);

/* A candidate in the shadow of what is in force: it decides the same calls beside it, and has no effect but a report.
 *
 * candidate is what llim_open() would be given: tier, quotas, overrides, overrides_text, policy, account, guard_ns, seed, scopes and the bounds
 * count; modality must be the limiter's; the others are not read. It takes the place of an earlier candidate; NULL ends that. It
 * has a zone of its own, of the limiter's size and clock, with nothing charged and nothing learned at first, so that until the
 * longest window has passed it admits more than it would in force. Its files are not watched, llim_reload() does not touch it, and
 * llim_close() ends it.
 *
 * Each llim_acquire() that is admitted or refused, or names a model that is not known, is decided by the candidate too, right
 * after it and in the same thread; so is each try of one that waits, until the candidate admits it. The request is the same:
 * models, amounts, tags, and the chance that a policy reads. A scope is charged with the limits that the candidate's overrides
 * give it or, made by llim_row_set(), with its own. Where both admit the call, what ends or renews the permit does so to the
 * candidate's own. llim_answered() asks the candidate's result hook too if both have admitted the same model; of two models
 * the answer says how the candidate's permit ends, and nobody cools there.
 *
 * Not repeated there: llim_cool(), llim_record(), the order in which requests wait, and scopes with names that a zone does not
 * keep as they are (48 bytes and more, control characters), which do not count there. A call that only the candidate admits is
 * never made: its permit stands as estimated, and if the caller asks again it is another call. So does a permit that ends 4,096
 * or more calls later, which is told (lost). Calls of several threads may reach the candidate in another order, which
 * shows as differences where a limit is nearly full.
 *
 * A call takes two to three times as long with a candidate, and a relaxed load more without one. A candidate takes the memory of
 * another limiter and a megabyte. LLIM_EINVAL (another modality) and the errors of llim_open(); what was there before then stays.
 * Any thread. */
LLIM_API int llim_shadow(llim_limiter *limiter, const llim_options *candidate, llim_error *err);

/* How a candidate has decided, since llim_shadow(). The eight kinds add up to decisions. */
typedef struct llim_shadow_report {
    uint32_t size; /* sizeof(llim_shadow_report), set by the caller */
    uint32_t reserved;
    uint64_t hash; /* of the candidate, as llim_status.hash */
    uint64_t decisions;
    uint64_t same;           /* the same model, or the same refusal with the same wait, to a millisecond */
    uint64_t only_here;      /* admitted, and refused by the candidate */
    uint64_t only_there;     /* refused, and admitted by the candidate */
    uint64_t other_model;    /* admitted by both, but to another model */
    uint64_t other_wait;     /* refused by both for now, but for another time */
    uint64_t never_or_later; /* refused by both, but for good only by one */
    uint64_t unknown_model;  /* only one knows all models of the list */
    uint64_t failed;         /* the candidate failed, by an error of llim_acquire(); failure is the last one */
    uint64_t lost;           /* permits that ended too late for the candidate to be told */
    uint64_t faults;         /* decisions that the default took because a hook of the candidate failed */
    llim_error fault;        /* the last of these */
    llim_error failure;
} llim_shadow_report;

/* LLIM_OK; LLIM_ENOTFOUND: there is no candidate; LLIM_EVERSION. Any thread. */
LLIM_API int llim_get_shadow(llim_limiter *limiter, llim_shadow_report *report);

/* Ends a limiter and its zone; NULL is allowed. No other thread may be inside. */
LLIM_API void llim_close(llim_limiter *limiter);

/* The zone of a limiter: for settling, cooling, usage and the clock. It ends with the limiter. */
LLIM_API llim_zone *llim_limiter_zone(llim_limiter *limiter);

/* Admits the first model of the request that fits; permit->candidate tells which.
   LLIM_LATER: *refusal is that of the candidate that fits earliest; those that a policy left out are not tried, but count
   in this. LLIM_NEVER: none ever can; *refusal is the first's.
   LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA: a name of the list is wrong, whether or not another would fit; the message suggests
   the nearest name, or names the tier. LLIM_ERANGE, LLIM_EINVAL, LLIM_ENOTFOUND (a scope of the request was recycled), LLIM_EFULL (no lease
   is left for a candidate, and no other fits; or no row for a scope that the policy names: options.zone.rows makes more), LLIM_EBUSY (another process stands in the middle of a change
   to a candidate's row, and no other fits). It does not look at who waits (below), and may overtake them. */
LLIM_API int llim_acquire(llim_limiter *limiter, const llim_request *request, llim_permit *permit,
                          llim_refusal *refusal, llim_error *err);

/* Waiting for room.
 *
 * Those who wait on one limiter stand in one queue: the higher priority first, and within one first come first served. Of two
 * that would be charged to the same quota, of a model or of a scope, whichever of their models they get, only the first is asked
 * for until it is admitted or gives up, so that small requests do not starve a large one. What scopes a policy names is asked
 * when the waiting begins, and again after a reload. Others pass. Who comes with a higher priority does not stop a decision that
 * is being taken.
 *
 * Who is first is asked for again at the instant that its refusal names, and as soon as anything is given back to the zone
 * by this process (llim_settle(), llim_reject(), llim_cancel(), llim_answered()), a row gets other limits, or a virtual clock
 * is set. With a real clock it is asked for at least once a second, since a step of the wall clock may open a period early; a
 * request that fits but that the policy leaves out, ten times a second. Other processes and llim_acquire() do not queue:
 * fairness is among those that wait in one process. Nothing runs in the background.
 *
 * Nobody is admitted after its deadline. Who is refused for longer than that is told so at once if the refusal is by a cooldown
 * or a limit on requests, of every model, since neither settling nor rejecting gives those back; else it waits until then. */
typedef struct llim_wait_options {
    uint32_t size;           /* sizeof(llim_wait_options) */
    int32_t priority;        /* any; higher goes first */
    int64_t timeout_ns;      /* the deadline, from the call on; 0: none */
    void (*wake)(void *ctx); /* llim_wait_begin() only: it is worth polling now; see there. May be NULL */
    void *wake_ctx;
} llim_wait_options;

/* llim_acquire() that waits: blocks the calling thread until the request is admitted or cannot be before its deadline. Where
   nobody waits and it fits, it costs what llim_acquire() does. options may be NULL.
   LLIM_OK. LLIM_LATER: the deadline has passed or will; *refusal is the last one, by LLIM_BY_QUEUE if the request would fit
   but others come first. LLIM_NEVER and errors of llim_acquire() at once, but for LLIM_EBUSY on a real clock, which is asked
   again ten times a second until the deadline. LLIM_ERANGE (timeout_ns), LLIM_EVERSION. Unless
   LLIM_OK *permit is as it was, or has ended. A thread that waits is not to be ended by pthread_cancel(). */
LLIM_API int llim_wait(llim_limiter *limiter, const llim_request *request, const llim_wait_options *options,
                       llim_permit *permit, llim_refusal *refusal, llim_error *err);

/* The same for event loops, which never block: a waiter stands in the queue from llim_wait_begin() until a poll decides or
   llim_wait_end() takes it out. */
typedef struct llim_waiter llim_waiter;

/* Puts a request into the queue, to be polled at once. The request and all that it points to are borrowed until
   llim_wait_end(), which has to come before llim_close(); a waiter belongs to one thread at a time.
   wake is called, at most once between two polls, when its turn has come or it may fit earlier than the last poll said: by
   whatever thread gives back, sets the clock, polls or ends, perhaps by the waiter's own within such a call. It runs under the
   queue's lock, so it passes the news on and calls nothing of this library: uv_async_send(), a write to an eventfd or pipe, a
   flag of a loop that has but one thread. It is not called for the instants that polls have told: those are the loop's timer.
   Without it, poll at those instants, after giving something back, after another waiter was decided or ended, and after a reload. A waiter
   whose deadline has passed stands in the queue until it is polled or ended.
   LLIM_OK; LLIM_ENOMEM; what is wrong with the request's names, LLIM_EINVAL, LLIM_ERANGE, LLIM_EVERSION; *waiter is then NULL. */
LLIM_API int llim_wait_begin(llim_limiter *limiter, const llim_request *request, const llim_wait_options *options,
                             llim_waiter **waiter, llim_error *err);

/* LLIM_WAITING: not yet; *at_ns (may be NULL) is the instant of the zone's steady clock at which to poll again at the latest,
   perhaps now. All else is the end, as of llim_wait(); the waiter is then out of the queue, and further polls are
   LLIM_EENDED. */
LLIM_API int llim_wait_poll(llim_waiter *waiter, llim_permit *permit, llim_refusal *refusal, int64_t *at_ns,
                            llim_error *err);

/* Ends a waiter, whether or not it was decided; NULL is allowed. wake is not called any more once this has returned. */
LLIM_API void llim_wait_end(llim_waiter *waiter);

/* Ends a permit of llim_acquire() by what the provider answered, and cools what the answer says. response is read by
   llim_classify(), as an answer of the model's provider and of now unless it says otherwise; *answer, if not NULL, is what it
   concluded.
   The permit is rejected if the answer was a refusal, which used nothing; else it is settled by the usage that is told, be it
   of a stream that failed half-way, and what is not told stays as reserved; cost is
   told by the model's price. Then the policy's result hook says who cools, or by the kind of the answer
     rate       cools as long as it says, else by a backoff of 30 to 60 s (a live session's close: 60 to 120 s)
     overload   the same, from 1 to 2 s on
     quota      cools for an hour: the model, or every one of its provider if the credential has nothing left
     auth       cools for a minute, likewise
     others     cool nobody
   and a limit that names a family cools all models whose names begin with it. A backoff doubles with each refusal, up to
   10 min, an overload's up to 1 min; one refusal is forgotten with each minute that the model does not cool, and all by a call that
   succeeds. The caller goes on by llim_acquire(), with
   fewer models or the same, as the answer suggests: what is too_large is not asked again of this model.
   LLIM_OK. LLIM_EENDED: the permit had ended before, or a lease of it. LLIM_EINVAL: its row is no model's; then, and where
   llim_classify() fails, nothing has changed. Any thread. */
LLIM_API int llim_answered(llim_limiter *limiter, llim_permit *permit, const llim_response *response,
                           llim_answer *answer);

/* What llim_acquire() would say now, charging nothing. *candidate is the model that would be admitted; may be NULL. */
LLIM_API int llim_available(llim_limiter *limiter, const llim_request *request, uint32_t *candidate,
                            llim_refusal *refusal, llim_error *err);

/* Finds a model by any of its names: LLIM_OK, LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA. */
LLIM_API int llim_model(llim_limiter *limiter, const char *name, llim_model_info *info, llim_error *err);

/* The models of the tier in force, sorted by name: LLIM_ENOTFOUND when index is past the last. */
LLIM_API int llim_model_at(llim_limiter *limiter, uint32_t index, llim_model_info *info);

/* The row of a scope that the overrides name ("team:acme", or "team:*" for any of its kind), made at first use, and given other
   limits at the first use after a reload that has them. A row that the caller made by llim_row_set() is found and left as it is.
   Scopes without limits: LLIM_ENOTFOUND. LLIM_EFULL. */
LLIM_API int llim_scope(llim_limiter *limiter, const char *scope, llim_row *row, llim_error *err);

#ifdef __cplusplus
}
#endif
#endif
