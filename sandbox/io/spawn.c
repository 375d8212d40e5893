/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors for the keeper stand at 10 or above, out of the way of 0 to 4, which it is given. */
enum { KEEPER_FD_MIN = 10, COMMAND_FDS = 3, STACK_BYTES = 64 * 1024 };

struct st_spawned st_spawn_none(void)
{
	return (struct st_spawned){.pidfd = -1, .control_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
}

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd);
	}
	*fd = -1;
}

/* Moves *fd up to where it is in nobody's way. */
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
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
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

static int open_null(int *fd)
{
	*fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *fd < 0 ? -1 : lift(fd);
}

/* What the keeper is given while it still shares our memory. */
struct birth {
	int program_fd;
	int order_fd;
	int control_fd;
	int null_fd;
	int error; /* errno of what failed in it */
};

/* It never returns, so what a sanitizer marks on its stack, which is ours, would stay marked. */
__attribute__((no_sanitize("address"))) static int be_born(void *arg)
{
	static char name[] = "stint-keeper";
	struct birth *birth = arg;
	char *const argv[] = {name, NULL};
	char *const env[] = {NULL};
	bool done = dup2(birth->control_fd, ST_KEEPER_CONTROL_FD) >= 0 &&
		    dup2(birth->order_fd, ST_KEEPER_ORDER_FD) >= 0;
	for (int fd = 0; fd < COMMAND_FDS; fd++) {
		done = done && dup2(birth->null_fd, fd) == fd;
	}
	if (done) {
		(void)syscall(SYS_execveat, birth->program_fd, "", argv, env, AT_EMPTY_PATH);
	}
	birth->error = errno;
	_exit(127);
}

/* Signals are blocked around it, so that no handler of the daemon runs in the child; they stay so
 * in the keeper, which reads them. We sleep until the child has memory of its own, so its start
 * costs the same however large the daemon is, and it can use a part of our stack. */
static pid_t bear(struct birth *birth, int *pidfd)
{
	_Alignas(16) char stack[STACK_BYTES];
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(be_born, stack + sizeof stack,
			  CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, birth, pidfd);
	int saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

static int lack(struct st_diag *diag, const char *what)
{
	return st_fail(diag, ST_ERR_IO, "no %s for a job: %s; run fewer jobs at once", what,
		       strerror(errno));
}

int st_spawn(int program_fd, int order_fd, bool boxed, struct st_spawned *out, struct st_diag *diag)
{
	struct st_spawned spawned = st_spawn_none();
	struct birth birth = {program_fd, -1, -1, -1, 0};
	assert(program_fd >= KEEPER_FD_MIN);
	birth.order_fd = fcntl(order_fd, F_DUPFD_CLOEXEC, KEEPER_FD_MIN);
	bool open = birth.order_fd >= 0 && open_null(&birth.null_fd) == 0 &&
		    open_control(&spawned.control_fd, &birth.control_fd) == 0;
	spawned.keeper = open ? bear(&birth, &spawned.pidfd) : -1;
	int rc = ST_OK;
	if (spawned.keeper < 0) {
		rc = lack(diag, open ? "process" : "descriptors");
	} else if (birth.error != 0) {
		st_spawn_reap(&spawned);
		rc = st_fail(diag, ST_ERR_IO, "a job's keeper cannot be started: %s",
			     strerror(birth.error));
	}
	close_fd(&birth.order_fd);
	close_fd(&birth.null_fd);
	close_fd(&birth.control_fd);
	if (rc < 0) {
		st_spawn_close(&spawned);
		return rc;
	}
	spawned.boxed = boxed;
	*out = spawned;
	return ST_OK;
}

static int send_command(int socket, const int fds[COMMAND_FDS])
{
	char order = ST_KEEPER_RUN;
	struct iovec part = {&order, 1};
	union {
		char bytes[CMSG_SPACE(COMMAND_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(COMMAND_FDS * sizeof(int));
	memcpy(CMSG_DATA(header), fds, COMMAND_FDS * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int open_stdin(int stdin_fd, int *theirs)
{
	if (stdin_fd >= 0) {
		*theirs = fcntl(stdin_fd, F_DUPFD_CLOEXEC, 0);
		return *theirs < 0 || lseek(stdin_fd, 0, SEEK_SET) != 0 ? -1 : 0;
	}
	*theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *theirs < 0 ? -1 : 0;
}

int st_spawn_run(struct st_spawned *spawned, int stdin_fd, struct st_diag *diag)
{
	int fds[COMMAND_FDS] = {-1, -1, -1};
	bool open = open_stdin(stdin_fd, &fds[0]) == 0 &&
		    open_pipe(&spawned->stdout_fd, &fds[1]) == 0 &&
		    open_pipe(&spawned->stderr_fd, &fds[2]) == 0;
	/* A keeper that is gone is noticed by its end, not here. */
	bool sent = open && (send_command(spawned->control_fd, fds) == 0 || errno == EPIPE ||
			     errno == ECONNRESET);
	int rc = sent ? ST_OK : lack(diag, "descriptors");
	for (int i = 0; i < COMMAND_FDS; i++) {
		close_fd(&fds[i]);
	}
	if (rc < 0) {
		st_spawn_close_pipes(spawned);
	}
	return rc;
}

int st_spawn_hear(const struct st_spawned *spawned, struct st_keeper_note *note, int *fd)
{
	struct iovec part = {note, sizeof *note};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	*fd = -1;
	for (;;) {
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control.bytes,
					 .msg_controllen = sizeof control.bytes};
		ssize_t n = recvmsg(spawned->control_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n == (ssize_t)sizeof *note) {
			const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
			if (header != NULL && header->cmsg_len == CMSG_LEN(sizeof *fd)) {
				memcpy(fd, CMSG_DATA(header), sizeof *fd);
			}
			return 1;
		}
		if (n < 0 && errno == EAGAIN) {
			return 0;
		}
		/* ECONNRESET only says that an order was not read; notes may follow. */
		if (n == 0 || (errno != EINTR && errno != ECONNRESET)) {
			return -1;
		}
	}
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
		int number = spawned->boxed ? SIGTERM : SIGKILL; /* see keeper/enter.c */
		(void)pidfd_send_signal(spawned->pidfd, number, NULL, 0);
	}
}

void st_spawn_reap(struct st_spawned *spawned)
{
	while (spawned->keeper > 0 && waitpid(spawned->keeper, NULL, 0) < 0 && errno == EINTR) {
	}
	spawned->keeper = 0;
}

void st_spawn_close_pipes(struct st_spawned *spawned)
{
	close_fd(&spawned->stdout_fd);
	close_fd(&spawned->stderr_fd);
}

void st_spawn_close(struct st_spawned *spawned)
{
	st_spawn_close_pipes(spawned);
	close_fd(&spawned->control_fd);
	close_fd(&spawned->pidfd);
}

int st_spawn_file(const char *name, const void *bytes, size_t len)
{
	const char *from = bytes;
	int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at = 0;
	while (file >= 0 && at < len) {
		ssize_t n = write(file, from + at, len - at);
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
		close_fd(&file);
		return -1;
	}
	return lift(&file) == 0 ? file : -1;
}
