/* role.h - what a file is for a limiter, which shows by what it returns. */
#ifndef LLIM_CLI_ROLE_H
#define LLIM_CLI_ROLE_H

#include <stdbool.h>

#include "llm_limiters.h"

enum cli_role { CLI_QUOTAS, CLI_POLICY, CLI_OVERRIDES, CLI_NO_ROLE };

/* "a quota table", "a policy", "a table of overrides". */
extern const char *const cli_roles[];

/* Puts a path into the options in that role; CLI_NO_ROLE leaves them as they are. */
void cli_role_set(llim_options *options, enum cli_role role, const char *path);

/* Whether llim_open() found nothing wrong but that the quota tables lack the tier, or a provider that it names. */
bool cli_lacks_tier(int code, const llim_error *err);

/* The role in which a file or a directory, or a name that the library knows, can be opened with the tier, modality and quotas of
   the options. A directory is of quota tables, good or not. CLI_NO_ROLE, and *err: that cannot be told. */
enum cli_role cli_role_of(const llim_options *options, const char *path, llim_error *err);

#endif
