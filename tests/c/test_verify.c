/*
 * test_verify.c - a sound zone is found sound, whatever was done in it; and each kind of damage is found, with its place.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "engine/laws.h"
#include "engine/verify.h"

typedef struct told {
    char text[768];
    int n;
} told;

static void tell(void *ctx, const char *fault)
{
    told *t = ctx;
    if (t->n++ == 0) snprintf(t->text, sizeof t->text, "%s", fault);
}

static void expect_sound(llim_zone *zone)
{
    told t = {.n = 0};
    llim__verified done;
    const int code = llim__zone_verify(zone, &(llim__faults){.tell = tell, .ctx = &t}, &done);
    if (code) fail_msg("%s: %s", llim_code_name(code), t.text);
    assert_int_equal(done.faults, 0);
}

/* Its first fault begins so. */
static void expect_fault(llim_zone *zone, const char *first)
{
    told t = {.n = 0};
    llim__verified done;
    assert_int_equal(llim__zone_verify(zone, &(llim__faults){.tell = tell, .ctx = &t}, &done), LLIM_ECORRUPT);
    assert_int_equal(done.faults, t.n);
    if (strncmp(t.text, first, strlen(first)) != 0) fail_msg("expected: %s, told: %s", first, t.text);
}

/* A zone with all that there is: every law, rows that go on in others, notes, leases, free rows and rings. */
typedef struct scene {
    kit_world w;
    llim_row model, other;
} scene;

static llim_row place(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n, bool pinned)
{
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = scope,
                          .scope_len = (uint32_t)strlen(scope),
                          .limits = limits,
                          .n_limits = n,
                          .pinned = pinned,
                          .notes = pinned};
    llim_row row;
    llim_error err;
    if (llim_row_set(zone, &spec, &row, &err)) fail_msg("%s", err.message);
    return row;
}

static void begin(scene *s)
{
    kit_open(&s->w, 23, 6, 8);
    llim_zone *zone = s->w.zone;
    const llim_limit limits[] = {
        kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, KIT_MINUTE, 0),
        kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1000, KIT_MINUTE, 0),
        kit_calendar(LLIM_REQUESTS, LLIM_PER_DAY, "America/Los_Angeles", 100, 0),
        kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 3, KIT_HOUR, 0),
        kit_limit(LLIM_IMAGES, LLIM_SLIDING, 10, KIT_MINUTE, 0),
    };
    s->model = place(zone, "model:m", limits, 5, true);
    s->other = place(zone, "model:n", limits, 5, true);
    place(zone, "team:t", limits + 1, 1, false);
    place(zone, "team:u", limits, 1, false);
    llim_charge charge = kit_charge(LLIM_REQUESTS, 2);
    charge.amount[LLIM_SESSIONS] = 1;
    charge.amount[LLIM_TOKENS] = 100;
    llim_permit permit;
    assert_int_equal(llim_admit(zone, &s->model, 1, &charge, &permit, NULL), LLIM_OK);
    /* team:t has its ring no more, which is free then, and so are the rows that a scope with too many limits had taken. */
    place(zone, "team:t", limits, 1, false);
    llim_limit many[LLIM_MAX_LIMITS];
    for (int i = 0; i < LLIM_MAX_LIMITS; i++)
        many[i] = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, (i + 1) * KIT_MINUTE, 0);
    llim_row_spec spec = {
        .size = sizeof spec, .scope_len = 2, .limits = many, .n_limits = LLIM_MAX_LIMITS, .pinned = 1};
    llim_row row;
    int code = LLIM_OK;
    for (int i = 0; code == LLIM_OK; i++) {
        char name[3] = {'s', (char)('a' + i), 0};
        spec.scope = name;
        code = llim_row_set(zone, &spec, &row, NULL);
    }
    assert_int_equal(code, LLIM_EFULL);
    assert_int_not_equal(at_load_rlx(&zone->header->rows_free), 0);
    expect_sound(zone);
    kit_save(&s->w);
}

static void end(scene *s)
{
    kit_close(&s->w);
}

