/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.job: commands in a box, one after the other, until one fails.
 *
 * At "timeout_seconds" the whole group of processes is asked to end (TERM), "grace_seconds" later
 * it is ended (KILL). Both are held, since both may be used up. The run's cap on one job bounds the
 * former; a job that asks for more gets the cap, and the clamp is shown.
 *
 * Files that match "artifacts" are kept, sealed, when the job has ended, also when it failed. Later
 * steps see their names, sizes and hashes.
 */
#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "schemas/name.h"
#include "steps/kind_rows.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"

#define SECONDS_MAX 86400
#define SECONDS_DEFAULT 600
#define GRACE_SECONDS_MAX 300
#define GRACE_SECONDS_DEFAULT 10
#define COMMANDS_MAX 64
#define ARGUMENTS_MAX 256
#define TEXT_BYTES_MAX 131072 /* of one argument; the kernel's own limit */
#define STDIN_BYTES_MAX 1048576
#define VARIABLES_MAX 128
#define LOG_BYTES_MIN 1024
#define LOG_BYTES_MAX 67108864
#define LOG_BYTES_DEFAULT 1048576
#define SHOWN_CHARS_MAX 65536

struct job {
	const json_t *run;
	const json_t *env;
	const json_t *artifacts;
	const char *workdir;
	const char *stdin_text;
	int64_t timeout_seconds;
	int64_t grace_seconds;
	int64_t log_bytes;
	bool repeatable;
};

static bool is_argument(const json_t *value, size_t bytes_min)
{
	size_t len = json_string_length(value);
	const char *text = json_string_value(value);
	return text != NULL && len >= bytes_min && len <= TEXT_BYTES_MAX &&
	       memchr(text, '\0', len) == NULL;
}

/* A line for the shell, or a program and its arguments. */
static bool is_command(const json_t *command)
{
	if (json_is_string(command)) {
		return is_argument(command, 1);
	}
	size_t n = json_array_size(command);
	if (n == 0 || n > ARGUMENTS_MAX || !is_argument(json_array_get(command, 0), 1)) {
		return false;
	}
	for (size_t i = 1; i < n; i++) {
		if (!is_argument(json_array_get(command, i), 0)) {
			return false;
		}
	}
	return true;
}

static void read_run(struct st_param_reader *reader, struct job *out)
{
	const json_t *given = json_object_get(reader->object, "run");
	out->run = st_param_value(reader, "run");
	size_t n = json_array_size(out->run);
	if (out->run == NULL && given != NULL) {
		return;
	}
	if (n == 0 || n > COMMANDS_MAX) {
		(void)st_param_fail(reader, "/run", "\"run\" must be an array of 1 to %d commands",
				    COMMANDS_MAX);
	}
	for (size_t i = 0; i < n && reader->code == ST_OK; i++) {
		if (!is_command(json_array_get(out->run, i))) {
			char pointer[32];
			(void)snprintf(pointer, sizeof pointer, "/run/%zu", i);
			(void)st_param_fail(reader, pointer,
					    "a command is a text for the shell, or an array of a "
					    "program and its arguments (at most %d, of %d bytes "
					    "each)",
					    ARGUMENTS_MAX, TEXT_BYTES_MAX);
		}
	}
}

static bool is_variable_name(const char *name)
{
	size_t len =
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	return len > 0 && len <= 128 && name[len] == '\0' && (name[0] < '0' || name[0] > '9');
}

static void read_env(struct st_param_reader *reader, struct job *out)
{
	out->env = st_param_value(reader, "env");
	if (out->env != NULL &&
	    (!json_is_object(out->env) || json_object_size(out->env) > VARIABLES_MAX)) {
		(void)st_param_fail(reader, "/env", "\"env\" must be an object of at most %d texts",
				    VARIABLES_MAX);
		return;
	}
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)out->env, name, value)
	{
		if (!is_variable_name(name)) {
			(void)st_param_fail(reader, "/env",
					    "a variable's name is letters, digits and _, not "
					    "beginning with a digit");
		} else if (strncmp(name, "LD_", 3) == 0) {
			(void)st_param_fail(reader, "/env",
					    "\"%s\" would change what the loader runs; it cannot "
					    "be set",
					    name);
		} else if (!is_argument(value, 0)) {
			(void)st_param_fail(reader, "/env", "\"%s\" must be a text", name);
		}
	}
}

