/*
 * estimate.c - what a request will cost, where the policy does not say so.
 */
#include "host/estimate.h"

#include <math.h>

#include "base/error.h"
#include "engine/notes.h"

/* The output of a text that nothing is known of, counted like one settlement. */
#define START_OUTPUT 512

/* The default estimate: what was declared, else one request for one image or session, and four characters a token plus the
   output that was declared. Gemini counts input only, and OpenAI the sum, so each meter is filled on its own. */
int llim__estimate(const llim_request *request, int32_t modality, llim_charge *charge, llim_error *err)
{
    int64_t *a = charge->amount;
    uint64_t any = 0; /* of their bits: LLIM_AMOUNT_MAX is all ones */
    for (int m = 0; m < LLIM_METERS; m++) any |= (uint64_t)(a[m] = request->charge.amount[m]);
    for (int m = 0; any > LLIM_AMOUNT_MAX && m < LLIM_METERS; m++)
        if (a[m] < 0 || a[m] > LLIM_AMOUNT_MAX)
            return llim__fail(err, LLIM_ERANGE, "%s is %lld, expected 0 to 2^40 - 1", llim_meter_name(m),
                              (long long)a[m]);
    if (request->max_output_tokens < 0 || request->max_output_tokens > LLIM_AMOUNT_MAX)
        return llim__fail(err, LLIM_ERANGE, "max_output_tokens is %lld, expected 0 to 2^40 - 1",
                          (long long)request->max_output_tokens);
    int64_t text = (a[LLIM_CHARACTERS] + 3) / 4, declared = a[LLIM_TOKENS];
    int64_t output = a[LLIM_OUTPUT_TOKENS] ? a[LLIM_OUTPUT_TOKENS] : request->max_output_tokens;
    if (a[LLIM_REQUESTS] == 0) a[LLIM_REQUESTS] = 1;
    if (modality == LLIM_IMAGE && a[LLIM_IMAGES] == 0) a[LLIM_IMAGES] = 1;
    if (modality == LLIM_LIVE && a[LLIM_SESSIONS] == 0) a[LLIM_SESSIONS] = 1;
    if (a[LLIM_TOKENS] == 0) a[LLIM_TOKENS] = (a[LLIM_INPUT_TOKENS] ? a[LLIM_INPUT_TOKENS] : text) + output;
    if (a[LLIM_TOKENS] > LLIM_AMOUNT_MAX)
        return llim__fail(err, LLIM_ERANGE, "input and output are %lld tokens together, expected at most 2^40 - 1",
                          (long long)a[LLIM_TOKENS]);
    if (a[LLIM_INPUT_TOKENS] == 0) a[LLIM_INPUT_TOKENS] = text ? text : declared;
    a[LLIM_OUTPUT_TOKENS] = output;
    return LLIM_OK;
}

static int64_t whole(double x)
{
    return x < (double)LLIM_AMOUNT_MAX ? (int64_t)ceil(x) : LLIM_AMOUNT_MAX;
}

/* What was declared stands: tokens, input tokens, output tokens; and a maximum is never exceeded. A provider that prices the
   declaration, and never corrects it, is believed to know no more of the output than it was told. Where nothing of the input was
   told, the tokens of the call are not the caller's business, nor ours. */
void llim__estimate_learned(llim_zone *zone, llim_row row, const llim_request *request, int32_t modality,
                            llim_charge *charge)
{
    const int64_t *declared = request->charge.amount, most = request->max_output_tokens;
    const bool text = declared[LLIM_INPUT_TOKENS] == 0, open = declared[LLIM_OUTPUT_TOKENS] == 0;
    int64_t *a = charge->amount;
    llim_notes notes;
    if (declared[LLIM_TOKENS] || (text && declared[LLIM_CHARACTERS] == 0) || !(text || open)) return;
    if (llim__row_counts_declared(zone, row) || llim_row_notes(zone, row, &notes)) return;
    if (text && notes.inputs) a[LLIM_INPUT_TOKENS] = whole((double)a[LLIM_INPUT_TOKENS] * notes.input_reserve);
    if (open) {
        double start = most ? (double)most : modality == LLIM_TEXT ? START_OUTPUT : 0, output = notes.output_reserve;
        start /= notes.outputs + 1;
        if (output < start) output = start;
        a[LLIM_OUTPUT_TOKENS] = most && output > (double)most ? most : whole(output);
    }
    const int64_t sum = a[LLIM_INPUT_TOKENS] + a[LLIM_OUTPUT_TOKENS];
    a[LLIM_TOKENS] = sum < LLIM_AMOUNT_MAX ? sum : LLIM_AMOUNT_MAX;
}

void llim__price_charge(const llim__price *p, llim_charge *charge)
{
    int64_t *a = charge->amount;
    double cost = 0;
    if (a[LLIM_COST] > 0 || llim__price_is_unknown(p)) return;
    const struct {
        double price;
        int64_t amount;
    } parts[] = {{p->input, a[LLIM_INPUT_TOKENS]},
                 {p->output, a[LLIM_OUTPUT_TOKENS]},
                 {p->request, a[LLIM_REQUESTS]},
                 {p->image, a[LLIM_IMAGES]}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].amount > 0) cost += parts[i].price * (double)parts[i].amount;
    if (cost > 0) a[LLIM_COST] = whole(cost);
}
