/* estimate.h - the default estimate hook. */
#ifndef LLIM_HOST_ESTIMATE_H
#define LLIM_HOST_ESTIMATE_H

#include "policy/vm.h"

/* What the request is charged with in this modality (enum llim_modality). LLIM_ERANGE. */
int llim__estimate(const llim_request *request, int32_t modality, llim_charge *charge, llim_error *err);

/* Adds what the amounts cost, unless that is told. What is not known costs nothing. */
void llim__price_charge(const llim__price *price, llim_charge *charge);

#endif
