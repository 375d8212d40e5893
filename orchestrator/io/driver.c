/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/driver.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "budgets/grant.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/log.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job.h"
#include "sandbox/io/workdir.h"
#include "schemas/mem.h"
#include "steps/io/git.h"
#include "steps/io/http.h"
#include "steps/io/workspace.h"
#include "steps/kind.h"
#include "steps/template.h"

#define BUCKETS 1024

/* One call in flight. */
struct flight {
	struct st_driver *driver;
	struct st_effect_call call;
	json_t *params; /* with the secrets filled in; gone with the flight */
	uint64_t started_ns;
	struct st_http_call *http;
	struct st_job *job;
	struct st_git_call *git;
	char *shared;		    /* the workspace that its job works in, or NULL */
	const char *shared_dirs[1]; /* the same, for the box */
	struct flight *next;	    /* in its bucket */
};

/* A workspace that is to go. */
struct leaving {
	struct st_driver *driver;
	struct st_id run;
	char *path;
	uv_work_t job;
	bool started;
	struct st_diag diag;
	struct leaving *next;
};

struct st_driver {
	struct st_driver_options options;
	struct st_http_client *http;
	struct st_box box;
	struct st_host *host;
	struct st_git *git;
	struct flight *flights[BUCKETS]; /* by call number */
	size_t n_flights;
	struct leaving *leaving;
	bool closing;
	bool http_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

void st_effect_call_fini(struct st_effect_call *effect)
{
	st_grant_free(effect->grant);
	st_free(effect->plan);
	json_decref(effect->params);
	*effect = (struct st_effect_call){0};
}

int st_driver_new(const struct st_driver_options *options, struct st_driver **out,
		  struct st_diag *diag)
{
	const struct st_config *config = options->config;
	const struct st_http_options http = {
	    .calls_max = config->calls_max,
	    .allow = (const char *const *)config->outgoing_allow,
	    .n_allow = config->n_outgoing_allow,
	    .user_agent = "stint/" ST_VERSION,
	    .record_path = options->record_path,
	};
	struct st_driver *driver = st_alloc(sizeof *driver);
	driver->options = *options;
	driver->box = (struct st_box){
	    .loop = options->loop,
	    .base_dir = options->work_dir,
	    .redactor = options->redactor,
	    .caps = {.job_seconds = ST_UNLIMITED,
		     .log_bytes = ST_UNLIMITED,
		     .concurrent = ST_UNLIMITED},
	    .workdirs = (const char *const *)config->workdirs,
	    .n_workdirs = config->n_workdirs,
	    .options = &config->box,
	};
	int err = st_host_new(&driver->host, diag);
	driver->box.host = driver->host;
	const struct st_git_settings git = {
	    .loop = options->loop,
	    .base_dir = options->work_dir,
	    .options = &config->git,
	    .allow = (const char *const *)config->outgoing_allow,
	    .n_allow = config->n_outgoing_allow,
	    .user_agent = http.user_agent,
	};
	if (err == ST_OK) {
		err = st_git_new(&git, &driver->git, diag);
	}
	if (err == ST_OK) {
		err = st_http_client_new(options->loop, &http, &driver->http, diag);
	}
	if (err != ST_OK) {
		st_git_free(driver->git);
		st_host_free(driver->host);
		st_free(driver);
		return err;
	}
	*out = driver;
	return ST_OK;
}

static struct flight **bucket_of(struct st_driver *driver, int64_t call_no)
{
	return &driver->flights[(uint64_t)call_no % BUCKETS];
}

/* Jobs end in their own time: the driver goes with the last of its flights. */
static void free_driver_if_closed(struct st_driver *driver)
{
	if (!driver->http_closed || driver->n_flights > 0 || driver->leaving != NULL) {
		return;
	}
	void (*closed)(void *) = driver->closed;
	void *closed_arg = driver->closed_arg;
	st_git_free(driver->git);
	st_host_free(driver->host);
	st_free(driver);
	closed(closed_arg);
}

static void clear_workspace(uv_work_t *job)
{
	struct leaving *leaving = job->data;
	(void)st_workdir_remove(leaving->path, &leaving->diag);
}

static void on_workspace_cleared(uv_work_t *job, int status)
{
	struct leaving *leaving = job->data;
	struct st_driver *driver = leaving->driver;
	struct leaving **at = &driver->leaving;
	(void)status;
	while (*at != leaving) {
		at = &(*at)->next;
	}
	*at = leaving->next;
	if (leaving->diag.code != ST_OK) {
		st_log(ST_LOG_WARNING, "workspace.left", "%s", leaving->diag.text);
	}
	st_free(leaving->path);
	st_free(leaving);
	free_driver_if_closed(driver);
}

static bool is_in_flight(const struct st_driver *driver, struct st_id run)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct flight *f = driver->flights[i]; f != NULL; f = f->next) {
			if (st_id_equal(f->call.run, run)) {
				return true;
			}
		}
	}
	return false;
}

