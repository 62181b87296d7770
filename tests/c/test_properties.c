/*
 * test_properties.c - random limits of every law, random traffic and random times against the naive model.
 *
 * Each episode opens a zone of a few rows and plays some hundred operations. After each one: what the model says must fit
 * was admitted, what cannot fit was refused, a refusal changed no use, named a limit that really has no room and the very
 * instant at which the request fits; and the use of every limit lies between the model's two counts. The sliding windows'
 * lower count is an exact log, so no window of any length-and-guard is ever over its limit.
 *
 * LLIM_STEPS sets the number of operations, LLIM_SEED the seed; both ends are printed.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EPISODE = 400, OUTSTANDING = 24 };

typedef struct open_permit {
    llim_permit engine;
    model_permit model;
} open_permit;

typedef struct play {
    kit_world world;
    model_zone model;
    llim_row row[MODEL_ROWS];
    open_permit open[OUTSTANDING];
    uint32_t n_open;
    kit_rng rng;
    int64_t longest; /* window of this episode */
    int gauges;
    int64_t next; /* instant of the last refusal, 0: none */
    uint64_t admitted, refused, never, ended, travelled;
} play;

static bool one_in(play *p, int64_t n)
{
    return kit_between(&p->rng, 1, n) == 1;
}

static int64_t random_window(play *p)
{
    static const int64_t usual[] = {KIT_SECOND, KIT_MINUTE, KIT_MINUTE, KIT_MINUTE, KIT_HOUR, KIT_DAY};
    int64_t pick = kit_between(&p->rng, 0, 2 * (int64_t)KIT_COUNT(usual) - 1);
    if (pick < (int64_t)KIT_COUNT(usual)) return usual[pick];
    return KIT_SECOND + kit_magnitude(&p->rng, 40 * KIT_DAY);
}

static int64_t random_guard(play *p, int64_t window)
{
    switch (kit_between(&p->rng, 0, 3)) {
    case 0:
        return 0;
    case 1:
        return kit_magnitude(&p->rng, window / 4);
    default:
        return KIT_GUARD;
    }
}

static llim_limit random_limit(play *p)
{
    int meter = (int)kit_between(&p->rng, 0, 3);
    int64_t amount = one_in(p, 2) ? kit_between(&p->rng, 1, 20) : kit_magnitude(&p->rng, 1000000000);
    int64_t window = random_window(p);
    llim_limit limit;
    switch (kit_between(&p->rng, 0, p->gauges < LLIM_MAX_LEASES ? 6 : 5)) {
    case 0:
    case 1:
    case 2:
        limit = kit_limit(meter, LLIM_SLIDING, amount, window, random_guard(p, window));
        break;
    case 3:
    case 4:
        limit = kit_limit(meter, LLIM_BUCKET, amount, window, random_guard(p, window));
        break;
    case 5: {
        /* A quarter of the shortest there may be, whatever the zone. */
        static const int64_t length[] = {0, KIT_MINUTE, KIT_HOUR / 2, 22 * KIT_HOUR, 6 * KIT_DAY, 27 * KIT_DAY};
        int unit = (int)kit_between(&p->rng, LLIM_PER_MINUTE, LLIM_PER_MONTH);
        window = length[unit];
        limit = kit_calendar(meter, unit, one_in(p, 2) ? "America/Los_Angeles" : "", amount, random_guard(p, window));
        break;
    }
    default:
        p->gauges++;
        limit = kit_limit(one_in(p, 2) ? LLIM_SESSIONS : meter, LLIM_GAUGE, amount, window, 0);
    }
    limit.charged = one_in(p, 3) ? LLIM_CHARGED_RESERVED : LLIM_CHARGED_USED;
    if (window > p->longest) p->longest = window;
    return limit;
}

static void sync_clock(play *p)
{
    kit_now(p->world.zone, &p->model.now, &p->model.wall);
}

