/*
 * wait.c - waiting for room: who is asked when, and who sleeps.
 *
 * Everybody who waits stands in one queue, by priority and then as they came. One is before another if it stands ahead of it
 * and both are charged to a row, of a model or a scope, whichever model they get. Who has nobody before it has its turn: it asks the engine, and if it is refused
 * it sleeps until the refusal's instant. All others sleep until they get their turn, so that what a large request waits for is
 * not taken by small ones behind it.
 *
 * No lock is held while somebody asks. What is given back meanwhile is not missed: the zone is listened to from before the first
 * one asks, and what it tells is noted under the lock as a call to everybody whose turn it is. Who was called since it last
 * began to ask asks again instead of sleeping.
 */
#include "host/wait.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "host/ask.h"

/* How long a refusal is believed where the clock is real: the wall clock may be set, which may open a period early. */
static const int64_t believed = LLIM_SECOND;

/* When it is asked for again where nobody tells what for: the policy leaves out what fits, or another process stands in the
   middle of a change to the zone. */
static const int64_t some_pause = LLIM_SECOND / 10;

enum { LLIM__MOST_ROWS = 2 * LLIM__MOST_MODELS }; /* by which it queues; what is beyond does not order it */

struct llim_waiter {
    llim_waiter *next, *previous;
    llim_waiter *before; /* one of those before it; NULL: it has its turn */
    llim_limiter *limiter;
    const llim_request *request;
    uint64_t serial; /* see llim__acquire() */
    bool queued;
    bool known;          /* it was asked for once: it is no error, and not never */
    bool called;         /* since it was last looked at */
    int64_t deadline_ns; /* steady, INT64_MAX: none */
    llim_wait_options options;
    pthread_cond_t *sleeps; /* of a thread that waits in llim_wait(), else NULL */
    uint32_t n_rows;
    uint32_t set;                  /* the serial of the set by which they were found; 0: not all were, ask again */
    llim_row row[LLIM__MOST_ROWS]; /* of its models and scopes */
};

static int64_t now_of(const llim_waiter *w)
{
    int64_t steady;
    llim_zone_now(w->limiter->zone, &steady, NULL);
    return steady;
}

static int64_t later(int64_t at, int64_t ns)
{
    return at > INT64_MAX - ns ? INT64_MAX : at + ns;
}

static bool compete(const llim_waiter *a, const llim_waiter *b)
{
    for (uint32_t i = 0; i < a->n_rows; i++)
        for (uint32_t k = 0; k < b->n_rows; k++)
            if (a->row[i].index == b->row[k].index && a->row[i].epoch == b->row[k].epoch) return true;
    return false;
}

/* Under the lock, as all below that have a queue's lock in their hands. */
static void call(llim_waiter *w)
{
    if (w->called) return;
    w->called = true;
    if (w->sleeps)
        pthread_cond_signal(w->sleeps);
    else if (w->options.wake)
        w->options.wake(w->options.wake_ctx);
}

static void set_before(llim_waiter *w, llim_waiter *before)
{
    llim__queue *q = &w->limiter->queue;
    q->turns += !before;
    q->turns -= !w->before;
    w->before = before;
}

/* The first of the queue that is before it. One whose deadline has passed is not: it may never be polled again. */
static llim_waiter *find_before(const llim_waiter *w)
{
    const int64_t now = now_of(w);
    llim_waiter *ahead = w->limiter->queue.first;
    while (ahead != w && (ahead->deadline_ns < now || !compete(ahead, w))) ahead = ahead->next;
    return ahead == w ? NULL : ahead;
}

static bool has_row(const llim_waiter *w, llim_row row)
{
    for (uint32_t i = 0; i < w->n_rows; i++)
        if (w->row[i].index == row.index && w->row[i].epoch == row.epoch) return true;
    return false;
}

static void enter(llim_waiter *w)
{
    llim__queue *q = &w->limiter->queue;
    llim_waiter *ahead = NULL, *behind = q->first;
    for (; behind && behind->options.priority >= w->options.priority; behind = behind->next) ahead = behind;
    w->previous = ahead;
    w->next = behind;
    *(ahead ? &ahead->next : &q->first) = w;
    if (behind) behind->previous = w;
    w->queued = true;
    q->turns++;
    set_before(w, find_before(w));
    for (; behind; behind = behind->next) /* a higher priority takes their turn */
        if (!behind->before && compete(w, behind)) set_before(behind, w);
    at_store_rlx(&q->n, at_load_rlx(&q->n) + 1);
    if (!w->previous && !w->next) llim_zone_listen(w->limiter->zone, &q->listener);
}