static void clear_workspaces(struct st_driver *driver)
{
	for (struct leaving *l = driver->leaving; l != NULL; l = l->next) {
		if (!l->started && !is_in_flight(driver, l->run)) {
			l->started = true;
			l->job.data = l;
			int rc = uv_queue_work(driver->options.loop, &l->job, clear_workspace,
					       on_workspace_cleared);
			assert(rc == 0);
		}
	}
}

void st_driver_run_over(struct st_driver *driver, struct st_id run, bool succeeded)
{
	enum st_keep keep = driver->options.config->git.keep;
	char text[ST_ID_TEXT_MAX];
	if (keep == ST_KEEP_ALWAYS || (keep == ST_KEEP_FAILED && !succeeded)) {
		return;
	}
	char *path =
	    st_workspace_path(driver->options.work_dir, st_id_format(run, ST_ID_RUN, text));
	if (access(path, F_OK) != 0) {
		st_free(path);
		return;
	}
	struct leaving *leaving = st_alloc(sizeof *leaving);
	leaving->driver = driver;
	leaving->run = run;
	leaving->path = path;
	leaving->next = driver->leaving;
	driver->leaving = leaving;
	clear_workspaces(driver);
}

static void free_flight(struct flight *flight)
{
	struct st_driver *driver = flight->driver;
	struct flight **at = bucket_of(driver, flight->call.call_no);
	while (*at != flight) {
		at = &(*at)->next;
	}
	*at = flight->next;
	driver->n_flights--;
	json_decref(flight->params);
	st_free(flight->shared);
	st_effect_call_fini(&flight->call);
	st_free(flight);
	clear_workspaces(driver);
	free_driver_if_closed(driver);
}

/* Tells the core how the call ended, and forgets it. */
static void tell_end(struct flight *flight, struct st_outcome *outcome, struct st_event *event)
{
	struct st_driver *driver = flight->driver;
	event->type = ST_EVENT_CALL_ENDED;
	event->run = flight->call.run;
	event->ended.call_no = flight->call.call_no;
	event->ended.outcome = outcome;
	if (!driver->closing) {
		driver->options.ended(driver->options.arg, event);
	}
	st_outcome_fini(outcome);
	free_flight(flight);
}

/* Nothing left the house: what kept it, in words. */
static void tell_not_made(struct flight *flight, const struct st_diag *diag)
{
	struct st_outcome outcome = {
	    .state = ST_OUTCOME_NOT_MADE, .retry_after_ms = -1, .model = {-1, -1, -1, -1, -1}};
	struct st_event event = {
	    .ended = {.wall_ms = -1, .first_byte_ms = -1, .status = -1},
	};
	(void)snprintf(outcome.error_code, sizeof outcome.error_code, "call.not_made");
	(void)snprintf(outcome.error, sizeof outcome.error, "%s", diag->text);
	tell_end(flight, &outcome, &event);
}

static void tell_counted(struct flight *flight, const struct st_http_response *response)
{
	struct st_driver *driver = flight->driver;
	struct st_event event = {.type = ST_EVENT_COUNTED, .run = flight->call.run};
	event.counted.call_no = flight->call.call_no;
	if (flight->call.kind->count_answer(flight->params, driver->options.config, response,
					    &event.counted.input_tokens) != ST_OK) {
		event.counted.input_tokens = -1;
	}
	if (!driver->closing) {
		driver->options.ended(driver->options.arg, &event);
	}
	free_flight(flight);
}

