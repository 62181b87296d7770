/* answered.h - an answer that is classified already. */
#ifndef LLIM_HOST_ANSWERED_H
#define LLIM_HOST_ANSWERED_H

#include "host/limiter.h"

/* Ends the permit and cools whom the result hook says, as llim_answered(). What another model answered cools nobody. The
   chance that the policy draws is told in *outcome, unless it was there before. */
int llim__answer(llim__thread *thread, llim_permit *permit, llim__outcome *outcome);

#endif
