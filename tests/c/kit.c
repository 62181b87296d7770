/*
 * kit.c - see kit.h.
 *
 * The zone's memory is kept as the list of blocks that its allocator handed out; saving copies them all. That is sound
 * because a zone holds no other state than its memory and nothing runs in it while it is copied.
 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void *world_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    kit_world *world = ctx;
    unsigned i = 0;
    while (i < KIT_BLOCKS && world->block[i] != ptr) i++;
    if (i == KIT_BLOCKS)
        fail_msg("the zone gives back or grows memory that it was not given, or holds over %d blocks", i);
    if (ptr && world->size[i] != old_size) fail_msg("the zone misremembers a block's size");
    if (size == 0) {
        free(ptr);
        world->block[i] = NULL;
        return NULL;
    }
    void *grown = realloc(ptr, size);
    world->block[i] = grown;
    world->size[i] = size;
    return grown;
}

void kit_open(kit_world *world, uint32_t rows, uint32_t sliding, uint32_t leases)
{
    memset(world, 0, sizeof *world);
    llim_zone_options options = {.size = sizeof options,
                                 .clock = LLIM_CLOCK_VIRTUAL,
                                 .rows = rows,
                                 .sliding = sliding,
                                 .leases = leases,
                                 .start_ns = KIT_START,
                                 .start_wall_ns = KIT_WALL,
                                 .alloc = world_alloc,
                                 .alloc_ctx = world};
    llim_error err;
    if (llim_zone_open(&options, &world->zone, &err) != LLIM_OK) fail_msg("open: %s", err.message);
}

void kit_close(kit_world *world)
{
    llim_zone_close(world->zone);
    for (unsigned i = 0; i < KIT_BLOCKS; i++) assert_null(world->block[i]);
    free(world->image);
}

void kit_save(kit_world *world)
{
    size_t total = 0;
    for (unsigned i = 0; i < KIT_BLOCKS; i++)
        if (world->block[i]) total += world->size[i];
    if (total != world->image_size) {
        world->image = realloc(world->image, total);
        assert_non_null(world->image);
        world->image_size = total;
    }
    unsigned char *to = world->image;
    for (unsigned i = 0; i < KIT_BLOCKS; i++) {
        if (!world->block[i]) continue;
        memcpy(to, world->block[i], world->size[i]);
        to += world->size[i];
    }
}

void kit_restore(kit_world *world)
{
    const unsigned char *from = world->image;
    for (unsigned i = 0; i < KIT_BLOCKS; i++) {
        if (!world->block[i]) continue;
        memcpy(world->block[i], from, world->size[i]);
        from += world->size[i];
    }
}

bool kit_changed(const kit_world *world)
{
    const unsigned char *from = world->image;
    for (unsigned i = 0; i < KIT_BLOCKS; i++) {
        if (!world->block[i]) continue;
        if (memcmp(world->block[i], from, world->size[i]) != 0) return true;
        from += world->size[i];
    }
    return false;
}

void kit_now(llim_zone *zone, int64_t *steady, int64_t *wall)
{
    llim_zone_now(zone, steady, wall);
}

void kit_advance(llim_zone *zone, int64_t ns)
{
    int64_t steady, wall;
    kit_now(zone, &steady, &wall);
    assert_int_equal(llim_zone_set_clock(zone, steady + ns, wall + ns), LLIM_OK);
}

void kit_at(llim_zone *zone, int64_t ns)
{
    assert_int_equal(llim_zone_set_clock(zone, KIT_START + ns, KIT_WALL + ns), LLIM_OK);
}

void kit_step_wall(llim_zone *zone, int64_t ns)
{
    int64_t steady, wall;
    kit_now(zone, &steady, &wall);
    assert_int_equal(llim_zone_set_clock(zone, steady, wall + ns), LLIM_OK);
}

void kit_set_wall(llim_zone *zone, int64_t wall)
{
    int64_t steady;
    kit_now(zone, &steady, NULL);
    assert_int_equal(llim_zone_set_clock(zone, steady, wall), LLIM_OK);
}

llim_limit kit_limit(int meter, int law, int64_t amount, int64_t window_ns, int64_t guard_ns)
{
    return (llim_limit){.meter = meter, .law = law, .amount = amount, .window_ns = window_ns, .guard_ns = guard_ns};
}

llim_limit kit_calendar(int meter, int unit, const char *zone, int64_t amount, int64_t guard_ns)
{
    llim_limit limit = {
        .meter = meter, .law = LLIM_CALENDAR, .unit = unit, .amount = amount, .guard_ns = guard_ns, .zone = ""};
    size_t len = strlen(zone);
    assert_true(len < sizeof limit.zone);
    memcpy(limit.zone, zone, len);
    return limit;
}

llim_charge kit_charge(int meter, int64_t amount)
{
    llim_charge charge = {{0}};
    charge.amount[meter] = amount;
    return charge;
}

llim_charge kit_fact(int meter, int64_t amount)
{
    llim_charge facts;
    for (int i = 0; i < LLIM_METERS; i++) facts.amount[i] = LLIM_UNKNOWN;
    facts.amount[meter] = amount;
    return facts;
}

int kit_try_row(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n, llim_row *row)
{
    llim_row_spec spec = {.size = sizeof spec,
                          .scope_len = (uint32_t)strlen(scope),
                          .scope = scope,
                          .limits = limits,
                          .n_limits = n,
                          .generation = 1};
    return llim_row_set(zone, &spec, row, NULL);
}

llim_row kit_row(llim_zone *zone, const char *scope, const llim_limit *limits, uint32_t n)
{
    llim_row_spec spec = {.size = sizeof spec,
                          .scope_len = (uint32_t)strlen(scope),
                          .scope = scope,
                          .limits = limits,
                          .n_limits = n,
                          .generation = 1};
    llim_row row;
    llim_error err;
    int code = llim_row_set(zone, &spec, &row, &err);
    if (code != LLIM_OK) fail_msg("%s: %s: %s", scope, llim_code_name(code), err.message);
    return row;
}

static llim_usage usage_of(llim_zone *zone, llim_row row, uint32_t limit)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n;
    assert_int_equal(llim_row_usage(zone, row, usage, LLIM_MAX_LIMITS, &n), LLIM_OK);
    assert_true(limit < n);
    return usage[limit];
}

int64_t kit_used(llim_zone *zone, llim_row row, uint32_t limit)
{
    return usage_of(zone, row, limit).used;
}

int64_t kit_reset(llim_zone *zone, llim_row row, uint32_t limit)
{
    return usage_of(zone, row, limit).reset_ns;
}

int kit_admit(llim_zone *zone, llim_row row, int meter, int64_t amount)
{
    llim_charge charge = kit_charge(meter, amount);
    llim_permit permit;
    return llim_admit(zone, &row, 1, &charge, &permit, NULL);
}

llim_permit kit_permit(llim_zone *zone, llim_row row, int meter, int64_t amount)
{
    llim_charge charge = kit_charge(meter, amount);
    llim_permit permit;
    llim_refusal refusal;
    int code = llim_admit(zone, &row, 1, &charge, &permit, &refusal);
    if (code != LLIM_OK) fail_msg("not admitted: %s, used %lld", llim_code_name(code), (long long)refusal.used);
    return permit;
}

int64_t kit_wait(llim_zone *zone, llim_row row, int meter, int64_t amount)
{
    llim_charge charge = kit_charge(meter, amount);
    llim_refusal refusal;
    assert_int_equal(llim_check(zone, &row, 1, &charge, &refusal), LLIM_LATER);
    return refusal.wait_ns;
}

static int check_at(kit_world *world, const llim_row *rows, uint32_t n, const llim_charge *charge, int64_t at)
{
    int64_t steady, wall;
    kit_now(world->zone, &steady, &wall);
    assert_int_equal(llim_zone_set_clock(world->zone, at, wall + (at - steady)), LLIM_OK);
    int code = llim_check(world->zone, rows, n, charge, NULL);
    kit_restore(world);
    return code;
}

void kit_check_instant(kit_world *world, const llim_row *rows, uint32_t n, const llim_charge *charge,
                       const llim_refusal *refusal)
{
    int64_t steady, wall;
    kit_now(world->zone, &steady, &wall);
    if (refusal->wait_ns <= 0) fail_msg("a refusal with a wait of %lld ns", (long long)refusal->wait_ns);
    assert_int_equal(refusal->at_ns, steady + refusal->wait_ns);
    assert_int_equal(refusal->at_wall_ns, wall + refusal->wait_ns);
    kit_save(world);
    int64_t before = refusal->at_ns - KIT_MS > steady ? refusal->at_ns - KIT_MS : steady;
    int early = check_at(world, rows, n, charge, before);
    char text[256];
    llim_refusal_text(refusal, text, sizeof text);
    if (early != LLIM_LATER)
        fail_msg("fits %lld ns before the refusal's instant: %s", (long long)(refusal->at_ns - before), text);
    int then = check_at(world, rows, n, charge, refusal->at_ns);
    if (then != LLIM_OK)
        fail_msg("does not fit at the refusal's instant: %s, wait %lld, law %s", llim_code_name(then),
                 (long long)refusal->wait_ns, llim_law_name(refusal->law));
}

kit_rng kit_seed(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    kit_rng rng = {(uint64_t)kit_env("LLIM_SEED", (int64_t)ts.tv_nsec ^ ((int64_t)ts.tv_sec << 20) ^ getpid())};
    print_message("LLIM_SEED=%lld\n", (long long)rng.state);
    return rng;
}

uint64_t kit_random(kit_rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int64_t kit_between(kit_rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)(kit_random(rng) % ((uint64_t)(high - low) + 1));
}

int64_t kit_magnitude(kit_rng *rng, int64_t high)
{
    int bits = 1;
    while (bits < 62 && (INT64_C(1) << bits) <= high) bits++;
    int64_t top = INT64_C(1) << kit_between(rng, 0, bits);
    return kit_between(rng, 1, top < high ? top : high);
}

int64_t kit_env(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

void kit_write_file(char path[32], const char *text)
{
    strcpy(path, "/tmp/llim-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}