static void leave(llim_waiter *w)
{
    llim__queue *q = &w->limiter->queue;
    if (!w->queued) return;
    set_before(w, w); /* not counted among the turns any more */
    *(w->previous ? &w->previous->next : &q->first) = w->next;
    if (w->next) w->next->previous = w->previous;
    w->queued = false;
    at_store_rlx(&q->n, at_load_rlx(&q->n) - 1);
    if (!q->first) llim_zone_listen(w->limiter->zone, NULL);
    for (llim_waiter *behind = w->next; behind; behind = behind->next) {
        if (behind->before != w) continue;
        set_before(behind, find_before(behind));
        if (!behind->before) call(behind);
    }
}

/* The zone has told that a request may fit earlier, or that its clock was set. */
static void freed(void *ctx)
{
    llim_limiter *limiter = ctx;
    llim__queue *q = &limiter->queue;
    int64_t now;
    llim_zone_now(limiter->zone, &now, NULL);
    pthread_mutex_lock(&q->lock);
    uint32_t turns = q->turns;
    for (llim_waiter *w = q->first; w && (turns || q->is_virtual); w = w->next) {
        turns -= !w->before;
        if (!w->before || (q->is_virtual && w->deadline_ns < now)) call(w);
    }
    pthread_mutex_unlock(&q->lock);
}

/* It would be admitted, but it is not its turn, or the turn came too late. */
static llim_refusal outrun(const llim_waiter *w, uint32_t candidate)
{
    llim_refusal refusal;
    llim_model_info info;
    memset(&refusal, 0, sizeof refusal);
    refusal.code = LLIM_LATER;
    refusal.reason = LLIM_BY_QUEUE;
    refusal.candidate = candidate;
    llim_zone_now(w->limiter->zone, &refusal.at_ns, &refusal.at_wall_ns);
    if (llim_model(w->limiter, w->request->models[candidate], &info, NULL) == LLIM_OK)
        snprintf(refusal.scope, sizeof refusal.scope, "%s", info.name);
    return refusal;
}

/* Asks for the waiter, or, where it is not its turn or too late, only what the engine would say. */
static int ask(llim_waiter *w, bool turn, llim_permit *permit, llim_refusal *refusal, llim_error *err)
{
    uint32_t candidate = 0;
    int code = turn ? llim__acquire(w->limiter, w->request, &w->serial, permit, refusal, err)
                    : llim_available(w->limiter, w->request, &candidate, refusal, err);
    if (code != LLIM_OK) return code;
    if (turn && permit->at_ns <= w->deadline_ns) return LLIM_OK;
    if (turn) {
        candidate = permit->candidate;
        llim_cancel(w->limiter->zone, permit);
    }
    *refusal = outrun(w, candidate);
    return LLIM_LATER;
}

/* Whether nothing but an llim_cancel() makes it fit before the deadline. */
static bool is_final(const llim_waiter *w, const llim_refusal *r)
{
    return r->at_ns > w->deadline_ns &&
           (r->reason == LLIM_BY_COOLDOWN ||
            (r->reason == LLIM_BY_LIMIT && r->meter == LLIM_REQUESTS && r->law != LLIM_GAUGE));
}

/* The same for the whole list, of which the refusal is the earliest. */
static bool is_hopeless(const llim_waiter *w, const llim_refusal *refusal)
{
    if (!is_final(w, refusal)) return false;
    llim_request one = *w->request;
    one.n_models = 1;
    for (uint32_t i = 0; w->request->n_models > 1 && i < w->request->n_models; i++) {
        llim_refusal r;
        one.models = &w->request->models[i];
        int code = llim_available(w->limiter, &one, NULL, &r, NULL);
        if (code != LLIM_NEVER && (code != LLIM_LATER || !is_final(w, &r))) return false;
    }
    return true;
}

/* Whether another process is at work on what it would be charged to. A virtual clock does not go on meanwhile. */
static bool is_busy(const llim_waiter *w, int code)
{
    return code == LLIM_EBUSY && !w->limiter->queue.is_virtual;
}

/* When who was refused asks again, if nobody calls it earlier. */
static int64_t again(const llim_waiter *w, bool busy, const llim_refusal *refusal)
{
    const int64_t now = now_of(w);
    int64_t at = busy || refusal->reason == LLIM_BY_POLICY ? later(now, some_pause) : refusal->at_ns;
    if (!w->limiter->queue.is_virtual && at > later(now, believed)) at = later(now, believed);
    const int64_t over = later(w->deadline_ns, 1);
    return at < over ? at : over;
}

/* The rows of its models and scopes; of those that have some, if not all do. Scripts that are not asked for a while tell them
   later, and so does a zone in which another process stands. */
