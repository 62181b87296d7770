/* answered.h - an answer that is classified already. */
#ifndef LLIM_HOST_ANSWERED_H
#define LLIM_HOST_ANSWERED_H

#include "host/limiter.h"

/* Ends the permit and cools whom the result hook says, as llim_answered(). */
int llim__answer(llim__thread *thread, llim_permit *permit, const llim__outcome *outcome);

#endif