#define DAMAGE(first, ...)                                                                                             \
    do {                                                                                                               \
        __VA_ARGS__;                                                                                                   \
        expect_fault(s.w.zone, first);                                                                                 \
        kit_restore(&s.w);                                                                                             \
        expect_sound(s.w.zone);                                                                                        \
    } while (0)

static void test_each_damage_is_found(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    llim_zone *z = s.w.zone;
    llim__header *h = z->header;
    const uint32_t m = s.model.index, n = s.other.index;
    llim__row *a = &z->row[m], *b = &z->row[n];
    const uint32_t more = at_load_rlx(&a->next), now_free = at_load_rlx(&h->rows_free);
    char text[96];

    snprintf(text, sizeof text, "row %u: its chain leads to row %u", n, more);
    DAMAGE(text, at_store_rlx(&b->next, more));
    DAMAGE("list of free rows: it leads to row", at_store_rlx(&h->rows_free, more));
    DAMAGE("list of free rows", at_store_rlx(&z->row[now_free].next, now_free));
    DAMAGE("header: rows_used is", at_add_rlx(&h->rows_used, 1));
    DAMAGE("header: scopes_used is", at_add_rlx(&h->scopes_used, 1));
    uint32_t place_of_a = 0;
    for (uint32_t i = 0; i < h->index_size; i++)
        if ((uint32_t)at_load_rlx(&z->index[i]) == m) place_of_a = i;
    snprintf(text, sizeof text, "row %u: the index finds row 0", m);
    DAMAGE(text, at_store_rlx(&z->index[place_of_a], 0));
    snprintf(text, sizeof text, "index: place %u leads to row %u by another key", place_of_a, m);
    DAMAGE(text, at_store_rlx(&z->index[place_of_a], at_load_rlx(&z->index[place_of_a]) ^ (uint64_t)1 << 40));
    snprintf(text, sizeof text, "index: place %u leads to row %u, which is no scope's", place_of_a, more);
    DAMAGE(text, at_store_rlx(&z->index[place_of_a], more));
    snprintf(text, sizeof text, "this is a damaged zone: row %u: the name of a scope is not that of its key", m);
    DAMAGE(text, z->name[m][6] = 'o');
    snprintf(text, sizeof text, "this is a damaged zone: row %u: a scope has no name", m);
    DAMAGE(text, z->name[m][0] = 0);
    snprintf(text, sizeof text, "row %u: it is being changed", m);
    DAMAGE(text, at_store_rlx(&a->state, at_load_rlx(&a->state) | LLIM__CHANGING));
    snprintf(text, sizeof text, "row %u: it is being recycled", m);
    DAMAGE(text, at_store_rlx(&a->cool_until, LLIM__RECYCLED));
    snprintf(text, sizeof text, "row %u: it cools down for longer", m);
    DAMAGE(text, at_store_rlx(&a->cool_until, llim__zone_now(z).steady + 401 * KIT_DAY));
    snprintf(text, sizeof text, "row %u, limit 0: it is younger than its row", m);
    DAMAGE(text, at_store_rlx(&a->born[0], at_load_rlx(&a->identity) + 1));
    snprintf(text, sizeof text, "row %u, limit 0: it is sealed", m);
    DAMAGE(text, at_store_rlx(&a->cell[0].word, LLIM__SEALED));
    snprintf(text, sizeof text, "row %u, limit 0: the bucket is full for longer", m);
    DAMAGE(text, at_store_rlx(&a->cell[0].word, at_load_rlx(&a->cell[0].word) + LLIM__LONGEST));
    snprintf(text, sizeof text, "row %u, limit 2: it is sealed", m);
    DAMAGE(text, at_store_rlx(&a->cell[2].aux, LLIM__SEALED));
    snprintf(text, sizeof text, "row %u, limit 2: both of its words", m);
    DAMAGE(text, at_store_rlx(&a->cell[2].aux, at_load_rlx(&a->cell[2].word)));
    snprintf(text, sizeof text, "row %u, limit 1: it counts in ring", n);
    DAMAGE(text, at_store_rlx(&b->cell[1].aux, at_load_rlx(&a->cell[1].aux)));
    snprintf(text, sizeof text, "row %u, limit 3: its count is below", m);
    DAMAGE(text,
           at_store_rlx(&z->row[more].more_cell[0].word, at_load_rlx(&z->row[more].more_cell[0].word) & ~0xffull));
    DAMAGE("list of free rings: it leads to ring", at_store_rlx(&h->rings_free, 1));
    DAMAGE("ring", at_store_rlx(&h->rings_free, 0));
    DAMAGE("header: rings_used is", at_add_rlx(&h->rings_used, 1));
    uint32_t noted = 0;
    while ((uint32_t)at_load_rlx(&z->note[noted].owner) != m) noted++;
    snprintf(text, sizeof text, "row %u: its note is missing", m);
    DAMAGE(text, at_store_rlx(&z->note[noted].owner, 0));
    DAMAGE("note", at_store_rlx(&z->note[noted + 10].owner, at_load_rlx(&z->note[noted].owner)));
    DAMAGE("lease 0: it lives beyond", at_store_rlx(&h->slots_top, 0));
    /* What leads out of the zone is found before it is followed. */
    DAMAGE("this is a damaged zone", at_store_rlx(&a->next, 4000000000u));
    DAMAGE("this is a damaged zone", at_store_rlx(&a->next, n));
    DAMAGE("this is a damaged zone", at_store_rlx(&h->rows_top, 4000000000u));
    DAMAGE("this is a damaged zone", at_store_rlx(&a->cell[1].aux, UINT64_MAX >> 1));
    DAMAGE("this is a damaged zone", at_store_rlx(&a->cell[0].config, UINT64_MAX));
    end(&s);
}

