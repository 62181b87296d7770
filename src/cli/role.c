/*
 * role.c - see role.h. A file is tried as each of them: in a role that is not its own it is refused as a whole, by a message
 * without line and field.
 */
#include "cli/role.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *const cli_roles[] = {"a quota table", "a policy", "a table of overrides"};

void cli_role_set(llim_options *options, enum cli_role role, const char *path)
{
    if (role == CLI_QUOTAS) options->quotas = path;
    if (role == CLI_POLICY) options->policy = path;
    if (role == CLI_OVERRIDES) options->overrides = path;
}

bool cli_lacks_tier(int code, const llim_error *err)
{
    return code == LLIM_EUNKNOWN_TIER || (code == LLIM_ECONFIG && strcmp(err->field, "tier") == 0 && !err->file[0]);
}

static bool names_a_place(const llim_error *err)
{
    return err->line > 0 || err->field[0];
}

enum cli_role cli_role_of(const llim_options *options, const char *path, llim_error *err)
{
    const size_t len = strlen(path);
    llim_error errs[CLI_NO_ROLE];
    struct stat info;
    if (len >= 5 && strcmp(path + len - 5, ".json") == 0) return CLI_OVERRIDES;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return CLI_QUOTAS;
    memset(errs, 0, sizeof errs);
    for (enum cli_role role = CLI_QUOTAS; role < CLI_NO_ROLE; role++) {
        llim_options o = {
            .size = sizeof o, .quotas = options->quotas, .tier = options->tier, .modality = options->modality};
        llim_limiter *limiter;
        cli_role_set(&o, role, path);
        int code = llim_open(&o, &limiter, &errs[role]);
        llim_close(limiter);
        if (code == LLIM_OK || (role == CLI_QUOTAS && cli_lacks_tier(code, &errs[role])))
            return role; /* a table was read */
    }
    *err = errs[CLI_POLICY]; /* the same whatever it is: it cannot be read, or fails */
    if (strcmp(errs[CLI_POLICY].message, errs[CLI_OVERRIDES].message) == 0) return CLI_NO_ROLE;
    for (enum cli_role role = CLI_QUOTAS; role < CLI_NO_ROLE; role++)
        if (names_a_place(&errs[role])) return role;
    snprintf(
        err->message, sizeof err->message,
        "%s: the script returns neither a quota table (return quota \"provider\" { ... }), nor a policy (return policy "
        "{ ... }), nor overrides (return { [\"model\"] = { rpm = 20 } }).",
        path);
    return CLI_NO_ROLE;
}
