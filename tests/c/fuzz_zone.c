/*
 * fuzz_zone.c - hostile zone files for libFuzzer: whatever somebody has written into one, it is refused, or can be worked with: no
 * access outside of it, no undefined arithmetic, no end that does not come. Counts may be anything.
 *
 * An input is a byte that picks a clock, and patches of eleven bytes: which part of the zone, where in it, and what stands there
 * then. What is done with the zone afterwards is drawn from all of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/zone.h"

enum { ROWS = 6, PARTS = 10, OPERATIONS = 100 };

static char path[64];
static struct {
    unsigned char *bytes;
    llim__header header;
} image[2]; /* by clock */

static void leave(void)
{
    unlink(path);
}

static llim_zone_options options_of(int32_t clock)
{
    return (llim_zone_options){.size = sizeof(llim_zone_options),
                               .clock = clock,
                               .rows = ROWS,
                               .sliding = 3,
                               .leases = 3,
                               .notes = 2,
                               .start_ns = 5000 * (int64_t)LLIM_SECOND,
                               .start_wall_ns = 1718452800 * (int64_t)LLIM_SECOND,
                               .path = path};
}

static const llim_limit limits[] = {
    {.meter = LLIM_TOKENS,
     .law = LLIM_SLIDING,
     .amount = 100,
     .window_ns = 60 * (int64_t)LLIM_SECOND,
     .guard_ns = 100000000},
    {.meter = LLIM_REQUESTS, .law = LLIM_BUCKET, .amount = 60, .window_ns = 60 * (int64_t)LLIM_SECOND},
    {.meter = LLIM_TOKENS, .law = LLIM_CALENDAR, .unit = LLIM_PER_DAY, .amount = 1000, .zone = "America/Los_Angeles"},
    {.meter = LLIM_SESSIONS, .law = LLIM_GAUGE, .amount = 2, .window_ns = 3600 * (int64_t)LLIM_SECOND},
    {.meter = LLIM_IMAGES, .law = LLIM_SLIDING, .amount = 7, .window_ns = 86400 * (int64_t)LLIM_SECOND},
};

static int set(llim_zone *zone, char name, uint32_t first, uint32_t n, llim_row *row)
{
    llim_row_spec spec = {.size = sizeof spec,
                          .scope = &name,
                          .scope_len = 1,
                          .limits = limits + first,
                          .n_limits = n,
                          .notes = first == 0};
    return llim_row_set(zone, &spec, row, NULL);
}

static const llim_charge some = {{1, 9, 4, 5, 1, 0, 16, 1, 0}};

static void check(bool good)
{
    if (!good) abort();
}

/* A zone in which everything is used. */
static void make_image(int32_t clock)
{
    const llim_zone_options o = options_of(clock);
    llim_zone *zone;
    llim_row row[2];
    llim_permit permit;
    unlink(path);
    check(llim_zone_open(&o, &zone, NULL) == LLIM_OK);
    check(set(zone, 'a', 0, 5, &row[0]) == LLIM_OK && set(zone, 'b', 0, 2, &row[1]) == LLIM_OK);
    check(llim_admit(zone, row, 2, &some, &permit, NULL) == LLIM_OK);
    check(llim_settle(zone, &permit, &some) == LLIM_OK);
    check(llim_admit(zone, row, 1, &some, &permit, NULL) == LLIM_OK);
    image[clock].header = *zone->header;
    llim_zone_close(zone);
    image[clock].bytes = malloc(image[clock].header.size);
    const int fd = open(path, O_RDONLY);
    check(fd >= 0 && read(fd, image[clock].bytes, image[clock].header.size) == (ssize_t)image[clock].header.size);
    close(fd);
}