static void on_response(void *arg, struct st_http_response *response)
{
	struct flight *flight = arg;
	if (flight->call.count) {
		tell_counted(flight, response);
		st_http_response_fini(response);
		return;
	}
	struct st_outcome outcome = {0};
	struct st_event event = {
	    .ended = {.wall_ms = response->total_ms,
		      .first_byte_ms = response->first_byte_ms,
		      .status = response->status > 0 ? response->status : -1},
	};
	flight->call.kind->answer(flight->params, flight->call.plan, flight->driver->options.config,
				  response, &outcome);
	outcome.replayed = response->replayed;
	st_http_response_fini(response);
	tell_end(flight, &outcome, &event);
}

static void send_http(struct flight *flight)
{
	struct st_driver *driver = flight->driver;
	const struct st_kind *kind = flight->call.kind;
	char key[ST_GRANT_KEY_MAX];
	char run[ST_ID_TEXT_MAX];
	char provider[ST_NAME_MAX];
	const char *name = kind->provider != NULL ? kind->provider(flight->params, provider) : NULL;
	const struct st_call_context context = {
	    .config = driver->options.config,
	    .idempotency_key = st_grant_key(flight->call.grant, key),
	    .provider_key =
		name != NULL ? st_secrets_provider_key(driver->options.secrets, name) : NULL,
	    .run_id = st_id_format(flight->call.run, ST_ID_RUN, run),
	    .step_id = flight->call.step,
	    .step_timeout_ms = flight->call.step_timeout_ms,
	};
	struct st_http_request request = {0};
	struct st_diag diag = {0};
	int err = flight->call.count
		      ? kind->count_request(flight->params, &context, &request, &diag)
		      : kind->request(flight->params, flight->call.plan, &context, &request, &diag);
	if (err != ST_OK) {
		st_http_request_fini(&request);
		tell_not_made(flight, &diag);
		return;
	}
	flight->http =
	    st_http_send(driver->http, flight->call.grant, &request, on_response, flight);
}

static void on_job_end(void *arg, struct st_job_result *result)
{
	struct flight *flight = arg;
	struct st_outcome outcome = {0};
	struct st_event event = {
	    .ended = {.transcript = result->transcript,
		      .artifacts = result->artifacts,
		      .n_artifacts = result->n_artifacts,
		      .wall_ms = result->wall_ms,
		      .first_byte_ms = -1,
		      .status = result->end == ST_JOB_NOT_STARTED ? -1 : result->exit_code},
	};
	flight->call.kind->job_answer(flight->params, flight->call.plan, result, &outcome);
	tell_end(flight, &outcome, &event);
	st_job_result_fini(result);
}

/* "run", and "run/NAME" for one clone: the files that the run's steps share. The box finds that
 * directory allowed, and looks where the path really leads. */
static int share_files(struct flight *flight, struct st_box *box, struct st_job_spec *spec,
		       struct st_diag *diag)
{
	char run[ST_ID_TEXT_MAX];
	char *space = NULL;
	if (spec->workdir == NULL || spec->workdir[0] == '/') {
		return ST_OK;
	}
	int err = st_workspace_make(flight->driver->options.work_dir,
				    st_id_format(flight->call.run, ST_ID_RUN, run), &space, diag);
	if (err != ST_OK) {
		return err;
	}
	struct st_buf files = {0};
	struct st_buf path = {0};
	st_buf_addf(&files, "%s/files", space);
	st_buf_addf(&path, "%s%s", files.data, spec->workdir + strlen("run"));
	st_free(space);
	st_free(spec->workdir);
	spec->workdir = st_buf_take(&path);
	flight->shared = st_buf_take(&files);
	flight->shared_dirs[0] = flight->shared;
	box->workdirs = flight->shared_dirs;
	box->n_workdirs = 1;
	return ST_OK;
}

static void start_job(struct flight *flight)
{
	struct st_box box = flight->driver->box;
	struct st_job_spec spec = {0};
	struct st_diag diag = {0};
	if (flight->call.kind->job(flight->params, flight->call.plan, &spec, &diag) != ST_OK ||
	    share_files(flight, &box, &spec, &diag) != ST_OK) {
		st_job_spec_fini(&spec);
		tell_not_made(flight, &diag);
		return;
	}
	flight->job = st_job_start(&box, flight->call.grant, &spec, on_job_end, flight);
}

