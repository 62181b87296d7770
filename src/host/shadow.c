/*
 * shadow.c - a candidate beside the quotas and the policy in force: it decides what they decide, and its differences are counted.
 *
 * A shadow is a limiter of its own, so that whatever the candidate counts is counted there. After each decision the same
 * request is put to it. If both admit it, the real permit gets a serial number, and the shadow's own is kept under it in a ring
 * of the last calls, until the zone tells how the real one has ended: the shadow's then ends alike. One that nobody ends, that
 * the ring has no room for any more, or that has no real counterpart, stands as its estimate. The candidate has no effect on
 * anything but the report: it decides after the real decision, under no lock of the limiter's but one that only opening and
 * closing a shadow ever waits for.
 */
#include "host/shadow.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "host/answered.h"
#include "host/limiter.h"

enum { CALLS = 4096 }; /* a power of two */

#define SAME_WAIT (LLIM_SECOND / 1000)

/* A call that both admitted. */
typedef struct mirrored {
    uint64_t serial;    /* 0: none yet */
    llim_permit permit; /* the shadow's */
} mirrored;

struct llim__shadow {
    llim_limiter *limiter; /* of the candidate */
    uint64_t first;        /* serials from here on are this shadow's */
    pthread_mutex_t lock;  /* of what follows */
    llim_shadow_report report;
    mirrored calls[CALLS]; /* by serial */
};

/* The shadow, to be left again; NULL: there is none. */
static llim__shadow *enter(llim_limiter *limiter)
{
    pthread_rwlock_rdlock(&limiter->shadows.lock);
    llim__shadow *s = at_load_rlx(&limiter->shadows.open);
    if (!s) pthread_rwlock_unlock(&limiter->shadows.lock);
    return s;
}

static void leave(llim_limiter *limiter)
{
    pthread_rwlock_unlock(&limiter->shadows.lock);
}

