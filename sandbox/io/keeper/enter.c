/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/io/keeper/confine.h"
#include "sandbox/io/keeper/mounts.h"
#include "sandbox/io/keeper/owner.h"
#include "sandbox/io/keeper/start.h"
#include "sandbox/io/keeper/tell.h"

/* A job of root's becomes the user of this number plus that of its keeper: numbers of processes
 * that live at one moment differ, so no two jobs are the same user, and nobody has to hand them
 * out. No system gives out numbers up there. */
#define JOB_UIDS_FROM 2000000000U
#define JOB_UID_INSIDE 1000 /* where it is not ours to choose a real one */

pid_t st_fork_into(uint64_t flags, int *pidfd)
{
	struct clone_args args = {
	    .flags = flags | CLONE_PIDFD,
	    .pidfd = (uint64_t)(uintptr_t)pidfd,
	    .exit_signal = SIGCHLD,
	};
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t st_pid_outside(int pidfd)
{
	char path[64];
	char text[512];
	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	(void)close(fd);
	if (n <= 0) {
		return -1;
	}
	text[n] = '\0';
	const char *at = strstr(text, "\nPid:");
	return at == NULL ? -1 : (pid_t)strtol(at + 5, NULL, 10);
}

/* Outside: the box ends by itself; SIGTERM is the daemon's word that it does not. */
_Noreturn static void wait_for_box(int pidfd)
{
	sigset_t term;
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)close(ST_KEEPER_CONTROL_FD);
	int signals = signalfd(-1, &term, SFD_CLOEXEC);
	struct pollfd polls[2] = {{.fd = pidfd, .events = POLLIN},
				  {.fd = signals, .events = POLLIN}};
	while (polls[0].revents == 0) {
		if (poll(polls, 2, -1) > 0 && polls[1].revents != 0) {
			struct signalfd_siginfo info;
			(void)!read(signals, &info, sizeof info);
			(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		}
	}
	siginfo_t info;
	(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	_exit(0);
}

/* Programs talk to themselves by way of it, and it is the only network there is. */
static bool raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return errno == EAFNOSUPPORT;
	}
	request.ifr_flags = IFF_UP;
	bool done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return done;
}

static void settle_in(const struct st_order *order, const struct st_owner *owner)
{
	static const char name[] = "stint";
	int workdir = st_mounts_build(order, owner);
	if (sethostname(name, sizeof name - 1) != 0 || !raise_loopback()) {
		st_tell_no_box(ST_KEEPER_STAGE_NETWORK, -1);
	}
	if (!st_confine_privileges(order->become ? owner->uid : 0)) {
		st_tell_no_box(ST_KEEPER_STAGE_PRIVILEGES, -1);
	}
	if (!st_confine_calls(order)) {
		st_tell_no_box(ST_KEEPER_STAGE_FILTER, -1);
	}
	st_tell_ready(workdir);
	if (workdir >= 0) {
		(void)close(workdir);
	}
}

void st_enter(const struct st_order *order)
{
	struct st_owner owner = {JOB_UID_INSIDE, JOB_UID_INSIDE, 0};
	uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (order->become) {
		owner.uid = JOB_UIDS_FROM + (uid_t)getpid();
		owner.gid = owner.uid;
		owner.mapped = 1;
	} else {
		flags |= CLONE_NEWUSER;
	}
	/* The first order says that we are where we should be, such as in our cgroups. */
	struct pollfd control = {.fd = ST_KEEPER_CONTROL_FD, .events = POLLIN};
	while (poll(&control, 1, -1) < 0 && errno == EINTR) {
	}
	int pidfd = -1;
	pid_t child = st_fork_into(flags, &pidfd);
	if (child < 0) {
		st_tell_no_box(ST_KEEPER_STAGE_NAMESPACES, -1);
	}
	if (child > 0) {
		wait_for_box(pidfd);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(022);
	if (!order->become && !st_owner_map_self(&owner, uid, gid)) {
		st_tell_no_box(ST_KEEPER_STAGE_IDS, -1);
	}
	settle_in(order, &owner);
}
