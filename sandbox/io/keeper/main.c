/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: what stands between the daemon and a job. It is a program of its own, in the daemon
 * as data and started out of memory, so that nothing of the daemon's memory, environment or
 * descriptors is in it. See the drawing in job.c.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/io/keeper.h"
#include "sandbox/io/keeper/enter.h"
#include "sandbox/io/keeper/keep.h"
#include "sandbox/io/keeper/read.h"
#include "sandbox/io/keeper/start.h"

int main(void)
{
	sigset_t all;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "stint-keeper");
	st_close_from(ST_KEEPER_ORDER_FD + 1);
	const struct st_order *order = st_order_read(ST_KEEPER_ORDER_FD);
	if (order->boxed) {
		st_enter(order);
	} else {
		/* The job is of our own user. */
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	st_keep(order);
}