/* The shadow's permit of a call. False: it has none, or not any more. */
static bool find(llim__shadow *s, uint64_t serial, bool ends, llim_permit *permit)
{
    mirrored *call = &s->calls[serial % CALLS];
    bool found = false;
    if (serial < s->first) return false;
    pthread_mutex_lock(&s->lock);
    if (call->serial == serial) {
        *permit = call->permit;
        found = permit->n_rows > 0;
        if (ends) call->permit.n_rows = 0;
    } else if (ends) {
        s->report.lost++;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void ended(void *ctx, uint64_t serial, enum llim__end end, const llim_charge *facts)
{
    llim_limiter *limiter = ctx;
    llim_permit permit;
    llim__shadow *s = enter(limiter);
    if (!s) return;
    if (find(s, serial, end != LLIM__RENEW, &permit)) {
        llim_zone *zone = s->limiter->zone;
        if (end == LLIM__SETTLE) llim_settle(zone, &permit, facts);
        if (end == LLIM__REJECT) llim_reject(zone, &permit);
        if (end == LLIM__CANCEL) llim_cancel(zone, &permit);
        if (end == LLIM__RENEW) llim_renew(zone, &permit);
    }
    leave(limiter);
}

/* Where an earlier step comes late it is refused. */
static void follow_clock(llim_limiter *limiter, llim__shadow *s)
{
    int64_t steady, wall;
    llim_zone_now(limiter->zone, &steady, &wall);
    llim_zone_set_clock(s->limiter->zone, steady, wall);
}

static void moved(void *ctx)
{
    llim_limiter *limiter = ctx;
    llim__shadow *s = enter(limiter);
    if (!s) return;
    follow_clock(limiter, s);
    leave(limiter);
}

void llim__shadow_answered(llim_limiter *limiter, uint64_t serial, llim__outcome *outcome)
{
    llim_permit permit;
    llim__shadow *s = enter(limiter);
    if (!s) return;
    llim__thread *thread = find(s, serial, true, &permit) ? llim__limiter_enter(s->limiter, NULL) : NULL;
    if (thread) llim__answer(thread, &permit, outcome);
    leave(limiter);
}

/* The candidate's row for a scope that the caller charges: with the limits that its overrides give it, or those that the caller
   gave it. LLIM_ENOTFOUND: none, or none that its name as it is kept can tell. */
static int find_scope(llim_limiter *limiter, llim__shadow *s, llim_row row, llim_row *out)
{
    char name[LLIM_SCOPE_SHOWN];
    llim_usage usage[LLIM_MAX_LIMITS];
    llim_limit limits[LLIM_MAX_LIMITS];
    llim__further scope = {.name = name};
    if (!llim__row_name(limiter->zone, row, name)) return LLIM_ENOTFOUND;
    const uint64_t made = at_load_acq(&limiter->scopes[row.index]);
    if ((uint32_t)made == 0 || made >> 32 != row.epoch) { /* not by llim_scope() */
        if (llim_row_usage(limiter->zone, row, usage, LLIM_MAX_LIMITS, &scope.n_limits)) return LLIM_ENOTFOUND;
        for (uint32_t i = 0; i < scope.n_limits; i++) limits[i] = usage[i].limit;
        scope.limits = limits;
    }
    llim__thread *thread = llim__limiter_enter(s->limiter, NULL);
    return thread ? llim__limiter_scope(s->limiter, thread->set, &scope, out, NULL) : LLIM_ENOMEM;
}

static int ask(llim_limiter *limiter, llim__shadow *s, const llim__decision *d, llim_permit *permit,
               llim_refusal *refusal, llim_error *err)
{
    llim_request request = *d->request;
    llim_row scopes[LLIM_MAX_ROWS];
    double chance = d->chance;
    request.scopes = scopes;
    request.n_scopes = 0;
    for (uint32_t i = 0; i < d->request->n_scopes; i++) {
        int code = find_scope(limiter, s, d->request->scopes[i], &scopes[request.n_scopes]);
        if (code == LLIM_OK) request.n_scopes++;
        if (code != LLIM_OK && code != LLIM_ENOTFOUND)
            return llim__fail(err, code, "a scope of the request: %s", llim_code_name(code));
    }
    return llim__decide(s->limiter, &request, &chance, permit, refusal, err);
}

static bool is_unknown(int code)
{
    return code == LLIM_EUNKNOWN_MODEL || code == LLIM_ENO_QUOTA;
}

static bool is_verdict(int code)
{
    return code == LLIM_OK || code == LLIM_LATER || code == LLIM_NEVER || is_unknown(code);
}

/* Whether two names of a request mean one model of the candidate. */
static bool is_same_model(llim__shadow *s, const llim_request *request, uint32_t a, uint32_t b)
{
    llim_model_info x, y;
    return a == b || (llim_model(s->limiter, request->models[a], &x, NULL) == LLIM_OK &&
                      llim_model(s->limiter, request->models[b], &y, NULL) == LLIM_OK && strcmp(x.name, y.name) == 0);
}

static uint64_t *kind_of(llim__shadow *s, const llim__decision *d, int code, const llim_permit *permit,
                         const llim_refusal *refusal)
{
    llim_shadow_report *r = &s->report;
    const int here = d->code;
    if (!is_verdict(code)) return &r->failed;
    if (is_unknown(here) || is_unknown(code))
        return is_unknown(here) && is_unknown(code) ? &r->same : &r->unknown_model;
    if (here == LLIM_OK && code == LLIM_OK)
        return is_same_model(s, d->request, d->permit->candidate, permit->candidate) ? &r->same : &r->other_model;
    if (here == LLIM_OK) return &r->only_here;
    if (code == LLIM_OK) return &r->only_there;
    if (here != code) return &r->never_or_later;
    const int64_t by = refusal->wait_ns - d->refusal->wait_ns;
    return here == LLIM_LATER && (by > SAME_WAIT || by < -SAME_WAIT) ? &r->other_wait : &r->same;
}

void llim__shadow_decide(llim_limiter *limiter, const llim__decision *d)
{
    llim_permit permit;
    llim_refusal refusal;
    uint64_t serial = d->serial ? *d->serial : 0;
    llim__shadow *s = is_verdict(d->code) ? enter(limiter) : NULL;
    if (!s) return;
    if (serial < s->first) { /* else the shadow admitted it when it was refused here */
        llim_error err;
        const int code = ask(limiter, s, d, &permit, &refusal, &err);
        pthread_mutex_lock(&s->lock);
        if (!is_verdict(code)) s->report.failure = err;
        s->report.decisions++;
        ++*kind_of(s, d, code, &permit, &refusal);
        serial = 0;
        if (code == LLIM_OK && (d->code == LLIM_OK || d->serial)) {
            serial = at_add_rlx(&limiter->shadows.serials, 1) + 1;
            s->calls[serial % CALLS] = (mirrored){serial, permit};
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (d->serial) *d->serial = serial;
    if (d->code == LLIM_OK) d->permit->serial = serial;
    leave(limiter);
}

static void close_shadow(llim_limiter *limiter, llim__shadow *s)
{
    if (!s) return;
    llim_close(s->limiter);
    pthread_mutex_destroy(&s->lock);
    llim__give(limiter->alloc, limiter->alloc_ctx, s, 1, sizeof *s);
}

/* The candidate's limiter has the clock and the room of the real one. Its log is the report, lest a callback come back here. */
static int open_shadow(llim_limiter *limiter, const llim_options *candidate, llim__shadow **out, llim_error *err)
{
    llim_options o = *candidate;
    llim_zone_stats has;
    llim_zone_get_stats(limiter->zone, &has);
    o.watch = 0;
    o.log = NULL;
    o.zone = (llim_zone_options){.size = sizeof o.zone,
                                 .clock = limiter->queue.is_virtual ? LLIM_CLOCK_VIRTUAL : LLIM_CLOCK_REAL,
                                 .rows = has.rows,
                                 .sliding = has.sliding,
                                 .leases = has.leases,
                                 .alloc = limiter->alloc,
                                 .alloc_ctx = limiter->alloc_ctx};
    llim_zone_now(limiter->zone, &o.zone.start_ns, &o.zone.start_wall_ns);
    llim__shadow *s = llim__take(limiter->alloc, limiter->alloc_ctx, 1, sizeof *s);
    if (!s) return llim__fail(err, LLIM_ENOMEM, "no memory for a shadow");
    pthread_mutex_init(&s->lock, NULL);
    int code = llim__limiter_open(&o, NULL, limiter->host, &s->limiter, err);
    if (code)
        close_shadow(limiter, s);
    else
        *out = s;
    return code;
}

int llim_shadow(llim_limiter *limiter, const llim_options *candidate, llim_error *err)
{
    llim__shadow *s = NULL;
    if (candidate) {
        int code = llim__options_check(candidate, err);
        if (code) return code;
        if (candidate->modality != limiter->modality)
            return llim__fail(err, LLIM_EINVAL, "modality is %d, but a shadow has that of its limiter, %d",
                              candidate->modality, limiter->modality);
        code = open_shadow(limiter, candidate, &s, err);
        if (code) return code;
    }
    llim__zone_mirror(limiter->zone, &limiter->shadows.mirror);
    pthread_rwlock_wrlock(&limiter->shadows.lock);
    llim__shadow *old = at_load_rlx(&limiter->shadows.open);
    if (s) {
        s->first = at_load_rlx(&limiter->shadows.serials) + 1;
        if (limiter->queue.is_virtual) follow_clock(limiter, s);
    }
    at_store_rlx(&limiter->shadows.open, s);
    pthread_rwlock_unlock(&limiter->shadows.lock);
    close_shadow(limiter, old);
    return LLIM_OK;
}

int llim_get_shadow(llim_limiter *limiter, llim_shadow_report *report)
{
    llim_status status = {.size = sizeof status};
    if (report->size != sizeof *report) return LLIM_EVERSION;
    llim__shadow *s = enter(limiter);
    if (!s) return LLIM_ENOTFOUND;
    pthread_mutex_lock(&s->lock);
    *report = s->report;
    pthread_mutex_unlock(&s->lock);
    llim_get_status(s->limiter, &status);
    leave(limiter);
    report->size = sizeof *report;
    report->hash = status.hash;
    report->faults = status.faults;
    report->fault = status.fault;
    return LLIM_OK;
}

/* Who opens or closes a shadow goes first, so that a stream of decisions does not keep it waiting; none is within another. */
void llim__shadows_init(llim_limiter *limiter)
{
    pthread_rwlockattr_t writers_first;
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&limiter->shadows.lock, &writers_first);
    pthread_rwlockattr_destroy(&writers_first);
    limiter->shadows.mirror = (llim__mirror){ended, moved, limiter};
}

void llim__shadows_end(llim_limiter *limiter)
{
    close_shadow(limiter, at_load_rlx(&limiter->shadows.open));
    pthread_rwlock_destroy(&limiter->shadows.lock);
}
