/* sources.c - see sources.h. */
#include "policy/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "policy/builtin.h"

enum { MOST_BYTES = 1 << 20 }; /* a table of every model there is has some ten thousand */

static int no_memory(llim_error *err)
{
    return llim__fail(err, LLIM_ENOMEM, "no memory for the quota tables");
}

static int copy(llim__source *out, const char *path, const char *text, size_t size, llim_error *err)
{
    *out = (llim__source){strdup(path), malloc(size + 1), size};
    if (!out->path || !out->text) return no_memory(err);
    memcpy(out->text, text, size);
    out->text[size] = 0;
    return LLIM_OK;
}

static int read_file(llim__source *out, const char *path, llim_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would hold us */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    struct stat info;
    int code = LLIM_OK;
    if (!file || fstat(fileno(file), &info)) {
        code = llim__fail(err, LLIM_EIO, "%s: cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        code = llim__fail(err, LLIM_EIO, "%s: cannot be read: not a regular file", path);
    } else if (info.st_size > MOST_BYTES) {
        code = llim__fail(err, LLIM_ECONFIG, "%s: has %lld bytes, a file of at most %d was expected", path,
                          (long long)info.st_size, MOST_BYTES);
    } else {
        *out = (llim__source){strdup(path), malloc(MOST_BYTES + 1), 0};
        if (!out->path || !out->text) code = no_memory(err);
        if (!code) out->size = fread(out->text, 1, MOST_BYTES, file);
        if (!code) out->text[out->size] = 0;
        if (!code && ferror(file)) code = llim__fail(err, LLIM_EIO, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (file) fclose(file);
    if (code && err) snprintf(err->file, sizeof err->file, "%s", path);
    return code;
}

static int add_quotas(llim__sources *out, llim__source **next, llim_error *err)
{
    llim__source *more = realloc(out->quotas, (out->n_quotas + 1) * sizeof *more);
    if (!more) return no_memory(err);
    out->quotas = more;
    *next = &more[out->n_quotas++];
    memset(*next, 0, sizeof **next);
    return LLIM_OK;
}

/* Whether a file that the library carries is a quota table of the set. */
static bool is_of_set(const llim__builtin *b, const char *quotas)
{
    static const char prefix[] = "policies/quotas/";
    const size_t len = strlen(quotas);
    if (strncmp(b->path, prefix, sizeof prefix - 1) != 0) return false;
    return strncmp(b->path + sizeof prefix - 1, quotas, len) == 0 && b->path[sizeof prefix - 1 + len] == '/';
}

bool llim__sources_has_set(const char *quotas)
{
    const llim__builtin *b = llim__builtins;
    while (b->path && !is_of_set(b, quotas)) b++;
    return b->path != NULL;
}

static int builtin_set(llim__sources *out, const char *quotas, llim_error *err)
{
    int code = LLIM_OK;
    for (const llim__builtin *b = llim__builtins; b->path && !code; b++) {
        llim__source *next;
        if (!is_of_set(b, quotas)) continue;
        code = add_quotas(out, &next, err);
        if (!code) code = copy(next, b->path, b->text, b->size, err);
    }
    return code;
}

static int file_set(llim__sources *out, const char *path, llim_error *err)
{
    llim__source *next;
    int code = add_quotas(out, &next, err);
    return code ? code : read_file(next, path, err);
}

static int is_table(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && strcmp(dot, ".lua") == 0;
}

/* The same in every locale, since the order of the texts counts in the hash. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int llim__sources_tables(const char *directory, void (*each)(void *ctx, const char *path), void *ctx)
{
    struct dirent **found;
    char path[PATH_MAX];
    bool fits = true;
    const int n = scandir(directory, &found, is_table, by_name);
    for (int i = 0; i < n; i++) {
        fits = fits && snprintf(path, sizeof path, "%s/%s", directory, found[i]->d_name) < (int)sizeof path;
        if (fits) each(ctx, path);
        free(found[i]);
    }
    if (n >= 0) free(found);
    if (!fits) errno = ENAMETOOLONG;
    return fits ? n : -1;
}

typedef struct reading {
    llim__sources *out;
    llim_error *err;
    int code;
} reading;

static void read_table(void *ctx, const char *path)
{
    reading *r = ctx;
    if (!r->code) r->code = file_set(r->out, path, r->err);
}

static int directory_set(llim__sources *out, const char *directory, llim_error *err)
{
    struct stat info;
    const bool there = stat(directory, &info) == 0;
    if (there && S_ISREG(info.st_mode)) return file_set(out, directory, err);
    if (!there || !S_ISDIR(info.st_mode))
        return llim__fail(err, LLIM_ECONFIG,
                          "%s is neither a set of quota tables (baseline, published) nor a directory or file of them",
                          directory);
    reading r = {out, err, LLIM_OK};
    const int n = llim__sources_tables(directory, read_table, &r);
    if (n < 0) return llim__fail(err, LLIM_EIO, "%s: cannot be read: %s", directory, strerror(errno));
    return n ? r.code : llim__fail(err, LLIM_EIO, "%s: holds no quota table (*.lua)", directory);
}

static const llim__builtin *builtin_policy(const char *policy)
{
    char path[64];
    snprintf(path, sizeof path, "policies/%s.lua", policy);
    const llim__builtin *b = llim__builtins;
    while (b->path && strcmp(b->path, path) != 0) b++;
    return b->path ? b : NULL;
}

bool llim__sources_has_policy(const char *policy)
{
    return builtin_policy(policy) != NULL;
}

static int policy_source(llim__source *out, const char *policy, llim_error *err)
{
    const llim__builtin *b = builtin_policy(policy);
    return b ? copy(out, b->path, b->text, b->size, err) : read_file(out, policy, err);
}

int llim__sources_read(llim__sources *out, const char *quotas, const char *policy, const char *overrides,
                       llim_error *err)
{
    memset(out, 0, sizeof *out);
    int code = llim__sources_has_set(quotas) ? builtin_set(out, quotas, err) : directory_set(out, quotas, err);
    if (!code) code = policy_source(&out->policy, policy, err);
    if (!code && overrides) code = read_file(&out->overrides, overrides, err);
    if (code) llim__sources_free(out);
    return code;
}

int llim__sources_override(llim__sources *out, const char *overrides, llim_error *err)
{
    return copy(&out->overrides, "overrides_text", overrides, strlen(overrides), err);
}

int llim__sources_copy(llim__sources *out, const llim__source *policy, const char *overrides, size_t size,
                       llim_error *err)
{
    static const char empty[] = "return quota \"test\" { api = 1, modality = \"text\", tier \"free\" {} }";
    llim__source *quota = NULL;
    memset(out, 0, sizeof *out);
    int code = add_quotas(out, &quota, err);
    if (!code) code = copy(quota, "test", empty, sizeof empty - 1, err);
    if (!code) code = copy(&out->policy, policy->path, policy->text, policy->size, err);
    if (!code) code = copy(&out->overrides, "test", overrides, size, err);
    if (code) llim__sources_free(out);
    return code;
}

static void free_source(llim__source *source)
{
    free(source->path);
    free(source->text);
}

void llim__sources_free(llim__sources *sources)
{
    for (uint32_t i = 0; i < sources->n_quotas; i++) free_source(&sources->quotas[i]);
    free(sources->quotas);
    free_source(&sources->policy);
    free_source(&sources->overrides);
    memset(sources, 0, sizeof *sources);
}
