/*
 * test_zone_damage.c - files that are no zones, or damaged ones, are refused and left alone; what a machine leaves behind that
 * loses its power is put right.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crew.h"
#include "engine/verify.h"

typedef struct content {
    unsigned char *bytes;
    size_t size;
} content;

static content read_all(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    content c = {malloc((size_t)st.st_size + 1), (size_t)st.st_size};
    assert_non_null(c.bytes);
    assert_int_equal(read(fd, c.bytes, c.size), (ssize_t)c.size);
    close(fd);
    return c;
}

static void write_all(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void check_refused(const char *path, int code, const char *says)
{
    llim_zone_options options = crew_small(path);
    options.rows = options.sliding = options.leases = options.notes = 0;
    llim_zone *zone = (llim_zone *)&zone;
    llim_error err;
    const int got = llim_zone_open(&options, &zone, &err);
    if (got != code || zone)
        fail_msg("%s: %s, expected %s: %s", says, llim_code_name(got), llim_code_name(code), err.message);
    if (!strstr(err.message, says) || !strstr(err.message, path))
        fail_msg("\"%s\" does not say \"%s\" of %s", err.message, says, path);
}

/* A file with these bytes is refused, and has them still. */
static void check_bytes(const char *path, const void *bytes, size_t size, int code, const char *says)
{
    write_all(path, bytes, size);
    check_refused(path, code, says);
    content after = read_all(path);
    assert_int_equal(after.size, size);
    assert_memory_equal(after.bytes, bytes, size);
    free(after.bytes);
}

/* The same, of a zone with other bytes at one place. */
static void check_changed(const char *path, const content *zone, size_t at, const void *bytes, size_t n, int code,
                          const char *says)
{
    unsigned char *changed = malloc(zone->size);
    assert_non_null(changed);
    memcpy(changed, zone->bytes, zone->size);
    memcpy(changed + at, bytes, n);
    check_bytes(path, changed, zone->size, code, says);
    free(changed);
}

#define CHANGED(field, value, code, says)                                                                              \
    do {                                                                                                               \
        const __typeof__(value) v = (value);                                                                           \
        check_changed(p.path, &good, offsetof(llim__header, field), &v, sizeof v, code, says);                         \
    } while (0)

