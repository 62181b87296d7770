/* scene.c - see scene.h. */
#include "scene.h"

#include <string.h>

#include "engine/writer.h"
#include "stage.h"

static void act(void *arg)
{
    actor *a = arg;
    scene *s = a->scene;
    bool writer = a == s->actor && stage_reloads(s->play);
    for (unsigned i = 0; i < s->play->calls; i++) {
        if (writer)
            writer_reload(s);
        else
            actor_act(a);
    }
}

static void tell(void *arg)
{
    scene *s = arg;
    for (actor *a = s->actor; a < s->actor + SIM_THREADS; a++) a->told = true;
}

/* While both clocks stand, who was refused and not told since has nothing to wait for yet. */
static void check_told(scene *s)
{
    if (!s->play->still || s->play->wall_step_ns || sim_deaths()) return;
    for (actor *a = s->actor; a < s->actor + SIM_THREADS; a++)
        if (a->refused && !a->told && llim_check(s->world.zone, a->row, a->n_rows, &a->charge, NULL) == LLIM_OK)
            sim_wrong("who was refused is not told that it fits by now");
}

static void set_up(scene *s, const play *p, uint64_t seed)
{
    *s = (scene){.play = p, .rng = {seed}};
    kit_open(&s->world, p->places ? p->places : SCENE_ROWS, p->places ? p->places : 2 * SCENE_BOOKS, SCENE_BOOKS);
    memset(s->world.zone->header->secret, 1, sizeof s->world.zone->header->secret); /* the same index each time */
    for (unsigned r = 0; r < p->n_rows; r++) {
        if (!p->places) writer_place(s, r);
        for (unsigned i = 0; i < p->n_limits; i++) {
            book *b = &s->book[s->n_books++];
            bool other = p->other_window_ns[i] || p->other_law[i];
            *b = (book){.limit = p->limit[i],
                        .highest = p->limit[i].amount,
                        .row = r,
                        .place = i,
                        .steps = p->wall_step_ns != 0};
            /* Time that passes blurs what a new law or a bucket of another size has inherited. */
            b->exact = p->still || (!p->other_law[i] && !(p->resizes[i] && b->limit.law == LLIM_BUCKET));
            b->equal = p->still && !other && !p->comes_and_goes[i] && !p->wall_step_ns;
        }
    }
    for (unsigned i = 0; i < SIM_THREADS; i++) s->actor[i].scene = s;
    s->listener = (llim_listener){tell, s};
    llim_zone_listen(s->world.zone, &s->listener);
}

/* A scope's limits as the engine shows them; 0: nothing is there, nothing used. */
static uint32_t usage_of(scene *s, unsigned r, llim_usage usage[SCENE_LIMITS])
{
    const llim_charge nothing = {{0}};
    uint32_t n = 0;
    if (s->play->places && writer_find(s, r) != LLIM_OK) return 0;
    llim_check(s->world.zone, &s->row[r], 1, &nothing, NULL); /* takes over from a writer that died */
    if (llim_row_usage(s->world.zone, s->row[r], usage, SCENE_LIMITS, &n) != LLIM_OK) sim_wrong("a row is gone");
    return n;
}

static void check_book(scene *s, const book *b, int64_t used, bool exactly)
{
    const char *law = llim_law_name(b->limit.law);
    const int64_t least = book_least(b, UINT64_MAX);
    int64_t most = book_most(b);
    /* Closings that were lost count as full; who dies while it gives back has lowered closings twice over. A publisher that
       stood until its ring was another's spoils closings of that one. */
    if (sim_deaths() || (s->play->places && !s->play->still))
        most += most > b->limit.amount ? most : b->limit.amount + 1;
    /* Of a sliding limit above it too: one that comes in its place begins with that. Others in debt admit nothing. */
    if (b->exact && used < least && (used <= b->limit.amount || b->limit.law == LLIM_SLIDING))
        sim_wrong("%s: used %lld, the log has %lld", law, (long long)used, (long long)least);
    /* A bucket that was lowered gives nothing back of before. */
    const bool may_keep = b->limit.law == LLIM_BUCKET && stage_reloads(s->play);
    if (exactly && b->equal && (used < least || (used > least && !may_keep)) && sim_deaths() == 0)
        sim_wrong("%s: used %lld, the log has exactly %lld", law, (long long)used, (long long)least);
    if (!stage_reloads(s->play) && used > most)
        sim_wrong("%s: used %lld, at most %lld can be", law, (long long)used, (long long)most);
}

/* What the engine says of each limit, against its book, and of each cooldown. */
static void check_used(scene *s, bool exactly)
{
    for (unsigned r = 0; r < s->play->n_rows && !sim_failure(); r++) {
        llim_usage usage[SCENE_LIMITS];
        uint32_t n = usage_of(s, r, usage);
        for (unsigned i = 0; i < s->n_books; i++) {
            const book *b = &s->book[i];
            if (b->row != r || b->closed) continue;
            const llim_usage *u = stage_usage(b, usage, n);
            check_book(s, b, u ? u->used : 0, exactly);
        }
        int64_t left = 0, least = s->cooled[r] > sim_clock() ? s->cooled[r] - sim_clock() : 0;
        if (n && llim_cooling(s->world.zone, s->row[r], &left) != LLIM_OK) sim_wrong("a row is gone");
        if (sim_deaths() ? left < least : left != least)
            sim_wrong("cools for %lld ns more, was told %lld", (long long)left, (long long)least);
    }
}

static void advance(scene *s, int64_t ns)
{
    kit_advance(s->world.zone, ns);
}

