/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/keeper/enter.h"

static bool write_file(const char *folder, const char *name, const char *text)
{
	char path[64];
	(void)snprintf(path, sizeof path, "/proc/%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return done;
}

/* One number each. */
static bool write_maps(const char *folder, const uid_t uids[2], const gid_t gids[2])
{
	char users[32];
	char groups[32];
	(void)snprintf(users, sizeof users, "%u %u 1", uids[0], uids[1]);
	(void)snprintf(groups, sizeof groups, "%u %u 1", gids[0], gids[1]);
	return write_file(folder, "setgroups", "deny") && write_file(folder, "uid_map", users) &&
	       write_file(folder, "gid_map", groups);
}

bool st_owner_map_self(const struct st_owner *inside, uid_t uid, gid_t gid)
{
	const uid_t uids[2] = {inside->uid, uid};
	const gid_t gids[2] = {inside->gid, gid};
	return write_maps("self", uids, gids);
}

/* The kernel reads such a map the other way round: the number on the disk stands first. */
int st_owner_namespace(const struct stat *files, const struct st_owner *owner)
{
	const uid_t uids[2] = {files->st_uid, owner->uid};
	const gid_t gids[2] = {files->st_gid, owner->gid};
	int pidfd = -1;
	int fd = -1;
	pid_t child = st_fork_into(CLONE_NEWUSER, &pidfd);
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	if (child < 0) {
		return -1;
	}
	/* We may be process 1 of a pid namespace whose /proc is not there yet; the descriptor's own
	 * information names the process as that /proc does. */
	char folder[16];
	(void)snprintf(folder, sizeof folder, "%d", st_pid_outside(pidfd));
	if (write_maps(folder, uids, gids)) {
		char path[64];
		(void)snprintf(path, sizeof path, "/proc/%s/ns/user", folder);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	int saved = errno;
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	(void)close(pidfd);
	errno = saved;
	return fd;
}
