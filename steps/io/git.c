/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/git.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/io/git_work.h"
#include "steps/io/workspace.h"

/* The pool has four threads, and others need it, too. */
#define RUNNING_MAX 2
#define OBJECT_BYTES_MAX ((size_t)128 << 20)

struct st_git_call {
	struct st_git *git;
	struct st_git_work work;
	uv_work_t job;
	bool running;
	uint64_t began_ns;
	void (*done)(void *arg, struct st_git_result *result);
	void *arg;
	struct st_git_call *next;
};

struct st_git {
	struct st_git_settings settings;
	struct st_guard *guard;
	struct st_git_call *calls; /* oldest first, those that run among them */
	size_t n_running;
	bool initialised; /* libgit2 was asked to start, with the first call */
	bool ready;
};

/* ---- libgit2 for the whole process ---- */

/* A config of the machine could name programs, proxies, other URLs. There is none for us. */
static bool forget_machine(void)
{
	static const git_config_level_t levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA,
						    GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
						    GIT_CONFIG_LEVEL_GLOBAL};
	bool ok = true;
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		ok = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "") == 0 && ok;
	}
	ok = git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "") == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1) == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1) == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1) == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)16 << 20) == 0 && ok;
	ok = git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, OBJECT_BYTES_MAX) == 0 && ok;
	return ok;
}

int st_git_new(const struct st_git_settings *settings, struct st_git **out, struct st_diag *diag)
{
	struct st_git *git = st_alloc(sizeof *git);
	git->settings = *settings;
	int rc = st_guard_new(settings->allow, settings->n_allow, &git->guard, diag);
	if (rc != ST_OK) {
		st_free(git);
		return rc;
	}
	*out = git;
	return ST_OK;
}

void st_git_free(struct st_git *git)
{
	if (git == NULL) {
		return;
	}
	assert(git->calls == NULL);
	if (git->initialised) {
		(void)git_libgit2_shutdown();
	}
	st_guard_free(git->guard);
	st_free(git);
}

/* ---- failures ---- */

int st_git_refuse(struct st_git_work *work, const char *code, const char *format, ...)
{
	struct st_git_result *result = &work->result;
	if (result->code[0] == '\0') {
		va_list args;
		va_start(args, format);
		(void)vsnprintf(result->error, sizeof result->error, format, args);
		va_end(args);
		(void)snprintf(result->code, sizeof result->code, "%s", code);
	}
	return -1;
}

int st_git_failed(struct st_git_work *work, const char *what)
{
	const git_error *error = git_error_last();
	return st_git_refuse(work, "git.failed", "%s: %s", what,
			     error != NULL && error->message != NULL ? error->message
								     : "libgit2 says no more");
}

bool st_git_stopped(struct st_git_work *work)
{
	if (atomic_load(&work->cancelled)) {
		(void)st_git_refuse(work, "git.cancelled", "it was given up");
		return true;
	}
	if (uv_hrtime() > work->deadline_ns) {
		work->result.retryable = true;
		(void)st_git_refuse(work, "git.timeout", "it took longer than %lld ms, its limit",
				    (long long)work->spec.timeout_ms);
		return true;
	}
	return false;
}

/* ---- a call ---- */

static int act(struct st_git_work *work)
{
	switch (work->spec.op) {
	case ST_GIT_OP_CLONE:
		return st_git_clone(work);
	case ST_GIT_OP_BRANCH:
		return st_git_branch(work);
	case ST_GIT_OP_COMMIT:
		return st_git_commit(work);
	case ST_GIT_OP_PUSH:
		return st_git_push(work);
	case ST_GIT_OP_DIFF:
		return st_git_diff(work);
	case ST_GIT_OP_COUNT:
		break;
	}
	assert(false && "no such operation");
	return -1;
}

