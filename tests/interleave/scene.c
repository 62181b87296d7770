/* scene.c - see scene.h. */
#include "scene.h"

#include <stdio.h>
#include <string.h>

#include "engine/zone.h"

enum { HELD = 6, RAW = 256 };

typedef struct scene scene;

typedef struct held {
    llim_permit permit;
    entry *entry[SCENE_BOOKS]; /* NULL: not of this book */
} held;

typedef struct actor {
    scene *scene;
    held held[HELD];
    unsigned n;
    int64_t highest[SCENE_BOOKS]; /* that may have been in force during the call */
} actor;

struct scene {
    const play *play;
    kit_world world;
    kit_rng rng;
    llim_row row[SCENE_ROWS];
    book book[SCENE_BOOKS];
    unsigned n_books;
    actor actor[SIM_THREADS];
    uint64_t events;
};

static int64_t wall_of(int64_t steady)
{
    return steady - KIT_START + KIT_WALL;
}

static bool reloads(const play *p)
{
    for (unsigned i = 0; i < p->n_limits; i++)
        if (p->resizes[i] || p->other_window_ns[i] || p->other_law[i] || p->comes_and_goes[i]) return true;
    return false;
}

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

static void admit(actor *a)
{
    scene *s = a->scene;
    llim_charge charge = some_charge(s);
    llim_row rows[SCENE_ROWS];
    unsigned first = (unsigned)kit_between(&s->rng, 0, s->play->n_rows - 1), n = s->play->n_rows - first;
    if (first == 0 && kit_between(&s->rng, 0, 1)) n = 1;
    for (unsigned i = 0; i < n; i++) rows[i] = s->row[first + i];
    held *h = &a->held[a->n];
    uint64_t began = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        bool asked = b->row >= first && b->row < first + n;
        h->entry[i] = asked ? book_open(b, charge.amount[b->limit.meter]) : NULL;
        a->highest[i] = b->highest;
    }
    llim_refusal refusal;
    int code = llim_admit(s->world.zone, rows, n, &charge, &h->permit, &refusal);
    uint64_t known = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        entry *e = h->entry[i];
        if (!e) continue;
        e->known = known;
        e->done = sim_clock();
        if (code != LLIM_OK) {
            if (s->play->still) e->most = 0; /* else it may be taken out of more closings than it was in */
            continue;
        }
        e->at = h->permit.at_ns;
        e->wall = h->permit.wall_ns;
        e->amount = e->most;
        e->expires = e->at + s->book[i].limit.window_ns;
    }
    /* A writer that dies leaves its row full by the limit of that moment, whatever it held. */
    bool forgiven = sim_deaths() && reloads(s->play);
    for (unsigned i = 0; code == LLIM_OK && !forgiven && i < s->n_books; i++)
        if (h->entry[i]) book_check(&s->book[i], h->entry[i], began, a->highest[i]);
    if (code == LLIM_OK)
        a->n++;
    else if (code != LLIM_LATER && code != LLIM_NEVER && code != LLIM_EFULL)
        sim_wrong("admit says %s", llim_code_name(code));
    else if (code != LLIM_EFULL && refusal.code == LLIM_LATER && refusal.wait_ns <= 0)
        sim_wrong("a refusal with a wait of %lld ns", (long long)refusal.wait_ns);
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
        int64_t now = becomes(how, &s->book[i].limit, e->amount, &facts);
        if (now > e->amount)
            debt[i] = book_open(&s->book[i], now - e->amount);
        else
            e->amount = now;
    }
    sim_call();
    int code = how == SETTLE   ? llim_settle(s->world.zone, &h.permit, &facts)
               : how == REJECT ? llim_reject(s->world.zone, &h.permit)
                               : llim_cancel(s->world.zone, &h.permit);
    uint64_t known = ++s->events;
    for (unsigned i = 0; i < s->n_books; i++) {
        entry *e = debt[i];
        if (code == LLIM_EENDED && h.entry[i] && s->book[i].limit.law != LLIM_GAUGE) h.entry[i]->amount = before[i];
        if (e && code == LLIM_EENDED) e->most = 0;
        if (!e || code != LLIM_OK) continue;
        bool calendar = s->book[i].limit.law == LLIM_CALENDAR;
        e->at = calendar ? h.entry[i]->at : sim_read();
        e->wall = calendar ? h.entry[i]->wall : wall_of(e->at);
        e->debt = true;
        e->amount = e->most;
        e->known = known;
        e->done = sim_clock();
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

static void reload(scene *s)
{
    unsigned r = (unsigned)kit_between(&s->rng, 0, s->play->n_rows - 1), n = 0;
    llim_limit limit[3];
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        if (b->row != r) continue;
        llim_limit l = s->play->limit[b->place];
        if (s->play->resizes[b->place]) l.amount = kit_between(&s->rng, 1, 2) * l.amount / kit_between(&s->rng, 1, 2);
        if (s->play->other_window_ns[b->place] && kit_between(&s->rng, 0, 1))
            l.window_ns = s->play->other_window_ns[b->place];
        if (s->play->other_law[b->place] && kit_between(&s->rng, 0, 1)) l.law = s->play->other_law[b->place];
        if (l.amount > b->highest) b->highest = l.amount;
        for (unsigned k = 0; k < SIM_THREADS; k++)
            if (s->actor[k].highest[i] < l.amount) s->actor[k].highest[i] = l.amount;
        b->closed = s->play->comes_and_goes[b->place] && kit_between(&s->rng, 0, 1);
        b->limit.amount = l.amount;
        if (!b->closed) limit[n++] = l;
    }
    char scope[2] = {(char)('a' + r), 0};
    llim_row row;
    int code = kit_try_row(s->world.zone, scope, limit, n, &row);
    if (code != LLIM_OK) sim_wrong("row_set says %s", llim_code_name(code));
    for (unsigned i = 0; i < s->n_books; i++)
        if (s->book[i].row == r) s->book[i].highest = s->book[i].limit.amount;
}

