/*
 * learn.c - owns the list of limits that an answer teaches, and the inference of a window from their numbers.
 *
 * A header that tells a limit does not tell its window: where OpenAI's models have a limit a minute and one a day, the
 * requests headers show the day. Its reset is the time to a full bucket, so what was taken, times the window, over the limit.
 */
#include "provider/provider.h"

#include <string.h>

llim_learned *llim__learn(llim_answer *a, int32_t meter, int32_t unit, int32_t project)
{
    for (uint32_t i = 0; i < a->n_learned; i++) {
        llim_learned *l = &a->learned[i];
        if (l->meter == meter && l->unit == unit && l->project == project) return l;
    }
    if (a->n_learned == LLIM_LEARNED_MAX) return NULL;
    llim_learned *l = &a->learned[a->n_learned++];
    *l = (llim_learned){.meter = meter,
                        .unit = unit,
                        .project = project,
                        .limit = LLIM_UNKNOWN,
                        .remaining = LLIM_UNKNOWN,
                        .reset_ns = LLIM_UNKNOWN};
    return l;
}

/* The headers are of the instant after this call was counted and show whole numbers, so between taken - 1 (but at least 1)
   and taken is gone; the reset was cut to milliseconds. */
static int32_t infer(const llim_learned *l)
{
    static const struct {
        int32_t unit;
        double ns;
    } units[] = {{LLIM_PER_MINUTE, 60e9}, {LLIM_PER_HOUR, 3600e9}, {LLIM_PER_DAY, 86400e9}};
    double limit = (double)l->limit, taken = (double)(l->limit - l->remaining);
    if (l->limit <= 0 || l->remaining < 0 || taken < 1 || l->reset_ns <= 0) return LLIM_NO_UNIT;
    double least = (double)l->reset_ns * limit / taken;
    double most = ((double)l->reset_ns + 1e6) * limit / (taken > 2 ? taken - 1 : 1);
    int32_t unit = LLIM_NO_UNIT;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (least * 0.98 > units[i].ns || most * 1.02 < units[i].ns) continue;
        if (unit != LLIM_NO_UNIT) return LLIM_NO_UNIT; /* two fit */
        unit = units[i].unit;
    }
    return unit;
}

/* The limit that refused is the one that the headers show, if nothing speaks against it. */
static bool is_refused(const llim_answer *a, const llim_learned *l)
{
    return l->meter == a->meter && !l->project && l->limit == a->limit && l->unit == LLIM_NO_UNIT;
}

void llim__learned_finish(llim_answer *a)
{
    uint32_t kept = 0;
    bool told = a->meter == LLIM_UNKNOWN || a->limit <= 0;
    for (uint32_t i = 0; i < a->n_learned; i++) {
        llim_learned *l = &a->learned[i];
        if (l->limit == LLIM_UNKNOWN && l->remaining == LLIM_UNKNOWN && l->reset_ns == LLIM_UNKNOWN) continue;
        if (l->unit == LLIM_NO_UNIT) l->unit = infer(l);
        if (!told && is_refused(a, l)) l->unit = a->unit;
        bool same = l->meter == a->meter && !l->project && (l->unit == a->unit || a->unit == LLIM_NO_UNIT);
        told = told || (same && l->limit == a->limit);
        a->learned[kept++] = *l;
    }
    a->n_learned = kept;
    llim_learned *l = told ? NULL : llim__learn(a, a->meter, a->unit, 0);
    if (l) l->limit = a->limit;
}
