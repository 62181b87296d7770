/*
 * cut.c - preloaded into a program: cuts off the file that CUT names as soon as one is mapped for others to share, or memory
 * for a copy of it: at the worst moment there is.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*map)(void *, size_t, int, int, int, off_t);
    if (!map) *(void **)&map = dlsym(RTLD_NEXT, "mmap");
    void *mapped = map(at, size, protection, flags, fd, offset);
    const char *path = getenv("CUT");
    if (path && ((fd >= 0 && (flags & MAP_SHARED)) || (flags & MAP_NORESERVE)) && truncate(path, 0) != 0) abort();
    return mapped;
}
