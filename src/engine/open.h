/* open.h - opening a zone whose opener needs room of his own in it. */
#ifndef LLIM_ENGINE_OPEN_H
#define LLIM_ENGINE_OPEN_H

#include "engine/layout.h"

/* llim_zone_open(), and a zone that it makes has room for extra beside what is asked for. One that is there already is compared
   with what was asked for when it was made, not with what it has. */
int llim__zone_open(const llim_zone_options *options, const llim__capacity *extra, llim_zone **zone, llim_error *err);

/* Whether a virtual clock may show them: steady times with the epoch, in sixteenths of a nanosecond and with a window on top,
   stay within 63 bits. */
static inline bool llim__good_times(int64_t steady_ns, int64_t wall_ns)
{
    return steady_ns >= 0 && steady_ns <= (int64_t)1 << 58 && wall_ns >= 0 &&
           wall_ns < (int64_t)7258118400 * LLIM_SECOND;
}

#endif
