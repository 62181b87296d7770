/*
 * test_hooks.c - what a policy's hooks see and what follows from their answers: the pool tells what the engine would do at
 * that instant, estimates and scopes are charged, results cool, faults leave the decision to the defaults.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "llm_limiters.h"

static const char overrides[] =
    "return {\n"
    "  a = { rpm = 4, tpm = 1000, guard = 0, weight = 3, price = { input = 2, output = 8 } },\n"
    "  b = { rpm = 2, tpm = 500, requests = gauge(2, 60), guard = 0 },\n"
    "  c = { blocked = true }, d = { cost = usd(1)/hour, price = { input = 2, output = 8 }, guard = 0 },\n"
    "  ['team:*'] = { rpm = 2 }, ['user:ann'] = { tpm = 100 },\n"
    "}\n";

static int try_open(const char *policy, llim_limiter **limiter, llim_error *err)
{
    char rules[32], quotas[32];
    kit_write_file(quotas, overrides);
    kit_write_file(rules, policy);
    llim_options options = {.size = sizeof options, .overrides = quotas, .policy = rules, .seed = 7};
    options.zone =
        (llim_zone_options){.size = sizeof options.zone, .clock = LLIM_CLOCK_VIRTUAL, .start_wall_ns = KIT_WALL};
    int code = llim_open(&options, limiter, err);
    unlink(quotas);
    unlink(rules);
    return code;
}

static llim_limiter *open_policy(const char *body)
{
    char text[4096];
    llim_limiter *limiter;
    llim_error err;
    snprintf(text, sizeof text, "local huge = math.huge\nreturn policy { api = 1, name = 'test', %s }\n", body);
    if (try_open(text, &limiter, &err)) fail_msg("%s", err.message);
    return limiter;
}

static llim_status status_of(llim_limiter *limiter)
{
    llim_status status = {.size = sizeof status};
    assert_int_equal(llim_get_status(limiter, &status), LLIM_OK);
    return status;
}

static llim_row row_of(llim_limiter *limiter, const char *name)
{
    llim_model_info info;
    assert_int_equal(llim_model(limiter, name, &info, NULL), LLIM_OK);
    return info.row;
}

static int64_t used_of(llim_limiter *limiter, llim_row row, int meter)
{
    llim_usage usage[LLIM_MAX_LIMITS];
    uint32_t n;
    assert_int_equal(llim_row_usage(llim_limiter_zone(limiter), row, usage, LLIM_MAX_LIMITS, &n), LLIM_OK);
    for (uint32_t i = 0; i < n; i++)
        if (usage[i].limit.meter == meter && usage[i].limit.law != LLIM_GAUGE) return usage[i].used;
    return -1;
}

static const char *const all[] = {"a", "b", "c", "d"};

static llim_request ask_for(int64_t tokens)
{
    return (llim_request){
        .size = sizeof(llim_request), .models = all, .n_models = 3, .charge = {.amount = {[LLIM_TOKENS] = tokens}}};
}

static int acquire(llim_limiter *limiter, const llim_request *request, llim_permit *permit, llim_refusal *refusal)
{
    llim_error err;
    int code = llim_acquire(limiter, request, permit, refusal, &err);
    if (code != LLIM_OK && code != LLIM_LATER && code != LLIM_NEVER)
        fail_msg("%s: %s", llim_code_name(code), err.message);
    llim_status status = status_of(limiter);
    if (status.faults) fail_msg("%s", status.fault.message);
    return code;
}

/* The hook itself compares; what it finds wrong is a fault. */
static void test_what_a_hook_sees(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy(
        "route = function(req, pool)\n"
        "  assert(#pool == 3 and pool[1].name == 'a' and pool[2].provider == 'custom' and pool[3].name == 'c')\n"
        "  assert(pool[1].weight == 3 and pool[2].weight == 1 and pool[1].price.output == 8 and pool[2].price == nil)\n"
        "  assert(req.tokens == 100 and req.requests == 0 and req.max_output_tokens == 7 and req.tenant == 'acme')\n"
        "  assert(req.session == nil and req.random >= 0 and req.random < 1 and req.at == 1718452800)\n"
        "  assert(not pool[1].cooling and pool[1].strikes == 0 and pool[1].inflight == 0)\n"
        "  local a, b, c = pool[1], pool[2], pool[3]\n"
        "  assert(a:fits(req) and a:wait(req) == 0 and a:room() == 1 and a:room('tokens') == 1 and a:room('images') == "
        "1)\n"
        "  assert(not b:fits { tokens = 501 } and b:wait { tokens = 501 } == huge and b:fits { tokens = 500 })\n"
        "  assert(not c:fits(req) and c:wait(req) == huge and c:room() == 0)\n"
        "  for _, write in ipairs { function() req.tokens = 1 end, function() a.name = 'b' end, function() a.score = 1 "
        "end,\n"
        "                           function() a.price.input = 0 end } do assert(not pcall(write)) end\n"
        "  local ok, why = pcall(function() return a.prise end)\n"
        "  assert(not ok and why:sub(-119) == ': a candidate has no field prise; it has name, provider, weight, '\n"
        "    .. 'price, cooling, strikes, inflight, fits, room and wait')\n"
        "  table.remove(pool, 1)\n"
        "  return pool\n"
        "end");
    llim_tag tag = {"tenant", "acme"};
    llim_request request = ask_for(100);
    request.max_output_tokens = 7;
    request.tags = &tag;
    request.n_tags = 1;
    llim_permit permit;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1);
    llim_close(limiter);
}

