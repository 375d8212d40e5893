/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/outcome.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

enum { EXIT_NOT_FOUND = 127, EXIT_NOT_RUN = 126, EXIT_SIGNAL_BASE = 128 };

void st_job_log_init(struct st_job_log *log, size_t n_commands)
{
	assert(n_commands > 0);
	*log = (struct st_job_log){.n_commands = n_commands};
	log->records = st_alloc_array(n_commands, sizeof log->records[0]);
}

void st_job_log_fini(struct st_job_log *log)
{
	for (size_t i = 0; i < log->n_records; i++) {
		st_free(log->records[i].command);
		st_tail_fini(&log->records[i].out);
		st_tail_fini(&log->records[i].err);
	}
	st_free(log->records);
	json_decref(log->box);
	*log = (struct st_job_log){0};
}

struct st_job_record *st_job_log_next(struct st_job_log *log)
{
	assert(log->n_records < log->n_commands);
	return &log->records[log->n_records++];
}

static bool ended_well(const struct st_job_record *record)
{
	return record->status == ST_JOB_STATUS_EXITED && record->value == 0 &&
	       record->cause == ST_JOB_CAUSE_NONE;
}

bool st_job_log_goes_on(const struct st_job_log *log)
{
	if (log->cause != ST_JOB_CAUSE_NONE || log->n_records == log->n_commands) {
		return false;
	}
	return log->n_records == 0 || ended_well(&log->records[log->n_records - 1]);
}

void st_job_log_trim(struct st_job_log *log, size_t log_bytes)
{
	size_t n = log->n_records * 2;
	if (n == 0) {
		return;
	}
	st_autofree size_t *sizes = st_alloc_array(n, sizeof sizes[0]);
	for (size_t i = 0; i < log->n_records; i++) {
		sizes[2 * i] = st_tail_kept(&log->records[i].out);
		sizes[2 * i + 1] = st_tail_kept(&log->records[i].err);
	}
	size_t level = st_tail_level(sizes, n, log_bytes);
	for (size_t i = 0; i < log->n_records; i++) {
		if (sizes[2 * i] > level) {
			st_tail_shrink(&log->records[i].out, level);
		}
		if (sizes[2 * i + 1] > level) {
			st_tail_shrink(&log->records[i].err, level);
		}
	}
}

static json_t *text_of(const struct st_tail *tail, bool *truncated)
{
	struct st_buf text = {0};
	*truncated = st_tail_text(tail, &text) || *truncated;
	json_t *value = json_stringn(text.data, text.len);
	assert(value != NULL);
	st_buf_fini(&text);
	return value;
}

static json_t *record_json(const struct st_job_record *record)
{
	bool truncated = false;
	json_t *out = text_of(&record->out, &truncated);
	json_t *err = text_of(&record->err, &truncated);
	json_t *code = record->status == ST_JOB_STATUS_EXITED ? json_integer(record->value)
		       : record->status == ST_JOB_STATUS_SIGNALLED
			   ? json_integer(EXIT_SIGNAL_BASE + record->value)
			   : json_null();
	json_t *signal = record->signal[0] == '\0' ? json_null() : json_string(record->signal);
	json_t *value = json_pack(
	    "{s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:b}", "command",
	    record->command == NULL ? "" : record->command, "exit_code", code, "signal", signal,
	    "started_ms", (json_int_t)record->started_ms, "wall_ms", (json_int_t)record->wall_ms,
	    "cpu_ms", (json_int_t)record->cpu_ms, "stdout", out, "stderr", err, "stdout_bytes",
	    (json_int_t)record->out_bytes, "stderr_bytes", (json_int_t)record->err_bytes,
	    "truncated", truncated ? 1 : 0);
	assert(value != NULL);
	if (record->error[0] != '\0') {
		int rc = json_object_set_new(value, "error", json_string(record->error));
		assert(rc == 0);
	}
	return value;
}

static json_t *transcript(const struct st_job_log *log)
{
	json_t *list = json_array();
	assert(list != NULL);
	for (size_t i = 0; i < log->n_records; i++) {
		int rc = json_array_append_new(list, record_json(&log->records[i]));
		assert(rc == 0);
	}
	if (log->box != NULL && log->n_records > 0) {
		int rc = json_object_set(json_array_get(list, 0), "box", log->box);
		assert(rc == 0);
	}
	return list;
}

static void say(struct st_job_result *out, const char *what, const char *more)
{
	int n = snprintf(out->error, sizeof out->error, "%s%s", what, more);
	assert(n >= 0);
}

/* The end that the last record's own status stands for. */
static void end_of_status(const struct st_job_log *log, const struct st_job_record *last,
			  struct st_job_result *out)
{
	switch (last->status) {
	case ST_JOB_STATUS_EXITED:
		out->end = ST_JOB_EXITED;
		out->exit_code = last->value;
		return;
	case ST_JOB_STATUS_SIGNALLED:
		out->end = ST_JOB_SIGNALLED;
		out->exit_code = EXIT_SIGNAL_BASE + last->value;
		return;
	case ST_JOB_STATUS_NOT_STARTED:
		out->end = log->n_records == 1 ? ST_JOB_NOT_STARTED : ST_JOB_EXITED;
		out->exit_code = last->value == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
		say(out, "a command could not be started: ", last->error);
		return;
	}
	assert(false);
}

void st_job_outcome(const struct st_job_log *log, int64_t wall_ms, struct st_job_result *out)
{
	assert(log->n_records <= log->n_commands);
	*out = (struct st_job_result){.end = ST_JOB_NOT_STARTED, .wall_ms = wall_ms};
	out->transcript = transcript(log);
	enum st_job_cause cause = log->cause;
	if (log->n_records > 0) {
		const struct st_job_record *last = &log->records[log->n_records - 1];
		end_of_status(log, last, out);
		bool was_last = log->n_records == log->n_commands || !ended_well(last);
		cause = was_last ? last->cause : log->cause;
	}
	for (size_t i = 0; i < log->n_records; i++) {
		out->bytes_seen += log->records[i].out_bytes + log->records[i].err_bytes;
	}
	if (cause == ST_JOB_CAUSE_LIMIT) {
		out->end = ST_JOB_TIMED_OUT;
		say(out, "the job passed its time limit and was ended", "");
	} else if (cause == ST_JOB_CAUSE_ABORT) {
		out->end = log->n_records == 0 ? ST_JOB_NOT_STARTED : ST_JOB_ABORTED;
		say(out, "the job was aborted", "");
	} else if (cause == ST_JOB_CAUSE_LOST) {
		out->end = ST_JOB_ABORTED;
		say(out, "the job's keeper process was killed from outside", "");
	}
	out->out_of_memory =
	    log->oom_kills > 0 && (out->end != ST_JOB_EXITED || out->exit_code != 0);
	if (out->out_of_memory && cause == ST_JOB_CAUSE_NONE) {
		say(out, "the job passed its memory limit, and processes of it were killed", "");
	}
	if (log->leftover && out->error[0] == '\0') {
		say(out, "a process of the job did not end when it was killed", "");
	}
}

void st_job_outcome_not_started(const char *error, struct st_job_result *out)
{
	*out = (struct st_job_result){.end = ST_JOB_NOT_STARTED, .exit_code = EXIT_NOT_RUN};
	out->transcript = json_array();
	assert(out->transcript != NULL);
	say(out, error, "");
}
