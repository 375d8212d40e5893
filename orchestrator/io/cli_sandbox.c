/* SPDX-License-Identifier: Apache-2.0 */
/* stint sandbox plan and stint sandbox exec: one job outside of any run, in the box that runs use.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "budgets/grant.h"
#include "orchestrator/io/cli.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/config_file.h"
#include "orchestrator/io/secrets.h"
#include "orchestrator/io/term.h"
#include "redact/redact.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job.h"
#include "sandbox/io/workdir.h"
#include "sandbox/plan.h"
#include "schemas/json.h"
#include "schemas/mem.h"

enum { SECONDS_NORMAL = 600, SECONDS_MOST = 86400, GRACE_MS = 10000, LOG_BYTES_NORMAL = 1 << 20 };

struct exec {
	const struct st_cli *cli;
	struct st_config *config;
	struct st_secrets *secrets;
	struct st_redactor *redactor;
	struct st_host *host;
	int64_t jobs; /* allowed; the job asks for one */
	int64_t seconds;
	int64_t log_bytes;
	char *workdir; /* NULL: a fresh one */
	uv_loop_t loop;
	uv_signal_t stops[2];
	struct st_job *job; /* NULL once it has ended */
	struct st_job_result result;
};

/* "METER=N": a meter of the sandbox, or one of the box's limits. */
static int set_limit(struct exec *exec, const char *text, struct st_diag *diag)
{
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : 0;
	char *end = NULL;
	errno = 0;
	long long value = equals != NULL ? strtoll(equals + 1, &end, 10) : -1;
	if (len == 0 || end == equals + 1 || *end != '\0' || errno != 0 || value < 0) {
		return st_fail(diag, ST_ERR_INVALID, "--limit %.100s is not NAME=NUMBER", text);
	}
	const struct {
		const char *name;
		int64_t *at;
		int64_t least;
		int64_t most;
	} own[] = {{"sandbox.jobs", &exec->jobs, 0, INT64_MAX},
		   {"sandbox.seconds", &exec->seconds, 0, SECONDS_MOST},
		   {"log_bytes", &exec->log_bytes, 0, ST_JOB_LOG_BYTES_MAX}};
	int64_t *at = NULL;
	int64_t least = 0;
	int64_t most = 0;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (strncmp(own[i].name, text, len) == 0 && own[i].name[len] == '\0') {
			at = own[i].at;
			least = own[i].least;
			most = own[i].most;
		}
	}
	for (const struct st_box_limit *limit = st_box_limits; limit->name != NULL; limit++) {
		if (strncmp(limit->name, text, len) == 0 && limit->name[len] == '\0') {
			char *limits = (char *)&exec->config->box.limits;
			at = (int64_t *)(void *)(limits + limit->offset);
			least = limit->least;
			most = limit->most;
		}
	}
	if (at == NULL || value < least || value > most) {
		return st_fail(diag, ST_ERR_INVALID,
			       at == NULL ? "there is no limit %.*s: sandbox.jobs, "
					    "sandbox.seconds, log_bytes, or one of the config's "
					    "\"sandbox\""
					  : "--limit %.*s is out of bounds",
			       (int)(len > 64 ? 64 : len), text);
	}
	*at = value;
	return ST_OK;
}

static int set_isolation(struct exec *exec, const char *text, struct st_diag *diag)
{
	for (int i = 0; text != NULL && i < ST_ISOLATION_COUNT; i++) {
		if (strcmp(text, st_isolation_name((enum st_isolation)i)) == 0) {
			exec->config->box.isolation = (enum st_isolation)i;
			return ST_OK;
		}
	}
	return text == NULL ? ST_OK
			    : st_fail(diag, ST_ERR_INVALID, "--isolation is full, best or none");
}