/* The run's own files, or those of one of its clones: see steps/io/workspace.h. */
static bool is_shared(const char *workdir)
{
	return strcmp(workdir, "run") == 0 ||
	       (strncmp(workdir, "run/", 4) == 0 && st_name_is_valid(workdir + 4));
}

static void read_places(struct st_param_reader *reader, struct job *out)
{
	out->stdin_text = st_param_text(reader, "stdin", false, STDIN_BYTES_MAX);
	out->workdir = st_param_text(reader, "workdir", false, 1024);
	if (out->workdir != NULL && !st_param_is_open_text(reader, out->workdir) &&
	    !is_shared(out->workdir) &&
	    (out->workdir[0] != '/' || strstr(out->workdir, "..") != NULL)) {
		(void)st_param_fail(reader, "/workdir",
				    "\"workdir\" must be an absolute path without \"..\", or "
				    "\"run\" or \"run/NAME\" for what the run's steps share");
	}
}

/* Whose directories jobs work in is for the operator to say. The box looks again at where the path
 * really leads. */
static int check_workdir(const struct job *job, const struct st_config *config,
			 struct st_diag *diag)
{
	if (job->workdir == NULL || is_shared(job->workdir) ||
	    st_config_has_workdir(config, job->workdir)) {
		return ST_OK;
	}
	return st_fail_at(diag, ST_ERR_INVALID, "/workdir",
			  "the operator does not let jobs work in \"%.160s\": add it, or one above "
			  "it, to \"sandbox\": {\"workdirs\": […]} in the config",
			  job->workdir);
}

static void read_artifacts(struct st_param_reader *reader, struct job *out)
{
	out->artifacts = st_param_value(reader, "artifacts");
	size_t n = json_array_size(out->artifacts);
	if (out->artifacts != NULL &&
	    (!json_is_array(out->artifacts) || n > ST_ARTIFACT_PATTERNS_MAX)) {
		(void)st_param_fail(reader, "/artifacts",
				    "\"artifacts\" must be an array of at most %d patterns",
				    ST_ARTIFACT_PATTERNS_MAX);
	}
	for (size_t i = 0; i < n && reader->code == ST_OK; i++) {
		const json_t *pattern = json_array_get(out->artifacts, i);
		if (st_param_is_open(reader, pattern)) {
			continue;
		}
		const char *fault = is_argument(pattern, 1)
					? st_artifact_pattern_fault(json_string_value(pattern))
					: "must be a text, not an empty one";
		char pointer[32];
		(void)snprintf(pointer, sizeof pointer, "/artifacts/%zu", i);
		if (fault != NULL) {
			(void)st_param_fail(reader, pointer, "the pattern %s", fault);
		}
	}
}