/* Whatever bytes change behind what was checked at opening, nothing is followed out of the zone. */
static void test_any_damage(void **state)
{
    (void)state;
    static const llim__faults silent = {.tell = NULL};
    scene s;
    kit_rng rng = kit_seed();
    begin(&s);
    const size_t from = offsetof(llim__header, writing);
    unsigned char *bytes = (unsigned char *)s.w.zone->header;
    llim__verified done;
    uint32_t found = 0;
    enum { TIMES = 3000 };
    for (int i = 0; i < TIMES; i++) {
        for (int64_t n = kit_between(&rng, 1, 3); n > 0;) {
            unsigned char *at = bytes + kit_between(&rng, (int64_t)from, (int64_t)s.w.zone->header->size - 1);
            if (*at == 0 && kit_between(&rng, 0, 31)) continue; /* most of a zone is empty */
            *at = (unsigned char)(kit_between(&rng, 0, 1) ? kit_between(&rng, 0, 255)
                                                          : *at ^ 1 << kit_between(&rng, 0, 7));
            n--;
        }
        found += llim__zone_verify(s.w.zone, &silent, &done) == LLIM_ECORRUPT;
        kit_restore(&s.w);
    }
    assert_in_range(found, TIMES / 20, TIMES); /* many a byte is a count, of which nobody can tell */
    end(&s);
}

