/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a clone, written from a tree and read into one. Not by libgit2's checkout and index:
 * jobs work on these files, at the same time even, and may put a link where a directory was. So all
 * of it goes by descriptors, follows no link, and passes no filter: bytes are written as they are
 * stored. What is written is not shown to anybody before it is whole.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/git_name.h"
#include "steps/io/git_work.h"

#define PATH_BYTES_MAX 4096
#define OBJECT_BYTES_MAX (INT64_C(128) << 20)

/* ---- from a tree ---- */

struct level {
	git_tree *tree;
	size_t next;
	int fd; /* -1: only looked at */
};

struct writing {
	struct st_git_work *work;
	struct level levels[ST_GIT_DEPTH_MAX + 1];
	int depth; /* of the level that is worked on; -1: done */
	int64_t files;
	int64_t bytes;
};

static int hostile(struct st_git_work *work, const char *name, const char *fault)
{
	char shown[64];
	(void)snprintf(shown, sizeof shown, "%s", name);
	for (char *p = shown; *p != '\0'; p++) {
		*p = (char)((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
	}
	return st_git_refuse(work, "git.hostile", "the repository holds \"%s\", which %s", shown,
			     fault);
}

static int wrong_io(struct st_git_work *work, const char *name)
{
	return st_git_refuse(work, "git.io", "\"%.100s\" cannot be written or read: %s", name,
			     strerror(errno));
}

static int count(struct writing *writing, int64_t bytes)
{
	const struct st_git_options *options = writing->work->options;
	writing->files++;
	writing->bytes += bytes;
	if (writing->files > options->files_max || writing->bytes > options->bytes_max) {
		return st_git_refuse(writing->work, "git.too_large",
				     "its files pass %lld files or %lld bytes",
				     (long long)options->files_max, (long long)options->bytes_max);
	}
	return st_git_stopped(writing->work) ? -1 : 0;
}

/* The size is known before the object is read. */
static int size_of(struct st_git_work *work, const git_oid *id, const char *name, int64_t *out)
{
	git_odb *odb = NULL;
	size_t size = 0;
	git_object_t type = GIT_OBJECT_INVALID;
	int rc = git_repository_odb(&odb, work->repo);
	rc = rc == 0 ? git_odb_read_header(&size, &type, odb, id) : rc;
	git_odb_free(odb);
	if (rc < 0 || type != GIT_OBJECT_BLOB) {
		return rc < 0 ? st_git_failed(work, "a file")
			      : hostile(work, name, "is no file though it says so");
	}
	if (size > (size_t)OBJECT_BYTES_MAX) {
		return st_git_refuse(work, "git.too_large", "\"%.100s\" has over %lld bytes", name,
				     (long long)OBJECT_BYTES_MAX);
	}
	*out = (int64_t)size;
	return 0;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, bytes + done, len - done);
		if (n < 0) {
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

static int write_link(struct writing *writing, const char *name, const git_blob *blob)
{
	const char *target = git_blob_rawcontent(blob);
	size_t len = (size_t)git_blob_rawsize(blob);
	const char *fault = st_git_link_fault(target, len, writing->depth);
	if (fault == NULL && strncasecmp(name, ".gitmodules", 11) == 0) {
		fault = "is a link";
	}
	if (fault != NULL) {
		return hostile(writing->work, name, fault);
	}
	int fd = writing->levels[writing->depth].fd;
	char text[PATH_BYTES_MAX];
	(void)snprintf(text, sizeof text, "%.*s", (int)len, target);
	return fd < 0 || symlinkat(text, fd, name) == 0 ? 0 : wrong_io(writing->work, name);
}

static int write_file(struct writing *writing, const char *name, const git_blob *blob, mode_t mode)
{
	int at = writing->levels[writing->depth].fd;
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	bool ok =
	    fd >= 0 && write_all(fd, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	int reason = errno;
	if (fd >= 0) {
		(void)close(fd);
	}
	errno = reason;
	return ok ? 0 : wrong_io(writing->work, name);
}

static int write_blob(struct writing *writing, const git_tree_entry *entry, bool link)
{
	struct st_git_work *work = writing->work;
	const char *name = git_tree_entry_name(entry);
	const git_oid *id = git_tree_entry_id(entry);
	bool look = writing->levels[writing->depth].fd < 0;
	git_blob *blob = NULL;
	int64_t size = 0;
	int rc = size_of(work, id, name, &size);
	rc = rc == 0 ? count(writing, size) : rc;
	if (rc != 0 || (look && !link)) {
		return rc;
	}
	if (git_blob_lookup(&blob, work->repo, id) < 0) {
		return st_git_failed(work, "a file");
	}
	mode_t mode = git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644;
	rc = link ? write_link(writing, name, blob) : write_file(writing, name, blob, mode);
	git_blob_free(blob);
	return rc;
}

static int enter_directory(struct writing *writing, const git_tree_entry *entry)
{
	struct st_git_work *work = writing->work;
	const char *name = git_tree_entry_name(entry);
	struct level *from = &writing->levels[writing->depth];
	if (writing->depth == ST_GIT_DEPTH_MAX) {
		return hostile(work, name, "lies too deep");
	}
	struct level to = {.fd = -1};
	if (count(writing, 0) != 0) {
		return -1;
	}
	if (git_tree_lookup(&to.tree, work->repo, git_tree_entry_id(entry)) < 0) {
		return st_git_failed(work, "a directory");
	}
	if (from->fd >= 0) {
		bool made = mkdirat(from->fd, name, 0755) == 0;
		to.fd =
		    made ? openat(from->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			 : -1;
		if (to.fd < 0) {
			git_tree_free(to.tree);
			return wrong_io(work, name);
		}
	}
	writing->levels[++writing->depth] = to;
	return 0;
}

static int write_entry(struct writing *writing, const git_tree_entry *entry)
{
	struct st_git_work *work = writing->work;
	const char *name = git_tree_entry_name(entry);
	const char *fault = st_git_entry_fault(name, strlen(name));
	int fd = writing->levels[writing->depth].fd;
	if (fault != NULL) {
		return hostile(work, name, fault);
	}
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		return enter_directory(writing, entry);
	case GIT_FILEMODE_LINK:
		return write_blob(writing, entry, true);
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		return write_blob(writing, entry, false);
	case GIT_FILEMODE_COMMIT:
		if (!work->spec.ignore_submodules) {
			return hostile(work, name,
				       "is a submodule; with \"submodules\": \"ignore\" its "
				       "directory stays empty");
		}
		return fd < 0 || mkdirat(fd, name, 0755) == 0 ? count(writing, 0)
							      : wrong_io(work, name);
	case GIT_FILEMODE_UNREADABLE:
		break;
	}
	return hostile(work, name, "is of an unknown kind");
}

static void leave_directory(struct writing *writing)
{
	struct level *level = &writing->levels[writing->depth--];
	git_tree_free(level->tree);
	if (level->fd >= 0) {
		(void)close(level->fd);
	}
}

/* Takes root_fd; -1: only looks. */
static int walk_tree(struct st_git_work *work, const git_tree *tree, int root_fd)
{
	struct writing *writing = st_alloc(sizeof *writing);
	*writing = (struct writing){.work = work, .depth = 0};
	writing->levels[0].fd = root_fd;
	int rc = git_tree_dup(&writing->levels[0].tree, (git_tree *)(uintptr_t)tree);
	while (rc == 0 && writing->depth >= 0) {
		struct level *level = &writing->levels[writing->depth];
		if (level->next >= git_tree_entrycount(level->tree)) {
			leave_directory(writing);
		} else {
			rc = write_entry(writing,
					 git_tree_entry_byindex(level->tree, level->next++));
		}
	}
	while (writing->depth >= 0) {
		leave_directory(writing);
	}
	work->result.files = writing->files;
	st_free(writing);
	return rc < 0 ? st_git_failed(work, "the files") : 0;
}

int st_git_check_tree(struct st_git_work *work, const git_tree *tree)
{
	return tree == NULL ? 0 : walk_tree(work, tree, -1);
}

int st_git_write_files(struct st_git_work *work, const git_tree *tree, char name[32])
{
	char path[4400];
	/* Before the first byte is written. */
	int rc = st_git_check_tree(work, tree);
	if (rc != 0) {
		return rc;
	}
	(void)snprintf(path, sizeof path, "%s/new-XXXXXX", work->space);
	if (mkdtemp(path) == NULL) {
		return wrong_io(work, "the files");
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return wrong_io(work, "the files");
	}
	if (tree == NULL) {
		(void)close(fd);
	} else {
		rc = walk_tree(work, tree, fd);
	}
	if (rc != 0) {
		st_git_remove_own(path);
	} else {
		(void)snprintf(name, 32, "%s", path + strlen(work->space) + 1);
	}
	return rc;
}

/* ---- into a tree ---- */

struct reading {
	struct st_git_work *work;
	git_index *index;
	DIR *open[ST_GIT_DEPTH_MAX + 1];
	size_t lens[ST_GIT_DEPTH_MAX + 1]; /* of the path up to each */
	int depth;			   /* -1: nothing open */
	char path[PATH_BYTES_MAX + ST_GIT_NAME_BYTES_MAX + 2];
	int64_t files;
	int64_t bytes;
};

static int add_blob(struct reading *reading, const char *bytes, size_t len, uint32_t mode)
{
	struct st_git_work *work = reading->work;
	git_index_entry entry = {.mode = mode, .path = reading->path};
	reading->files++;
	reading->bytes += (int64_t)len;
	if (reading->files > work->options->files_max ||
	    reading->bytes > work->options->bytes_max) {
		return st_git_refuse(
		    work, "git.too_large", "the files pass %lld files or %lld bytes",
		    (long long)work->options->files_max, (long long)work->options->bytes_max);
	}
	if (git_blob_create_from_buffer(&entry.id, work->repo, bytes, len) < 0 ||
	    git_index_add(reading->index, &entry) < 0) {
		return st_git_failed(work, "a file");
	}
	return st_git_stopped(work) ? -1 : 0;
}

static int read_link(struct reading *reading, int at, const char *name)
{
	char target[PATH_BYTES_MAX];
	ssize_t len = readlinkat(at, name, target, sizeof target);
	if (len < 0) {
		return wrong_io(reading->work, reading->path);
	}
	int depth = 0;
	for (const char *p = reading->path; *p != '\0'; p++) {
		depth += *p == '/' ? 1 : 0;
	}
	const char *fault = st_git_link_fault(target, (size_t)len, depth);
	return fault == NULL ? add_blob(reading, target, (size_t)len, GIT_FILEMODE_LINK)
			     : hostile(reading->work, reading->path, fault);
}

static int read_file(struct reading *reading, int at, const char *name)
{
	struct st_git_work *work = reading->work;
	struct stat info;
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info) != 0) {
		int rc = wrong_io(work, reading->path);
		if (fd >= 0) {
			(void)close(fd);
		}
		return rc;
	}
	int rc = 0;
	struct st_buf bytes = {0};
	if (!S_ISREG(info.st_mode)) {
		rc = hostile(work, reading->path, "is no file, directory or link");
	} else if (info.st_size > OBJECT_BYTES_MAX) {
		rc = st_git_refuse(work, "git.too_large", "\"%.100s\" has over %lld bytes",
				   reading->path, (long long)OBJECT_BYTES_MAX);
	}
	while (rc == 0 && (int64_t)bytes.len <= info.st_size) {
		ssize_t n = read(fd, st_buf_reserve(&bytes, 65536), 65536);
		if (n <= 0) {
			rc = n < 0 ? wrong_io(work, reading->path) : 0;
			break;
		}
		bytes.len += (size_t)n;
	}
	(void)close(fd);
	bool runs = (info.st_mode & 0100) != 0;
	if (rc == 0) {
		rc = add_blob(reading, bytes.data != NULL ? bytes.data : "", bytes.len,
			      runs ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB);
	}
	st_buf_fini(&bytes);
	return rc;
}

static int open_directory(struct reading *reading, int at, const char *name)
{
	if (reading->depth == ST_GIT_DEPTH_MAX) {
		return hostile(reading->work, reading->path, "lies too deep");
	}
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (directory == NULL) {
		int rc = wrong_io(reading->work, reading->path);
		if (fd >= 0) {
			(void)close(fd);
		}
		return rc;
	}
	reading->depth++;
	reading->open[reading->depth] = directory;
	reading->lens[reading->depth] = strlen(reading->path);
	return 0;
}

/* The path that the reading stands at, whatever it is. */
static int read_at(struct reading *reading, int at, const char *name)
{
	struct stat info;
	if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
		return errno == ENOENT ? 0 : wrong_io(reading->work, reading->path);
	}
	if (S_ISDIR(info.st_mode)) {
		return open_directory(reading, at, name);
	}
	return S_ISLNK(info.st_mode) ? read_link(reading, at, name) : read_file(reading, at, name);
}

static int read_entry(struct reading *reading, const char *name)
{
	size_t len = strlen(name);
	size_t above = reading->lens[reading->depth];
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || st_git_is_dot_git(name, len)) {
		return 0; /* a job's own repository is no part of this one */
	}
	if (above + len + 2 > PATH_BYTES_MAX) {
		return hostile(reading->work, name, "has a path of over 4096 bytes");
	}
	(void)snprintf(reading->path + above, sizeof reading->path - above, "%s%s",
		       above > 0 ? "/" : "", name);
	const char *fault = st_git_entry_fault(name, len);
	return fault == NULL ? read_at(reading, dirfd(reading->open[reading->depth]), name)
			     : hostile(reading->work, name, fault);
}

