/* SPDX-License-Identifier: Apache-2.0 */
/* What exactly will a job run, with which surroundings and limits? Decided before anything acts. */
#ifndef ST_SANDBOX_PLAN_H
#define ST_SANDBOX_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"
#include "schemas/call.h"
#include "schemas/envelope.h"

#define ST_JOB_COMMANDS_MAX 64
#define ST_JOB_ARGS_MAX 4096 /* of one command */
#define ST_JOB_ENV_MAX 256
#define ST_JOB_STRING_BYTES_MAX 131071	    /* Linux takes no longer argument or variable */
#define ST_JOB_EXEC_BYTES_MAX (1536 * 1024) /* arguments and environment of one command */
#define ST_JOB_STDIN_BYTES_MAX (64 * 1024 * 1024)
#define ST_JOB_LOG_BYTES_MAX (64 * 1024 * 1024)
#define ST_JOB_HARD_MS_MAX (INT64_C(30) * 24 * 3600 * 1000)
#define ST_JOB_FILES_MAX 1024 /* open files of one process */
#define ST_JOB_SWEEP_MS 200   /* from TERM to KILL for what a command left behind */
#define ST_JOB_ABORT_MS 2000  /* from TERM to KILL after a soft abort */

struct st_job_command {
	char **argv; /* NULL-ended */
	size_t n_args;
	char **programs; /* NULL-ended: the paths that are tried in order */
	bool shell;	 /* it was a string: argv is /bin/sh -c string */
};

/* Owned; made by st_job_plan_make, freed by st_job_plan_free. */
struct st_job_plan {
	struct st_job_command *commands;
	size_t n_commands;
	char **env; /* NULL-ended, NAME=value */
	size_t n_env;
	char *workdir; /* NULL: fresh, see st_job_plan_place */
	int64_t soft_ms;
	int64_t hard_ms;
	size_t log_bytes;
	char **artifacts; /* NULL-ended patterns without fault; NULL: no files are kept */
	size_t n_artifacts;
	struct st_artifact_caps artifact_caps;
};

/*
 * Checks the spec and turns it into a plan; the spec stays as it is. A command that is a string is
 * run by /bin/sh -c; an array is run as it is, its program looked up in the job's own PATH. The
 * environment is PATH, LANG, STINT_JOB and what the spec says; names that steer the loader, the
 * shell or stint itself are refused. `caps` lowers the limits; ST_UNLIMITED in it means no cap.
 * Failures: ST_ERR_INVALID, ST_ERR_TOO_LARGE; the pointer is relative to the spec; diag never
 * quotes a value.
 */
int st_job_plan_make(const struct st_job_spec *spec, const struct st_job_caps *caps,
		     struct st_job_plan **out, struct st_diag *diag);
void st_job_plan_free(struct st_job_plan *plan);

/* Says where a plan without a work directory runs; with one, the path must be equal. Sets HOME to
 * that and TMPDIR to `tmp` unless the spec did. Call once, before the first command. */
void st_job_plan_place(struct st_job_plan *plan, const char *workdir, const char *tmp);

/* Adds the plan as text, one thing a line. Values are raw: redact before it is kept or shown. */
void st_job_plan_print(const struct st_job_plan *plan, struct st_buf *buf);

/* Adds `word` so that a POSIX shell reads it as one word. */
void st_job_quote(struct st_buf *buf, const char *word, size_t len);

#endif
