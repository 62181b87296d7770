/* estimate.h - the default estimate hook. */
#ifndef LLIM_HOST_ESTIMATE_H
#define LLIM_HOST_ESTIMATE_H

#include "llm_limiters.h"

/* What the request is charged with in this modality (enum llim_modality). LLIM_ERANGE. */
int llim__estimate(const llim_request *request, int32_t modality, llim_charge *charge, llim_error *err);

#endif