/* What fits, room and wait tell is what the engine then does, whatever has happened before. */
static void test_the_pool_agrees_with_the_engine(void **state)
{
    (void)state;
    /* The policy's order: those that fit first, those with the shortest wait then; it leaves out what never fits. */
    llim_limiter *limiter = open_policy("route = function(req, pool)\n"
                                        "  local plan = {}\n"
                                        "  for _, m in ipairs(pool) do\n"
                                        "    assert(m:fits(req) == (m:wait(req) == 0))\n"
                                        "    if m:wait(req) < huge then plan[#plan + 1] = m end\n"
                                        "  end\n"
                                        "  table.sort(plan, function(x, y)\n"
                                        "    if x:wait(req) ~= y:wait(req) then return x:wait(req) < y:wait(req) end\n"
                                        "    return x.name < y.name\n"
                                        "  end)\n"
                                        "  return plan\n"
                                        "end");
    llim_zone *zone = llim_limiter_zone(limiter);
    unsigned admitted = 0, refused = 0;
    srand(7);
    for (int i = 0; i < 3000; i++) {
        llim_request request = ask_for(1 + rand() % 600);
        llim_permit permit;
        llim_refusal refusal, of[2];
        int each[2];
        for (unsigned m = 0; m < 2; m++) {
            llim_row row = row_of(limiter, all[m]);
            llim_charge charge = {.amount = {[LLIM_REQUESTS] = 1,
                                             [LLIM_TOKENS] = request.charge.amount[LLIM_TOKENS],
                                             [LLIM_INPUT_TOKENS] = request.charge.amount[LLIM_TOKENS]}};
            each[m] = llim_check(zone, &row, 1, &charge, &of[m]);
        }
        int code = acquire(limiter, &request, &permit, &refusal);
        bool any = each[0] == LLIM_OK || each[1] == LLIM_OK;
        assert_int_equal(code == LLIM_OK, any);
        if (code == LLIM_OK) {
            assert_int_equal(permit.candidate, each[0] == LLIM_OK ? 0 : 1);
            admitted++;
            if (rand() % 2) llim_cancel(zone, &permit);
        } else {
            int64_t first = INT64_MAX;
            for (unsigned m = 0; m < 2; m++)
                if (each[m] == LLIM_LATER && of[m].at_ns < first) first = of[m].at_ns;
            if (code == LLIM_LATER) assert_int_equal(refusal.at_ns, first);
            refused++;
        }
        if (rand() % 40 == 0) llim_cool(zone, row_of(limiter, all[rand() % 2]), 20 * KIT_SECOND);
        kit_advance(zone, rand() % (8 * KIT_SECOND));
    }
    assert_true(admitted > 300 && refused > 300);
    llim_close(limiter);
}

