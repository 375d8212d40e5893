/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. By now the job's processes are dead, but what they left may be made to hurt
 * who reads it: links that lead out, pipes that never answer, devices that act when they are
 * opened, endless directories, sparse giants. And a directory that was given to the job, or a
 * process that could not be killed, may still change it while we look. So:
 *
 *   - patterns are walked part by part, reading only directories that a '*' or '?' stands in;
 *   - everything is opened by its path from the root, see beneath.h;
 *   - a file is first opened without rights (O_PATH does nothing to a pipe or a device), looked at,
 *     then opened for reading, without waiting, and must be the same one;
 *   - a file with a second name is refused: a hard link may bring in what belongs to somebody else;
 *   - as many bytes are read as the file said it has. More, fewer, or a new time of change:
 * refused.
 */
#include "sandbox/io/collect.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/io/beneath.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

enum { ENTRIES_MAX = 100000 }; /* names read in all directories for one job */

struct walk {
	int root;
	struct st_harvest *harvest;
	struct st_buf path; /* of where the walk stands */
	size_t n_entries;
	bool found;   /* the pattern named something */
	bool gave_up; /* too many entries */
};

static const char *reason_of(int error)
{
	switch (error) {
	case ENOENT:
		return "there is no such file";
	case ELOOP:
		return "a symbolic link is in its path";
	case EXDEV:
		return "its path leaves the job's directory or its file system";
	default:
		return strerror(error);
	}
}

static void refuse(struct walk *walk, const char *reason)
{
	walk->found = true;
	st_harvest_refuse(walk->harvest, walk->path.data, reason);
}

/* Goes down by one name; returns what path_leave needs. */
static size_t path_enter(struct walk *walk, const char *name, size_t len)
{
	size_t before = walk->path.len;
	if (before > 0) {
		st_buf_add_char(&walk->path, '/');
	}
	st_buf_add(&walk->path, name, len);
	return before;
}

static void path_leave(struct walk *walk, size_t before)
{
	walk->path.len = before;
	walk->path.data[before] = '\0';
}

static DIR *open_here(struct walk *walk)
{
	const char *path = walk->path.len > 0 ? walk->path.data : ".";
	int fd = st_beneath_open(walk->root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (directory == NULL && fd >= 0) {
		(void)close(fd);
	}
	return directory;
}

static bool may_read_entry(struct walk *walk)
{
	if (walk->n_entries == ENTRIES_MAX) {
		walk->gave_up = true;
		return false;
	}
	walk->n_entries++;
	return true;
}

/* The walk stands at something that matches the whole pattern. Directories are not meant by it; a
 * name that was only put behind a '*' may not be there. */
static void name_here(struct walk *walk)
{
	struct stat info;
	if (!may_read_entry(walk)) {
		return;
	}
	int fd = st_beneath_open(walk->root, walk->path.data, O_PATH);
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR) {
			refuse(walk, reason_of(errno));
		}
		return;
	}
	if (fstat(fd, &info) != 0 || !S_ISDIR(info.st_mode)) {
		walk->found = true;
		st_harvest_name(walk->harvest, walk->path.data);
	}
	(void)close(fd);
}

/* NOLINTBEGIN(misc-no-recursion): a level for each part, of at most ST_ARTIFACT_DEPTH_MAX */
static void walk_part(struct walk *walk, const char *part);

/* One name that fits a part of the pattern; `rest` is the pattern behind it. */
static void walk_name(struct walk *walk, const char *name, size_t len, const char *rest)
{
	size_t before = path_enter(walk, name, len);
	if (walk->path.len > ST_ARTIFACT_PATH_BYTES_MAX) {
		refuse(walk, "its path is over 1024 bytes long");
	} else if (*rest == '/') {
		walk_part(walk, rest + 1);
	} else {
		name_here(walk);
	}
	path_leave(walk, before);
}

