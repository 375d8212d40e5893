/* SPDX-License-Identifier: Apache-2.0 */
/* How does a job get its keeper, and how are the two heard and told? */
#ifndef ST_SANDBOX_IO_SPAWN_H
#define ST_SANDBOX_IO_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/io/keeper.h"
#include "schemas/err.h"

/* The daemon's side of one keeper. Descriptors are close-on-exec and do not block; -1: closed. */
struct st_spawned {
	pid_t keeper; /* our child; 0 once it was reaped */
	bool boxed;
	int pidfd; /* readable when the keeper, and in a box everything, has ended */
	int control_fd;
	int stdout_fd; /* of the running command */
	int stderr_fd;
};

/* All closed. */
struct st_spawned st_spawn_none(void);

/*
 * Starts a keeper from its program with an order, both borrowed. It waits for the first command
 * before it does anything. 0, or ST_ERR_IO when descriptors or processes are short; nothing is then
 * left over.
 */
int st_spawn(int program_fd, int order_fd, bool boxed, struct st_spawned *out,
	     struct st_diag *diag);

/* Lets the keeper run the next command of its order. stdin_fd is borrowed (it is rewound first, and
 * may be used again); -1 stands for /dev/null. Failures as above. */
int st_spawn_run(struct st_spawned *spawned, int stdin_fd, struct st_diag *diag);

/* Takes one note: 1, or 0 when there is none now, or -1 when there will be none any more. A
 * descriptor that came along is given in *fd, else -1 is put there. */
int st_spawn_hear(const struct st_spawned *spawned, struct st_keeper_note *note, int *fd);
/* Sends an order to the keeper; one that is gone already is no error. */
void st_spawn_tell(const struct st_spawned *spawned, char order);
/* Ends the job without the keeper's help, for when it does not answer. */
void st_spawn_cut(const struct st_spawned *spawned);
/* Reaps the keeper. Call when pidfd is readable. */
void st_spawn_reap(struct st_spawned *spawned);
/* Closes the pipes of the command that ended, or everything. */
void st_spawn_close_pipes(struct st_spawned *spawned);
void st_spawn_close(struct st_spawned *spawned);

/* An anonymous sealed file that holds the bytes; no name on any disk. */
int st_spawn_file(const char *name, const void *bytes, size_t len);

#endif