/* Rows come, change and go, and time passes. */
static void test_whatever_is_done(void **state)
{
    (void)state;
    kit_world w;
    kit_rng rng = kit_seed();
    kit_open(&w, 40, 12, 16);
    const llim_limit limits[] = {
        kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, KIT_MINUTE, 0),
        kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1000, KIT_MINUTE, KIT_GUARD),
        kit_calendar(LLIM_REQUESTS, LLIM_PER_MINUTE, "", 100, 0),
        kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 3, 10 * KIT_SECOND, 0),
        kit_limit(LLIM_TOKENS, LLIM_BUCKET, 100000, KIT_DAY, 0),
    };
    for (int i = 0; i < 20000; i++) {
        char name[16];
        llim_row row;
        llim_permit permit;
        snprintf(name, sizeof name, "s%d", (int)kit_between(&rng, 0, 79));
        const uint32_t from = (uint32_t)kit_between(&rng, 0, 4), n = (uint32_t)kit_between(&rng, 0, 5 - from);
        llim_row_spec spec = {.size = sizeof spec,
                              .scope = name,
                              .scope_len = (uint32_t)strlen(name),
                              .limits = limits + from,
                              .n_limits = n,
                              .pinned = kit_between(&rng, 0, 9) == 0 && i < 10000,
                              .notes = kit_between(&rng, 0, 3) == 0};
        if (llim_row_set(w.zone, &spec, &row, NULL) == LLIM_OK) {
            llim_charge charge = kit_charge(LLIM_REQUESTS, kit_between(&rng, 0, 4)), facts;
            charge.amount[LLIM_TOKENS] = kit_magnitude(&rng, 2000);
            charge.amount[LLIM_SESSIONS] = kit_between(&rng, 0, 1);
            facts = charge;
            facts.amount[LLIM_TOKENS] = kit_magnitude(&rng, 4000000);
            if (llim_admit(w.zone, &row, 1, &charge, &permit, NULL) == LLIM_OK && kit_between(&rng, 0, 2))
                llim_settle(w.zone, &permit, &facts);
            if (kit_between(&rng, 0, 9) == 0) llim_cool(w.zone, row, kit_magnitude(&rng, KIT_HOUR));
        }
        if (kit_between(&rng, 0, 3) == 0) kit_advance(w.zone, kit_magnitude(&rng, KIT_MINUTE));
        if (i % 100 == 0) expect_sound(w.zone);
    }
    kit_close(&w);
}

typedef struct stand {
    char path[80];
} stand;

/* Holds the writers' lock, in the middle of a change, until it is killed. */
static int stand_in_a_change(void *arg)
{
    const stand *s = arg;
    llim_zone_options options = crew_virtual();
    options.path = s->path;
    llim_zone *zone;
    llim_row row;
    if (llim_zone_open(&options, &zone, NULL) || llim_row_find(zone, "model:m", 7, &row)) return 1;
    if (llim__memory_lock(zone->memory, KIT_SECOND)) return 2;
    at_store_rel(&zone->header->writing, 1);
    at_store_rel(&zone->row[row.index].state, at_load_rlx(&zone->row[row.index].state) | LLIM__CHANGING);
    at_store_rel(&zone->row[row.index].cell[0].word, LLIM__SEALED);
    raise(SIGSTOP);
    return 0;
}

static int verify_file(const char *path, told *t, llim__verified *done)
{
    llim_error err;
    *t = (told){.n = 0};
    int code = llim__file_verify(path, &(llim__faults){.tell = tell, .ctx = t}, done, &err);
    if (code && code != LLIM_ECORRUPT) snprintf(t->text, sizeof t->text, "%s", err.message);
    return code;
}

static void damage_cooldown(const char *path, llim_row row, int64_t value)
{
    llim__header h;
    const int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &h, sizeof h, 0), sizeof h);
    const off_t at = (off_t)(h.rows_at + row.index * sizeof(llim__row) + offsetof(llim__row, cool_until));
    assert_int_equal(pwrite(fd, &value, sizeof value, at), sizeof value);
    close(fd);
}