static void act(void *arg)
{
    actor *a = arg;
    scene *s = a->scene;
    bool writer = a == s->actor && reloads(s->play), gauge = s->play->limit[0].law == LLIM_GAUGE;
    for (unsigned i = 0; i < s->play->calls; i++) {
        if (writer)
            reload(s);
        else if (a->n == HELD || (a->n && kit_between(&s->rng, 0, 9) < 4))
            gauge &&kit_between(&s->rng, 0, 2) ? renew(a) : end(a);
        else
            admit(a);
    }
}

static void set_up(scene *s, const play *p, uint64_t seed)
{
    *s = (scene){.play = p, .rng = {seed}};
    kit_open(&s->world, 4, 8, 8);
    memset(s->world.zone->header->secret, 1, sizeof s->world.zone->header->secret); /* the same index each time */
    for (unsigned r = 0; r < p->n_rows; r++) {
        char scope[2] = {(char)('a' + r), 0};
        s->row[r] = kit_row(s->world.zone, scope, p->limit, p->n_limits);
        for (unsigned i = 0; i < p->n_limits; i++) {
            book *b = &s->book[s->n_books++];
            *b = (book){.limit = p->limit[i], .highest = p->limit[i].amount, .row = r, .place = i};
            b->exact = !p->comes_and_goes[i] && !p->other_law[i] && !(p->resizes[i] && b->limit.law == LLIM_BUCKET);
        }
    }
    for (unsigned i = 0; i < SIM_THREADS; i++) s->actor[i].scene = s;
}

/* What the engine says of each limit, against its book. */
static void check_used(scene *s, bool exactly)
{
    const int64_t now = sim_clock();
    for (unsigned i = 0; i < s->n_books && !sim_failure(); i++) {
        const book *b = &s->book[i];
        const llim_charge nothing = {{0}};
        llim_usage usage[3];
        uint32_t n;
        llim_check(s->world.zone, &s->row[b->row], 1, &nothing, NULL); /* takes over from a writer that died */
        assert_int_equal(llim_row_usage(s->world.zone, s->row[b->row], usage, 3, &n), LLIM_OK);
        if (b->closed || b->place >= n) continue;
        int64_t used = usage[b->place].used, least = book_least(b, now, wall_of(now)), most = book_most(b);
        if (sim_deaths() && reloads(s->play)) least = 0;
        if (sim_deaths() && most < usage[b->place].limit.amount)
            most = usage[b->place].limit.amount; /* as do lost closings */
        if (b->exact && used < least)
            sim_wrong("%s: used %lld, the log has %lld", llim_law_name(b->limit.law), (long long)used,
                      (long long)least);
        if (exactly && b->exact && !s->play->other_window_ns[b->place] && used != least)
            sim_wrong("%s: used %lld, the log has exactly %lld", llim_law_name(b->limit.law), (long long)used,
                      (long long)least);
        if (!reloads(s->play) && used > most)
            sim_wrong("%s: used %lld, at most %lld can be", llim_law_name(b->limit.law), (long long)used,
                      (long long)most);
    }
}

