/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/keeper/confine.h"
#include "sandbox/io/keeper/read.h"
#include "sandbox/io/keeper/tell.h"

enum { ERROR_FD = 3, STACK_BYTES = 64 * 1024 };

/* What the main process is given while it still shares our memory. */
struct start {
	const struct st_order *order;
	const struct st_order_command *command;
	const int *fds;
	pid_t keeper;
	int error_fd;
};

void st_close_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
		return;
	}
	struct rlimit limit;
	unsigned end = 65536;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < end) {
		end = (unsigned)limit.rlim_max;
	}
	for (unsigned fd = first; fd < end; fd++) {
		(void)close((int)fd);
	}
}

/* Never above what we have ourselves; -1 leaves it as it is. */
static bool set_limit(__rlimit_resource_t resource, int64_t value)
{
	struct rlimit limit;
	if (value < 0) {
		return true;
	}
	if (getrlimit(resource, &limit) != 0) {
		return false;
	}
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > (rlim_t)value) {
		limit.rlim_max = (rlim_t)value;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) == 0;
}

_Noreturn static void give_up(enum st_keeper_stage stage)
{
	struct st_keeper_note message = {ST_KEEPER_NOT_STARTED, (int32_t)stage, errno, -1};
	ssize_t n = write(ERROR_FD, &message, sizeof message);
	_exit(n == (ssize_t)sizeof message ? 126 : 125);
}

/* A handler is dropped by exec; a signal that is ignored would stay ignored. */
static void default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	for (int number = 1; number < NSIG; number++) {
		(void)sigaction(number, &action, NULL);
	}
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The errno of the program that was found but cannot be run counts more than "not found". */
static int try_programs(const struct start *start)
{
	int reason = ENOENT;
	char *const *argv = st_order_strings(&start->command->argv);
	char *const *env = st_order_strings(&start->order->env);
	char *const *program = st_order_strings(&start->command->programs);
	for (; *program != NULL; program++) {
		(void)execve(*program, argv, env);
		if (errno != ENOENT && errno != ENOTDIR) {
			reason = errno;
		}
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
			break;
		}
	}
	return reason;
}

/* 0, 1, 2 are the command's, 3 is where failures are told, nothing else is open. */
static bool place_descriptors(const struct start *start)
{
	bool done = true;
	for (int i = 0; i < 3; i++) {
		done = dup2(start->fds[i], i) == i && done;
	}
	int saved = errno;
	if (dup3(start->error_fd, ERROR_FD, O_CLOEXEC) < 0) {
		_exit(125);
	}
	st_close_from(ERROR_FD + 1);
	errno = saved;
	return done;
}

static bool set_limits(const struct st_order *order)
{
	return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_NOFILE, order->files_max) &&
	       set_limit(RLIMIT_NPROC, order->processes_max) &&
	       set_limit(RLIMIT_DATA, order->data_bytes) &&
	       set_limit(RLIMIT_FSIZE, order->file_bytes);
}

static int become_main(void *arg)
{
	const struct start *start = arg;
	const struct st_order *order = start->order;
	/* In case the keeper is killed from outside. It may have died before the prctl. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != start->keeper) {
		_exit(125);
	}
	/* Without no_new_privs a setuid program could get away from us. */
	if (!place_descriptors(start) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    setsid() < 0 || !set_limits(order)) {
		give_up(ST_KEEPER_STAGE_SETUP);
	}
	(void)umask(077);
	if (chdir(order->workdir.text) != 0) {
		give_up(ST_KEEPER_STAGE_WORKDIR);
	}
	if (order->boxed && !st_confine_writes(order)) {
		give_up(ST_KEEPER_STAGE_LANDLOCK);
	}
	default_signals();
	errno = try_programs(start);
	give_up(ST_KEEPER_STAGE_EXEC);
}

static pid_t fork_main(struct start *start)
{
	/* We sleep until the main process has its own memory, so it can use a part of our stack. */
	_Alignas(16) char stack[STACK_BYTES];
	return clone(become_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, start);
}

pid_t st_start_main(const struct st_order *order, const struct st_order_command *command,
		    const int fds[3])
{
	int error[2] = {-1, -1};
	pid_t pid = -1;
	if (pipe2(error, O_CLOEXEC) == 0) {
		struct start start = {order, command, fds, getpid(), error[1]};
		pid = fork_main(&start);
	}
	int fork_errno = errno;
	(void)close(error[1]);
	for (int i = 0; i < 3; i++) {
		(void)close(fds[i]);
	}
	struct st_keeper_note failure = {0};
	ssize_t n = 0;
	while (pid > 0 && (n = read(error[0], &failure, sizeof failure)) < 0 && errno == EINTR) {
	}
	(void)close(error[0]);
	if (pid < 0) {
		st_tell(ST_KEEPER_NOT_STARTED, ST_KEEPER_STAGE_FORK, fork_errno);
		return -1;
	}
	if (n == (ssize_t)sizeof failure) {
		(void)waitpid(pid, NULL, 0);
		st_tell(ST_KEEPER_NOT_STARTED, failure.stage, failure.value);
		return -1;
	}
	st_tell(ST_KEEPER_STARTED, 0, (int)pid);
	return pid;
}
