/* SPDX-License-Identifier: Apache-2.0 */
/* How does a command get its processes and pipes? */
#ifndef ST_SANDBOX_IO_SPAWN_H
#define ST_SANDBOX_IO_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/io/keeper.h"
#include "sandbox/plan.h"
#include "schemas/err.h"

/* The daemon's side of one running command. Descriptors are close-on-exec and do not block. */
struct st_spawned {
	pid_t keeper; /* our child; 0 once it was reaped */
	int control_fd;
	int stdout_fd;
	int stderr_fd;
};

/*
 * Starts a keeper, which starts the command. stdin_fd is borrowed (it is rewound first, and may
 * then be used again for the next command); -1 stands for /dev/null. 0, or ST_ERR_IO when
 * descriptors or processes are short; nothing is then left over.
 */
int st_spawn(const struct st_job_plan *plan, size_t command, int stdin_fd, struct st_spawned *out,
	     struct st_diag *diag);

/* Sends an order to the keeper; one that is gone already is no error. */
void st_spawn_tell(const struct st_spawned *spawned, char order);
/* Kills the keeper itself, for when it does not answer; the main process dies with it. */
void st_spawn_cut(const struct st_spawned *spawned);
/* Reaps the keeper. Call when the control socket has ended or after st_spawn_cut: the wait is that
 * of a process on its way out. */
void st_spawn_reap(struct st_spawned *spawned);
/* Closes what is still open (-1 marks closed). */
void st_spawn_close(struct st_spawned *spawned);

/* An anonymous file that holds the bytes, for stdin; no name on any disk. */
int st_spawn_stdin(const char *bytes, size_t len, int *fd, struct st_diag *diag);

#endif
