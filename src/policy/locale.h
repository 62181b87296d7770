/*
 * locale.h - Lua compares strings and reads numbers by the thread's locale, which is the program's. Scripts are the same everywhere
 * and take no longer for it: they run by that of C.
 */
#ifndef LLIM_POLICY_LOCALE_H
#define LLIM_POLICY_LOCALE_H

#include <locale.h>

/* Around whatever runs Lua; pairs nest. */
locale_t llim__locale_enter(void);
void llim__locale_leave(locale_t before);

#endif