static void advance(scene *s, int64_t ns)
{
    kit_advance(s->world.zone, ns);
}

/* One thread goes on for more than a window; then only that is left of what has been, up to a slot. */
static void play_on(scene *s, int64_t window)
{
    for (int i = 0; i < 24 && !sim_failure(); i++) {
        advance(s, window / 20 + kit_between(&s->rng, 0, window / 62));
        s->actor[0].n = 0;
        admit(&s->actor[0]);
    }
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        for (unsigned k = 0; k < b->n; k++)
            if (b->limit.law == LLIM_SLIDING && sim_clock() - b->entry[k].at > 2 * window) b->entry[k].most = 0;
    }
    check_used(s, false);
}

/* Everything has left: each limit is whole again, and no larger than it was. */
static void check_whole(scene *s, int64_t window)
{
    int64_t rounds = 3;
    for (unsigned i = 0; i < s->n_books; i++)
        if (s->book[i].limit.law == LLIM_BUCKET || s->play->other_law[s->book[i].place])
            rounds += 2 * book_most(&s->book[i]) / s->book[i].limit.amount;
    advance(s, rounds * window);
    check_used(s, false);
    advance(s, 3 * window); /* what a dead writer left sealed may have been found only now */
    for (unsigned r = 0; r < s->play->n_rows && !sim_failure(); r++) {
        llim_usage usage[3];
        uint32_t n;
        llim_charge full = {{0}};
        assert_int_equal(llim_row_usage(s->world.zone, s->row[r], usage, 3, &n), LLIM_OK);
        for (uint32_t i = 0; i < n; i++) {
            int64_t *amount = &full.amount[usage[i].limit.meter];
            if (usage[i].used)
                sim_wrong("%s: %lld are used for ever", llim_law_name(usage[i].limit.law), (long long)usage[i].used);
            if (*amount == 0 || usage[i].limit.amount < *amount) *amount = usage[i].limit.amount;
        }
        llim_permit permit;
        llim_refusal refusal;
        if (n && llim_admit(s->world.zone, &s->row[r], 1, &full, &permit, &refusal) != LLIM_OK)
            sim_wrong("%s: an idle limit of %lld refuses %lld", llim_law_name(refusal.law), (long long)refusal.limit,
                      (long long)refusal.amount);
        for (uint32_t i = 0; i < n; i++) full.amount[usage[i].limit.meter] = 1;
        if (n && llim_check(s->world.zone, &s->row[r], 1, &full, NULL) == LLIM_OK) sim_wrong("a full row admits more");
    }
}

const char *scene_run(const play *p, uint64_t seed)
{
    static scene s; /* large, and one at a time */
    int64_t window = p->limit[0].law == LLIM_CALENDAR ? KIT_MINUTE : p->limit[0].window_ns;
    for (unsigned i = 0; i < 3; i++)
        if (p->other_window_ns[i] > window) window = p->other_window_ns[i];
    set_up(&s, p, seed);
    sim_begin(&(sim_options){
        .zone = s.world.zone, .seed = seed ^ 0x5bd1e995, .window_ns = p->still ? 0 : window, .deaths = p->deaths});
    for (unsigned i = 0; i < p->threads; i++) sim_spawn(act, &s.actor[i]);
    const char *wrong = sim_run();
    if (!wrong) {
        for (unsigned i = 0; i < SIM_THREADS; i++) s.actor[i].n = 0;
        check_used(&s, p->still && sim_deaths() == 0);
    }
    if (!sim_failure() && !reloads(p)) play_on(&s, window);
    if (!sim_failure()) check_whole(&s, window);
    kit_close(&s.world);
    return sim_failure();
}
