/* generation.c - see generation.h. */
#include "engine/generation.h"

#include "engine/writer.h"

int llim__generation_of(llim_zone *zone, uint64_t kind, llim__generation **out, llim_error *err)
{
    llim__generation *all = zone->header->generation;
    int i = 0;
    *out = NULL;
    int code = llim__zone_lock_patiently(zone);
    if (code) return llim__zone_lock_failed(code, err);
    while (i < LLIM__GENERATIONS && at_load_rlx(&all[i].kind) != kind && at_load_rlx(&all[i].kind)) i++;
    if (i < LLIM__GENERATIONS) {
        at_store_rel(&all[i].kind, kind);
        *out = &all[i];
    }
    llim__zone_unlock(zone);
    return LLIM_OK;
}

uint32_t llim__generation_next(const llim__generation *g, uint64_t content)
{
    const uint32_t number = at_load_acq(&g->number);
    return number && at_load_acq(&g->content) == content ? number : number + 1;
}

int llim__generation_enter(llim_zone *zone, llim__generation *g, uint32_t number, uint64_t content, bool *same)
{
    int code = llim__zone_lock_patiently(zone);
    if (code) return code;
    if ((int32_t)(number - at_load_rlx(&g->number)) > 0) {
        at_store_rel(&g->content, content);
        at_store_rel(&g->number, number);
    }
    *same = at_load_rlx(&g->number) == number && at_load_rlx(&g->content) == content;
    llim__zone_unlock(zone);
    return LLIM_OK;
}