static int set_workdir(struct exec *exec, const char *path, struct st_diag *diag)
{
	char real[PATH_MAX];
	if (path == NULL) {
		return ST_OK;
	}
	if (realpath(path, real) == NULL) {
		return st_fail(diag, ST_ERR_IO, "--workdir %.200s: %s", path, strerror(errno));
	}
	exec->workdir = st_strdup(real);
	return ST_OK;
}

static int prepare(struct exec *exec, struct st_diag *diag)
{
	const struct st_cli *cli = exec->cli;
	struct st_schemas *schemas = st_schemas_new();
	int rc = st_config_read(schemas, st_cli_get(cli, "config"), &exec->config, diag);
	st_schemas_free(schemas);
	if (rc == ST_OK) {
		rc = set_isolation(exec, st_cli_get(cli, "isolation"), diag);
	}
	for (size_t i = 0; rc == ST_OK && st_cli_nth(cli, "limit", i) != NULL; i++) {
		rc = set_limit(exec, st_cli_nth(cli, "limit", i), diag);
	}
	if (rc == ST_OK) {
		rc = set_workdir(exec, st_cli_get(cli, "workdir"), diag);
	}
	if (rc == ST_OK) {
		exec->redactor = st_redactor_new();
		rc = st_secrets_load(exec->config, exec->redactor, &exec->secrets, diag);
	}
	if (rc == ST_OK) {
		rc = st_redactor_build(exec->redactor, diag);
	}
	return rc == ST_OK ? st_host_new(&exec->host, diag) : rc;
}

static void release(struct exec *exec)
{
	st_host_free(exec->host);
	st_secrets_free(exec->secrets);
	st_redactor_free(exec->redactor);
	st_config_free(exec->config);
	st_free(exec->workdir);
}

static struct st_job_spec spec_of(const struct exec *exec)
{
	int64_t hard_ms = exec->seconds * 1000;
	struct st_job_spec spec = {
	    .commands = json_array(),
	    .workdir = st_strdup(exec->workdir),
	    .soft_ms = hard_ms > 2 * GRACE_MS ? hard_ms - GRACE_MS : hard_ms / 2,
	    .hard_ms = hard_ms,
	    .log_bytes_max = exec->log_bytes,
	};
	json_t *argv = json_array();
	for (int i = 0; i < exec->cli->n_args; i++) {
		(void)json_array_append_new(argv, json_string(exec->cli->args[i]));
	}
	(void)json_array_append_new(spec.commands, argv);
	return spec;
}

static void on_stop(uv_signal_t *stop, int number)
{
	const struct exec *exec = stop->data;
	(void)number;
	if (exec->job != NULL) {
		st_job_abort(exec->job, false);
	}
}

static void on_done(void *arg, struct st_job_result *result)
{
	struct exec *exec = arg;
	exec->result = *result;
	exec->job = NULL;
	for (int i = 0; i < 2; i++) {
		uv_close((uv_handle_t *)&exec->stops[i], NULL);
	}
}

/* The worst case is held in a ledger of this command's own: the same question that a run asks. */
static struct st_grant *hold(const struct exec *exec, struct st_accounts *accounts,
			     struct st_verdict *verdict)
{
	struct st_id_source ids = {.now = st_clock_now()};
	st_clock_random(ids.random, 2);
	const struct st_claim claim = {
	    .call = st_id_next(&ids), .hold = st_id_next(&ids), .attempt = 1};
	struct st_amounts asked = {0};
	struct st_chain chain;
	asked.of[ST_METER_SANDBOX_JOBS] = 1;
	asked.of[ST_METER_SANDBOX_SECONDS] = exec->seconds > 0 ? exec->seconds : 1;
	for (int scope = 0; scope < ST_SCOPE_COUNT; scope++) {
		accounts[scope].scope = (enum st_scope)scope;
		chain.of[scope] = &accounts[scope];
	}
	(void)st_accounts_open(&accounts[ST_SCOPE_RUN], ST_METER_SANDBOX_JOBS, exec->jobs);
	(void)st_accounts_open(&accounts[ST_SCOPE_RUN], ST_METER_SANDBOX_SECONDS, exec->seconds);
	return st_grant_make(&chain, &asked, &claim, verdict);
}

