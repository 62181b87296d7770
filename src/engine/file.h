/*
 * file.h - zones in files: finding one, or making it without a race.
 *
 * A zone is written under no name and gets its name in one step, which fails if there is another by then: fifty processes that
 * start together end with one zone, and one that dies while it makes one leaves nothing. A file that is refused is never
 * written to. Which file it is, is told by its inode: a file that is replaced is another zone, and those that have the old one
 * open go on with it.
 */
#ifndef LLIM_ENGINE_FILE_H
#define LLIM_ENGINE_FILE_H

#include "engine/layout.h"

/* Whether a file may be that large: growing one beyond it would kill the process. False: errno tells. */
bool llim__file_may_have(uint64_t size);

/* Writes what is not zero of an empty zone into a file that has its size. False: errno tells. */
bool llim__file_fill(int fd, const llim__header *h);

/* Under the list's mutex: the zone at path, made by this header with these permission bits if there is none; one user more. What
   is behind its header is not looked at. LLIM_EIO: it cannot be made or opened, be it that the disk is full. LLIM_ECORRUPT,
   LLIM_EVERSION, LLIM_ENOMEM. */
int llim__file_take(const char *path, const llim__header *h, uint32_t mode, llim__memory **memory, llim_error *err);

/* Under the list's mutex: the zone at path, for reading alone: as this process has it open, with one user more, or as own, which
   has no descriptor and cannot be written to. What is behind its header is not looked at. LLIM_EIO, LLIM_ECORRUPT, LLIM_EVERSION,
   LLIM_ENOMEM. */
int llim__file_read(const char *path, llim__memory *own, llim__memory **memory, llim_error *err);

/* A descriptor of the zone at path, which this process does not have open, and its header. how: O_RDONLY or O_RDWR. LLIM_EIO,
   LLIM_ECORRUPT, LLIM_EVERSION. */
int llim__file_descriptor(const char *path, int how, int *fd, llim__header *h, llim_error *err);

#endif
