/* SPDX-License-Identifier: Apache-2.0 */
/* How does a command's main process come to be? */
#ifndef ST_SANDBOX_IO_KEEPER_START_H
#define ST_SANDBOX_IO_KEEPER_START_H

#include <sys/types.h>

#include "sandbox/order.h"

/*
 * Makes the process and waits until it has become the command. fds are its stdin, stdout and
 * stderr; they are closed here, so that only the command holds them. Tells the daemon STARTED, or
 * NOT_STARTED. Returns the pid, which is not reaped yet, or -1.
 */
pid_t st_start_main(const struct st_order *order, const struct st_order_command *command,
		    const int fds[3]);

/* Closes every descriptor from `first` on. */
void st_close_from(unsigned first);

#endif