static int read_job(const json_t *with, bool open, struct job *out, struct st_diag *diag)
{
	static const char *const fields[] = {
	    "run",     "timeout_seconds", "grace_seconds", "env",	 "stdin",
	    "workdir", "artifacts",	  "log_bytes",	   "repeatable", NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	read_run(&reader, out);
	read_env(&reader, out);
	read_places(&reader, out);
	read_artifacts(&reader, out);
	out->timeout_seconds = st_param_int(&reader, "timeout_seconds", 1, SECONDS_MAX, -1);
	out->grace_seconds =
	    st_param_int(&reader, "grace_seconds", 1, GRACE_SECONDS_MAX, GRACE_SECONDS_DEFAULT);
	out->log_bytes = st_param_int(&reader, "log_bytes", LOG_BYTES_MIN, LOG_BYTES_MAX, -1);
	out->repeatable = st_param_bool(&reader, "repeatable", false);
	return reader.code;
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	struct job job;
	int rc = read_job(with, true, &job, diag);
	if (rc != ST_OK || (job.workdir != NULL && strstr(job.workdir, "${{") != NULL)) {
		return rc;
	}
	return check_workdir(&job, config, diag);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What the run's cap leaves of what was asked; a default that is lowered is no clamp. */
static int64_t capped(struct st_plan *plan, const char *what, int64_t asked, int64_t cap)
{
	if (cap == ST_UNLIMITED || asked <= cap) {
		return asked;
	}
	if (plan->clamp.what[0] == '\0') {
		(void)snprintf(plan->clamp.what, sizeof plan->clamp.what, "%s", what);
		plan->clamp.asked = asked;
		plan->clamp.given = cap;
	}
	return cap;
}

static int64_t or_default(int64_t asked, int64_t normal, int64_t cap)
{
	if (asked >= 0) {
		return asked;
	}
	return cap == ST_UNLIMITED ? normal : least(normal, cap);
}

static void describe(const struct job *job, struct st_plan *out)
{
	const json_t *first = json_array_get(job->run, 0);
	const json_t *program = json_is_array(first) ? json_array_get(first, 0) : first;
	(void)snprintf(out->intent, sizeof out->intent, "%s%s", json_string_value(program),
		       json_array_size(job->run) > 1 || json_is_array(first) ? " …" : "");
	st_text_mend(out->intent);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)counted_input;
	struct job job;
	const struct st_job_caps *caps = &room->job;
	int rc = read_job(with, false, &job, diag);
	rc = rc != ST_OK ? rc : check_workdir(&job, config, diag);
	if (rc != ST_OK) {
		return rc;
	}
	if (caps->job_seconds == 0) {
		return st_fail_at(diag, ST_ERR_UNSUPPORTED, "/timeout_seconds",
				  "the run's envelope gives a job no time: raise "
				  "/budget/sandbox/job_seconds");
	}
	st_kind_plan_begin(&st_kind_sandbox, step_timeout_ms, SECONDS_DEFAULT * 1000, out);
	int64_t seconds = or_default(job.timeout_seconds, SECONDS_DEFAULT, caps->job_seconds);
	seconds = capped(out, "timeout_seconds", seconds, caps->job_seconds);
	int64_t soft_ms = seconds * 1000;
	soft_ms = step_timeout_ms > 0 ? least(soft_ms, step_timeout_ms) : soft_ms;
	int64_t log_bytes = or_default(job.log_bytes, LOG_BYTES_DEFAULT, caps->log_bytes);
	out->log_bytes_max = capped(out, "log_bytes", log_bytes, caps->log_bytes);
	out->timeout_ms = soft_ms + job.grace_seconds * 1000;
	out->idempotence = job.repeatable ? ST_REPEATABLE : ST_UNREPEATABLE;
	out->side_effects = !job.repeatable;
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_SANDBOX_JOBS] = 1;
	out->bound.of[ST_METER_SANDBOX_SECONDS] = (out->timeout_ms + 999) / 1000;
	describe(&job, out);
	return ST_OK;
}

static int make_job(const json_t *with, const struct st_plan *plan, struct st_job_spec *out,
		    struct st_diag *diag)
{
	struct job job;
	int rc = read_job(with, false, &job, diag);
	if (rc != ST_OK) {
		return rc;
	}
	*out = (struct st_job_spec){
	    .commands = json_deep_copy(job.run),
	    .env = job.env != NULL ? json_deep_copy(job.env) : NULL,
	    .workdir = st_strdup(job.workdir),
	    .stdin_text = st_strdup(job.stdin_text),
	    .soft_ms = plan->timeout_ms - job.grace_seconds * 1000,
	    .hard_ms = plan->timeout_ms,
	    .log_bytes_max = plan->log_bytes_max,
	    .artifacts = job.artifacts != NULL ? json_deep_copy(job.artifacts) : NULL,
	    .artifact_caps = {.files = ST_ARTIFACTS_MAX,
			      .file_bytes = ST_ARTIFACT_BYTES_MAX,
			      .bytes = ST_ARTIFACTS_BYTES_MAX},
	};
	assert(out->soft_ms > 0);
	return ST_OK;
}

static json_t *artifacts_of(const struct st_job_result *result)
{
	json_t *list = json_array();
	for (size_t i = 0; i < result->n_artifacts; i++) {
		const struct st_artifact *artifact = &result->artifacts[i];
		char hash[2 * ST_ARTIFACT_HASH_BYTES + 1];
		(void)sodium_bin2hex(hash, sizeof hash, artifact->hash, sizeof artifact->hash);
		int rc = json_array_append_new(
		    list, json_pack("{s:s, s:I, s:s}", "path", artifact->path, "bytes",
				    (json_int_t)artifact->len, "hash", hash));
		assert(rc == 0);
	}
	return list;
}