static void test_wrong_files_are_left_alone(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0);
    llim_zone_options options = crew_small(p.path);
    llim_zone *zone = crew_open(&options);
    llim_row row = kit_row(zone, "a", &limit, 1);
    const llim__header h = *zone->header;
    llim_zone_close(zone);
    content good = read_all(p.path);
    static const char text[] = "a letter to the editor, long enough to be taken for something else, which it is not: ";
    char letter[4096];
    for (size_t i = 0; i < sizeof letter; i++) letter[i] = text[i % (sizeof text - 1)];

    check_bytes(p.path, "", 0, LLIM_ECORRUPT, "0 bytes");
    check_bytes(p.path, text, sizeof text, LLIM_ECORRUPT, "less than a zone's header");
    check_bytes(p.path, letter, sizeof letter, LLIM_ECORRUPT, "is not a zone");
    check_bytes(p.path, good.bytes, good.size - 1, LLIM_ECORRUPT, "expected");
    check_bytes(p.path, good.bytes, sizeof h, LLIM_ECORRUPT, "expected");
    CHANGED(magic, __builtin_bswap64(LLIM__MAGIC), LLIM_EVERSION, "byte order");
    CHANGED(version, (uint32_t)7, LLIM_EVERSION, "layout 7");
    CHANGED(header_size, (uint32_t)64, LLIM_EVERSION, "64 bytes");
    CHANGED(rows, (uint32_t)0, LLIM_ECORRUPT, "0 rows");
    CHANGED(rows, UINT32_MAX, LLIM_ECORRUPT, "rows");
    CHANGED(rings, (uint32_t)9, LLIM_ECORRUPT, "parts");
    CHANGED(rows_at, (uint64_t)1 << 40, LLIM_ECORRUPT, "parts");
    CHANGED(size, (uint64_t)1 << 40, LLIM_ECORRUPT, "parts");
    CHANGED(clock, (int32_t)2, LLIM_ECORRUPT, "clock");
    CHANGED(rows_top, (uint32_t)17, LLIM_ECORRUPT, "more in use");
    CHANGED(slots_top, (uint32_t)17, LLIM_ECORRUPT, "more in use");
    CHANGED(shapes_used, (uint32_t)1024, LLIM_ECORRUPT, "kinds of limits");
    CHANGED(time.steady, INT64_MIN, LLIM_ECORRUPT, "no time");
    CHANGED(asked_rows, h.asked_rows + 1, LLIM_ECORRUPT, "header is not as it was made");
    CHANGED(secret[1], h.secret[1] ^ 1, LLIM_ECORRUPT, "header is not as it was made");
    const uint64_t garbage = 0xfefefefefefefefe;
    const size_t at_row = h.rows_at + row.index * sizeof(llim__row);
    check_changed(p.path, &good, h.shapes_at + sizeof(llim__shape) + 16, &garbage, 8, LLIM_ECORRUPT, "kind of limit");
    check_changed(p.path, &good, at_row + offsetof(llim__row, next), &garbage, 4, LLIM_ECORRUPT, "cells");
    check_changed(p.path, &good, at_row + offsetof(llim__row, key), &garbage, 8, LLIM_ECORRUPT, "not that of its key");
    check_changed(p.path, &good, at_row + offsetof(llim__row, cell[0].config), &garbage, 8, LLIM_ECORRUPT,
                  "limit is none");
    check_changed(p.path, &good, at_row + offsetof(llim__row, cell[0].aux), &garbage, 8, LLIM_ECORRUPT,
                  "limit is none");
    check_changed(p.path, &good, at_row + offsetof(llim__row, cool_until), &garbage, 8, LLIM_ECORRUPT, "cools");
    check_changed(p.path, &good, h.slots_at + offsetof(llim__slot, holder), &garbage, 8, LLIM_ECORRUPT, "lease");
    check_changed(p.path, &good, h.notes_at + offsetof(llim__note, owner), &garbage, 8, LLIM_ECORRUPT, "learned");
    char name[LLIM_SCOPE_SHOWN];
    memset(name, 'x', sizeof name);
    check_changed(p.path, &good, h.names_at + row.index * sizeof name, name, sizeof name, LLIM_ECORRUPT, "no end");
    free(good.bytes);
    crew_remove(p.dir);
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    char other[160];
    snprintf(other, sizeof other, "%s/other", p.dir);
    check_refused(p.dir, LLIM_EIO, "a directory");
    llim_zone_options options = crew_small(other);
    llim_zone_close(crew_open(&options));
    assert_int_equal(symlink(other, p.path), 0);
    check_refused(p.path, LLIM_EIO, "a symbolic link");
    unlink(p.path);
    assert_int_equal(mkfifo(p.path, 0600), 0);
    check_refused(p.path, LLIM_EIO, "not a file");
    check_refused("/dev/null", LLIM_EIO, "not a file");
    check_refused("/nowhere/at/all", LLIM_EIO, "No such file");
    check_refused("/proc/self/zone", LLIM_EIO, "cannot be made");
    if (geteuid() != 0) { /* whom permission bits do not stop */
        unlink(p.path);
        options = crew_small(p.path);
        llim_zone_close(crew_open(&options));
        assert_int_equal(chmod(p.path, 0400), 0);
        check_refused(p.path, LLIM_EIO, "Permission denied");
    }
    crew_remove(p.dir);
}

static void put(const char *path, size_t at, uint64_t value)
{
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &value, 8, (off_t)at), 8);
    close(fd);
}

/* What a machine that loses its power may leave: pages of different times. What cannot be told is full until its window ends,
   and everything else is made anew. */
