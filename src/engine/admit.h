/* admit.h - admission for whoever wants to know no more than whether it is to be now. */
#ifndef LLIM_ENGINE_ADMIT_H
#define LLIM_ENGINE_ADMIT_H

#include "llm_limiters_core.h"

/* llim_admit(), or llim_check() if permit is NULL, without a refusal, which costs more than the rest: LLIM_LATER and LLIM_NEVER
   both mean no more than not now. */
int llim__try(llim_zone *zone, const llim_row *rows, uint32_t n_rows, const llim_charge *charge, llim_permit *permit);

#endif
