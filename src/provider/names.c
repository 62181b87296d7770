/* names.c - the names of kinds, scopes and providers. */
#include "provider/provider.h"

const char *llim_kind_name(int kind)
{
    static const char *const names[] = {"unknown", "ok", "rate", "quota", "too_large", "overload", "auth", "error"};
    return kind >= 0 && kind < (int)(sizeof names / sizeof names[0]) ? names[kind] : "?";
}

const char *llim_scope_kind_name(int kind)
{
    static const char *const names[] = {"unknown", "model", "family", "credential"};
    return kind >= 0 && kind < (int)(sizeof names / sizeof names[0]) ? names[kind] : "?";
}

const char *llim_provider_name(int provider)
{
    return provider >= 0 && provider < LLIM_PROVIDERS ? llim__providers[provider].name : "?";
}
