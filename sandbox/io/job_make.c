/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided about a job before its first process exists. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "redact/redact.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job_private.h"
#include "sandbox/io/workdir.h"
#include "sandbox/tail.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

enum { COMMAND_TEXT_MAX = 4096 };

/* Each argument is redacted, then quoted, then the whole once more, for
 * rules that look at an option and its value together. */
char *st_job_command_text(const struct st_job *job, const struct st_job_command *command)
{
	struct st_buf joined = {0};
	size_t first = command->shell ? 2 : 0;
	for (size_t i = first; i < command->n_args; i++) {
		st_autoclean struct st_clean *word =
		    st_redact_text(job->box.redactor, command->argv[i], strlen(command->argv[i]));
		if (command->shell) {
			st_buf_add(&joined, st_clean_text(word), st_clean_len(word));
			continue;
		}
		st_buf_add_text(&joined, i > first ? " " : "");
		st_job_quote(&joined, st_clean_text(word), st_clean_len(word));
	}
	st_autoclean struct st_clean *whole =
	    st_redact_text(job->box.redactor, joined.data, joined.len);
	struct st_tail cut;
	struct st_buf text = {0};
	st_tail_init(&cut, COMMAND_TEXT_MAX);
	st_tail_add(&cut, st_clean_text(whole), st_clean_len(whole));
	(void)st_tail_text(&cut, &text);
	st_tail_fini(&cut);
	st_buf_fini(&joined);
	return st_buf_take(&text);
}

/* Who holds a limit. */
static const char *bounded_by(const struct st_job *job, enum st_cgroup_use use)
{
	static const char *const versions[] = {NULL, "cgroup v1", "cgroup v2"};
	const char *group = versions[job->box.host->cgroups.of[use].version];
	const char *other = use == ST_CGROUP_MEMORY ? "each process" : "user";
	return group != NULL ? group : job->boxed && use != ST_CGROUP_CPU ? other : "nothing";
}

static void set_used(json_t *used, const char *name, int64_t value)
{
	if (value >= 0) {
		(void)json_object_set_new(used, name, json_integer(value));
	}
}

json_t *st_job_box_json(struct st_job *job)
{
	const struct st_box_limits *limits = &job->box.options->limits;
	struct st_cgroup_usage usage;
	json_t *used = json_object();
	st_cgroup_measure(&job->cgroup, &usage);
	job->log.oom_kills = usage.oom_kills > 0 ? usage.oom_kills : 0;
	set_used(used, "cpu_ms", usage.cpu_ms);
	set_used(used, "memory_peak_bytes", usage.memory_peak_bytes);
	set_used(used, "oom_kills", usage.oom_kills);
	set_used(used, "processes_refused", usage.pids_refused);
	json_t *box = json_pack(
	    "{s:s, s:{s:I, s:s}, s:{s:I, s:s}, s:{s:I, s:s}, s:o}", "isolation",
	    job->boxed ? "full" : "none", "memory_bytes", "limit", (json_int_t)limits->memory_bytes,
	    "by", bounded_by(job, ST_CGROUP_MEMORY), "processes", "limit",
	    (json_int_t)limits->processes, "by", bounded_by(job, ST_CGROUP_PIDS), "cpu_percent",
	    "limit", (json_int_t)limits->cpu_percent, "by", bounded_by(job, ST_CGROUP_CPU), "used",
	    used);
	assert(box != NULL);
	return box;
}

/* The job runs where the path really leads, if that is allowed. */
static int use_given_dir(struct st_job *job, struct st_job_plan *plan)
{
	const struct st_workdirs allowed = {job->box.workdirs, job->box.n_workdirs};
	char *resolved = NULL;
	int rc = st_workdir_resolve(plan->workdir, &allowed, &resolved, &job->diag);
	if (rc == ST_OK) {
		st_free(plan->workdir);
		plan->workdir = resolved;
	}
	return rc;
}

/* In a box, or not, or not at all. */
static int choose_box(struct st_job *job)
{
	const char *fault = job->box.host->fault;
	enum st_isolation isolation = job->box.options->isolation;
	job->boxed = isolation != ST_ISOLATION_NONE && fault[0] == '\0';
	if (isolation == ST_ISOLATION_FULL && !job->boxed) {
		return st_fail(&job->diag, ST_ERR_UNSUPPORTED,
			       "jobs cannot be isolated here (%s); to run them all the same, set "
			       "\"sandbox\": {\"isolation\": \"none\"} in the config",
			       fault);
	}
	return ST_OK;
}

/* Where it will run. */
static int choose_dir(struct st_job *job, struct st_job_plan *plan)
{
	if (plan->workdir != NULL) {
		return use_given_dir(job, plan);
	}
	return job->boxed ? ST_OK : st_workdir_make(job->box.base_dir, &job->fresh_dir, &job->diag);
}

static int write_order(struct st_job *job, const struct st_job_plan *plan)
{
	job->order_fd = st_host_order(job->box.host, plan, job->boxed ? &job->scene : NULL,
				      &job->box.options->limits);
	if (job->order_fd < 0) {
		return st_fail(&job->diag, ST_ERR_IO, "no place for the job's order: %s",
			       strerror(errno));
	}
	return ST_OK;
}

static int write_stdin(struct st_job *job, const char *text)
{
	if (text == NULL || text[0] == '\0') {
		return ST_OK;
	}
	job->stdin_fd = st_spawn_file("stint-stdin", text, strlen(text));
	if (job->stdin_fd < 0) {
		return st_fail(&job->diag, ST_ERR_IO, "no place for the job's stdin: %s",
			       strerror(errno));
	}
	return ST_OK;
}

int st_job_make(struct st_job *job, const struct st_job_spec *spec)
{
	struct st_job_plan *plan = NULL;
	int rc = st_job_plan_make(spec, &job->box.caps, &plan, &job->diag);
	if (rc < 0) {
		return rc;
	}
	rc = choose_box(job);
	rc = rc == ST_OK ? write_stdin(job, spec->stdin_text) : rc;
	rc = rc == ST_OK ? choose_dir(job, plan) : rc;
	if (rc == ST_OK && job->boxed) {
		st_scene_make(job->box.host->paths, job->box.options, plan->workdir, &job->scene);
	}
	if (rc == ST_OK) {
		const char *own = job->boxed ? ST_SCENE_WORKDIR : job->fresh_dir;
		const char *workdir = plan->workdir != NULL ? plan->workdir : own;
		st_job_plan_place(plan, workdir, job->boxed ? ST_SCENE_TMP : workdir);
		rc = write_order(job, plan);
	}
	if (rc < 0) {
		st_job_plan_free(plan);
		return rc;
	}
	/* Now, because the job may put something else in its place. Where there is no such
	 * directory no command starts, and nothing is looked for. */
	if (plan->artifacts != NULL && !job->scene.own_workdir) {
		job->dir_fd = st_workdir_open(plan->workdir);
	}
	st_job_log_init(&job->log, plan->n_commands);
	job->plan = plan;
	return ST_OK;
}
