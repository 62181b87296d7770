/*
 * hooks.h - what a policy's hooks are asked, and what they answer.
 *
 * A hook sees a request and candidates by their names; it answers by data, which is checked here. No answer changes a counter.
 */
#ifndef LLIM_POLICY_HOOKS_H
#define LLIM_POLICY_HOOKS_H

#include "base/atomic.h"
#include "policy/vm.h"

enum { LLIM__MOST_MODELS = 64, LLIM__MOST_TAGS = 32 }; /* of a request */

/* A model that the request may go to, with everything that it would be charged to. */
typedef struct llim__candidate {
    uint32_t model; /* index in the VM's models */
    uint32_t n_rows;
    llim_row row[LLIM_MAX_ROWS]; /* the model's comes first */
    llim_charge charge;
    bool blocked;
    bool begun; /* the rows of the request and a charge by default are there: a script may ask it */
    bool ready; /* all is there */
} llim__candidate;

/* A request while hooks are asked. Everything is borrowed for the call. */
typedef struct llim__question {
    llim_zone *zone;
    const llim_request *request;
    at_u64 *chance; /* of the limiter */
    double random;  /* drawn from it, 0 <= random < 1; negative: not yet */
    double at;      /* wall clock, seconds; 0: not looked at yet */
    llim__candidate *candidates;
    uint32_t n;
    /* For scripts that ask what other amounts would do: the charge by default. NULL: the amounts are the charge. */
    int (*charge_of)(const struct llim__question *question, const llim__candidate *candidate, llim_charge *charge);
    const void *ask; /* whose question it is, for charge_of */
} llim__question;

/* Each returns LLIM_OK, or LLIM_ELUA: the hook failed or answered something else, and nothing has changed. Which hooks a policy
   has is told by llim__vm_hooks(). */

/* The estimate hook: the amounts that it tells take the place of those in the i-th candidate's charge. */
int llim__hook_estimate(llim__vm *vm, llim__question *question, uint32_t i, llim_error *err);

/* A scope that the scopes hook names. Strings and limits are the VM's until it is asked again. */
typedef struct llim__further {
    const char *name;
    const llim_limit *limits; /* NULL: those of the overrides */
    uint32_t n_limits;
} llim__further;

/* The scopes hook: what the i-th candidate is to be charged to besides, up to cap of them. */
int llim__hook_scopes(llim__vm *vm, llim__question *question, uint32_t i, llim__further *out, uint32_t cap, uint32_t *n,
                      llim_error *err);

/* The route hook: up to n indexes of the candidates into order, their number into *n_order. */
int llim__hook_route(llim__vm *vm, llim__question *question, uint32_t *order, uint32_t *n_order, llim_error *err);

/* What was answered to a call. */
typedef struct llim__outcome {
    const llim_answer *answer;
    int32_t status;
    bool live;         /* a live session's close */
    double random;     /* as of a question */
    const char *model; /* that answered; NULL: the permit's */
} llim__outcome;

enum { LLIM__MOST_ACTIONS = 16 };

/* Somebody who is to cool. */
typedef struct llim__action {
    uint32_t model;
    int32_t scope; /* enum llim_scope_kind: model, family or credential */
    bool until;    /* ns is an instant of the wall clock, else a time from now */
    int64_t ns;
} llim__action;

/* The result hook, or the built-in rules where the policy has none or they are wanted: the question has one candidate, whose call
   was answered. */
int llim__hook_result(llim__vm *vm, llim__question *question, const llim__outcome *outcome, bool builtin,
                      llim__action *out, uint32_t *n, llim_error *err);

/* "day" of LLIM_PER_DAY. */
const char *llim__unit_name(int unit);

/* The meter of that name, or -1. */
int llim__meter_of(const char *name);

/* The share that is left, 0 .. 1, of the fullest limit of that meter in these rows; LLIM_METERS: of all. */
double llim__room(llim_zone *zone, const llim_row *rows, uint32_t n_rows, int meter);

#endif