static void run(struct exec *exec, const struct st_grant *grant)
{
	static const int stops[2] = {SIGINT, SIGTERM};
	char base[] = "/tmp/stint-exec-XXXXXX";
	const char *workdirs[1] = {exec->workdir};
	struct st_job_spec spec = spec_of(exec);
	const struct st_box box = {
	    .loop = &exec->loop,
	    .base_dir = mkdtemp(base),
	    .redactor = exec->redactor,
	    .caps = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED},
	    .workdirs = workdirs,
	    .n_workdirs = exec->workdir != NULL ? 1 : 0,
	    .host = exec->host,
	    .options = &exec->config->box,
	};
	int rc = uv_loop_init(&exec->loop);
	assert(rc == 0);
	for (int i = 0; i < 2; i++) {
		(void)uv_signal_init(&exec->loop, &exec->stops[i]);
		exec->stops[i].data = exec;
		(void)uv_signal_start(&exec->stops[i], on_stop, stops[i]);
	}
	exec->job = st_job_start(&box, grant, &spec, on_done, exec);
	(void)uv_run(&exec->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&exec->loop);
	if (box.base_dir != NULL) {
		(void)rmdir(box.base_dir);
	}
}

static json_t *report_of(const struct exec *exec)
{
	static const char *const ends[] = {
	    [ST_JOB_EXITED] = "exited",		  [ST_JOB_SIGNALLED] = "signalled",
	    [ST_JOB_TIMED_OUT] = "timed_out",	  [ST_JOB_ABORTED] = "aborted",
	    [ST_JOB_NOT_STARTED] = "not_started",
	};
	const struct st_job_result *result = &exec->result;
	bool ran = result->end != ST_JOB_NOT_STARTED;
	json_t *report = json_pack(
	    "{s:s, s:i, s:I, s:b, s:s, s:{s:I, s:I}, s:O}", "end", ends[result->end], "exit_code",
	    result->exit_code, "wall_ms", (json_int_t)result->wall_ms, "out_of_memory",
	    result->out_of_memory, "error", result->error, "usage", "sandbox.jobs", (json_int_t)ran,
	    "sandbox.seconds", (json_int_t)(ran ? (result->wall_ms + 999) / 1000 : 0), "transcript",
	    result->transcript);
	assert(report != NULL);
	return report;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno != EINTR) {
			return false;
		}
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static int write_report(const struct exec *exec, const char *path, struct st_diag *diag)
{
	json_t *report = report_of(exec);
	st_autofree char *text = st_json_compact(report);
	json_decref(report);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write_all(fd, text, strlen(text)) && write_all(fd, "\n", 1);
	int saved = errno;
	if (fd >= 0) {
		(void)close(fd);
	}
	return done ? ST_OK
		    : st_fail(diag, ST_ERR_IO, "--report %.200s: %s", path, strerror(saved));
}

static void print_stream(const struct exec *exec, const char *name, int fd)
{
	const json_t *record = json_array_get(exec->result.transcript, 0);
	const json_t *text = json_object_get(record, name);
	if (text != NULL) {
		(void)write_all(fd, json_string_value(text), json_string_length(text));
	}
}

/* The job's own exit code, unless it is ours to say that something went wrong. */
static int tell(const struct exec *exec)
{
	struct st_diag diag = {0};
	const char *path = st_cli_get(exec->cli, "report");
	if (exec->cli->json) {
		json_t *report = report_of(exec);
		st_autofree char *text = st_json_compact(report);
		struct st_buf line = {0};
		json_decref(report);
		st_buf_addf(&line, "%s\n", text);
		(void)st_term_print(&line);
		st_buf_fini(&line);
	} else {
		print_stream(exec, "stdout", STDOUT_FILENO);
		print_stream(exec, "stderr", STDERR_FILENO);
	}
	if (path != NULL && write_report(exec, path, &diag) != ST_OK) {
		return st_cli_fail(exec->cli, &diag);
	}
	if (exec->result.error[0] != '\0' && !exec->cli->json) {
		(void)fprintf(stderr, "stint: %s\n", exec->result.error);
	}
	return exec->result.exit_code;
}

