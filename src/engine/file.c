/* file.c - see file.h. */
#include "engine/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"

/* How often what was found may be gone when it is to be opened, or there when it is to be made. */
enum { TRIES = 100 };

static int fail_at(const char *path, const char *what, int error, llim_error *err)
{
    char reason[64];
    return llim__fail(err, LLIM_EIO, "the zone %s cannot be %s: %s", path, what,
                      strerror_r(error, reason, sizeof reason));
}

static bool write_at(int fd, const void *data, size_t size, uint64_t at)
{
    ssize_t n;
    do n = pwrite(fd, data, size, (off_t)at);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

bool llim__file_fill(int fd, const llim__header *h)
{
    const llim__shape none = {.law = LLIM__NO_LIMIT};
    return write_at(fd, &none, sizeof none, h->shapes_at) && write_at(fd, h, sizeof *h, 0);
}

bool llim__file_may_have(uint64_t size)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) != 0 || size <= most.rlim_cur) return true;
    errno = EFBIG;
    return false;
}

/* Blocks are reserved, so that a full disk is told now and does not kill whoever writes later. 0 or an errno. */
static int fill(int fd, const llim__header *h, uint32_t mode)
{
    int error;
    if (!llim__file_may_have(h->size) || fchmod(fd, mode) != 0) return errno;
    do error = posix_fallocate(fd, 0, (off_t)h->size);
    while (error == EINTR);
    if (error) return error;
    return llim__file_fill(fd, h) ? 0 : errno;
}

/* The directory of a path. False: the path is too long. */
static bool directory_of(const char *path, char directory[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    if (len + 32 >= PATH_MAX) return false;
    memcpy(directory, path, len);
    memcpy(directory + len, ".", 2);
    return true;
}

/* Where a file cannot be without a name it has another one first. 0 or an errno; EEXIST: there is one by now. */
static int make_named(const char *path, const char *directory, const llim__header *h, uint32_t mode)
{
    char other[PATH_MAX + 16];
    snprintf(other, sizeof other, "%sllim-XXXXXX", directory); /* behind the dot */
    int fd = mkostemp(other, O_CLOEXEC);
    if (fd < 0) return errno;
    int error = fill(fd, h, mode);
    close(fd);
    if (!error && renameat2(AT_FDCWD, other, AT_FDCWD, path, RENAME_NOREPLACE) != 0) error = errno;
    if (error) unlink(other);
    return error;
}

/* What is synchronised later has its name then. */
static void keep_name(const char *directory)
{
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static int make_unnamed(const char *path, const char *directory, const llim__header *h, uint32_t mode)
{
    char self[32];
    const int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return EOPNOTSUPP;
    int error = fill(fd, h, mode);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (!error && linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0) error = errno;
    close(fd);
    return error;
}

static int make(const char *path, const llim__header *h, uint32_t mode)
{
    char directory[PATH_MAX];
    if (!directory_of(path, directory)) return ENAMETOOLONG;
    int error = make_unnamed(path, directory, h, mode);
    if (error == EOPNOTSUPP) error = make_named(path, directory, h, mode);
    if (!error) keep_name(directory);
    return error;
}

/* Locks and mappings of other machines are not ours. */
static bool is_remote(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) return false;
    switch ((uint32_t)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case V9FS_MAGIC:
    case AFS_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case CODA_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

/* What a file that cannot be a zone is. */
static const char *kind_of(mode_t mode)
{
    return S_ISLNK(mode) ? "a symbolic link" : S_ISDIR(mode) ? "a directory" : "not a file";
}

/* Whether what was found is a file; its identity. found is open for that alone, by which no lock is lost when it is closed. */
static int check_kind(const char *path, int found, struct stat *st, llim_error *err)
{
    if (fstat(found, st) != 0) return fail_at(path, "opened", errno, err);
    if (S_ISREG(st->st_mode)) return LLIM_OK;
    return llim__fail(err, LLIM_EIO, "the zone %s cannot be opened: it is %s, expected a file", path,
                      kind_of(st->st_mode));
}

/* Opens what was found. */
static int open_found(const char *path, int found, int how, int *fd, llim__header *h, llim_error *err)
{
    struct stat st;
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", found);
    *fd = open(self, how | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0) return fail_at(path, "opened", errno, err);
    memset(h, 0, sizeof *h);
    ssize_t n = pread(*fd, h, sizeof *h, 0);
    int code;
    if (is_remote(*fd))
        code = llim__fail(err, LLIM_EIO, "the zone %s is on a remote file system, expected a local one", path);
    else if (n < 0 || fstat(*fd, &st) != 0)
        code = fail_at(path, "read", errno, err);
    else
        code = llim__layout_check(h, (uint64_t)st.st_size, path, err);
    if (code) close(*fd);
    return code;
}

/* The same, unless this process has it mapped: *memory is that then, else NULL. */
static int map_found(const char *path, int found, int how, int *fd, llim__header *h, llim__memory **memory,
                     llim_error *err)
{
    struct stat st;
    int code = check_kind(path, found, &st, err);
    if (code) return code;
    *memory = llim__memory_of_file(st.st_dev, st.st_ino);
    return *memory ? LLIM_OK : open_found(path, found, how, fd, h, err);
}

static int take_found(const char *path, int found, llim__memory **memory, llim_error *err)
{
    int fd;
    llim__header h;
    int code = map_found(path, found, O_RDWR, &fd, &h, memory, err);
    if (code || *memory) return code;
    code = llim__memory_map(fd, h.size, "", memory, err);
    if (code) close(fd);
    return code;
}

/* No lock is this mapping's, so that its descriptor may go; the process has none of the file, which would have been found. */
static int read_found(const char *path, int found, llim__memory *own, llim__memory **memory, llim_error *err)
{
    int fd;
    llim__header h;
    int code = map_found(path, found, O_RDONLY, &fd, &h, memory, err);
    if (code || *memory) return code;
    char *bytes = mmap(NULL, h.size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return llim__fail(err, LLIM_ENOMEM, "no memory to map a zone of %llu bytes", (unsigned long long)h.size);
    llim__memory_init(own, bytes, h.size, -1);
    *memory = own;
    return LLIM_OK;
}

/* What is at path, open for its identity alone; -1. */
static int find(const char *path)
{
    return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int llim__file_read(const char *path, llim__memory *own, llim__memory **memory, llim_error *err)
{
    const int found = find(path);
    if (found < 0) return fail_at(path, "opened", errno, err);
    int code = read_found(path, found, own, memory, err);
    close(found);
    return code;
}

int llim__file_descriptor(const char *path, int how, int *fd, llim__header *h, llim_error *err)
{
    struct stat st;
    const int found = find(path);
    if (found < 0) return fail_at(path, "opened", errno, err);
    int code = check_kind(path, found, &st, err);
    if (!code) code = open_found(path, found, how, fd, h, err);
    close(found);
    return code;
}

int llim__file_take(const char *path, const llim__header *h, uint32_t mode, llim__memory **memory, llim_error *err)
{
    int error = 0;
    for (int i = 0; i < TRIES; i++) {
        const int found = find(path);
        if (found >= 0) {
            int code = take_found(path, found, memory, err);
            close(found);
            return code;
        }
        if (errno != ENOENT) return fail_at(path, "opened", errno, err);
        /* Where making it failed, another may have made it meanwhile, and that have been the reason. */
        if (error && error != EEXIST) break;
        error = make(path, h, mode);
    }
    return fail_at(path, "made", error, err);
}
