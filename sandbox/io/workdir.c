/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation of the removal. It walks by descriptors (openat, unlinkat), so a name that is
 * swapped for a link in the meantime leads nowhere. It holds at most DEPTH_MAX open directories:
 * one that lies deeper is moved up to the root of the walk under a new name and removed from there
 * in a later round. Each round removes or flattens something; one that achieves nothing ends the
 * walk.
 */
#include "sandbox/io/workdir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

enum { DEPTH_MAX = 32 };

struct walk {
	DIR *open[DEPTH_MAX];	/* open[0] is the root */
	char *names[DEPTH_MAX]; /* of open[i] in open[i - 1] */
	size_t depth;
	dev_t device;
	size_t n_done; /* what this round removed or moved */
	unsigned n_moved;
	int first_errno;
};

int st_workdir_make(const char *base, char **path, struct st_diag *diag)
{
	if (base == NULL || base[0] != '/') {
		return st_fail(diag, ST_ERR_INVALID,
			       "the jobs' base directory is no absolute path");
	}
	struct st_buf name = {0};
	st_buf_addf(&name, "%s/job-XXXXXX", base);
	if (mkdtemp(name.data) == NULL) {
		int rc =
		    st_fail(diag, ST_ERR_IO, "no work directory in %s: %s", base, strerror(errno));
		st_buf_fini(&name);
		return rc;
	}
	*path = st_buf_take(&name);
	return ST_OK;
}

static bool is_at_or_below(const char *path, const char *above)
{
	size_t len = strlen(above);
	return strncmp(path, above, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

int st_workdir_resolve(const char *path, const struct st_workdirs *allowed, char **out,
		       struct st_diag *diag)
{
	char real[PATH_MAX];
	char above[PATH_MAX];
	struct stat info;
	if (realpath(path, real) == NULL || stat(real, &info) != 0) {
		return st_fail(diag, ST_ERR_IO, "the work directory %.200s cannot be used: %s",
			       path, strerror(errno));
	}
	if (!S_ISDIR(info.st_mode)) {
		return st_fail(diag, ST_ERR_INVALID, "the work directory %.200s is none", path);
	}
	for (size_t i = 0; i < allowed->n; i++) {
		if (realpath(allowed->paths[i], above) != NULL && is_at_or_below(real, above)) {
			*out = st_strdup(real);
			return ST_OK;
		}
	}
	return st_fail(
	    diag, ST_ERR_INVALID,
	    "the work directory %.200s leads to where the operator lets no job work; see "
	    "\"sandbox\": {\"workdirs\": […]} in the config",
	    path);
}

int st_workdir_open(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void failed(struct walk *walk)
{
	if (walk->first_errno == 0) {
		walk->first_errno = errno;
	}
}

/* Opens a directory without following a link, giving ourselves the rights to empty it first. */
static DIR *open_directory(int at, const char *name, const struct walk *walk)
{
	int handle = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	if (handle < 0) {
		return NULL;
	}
	if (fstat(handle, &info) != 0 || (walk->device != 0 && info.st_dev != walk->device)) {
		(void)close(handle);
		errno = EXDEV;
		return NULL;
	}
	/* An O_PATH descriptor takes no fchmod; its name in /proc leads to the very same inode. */
	char self[64];
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", handle);
	if ((info.st_mode & 0700) != 0700) {
		(void)chmod(self, 0700);
	}
	int fd = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)close(handle);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (directory == NULL && fd >= 0) {
		(void)close(fd);
	}
	return directory;
}

/* Goes down into a directory, or, when that is too deep, moves it up to the root. */
static bool descend(struct walk *walk, int at, const char *name)
{
	if (walk->depth + 1 < DEPTH_MAX) {
		DIR *directory = open_directory(at, name, walk);
		if (directory == NULL) {
			failed(walk);
			return false;
		}
		walk->depth++;
		walk->open[walk->depth] = directory;
		walk->names[walk->depth] = st_strdup(name);
		return true;
	}
	/* Moving a directory rewrites its "..", which needs the right to write into it. */
	DIR *rights = open_directory(at, name, walk);
	if (rights != NULL) {
		(void)closedir(rights);
	}
	char higher[64];
	(void)snprintf(higher, sizeof higher, ".stint-deep-%u-%u", (unsigned)getpid(),
		       walk->n_moved++);
	if (rights == NULL || renameat(at, name, dirfd(walk->open[0]), higher) != 0) {
		failed(walk);
		return false;
	}
	walk->n_done++;
	return false;
}

/* One name in the open directory. */
static void remove_entry(struct walk *walk, const struct dirent *entry)
{
	int at = dirfd(walk->open[walk->depth]);
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
		return;
	}
	if (unlinkat(at, entry->d_name, 0) == 0 || unlinkat(at, entry->d_name, AT_REMOVEDIR) == 0) {
		walk->n_done++;
		return;
	}
	if (errno == ENOENT) {
		return;
	}
	if (errno == ENOTDIR) {
		errno = EPERM;
		failed(walk);
		return;
	}
	(void)descend(walk, at, entry->d_name);
}

/* The open directory has been read to its end: back to its parent, where it can go if it is empty.
 */
static void ascend(struct walk *walk)
{
	(void)closedir(walk->open[walk->depth]);
	char *name = walk->names[walk->depth];
	walk->depth--;
	if (unlinkat(dirfd(walk->open[walk->depth]), name, AT_REMOVEDIR) == 0) {
		walk->n_done++;
	}
	st_free(name);
}

/* Empties the root as far as one reading goes. */
static void one_round(struct walk *walk)
{
	walk->n_done = 0;
	rewinddir(walk->open[0]);
	for (;;) {
		const struct dirent *entry = readdir(walk->open[walk->depth]);
		if (entry != NULL) {
			remove_entry(walk, entry);
		} else if (walk->depth > 0) {
			ascend(walk);
		} else {
			return;
		}
	}
}

int st_workdir_remove(const char *path, struct st_diag *diag)
{
	struct walk walk = {0};
	walk.open[0] = open_directory(AT_FDCWD, path, &walk);
	if (walk.open[0] == NULL) {
		return st_fail(diag, ST_ERR_IO, "work directory %s cannot be opened: %s", path,
			       strerror(errno));
	}
	struct stat info;
	if (fstat(dirfd(walk.open[0]), &info) == 0) {
		walk.device = info.st_dev;
	}
	do {
		walk.first_errno = 0;
		one_round(&walk);
		assert(walk.depth == 0);
	} while (walk.n_done > 0);
	(void)closedir(walk.open[0]);
	if (rmdir(path) != 0) {
		int reason = walk.first_errno != 0 ? walk.first_errno : errno;
		return st_fail(diag, ST_ERR_IO, "work directory %s is left behind: %s", path,
			       strerror(reason));
	}
	return ST_OK;
}
