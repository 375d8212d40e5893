/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. The keeper has one child at a time that it made itself, a command's main
 * process, and every process that this one starts comes home to it: in a box because it is process
 * 1 there, without one because it is a subreaper. Whoever double-forks, calls setsid or changes its
 * group is handed to the keeper when its parent dies. So "is anything of this command left?" has an
 * exact answer, ECHILD from waitid, and what is left is always among the keeper's own children,
 * however far it ran. Neither is true of the daemon, which could not tell whose a stray is.
 *
 *   idle ──'R'──▶ running ──main exits──▶ asking ──200 ms or 'K'──▶ killing ──no children──▶ idle
 *    │               │                       └─────no children────────────────────────▶ │
 *    ▼               └ 'T': TERM to the group   'K' or end of the socket: KILL to everything
 *   exit, at the end of the socket
 *
 * Without a box the main process stays unreaped while its group may have members: that pins its
 * pid, so that a signal to the group can never hit somebody who got the number later. In a box
 * there is nobody else to hit, and kill(-1) reaches everything at once.
 *
 * All signals stay blocked; deaths of children arrive by signalfd.
 */
#include "sandbox/io/keeper/keep.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/keeper/start.h"
#include "sandbox/io/keeper/tell.h"
#include "sandbox/io/lineage.h"

enum {
	CHILDREN_MAX = 1024, /* looked at in one pass; more are found in the next */
	KILL_TICK_MS = 20,
	KILL_GIVE_UP_MS = 3000, /* a process in an uninterruptible wait may outlive any KILL */
};

enum phase { PHASE_IDLE, PHASE_RUNNING, PHASE_ASKING, PHASE_KILLING };

struct keeper {
	const struct st_order *order;
	enum phase phase;
	size_t n_started; /* commands */
	int64_t cpu_ms;	  /* of commands that have ended */
	pid_t main_pid;	  /* 0 once it was reaped */
	bool main_ended;
	bool alone; /* the daemon is gone */
	int signal_fd;
	int timer_fd; /* runs out when the phase has lasted long enough */
};

/* To the group of the main process; a stopped one is woken so that it can act on a TERM. */
static void signal_group(const struct keeper *keeper, int number)
{
	if (keeper->main_pid > 0) {
		(void)kill(-keeper->main_pid, number);
		(void)kill(-keeper->main_pid, SIGCONT);
	}
}

/* In a box everybody but us is the command's. */
static void signal_all(int number)
{
	(void)kill(-1, number);
	(void)kill(-1, SIGCONT);
}

static void enter(struct keeper *keeper, enum phase phase)
{
	if (phase <= keeper->phase) {
		return;
	}
	int ms = phase == PHASE_KILLING ? KILL_GIVE_UP_MS : (int)keeper->order->sweep_ms;
	struct itimerspec time = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
	(void)timerfd_settime(keeper->timer_fd, 0, &time, NULL);
	keeper->phase = phase;
	signal_group(keeper, phase == PHASE_KILLING ? SIGKILL : SIGTERM);
	if (keeper->order->boxed && keeper->main_ended) {
		signal_all(phase == PHASE_KILLING ? SIGKILL : SIGTERM);
	}
}

