/* writer.c - see stage.h. */
#include <string.h>

#include "stage.h"

bool stage_reloads(const play *p)
{
    for (unsigned i = 0; i < p->n_limits; i++)
        if (p->resizes[i] || p->other_window_ns[i] || p->other_law[i] || p->comes_and_goes[i]) return true;
    return false;
}

const llim_usage *stage_usage(const book *b, const llim_usage *usage, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.meter == b->limit.meter) return &usage[i];
    return NULL;
}

/* A handle is of one scope, whoever says so first. */
static void know(scene *s, unsigned scope, llim_row row)
{
    if (s->row[scope].index != row.index || s->row[scope].epoch != row.epoch) {
        s->older[scope] = s->row[scope];
        s->row[scope] = row;
    }
    for (unsigned i = 0; i < s->n_tenants; i++) {
        if (memcmp(&s->tenant[i].row, &row, sizeof row) != 0) continue;
        if (s->tenant[i].scope != scope)
            sim_wrong("one handle, row %u of epoch %u, is of scope %c and of %c", row.index, row.epoch,
                      'a' + (int)s->tenant[i].scope, 'a' + (int)scope);
        return;
    }
    if (s->n_tenants == STAGE_TENANTS) fail_msg("more tenants than the stage has room for");
    s->tenant[s->n_tenants].row = row;
    s->tenant[s->n_tenants++].scope = scope;
}

int writer_place(scene *s, unsigned scope)
{
    const char name[2] = {(char)('a' + scope), 0};
    llim_row row;
    int code = kit_try_row(s->world.zone, name, s->play->limit, s->play->n_limits, &row);
    if (code == LLIM_OK)
        know(s, scope, row);
    else if (code != LLIM_EFULL)
        sim_wrong("row_set says %s", llim_code_name(code));
    return code;
}

int writer_find(scene *s, unsigned scope)
{
    const char name = (char)('a' + scope);
    llim_row row;
    int code = llim_row_find(s->world.zone, &name, 1, &row);
    if (code == LLIM_OK) know(s, scope, row);
    return code;
}

/* An admission under way that has charged less than all limits of a row by now takes effect later, under the limits that are
   in force by now. What else is under way can only make used greater. */
static void witness(scene *s, unsigned r)
{
    llim_usage usage[SCENE_LIMITS];
    uint32_t n;
    uint64_t began = ++s->events;
    if (llim_row_usage(s->world.zone, s->row[r], usage, SCENE_LIMITS, &n) != LLIM_OK) sim_wrong("a row is gone");
    for (actor *a = s->actor; a < s->actor + SIM_THREADS; a++) {
        bool later = false;
        if (!a->deciding || a->began > began) continue;
        for (unsigned i = 0; i < s->n_books; i++) {
            const book *b = &s->book[i];
            const entry *e = a->held[a->n].entry[i];
            if (b->row != r || !a->sure[i] || !e) continue;
            const llim_usage *u = stage_usage(b, usage, n);
            later = later || (u && u->used < book_least(b, began) + e->most);
        }
        for (unsigned i = 0; later && i < s->n_books; i++) {
            a->highest[i] = s->book[i].highest;
            a->sure[i] = !s->book[i].closed;
        }
    }
}

/* The limits that a row has next; there[i]: the i-th is one of them. */
static unsigned choose(scene *s, llim_limit limit[SCENE_LIMITS], bool there[SCENE_LIMITS])
{
    const play *p = s->play;
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_limits; i++) {
        llim_limit l = p->limit[i];
        if (p->resizes[i]) l.amount = kit_between(&s->rng, 1, 2) * l.amount / kit_between(&s->rng, 1, 2);
        if (p->other_window_ns[i] && kit_between(&s->rng, 0, 1)) l.window_ns = p->other_window_ns[i];
        if (p->other_law[i] && kit_between(&s->rng, 0, 1)) l.law = p->other_law[i];
        if (l.law == LLIM_CALENDAR) {
            l.unit = LLIM_PER_MINUTE;
            l.window_ns = 0;
        }
        there[i] = !(p->comes_and_goes[i] && kit_between(&s->rng, 0, 1));
        limit[i] = l;
        n += there[i];
    }
    return n;
}

static void announce(scene *s, book *b, int64_t amount, bool there)
{
    unsigned number = (unsigned)(b - s->book);
    bool stays = !b->closed == there;
    if (amount > b->highest) b->highest = amount;
    for (actor *a = s->actor; a < s->actor + SIM_THREADS; a++) {
        if (a->highest[number] < amount) a->highest[number] = amount;
        a->sure[number] = a->sure[number] && stays;
    }
    if (!there)
        for (unsigned k = 0; k < b->n; k++) b->entry[k].amount = 0;
    b->closed = !(stays && there);
    b->limit.amount = amount;
}

void writer_reload(scene *s)
{
    unsigned r = (unsigned)kit_between(&s->rng, 0, s->play->n_rows - 1);
    llim_limit limit[SCENE_LIMITS];
    bool there[SCENE_LIMITS];
    unsigned n = choose(s, limit, there);
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        if (b->row == r) announce(s, b, limit[b->place].amount, there[b->place]);
    }
    const char name[2] = {(char)('a' + r), 0};
    llim_row row;
    int code = kit_try_row(s->world.zone, name, limit, n, &row);
    if (code != LLIM_OK) sim_wrong("row_set says %s", llim_code_name(code));
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        if (b->row != r) continue;
        b->highest = b->limit.amount;
        b->closed = !there[b->place];
    }
    if (s->play->still && sim_deaths() == 0) witness(s, r);
}