static void begin(play *p)
{
    kit_open(&p->world, 64, 24, 512);
    model_init(&p->model);
    p->n_open = 0;
    p->next = 0;
    p->longest = KIT_SECOND;
    p->gauges = 0;
    /* Two years of starting points, so that changes to and from daylight saving time are met. */
    kit_set_wall(p->world.zone, KIT_WALL + kit_between(&p->rng, 0, 730) * KIT_DAY + kit_magnitude(&p->rng, KIT_DAY));
    sync_clock(p);
    uint32_t rows = (uint32_t)kit_between(&p->rng, 1, MODEL_ROWS);
    for (uint32_t r = 0; r < rows; r++) {
        llim_limit limits[MODEL_LIMITS];
        uint32_t n = (uint32_t)kit_between(&p->rng, 0, MODEL_LIMITS);
        for (uint32_t i = 0; i < n; i++) limits[i] = random_limit(p);
        char scope[16] = "team:a";
        scope[5] = (char)('a' + r);
        int code = kit_try_row(p->world.zone, scope, limits, n, &p->row[r]);
        if (code == LLIM_EINVAL) { /* two limits of one identity */
            r--;
            continue;
        }
        assert_int_equal(code, LLIM_OK);
        model_add_row(&p->model, limits, n);
    }
}

static uint32_t usages(play *p, llim_usage out[MODEL_ROWS * MODEL_LIMITS])
{
    uint32_t total = 0;
    for (uint32_t r = 0; r < p->model.n; r++) {
        uint32_t n;
        assert_int_equal(llim_row_usage(p->world.zone, p->row[r], out + total, MODEL_LIMITS, &n), LLIM_OK);
        assert_int_equal(n, p->model.row[r].n);
        total += n;
    }
    return total;
}

static void check_usages(play *p)
{
    llim_usage usage[MODEL_ROWS * MODEL_LIMITS];
    usages(p, usage);
    const llim_usage *u = usage;
    for (uint32_t r = 0; r < p->model.n; r++) {
        for (uint32_t i = 0; i < p->model.row[r].n; i++, u++) {
            int64_t least, most;
            model_used(&p->model, r, i, &least, &most);
            if (u->used >= least && u->used <= most) continue;
            fail_msg("row %u limit %u (%s of %lld, window %lld, guard %lld): shows %lld used, not %lld .. %lld", r, i,
                     llim_law_name(u->limit.law), (long long)u->limit.amount, (long long)u->limit.window_ns,
                     (long long)u->limit.guard_ns, (long long)u->used, (long long)least, (long long)most);
        }
    }
}

static uint32_t random_rows(play *p, uint32_t rows[MODEL_ROWS])
{
    uint32_t n = 0, first = (uint32_t)kit_between(&p->rng, 0, p->model.n - 1);
    for (uint32_t i = 0; i < p->model.n; i++)
        if (i == 0 || one_in(p, 2)) rows[n++] = (first + i) % p->model.n;
    return n;
}

/* Amounts that are small, or near a limit, or now and then above it. */
static int64_t random_amount(play *p, int meter, const uint32_t *rows, uint32_t n)
{
    int64_t smallest = 1000000000;
    for (uint32_t r = 0; r < n; r++) {
        const model_row *row = &p->model.row[rows[r]];
        for (uint32_t i = 0; i < row->n; i++)
            if (row->limit[i].spec.meter == meter && row->limit[i].spec.amount < smallest)
                smallest = row->limit[i].spec.amount;
    }
    switch (kit_between(&p->rng, 0, 9)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return smallest;
    case 3:
        return one_in(p, 8) ? smallest + 1 : 1;
    default:
        return kit_magnitude(&p->rng, smallest / 3 + 1);
    }
}

static llim_charge random_charge(play *p, const uint32_t *rows, uint32_t n)
{
    llim_charge charge = {{0}};
    for (int m = 0; m < 4; m++) charge.amount[m] = random_amount(p, m, rows, n);
    charge.amount[LLIM_SESSIONS] = one_in(p, 2) ? 1 : 0;
    return charge;
}

static llim_charge random_facts(play *p, const llim_charge *charge)
{
    llim_charge facts = {{0}};
    for (int m = 0; m < LLIM_METERS; m++) {
        int64_t amount = charge->amount[m];
        switch (kit_between(&p->rng, 0, 4)) {
        case 0:
            facts.amount[m] = LLIM_UNKNOWN;
            break;
        case 1:
            facts.amount[m] = amount;
            break;
        case 2:
            facts.amount[m] = amount + kit_magnitude(&p->rng, amount + 2);
            break;
        default:
            facts.amount[m] = amount > 0 ? kit_between(&p->rng, 0, amount) : 0;
        }
    }
    return facts;
}

