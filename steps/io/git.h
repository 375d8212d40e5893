/* SPDX-License-Identifier: Apache-2.0 */
/* How is a run's clone worked on, away from the loop? The only owner of libgit2. */
#ifndef ST_STEPS_IO_GIT_H
#define ST_STEPS_IO_GIT_H

#include <uv.h>

#include "schemas/err.h"
#include "schemas/git.h"

struct st_grant;
struct st_git;
struct st_git_call;

/* Borrowed while the git lives. */
struct st_git_settings {
	uv_loop_t *loop;
	const char *base_dir;		      /* absolute, ours alone */
	const struct st_git_options *options; /* the operator's */
	const char *const *allow;	      /* holes in the outgoing guard */
	size_t n_allow;
	const char *user_agent;
};

/* Sets libgit2 up for the whole process: it reads no config of the machine or of a user, and syncs
 * what it writes. Failures: ST_ERR_INVALID (a bad allow entry), ST_ERR_IO. */
int st_git_new(const struct st_git_settings *settings, struct st_git **out, struct st_diag *diag);
/* Only when no call is left. */
void st_git_free(struct st_git *git);

/* What a call is known by, which is copied; and who is told of its end. */
struct st_git_about {
	const char *run;
	const char *step;
	const char *key;    /* "<call id>-<attempt>" */
	int64_t at_seconds; /* when it is said to be made, since 1970 */
	bool again;	    /* this attempt was sent before, and nobody knows how it ended */
	void (*done)(void *arg, struct st_git_result *result);
	void *arg;
};

/*
 * Does it on a worker thread; done runs once, later, on the loop's thread. What the spec borrows
 * must last until then. The result's contents are given: st_buf_fini its text. Calls of one run
 * happen one after the other, and of all runs few at a time.
 */
struct st_git_call *st_git_start(struct st_git *git, const struct st_grant *grant,
				 const struct st_git_spec *spec, const struct st_git_about *about);
/* Gives up soon; done still runs. */
void st_git_abort(struct st_git_call *call);

#endif