static int find_rows(const llim_waiter *w, llim_row *row, uint32_t *n, uint32_t *serial, llim_error *err)
{
    *serial = at_load_acq(&w->limiter->serial);
    const bool rests = llim__limiter_rests(w->limiter);
    int code = llim__ask_rows(w->limiter, w->request, row, LLIM__MOST_ROWS, n, err);
    if (rests || llim__limiter_rests(w->limiter) || is_busy(w, code)) *serial = 0;
    return is_busy(w, code) ? LLIM_OK : code;
}

/* Another set is in force, or scripts tell again: it may be charged to other rows by now, and so be before others than it was.
   The lock is not held while scripts tell. */
static void renew(llim_waiter *w)
{
    llim__queue *q = &w->limiter->queue;
    llim_row row[LLIM__MOST_ROWS];
    uint32_t n, serial;
    pthread_mutex_unlock(&q->lock);
    find_rows(w, row, &n, &serial, NULL);
    pthread_mutex_lock(&q->lock);
    w->set = serial;
    w->known = false;
    bool same = n == w->n_rows;
    for (uint32_t i = 0; i < n && same; i++) same = has_row(w, row[i]);
    if (same) return;
    memcpy(w->row, row, n * sizeof *row);
    w->n_rows = n;
    set_before(w, find_before(w));
    for (llim_waiter *behind = w->next; behind; behind = behind->next) {
        const bool competes = compete(w, behind);
        if (!behind->before && competes) set_before(behind, w);
        if (behind->before != w || competes) continue;
        set_before(behind, find_before(behind));
        if (!behind->before) call(behind);
    }
}

/* One look at a waiter: LLIM_WAITING, with the instant of the next one at the latest, or the end of its waiting. The lock is
   held before and after, but not while it asks. */
static int look(llim_waiter *w, llim_permit *permit, llim_refusal *refusal, int64_t *at_ns, llim_error *err)
{
    llim__queue *q = &w->limiter->queue;
    if (w->set != at_load_acq(&w->limiter->serial)) renew(w);
    const int64_t now = now_of(w);
    if (w->before && w->before->deadline_ns < now) set_before(w, find_before(w));
    const bool turn = !w->before, over = now > w->deadline_ns;
    w->called = false;
    *at_ns = later(w->deadline_ns, 1);
    if (!turn && !over && w->known) return LLIM_WAITING;
    pthread_mutex_unlock(&q->lock);
    int code = ask(w, turn && !over, permit, refusal, err);
    const bool busy = is_busy(w, code), ends = over || (!busy && (code != LLIM_LATER || is_hopeless(w, refusal)));
    if (!ends && turn) *at_ns = again(w, busy, refusal);
    pthread_mutex_lock(&q->lock);
    w->known = true;
    if (!ends && now_of(w) <= w->deadline_ns) return LLIM_WAITING;
    leave(w);
    return code;
}

static int prepare(llim_waiter *w, llim_limiter *limiter, const llim_request *request, const llim_wait_options *options,
                   llim_error *err)
{
    memset(w, 0, offsetof(llim_waiter, row));
    w->options.size = sizeof w->options;
    if (options) w->options = *options;
    if (w->options.size != sizeof w->options)
        return llim__fail(err, LLIM_EVERSION, "llim_wait_options.size is %u, this library expects %zu", w->options.size,
                          sizeof w->options);
    if (w->options.timeout_ns < 0)
        return llim__fail(err, LLIM_ERANGE, "timeout_ns is %lld, expected 0 or more", (long long)w->options.timeout_ns);
    w->limiter = limiter;
    w->request = request;
    w->deadline_ns = w->options.timeout_ns ? later(now_of(w), w->options.timeout_ns) : INT64_MAX;
    return LLIM_OK;
}

/* Until it is called or that instant has come. Of a virtual clock the zone tells; a real one may be ahead of CLOCK_MONOTONIC. */
static void sleep_until(llim_waiter *w, int64_t at_ns)
{
    llim__queue *q = &w->limiter->queue;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    const int64_t monotonic = (int64_t)at.tv_sec * LLIM_SECOND + at.tv_nsec;
    int64_t until;
    if (__builtin_add_overflow(at_ns - now_of(w), monotonic, &until)) until = INT64_MAX;
    at = (struct timespec){until / LLIM_SECOND, until % LLIM_SECOND};
    while (!w->called && now_of(w) < at_ns) {
        if (q->is_virtual)
            pthread_cond_wait(w->sleeps, &q->lock);
        else
            pthread_cond_timedwait(w->sleeps, &q->lock, &at);
    }
}

