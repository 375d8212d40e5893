/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. A mount is made detached, with all its restrictions, before it is put where
 * the job can see it, so nothing is ever there with too many rights, and nothing is looked up by a
 * name in a tree that somebody else writes. In order:
 *
 *   1. what comes from outside is cloned, while outside is still the root (open_tree);
 *   2. an empty root in memory is mounted and becomes the root; the old one is let go;
 *   3. everything is attached below the new root, which is then made read-only.
 *
 * /proc is made in step 1: in a user namespace the kernel grants one only to who sees one already.
 */
#include "sandbox/io/keeper/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/io/keeper/owner.h"
#include "sandbox/io/keeper/tell.h"
#include "sandbox/scene.h"

enum { PATH_BYTES = 4096 };

#define SHUT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static bool restrict_mount(int fd, uint64_t attributes, unsigned flags)
{
	struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
	return mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof attr) == 0;
}

/* A copy of the outside tree at a path, detached. */
static int clone_tree(const char *path, uint64_t attributes)
{
	int fd =
	    open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);
	if (fd >= 0 && !restrict_mount(fd, attributes, AT_RECURSIVE)) {
		int saved = errno;
		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static bool set_number(int fs, const char *key, int64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0) == 0;
}

/* Makes the file system that was described, detached. Closes fs. */
static int finish_fs(int fs, bool described, unsigned attributes)
{
	int fd = -1;
	if (described && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
		fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	}
	int saved = errno;
	(void)close(fs);
	errno = saved;
	return fd;
}

static int make_tmpfs(int64_t bytes, int64_t files, const struct st_owner *owner)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0) {
		return -1;
	}
	bool described =
	    set_number(fs, "size", bytes) && set_number(fs, "nr_inodes", files) &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", owner != NULL ? "0700" : "0755", 0) == 0;
	if (owner != NULL) {
		described = described && set_number(fs, "uid", owner->uid) &&
			    set_number(fs, "gid", owner->gid);
	}
	return finish_fs(fs, described, SHUT);
}

static int make_proc(void)
{
	int fs = fsopen("proc", FSOPEN_CLOEXEC);
	return fs < 0 ? -1 : finish_fs(fs, true, SHUT | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
}

static int make_devpts(void)
{
	int fs = fsopen("devpts", FSOPEN_CLOEXEC);
	if (fs < 0) {
		return -1;
	}
	bool described = fsconfig(fs, FSCONFIG_SET_STRING, "ptmxmode", "0666", 0) == 0 &&
			 fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0600", 0) == 0;
	return finish_fs(fs, described, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

/* A given work directory. Its files belong to whoever they belong to; the job's user, which is none
 * of the host's, is shown as that one, and what it makes there belongs to that one. */
static int clone_writable(const char *path, const struct st_owner *owner)
{
	struct stat info;
	int fd = clone_tree(path, SHUT);
	if (fd < 0 || !owner->mapped) {
		return fd;
	}
	int space = -1;
	if (fstat(fd, &info) == 0) {
		space = st_owner_namespace(&info, owner);
	}
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)space};
	bool done = space >= 0 &&
		    mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) == 0;
	int saved = errno;
	if (space >= 0) {
		(void)close(space);
	}
	if (!done) {
		(void)close(fd);
		fd = -1;
	}
	errno = saved;
	return fd;
}