static int read_directories(struct reading *reading)
{
	int rc = 0;
	while (rc == 0 && reading->depth >= 0) {
		const struct dirent *entry = readdir(reading->open[reading->depth]);
		if (entry != NULL) {
			rc = read_entry(reading, entry->d_name);
		} else {
			(void)closedir(reading->open[reading->depth--]);
		}
	}
	while (reading->depth >= 0) {
		(void)closedir(reading->open[reading->depth--]);
	}
	return rc;
}

/* A path from the params: its directories are opened one by one, so that none is a link. */
static int read_path(struct reading *reading, int root, const char *path)
{
	int at = dup(root);
	size_t start = 0;
	int rc = 0;
	(void)snprintf(reading->path, sizeof reading->path, "%s", path);
	size_t len = strlen(reading->path);
	if (len > 0 && reading->path[len - 1] == '/') {
		reading->path[--len] = '\0';
	}
	for (;;) {
		char name[ST_GIT_NAME_BYTES_MAX + 1];
		size_t part = strcspn(reading->path + start, "/");
		(void)snprintf(name, sizeof name, "%.*s", (int)part, reading->path + start);
		start += part + 1;
		if (start > len) {
			rc = at >= 0 ? read_at(reading, at, name) : 0;
			break;
		}
		int next =
		    at < 0 ? -1 : openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (at >= 0) {
			(void)close(at);
		}
		at = next; /* what is not there, or a link now, is gone from the tree */
	}
	if (at >= 0) {
		(void)close(at);
	}
	return rc == 0 ? read_directories(reading) : rc;
}

