/* boot.h - which boot of the machine this is: CLOCK_MONOTONIC begins anew with each. */
#ifndef LLIM_BASE_BOOT_H
#define LLIM_BASE_BOOT_H

#include "base/atomic.h"

/* Differs from boot to boot, never 0; 0: the system does not tell. */
uint64_t llim__boot(void);

/* What llim__boot() says instead, unless it is 0: for tests. */
extern at_u64 llim__boot_pretended;

#endif