/* Step 1. -1 and errno, or -2 where nothing has to be mounted. */
static int prepare(const struct st_order_mount *mount, const struct st_owner *owner)
{
	switch ((enum st_mount_kind)mount->kind) {
	case ST_MOUNT_READ:
		return clone_tree(mount->from.text, SHUT | MOUNT_ATTR_RDONLY);
	case ST_MOUNT_WRITE:
		return clone_writable(mount->from.text, owner);
	case ST_MOUNT_DEVICE:
		return clone_tree(mount->from.text, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	case ST_MOUNT_TMPFS:
		return make_tmpfs(mount->bytes, mount->files, mount->owned ? owner : NULL);
	case ST_MOUNT_PROC:
		return make_proc();
	case ST_MOUNT_DEVPTS:
		return make_devpts();
	case ST_MOUNT_LINK:
	case ST_MOUNT_TEXT:
	case ST_MOUNT_KIND_COUNT:
		break;
	}
	return -2;
}

/* Makes the directories above the last part. The tree is ours alone by now. */
static bool make_parents(const char *path)
{
	char parent[PATH_BYTES];
	size_t len = strlen(path);
	if (len >= sizeof parent) {
		errno = ENAMETOOLONG;
		return false;
	}
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/') {
			continue;
		}
		memcpy(parent, path, i);
		parent[i] = '\0';
		if (mkdir(parent, 0755) != 0 && errno != EEXIST) {
			return false;
		}
	}
	return true;
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0) {
		return false;
	}
	size_t len = strlen(text);
	bool done = write(fd, text, len) == (ssize_t)len;
	return close(fd) == 0 && done;
}

static bool make_target(int fd, const char *path)
{
	struct stat info;
	if (fstat(fd, &info) != 0) {
		return false;
	}
	if (S_ISDIR(info.st_mode)) {
		return mkdir(path, 0755) == 0 || errno == EEXIST;
	}
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	return file >= 0 && close(file) == 0;
}

/* Step 3. */
static bool attach(const struct st_order_mount *mount, int fd)
{
	const char *to = mount->to.text;
	if (!make_parents(to)) {
		return false;
	}
	if (mount->kind == ST_MOUNT_LINK) {
		return symlink(mount->from.text, to) == 0;
	}
	if (mount->kind == ST_MOUNT_TEXT) {
		return write_text(to, mount->from.text);
	}
	return make_target(fd, to) &&
	       move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/* Who the job is, for programs that ask. */
static bool write_names(const struct st_owner *owner)
{
	char text[256];
	(void)snprintf(text, sizeof text,
		       "root:x:0:0:root:/:/usr/sbin/nologin\n"
		       "job:x:%u:%u:job:/tmp:/bin/sh\n"
		       "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		       owner->uid, owner->gid);
	if (!write_text("/etc/passwd", text)) {
		return false;
	}
	(void)snprintf(text, sizeof text, "root:x:0:\njob:x:%u:\nnogroup:x:65534:\n", owner->gid);
	return write_text("/etc/group", text);
}

/* Step 2. Returns the new root. */
static int change_root(void)
{
	int root = make_tmpfs(1 << 20, 4096, NULL);
	/* Any directory will do: what it hides is not needed any more. */
	if (root < 0 || move_mount(root, "", AT_FDCWD, "/usr", MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
	    fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
	    umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
		st_tell_no_box(ST_KEEPER_STAGE_ROOT, -1);
	}
	return root;
}

int st_mounts_build(const struct st_order *order, const struct st_owner *owner)
{
	int fds[ST_SCENE_MOUNTS_MAX];
	int workdir = -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		st_tell_no_box(ST_KEEPER_STAGE_ROOT, -1);
	}
	for (size_t i = 0; i < order->n_mounts; i++) {
		fds[i] = prepare(&order->mounts.list[i], owner);
		if (fds[i] == -1) {
			st_tell_no_box(ST_KEEPER_STAGE_MOUNT, (int)i);
		}
	}
	int root = change_root();
	for (size_t i = 0; i < order->n_mounts; i++) {
		const struct st_order_mount *mount = &order->mounts.list[i];
		if (!attach(mount, fds[i])) {
			st_tell_no_box(ST_KEEPER_STAGE_MOUNT, (int)i);
		}
		if (fds[i] >= 0) {
			(void)close(fds[i]);
		}
	}
	if (order->fresh) {
		workdir = open(order->workdir.text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (!write_names(owner) || (order->fresh && workdir < 0) ||
	    !restrict_mount(root, SHUT | MOUNT_ATTR_RDONLY, 0)) {
		st_tell_no_box(ST_KEEPER_STAGE_ROOT, -1);
	}
	(void)close(root);
	return workdir;
}