static void check_refusal(play *p, int code, enum model_verdict verdict, const llim_charge *charge,
                          const llim_refusal *refusal)
{
    assert_int_equal(refusal->code, code);
    if (verdict == MODEL_NEVER) {
        assert_int_equal(refusal->reason, LLIM_BY_LIMIT);
        assert_int_equal(refusal->wait_ns, 0);
        assert_true(refusal->amount > refusal->limit);
    } else if (refusal->reason == LLIM_BY_LIMIT) {
        assert_int_equal(refusal->amount, charge->amount[refusal->meter]);
        /* A bucket with a guard refuses a little before its level says so; and a calendar within the guard of a boundary, if
           a false clock has opened a period beyond it. */
        bool may = refusal->guard_ns > 0 && (refusal->law == LLIM_BUCKET || refusal->law == LLIM_CALENDAR);
        if (!may) assert_true(refusal->used + refusal->amount > refusal->limit);
    } else {
        assert_int_equal(refusal->reason, LLIM_BY_COOLDOWN);
    }
    bool named = false;
    for (uint32_t r = 0; r < p->model.n; r++) named |= strncmp(refusal->scope, "team:", 5) == 0;
    assert_true(named);
}

static void admit(play *p)
{
    uint32_t rows[MODEL_ROWS], n = random_rows(p, rows);
    llim_row handles[MODEL_ROWS];
    for (uint32_t i = 0; i < n; i++) handles[i] = p->row[rows[i]];
    llim_charge charge = random_charge(p, rows, n);
    llim_usage before[MODEL_ROWS * MODEL_LIMITS], after[MODEL_ROWS * MODEL_LIMITS];
    memset(before, 0, sizeof before);
    memset(after, 0, sizeof after);
    usages(p, before);
    enum model_verdict verdict = model_judge(&p->model, rows, n, &charge);
    llim_permit permit;
    llim_refusal refusal;
    int checked = llim_check(p->world.zone, handles, n, &charge, NULL);
    int code = llim_admit(p->world.zone, handles, n, &charge, &permit, &refusal);
    assert_int_equal(checked, code);
    static const int expected[] = {LLIM_OK, LLIM_LATER, LLIM_NEVER};
    if (verdict == MODEL_EITHER ? code != LLIM_OK && code != LLIM_LATER : code != expected[verdict])
        fail_msg("the model says %d, the engine %s", (int)verdict, llim_code_name(code));
    if (code == LLIM_OK) {
        p->admitted++;
        assert_int_equal(permit.n_rows, n);
        assert_int_equal(permit.at_ns, p->model.now);
        assert_int_equal(permit.wall_ns, p->model.wall);
        assert_memory_equal(&permit.charge, &charge, sizeof charge);
        uint32_t place = p->n_open < OUTSTANDING ? p->n_open++ : (uint32_t)kit_between(&p->rng, 0, OUTSTANDING - 1);
        p->open[place].engine = permit; /* the one that was there is abandoned */
        model_charge(&p->model, rows, n, &charge, &p->open[place].model);
        return;
    }
    code == LLIM_NEVER ? p->never++ : p->refused++;
    check_refusal(p, code, verdict, &charge, &refusal);
    usages(p, after);
    assert_memory_equal(before, after, sizeof before);
    if (code == LLIM_NEVER) return;
    kit_check_instant(&p->world, handles, n, &charge, &refusal);
    p->travelled++;
    if (refusal.wait_ns < 2 * p->longest) p->next = refusal.at_ns;
}

static void end_one(play *p)
{
    if (p->n_open == 0) return;
    uint32_t place = (uint32_t)kit_between(&p->rng, 0, p->n_open - 1);
    open_permit ending = p->open[place];
    p->open[place] = p->open[--p->n_open];
    int64_t how = kit_between(&p->rng, 0, 9);
    llim_charge facts = random_facts(p, &ending.model.charge);
    const llim_charge *given = how == 0 ? NULL : &facts;
    int code = how == 9   ? llim_cancel(p->world.zone, &ending.engine)
               : how == 8 ? llim_reject(p->world.zone, &ending.engine)
                          : llim_settle(p->world.zone, &ending.engine, given);
    assert_int_equal(ending.engine.n_rows, 0);
    if (code != LLIM_OK && model_leases_held(&p->model, &ending.model))
        fail_msg("a live permit does not end: %s", llim_code_name(code));
    if (code == LLIM_OK && model_leases_ended(&p->model, &ending.model)) fail_msg("an expired permit ends well");
    assert_int_equal(llim_settle(p->world.zone, &ending.engine, &facts), LLIM_EENDED);
    p->ended++;
    if (code != LLIM_OK)
        model_release(&p->model, &ending.model);
    else if (how == 9)
        model_cancel(&p->model, &ending.model);
    else if (how == 8)
        model_reject(&p->model, &ending.model);
    else
        model_settle(&p->model, &ending.model, given);
}