static int exec_job(struct exec *exec)
{
	st_autofree struct st_accounts *accounts =
	    st_alloc_array(ST_SCOPE_COUNT, sizeof accounts[0]);
	struct st_verdict verdict = {0};
	struct st_grant *grant = hold(exec, accounts, &verdict);
	int code = ST_EXIT_REFUSED;
	if (grant == NULL) {
		const struct st_refusal *refusal = &verdict.refused[0];
		(void)fprintf(stderr, "stint: refused: %s: limit %" PRId64 ", asked %" PRId64 "\n",
			      st_meter_name(refusal->meter), refusal->limit, refusal->asked);
	} else {
		run(exec, grant);
		code = tell(exec);
		st_job_result_fini(&exec->result);
	}
	st_grant_free(grant);
	for (int scope = 0; scope < ST_SCOPE_COUNT; scope++) {
		st_accounts_fini(&accounts[scope]);
	}
	return code;
}

static int print_plan(struct exec *exec)
{
	struct st_diag diag = {0};
	struct st_buf text = {0};
	struct st_job_plan *plan = NULL;
	struct st_job_spec spec = spec_of(exec);
	const struct st_box_options *options = &exec->config->box;
	const struct st_job_caps caps = {ST_UNLIMITED, ST_UNLIMITED, ST_UNLIMITED};
	int rc = st_job_plan_make(&spec, &caps, &plan, &diag);
	st_job_spec_fini(&spec);
	if (rc != ST_OK) {
		return st_cli_fail(exec->cli, &diag);
	}
	bool boxed = options->isolation != ST_ISOLATION_NONE && exec->host->fault[0] == '\0';
	st_buf_addf(&text, "isolation: %s%s%s\n", st_isolation_name(options->isolation),
		    exec->host->fault[0] != '\0' ? "; no box here: " : "", exec->host->fault);
	for (const struct st_box_limit *limit = st_box_limits; limit->name != NULL; limit++) {
		const char *limits = (const char *)&options->limits;
		int64_t value = *(const int64_t *)(const void *)(limits + limit->offset);
		st_buf_addf(&text, "limit: %s=%" PRId64 "\n", limit->name, value);
	}
	if (boxed) {
		struct st_scene scene;
		const char *workdir = exec->workdir != NULL ? exec->workdir : ST_SCENE_WORKDIR;
		st_job_plan_place(plan, workdir, ST_SCENE_TMP);
		st_scene_make(exec->host->paths, options, exec->workdir, &scene);
		st_scene_print(&scene, &text);
		st_scene_fini(&scene);
	}
	st_job_plan_print(plan, &text);
	st_job_plan_free(plan);
	st_autoclean struct st_clean *clean = st_redact_text(exec->redactor, text.data, text.len);
	st_buf_clear(&text);
	st_buf_add(&text, st_clean_text(clean), st_clean_len(clean));
	int code = st_term_print(&text);
	st_buf_fini(&text);
	return code;
}

static int with_exec(struct st_cli *cli, int (*act)(struct exec *exec))
{
	struct st_diag diag = {0};
	struct exec exec = {
	    .cli = cli, .jobs = 1, .seconds = SECONDS_NORMAL, .log_bytes = LOG_BYTES_NORMAL};
	int code = prepare(&exec, &diag) == ST_OK ? act(&exec) : st_cli_fail(cli, &diag);
	release(&exec);
	return code;
}

int st_cli_sandbox_exec(struct st_cli *cli)
{
	return with_exec(cli, exec_job);
}

int st_cli_sandbox_plan(struct st_cli *cli)
{
	return with_exec(cli, print_plan);
}