static int wait_in_queue(llim_waiter *w, llim_permit *permit, llim_refusal *refusal, llim_error *err)
{
    pthread_cond_t sleeps;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sleeps, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->sleeps = &sleeps;
    pthread_mutex_lock(&w->limiter->queue.lock);
    enter(w);
    int code;
    int64_t at_ns;
    while ((code = look(w, permit, refusal, &at_ns, err)) == LLIM_WAITING) sleep_until(w, at_ns);
    pthread_mutex_unlock(&w->limiter->queue.lock);
    pthread_cond_destroy(&sleeps);
    return code;
}

int llim_wait(llim_limiter *limiter, const llim_request *request, const llim_wait_options *options, llim_permit *permit,
              llim_refusal *refusal, llim_error *err)
{
    llim_waiter w;
    llim_refusal mine;
    if (!permit) return llim__fail(err, LLIM_EINVAL, "llim_wait() needs a permit to fill");
    int code = prepare(&w, limiter, request, options, err);
    if (code) return code;
    if (!refusal) refusal = &mine;
    /* Where nobody waits nobody is overtaken, and no lock is taken. */
    code = at_load_rlx(&limiter->queue.n) ? LLIM_LATER : ask(&w, true, permit, refusal, err);
    if (code != LLIM_LATER && !is_busy(&w, code)) return code;
    code = find_rows(&w, w.row, &w.n_rows, &w.set, err);
    return code ? code : wait_in_queue(&w, permit, refusal, err);
}

int llim_wait_begin(llim_limiter *limiter, const llim_request *request, const llim_wait_options *options,
                    llim_waiter **waiter, llim_error *err)
{
    *waiter = NULL;
    llim_waiter *w = limiter->alloc(limiter->alloc_ctx, NULL, 0, sizeof *w);
    if (!w) return llim__fail(err, LLIM_ENOMEM, "no memory for a waiter");
    int code = prepare(w, limiter, request, options, err);
    if (!code) code = find_rows(w, w->row, &w->n_rows, &w->set, err);
    if (code) {
        limiter->alloc(limiter->alloc_ctx, w, sizeof *w, 0);
        return code;
    }
    pthread_mutex_lock(&limiter->queue.lock);
    enter(w);
    pthread_mutex_unlock(&limiter->queue.lock);
    *waiter = w;
    return LLIM_OK;
}

int llim_wait_poll(llim_waiter *w, llim_permit *permit, llim_refusal *refusal, int64_t *at_ns, llim_error *err)
{
    llim_refusal mine;
    int64_t ignored;
    if (!permit) return llim__fail(err, LLIM_EINVAL, "llim_wait_poll() needs a permit to fill");
    llim__queue *q = &w->limiter->queue;
    pthread_mutex_lock(&q->lock);
    int code = w->queued ? look(w, permit, refusal ? refusal : &mine, at_ns ? at_ns : &ignored, err) : LLIM_EENDED;
    pthread_mutex_unlock(&q->lock);
    return code == LLIM_EENDED ? llim__fail(err, code, "the waiting has ended before") : code;
}

void llim_wait_end(llim_waiter *w)
{
    if (!w) return;
    llim_limiter *limiter = w->limiter;
    pthread_mutex_lock(&limiter->queue.lock);
    leave(w);
    pthread_mutex_unlock(&limiter->queue.lock);
    limiter->alloc(limiter->alloc_ctx, w, sizeof *w, 0);
}

void llim__queue_init(llim_limiter *limiter, bool is_virtual)
{
    limiter->queue.is_virtual = is_virtual;
    limiter->queue.listener = (llim_listener){freed, limiter};
    pthread_mutex_init(&limiter->queue.lock, NULL);
}

void llim__queue_destroy(llim_limiter *limiter)
{
    pthread_mutex_destroy(&limiter->queue.lock);
}

/* The rows that its models have now come to those that it had: all that can be told without asking scripts, and without any
   other lock. By whoever has put the set in force. */
static void add_models(llim_waiter *w)
{
    const llim__set *set = w->limiter->set;
    for (uint32_t i = 0; i < w->request->n_models && w->n_rows < LLIM__MOST_ROWS; i++) {
        const uint32_t model = llim__names_find(&set->names, w->request->models[i]);
        if (model != UINT32_MAX && !has_row(w, set->models[model].row)) w->row[w->n_rows++] = set->models[model].row;
    }
}

/* Everybody asks again, for it may fit, or not be known any more; until then nobody overtakes it by the new rows. */
void llim__queue_renew(llim_limiter *limiter)
{
    llim__queue *q = &limiter->queue;
    pthread_mutex_lock(&q->lock);
    for (llim_waiter *w = q->first; w; w = w->next) add_models(w);
    for (llim_waiter *w = q->first; w; w = w->next) set_before(w, find_before(w));
    for (llim_waiter *w = q->first; w; w = w->next) call(w);
    pthread_mutex_unlock(&q->lock);
}