/* What later steps see of a job; the whole of it is in its transcript. */
static json_t *output_of(const struct st_job_result *result)
{
	size_t n = json_array_size(result->transcript);
	const json_t *last = n > 0 ? json_array_get(result->transcript, n - 1) : NULL;
	bool cut = json_is_true(json_object_get(last, "truncated"));
	json_t *text_out = st_text_json_of(json_object_get(last, "stdout"), SHOWN_CHARS_MAX, &cut);
	json_t *text_err = st_text_json_of(json_object_get(last, "stderr"), SHOWN_CHARS_MAX, &cut);
	return json_pack("{s:i, s:I, s:I, s:o, s:o, s:b}", "exit_code", result->exit_code,
			 "wall_ms", (json_int_t)result->wall_ms, "commands", (json_int_t)n,
			 "stdout", text_out, "stderr", text_err, "truncated", cut);
}

static void conclude(const struct st_job_result *result, struct st_outcome *out)
{
	if (result->out_of_memory &&
	    (result->end == ST_JOB_EXITED || result->end == ST_JOB_SIGNALLED)) {
		st_reply_end(out, ST_OUTCOME_FAILED, "job.memory", "%s", result->error);
		return;
	}
	switch (result->end) {
	case ST_JOB_EXITED:
		if (result->exit_code == 0) {
			out->state = ST_OUTCOME_SUCCEEDED;
			return;
		}
		st_reply_end(out, ST_OUTCOME_FAILED, "job.exit", "command %zu exited with %d",
			     json_array_size(result->transcript), result->exit_code);
		return;
	case ST_JOB_SIGNALLED:
		st_reply_end(out, ST_OUTCOME_FAILED, "job.signal",
			     "command %zu was ended by signal %d",
			     json_array_size(result->transcript), result->exit_code - 128);
		return;
	case ST_JOB_TIMED_OUT:
		st_reply_end(out, ST_OUTCOME_FAILED, "job.timeout",
			     "the job was ended after %" PRId64 " ms, its limit", result->wall_ms);
		return;
	case ST_JOB_ABORTED:
		st_reply_end(out, ST_OUTCOME_FAILED, "job.aborted", "the job was given up%s%s",
			     result->error[0] != '\0' ? ": " : "", result->error);
		return;
	case ST_JOB_NOT_STARTED:
		break;
	}
	st_reply_end(out, ST_OUTCOME_NOT_MADE, "job.not_started", "the job did not start: %s",
		     result->error);
}

/* A job that ran is used up whatever it came to. One that failed is tried again only when it is
 * said to be repeatable: it may have done half of its work. */
static void job_answer(const json_t *with, const struct st_plan *plan,
		       const struct st_job_result *result, struct st_outcome *out)
{
	st_reply_begin(out, NULL);
	conclude(result, out);
	if (out->state == ST_OUTCOME_NOT_MADE) {
		out->retryable = true;
		return;
	}
	out->retryable = out->state == ST_OUTCOME_FAILED && plan->idempotence == ST_REPEATABLE;
	out->usage_known = true;
	out->usage = plan->bound;
	out->usage.of[ST_METER_SANDBOX_SECONDS] =
	    result->wall_ms > 0 ? (result->wall_ms + 999) / 1000 : 0;
	out->output = output_of(result);
	if (json_object_get(with, "artifacts") != NULL) {
		int rc = json_object_set_new(out->output, "artifacts", artifacts_of(result));
		assert(rc == 0);
	}
}

const struct st_kind st_kind_sandbox = {
    .name = "sandbox.job",
    .summary = "Runs commands in a box with limits on time and output.",
    .via = ST_VIA_JOB,
    .meters = ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(SANDBOX_JOBS) | ST_METER_BIT(SANDBOX_SECONDS),
    .side_effects = true,
    .idempotence = ST_UNREPEATABLE,
    .in_doubt = "Halts the run until a person says what happened; a job marked \"repeatable\" is "
		"settled at what was held and run again.",
    .check = check,
    .plan = plan,
    .job = make_job,
    .job_answer = job_answer,
};