static void test_a_zone_in_a_file(void **state)
{
    (void)state;
    stand s;
    char directory[64];
    crew_directory(directory, "/tmp");
    snprintf(s.path, sizeof s.path, "%s/zone", directory);
    told t;
    llim__verified done;
    assert_int_equal(verify_file(s.path, &t, &done), LLIM_EIO);
    assert_non_null(strstr(t.text, s.path));

    llim_zone_options options = crew_virtual();
    options.path = s.path;
    llim_zone *zone = crew_open(&options);
    const llim_limit limit = kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 10, KIT_MINUTE, 0);
    llim_row row = kit_row(zone, "model:m", &limit, 1);
    assert_int_equal(kit_admit(zone, row, LLIM_REQUESTS, 4), LLIM_OK);
    llim_zone_close(zone);
    assert_int_equal(verify_file(s.path, &t, &done), LLIM_OK);
    assert_true(done.locked && !done.writer_died);
    assert_int_equal(done.scopes, 1);
    assert_int_equal(done.limits, 1);

    /* A writer stands: what it is about is what the next one would put right; with damage beside nothing can be told. */
    pid_t child = crew_start(stand_in_a_change, &s);
    crew_stopped(child);
    assert_int_equal(verify_file(s.path, &t, &done), LLIM_OK);
    assert_true(!done.locked && !done.writer_died);
    damage_cooldown(s.path, row, -1);
    assert_int_equal(verify_file(s.path, &t, &done), LLIM_EBUSY);
    assert_non_null(strstr(t.text, "stands in the middle"));
    damage_cooldown(s.path, row, 0);
    /* It dies: the next writer will put it right, and so it is found, but nothing has been written. */
    kill(child, SIGKILL);
    assert_int_equal(crew_end(child), -SIGKILL);
    for (int i = 0; i < 2; i++) {
        const int code = verify_file(s.path, &t, &done);
        if (code) fail_msg("%s", t.text);
        assert_true(done.locked && done.writer_died);
    }
    zone = crew_open(&options);
    assert_int_equal(kit_admit(zone, row, LLIM_REQUESTS, 1), LLIM_LATER); /* full, as what a dead writer left is */
    llim_zone_close(zone);
    assert_int_equal(verify_file(s.path, &t, &done), LLIM_OK);
    assert_false(done.writer_died);
    crew_remove(directory);
}

/* Has a lease and has not counted it, first stopped, then not. */
static int stand_before_it_counts(void *arg)
{
    const stand *s = arg;
    llim_zone_options options = crew_virtual();
    options.path = s->path;
    llim_zone *zone;
    llim_row row;
    llim_permit permit;
    const llim_charge charge = kit_charge(LLIM_SESSIONS, 1);
    if (llim_zone_open(&options, &zone, NULL) || llim_row_find(zone, "model:m", 7, &row)) return 1;
    if (llim_admit(zone, &row, 1, &charge, &permit, NULL)) return 2;
    at_add_rlx(&zone->row[row.index].cell[0].word, (uint64_t)-1);
    raise(SIGSTOP);
    for (;;) pause();
}

/* The taker is waited for; one that stands would be waited for too long, and one that is dead told nobody of it. */
static void test_a_lease_that_is_not_counted(void **state)
{
    (void)state;
    stand s;
    char directory[64];
    crew_directory(directory, "/tmp");
    snprintf(s.path, sizeof s.path, "%s/zone", directory);
    llim_zone_options options = crew_virtual();
    options.path = s.path;
    llim_zone *zone = crew_open(&options);
    const llim_limit limit = kit_limit(LLIM_SESSIONS, LLIM_GAUGE, 10, KIT_MINUTE, 0);
    llim_row row = kit_row(zone, "model:m", &limit, 1);
    llim_permit permits[10];
    for (int i = 0; i < 10; i++) permits[i] = kit_permit(zone, row, LLIM_SESSIONS, 1);
    for (int i = 0; i < 10; i++) llim_cancel(zone, &permits[i]); /* so that the next one counts the leases */
    kit_permit(zone, row, LLIM_SESSIONS, 1);
    llim_zone_close(zone);

    told t;
    llim__verified done;
    pid_t child = crew_start(stand_before_it_counts, &s);
    crew_stopped(child);
    if (verify_file(s.path, &t, &done)) fail_msg("%s", t.text);
    kill(child, SIGCONT);
    for (int code = LLIM_OK; code == LLIM_OK;) code = verify_file(s.path, &t, &done); /* once it goes */
    assert_non_null(strstr(t.text, "its count is below"));
    kill(child, SIGKILL);
    assert_int_equal(crew_end(child), -SIGKILL);
    if (verify_file(s.path, &t, &done)) fail_msg("%s", t.text);
    crew_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_damage_is_found),
        cmocka_unit_test(test_any_damage),
        cmocka_unit_test(test_whatever_is_done),
        cmocka_unit_test(test_a_zone_in_a_file),
        cmocka_unit_test(test_a_lease_that_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
