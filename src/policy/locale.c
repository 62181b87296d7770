/* locale.c - see locale.h. */
#include "policy/locale.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c; /* kept for as long as the process runs; 0 if there is no memory: then nothing changes */

static void make(void)
{
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t llim__locale_enter(void)
{
    pthread_once(&once, make);
    return uselocale(c);
}

void llim__locale_leave(locale_t before)
{
    uselocale(before);
}
