/* actor.c - see stage.h. */
#include "stage.h"

#include <string.h>

/* Charges every meter of the play: mostly a little, now and then a whole limit. */
static llim_charge some_charge(scene *s)
{
    llim_charge charge = {{0}};
    for (unsigned i = 0; i < s->play->n_limits; i++) {
        const llim_limit *limit = &s->play->limit[i];
        int64_t most = kit_between(&s->rng, 0, 3) ? limit->amount / 2 : limit->amount;
        charge.amount[limit->meter] = kit_between(&s->rng, 0, 9) ? kit_between(&s->rng, 1, most) : 0;
    }
    return charge;
}

/* The scopes that a call is about, as bits, and their handles; where scopes come and go, now and then old ones. */
static unsigned some_rows(scene *s, llim_row rows[SCENE_ROWS], uint32_t *n)
{
    const unsigned all = s->play->n_rows;
    unsigned asked = 0, first = (unsigned)kit_between(&s->rng, 0, all - 1);
    unsigned wanted = first + 1 == all || kit_between(&s->rng, 0, 1) ? 1 : 2;
    *n = 0;
    for (unsigned r = first; r < first + wanted; r++) {
        bool old = s->play->places && s->older[r].index && kit_between(&s->rng, 0, 3) == 0;
        rows[*n] = old ? s->older[r] : s->row[r];
        if (*n && rows[0].index == rows[1].index) break; /* one of them was recycled */
        ++*n;
        asked |= 1u << r;
    }
    return asked;
}

static unsigned some_row(scene *s)
{
    return (unsigned)kit_between(&s->rng, 0, s->play->n_rows - 1);
}

/* Whether the scope that a refusal names was asked. */
static bool names(const llim_refusal *refusal, unsigned asked)
{
    unsigned scope = (unsigned)(refusal->scope[0] - 'a');
    return scope < SCENE_ROWS && asked & 1u << scope;
}

static void check_verdict(const scene *s, int code, const llim_refusal *refusal, unsigned asked)
{
    switch (code) {
    case LLIM_OK:
    case LLIM_EFULL:
        return;
    case LLIM_ENOTFOUND:
        if (!s->play->places) sim_wrong("a row is gone");
        return;
    case LLIM_LATER:
    case LLIM_NEVER:
        if (!names(refusal, asked)) sim_wrong("a refusal by %s, which was not asked", refusal->scope);
        if (code == LLIM_LATER && refusal->wait_ns <= 0)
            sim_wrong("a refusal with a wait of %lld ns", (long long)refusal->wait_ns);
        return;
    default:
        sim_wrong("admit says %s", llim_code_name(code));
    }
}

void actor_admit(actor *a)
{
    scene *s = a->scene;
    llim_charge charge = some_charge(s);
    llim_row rows[SCENE_ROWS];
    uint32_t n;
    unsigned asked = some_rows(s, rows, &n);
    int64_t cooled = 0;
    held *h = &a->held[a->n];
    a->began = ++s->events;
    for (unsigned r = 0; r < s->play->n_rows; r++)
        if (asked & 1u << r && s->cooled[r] > cooled) cooled = s->cooled[r];
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        h->entry[i] = asked & 1u << b->row ? book_open(b, charge.amount[b->limit.meter]) : NULL;
        a->highest[i] = b->highest;
        a->sure[i] = !b->closed;
    }
    a->charge = charge;
    memcpy(a->row, rows, sizeof rows);
    a->n_rows = n;
    a->told = false;
    a->deciding = true;
    llim_refusal refusal;
    int code = llim_admit(s->world.zone, rows, n, &charge, &h->permit, &refusal);
    a->deciding = false;
    a->refused = code == LLIM_LATER;
    uint64_t known = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        entry *e = h->entry[i];
        if (!e) continue;
        if (code == LLIM_OK)
            book_done(&s->book[i], e, h->permit.at_ns, h->permit.wall_ns, a->sure[i] ? e->most : 0, known);
        else
            e->done = sim_clock();
        if (code != LLIM_OK && s->play->still)
            e->most = 0; /* else it may be taken out of more closings than it was in */
    }
    for (unsigned i = 0; code == LLIM_OK && i < s->n_books; i++)
        if (h->entry[i]) book_check(&s->book[i], h->entry[i], a->began, a->highest[i]);
    check_verdict(s, code, &refusal, asked);
    if (code == LLIM_OK && sim_clock() < cooled)
        sim_wrong("admitted before %lld, cools until %lld", (long long)sim_clock(), (long long)cooled);
    if (code == LLIM_OK) a->n++;
    for (unsigned r = 0; code == LLIM_ENOTFOUND && r < s->play->n_rows; r++)
        if (asked & 1u << r) writer_place(s, r);
}

enum how { SETTLE, REJECT, CANCEL };

static int64_t becomes(enum how how, const llim_limit *limit, int64_t before, const llim_charge *facts)
{
    if (how == CANCEL || limit->law == LLIM_GAUGE) return 0;
    if (limit->meter == LLIM_REQUESTS) return before;
    if (how == REJECT) return 0;
    return limit->charged == LLIM_CHARGED_RESERVED ? before : facts->amount[limit->meter];
}