static void walk_part(struct walk *walk, const char *part)
{
	size_t len = strcspn(part, "/");
	if (st_artifact_part_is_name(part, len)) {
		walk_name(walk, part, len, part + len);
		return;
	}
	DIR *directory = open_here(walk);
	if (directory == NULL) {
		/* What a '*' found is often no directory, and may be gone. */
		if (errno != ENOTDIR && errno != ENOENT) {
			refuse(walk, reason_of(errno));
		}
		return;
	}
	const struct dirent *entry = NULL;
	while (may_read_entry(walk) && (entry = readdir(directory)) != NULL) {
		if (st_artifact_match(part, len, entry->d_name) &&
		    strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			walk_name(walk, entry->d_name, strlen(entry->d_name), part + len);
		}
	}
	(void)closedir(directory);
}
/* NOLINTEND(misc-no-recursion) */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* What kind of thing is it, before anything is done to it? NULL: a file that may be opened. */
static const char *kind_fault(const struct stat *info)
{
	if (S_ISLNK(info->st_mode)) {
		return "it is a symbolic link";
	}
	if (!S_ISREG(info->st_mode)) {
		return "it is no regular file";
	}
	if (info->st_nlink != 1) {
		return "it has another name (a hard link)";
	}
	return NULL;
}

/* Reads until `size` bytes or the end; one byte more is asked for, so that growth is seen. */
static const char *read_whole(int fd, size_t size, char *bytes)
{
	size_t at = 0;
	while (at <= size) {
		ssize_t n = read(fd, bytes + at, size + 1 - at);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return strerror(errno);
		}
		if (n == 0) {
			break;
		}
		at += (size_t)n;
	}
	return at == size ? NULL : "it changed while it was read";
}

/* The file is open for reading and should be the one that was looked at. */
static const char *take_open(struct st_harvest *harvest, const char *path, int fd,
			     const struct stat *seen)
{
	struct stat before;
	struct stat after;
	if (fstat(fd, &before) != 0 || !same_file(seen, &before)) {
		return "it changed before it was read";
	}
	size_t size = (size_t)before.st_size;
	st_autofree char *bytes = st_alloc(size + 1);
	const char *fault = read_whole(fd, size, bytes);
	if (fault == NULL && (fstat(fd, &after) != 0 || !same_file(&before, &after))) {
		fault = "it changed while it was read";
	}
	if (fault == NULL) {
		st_harvest_keep(harvest, path, st_steal(&bytes), size);
	}
	return fault;
}

/* NULL, or why the file is not kept. */
static const char *take(int root, struct st_harvest *harvest, const char *path)
{
	struct stat info = {0};
	const char *fault = st_harvest_fault(harvest, path, -1);
	if (fault != NULL) {
		return fault;
	}
	int fd = st_beneath_open(root, path, O_PATH);
	if (fd < 0 || fstat(fd, &info) != 0) {
		fault = reason_of(errno);
	} else {
		fault = kind_fault(&info);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	if (fault == NULL) {
		fault = st_harvest_fault(harvest, path, (int64_t)info.st_size);
	}
	if (fault != NULL) {
		return fault;
	}
	fd = st_beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		return reason_of(errno);
	}
	fault = take_open(harvest, path, fd, &info);
	(void)close(fd);
	return fault;
}

void st_collect(int root, char *const *patterns, size_t n, struct st_harvest *harvest)
{
	struct walk walk = {.root = root, .harvest = harvest};
	st_buf_add_text(&walk.path, "");
	for (size_t i = 0; i < n && !walk.gave_up; i++) {
		assert(st_artifact_pattern_fault(patterns[i]) == NULL);
		if (root < 0) {
			st_harvest_refuse(harvest, patterns[i],
					  "the job's directory could not be opened");
			continue;
		}
		walk.found = false;
		walk_part(&walk, patterns[i]);
		if (walk.gave_up) {
			st_harvest_refuse(harvest, "",
					  "the search ended here: more than 100000 names lie where "
					  "the patterns look");
		} else if (!walk.found) {
			st_harvest_refuse(harvest, patterns[i], "nothing matches this pattern");
		}
	}
	st_buf_fini(&walk.path);
	if (harvest->more) {
		st_harvest_refuse(harvest, "",
				  "more than 256 files match; the first of them by name were "
				  "looked at, the others were not");
	}
	for (size_t i = 0; i < harvest->n_candidates; i++) {
		const char *fault = take(root, harvest, harvest->candidates[i]);
		if (fault != NULL) {
			st_harvest_refuse(harvest, harvest->candidates[i], fault);
		}
	}
}