/* The main process ended: says how, and leaves it unreaped where its number matters. */
static void main_ended(struct keeper *keeper, const siginfo_t *info)
{
	keeper->main_ended = true;
	if (info->si_code == CLD_EXITED) {
		st_tell(ST_KEEPER_EXITED, 0, info->si_status);
	} else {
		st_tell(ST_KEEPER_SIGNALLED, 0, info->si_status);
	}
	if (keeper->order->boxed) {
		(void)waitpid(keeper->main_pid, NULL, 0);
		keeper->main_pid = 0;
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

/* True when there is nobody left to reap. */
static bool reap_all(void)
{
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0) {
		if (info.si_pid == 0) {
			return false;
		}
		info = (siginfo_t){0};
	}
	return errno == ECHILD;
}

/* True when nothing is left. The list of children may have missed one; waitid does not. */
static bool sweep(struct keeper *keeper)
{
	if (keeper->order->boxed) {
		if (keeper->phase == PHASE_KILLING) {
			signal_all(SIGKILL);
		}
		return reap_all();
	}
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
	return reap_all();
}

/* The next command, with its descriptors. */
static void run_next(struct keeper *keeper, const int fds[3])
{
	const struct st_order *order = keeper->order;
	if (keeper->phase != PHASE_IDLE || fds[0] < 0 || keeper->n_started == order->n_commands) {
		_exit(125); /* the daemon does not ask for that */
	}
	const struct st_order_command *command = &order->commands.list[keeper->n_started++];
	pid_t pid = st_start_main(order, command, fds);
	if (pid < 0) {
		st_tell_empty(0, 0);
		return;
	}
	keeper->main_pid = pid;
	keeper->main_ended = false;
	keeper->phase = PHASE_RUNNING;
}

static void obey(struct keeper *keeper)
{
	int fds[3];
	int order = st_hear(fds);
	if (order < 0) {
		keeper->alone = true;
		order = ST_KEEPER_KILL;
	}
	if (order == ST_KEEPER_RUN) {
		run_next(keeper, fds);
	}
	if (order == ST_KEEPER_TERM && keeper->phase == PHASE_RUNNING) {
		signal_group(keeper, SIGTERM);
	}
	if (order == ST_KEEPER_KILL && keeper->phase != PHASE_IDLE) {
		enter(keeper, PHASE_KILLING);
		if (keeper->order->boxed) {
			signal_all(SIGKILL);
		}
	}
}

/* True when the phase's time has run out. */
static bool wait_for_news(struct keeper *keeper)
{
	struct pollfd polls[3] = {{.fd = keeper->signal_fd, .events = POLLIN},
				  {.fd = keeper->timer_fd, .events = POLLIN},
				  {.fd = ST_KEEPER_CONTROL_FD, .events = POLLIN}};
	if (keeper->alone) {
		polls[2].fd = -1;
	}
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

/* Of all who were reaped, and whom they reaped. */
static int64_t cpu_ms_until_now(void)
{
	struct rusage usage = {0};
	(void)getrusage(RUSAGE_CHILDREN, &usage);
	int64_t us = (int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + us / 1000;
}

static void end_command(struct keeper *keeper, bool empty)
{
	const struct itimerspec never = {0};
	(void)timerfd_settime(keeper->timer_fd, 0, &never, NULL);
	keeper->phase = PHASE_IDLE;
	int64_t cpu_ms = cpu_ms_until_now();
	st_tell_empty(empty ? 0 : 1, cpu_ms - keeper->cpu_ms);
	keeper->cpu_ms = cpu_ms;
}

/* One look at the processes. False when something is left that cannot be ended. */
static bool look(struct keeper *keeper, bool out_of_time)
{
	if (keeper->phase == PHASE_IDLE) {
		return true;
	}
	if (!keeper->main_ended) {
		reap_running(keeper);
	}
	if (keeper->main_ended && sweep(keeper)) {
		end_command(keeper, true);
		return true;
	}
	if (out_of_time && keeper->phase == PHASE_KILLING) {
		end_command(keeper, false);
		return false;
	}
	if (out_of_time) {
		enter(keeper, PHASE_KILLING);
	}
	return true;
}

_Noreturn void st_keep(const struct st_order *order)
{
	struct keeper keeper = {.order = order};
	sigset_t child;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	/* The daemon may ignore SIGCHLD, and then nothing could be waited for. */
	struct sigaction action = {.sa_handler = SIG_DFL};
	(void)sigaction(SIGCHLD, &action, NULL);
	keeper.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	keeper.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (keeper.signal_fd < 0 || keeper.timer_fd < 0) {
		st_tell_no_box(ST_KEEPER_STAGE_FORK, -1);
	}
	while (!keeper.alone || keeper.phase != PHASE_IDLE) {
		bool out_of_time = wait_for_news(&keeper);
		if (!look(&keeper, out_of_time)) {
			break;
		}
	}
	_exit(0);
}
