/* crew.c - see crew.h. */
#include "crew.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void crew_directory(char path[64], const char *dir)
{
    snprintf(path, 64, "%s/llim-test-XXXXXX", dir);
    assert_non_null(mkdtemp(path));
}

void crew_remove(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(dir), e->d_name, 0) != 0) assert_int_equal(unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR), 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

pid_t crew_start(int (*body)(void *), void *arg)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    _exit(body(arg));
}

int crew_end(pid_t child)
{
    int status;
    pid_t got;
    do got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    assert_int_equal(got, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void crew_stopped(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
}

void *crew_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

llim_zone *crew_open(const llim_zone_options *options)
{
    llim_zone *zone;
    llim_error err;
    if (llim_zone_open(options, &zone, &err) != LLIM_OK) fail_msg("open: %s", err.message);
    return zone;
}

llim_zone_options crew_virtual(void)
{
    return (llim_zone_options){.size = sizeof(llim_zone_options),
                               .clock = LLIM_CLOCK_VIRTUAL,
                               .start_ns = KIT_START,
                               .start_wall_ns = KIT_WALL};
}

crew_place crew_begin(void)
{
    crew_place p;
    crew_directory(p.dir, "/tmp");
    snprintf(p.path, sizeof p.path, "%s/zone", p.dir);
    return p;
}

llim_zone_options crew_small(const char *path)
{
    llim_zone_options options = crew_virtual();
    options.path = path;
    options.rows = 16;
    options.sliding = 8;
    options.leases = 16;
    options.notes = 4;
    return options;
}