static void end(actor *a)
{
    scene *s = a->scene;
    unsigned which = (unsigned)kit_between(&s->rng, 0, a->n - 1);
    held h = a->held[which];
    a->held[which] = a->held[--a->n];
    enum how how = (enum how)kit_between(&s->rng, SETTLE, CANCEL);
    llim_charge facts = h.permit.charge;
    for (int m = 0; m < LLIM_METERS; m++)
        if (facts.amount[m]) facts.amount[m] = kit_between(&s->rng, 0, facts.amount[m] * (s->play->debts ? 2 : 1));
    entry *debt[SCENE_BOOKS] = {NULL};
    int64_t before[SCENE_BOOKS] = {0};
    for (unsigned i = 0; i < s->n_books; i++) {
        entry *e = h.entry[i];
        if (!e) continue;
        before[i] = e->amount;
        int64_t now = becomes(how, &s->book[i].limit, e->most, &facts);
        if (now > e->most)
            debt[i] = book_open(&s->book[i], now - e->most);
        else if (now < e->amount)
            e->amount = now;
    }
    sim_call();
    int code = how == SETTLE   ? llim_settle(s->world.zone, &h.permit, &facts)
               : how == REJECT ? llim_reject(s->world.zone, &h.permit)
                               : llim_cancel(s->world.zone, &h.permit);
    uint64_t known = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        entry *e = debt[i];
        if (code == LLIM_EENDED && h.entry[i] && b->limit.law != LLIM_GAUGE) h.entry[i]->amount = before[i];
        if (e && code == LLIM_EENDED) e->most = 0;
        if (!e || code != LLIM_OK) continue;
        bool calendar = b->limit.law == LLIM_CALENDAR, stays = !s->play->comes_and_goes[b->place];
        e->debt = true;
        book_done(b, e, calendar ? h.entry[i]->at : sim_read(), h.entry[i]->wall, stays ? e->most : 0, known);
        e->may_opened = INT64_MAX; /* it is in the period of its charge, not in the newest */
    }
}

static void renew(actor *a)
{
    scene *s = a->scene;
    held *h = &a->held[kit_between(&s->rng, 0, a->n - 1)];
    sim_call();
    if (llim_renew(s->world.zone, &h->permit) != LLIM_OK) return;
    for (unsigned i = 0; i < s->n_books; i++)
        if (h->entry[i] && s->book[i].limit.law == LLIM_GAUGE &&
            sim_read() + s->book[i].limit.window_ns > h->entry[i]->expires)
            h->entry[i]->expires = sim_read() + s->book[i].limit.window_ns;
}

/* What is recorded counts from the return on; of one scope, so that a scope that is gone means nothing was charged. */
static void record(scene *s)
{
    llim_charge facts = some_charge(s);
    unsigned r = some_row(s);
    entry *debt[SCENE_BOOKS] = {NULL};
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        if (b->row == r && b->limit.law != LLIM_GAUGE) debt[i] = book_open(b, facts.amount[b->limit.meter]);
    }
    sim_call();
    int code = llim_record(s->world.zone, &s->row[r], 1, &facts);
    uint64_t known = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        entry *e = debt[i];
        if (!e) continue;
        e->debt = true;
        if (code == LLIM_OK)
            book_done(&s->book[i], e, sim_read(), sim_read_wall(), e->most, known);
        else
            e->most = 0;
    }
    if (code != LLIM_OK && !(code == LLIM_ENOTFOUND && s->play->places))
        sim_wrong("record says %s", llim_code_name(code));
}

static void cool(scene *s)
{
    unsigned r = some_row(s);
    int64_t for_ns = kit_between(&s->rng, 0, 2) ? kit_between(&s->rng, 0, KIT_MINUTE / 4) : 0;
    sim_call();
    int code = llim_cool(s->world.zone, s->row[r], for_ns);
    if (code == LLIM_OK && sim_read() + for_ns > s->cooled[r]) s->cooled[r] = sim_read() + for_ns;
    if (code != LLIM_OK && !(code == LLIM_ENOTFOUND && s->play->places))
        sim_wrong("cool says %s", llim_code_name(code));
}

/* Who looks at a row sees everything that had returned before. */
static void watch(scene *s)
{
    unsigned r = some_row(s);
    llim_usage usage[SCENE_LIMITS];
    uint32_t n;
    uint64_t began = ++s->events;
    int64_t cooled = s->cooled[r], left;
    int code = llim_row_usage(s->world.zone, s->row[r], usage, SCENE_LIMITS, &n);
    for (unsigned i = 0; code == LLIM_OK && i < s->n_books; i++) {
        const book *b = &s->book[i];
        if (b->row != r || b->closed || !b->exact) continue;
        const llim_usage *u = stage_usage(b, usage, n);
        int64_t least = book_least(b, began);
        /* While a writer is at work, a limit is shown as full; where publishers stand, as in debt. */
        if (u && u->used < least && u->used < u->limit.amount)
            sim_wrong("%s: %lld are shown as used, %lld are", llim_law_name(b->limit.law), (long long)u->used,
                      (long long)least);
    }
    if (llim_cooling(s->world.zone, s->row[r], &left) == LLIM_OK && left < cooled - sim_clock())
        sim_wrong("cools for %lld ns more, not for %lld", (long long)left, (long long)(cooled - sim_clock()));
}

void actor_act(actor *a)
{
    scene *s = a->scene;
    const play *p = s->play;
    bool gauge = p->limit[0].law == LLIM_GAUGE;
    if (p->places && kit_between(&s->rng, 0, 3) == 0) {
        unsigned r = some_row(s);
        if (kit_between(&s->rng, 0, 1) || writer_find(s, r) != LLIM_OK) writer_place(s, r);
    } else if (p->cools && kit_between(&s->rng, 0, 5) == 0) {
        cool(s);
    } else if (p->records && kit_between(&s->rng, 0, 3) == 0) {
        record(s);
    } else if (kit_between(&s->rng, 0, 7) == 0) {
        watch(s);
    } else if (a->n == STAGE_HELD || (a->n && kit_between(&s->rng, 0, 9) < 4)) {
        if (gauge && kit_between(&s->rng, 0, 2))
            renew(a);
        else
            end(a);
    } else {
        actor_admit(a);
    }
}
