/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors for the keeper stand at 10 or above, out of the way of 0 to 3, which it fills. */
enum { KEEPER_FD_MIN = 10 };

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd);
	}
	*fd = -1;
}

static void close_order(struct st_keeper_order *order)
{
	close_fd(&order->stdin_fd);
	close_fd(&order->stdout_fd);
	close_fd(&order->stderr_fd);
	close_fd(&order->control_fd);
}

/* Moves *fd up to where the keeper wants it. */
static int lift(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, KEEPER_FD_MIN);
	int saved = errno;
	close_fd(fd);
	*fd = high;
	errno = saved;
	return high < 0 ? -1 : 0;
}

static int open_pipe(int *ours, int *theirs)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		return -1;
	}
	*ours = ends[0];
	*theirs = ends[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) != 0) {
		return -1;
	}
	return lift(theirs);
}

static int open_control(int *ours, int *theirs)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		return -1;
	}
	*ours = ends[0];
	*theirs = ends[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) != 0) {
		return -1;
	}
	return lift(theirs);
}

static int open_stdin(int stdin_fd, int *theirs)
{
	if (stdin_fd >= 0) {
		if (lseek(stdin_fd, 0, SEEK_SET) != 0) {
			return -1;
		}
		*theirs = fcntl(stdin_fd, F_DUPFD_CLOEXEC, KEEPER_FD_MIN);
		return *theirs < 0 ? -1 : 0;
	}
	*theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *theirs < 0 ? -1 : lift(theirs);
}

/* Signals are blocked around the fork, so that no handler of the daemon runs in the keeper: libuv's
 * would write into a pipe that both share. */
static pid_t fork_keeper(const struct st_keeper_order *order)
{
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = _Fork();
	if (pid == 0) {
		st_keeper_run(order);
	}
	int saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

int st_spawn(const struct st_job_plan *plan, size_t command, int stdin_fd, struct st_spawned *out,
	     struct st_diag *diag)
{
	assert(command < plan->n_commands);
	assert(plan->workdir != NULL);
	struct st_spawned spawned = {0, -1, -1, -1};
	struct st_keeper_order order = {
	    .stdin_fd = -1,
	    .stdout_fd = -1,
	    .stderr_fd = -1,
	    .control_fd = -1,
	    .argv = plan->commands[command].argv,
	    .programs = plan->commands[command].programs,
	    .env = plan->env,
	    .workdir = plan->workdir,
	    .n_files_max = ST_JOB_FILES_MAX,
	    .sweep_ms = ST_JOB_SWEEP_MS,
	};
	bool open = open_stdin(stdin_fd, &order.stdin_fd) == 0 &&
		    open_pipe(&spawned.stdout_fd, &order.stdout_fd) == 0 &&
		    open_pipe(&spawned.stderr_fd, &order.stderr_fd) == 0 &&
		    open_control(&spawned.control_fd, &order.control_fd) == 0;
	if (open) {
		spawned.keeper = fork_keeper(&order);
	}
	int saved = errno;
	close_order(&order);
	if (!open || spawned.keeper < 0) {
		st_spawn_close(&spawned);
		return st_fail(diag, ST_ERR_IO, "no %s for a job: %s; run fewer jobs at once",
			       open ? "process" : "descriptors", strerror(saved));
	}
	*out = spawned;
	return ST_OK;
}

void st_spawn_tell(const struct st_spawned *spawned, char order)
{
	if (spawned->control_fd >= 0) {
		(void)send(spawned->control_fd, &order, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

void st_spawn_cut(const struct st_spawned *spawned)
{
	if (spawned->keeper > 0) {
		(void)kill(spawned->keeper, SIGKILL);
	}
}

void st_spawn_reap(struct st_spawned *spawned)
{
	while (spawned->keeper > 0 && waitpid(spawned->keeper, NULL, 0) < 0 && errno == EINTR) {
	}
	spawned->keeper = 0;
}

void st_spawn_close(struct st_spawned *spawned)
{
	close_fd(&spawned->control_fd);
	close_fd(&spawned->stdout_fd);
	close_fd(&spawned->stderr_fd);
}

int st_spawn_stdin(const char *bytes, size_t len, int *fd, struct st_diag *diag)
{
	int file = memfd_create("stint-stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at = 0;
	while (file >= 0 && at < len) {
		ssize_t n = write(file, bytes + at, len - at);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			break;
		}
		at += (size_t)n;
	}
	int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	if (file < 0 || at < len || fcntl(file, F_ADD_SEALS, seals) != 0) {
		int rc =
		    st_fail(diag, ST_ERR_IO, "no place for the job's stdin: %s", strerror(errno));
		close_fd(&file);
		return rc;
	}
	*fd = file;
	return ST_OK;
}