static void test_room_and_inflight(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_policy("route = function(req, pool)\n"
                    "  local b = pool[2]\n"
                    "  if req.step == '1' then assert(b:room('requests') == 0.5 and b.inflight == 1)\n"
                    "    assert(b:room('tokens') == 0.8 and b:room() == 0.5)\n"
                    "  elseif req.step == '2' then assert(b.cooling == 5 and b.inflight == 1) end\n"
                    "  return { b }\n"
                    "end");
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_tag tag = {"step", "0"};
    llim_request request = ask_for(100);
    llim_permit permit, second;
    request.tags = &tag;
    request.n_tags = 1;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    tag.value = "1";
    assert_int_equal(acquire(limiter, &request, &second, NULL), LLIM_OK);
    llim_cancel(zone, &second);
    llim_cool(zone, row_of(limiter, "b"), 5 * KIT_SECOND);
    tag.value = "2";
    llim_refusal refusal;
    assert_int_equal(acquire(limiter, &request, &second, &refusal), LLIM_LATER);
    llim_close(limiter);
}

static void test_estimates_are_charged(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("estimate = function(req, m)\n"
                                        "  if m.name == 'a' then return { tokens = 2000 } end\n"
                                        "  return { tokens = req.characters / 3, output_tokens = 11 }\n"
                                        "end");
    llim_request request = ask_for(5);
    request.charge.amount[LLIM_CHARACTERS] = 100;
    llim_permit permit;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(permit.candidate, 1); /* a never fits */
    assert_int_equal(permit.charge.amount[LLIM_TOKENS], 34);
    assert_int_equal(permit.charge.amount[LLIM_OUTPUT_TOKENS], 11);
    assert_int_equal(permit.charge.amount[LLIM_INPUT_TOKENS], 25);
    assert_int_equal(used_of(limiter, row_of(limiter, "b"), LLIM_TOKENS), 34);
    llim_close(limiter);
}

/* The price turns tokens into money, reserved and settled. */
static void test_cost(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("");
    llim_request request = {.size = sizeof request, .models = &all[3], .n_models = 1};
    request.charge.amount[LLIM_INPUT_TOKENS] = 1000;
    request.max_output_tokens = 500;
    llim_permit permit;
    llim_row row = row_of(limiter, "d");
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(used_of(limiter, row, LLIM_COST), 1000 * 2 + 500 * 8);
    static const char body[] = "{\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":100,\"total_tokens\":1000}}";
    llim_response response = {.size = sizeof response, .status = 200, .body = body, .body_len = sizeof body - 1};
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_OK);
    assert_int_equal(used_of(limiter, row, LLIM_COST), 900 * 2 + 100 * 8);
    request.charge.amount[LLIM_INPUT_TOKENS] = 600000; /* 1.2 dollars */
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_NEVER);
    llim_close(limiter);
}

static unsigned warned;
static char warning[256];

static void warn(void *ctx, int level, const char *message)
{
    (void)ctx;
    warned += level == LLIM_LOG_WARNING;
    snprintf(warning, sizeof warning, "%s", message);
}

/* A limit on cost that a model without a price can never meet is told. */
static void test_cost_without_a_price(void **state)
{
    (void)state;
    static const char *const mine[] = {"return { a = { rpm = 1 }, ['user:*'] = { cost = usd(1)/day } }\n",
                                       "return { b = { cost = usd(1)/day, price = { input = 1 } } }\n"};
    for (unsigned i = 0; i < 2; i++) {
        char quotas[32], set[32];
        llim_limiter *limiter;
        llim_error err;
        kit_write_file(quotas, mine[i]);
        kit_write_file(set, "return quota 'mine' { api = 1, modality = 'text', tier 'free' {} }\n");
        llim_options options = {.size = sizeof options, .quotas = set, .overrides = quotas, .log = warn};
        if (llim_open(&options, &limiter, &err)) fail_msg("%s", err.message);
        assert_int_equal(warned, 1);
        assert_non_null(strstr(warning, "model \"a\" has no price"));
        unlink(quotas);
        unlink(set);
        llim_close(limiter);
    }
}

