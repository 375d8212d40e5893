/* SPDX-License-Identifier: Apache-2.0 */
/* What did a job come to, and how is it told? */
#ifndef ST_SANDBOX_OUTCOME_H
#define ST_SANDBOX_OUTCOME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/tail.h"
#include "schemas/call.h"

/* What had been decided about the job before its last command ended by itself. */
enum st_job_cause {
	ST_JOB_CAUSE_NONE,
	ST_JOB_CAUSE_LIMIT,
	ST_JOB_CAUSE_ABORT,
	ST_JOB_CAUSE_LOST, /* its keeper was killed: how it ended is not known */
};

enum st_job_status {
	ST_JOB_STATUS_NOT_STARTED, /* value: errno */
	ST_JOB_STATUS_EXITED,	   /* value: exit code */
	ST_JOB_STATUS_SIGNALLED,   /* value: signal number */
};

/* One command that was tried. */
struct st_job_record {
	char *command; /* owned; redacted, UTF-8 */
	enum st_job_status status;
	int value;
	char signal[16]; /* "SIGKILL"; "" unless signalled */
	char error[128]; /* why it was not started; "" otherwise */
	enum st_job_cause cause;
	int64_t started_ms; /* from the start of the job */
	int64_t wall_ms;    /* until its main process ended */
	struct st_tail out; /* redacted */
	struct st_tail err;
	int64_t out_bytes; /* seen, before redaction */
	int64_t err_bytes;
	int64_t cpu_ms; /* of all its processes */
};

/* All commands of a job that were tried, in order. Owned. */
struct st_job_log {
	struct st_job_record *records;
	size_t n_records;
	size_t n_commands;	 /* of the plan; more than were tried when one failed */
	enum st_job_cause cause; /* decided by the end of the job, perhaps between commands */
	json_t *box;		 /* owned; told in the first record; or NULL */
	int64_t oom_kills;	 /* processes that were killed for want of memory */
	bool leftover;		 /* some process could not be made to end */
};

void st_job_log_init(struct st_job_log *log, size_t n_commands);
void st_job_log_fini(struct st_job_log *log);
/* The next record, all zero. At most n_commands. */
struct st_job_record *st_job_log_next(struct st_job_log *log);
/* True when the last command that was tried ended well and another one may follow. */
bool st_job_log_goes_on(const struct st_job_log *log);
/* Makes all outputs together keep at most log_bytes: the longest are cut first. */
void st_job_log_trim(struct st_job_log *log, size_t log_bytes);

/*
 * Fills out from the log; wall_ms is the whole job's. The end is that of the last command; a limit
 * or an abort counts only if it was decided before that command's main process ended, or if
 * commands were left that did not get their turn. NOT_STARTED means that nothing ran at all; a
 * later command that cannot be started is EXITED with 127 (not found) or 126, and an error.
 */
void st_job_outcome(const struct st_job_log *log, int64_t wall_ms, struct st_job_result *out);

/* The result of a job that did not get as far as its first command. Copies error. */
void st_job_outcome_not_started(const char *error, struct st_job_result *out);

#endif
