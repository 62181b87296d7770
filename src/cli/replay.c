/*
 * replay.c - the event loop of a simulation; what it means stands in replay.h.
 *
 * Waiting requests stand in two levels of queues: a party's own, whose nodes are asked with the party's scope, and one of
 * the parties of each choice, whose nodes are asked for the models alone and so refuse whole parties at once. Time moves to
 * the next arrival or the earliest instant that a queue knows, whichever comes first.
 */
#include "cli/replay.h"

#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#define LONG_TRACE 200000 /* rows that are worth a progress line */

void cli_row_charge(const void *ctx, uint32_t row, llim_charge *charge)
{
    const cli_run *run = ctx;
    const cli_row *r = &run->trace->rows[row];
    *charge = (llim_charge){{0}};
    charge->amount[LLIM_REQUESTS] = 1;
    charge->amount[LLIM_TOKENS] = r->tokens;
    charge->amount[LLIM_INPUT_TOKENS] = r->input;
    charge->amount[LLIM_OUTPUT_TOKENS] = r->output;
    charge->amount[LLIM_IMAGES] = run->setup->limiter.modality == LLIM_IMAGE;
    charge->amount[LLIM_SESSIONS] = run->setup->limiter.modality == LLIM_LIVE;
}

/* What a row, or the least of several, declares. */
static llim_charge declared(const cli_run *run, int64_t tokens, int64_t input, int64_t output)
{
    llim_charge charge;
    cli_row_charge(run, 0, &charge);
    charge.amount[LLIM_TOKENS] = run->setup->unknown ? 0 : tokens;
    charge.amount[LLIM_INPUT_TOKENS] = input;
    charge.amount[LLIM_OUTPUT_TOKENS] = run->setup->unknown ? 0 : output;
    return charge;
}

/* Asks the limiter for the models of a choice and maybe a scope; without a permit nothing is charged. A row that the zone
   has given to another scope meanwhile is made again. */
static int ask(cli_run *run, uint32_t choice, uint32_t scope, const llim_charge *charge, llim_permit *permit,
               llim_refusal *refusal)
{
    const cli_choice *c = &run->choices[choice];
    llim_request request = {.size = sizeof request, .n_models = c->n, .models = c->names, .charge = *charge};
    int code = LLIM_ENOTFOUND;
    for (int attempt = 0; attempt < 2 && code == LLIM_ENOTFOUND; attempt++) {
        if (scope != CLI_NONE) {
            cli_scope *s = &run->scopes[scope];
            if (attempt) {
                code = llim_scope(run->limiter, run->scope_names.text[scope], &s->row, &run->err);
                if (code != LLIM_OK) break;
                run->watches[s->watch].row = s->row;
            }
            request.scopes = &s->row;
            request.n_scopes = 1;
        }
        code = permit ? llim_acquire(run->limiter, &request, permit, refusal, &run->err)
                      : llim_available(run->limiter, &request, NULL, refusal, &run->err);
    }
    if (code != LLIM_OK && code != LLIM_LATER && code != LLIM_NEVER && run->code == LLIM_OK) run->code = code;
    return code;
}

/* The instant that an answer puts the request off to. It is later than now whatever the answer, so that time moves. */
static int64_t put_off(const cli_run *run, int code, const llim_refusal *refusal)
{
    if (code == LLIM_OK) return run->now_ns;
    if (code != LLIM_LATER) return INT64_MAX;
    if (refusal->reason == LLIM_BY_POLICY) return run->now_ns + LLIM_SECOND / 10; /* only it knows when */
    return refusal->at_ns > run->now_ns ? refusal->at_ns : run->now_ns + 1;
}

struct asking {
    cli_run *run;
    uint32_t choice, scope;
};

static int64_t ask_node(void *ctx, const cli_node *node, uint32_t item, uint32_t *first)
{
    (void)first;
    struct asking *a = ctx;
    /* What a policy says of the least amounts holds for no other. */
    if (item == CLI_NONE && a->run->setup->limiter.policy) return a->run->now_ns;
    const llim_charge charge = declared(a->run, node->tokens, node->input, node->output);
    llim_refusal refusal;
    return put_off(a->run, ask(a->run, a->choice, a->scope, &charge, NULL, &refusal), &refusal);
}

static int64_t ask_party(void *ctx, const cli_node *node, uint32_t item, uint32_t *first)
{
    struct asking *a = ctx;
    if (item == CLI_NONE) return ask_node(ctx, node, item, first);
    cli_party *party = &a->run->parties[item];
    struct asking inner = {a->run, a->choice, party->scope};
    uint32_t row = cli_queue_find(&party->waiting, a->run->now_ns, ask_node, &inner, first);
    return row != CLI_NONE ? a->run->now_ns : cli_queue_root(&party->waiting).not_before_ns;
}

/* Tells the parties' queue what became of one of them: a request has left it, or has come and cannot go before at_ns. What
   the queue knew of all the others holds on, though the party itself may never have been asked. */
