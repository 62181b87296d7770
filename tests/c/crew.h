/*
 * crew.h - processes for the tests of shared zones: children that run a function, answer by what they exit with, and can be
 * stopped and killed at a known place. Test programs only.
 */
#ifndef LLIM_TESTS_CREW_H
#define LLIM_TESTS_CREW_H

#include <sys/types.h>

#include "kit.h"

/* A directory of its own in dir, "/tmp" or "/dev/shm"; its path, which crew_remove() ends with all files in it. */
void crew_directory(char path[64], const char *dir);
void crew_remove(const char *path);

/* A directory of its own, and the path of a zone in it. */
typedef struct crew_place {
    char dir[64];
    char path[128];
} crew_place;
crew_place crew_begin(void);

/* A child that runs body and exits with what it returns; the test's checks must not be used in it: 0 says that all was well. */
pid_t crew_start(int (*body)(void *), void *arg);
/* What it exited with; minus the signal that killed it. */
int crew_end(pid_t child);
/* Waits until it has stopped itself. */
void crew_stopped(pid_t child);

/* Memory that children share with the test, zeroed; never freed. */
void *crew_share(size_t size);

/* Opens a zone or fails the test. */
llim_zone *crew_open(const llim_zone_options *options);
/* Options of a zone with a virtual clock at KIT_START and KIT_WALL. */
llim_zone_options crew_virtual(void);
/* The same of a small one in a file. */
llim_zone_options crew_small(const char *path);

#endif