static void renew_one(play *p)
{
    if (p->n_open == 0) return;
    open_permit *open = &p->open[kit_between(&p->rng, 0, p->n_open - 1)];
    int code = llim_renew(p->world.zone, &open->engine);
    if (code != LLIM_OK && model_leases_held(&p->model, &open->model)) fail_msg("a live permit is not renewed");
    if (code == LLIM_OK && model_leases_ended(&p->model, &open->model)) fail_msg("an expired permit is renewed");
    model_renew(&p->model, &open->model, code == LLIM_OK);
}

static void pass_time(play *p)
{
    int64_t step = kit_magnitude(&p->rng, one_in(p, 10) ? 30 * p->longest : p->longest + p->longest / 4);
    if (p->next > p->model.now && one_in(p, 2)) step = p->next - p->model.now - kit_between(&p->rng, 0, 1);
    /* Some years are enough: the engine tells periods apart for four. */
    if (one_in(p, 3) || p->model.now + step > KIT_START + 1000 * KIT_DAY) step = kit_magnitude(&p->rng, KIT_SECOND);
    kit_advance(p->world.zone, step);
    if (one_in(p, 30)) {
        int64_t wall = kit_magnitude(&p->rng, one_in(p, 4) ? 3 * KIT_DAY : 2 * KIT_HOUR);
        kit_step_wall(p->world.zone, one_in(p, 2) ? wall : -wall);
    }
    sync_clock(p);
}

static void record(play *p)
{
    uint32_t rows[MODEL_ROWS], n = random_rows(p, rows);
    llim_row handles[MODEL_ROWS];
    for (uint32_t i = 0; i < n; i++) handles[i] = p->row[rows[i]];
    llim_charge facts = random_charge(p, rows, n);
    if (one_in(p, 4)) facts.amount[kit_between(&p->rng, 0, LLIM_METERS - 1)] = LLIM_UNKNOWN;
    assert_int_equal(llim_record(p->world.zone, handles, n, &facts), LLIM_OK);
    model_record(&p->model, rows, n, &facts);
}

static void cool(play *p)
{
    uint32_t r = (uint32_t)kit_between(&p->rng, 0, p->model.n - 1);
    int64_t length = kit_magnitude(&p->rng, p->longest / 8), left;
    assert_int_equal(llim_cool(p->world.zone, p->row[r], length), LLIM_OK);
    if (p->model.now + length > p->model.row[r].cool_until) p->model.row[r].cool_until = p->model.now + length;
    assert_int_equal(llim_cooling(p->world.zone, p->row[r], &left), LLIM_OK);
    assert_int_equal(left, p->model.row[r].cool_until - p->model.now);
}

static void step(play *p)
{
    int64_t pick = kit_between(&p->rng, 0, 99);
    if (pick < 55)
        admit(p);
    else if (pick < 73)
        end_one(p);
    else if (pick < 94)
        pass_time(p);
    else if (pick < 96)
        renew_one(p);
    else if (pick < 98)
        record(p);
    else if (pick < 99)
        cool(p);
    else if (p->n_open > 0)
        p->n_open--; /* abandoned */
    check_usages(p);
}

static void test_engine_agrees_with_the_model(void **state)
{
    (void)state;
    setenv("TZ", "America/Los_Angeles", 1);
    tzset();
    int64_t steps = kit_env("LLIM_STEPS", 1000000);
    play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->rng = kit_seed();
    for (int64_t done = 0; done < steps; done += EPISODE) {
        begin(p);
        for (int i = 0; i < EPISODE; i++) step(p);
        kit_close(&p->world);
    }
    print_message("%llu admitted, %llu later, %llu never, %llu ended, %llu instants tried\n",
                  (unsigned long long)p->admitted, (unsigned long long)p->refused, (unsigned long long)p->never,
                  (unsigned long long)p->ended, (unsigned long long)p->travelled);
    assert_true(p->admitted > 0 && p->refused > 0 && p->never > 0 && p->ended > 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