static void test_scopes_are_charged(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(
        try_open("local LIMITS = { tpm = 150, requests = 100/hour }\n"
                 "return policy { api = 1, name = 'test', scopes = function(req, m)\n"
                 "  if not req.team then return nil end\n"
                 "  return { 'team:' .. req.team, { name = 'user:' .. req.user, limits = LIMITS }, 'org:unlimited' }\n"
                 "end }\n",
                 &limiter, &err),
        LLIM_OK);
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_tag tags[] = {{"team", "red"}, {"user", "bob"}};
    llim_request request = ask_for(100);
    llim_permit permit;
    llim_refusal refusal;
    request.tags = tags;
    request.n_tags = 2;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(permit.n_rows, 3);
    assert_int_equal(acquire(limiter, &request, &permit, &refusal), LLIM_LATER);
    assert_string_equal(refusal.scope, "user:bob");
    assert_int_equal(refusal.wait_ns, 20 * KIT_SECOND); /* a bucket of 150 a minute lacks 50 */
    tags[1].value = "carl";
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    tags[1].value = "dora";
    assert_int_equal(acquire(limiter, &request, &permit, &refusal), LLIM_LATER);
    assert_string_equal(refusal.scope, "team:red");
    request.n_tags = 0;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(permit.n_rows, 1);
    llim_row row;
    assert_int_equal(llim_row_find(zone, "user:dora", 9, &row), LLIM_OK);
    assert_int_equal(used_of(limiter, row, LLIM_TOKENS), 0); /* all or nothing */
    llim_close(limiter);
}

/* A scope's limits follow what the hook brings, and keep their counts. */
static void test_scopes_may_change(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(try_open("local DAY, NIGHT = { tpm = 100 }, { tpm = 200 }\n"
                              "return policy { api = 1, name = 'test', scopes = function(req)\n"
                              "  return { { name = 'user:x', limits = req.when == 'day' and DAY or NIGHT } }\n"
                              "end }\n",
                              &limiter, &err),
                     LLIM_OK);
    llim_tag tag = {"when", "day"};
    llim_request request = ask_for(100);
    llim_permit permit;
    request.tags = &tag;
    request.n_tags = 1;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_LATER);
    tag.value = "night";
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_LATER);
    llim_close(limiter);
}

static int64_t cooling(llim_limiter *limiter, const char *name)
{
    int64_t left;
    assert_int_equal(llim_cooling(llim_limiter_zone(limiter), row_of(limiter, name), &left), LLIM_OK);
    return left;
}

static void answer(llim_limiter *limiter, const llim_request *request, int status, const char *body)
{
    llim_permit permit;
    assert_int_equal(acquire(limiter, request, &permit, NULL), LLIM_OK);
    llim_response response = {.size = sizeof response, .status = status, .body = body, .body_len = strlen(body)};
    assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_OK);
    if (status_of(limiter).faults) fail_msg("%s", status_of(limiter).fault.message);
}

static void test_results_cool(void **state)
{
    (void)state;
    llim_limiter *limiter =
        open_policy("result = function(req, m, r)\n"
                    "  if r.kind == 'ok' then assert(r.usage.tokens == 3 and m.strikes == 0) return nil end\n"
                    "  if r.status == 503 then return cool(m, 10 * m.strikes) end\n"
                    "  if r.status == 401 then return cool_until(m, req.at + 60, 'credential') end\n"
                    "  return default_result(req, m, r)\n"
                    "end");
    llim_zone *zone = llim_limiter_zone(limiter);
    llim_request request = ask_for(1);
    answer(limiter, &request, 200, "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}");
    assert_int_equal(cooling(limiter, "a"), 0);
    answer(limiter, &request, 503, "");
    assert_int_equal(cooling(limiter, "a"), 10 * KIT_SECOND);
    kit_advance(zone, 10 * KIT_SECOND);
    answer(limiter, &request, 503, "");
    assert_int_equal(cooling(limiter, "a"), 20 * KIT_SECOND);
    kit_advance(zone, 120 * KIT_SECOND);
    answer(limiter, &request, 401, "{\"error\":{\"code\":\"invalid_api_key\"}}");
    assert_int_equal(cooling(limiter, "a"), 60 * KIT_SECOND);
    assert_int_equal(cooling(limiter, "b"), 60 * KIT_SECOND);
    kit_advance(zone, 300 * KIT_SECOND);
    answer(limiter, &request, 429, "");
    assert_true(cooling(limiter, "a") >= 30 * KIT_SECOND && cooling(limiter, "a") <= 60 * KIT_SECOND);
    llim_close(limiter);
}

