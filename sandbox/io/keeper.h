/* SPDX-License-Identifier: Apache-2.0 */
/* What does the process between the daemon and a command do? See the drawing in job.c. */
#ifndef ST_SANDBOX_IO_KEEPER_H
#define ST_SANDBOX_IO_KEEPER_H

#include <stdint.h>

/* What the daemon may tell a keeper: one byte each. The end of the socket means ST_KEEPER_KILL. */
#define ST_KEEPER_TERM 'T' /* TERM to the command's group */
#define ST_KEEPER_KILL 'K' /* KILL to everything that descends from the command */

enum st_keeper_note_kind {
	ST_KEEPER_NOT_STARTED = 1, /* value: errno, stage: what failed; then EMPTY follows */
	ST_KEEPER_STARTED,	   /* value: pid of the main process, which leads its group */
	ST_KEEPER_EXITED,	   /* value: exit code of the main process */
	ST_KEEPER_SIGNALLED,	   /* value: signal that ended the main process */
	ST_KEEPER_EMPTY, /* value 0: nothing that descends from the command lives; 1: something
			    could not be killed */
};

enum st_keeper_stage {
	ST_KEEPER_STAGE_FORK,
	ST_KEEPER_STAGE_SETUP,
	ST_KEEPER_STAGE_WORKDIR,
	ST_KEEPER_STAGE_EXEC,
};

/* One message on the control socket, which keeps boundaries. */
struct st_keeper_note {
	int32_t kind;
	int32_t stage;
	int32_t value;
};

/* Everything the keeper needs, put together before the fork. Descriptors are >= 10. */
struct st_keeper_order {
	int stdin_fd;
	int stdout_fd;
	int stderr_fd;
	int control_fd;
	char *const *argv;
	char *const *programs;
	char *const *env;
	const char *workdir;
	int n_files_max;
	int sweep_ms;
};

/* Call in the child right after the fork, with all signals blocked. Never returns. */
_Noreturn void st_keeper_run(const struct st_keeper_order *order);

#endif