static void on_git_end(void *arg, struct st_git_result *result)
{
	struct flight *flight = arg;
	struct st_outcome outcome = {0};
	struct st_event event = {
	    .ended = {.wall_ms = result->wall_ms, .first_byte_ms = -1, .status = -1},
	};
	flight->call.kind->git_answer(flight->params, flight->call.plan, result, &outcome);
	st_buf_fini(&result->text);
	tell_end(flight, &outcome, &event);
}

static void start_git(struct flight *flight)
{
	char key[ST_GRANT_KEY_MAX];
	char run[ST_ID_TEXT_MAX];
	struct st_git_spec spec;
	struct st_diag diag = {0};
	const struct st_git_about about = {
	    .run = st_id_format(flight->call.run, ST_ID_RUN, run),
	    .step = flight->call.step,
	    .key = st_grant_key(flight->call.grant, key),
	    .at_seconds = st_clock_now() / 1000,
	    .again = flight->call.again,
	    .done = on_git_end,
	    .arg = flight,
	};
	if (flight->call.kind->git(flight->params, flight->call.plan, &spec, &diag) != ST_OK) {
		tell_not_made(flight, &diag);
		return;
	}
	flight->git = st_git_start(flight->driver->git, flight->call.grant, &spec, &about);
}

static void do_nothing(struct flight *flight)
{
	struct st_outcome outcome = {0};
	struct st_event event = {
	    .ended = {.wall_ms = -1, .first_byte_ms = -1, .status = -1},
	};
	flight->call.kind->answer(flight->params, flight->call.plan, flight->driver->options.config,
				  NULL, &outcome);
	tell_end(flight, &outcome, &event);
}

static bool fill_secrets(struct flight *flight, struct st_diag *diag)
{
	const struct st_secret_source source = {.resolve = st_secrets_get,
						.arg = flight->driver->options.secrets};
	if (!st_template_has_secrets(flight->call.params)) {
		flight->params = json_incref(flight->call.params);
		return true;
	}
	return st_template_fill(flight->call.params, &source, &flight->params, diag) == ST_OK;
}

void st_driver_call(struct st_driver *driver, struct st_effect_call *effect)
{
	struct flight *flight = st_alloc(sizeof *flight);
	struct flight **bucket = bucket_of(driver, effect->call_no);
	struct st_diag diag = {0};
	assert(effect->grant != NULL);
	flight->driver = driver;
	flight->call = *effect;
	*effect = (struct st_effect_call){0};
	flight->next = *bucket;
	*bucket = flight;
	driver->n_flights++;
	if (!fill_secrets(flight, &diag)) {
		tell_not_made(flight, &diag);
		return;
	}
	switch (flight->call.kind->via) {
	case ST_VIA_HTTP:
		send_http(flight);
		return;
	case ST_VIA_JOB:
		start_job(flight);
		return;
	case ST_VIA_GIT:
		start_git(flight);
		return;
	case ST_VIA_NOTHING:
		do_nothing(flight);
		return;
	case ST_VIA_TIMER:
	case ST_VIA_PERSON:
	case ST_VIA_CLIENT:
		assert(false && "the core keeps these to itself");
	}
}

void st_driver_abort(struct st_driver *driver, int64_t call_no)
{
	for (struct flight *f = *bucket_of(driver, call_no); f != NULL; f = f->next) {
		if (f->call.call_no != call_no) {
			continue;
		}
		if (f->http != NULL) {
			st_http_abort(f->http);
		} else if (f->job != NULL) {
			st_job_abort(f->job, false);
		} else if (f->git != NULL) {
			st_git_abort(f->git);
		}
		return;
	}
}

static void on_http_closed(void *arg)
{
	struct st_driver *driver = arg;
	driver->http_closed = true;
	free_driver_if_closed(driver);
}

void st_driver_close(struct st_driver *driver, void (*closed)(void *arg), void *arg)
{
	driver->closing = true;
	driver->closed = closed;
	driver->closed_arg = arg;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct flight *f = driver->flights[i]; f != NULL; f = f->next) {
			if (f->job != NULL) {
				st_job_abort(f->job, true);
			} else if (f->git != NULL) {
				st_git_abort(f->git);
			}
		}
	}
	st_http_client_close(driver->http, on_http_closed, driver);
}
