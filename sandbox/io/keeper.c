/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. A keeper is a forked copy of the daemon that never execs. It has one child,
 * the command's main process, and is the subreaper of everything that the main process starts:
 * whoever double-forks, calls setsid or changes its group is still handed to the keeper when its
 * parent dies. So "is anything of this command left?" has an exact answer, ECHILD from waitid, and
 * what is left is always among the keeper's own children, however far it ran. Neither is true of
 * the daemon, which has children of many jobs and could not tell whose a stray is.
 *
 *   running ──main exits──▶ asking ──200 ms or KILL──▶ killing ──no children──▶ exit
 *      │                      └──────no children─────────────────────────────────▲
 *      └── 'T': TERM to the group   'K' or end of the socket: KILL to everything
 *
 * While its group may have members the main process stays unreaped: that pins its pid, so that a
 * signal to the group can never hit somebody who got the number later.
 *
 * The daemon has threads, so only async-signal-safe calls are made here: no malloc, no stdio, no
 * locks. All signals stay blocked; deaths of children arrive by signalfd.
 */
#include "sandbox/io/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/lineage.h"

enum {
	CONTROL_FD = 3,
	MAIN_STACK_BYTES = 64 * 1024,
	CHILDREN_MAX = 1024, /* looked at in one pass; more are found in the next */
	KILL_TICK_MS = 20,
	KILL_GIVE_UP_MS = 3000, /* a process in an uninterruptible wait may outlive any KILL */
};

enum phase { PHASE_RUNNING, PHASE_ASKING, PHASE_KILLING };

struct keeper {
	const struct st_keeper_order *order;
	enum phase phase;
	pid_t main_pid; /* 0 once it was reaped */
	bool main_ended;
	bool alone; /* the daemon is gone */
	int signal_fd;
	int timer_fd; /* runs out when the phase has lasted long enough */
};

static void note(enum st_keeper_note_kind kind, int stage, int value)
{
	struct st_keeper_note message = {(int32_t)kind, (int32_t)stage, (int32_t)value};
	while (send(CONTROL_FD, &message, sizeof message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
	}
}

static void close_from(unsigned first)
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

static bool set_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit;
	if (getrlimit(resource, &limit) != 0) {
		return false;
	}
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > value) {
		limit.rlim_max = value;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) == 0;
}

_Noreturn static void give_up(int fd, enum st_keeper_stage stage)
{
	struct st_keeper_note message = {ST_KEEPER_NOT_STARTED, (int32_t)stage, errno};
	ssize_t n = write(fd, &message, sizeof message);
	_exit(n == (ssize_t)sizeof message ? 126 : 125);
}

/* A handler is dropped by exec; a signal that the daemon ignores would stay ignored. */
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
static int try_programs(const struct st_keeper_order *order)
{
	int reason = ENOENT;
	for (char *const *program = order->programs; *program != NULL; program++) {
		(void)execve(*program, order->argv, order->env);
		if (errno != ENOENT && errno != ENOTDIR) {
			reason = errno;
		}
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
			break;
		}
	}
	return reason;
}

/* What the main process is given while it still shares our memory. */
struct start {
	const struct st_keeper_order *order;
	pid_t keeper;
	int error_fd;
};

static int become_main(void *arg)
{
	const struct start *start = arg;
	const struct st_keeper_order *order = start->order;
	/* In case the keeper is killed from outside. It may have died before the prctl. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != start->keeper) {
		_exit(125);
	}
	if (dup3(start->error_fd, CONTROL_FD, O_CLOEXEC) < 0) {
		_exit(125);
	}
	close_from(CONTROL_FD + 1);
	/* Without this a setuid program could make itself unkillable for an ordinary daemon. */
	bool done = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setsid() > 0 &&
		    set_limit(RLIMIT_CORE, 0) &&
		    set_limit(RLIMIT_NOFILE, (rlim_t)order->n_files_max);
	if (!done) {
		give_up(CONTROL_FD, ST_KEEPER_STAGE_SETUP);
	}
	(void)umask(077);
	if (chdir(order->workdir) != 0) {
		give_up(CONTROL_FD, ST_KEEPER_STAGE_WORKDIR);
	}
	default_signals();
	errno = try_programs(order);
	give_up(CONTROL_FD, ST_KEEPER_STAGE_EXEC);
}

