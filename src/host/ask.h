/*
 * ask.h - a request with its candidates, made ready by the policy's hooks or their defaults.
 */
#ifndef LLIM_HOST_ASK_H
#define LLIM_HOST_ASK_H

#include "host/limiter.h"
#include "policy/hooks.h"

/* Everything is borrowed for the call that it belongs to. */
typedef struct llim__ask {
    llim__thread *thread;
    llim__question question;
    llim__vm *vm; /* NULL: no hook is asked */
    llim__candidate candidates[LLIM__MOST_MODELS];
} llim__ask;

/* Checks the request and finds its models. LLIM_EVERSION, LLIM_EINVAL, LLIM_EUNKNOWN_MODEL, LLIM_ENO_QUOTA, LLIM_ENOMEM. */
int llim__ask_begin(llim__ask *ask, llim_limiter *limiter, const llim_request *request, llim_error *err);

/* Gives the i-th candidate its charge and its scopes, once. LLIM_ERANGE, LLIM_EFULL, LLIM_ETIMEZONE. */
int llim__ask_ready(llim__ask *ask, uint32_t i, llim_error *err);

/* The rows of all candidates, each once: up to cap into rows, their number into *n. Errors as llim__ask_begin() and
   llim__ask_ready(); *n are then those of the candidates that came before. */
int llim__ask_rows(llim_limiter *limiter, const llim_request *request, llim_row *rows, uint32_t cap, uint32_t *n,
                   llim_error *err);

/* The policy's order, or the caller's if there is none or the hook fails: indexes of candidates, their number into *n. Errors as
   llim__ask_ready(). */
int llim__ask_order(llim__ask *ask, uint32_t *order, uint32_t *n, llim_error *err);

#endif