/* One thread goes on for more than a window; then only that is left of what has been, up to a slot. */
static void play_on(scene *s, int64_t window)
{
    for (int i = 0; i < 48 && !sim_failure(); i++) {
        advance(s, window / 20 + kit_between(&s->rng, 0, window / 62));
        s->actor[0].n = 0;
        actor_admit(&s->actor[0]);
    }
    for (unsigned i = 0; i < s->n_books; i++) {
        book *b = &s->book[i];
        for (entry *e = b->entry; e < b->entry + b->n; e++) {
            int64_t charged = e->done == INT64_MAX ? s->ended : e->done;
            if (b->limit.law == LLIM_SLIDING && sim_clock() - charged > 2 * window) e->most = 0;
        }
    }
    check_used(s, false);
}

/* Everything has left: the row's limits are whole again, and no larger than they were. */
static void check_row_whole(scene *s, unsigned r)
{
    llim_usage usage[SCENE_LIMITS];
    uint32_t n = usage_of(s, r, usage);
    llim_charge full = {{0}};
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

/* None has two owners, and none that is free is anybody's. What a dead writer had is somebody's again once another has had the
   lock: then none is lost. */
static void check_owners(scene *s, bool all)
{
    const llim_zone *zone = s->world.zone;
    const llim__header *h = zone->header;
    uint8_t row[64] = {0}, ring[64] = {0};
    if (h->rows >= sizeof row || h->rings > sizeof ring) fail_msg("the stage is larger than its check");
    for (uint32_t r = 1; r <= h->rows; r++) {
        const uint64_t state = at_load_rlx(&zone->row[r].state);
        if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) continue;
        for (uint32_t q = r; q && row[q] < 9; q = at_load_rlx(&zone->row[q].next)) row[q]++;
        for (uint32_t i = 0; i < LLIM__STATE_LIMITS(state); i++) {
            llim__cell *cell = llim__row_cell(s->world.zone, &zone->row[r], i);
            if (llim__cell_shape(zone, at_load_rlx(&cell->config))->law != LLIM_SLIDING) continue;
            uint64_t mine = at_load_rlx(&cell->aux) >> 40;
            if (mine >= h->rings) sim_wrong("a sliding limit of row %u names ring %llu", r, (unsigned long long)mine);
            if (mine < h->rings) ring[mine]++;
        }
    }
    for (uint32_t r = at_load_rlx(&h->rows_free); r && row[r] < 9; r = at_load_rlx(&zone->row[r].next)) row[r]++;
    for (uint32_t r = at_load_rlx(&h->rings_free); r && ring[r - 1] < 9;
         r = (uint32_t)(at_load_rlx(&zone->ring_cum[r - 1]) >> 42 & 0x1fffff))
        ring[r - 1]++;
    for (uint32_t r = 0; all && r < at_load_rlx(&h->rows_top); r++)
        if (row[r + 1] == 0) sim_wrong("row %u is lost", r + 1);
    for (uint32_t r = 0; all && r < at_load_rlx(&h->rings_top); r++)
        if (ring[r] == 0) sim_wrong("ring %u is lost", r);
    for (uint32_t r = 0; r < sizeof row; r++)
        if (row[r] > 1 || ring[r] > 1) sim_wrong("row %u has %u owners, ring %u has %u", r, row[r], r, ring[r]);
}

static void check_whole(scene *s, int64_t window)
{
    int64_t rounds = 3 + 2 * s->play->wall_step_ns / window;
    for (unsigned i = 0; i < s->n_books; i++)
        if (s->book[i].limit.law == LLIM_BUCKET || s->play->other_law[s->book[i].place])
            rounds += 2 * book_most(&s->book[i]) / s->book[i].limit.amount;
    advance(s, rounds * window);
    check_used(s, false);
    for (unsigned r = 0; r < s->play->n_rows && !sim_failure(); r++) {
        advance(s, 3 * window); /* what a dead writer left sealed may have been found only now */
        if (s->play->places && writer_place(s, r) != LLIM_OK)
            sim_wrong("no room for scope %c among idle ones", 'a' + (int)r);
        if (!sim_failure()) check_row_whole(s, r);
    }
}

const char *scene_run(const play *p, uint64_t seed)
{
    static scene s; /* large, and one at a time */
    int64_t window = p->limit[0].law == LLIM_CALENDAR ? KIT_MINUTE : p->limit[0].window_ns;
    for (unsigned i = 0; i < p->n_limits; i++)
        if (p->other_window_ns[i] > window) window = p->other_window_ns[i];
    set_up(&s, p, seed);
    sim_begin(&(sim_options){.zone = s.world.zone,
                             .seed = seed ^ 0x5bd1e995,
                             .window_ns = p->still ? 0 : window,
                             .wall_step_ns = p->wall_step_ns,
                             .deaths = p->deaths});
    for (unsigned i = 0; i < p->threads; i++) sim_spawn(act, &s.actor[i]);
    const char *wrong = sim_run();
    s.ended = sim_clock();
    for (unsigned i = 0; i < SIM_THREADS; i++) s.actor[i].n = 0;
    if (!wrong) check_told(&s);
    if (!sim_failure()) check_used(&s, true);
    if (!sim_failure() && !stage_reloads(p) && !p->places && !p->wall_step_ns) play_on(&s, window);
    if (!sim_failure()) check_owners(&s, false);
    if (!sim_failure()) check_whole(&s, window);
    llim__writer_wait(s.world.zone);
    if (!sim_failure()) check_owners(&s, true);
    kit_close(&s.world);
    return sim_failure();
}