/* Descriptors become: 0, 1, 2 the command's, 3 the control socket, nothing else. Closing the rest
 * matters: a keeper that held another job's control socket would hide the daemon's death from it.
 */
static bool place_descriptors(const struct st_keeper_order *order)
{
	if (dup2(order->control_fd, CONTROL_FD) < 0) {
		_exit(125); /* the end of the socket tells the daemon */
	}
	(void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	bool done = dup2(order->stdin_fd, 0) == 0 && dup2(order->stdout_fd, 1) == 1 &&
		    dup2(order->stderr_fd, 2) == 2;
	int saved = errno;
	close_from(CONTROL_FD + 1);
	errno = saved;
	return done;
}

/* Forks the main process and waits until it has become the command, or told why not. */
static bool start_main(struct keeper *keeper)
{
	/* We sleep until the main process has its own memory, so it can use a part of our stack: a
	 * second copy of the daemon's page tables would double the time a job takes to start. */
	_Alignas(16) char stack[MAIN_STACK_BYTES];
	int error[2];
	if (pipe2(error, O_CLOEXEC) != 0) {
		note(ST_KEEPER_NOT_STARTED, ST_KEEPER_STAGE_FORK, errno);
		return false;
	}
	struct start start = {keeper->order, getpid(), error[1]};
	keeper->main_pid =
	    clone(become_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
	int fork_errno = errno;
	(void)close(error[1]);
	/* Only the command holds the pipes now, so that their end can be seen. */
	for (int fd = 0; fd < 3; fd++) {
		(void)close(fd);
	}
	if (keeper->main_pid < 0) {
		note(ST_KEEPER_NOT_STARTED, ST_KEEPER_STAGE_FORK, fork_errno);
		return false;
	}
	struct st_keeper_note failure = {0};
	ssize_t n = 0;
	do {
		n = read(error[0], &failure, sizeof failure);
	} while (n < 0 && errno == EINTR);
	(void)close(error[0]);
	if (n == (ssize_t)sizeof failure) {
		(void)waitpid(keeper->main_pid, NULL, 0);
		note(ST_KEEPER_NOT_STARTED, failure.stage, failure.value);
		return false;
	}
	note(ST_KEEPER_STARTED, 0, (int)keeper->main_pid);
	return true;
}

/* To the group of the main process; a stopped one is woken so that it can act on a TERM. */
static void signal_group(const struct keeper *keeper, int number)
{
	if (keeper->main_pid > 0) {
		(void)kill(-keeper->main_pid, number);
		(void)kill(-keeper->main_pid, SIGCONT);
	}
}

static void enter(struct keeper *keeper, enum phase phase)
{
	if (phase <= keeper->phase) {
		return;
	}
	int ms = phase == PHASE_KILLING ? KILL_GIVE_UP_MS : keeper->order->sweep_ms;
	struct itimerspec time = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
	(void)timerfd_settime(keeper->timer_fd, 0, &time, NULL);
	keeper->phase = phase;
	signal_group(keeper, phase == PHASE_KILLING ? SIGKILL : SIGTERM);
}

/* The main process ended: says how, and leaves it unreaped. */
static void main_ended(struct keeper *keeper, const siginfo_t *info)
{
	keeper->main_ended = true;
	if (info->si_code == CLD_EXITED) {
		note(ST_KEEPER_EXITED, 0, info->si_status);
	} else {
		note(ST_KEEPER_SIGNALLED, 0, info->si_status);
	}
	enter(keeper, PHASE_ASKING);
}

/* Reaps what was handed to us while the main process runs, until that one is seen to have ended. */
static void reap_running(struct keeper *keeper)
{
	while (!keeper->main_ended) {
		siginfo_t info = {0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
			return;
		}
		if (info.si_pid == keeper->main_pid) {
			main_ended(keeper, &info);
		} else {
			(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		}
	}
}

/* Signals and reaps our children but the main process; returns how many were seen alive. */
static size_t sweep_pass(struct keeper *keeper)
{
	pid_t pids[CHILDREN_MAX];
	size_t n = st_children_list(pids, CHILDREN_MAX);
	size_t alive = 0;
	for (size_t i = 0; i < n; i++) {
		siginfo_t info = {0};
		if (pids[i] == keeper->main_pid) {
			continue;
		}
		if (waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOHANG) != 0 ||
		    info.si_pid != 0) {
			continue;
		}
		alive++;
		/* It is our unreaped child, so its number is its own, also as that of a group. */
		int number = keeper->phase == PHASE_KILLING ? SIGKILL : SIGTERM;
		(void)kill(-pids[i], number);
		(void)kill(pids[i], number);
		(void)kill(pids[i], SIGCONT);
	}
	return alive;
}

/* True when nothing is left. The list of children may have missed one; waitid does not. */
static bool sweep(struct keeper *keeper)
{
	if (keeper->phase == PHASE_KILLING) {
		signal_group(keeper, SIGKILL);
	}
	if (sweep_pass(keeper) > 0) {
		return false;
	}
	if (keeper->main_pid > 0) {
		enter(keeper, PHASE_KILLING);
		(void)waitpid(keeper->main_pid, NULL, 0);
		keeper->main_pid = 0;
	}
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0) {
		if (info.si_pid == 0) {
			return false;
		}
		info = (siginfo_t){0};
	}
	return errno == ECHILD;
}

static void obey(struct keeper *keeper)
{
	char order = 0;
	ssize_t n = recv(CONTROL_FD, &order, 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		keeper->alone = true;
		order = ST_KEEPER_KILL;
	}
	if (order == ST_KEEPER_TERM && keeper->phase == PHASE_RUNNING) {
		signal_group(keeper, SIGTERM);
	}
	if (order == ST_KEEPER_KILL) {
		enter(keeper, PHASE_KILLING);
	}
}

/* True when the phase's time has run out. */
static bool wait_for_news(struct keeper *keeper)
{
	struct pollfd polls[3] = {{.fd = keeper->signal_fd, .events = POLLIN},
				  {.fd = keeper->timer_fd, .events = POLLIN},
				  {.fd = keeper->alone ? -1 : CONTROL_FD, .events = POLLIN}};
	if (poll(polls, 3, keeper->phase == PHASE_KILLING ? KILL_TICK_MS : -1) < 0) {
		return false;
	}
	if (polls[0].revents != 0) {
		struct signalfd_siginfo info;
		(void)!read(keeper->signal_fd, &info, sizeof info);
	}
	if (polls[2].revents != 0) {
		obey(keeper);
	}
	/* Setting the timer for a new phase takes back what had run out. */
	uint64_t n_times = 0;
	return read(keeper->timer_fd, &n_times, sizeof n_times) > 0;
}

/* Returns true when nothing that descends from the command is left, false when it gave up. */
static bool keep(struct keeper *keeper)
{
	for (;;) {
		if (!keeper->main_ended) {
			reap_running(keeper);
		}
		if (keeper->main_ended && sweep(keeper)) {
			return true;
		}
		if (!wait_for_news(keeper)) {
			continue;
		}
		if (keeper->phase == PHASE_KILLING) {
			return false;
		}
		enter(keeper, PHASE_KILLING);
	}
}

_Noreturn void st_keeper_run(const struct st_keeper_order *order)
{
	struct keeper keeper = {.order = order};
	bool ready = place_descriptors(order);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "stint-keeper");
	/* A copy of the daemon's memory must not be readable for a job of the same user. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigset_t child;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	/* The daemon may ignore SIGCHLD, and then nothing could be waited for. */
	struct sigaction action = {.sa_handler = SIG_DFL};
	(void)sigaction(SIGCHLD, &action, NULL);
	if (ready) {
		keeper.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
		keeper.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		ready = keeper.signal_fd >= 0 && keeper.timer_fd >= 0;
	}
	if (!ready) {
		note(ST_KEEPER_NOT_STARTED, ST_KEEPER_STAGE_FORK, errno);
	}
	bool empty = !ready || !start_main(&keeper) || keep(&keeper);
	note(ST_KEEPER_EMPTY, 0, empty ? 0 : 1);
	_exit(0);
}