static void test_a_file_in_pieces(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limit = kit_limit(LLIM_TOKENS, LLIM_SLIDING, 100, KIT_MINUTE, 0);
    llim_zone_options options = crew_small(p.path);
    llim_zone *zone = crew_open(&options);
    llim_row a = kit_row(zone, "a", &limit, 1), b = kit_row(zone, "b", &limit, 1), found;
    kit_permit(zone, a, LLIM_TOKENS, 10);
    kit_permit(zone, b, LLIM_TOKENS, 20);
    const llim__header h = *zone->header;
    llim_zone_close(zone);
    put(p.path, h.rows_at + a.index * sizeof(llim__row) + offsetof(llim__row, cell[0].word), LLIM__SEALED);
    for (uint32_t i = 0; i < h.index_size; i++) put(p.path, h.index_at + 8 * i, 0xffffffff00000000 | i);
    put(p.path, offsetof(llim__header, rows_free), 0x7777777777777777);
    put(p.path, offsetof(llim__header, rings_free), 0x7777777777777777);
    put(p.path, offsetof(llim__header, journal.phase), (uint64_t)999 << 32 | LLIM__WRITING);
    zone = crew_open(&options);
    assert_int_equal(llim_row_find(zone, "a", 1, &found), LLIM_OK);
    assert_memory_equal(&found, &a, sizeof a);
    assert_int_equal(kit_used(zone, a, 0), 100);
    assert_int_equal(kit_used(zone, b, 0), 20);
    kit_advance(zone, 2 * KIT_MINUTE);
    kit_permit(zone, a, LLIM_TOKENS, 100);
    kit_permit(zone, b, LLIM_TOKENS, 100);
    for (char name = 'c'; name < 'c' + 14; name++) {
        const char scope[] = {name, 0};
        llim_limit bucket = kit_limit(LLIM_TOKENS, name < 'i' ? LLIM_SLIDING : LLIM_BUCKET, 100, KIT_MINUTE, 0);
        kit_permit(zone, kit_row(zone, scope, &bucket, 1), LLIM_TOKENS, 100);
    }
    assert_int_equal(kit_try_row(zone, "one more", &limit, 1, &found), LLIM_EFULL);
    llim_zone_close(zone);
    crew_remove(p.dir);
}

/* A period that no rule of its time zone begins, as of a database that has changed since, ends when the next one begins. */
static void test_a_period_that_never_began(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    llim_limit limit = kit_calendar(LLIM_TOKENS, LLIM_PER_HOUR, "", 10, 0);
    llim_zone_options options = crew_small(p.path);
    llim_zone *zone = crew_open(&options);
    llim_row row = kit_row(zone, "a", &limit, 1);
    const uint64_t quarter = (uint64_t)((KIT_WALL + KIT_DAY + KIT_HOUR / 4) / (KIT_HOUR / 4)); /* of an hour */
    const size_t at = zone->header->rows_at + row.index * sizeof(llim__row) + offsetof(llim__row, cell[0].word);
    llim_zone_close(zone);
    put(p.path, at, quarter << 42 | 10);
    zone = crew_open(&options);
    assert_int_equal(kit_wait(zone, row, LLIM_TOKENS, 1), KIT_DAY + KIT_HOUR);
    llim_zone_close(zone);
    crew_remove(p.dir);
}

enum { PAGE = 4096, TENANTS = 60 };

