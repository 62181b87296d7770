/* estimate.h - the default estimate hook. */
#ifndef LLIM_HOST_ESTIMATE_H
#define LLIM_HOST_ESTIMATE_H

#include "policy/vm.h"

/* What the request is charged with in this modality (enum llim_modality), whichever model takes it. LLIM_ERANGE. */
int llim__estimate(const llim_request *request, int32_t modality, llim_charge *charge, llim_error *err);

/* Corrects that by what the model's row has learned. */
void llim__estimate_learned(llim_zone *zone, llim_row row, const llim_request *request, int32_t modality,
                            llim_charge *charge);

static inline bool llim__price_is_unknown(const llim__price *price)
{
    return price->input + price->output + price->request + price->image == 0;
}

/* Adds what the amounts cost, unless that is told. What is not known costs nothing. */
void llim__price_charge(const llim__price *price, llim_charge *charge);

#endif