static void regroup(cli_run *run, uint32_t group, int64_t at_ns)
{
    cli_party *party = &run->parties[group];
    cli_queue *parties = &run->choices[party->choice].parties;
    cli_node root = cli_queue_root(&party->waiting);
    int64_t known_ns = cli_queue_root(parties).not_before_ns;
    if (known_ns > at_ns) known_ns = at_ns;
    if (root.not_before_ns < known_ns) root.not_before_ns = known_ns;
    if (root.first != CLI_NONE) {
        cli_queue_put(parties, group, &root);
    } else if (run->party_place[group] != CLI_NONE) {
        cli_queue_remove(parties, group);
    }
}

static uint32_t reason_of(cli_run *run, uint32_t choice, const llim_refusal *refusal)
{
    const cli_choice *c = &run->choices[choice];
    const char *who = refusal->scope;
    if (strncmp(who, "model:", 6) == 0 || refusal->reason == LLIM_BY_BLOCKED || refusal->reason == LLIM_BY_POLICY)
        who = run->models[c->models[refusal->candidate < c->n ? refusal->candidate : 0]].info.name;
    char what[64] = "blocked", text[LLIM_SCOPE_MAX + sizeof what + 2];
    if (refusal->reason == LLIM_BY_COOLDOWN) strcpy(what, "cooldown");
    if (refusal->reason == LLIM_BY_POLICY) strcpy(what, "policy");
    if (refusal->reason == LLIM_BY_LIMIT)
        cli_limit_text(refusal->meter, refusal->law, refusal->unit, refusal->window_ns, what, sizeof what);
    snprintf(text, sizeof text, "%.*s %s", LLIM_SCOPE_MAX, who, what);
    return cli_names_add(&run->reasons, text);
}

static void decide(cli_run *run, uint32_t row, enum cli_outcome outcome, int64_t decided_ns)
{
    run->fates[row].outcome = (int32_t)outcome;
    run->fates[row].decided_ns = decided_ns;
    if (run->row_place[row] == CLI_NONE) return;
    uint32_t group = run->trace->rows[row].group;
    cli_queue_remove(&run->parties[group].waiting, row);
    regroup(run, group, INT64_MAX);
}

static int64_t ends_at(const cli_run *run, const cli_row *row)
{
    const int64_t most = CALL_MOST_NS - CALL_NS, per_token = LLIM_SECOND / CALL_TOKENS;
    return run->now_ns + CALL_NS + (row->output < most / per_token ? row->output * per_token : most);
}

/* The call goes to the model's provider, and is in flight; or it is refused there. */
static bool send(cli_run *run, uint32_t row, uint32_t model, llim_permit *permit, int64_t *wait_ns)
{
    const uint32_t watch = run->models[model].watch;
    llim_charge used;
    cli_row_charge(run, row, &used);
    run->sent++;
    if (cli_provider_take(&run->providers[watch], run->now_ns, run->trace->wall_ns + run->now_ns, &used, wait_ns)) {
        const cli_call call = {ends_at(run, &run->trace->rows[row]), row, *permit};
        cli_calls_add(&run->calls, &call);
        return true;
    }
    run->answered_429++;
    llim_zone *zone = llim_limiter_zone(run->limiter);
    llim_reject(zone, permit);
    if (*wait_ns != INT64_MAX) llim_cool(zone, run->watches[watch].row, *wait_ns);
    return false;
}

/* Ends the calls that are due by what they used. True: something may have been given back. */
static bool end_calls(cli_run *run)
{
    bool any = false;
    for (cli_call call; cli_calls_next(&run->calls) <= run->now_ns; any = true) {
        cli_calls_take(&run->calls, &call);
        const cli_row *r = &run->trace->rows[call.row];
        llim_charge facts;
        for (int m = 0; m < LLIM_METERS; m++) facts.amount[m] = LLIM_UNKNOWN;
        facts.amount[LLIM_TOKENS] = r->tokens;
        facts.amount[LLIM_INPUT_TOKENS] = r->input;
        facts.amount[LLIM_OUTPUT_TOKENS] = r->output;
        llim_settle(llim_limiter_zone(run->limiter), &call.permit, &facts);
    }
    return any;
}

static void admit(cli_run *run, uint32_t row, llim_permit *permit)
{
    const cli_party *party = &run->parties[run->trace->rows[row].group];
    llim_zone *zone = llim_limiter_zone(run->limiter);
    cli_admission admission = {run->now_ns, row};
    uint32_t model = run->choices[party->choice].models[permit->candidate];
    cli_watch_note(&run->watches[run->models[model].watch], zone, &admission, cli_row_charge, run);
    if (party->scope != CLI_NONE)
        cli_watch_note(&run->watches[run->scopes[party->scope].watch], zone, &admission, cli_row_charge, run);
    /* A size that was known is what is used, so there is nothing to settle; a lease then lives for its time, since no trace
       tells more. */
    run->fates[row].model = model;
    decide(run, row, CLI_ADMITTED, run->now_ns);
}

