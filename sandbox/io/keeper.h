/* SPDX-License-Identifier: Apache-2.0 */
/* What do the daemon and a job's keeper say to each other? The theory of operation is in job.c. */
#ifndef ST_SANDBOX_IO_KEEPER_H
#define ST_SANDBOX_IO_KEEPER_H

#include <stdint.h>

/* The descriptors that a keeper starts with; it has no others. */
#define ST_KEEPER_CONTROL_FD 3
#define ST_KEEPER_ORDER_FD 4 /* a sealed file: struct st_order */

/* What the daemon may tell a keeper: one byte each. The end of the socket means: end everything. */
#define ST_KEEPER_RUN 'R'  /* the next command; its stdin, stdout and stderr come along */
#define ST_KEEPER_TERM 'T' /* TERM to the command's group */
#define ST_KEEPER_KILL 'K' /* KILL to everything that descends from the command */

enum st_keeper_note_kind {
	ST_KEEPER_READY = 1,   /* the box stands; its work directory comes along (O_PATH), if it has
				  one of its own */
	ST_KEEPER_NOT_STARTED, /* value: errno, stage: what failed, detail; then EMPTY follows */
	ST_KEEPER_STARTED,     /* value: pid of the main process as the keeper sees it */
	ST_KEEPER_EXITED,      /* value: exit code of the main process */
	ST_KEEPER_SIGNALLED,   /* value: signal that ended the main process */
	ST_KEEPER_EMPTY,       /* value 0: nothing that descends from the command lives; 1:
				  something could not be killed; detail: processor time, ms */
};

/* X(NAME, "what could not be had") */
#define ST_KEEPER_STAGE_X(X)                                                                       \
	X(FORK, "no process")                                                                      \
	X(NAMESPACES, "no namespaces")                                                             \
	X(IDS, "no user of its own")                                                               \
	X(MOUNT, "no file system of its own")                                                      \
	X(ROOT, "no root directory of its own")                                                    \
	X(NETWORK, "no network of its own")                                                        \
	X(PRIVILEGES, "privileges could not be dropped")                                           \
	X(FILTER, "no filter of system calls")                                                     \
	X(SETUP, "session or limits")                                                              \
	X(LANDLOCK, "no Landlock domain")                                                          \
	X(WORKDIR, "work directory")                                                               \
	X(EXEC, "program")

enum st_keeper_stage {
#define X(name, text) ST_KEEPER_STAGE_##name,
	ST_KEEPER_STAGE_X(X)
#undef X
	    ST_KEEPER_STAGE_COUNT
};

/* One message on the control socket, which keeps boundaries. */
struct st_keeper_note {
	int32_t kind;
	int32_t stage;
	int32_t value;
	int32_t detail; /* MOUNT: which of the order's mounts, -1: none in particular; EMPTY */
};

#endif
