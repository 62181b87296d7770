/* trial.h - the test that a policy brings along: against a limiter of the test's own models, in virtual time. */
#ifndef LLIM_HOST_TRIAL_H
#define LLIM_HOST_TRIAL_H

#include "host/set.h"

/* Runs the test of the set's policy, if it has one. LLIM_ECONFIG: it failed; the message names the line. */
int llim__trial_run(llim__set *set, const llim_options *options, llim_error *err);

#endif