/* What is wrong with a hook, the words in which that is told, and the default's decision. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *body, *told;
    } faults[] = {
        {"estimate = function() return 5 end", "estimate must return a table of amounts"},
        {"estimate = function() return 10/minute end", "like { tokens = 1200 }, not a rate"},
        {"estimate = function(req, m) return cool(m, 5) end", "like { tokens = 1200 }, not a cooldown"},
        {"estimate = function(req, m) return { tokens = cool(m, 5) } end", "estimate returned a cooldown for tokens"},
        {"scopes = function(req, m) return cool(m, 5) end",
         "scopes must return a list, like { \"team:acme\" }, not a cooldown"},
        {"scopes = function(req, m) return { cool(m, 5) } end", "not a cooldown"},
        {"route = function(req, pool) return cool(pool[1], 5) end", "a list of candidates, not a cooldown"},
        {"route = function(req, pool) return { cool(pool[1], 5) } end", "element 1 is no candidate, but a cooldown"},
        {"estimate = function() return { token = 5 } end", "estimate returned a field token, which is no meter"},
        {"estimate = function() return { tokens = -1 } end", "where a number from 0 to 2^40 - 1 is expected"},
        {"estimate = function() return { tokens = 0/0 } end", "where a number from 0 to 2^40 - 1 is expected"},
        {"estimate = function() error('mine') end", "mine"},
        {"scopes = function() return 'team:a' end", "scopes must return a list"},
        {"scopes = function() return { 'teem:a' } end", "did you mean \"team:a\"?"},
        {"scopes = function() return { { name = 'team:a', limits = { rpn = 1 } } } end", "did you mean \"rpd\"?"},
        {"scopes = function() return { 'org:1', 'org:2', 'org:3', 'org:4', 'org:5', 'org:6', 'org:7', 'org:8' } end",
         "at most"},
        {"route = function(req, pool) return pool[1] end", "not a candidate"},
        {"route = function(req, pool) return { 1 } end", "element 1 is no candidate"},
        {"route = function(req, pool) return { first = pool[1] } end", "other fields"},
        {"route = function(req, pool) return { [0] = pool[1], pool[2] } end", "other fields"},
        {"route = function(req, pool) return 10/minute end", "a list of candidates, not a rate"},
        {"scopes = function() return { org = 'org:acme' } end", "scopes must return a list"},
        {"estimate = function(req, m) local s = ('x'):rep(1000) for i = 1, 5 do s = s .. s end end",
         "a string of more than 1000 bytes"},
        {"route = function(req, pool) return 'a' end", "route must return a list of candidates, not \"a\""},
        {"route = function(req, pool) return pool[1].fits() end", "m:fits(req) is called with a colon"},
        {"route = function(req, pool) return pool[1]:fits(3) end", "m:fits(req) takes a request"},
        {"route = function(req, pool) return pool[1]:room('tokes') end", "takes the name of a meter"},
        {"route = function(req, pool) req.x = 1 end", "read-only"},
        {"route = function(req, pool) while true do end end", "used more than"},
    };
    for (size_t i = 0; i < KIT_COUNT(faults); i++) {
        llim_limiter *limiter = open_policy(faults[i].body);
        llim_request request = ask_for(10);
        llim_permit permit;
        llim_error err;
        if (llim_acquire(limiter, &request, &permit, NULL, &err)) fail_msg("%s", err.message);
        assert_int_equal(permit.candidate, 0);
        assert_int_equal(permit.charge.amount[LLIM_TOKENS], 10);
        assert_int_equal(permit.n_rows, 1);
        llim_status status = status_of(limiter);
        if (status.faults != 1 || !strstr(status.fault.message, faults[i].told))
            fail_msg("%s: %u faults, %s", faults[i].body, (unsigned)status.faults, status.fault.message);
        llim_close(limiter);
    }
}

static void test_faults_of_results(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "result = function() return 5 end",
        "result = function() error 'no' end",
        "result = function(req, m) return cool(m, -1) end",
        "result = function(req, m) return { cool({}, 1) } end",
        "result = function() while true do end end",
    };
    for (size_t i = 0; i < KIT_COUNT(bodies); i++) {
        llim_limiter *limiter = open_policy(bodies[i]);
        llim_request request = ask_for(10);
        llim_permit permit;
        assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
        llim_response response = {
            .size = sizeof response, .status = 429, .headers = "retry-after: 7\r\n", .headers_len = 16};
        assert_int_equal(llim_answered(limiter, &permit, &response, NULL), LLIM_OK);
        assert_int_equal(cooling(limiter, "a"), 7 * KIT_SECOND);
        assert_int_equal(status_of(limiter).faults, 1);
        llim_close(limiter);
    }
}

/* A script that names ever new scopes fills the zone: the call that finds it full is told so, and so is the status. */
static void test_scopes_that_fill_the_zone(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err = {0};
    assert_int_equal(try_open("local L = { rpd = 100 }\n"
                              "return policy { api = 1, name = 'test',\n"
                              "  scopes = function(req) return { { name = 'user:' .. req.user, limits = L } } end }\n",
                              &limiter, &err),
                     LLIM_OK);
    int code = LLIM_OK;
    for (int i = 0; i < 3000 && code == LLIM_OK; i++) {
        char user[16];
        llim_permit permit;
        const llim_tag tag = {"user", user};
        snprintf(user, sizeof user, "%d", i);
        llim_request request = {.size = sizeof request, .models = &all[3], .n_models = 1, .tags = &tag, .n_tags = 1};
        code = llim_acquire(limiter, &request, &permit, NULL, &err);
    }
    assert_int_equal(code, LLIM_EFULL);
    assert_non_null(strstr(err.message, "no row is left"));
    assert_int_equal(status_of(limiter).faults, 1);
    llim_close(limiter);
}

