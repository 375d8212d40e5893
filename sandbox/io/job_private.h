/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of one job? For job.c, which runs it, and job_make.c, which makes it ready. */
#ifndef ST_SANDBOX_IO_JOB_PRIVATE_H
#define ST_SANDBOX_IO_JOB_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "sandbox/artifact.h"
#include "sandbox/io/cgroup.h"
#include "sandbox/io/job.h"
#include "sandbox/io/pump.h"
#include "sandbox/io/spawn.h"
#include "sandbox/outcome.h"
#include "sandbox/plan.h"
#include "sandbox/scene.h"

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_SWEEPING,
	JOB_CLOSING,
	JOB_LEAVING,
	JOB_CLEARING,
	JOB_DONE,
	JOB_STATE_COUNT,
};

enum force { FORCE_NONE, FORCE_ASKED, FORCE_FORCED, FORCE_CUT };

struct st_job {
	struct st_box box;
	enum job_state state;
	enum force force;
	struct st_job_plan *plan; /* NULL: there is none, see diag */
	struct st_diag diag;	  /* why the job could not be started or cleaned up */
	struct st_job_log log;
	bool boxed;
	struct st_scene scene;
	struct st_cgroup cgroup;
	int order_fd; /* for the keeper; -1 once it has it */
	struct st_spawned spawned;
	bool gone;	/* the keeper has ended */
	pid_t main_pid; /* of the running command as we see it; 0: not started, ended, in a box */
	struct st_pump out;
	struct st_pump err;
	uv_poll_t control; /* these two for as long as there is a keeper */
	uv_poll_t end;
	uv_timer_t timer;
	uv_work_t clearing;
	int n_closing;
	int stdin_fd;
	char *fresh_dir; /* to be removed; NULL: none */
	int dir_fd;	 /* the work directory, whatever becomes of its path; -1: not needed */
	struct st_harvest *harvest; /* NULL: no files were asked for, or no command ran */
	uint64_t started_ns;
	uint64_t command_ns;
	int64_t wall_ms;
	void (*done)(void *arg, struct st_job_result *result);
	void *arg;
};

/* Turns the spec into everything that the first command needs. Failures are in job->diag, and then
 * job->plan stays NULL. */
int st_job_make(struct st_job *job, const struct st_job_spec *spec);

/* How the job was isolated and bounded, and what it used, as the transcript has it. A new
 * reference. Asks the kernel, so before the group is removed. */
json_t *st_job_box_json(struct st_job *job);

/* The command as people see it (st_free): redacted, quoted, cut. */
char *st_job_command_text(const struct st_job *job, const struct st_job_command *command);

#endif
