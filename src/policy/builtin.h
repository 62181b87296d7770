/* builtin.h - the Lua files that the library carries. */
#ifndef LLIM_POLICY_BUILTIN_H
#define LLIM_POLICY_BUILTIN_H

#include <stddef.h>

typedef struct llim__builtin {
    const char *path; /* as in the source tree: "policies/priority.lua" */
    const char *text; /* ended by a zero byte too */
    size_t size;
} llim__builtin;

extern const llim__builtin llim__builtins[]; /* ended by a path of NULL */

#endif
