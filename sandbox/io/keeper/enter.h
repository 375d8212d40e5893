/* SPDX-License-Identifier: Apache-2.0 */
/* How does a keeper get into the box that it keeps? */
#ifndef ST_SANDBOX_IO_KEEPER_ENTER_H
#define ST_SANDBOX_IO_KEEPER_ENTER_H

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/order.h"

/*
 * Returns in a child that is process 1 of the box: all namespaces, file system, user, filter. The
 * process that called it stays outside and ends with the box. When something cannot be had, the
 * daemon is told and everything ends.
 */
void st_enter(const struct st_order *order);

/* fork() with the namespaces' flags and a pidfd. */
pid_t st_fork_into(uint64_t flags, int *pidfd);
/* The number of that process as the /proc that we see calls it; -1: it has none there. */
pid_t st_pid_outside(int pidfd);

#endif
