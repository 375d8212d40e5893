/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schemas/mem.h"

static void close_keeping_errno(int fd)
{
	int saved = errno;
	(void)close(fd);
	errno = saved;
}

/* Asked for a directory, the kernel only says that a link is none. */
static bool is_link(int at, const char *name)
{
	struct stat info;
	return fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

/* One part. A directory must be on the device of the root; a file tells of its directory's. */
static int open_part(int at, const char *name, int flags, dev_t device)
{
	struct stat info;
	if (strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	int fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR) {
		errno = is_link(at, name) ? ELOOP : ENOTDIR;
	}
	if (fd < 0 || (flags & O_DIRECTORY) == 0) {
		return fd;
	}
	if (fstat(fd, &info) != 0 || info.st_dev != device) {
		(void)close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}

int st_beneath_open_by_parts(int root, const char *path, int flags)
{
	st_autofree char *parts = st_strdup(path);
	struct stat info;
	int at = root;
	if (path[0] == '/' || fstat(root, &info) != 0) {
		errno = EXDEV;
		return -1;
	}
	for (char *part = parts;;) {
		char *slash = strchr(part, '/');
		if (slash != NULL) {
			*slash = '\0';
		}
		int fd =
		    open_part(at, part, slash != NULL ? O_PATH | O_DIRECTORY : flags, info.st_dev);
		if (at != root) {
			close_keeping_errno(at);
		}
		if (fd < 0 || slash == NULL) {
			return fd;
		}
		at = fd;
		part = slash + 1;
	}
}

static long open_how(int root, const char *path, int flags)
{
	const struct open_how how = {
	    .flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	return syscall(SYS_openat2, root, path, &how, sizeof how);
}

static bool ends_in_link(int root, const char *path)
{
	struct stat info;
	long fd = open_how(root, path, O_PATH);
	bool is = fd >= 0 && fstat((int)fd, &info) == 0 && S_ISLNK(info.st_mode);
	if (fd >= 0) {
		(void)close((int)fd);
	}
	return is;
}

int st_beneath_open(int root, const char *path, int flags)
{
	long fd = open_how(root, path, flags);
	/* A kernel that is too old, or a filter around us that does not know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		return st_beneath_open_by_parts(root, path, flags);
	}
	if (fd < 0 && errno == ENOTDIR && (flags & O_DIRECTORY) != 0) {
		errno = ends_in_link(root, path) ? ELOOP : ENOTDIR;
	}
	return (int)fd;
}
