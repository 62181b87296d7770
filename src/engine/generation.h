/*
 * generation.h - which quotas and policy are in force, as all processes of a zone see it.
 *
 * Limiters of one kind (modality and account) number their sets together: a set has the number of its content if that is the one
 * in force, else the next. A number is written after the rows have the limits of its set; who meets a new one reads its own files
 * again. Two contents under one number are those of processes that have put them in force at the same time, or whose files
 * differ; the limits that rows have rule.
 */
#ifndef LLIM_ENGINE_GENERATION_H
#define LLIM_ENGINE_GENERATION_H

#include "base/atomic.h"
#include "llm_limiters_core.h"

/* In a zone's header. */
typedef struct llim__generation {
    at_u64 kind;    /* a hash, 0: none. Written once, under the lock, as is content */
    at_u64 content; /* a hash, of the number's; stored before it */
    at_u32 number;  /* 0: none is in force yet */
    at_u32 reserved;
} llim__generation;

enum { LLIM__GENERATIONS = 64 };

/* The place of this kind, which is not 0, made at first use; *out is NULL if none is left. LLIM_EBUSY, LLIM_EIO. */
int llim__generation_of(llim_zone *zone, uint64_t kind, llim__generation **out, llim_error *err);

/* The number that a set of this content is to have. */
uint32_t llim__generation_next(const llim__generation *g, uint64_t content);

/* Puts it in force once the rows have its limits. *same: it is what is in force now; else a later number is, or another content
   has this one. LLIM_EBUSY, LLIM_EIO: it is not in force for others. */
int llim__generation_enter(llim_zone *zone, llim__generation *g, uint32_t number, uint64_t content, bool *same);

#endif