static bool covers(const char *path, const char *name)
{
	size_t len = strlen(path);
	len -= len > 0 && path[len - 1] == '/' ? 1 : 0;
	return strcmp(path, ".") == 0 ||
	       (strncmp(path, name, len) == 0 && (name[len] == '\0' || name[len] == '/'));
}

/* What stays as it is in the base: all but the paths; and submodules, which are not ours to change.
 */
static int keep_others(struct reading *reading, const git_tree *base, const json_t *paths)
{
	git_index *old = NULL;
	int rc = git_index_new(&old);
	rc = rc == 0 ? git_index_read_tree(old, base) : rc;
	for (size_t i = 0; rc == 0 && i < git_index_entrycount(old); i++) {
		const git_index_entry *entry = git_index_get_byindex(old, i);
		bool covered = paths == NULL;
		for (size_t k = 0; !covered && k < json_array_size(paths); k++) {
			covered = covers(json_string_value(json_array_get(paths, k)), entry->path);
		}
		if (!covered || entry->mode == GIT_FILEMODE_COMMIT) {
			rc = git_index_add(reading->index, entry);
		}
	}
	git_index_free(old);
	return rc < 0 ? st_git_failed(reading->work, "the tree") : 0;
}

static int open_files(struct st_git_work *work)
{
	int above = openat(work->space_fd, "files", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = above >= 0 ? openat(above, work->spec.into,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			    : -1;
	if (fd < 0) {
		(void)st_git_refuse(work, "git.no_files", "the clone's files are gone: %s",
				    strerror(errno));
	}
	if (above >= 0) {
		(void)close(above);
	}
	return fd;
}

static int read_all(struct reading *reading, int root, const json_t *paths)
{
	size_t n = paths != NULL ? json_array_size(paths) : 1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *path =
		    paths != NULL ? json_string_value(json_array_get(paths, i)) : ".";
		if (strcmp(path, ".") == 0) {
			reading->path[0] = '\0';
			rc = open_directory(reading, root, ".");
			rc = rc == 0 ? read_directories(reading) : rc;
		} else {
			rc = read_path(reading, root, path);
		}
	}
	return rc;
}

int st_git_read_files(struct st_git_work *work, const git_tree *base, const json_t *paths,
		      git_oid *out)
{
	int root = open_files(work);
	if (root < 0) {
		return -1;
	}
	struct reading *reading = st_alloc(sizeof *reading);
	reading->work = work;
	reading->depth = -1;
	int rc = git_index_new(&reading->index);
	rc = rc == 0 && base != NULL ? keep_others(reading, base, paths) : rc;
	rc = rc == 0 ? read_all(reading, root, paths) : rc;
	rc = rc == 0 ? git_index_write_tree_to(out, reading->index, work->repo) : rc;
	git_index_free(reading->index);
	(void)close(root);
	st_free(reading);
	return rc < 0 ? st_git_failed(work, "the tree") : 0;
}