/* Some tenants are new, some have taken the place of others, and limits have come, changed and gone. */
static void live_on(llim_zone *zone, kit_rng *rng, int from)
{
    const llim_limit limits[] = {kit_limit(LLIM_REQUESTS, LLIM_BUCKET, 100, KIT_DAY, 0),
                                 kit_limit(LLIM_TOKENS, LLIM_SLIDING, 1000, KIT_MINUTE, 0),
                                 kit_calendar(LLIM_TOKENS, LLIM_PER_DAY, "Asia/Tokyo", 1000000, 0),
                                 kit_limit(LLIM_IMAGES, LLIM_SLIDING, 30, KIT_HOUR + from * KIT_SECOND, 0),
                                 kit_limit(LLIM_CHARACTERS, LLIM_BUCKET, 100, KIT_MINUTE, 0)};
    for (int i = 0; i < 20; i++) {
        char scope[32];
        llim_row row;
        llim_permit permit;
        const llim_charge charge = {.amount = {[LLIM_REQUESTS] = 1, [LLIM_TOKENS] = 50}};
        snprintf(scope, sizeof scope, "tenant:%d", from + (int)kit_between(rng, 0, TENANTS));
        if (kit_try_row(zone, scope, limits, (uint32_t)kit_between(rng, 1, 5), &row) == LLIM_OK)
            llim_admit(zone, &row, 1, &charge, &permit, NULL);
    }
}

static void tell(void *ctx, const char *fault)
{
    (void)ctx;
    print_message("%s\n", fault);
}

static int verify(const char *path)
{
    llim__verified done;
    llim_error err;
    return llim__file_verify(path, &(llim__faults){.tell = tell}, &done, &err);
}

/* Each page of a file is of one of two instants. Another boot opens it, and all in it is sound; a scope that nobody touched
   meanwhile has its count. */
static void test_pages_of_two_instants(void **state)
{
    (void)state;
    crew_place p = crew_begin();
    kit_rng rng = kit_seed();
    llim_zone_options options = {
        .size = sizeof options, .path = p.path, .rows = 48, .sliding = 24, .leases = 4, .notes = 4};
    const llim_limit day = kit_calendar(LLIM_REQUESTS, LLIM_PER_DAY, "", 100, 0);
    llim_row kept;
    llim_error err;
    llim_zone *zone = crew_open(&options);
    const llim_row_spec spec = {
        .size = sizeof spec, .scope = "kept", .scope_len = 4, .limits = &day, .n_limits = 1, .pinned = 1};
    assert_int_equal(llim_row_set(zone, &spec, &kept, NULL), LLIM_OK);
    for (int i = 0; i < 7; i++) kit_permit(zone, kept, LLIM_REQUESTS, 1);
    for (int round = 0; round < 20; round++) {
        live_on(zone, &rng, round);
        content before = read_all(p.path);
        live_on(zone, &rng, round + 1);
        content after = read_all(p.path);
        llim_zone_close(zone);
        for (int mix = 0; mix < 20; mix++) {
            content torn = read_all(p.path);
            for (size_t at = 0; at < torn.size; at += PAGE) {
                const content *from = kit_between(&rng, 0, 1) ? &before : &after;
                memcpy(torn.bytes + at, from->bytes + at, torn.size - at < PAGE ? torn.size - at : PAGE);
            }
            llim__header *h = (void *)torn.bytes;
            at_store_rlx(&h->boot, at_load_rlx(&h->boot) ^ 1);
            write_all(p.path, torn.bytes, torn.size);
            free(torn.bytes);
            assert_int_equal(verify(p.path), LLIM_OK); /* as it will be put right */
            if (llim_zone_open(&options, &zone, &err)) fail_msg("%s", err.message);
            assert_int_equal(llim_row_find(zone, "kept", 4, &kept), LLIM_OK);
            assert_int_equal(kit_used(zone, kept, 0), 7);
            live_on(zone, &rng, 100);
            llim_zone_close(zone);
            assert_int_equal(verify(p.path), LLIM_OK);
        }
        write_all(p.path, after.bytes, after.size);
        free(before.bytes);
        free(after.bytes);
        zone = crew_open(&options);
    }
    llim_zone_close(zone);
    crew_remove(p.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_files_are_left_alone), cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_a_file_in_pieces),           cmocka_unit_test(test_a_period_that_never_began),
        cmocka_unit_test(test_pages_of_two_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
