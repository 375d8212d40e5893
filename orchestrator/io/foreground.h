/* SPDX-License-Identifier: Apache-2.0 */
/* How is one run driven to its next stop by a command, without a daemon? */
#ifndef ST_ORCHESTRATOR_IO_FOREGROUND_H
#define ST_ORCHESTRATOR_IO_FOREGROUND_H

#include "orchestrator/io/cli.h"
#include "schemas/event.h"

/* Where the foreground commands keep their runs: --store, or $XDG_STATE_HOME/stint/runs.db. The
 * store is made when `make` and it is missing. Gives the URI in *out (st_free). */
int st_foreground_store(const struct st_cli *cli, bool make, char **out, struct st_diag *diag);

/* Adds what to do to a failure that says that another process has the store; gives its code. */
int st_foreground_busy(struct st_diag *diag);

/* The person who typed the command: may decide about own runs, and the record says so. */
struct st_actor st_foreground_actor(void);

struct st_foreground {
	const struct st_cli *cli;
	const char *store_uri;
	struct st_event event; /* what it begins with: SUBMIT, or something about a run */
	int64_t after_seq;     /* events up to here were told before */
	bool only_this;	       /* no driving: stop when the event is durable */
	bool any_end;	       /* however the run ends, the command did what it was asked */
	bool only_follow;      /* no event: the run goes on by itself, as after an interrupt */
	/* SUBMIT: reads and checks the definition once the engine has its config; gives it in
	 * event.submit.def. NULL for other events. */
	int (*prepare)(struct st_foreground *foreground, void *engine, struct st_diag *diag);
};

/* Brings the event in and follows the run until it is over or halted; at a halt on a terminal it
 * asks, unless --no-input. The exit code of the command. */
int st_foreground_drive(struct st_foreground *foreground);

#endif