static void patch(unsigned char *bytes, const llim__header *h, const uint8_t *data)
{
    const uint64_t at[PARTS + 1] = {0,           h->rows_at,  h->index_at,  h->names_at, h->rings_at, h->ring_cum_at,
                                    h->slots_at, h->notes_at, h->shapes_at, h->zones_at, h->size};
    const unsigned part = data[0] % PARTS;
    uint64_t size = at[part + 1] - at[part];
    if (part == 8) size = 6 * sizeof(llim__shape); /* the others are in no use */
    const uint64_t where = at[part] + (uint64_t)(data[1] | data[2] << 8) % (size / 4) * 4;
    memcpy(bytes + where, data + 3, where + 8 <= h->size ? 8 : h->size - where);
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    return z ^ z >> 29;
}

static void advance(llim_zone *zone, uint64_t *state)
{
    int64_t steady, wall;
    llim_zone_now(zone, &steady, &wall);
    const int64_t by = (int64_t)(draw(state) % ((uint64_t)1 << (draw(state) % 50)));
    llim_zone_set_clock(zone, steady + by, wall + by);
}

static void operate(llim_zone *zone, uint64_t *state)
{
    static llim_permit held[8];
    llim_permit *permit = &held[draw(state) % 8];
    llim_usage usage[4];
    llim_refusal refusal;
    llim_notes notes;
    llim_zone_stats stats;
    llim_row rows[2];
    uint32_t n;
    int64_t left;
    char text[256];
    for (int i = 0; i < 2; i++) {
        rows[i].index = (uint32_t)(draw(state) % (ROWS + 2));
        rows[i].epoch = rows[i].index <= ROWS ? LLIM__STATE_EPOCH(at_load_acq(&zone->row[rows[i].index].state)) : 0;
    }
    if (rows[0].index == rows[1].index) rows[1].index ^= 1;
    switch (draw(state) % 12) {
    case 0:
        set(zone, (char)('a' + draw(state) % 9), (uint32_t)(draw(state) % 3), (uint32_t)(1 + draw(state) % 2), rows);
        break;
    case 1:
        llim_settle(zone, permit, &some);
        break;
    case 2:
        llim_cancel(zone, permit);
        break;
    case 3:
        llim_renew(zone, permit);
        break;
    case 4:
        llim_row_usage(zone, rows[0], usage, 4, &n);
        llim_row_notes(zone, rows[0], &notes);
        break;
    case 5:
        advance(zone, state);
        break;
    case 6:
        llim_cool(zone, rows[0], (int64_t)(draw(state) % LLIM_SECOND));
        llim_cooling(zone, rows[0], &left);
        break;
    case 7:
        llim_record(zone, rows, 1, &some);
        llim_zone_get_stats(zone, &stats);
        break;
    default:
        n = llim_admit(zone, rows, (uint32_t)(1 + draw(state) % 2), &some, permit, &refusal) == LLIM_LATER;
        if (n) llim_refusal_text(&refusal, text, sizeof text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!path[0]) {
        snprintf(path, sizeof path, "/dev/shm/llim-fuzz-%d", (int)getpid());
        make_image(LLIM_CLOCK_REAL);
        make_image(LLIM_CLOCK_VIRTUAL);
        atexit(leave);
    }
    if (size == 0) return 0;
    const int32_t clock = data[0] & 1 ? LLIM_CLOCK_VIRTUAL : LLIM_CLOCK_REAL;
    const llim__header *h = &image[clock].header;
    unsigned char *bytes = malloc(h->size);
    memcpy(bytes, image[clock].bytes, h->size);
    uint64_t state = data[0] >> 1;
    for (size_t i = 1; i + 11 <= size; i += 11) {
        patch(bytes, h, data + i);
        state = state * 31 + data[i + 1] + data[i + 3];
    }
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && write(fd, bytes, h->size) == (ssize_t)h->size);
    close(fd);
    free(bytes);
    const llim_zone_options o = options_of(clock);
    llim_zone *zone;
    if (llim_zone_open(&o, &zone, NULL) != LLIM_OK) return 0;
    for (int i = 0; i < OPERATIONS; i++) operate(zone, &state);
    llim_zone_close(zone);
    return 0;
}