/* A candidate that is not looked at yet can be asked nothing, and a request without one that is not this one's. */
static void test_candidates_wait_their_turn(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(
        try_open("local kept\n"
                 "return policy { api = 1, name = 'test',\n"
                 "  estimate = function(req, m)\n"
                 "    assert(m:fits(req) and m:room() == 1 and m.strikes == 0)\n"
                 "    if kept and m.name == 'a' then\n"
                 "      for _, ask in ipairs { kept.fits, kept.room, kept.wait } do assert(not pcall(ask, kept)) end\n"
                 "    end\n"
                 "    if m.name == 'b' then kept = m end\n"
                 "  end,\n"
                 "  route = function(req, pool) return { pool[2] } end }\n",
                 &limiter, &err),
        LLIM_OK);
    llim_request request = ask_for(1);
    request.n_models = 2;
    llim_permit permit;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
        assert_int_equal(permit.candidate, 1);
        llim_cancel(llim_limiter_zone(limiter), &permit);
    }
    llim_close(limiter);
}

/* What a script keeps counts against its VM, which is ended for it, and the next one begins anew. */
static void test_what_scripts_keep(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(try_open("local kept = {}\n"
                              "return policy { api = 1, name = 'test', route = function(req, pool)\n"
                              "  for i = 1, 1000 do kept[#kept + 1] = { i, i, i, i } end\n"
                              "  return pool\n"
                              "end }\n",
                              &limiter, &err),
                     LLIM_OK);
    llim_request request = ask_for(0);
    llim_permit permit;
    for (int i = 0; i < 200; i++) {
        if (llim_acquire(limiter, &request, &permit, NULL, &err)) fail_msg("%s", err.message);
        llim_cancel(llim_limiter_zone(limiter), &permit);
        kit_advance(llim_limiter_zone(limiter), 2 * KIT_SECOND);
    }
    llim_status status = status_of(limiter);
    assert_true(status.ended >= 2 && status.ended < 20);
    llim_close(limiter);
}

