/* SPDX-License-Identifier: Apache-2.0 */
/* How is a sandbox job run from its spec to its result? */
#ifndef ST_SANDBOX_IO_JOB_H
#define ST_SANDBOX_IO_JOB_H

#include <stdbool.h>
#include <uv.h>

#include "schemas/box.h"
#include "schemas/call.h"
#include "schemas/envelope.h"

struct st_grant;
struct st_redactor;
struct st_job;
struct st_host;

/* What the jobs of one daemon have in common. Plain data, copied by st_job_start; what it points to
 * must outlive the jobs. */
struct st_box {
	uv_loop_t *loop;
	const char *base_dir; /* absolute, ours alone: fresh work directories are made in it */
	const struct st_redactor *redactor; /* built */
	struct st_job_caps caps;     /* no job gets more, whatever its spec says; ST_UNLIMITED: as
				      * the spec says */
	const char *const *workdirs; /* a job may be given these to work in, and what is below */
	size_t n_workdirs;
	const struct st_host *host;
	const struct st_box_options *options;
};

/*
 * Starts a job. Takes the contents of *spec and leaves it empty. The grant is the proof that the
 * job's worst case is held; it is looked at, not kept.
 *
 * done runs exactly once, later and on the loop's thread, whatever happens: a job that cannot be
 * started says NOT_STARTED. By then no process of the job lives (if one could not be killed, the
 * error says so), a fresh work directory is gone and no handle is left. The contents of *result are
 * given: st_job_result_fini them, or move them out; the struct itself lasts for the call only. The
 * job's pointer is dead from then on.
 *
 * All text in the result went through the redactor before it was cut or stored: the transcript's
 * strings are redacted streams as UTF-8, with U+FFFD for what is not UTF-8 and for NUL. All outputs
 * together keep at most log_bytes_max bytes (before U+FFFD, three bytes for one, and the lines that
 * mark a cut). Each command sees the whole of stdin_text.
 */
struct st_job *st_job_start(const struct st_box *box, const struct st_grant *grant,
			    struct st_job_spec *spec,
			    void (*done)(void *arg, struct st_job_result *result), void *arg);

/* Ends the job early: TERM and, ST_JOB_ABORT_MS later, KILL; at once when hard. No next command
 * starts. Calling it again may only make it harder. done still runs, later. */
void st_job_abort(struct st_job *job, bool hard);

#endif