static void conclude(struct st_git_work *work, int rc)
{
	struct st_git_result *result = &work->result;
	if (rc == 0) {
		result->end = ST_GIT_DONE;
		result->code[0] = '\0';
		result->error[0] = '\0';
	} else if (work->pushing) {
		result->end = ST_GIT_UNKNOWN;
		result->retryable = true;
	} else {
		bool net = strcmp(result->code, "git.network") == 0 ||
			   strcmp(result->code, "git.guard") == 0;
		result->end = net && !work->asked ? ST_GIT_NOT_MADE : ST_GIT_FAILED;
	}
	/* What a server says may hold anything. */
	for (char *p = result->error; *p != '\0'; p++) {
		*p = (char)((unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
	}
}

static void run(uv_work_t *job)
{
	struct st_git_call *call = job->data;
	struct st_git_work *work = &call->work;
	struct st_diag diag = {0};
	int rc = st_git_stopped(work) ? -1 : 0;
	if (rc == 0 && !call->git->ready) {
		rc = st_git_refuse(work, "git.io", "libgit2 cannot be set up");
	}
	if (rc == 0 && st_workspace_make(call->git->settings.base_dir, work->run, &work->space,
					 &diag) != ST_OK) {
		rc = st_git_refuse(work, "git.io", "%s", diag.text);
	}
	if (rc == 0) {
		struct st_buf path = {0};
		st_buf_addf(&path, "%s/git/%s", work->space, work->spec.into);
		work->git_dir = st_buf_take(&path);
		work->space_fd = open(work->space, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc =
		    work->space_fd >= 0 ? act(work) : st_git_refuse(work, "git.io", "no workspace");
	}
	if (rc != 0 && work->result.code[0] == '\0') {
		(void)st_git_failed(work, "git");
	}
	git_repository_free(work->repo);
	if (work->space_fd >= 0) {
		(void)close(work->space_fd);
	}
	conclude(work, rc);
}

static void start_some(struct st_git *git);

static void on_ran(uv_work_t *job, int status)
{
	struct st_git_call *call = job->data;
	struct st_git *git = call->git;
	struct st_git_call **at = &git->calls;
	assert(status == 0);
	while (*at != call) {
		at = &(*at)->next;
	}
	*at = call->next;
	git->n_running--;
	call->work.result.wall_ms = (int64_t)((uv_hrtime() - call->began_ns) / 1000000);
	/* First, because git may be gone when done returns. */
	start_some(git);
	call->done(call->arg, &call->work.result);
	st_free(call->work.space);
	st_free(call->work.git_dir);
	st_free(call);
}

static bool may_run(const struct st_git *git, const struct st_git_call *call)
{
	for (const struct st_git_call *c = git->calls; c != call; c = c->next) {
		if (strcmp(c->work.run, call->work.run) == 0) {
			return false; /* one after the other in one workspace */
		}
	}
	return true;
}

static void start_some(struct st_git *git)
{
	for (struct st_git_call *c = git->calls; c != NULL && git->n_running < RUNNING_MAX;
	     c = c->next) {
		if (!c->running && may_run(git, c)) {
			c->running = true;
			git->n_running++;
			int rc = uv_queue_work(git->settings.loop, &c->job, run, on_ran);
			assert(rc == 0);
		}
	}
}

struct st_git_call *st_git_start(struct st_git *git, const struct st_grant *grant,
				 const struct st_git_spec *spec, const struct st_git_about *about)
{
	assert(grant != NULL);
	if (!git->initialised) { /* a daemon that makes no such call does without its memory */
		git->initialised = true;
		git->ready = git_libgit2_init() >= 0 && forget_machine();
	}
	struct st_git_call *call = st_alloc(sizeof *call);
	struct st_git_work *work = &call->work;
	call->git = git;
	call->job.data = call;
	call->done = about->done;
	call->arg = about->arg;
	call->began_ns = uv_hrtime();
	work->spec = *spec;
	work->options = git->settings.options;
	work->guard = git->guard;
	work->user_agent = git->settings.user_agent;
	work->space_fd = -1;
	work->at_seconds = about->at_seconds;
	work->again = about->again;
	work->deadline_ns = call->began_ns + (uint64_t)spec->timeout_ms * 1000000;
	(void)snprintf(work->run, sizeof work->run, "%s", about->run);
	(void)snprintf(work->step, sizeof work->step, "%s", about->step);
	(void)snprintf(work->key, sizeof work->key, "%s", about->key);
	struct st_git_call **at = &git->calls;
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = call;
	start_some(git);
	return call;
}

void st_git_abort(struct st_git_call *call)
{
	atomic_store(&call->work.cancelled, true);
}