/* A refusal is the earliest of those that were refused, wherever a model that the plan leaves out stands. */
static void test_refusals_of_plans(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("route = function(req, pool) return {} end");
    llim_cool(llim_limiter_zone(limiter), row_of(limiter, "a"), 60 * KIT_SECOND);
    static const char *const orders[][2] = {{"a", "b"}, {"b", "a"}};
    for (size_t i = 0; i < 2; i++) {
        llim_request request = ask_for(1);
        llim_permit permit;
        llim_refusal refusal;
        request.models = orders[i];
        request.n_models = 2;
        assert_int_equal(acquire(limiter, &request, &permit, &refusal), LLIM_LATER);
        assert_int_equal(refusal.reason, LLIM_BY_COOLDOWN);
        assert_int_equal(refusal.wait_ns, 60 * KIT_SECOND);
    }
    llim_close(limiter);
}

/* A candidate or request that a script keeps is of no use later, and does no harm. */
static void test_kept_candidates(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err;
    assert_int_equal(try_open("local kept, kept_req\n"
                              "return policy { api = 1, name = 'test',\n"
                              "  estimate = function(req, m)\n"
                              "    if not kept then kept, kept_req = m, req return end\n"
                              "    if m.name ~= 'b' then return end\n"
                              "    assert(kept.name == 'a' and kept_req.tokens == req.tokens)\n"
                              "    local ok, why = pcall(function() return kept:fits(req) end)\n"
                              "    assert(not ok and why)\n"
                              "  end }\n",
                              &limiter, &err),
                     LLIM_OK);
    llim_request request = ask_for(10);
    llim_permit permit;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    request.models = &all[1];
    request.n_models = 1;
    assert_int_equal(acquire(limiter, &request, &permit, NULL), LLIM_OK);
    llim_close(limiter);
}