/* A request asks for itself, on arrival or when its queue says that it fits. */
static void try_row(cli_run *run, uint32_t row)
{
    const cli_row *r = &run->trace->rows[row];
    cli_party *party = &run->parties[r->group];
    const llim_charge charge = declared(run, r->tokens, r->input, r->output);
    if (run->choices[party->choice].n == 0) {
        decide(run, row, CLI_UNKNOWN, run->now_ns);
        return;
    }
    llim_permit permit;
    llim_refusal refusal;
    int code;
    while ((code = ask(run, party->choice, party->scope, &charge, &permit, &refusal)) == LLIM_OK) {
        const uint32_t model = run->choices[party->choice].models[permit.candidate];
        int64_t wait_ns = 0;
        if (!run->setup->unknown || send(run, row, model, &permit, &wait_ns)) {
            admit(run, row, &permit);
            return;
        }
        if (wait_ns == INT64_MAX) {
            decide(run, row, CLI_NEVER, run->now_ns);
            return;
        }
    }
    if (code != LLIM_LATER && code != LLIM_NEVER) return;
    cli_fate *fate = &run->fates[row];
    if (fate->reason == CLI_NONE) fate->reason = reason_of(run, party->choice, &refusal);
    int64_t deadline_ns = r->at_ns + run->setup->deadline_ns, at_ns = put_off(run, code, &refusal);
    if (code == LLIM_NEVER) {
        decide(run, row, CLI_NEVER, run->now_ns);
    } else if (at_ns > deadline_ns && !run->setup->unknown) {
        decide(run, row, CLI_EXPIRED, deadline_ns); /* nothing gives capacity back before its time */
    } else {
        cli_node leaf = {charge.amount[LLIM_TOKENS], charge.amount[LLIM_INPUT_TOKENS],
                         charge.amount[LLIM_OUTPUT_TOKENS], at_ns, row};
        cli_queue_put(&party->waiting, row, &leaf);
        regroup(run, r->group, at_ns);
    }
}

/* Of all that wait and fit now, the one that came first. */
static uint32_t next_fitting(cli_run *run)
{
    uint32_t best = CLI_NONE;
    for (uint32_t i = 0; i < run->n_choices; i++) {
        struct asking asking = {run, i, CLI_NONE};
        uint32_t first;
        cli_queue_find(&run->choices[i].parties, run->now_ns, ask_party, &asking, &first);
        if (first < best) best = first;
    }
    return best;
}

static int64_t next_wake(const cli_run *run)
{
    int64_t wake_ns = cli_calls_next(&run->calls);
    for (uint32_t i = 0; i < run->n_choices; i++) {
        int64_t not_before_ns = cli_queue_root(&run->choices[i].parties).not_before_ns;
        if (not_before_ns < wake_ns) wake_ns = not_before_ns;
    }
    return wake_ns;
}

/* Ends those whose deadline lies before the instant; *oldest is the first row that may still wait. */
static bool expire(cli_run *run, uint32_t arrived, int64_t now_ns, uint32_t *oldest)
{
    bool any = false;
    for (; *oldest < arrived; ++*oldest) {
        if (run->fates[*oldest].outcome != CLI_WAITING) continue;
        int64_t deadline_ns = run->trace->rows[*oldest].at_ns + run->setup->deadline_ns;
        if (deadline_ns >= now_ns) break;
        decide(run, *oldest, CLI_EXPIRED, deadline_ns);
        any = true;
    }
    return any;
}

/* What was given back may let the waiting go earlier than they were told. */
static void forget(cli_run *run)
{
    for (uint32_t i = 0; i < run->trace->n_groups; i++) cli_queue_forget(&run->parties[i].waiting);
    for (uint32_t i = 0; i < run->n_choices; i++) cli_queue_forget(&run->choices[i].parties);
}

int cli_replay(cli_run *run)
{
    const cli_trace *trace = run->trace;
    llim_zone *zone = llim_limiter_zone(run->limiter);
    bool progress = trace->n >= LONG_TRACE && isatty(STDERR_FILENO);
    uint32_t arrived = 0, oldest = 0, shown = 0;
    while (run->code == LLIM_OK) {
        int64_t wake_ns = next_wake(run);
        if (arrived < trace->n && trace->rows[arrived].at_ns < wake_ns) wake_ns = trace->rows[arrived].at_ns;
        if (expire(run, arrived, wake_ns, &oldest)) continue;
        if (wake_ns == INT64_MAX) break;
        run->now_ns = wake_ns;
        run->code = llim_zone_set_clock(zone, wake_ns, trace->wall_ns + wake_ns);
        if (run->code != LLIM_OK) {
            snprintf(run->err.message, sizeof run->err.message, "The clock cannot be set: %s.",
                     llim_code_name(run->code));
            break;
        }
        if (end_calls(run)) forget(run);
        for (uint32_t row; run->code == LLIM_OK && (row = next_fitting(run)) != CLI_NONE;) try_row(run, row);
        while (run->code == LLIM_OK && arrived < trace->n && trace->rows[arrived].at_ns == wake_ns)
            try_row(run, arrived++);
        if (progress && arrived - shown >= trace->n / 100) {
            shown = arrived;
            fprintf(stderr, "\rsimulating %3.0f %%", 100.0 * arrived / trace->n);
        }
    }
    if (progress) fputs("\r                \r", stderr);
    return run->code;
}
