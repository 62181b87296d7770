/*
 * kit.h - what the tests of the engine share: worlds with a virtual clock, short ways to write limits and charges, seeds,
 * and travelling in time.
 *
 * A world is a zone whose memory the kit allocated, so it can be saved, sent into the future and put back: that is how an
 * instant that a refusal names is tried without any other traffic and without disturbing the test. Test programs only.
 */
#ifndef LLIM_TESTS_KIT_H
#define LLIM_TESTS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm_limiters_core.h"

#define KIT_MS       INT64_C(1000000)
#define KIT_SECOND   INT64_C(1000000000)
#define KIT_MINUTE   (60 * KIT_SECOND)
#define KIT_HOUR     (3600 * KIT_SECOND)
#define KIT_DAY      (86400 * KIT_SECOND)
#define KIT_GUARD    (100 * KIT_MS)
#define KIT_START    (INT64_C(5000) * KIT_SECOND)
#define KIT_WALL     (INT64_C(1718452800) * KIT_SECOND) /* 2024-06-15 12:00:00 UTC, a Saturday */
#define KIT_COUNT(a) (sizeof(a) / sizeof((a)[0]))

__extension__ typedef __int128 kit_wide;

enum { KIT_BLOCKS = 64 };

typedef struct kit_world {
    llim_zone *zone;
    void *block[KIT_BLOCKS];
    size_t size[KIT_BLOCKS];
    unsigned char *image;
    size_t image_size;
} kit_world;

/* Opens a world at KIT_START and KIT_WALL; it must stay where it is until it is closed. */
void kit_open(kit_world *world, uint32_t rows, uint32_t sliding, uint32_t leases);
void kit_close(kit_world *world);

/* Remembers the whole zone, clock included, and puts it back, as often as wanted. */
void kit_save(kit_world *world);
void kit_restore(kit_world *world);
/* Whether any byte of the zone differs from what was saved. */
bool kit_changed(const kit_world *world);

void kit_now(llim_zone *zone, int64_t *steady, int64_t *wall);
/* Lets time pass on both clocks. */
void kit_advance(llim_zone *zone, int64_t ns);
/* Sets both clocks, the steady one relative to KIT_START. */
void kit_at(llim_zone *zone, int64_t ns);
/* Moves the wall clock alone, either way. */
void kit_step_wall(llim_zone *zone, int64_t ns);
void kit_set_wall(llim_zone *zone, int64_t wall);

llim_limit kit_limit(int meter, int law, int64_t amount, int64_t window_ns, int64_t guard_ns);
llim_limit kit_calendar(int meter, int unit, const char *zone, int64_t amount, int64_t guard_ns);
llim_charge kit_charge(int meter, int64_t amount);
/* Facts of which one meter is known. */
llim_charge kit_fact(int meter, int64_t amount);

int kit_try_row(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n, llim_row *row);
/* As kit_try_row, and fails the test with the engine's sentence unless it succeeds. */
llim_row kit_row(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n);

int64_t kit_used(llim_zone *zone, llim_row row, uint32_t limit);
int64_t kit_reset(llim_zone *zone, llim_row row, uint32_t limit);
int kit_admit(llim_zone *zone, llim_row row, int meter, int64_t amount);
/* Admits or fails the test. */
llim_permit kit_permit(llim_zone *zone, llim_row row, int meter, int64_t amount);
/* Expects LLIM_LATER and returns the wait that it names. */
int64_t kit_wait(llim_zone *zone, llim_row row, int meter, int64_t amount);

/* Promise 5: at the instant that the refusal names the same request fits, one millisecond earlier it does not. */
void kit_check_instant(kit_world *world, const llim_row *rows, uint32_t n, const llim_charge *charge,
                       const llim_refusal *refusal);

typedef struct kit_rng {
    uint64_t state;
} kit_rng;

/* From LLIM_SEED, else from the clock; printed, so that a failure can be repeated. */
kit_rng kit_seed(void);
uint64_t kit_random(kit_rng *rng);
/* Both ends included. */
int64_t kit_between(kit_rng *rng, int64_t low, int64_t high);
/* Between 1 and high, every magnitude as likely as another. */
int64_t kit_magnitude(kit_rng *rng, int64_t high);
/* A file of its own with that text; its path, for the caller to unlink. */
void kit_write_file(char path[32], const char *text);
/* A count from the environment. */
int64_t kit_env(const char *name, int64_t otherwise);

#endif