/* The test that a policy brings along is run when it is loaded; what fails there fails the load, by its line. */
static void test_tests_of_policies(void **state)
{
    (void)state;
    static const struct {
        const char *body, *told;
    } tests[] = {
        {"local w = t { models = { a = { rpm = 1 }, b = { requests = 2/minute, price = { input = 1 } } } }\n"
         "assert(w:acquire({ 'a', 'b' }, { tokens = 5 }) == 'a')\n"
         "assert(w:acquire { 'a', 'b' } == 'b')\n"
         "assert(w:acquire { 'a', 'b' } == 'b')\n"
         "local name, wait = w:acquire { 'a', 'b' }\n"
         "assert(name == nil and wait == 60)\n"
         "w:cancel()\n"
         "assert(w:acquire { 'a', 'b' } == 'b' and w:room('a') == 0)\n"
         "w:advance(60) assert(w:room('a', 'requests') == 1)\n"
         "assert(w:acquire { 'a' } == 'a')\n"
         "w:answer { kind = 'rate', retry_after = 100 }\n"
         "name, wait = w:acquire { 'a' } assert(not name and wait == 100)\n"
         "assert(select(2, w:acquire({ 'c' }, {})) == nil)",
         "unknown model \"c\""},
        {"local w = t { models = { a = { tpm = 10, cost = usd(2)/day { tz = 'Europe/Paris' }, sessions = 3 }, "
         "['team:*'] = { rpm = 1 } } }\n"
         "assert(w:acquire({ 'a' }, { tokens = 10, cost = 1 }) == 'a')\n"
         "w:settle { tokens = 4 }\n"
         "assert(w:acquire({ 'a' }, { tokens = 7 }) == nil)\n"
         "assert(select(2, w:acquire({ 'a' }, { tokens = 11 })) == math.huge)\n"
         "assert(w:acquire({ 'a' }, { tokens = 6 }) == 'a')",
         NULL},
        {"assert(1 == 2)", ":1: the policy's test failed: assertion failed!"},
        {"\n\nerror('so it is')", ":3: the policy's test failed: so it is"},
        {"t { models = { a = { rpn = 1 } } }", "did you mean \"rpd\"?"},
        {"t { modells = {} }", "models is missing"},
        {"while true do end", "used more than"},
        {"while true do t { models = { a = { rpm = 1 } } } end", "a test may make 8 limiters"},
        {"local w = t { models = { a = { rpm = 1 } } } while true do w:acquire { 'a' } end", "used more than"},
        {"local w = t { models = { a = { rpm = 1 } } } w:acquire('a')", "table expected"},
        {"local w = t { models = { a = { rpm = 1 } } } w:acquire({ 'a' }, { tokens = -1 })", "from 0 to 2^40"},
        {"local w = t { models = { a = { rpm = 1 } } } w:settle {}", "LLIM_EENDED"},
        {"local w = t { models = { a = { rpm = 1 } } } w.acquire({})", "expected"},
    };
    for (size_t i = 0; i < KIT_COUNT(tests); i++) {
        char text[2048];
        llim_limiter *limiter;
        llim_error err = {0};
        snprintf(text, sizeof text, "return policy { api = 1, name = 'test', test = function(t) %s end }\n",
                 tests[i].body);
        int code = try_open(text, &limiter, &err);
        if (!tests[i].told && code) fail_msg("%s", err.message);
        if (tests[i].told && (code != LLIM_ECONFIG || !strstr(err.message, tests[i].told)))
            fail_msg("%s: %s, %s", tests[i].body, llim_code_name(code), err.message);
        if (tests[i].told && (err.line < 1 || strcmp(err.field, "test") != 0 || !err.file[0]))
            fail_msg("%s: line %d, field %s", tests[i].body, err.line, err.field);
        if (!code) llim_close(limiter);
    }
}

/* A hook that fails in its own test fails the load. */
static void test_faults_in_tests(void **state)
{
    (void)state;
    llim_limiter *limiter;
    llim_error err = {0};
    assert_int_equal(
        try_open("return policy { api = 1, name = 'test', route = function(req, pool) return pool.x.y end,\n"
                 "  test = function(t) t { models = { a = { rpm = 1 } } }:acquire { 'a' } end }\n",
                 &limiter, &err),
        LLIM_ECONFIG);
    assert_non_null(strstr(err.message, "route hook failed"));
}

static void test_bad_tags(void **state)
{
    (void)state;
    llim_limiter *limiter = open_policy("");
    static const llim_tag bad[] = {
        {"tokens", "x"}, {"random", "x"}, {"max_output_tokens", "1"}, {NULL, "x"}, {"x", NULL}};
    for (size_t i = 0; i < KIT_COUNT(bad); i++) {
        llim_request request = ask_for(10);
        llim_permit permit;
        llim_error err;
        request.tags = &bad[i];
        request.n_tags = 1;
        assert_int_equal(llim_acquire(limiter, &request, &permit, NULL, &err), LLIM_EINVAL);
    }
    llim_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_hook_sees),
        cmocka_unit_test(test_the_pool_agrees_with_the_engine),
        cmocka_unit_test(test_room_and_inflight),
        cmocka_unit_test(test_estimates_are_charged),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_cost_without_a_price),
        cmocka_unit_test(test_scopes_are_charged),
        cmocka_unit_test(test_scopes_may_change),
        cmocka_unit_test(test_results_cool),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_of_results),
        cmocka_unit_test(test_kept_candidates),
        cmocka_unit_test(test_tests_of_policies),
        cmocka_unit_test(test_faults_in_tests),
        cmocka_unit_test(test_bad_tags),
        cmocka_unit_test(test_scopes_that_fill_the_zone),
        cmocka_unit_test(test_candidates_wait_their_turn),
        cmocka_unit_test(test_what_scripts_keep),
        cmocka_unit_test(test_refusals_of_plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
