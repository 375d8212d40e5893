/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.
 *
 *   daemon (loop thread) ──fork──▶ keeper ──fork, exec──▶ main ──▶ whatever it starts
 *      │  ▲   ▲                     │  ▲                   │
 *      │  │   └──── stdout, stderr ─┼──┼───────────────────┤   two pipes, one for each
 *      │  └──────── notes ──────────┘  └── exec failure ───┘   CLOEXEC pipe: errno, or its end
 *      └─────────── orders ────────▶                           notes and orders: one socket
 *
 * Why a keeper: the end of a command is "its main process ended and nothing that descends from it
 * is left". A process can leave its group, its session and its parent, and a daemon that runs many
 * jobs cannot tell whose a stray is. The keeper is the subreaper of one command only, so every
 * stray comes home to it; its rules are in keeper.c. There is one keeper for each command, so that
 * nothing a command leaves behind can reach into the next one. It is also where a later box makes
 * its namespaces, and it notices by the end of the socket that the daemon died: then it kills
 * everything and goes. The daemon is the only one who decides: commands in order, limits, aborts.
 *
 * How we learn of the end: the keeper's side of the socket closes when it exits, however it exits.
 * Only it holds that side (it closes all other descriptors first, the command gets none but 0, 1,
 * 2). That is the job of a pidfd, on any kernel, without SIGCHLD, and only ever our own pid is
 * waited for. The end of stdout is never waited for: a stray may hold the pipe. When nothing of
 * the command is left, what is in the pipes is taken, at most twice what a pipe can hold.
 *
 * One job:
 *
 *   waiting ──▶ running ──main ended──▶ sweeping ──keeper gone──▶ closing ──▶ clearing ──▶ done
 *      ▲           └────────────keeper gone──────────────────────▶  │
 *      └──────────────────next command───────────────────────────────┘
 *
 * and, whatever the state, force only grows: none ─▶ asked (TERM) ─▶ forced (KILL) ─▶ cut (the
 * keeper itself is killed, for when it does not answer).
 *
 * What is not caught until the full box: a job that runs as our own user may kill or stop its
 * keeper, or us (a stopped keeper is cut, a killed one takes the main process and its group with
 * it; strays of that command then live on), and as root it may read our memory and environment,
 * which the keeper has a copy of. Memory, processes, disk and network are not bounded, files of our
 * user can be read, a fork bomb outside the group races with the sweep, which gives up after three
 * seconds and says so.
 *
 * Cost: the keeper is a fork, so the start takes the longer the more memory the daemon uses (some
 * milliseconds for each 100 MiB, on the loop's thread), and pages that the daemon changes while a
 * command runs exist twice. A daemon that grows large wants a helper that forks for it.
 */
#include "sandbox/io/job.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redact/redact.h"
#include "sandbox/artifact.h"
#include "sandbox/io/collect.h"
#include "sandbox/io/pump.h"
#include "sandbox/io/spawn.h"
#include "sandbox/io/workdir.h"
#include "sandbox/outcome.h"
#include "sandbox/plan.h"
#include "sandbox/tail.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

enum {
	CUT_MS = 4000, /* from KILL until the keeper must have answered; it gives up after 3000 */
	COMMAND_TEXT_MAX = 4096,
	FLOOD_FACTOR = 4,
	FLOOD_BYTES_MIN = 1024 * 1024,
};

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_SWEEPING,
	JOB_CLOSING,
	JOB_CLEARING,
	JOB_DONE,
	JOB_STATE_COUNT,
};

#define TO(state) (1U << JOB_##state)
static const unsigned may_follow[JOB_STATE_COUNT] = {
    [JOB_WAITING] = TO(RUNNING) | TO(CLEARING),
    [JOB_RUNNING] = TO(SWEEPING) | TO(CLOSING),
    [JOB_SWEEPING] = TO(CLOSING),
    [JOB_CLOSING] = TO(WAITING),
    [JOB_CLEARING] = TO(DONE),
    [JOB_DONE] = 0,
};

enum force { FORCE_NONE, FORCE_ASKED, FORCE_FORCED, FORCE_CUT };

struct st_job {
	struct st_box box;
	enum job_state state;
	enum force force;
	struct st_job_plan *plan; /* NULL: there is none, see diag */
	struct st_diag diag;	  /* why the job could not be started or cleaned up */
	struct st_job_log log;
	struct st_spawned spawned;
	pid_t main_pid; /* of the running command; 0: not started yet or ended */
	struct st_pump out;
	struct st_pump err;
	uv_poll_t control;
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

static void next_command(struct st_job *job);
static void on_timer(uv_timer_t *timer);

static void move(struct st_job *job, enum job_state to)
{
	assert((may_follow[job->state] & (1U << to)) != 0);
	job->state = to;
}

static int64_t ms_since(uint64_t start_ns)
{
	return (int64_t)((uv_hrtime() - start_ns) / 1000000);
}

static struct st_job_record *record_of(struct st_job *job)
{
	assert(job->log.n_records > 0);
	return &job->log.records[job->log.n_records - 1];
}

/* Lets the timer fire when the job is `at_ms` old. */
static void arm(struct st_job *job, int64_t at_ms)
{
	int64_t left_ms = at_ms - ms_since(job->started_ns);
	uv_update_time(job->box.loop);
	(void)uv_timer_start(&job->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static bool has_process(const struct st_job *job)
{
	return job->state == JOB_RUNNING || job->state == JOB_SWEEPING;
}

/* The only place where force grows; says it to the keeper, if there is one. */
static void use_force(struct st_job *job, enum force force)
{
	if (force <= job->force) {
		return;
	}
	job->force = force;
	if (!has_process(job)) {
		return;
	}
	if (force == FORCE_CUT) {
		st_spawn_cut(&job->spawned);
	} else {
		st_spawn_tell(&job->spawned,
			      force == FORCE_ASKED ? ST_KEEPER_TERM : ST_KEEPER_KILL);
	}
}

/* A limit has passed, or the time after an order to the keeper. */
static void on_timer(uv_timer_t *timer)
{
	struct st_job *job = timer->data;
	if (job->log.cause == ST_JOB_CAUSE_NONE) {
		job->log.cause = ST_JOB_CAUSE_LIMIT;
	}
	if (job->force == FORCE_NONE) {
		use_force(job, FORCE_ASKED);
		arm(job, job->plan->hard_ms);
	} else if (job->force == FORCE_ASKED) {
		use_force(job, FORCE_FORCED);
		arm(job, ms_since(job->started_ns) + CUT_MS);
	} else {
		use_force(job, FORCE_CUT);
	}
}

void st_job_abort(struct st_job *job, bool hard)
{
	if (job->state == JOB_CLEARING || job->state == JOB_DONE) {
		return;
	}
	if (job->log.cause == ST_JOB_CAUSE_NONE) {
		job->log.cause = ST_JOB_CAUSE_ABORT;
	}
	/* Before the first command the timer stands for the start itself. */
	if (job->started_ns == 0) {
		return;
	}
	if (hard && job->force < FORCE_FORCED) {
		use_force(job, FORCE_FORCED);
		arm(job, ms_since(job->started_ns) + CUT_MS);
	} else if (job->force == FORCE_NONE) {
		int64_t kill_ms = ms_since(job->started_ns) + ST_JOB_ABORT_MS;
		use_force(job, FORCE_ASKED);
		arm(job, kill_ms < job->plan->hard_ms ? kill_ms : job->plan->hard_ms);
	}
}

static void give_harvest(struct st_job *job, struct st_job_result *result)
{
	if (job->harvest != NULL) {
		st_harvest_give(job->harvest, result);
		st_harvest_fini(job->harvest);
		st_free(job->harvest);
	}
}

/* The end: result, done, free. Runs when the last handle is closed. */
static void on_timer_closed(uv_handle_t *handle)
{
	struct st_job *job = handle->data;
	struct st_job_result result;
	move(job, JOB_DONE);
	if (job->plan == NULL) {
		st_job_outcome_not_started(job->diag.text, &result);
	} else {
		st_job_outcome(&job->log, job->wall_ms, &result);
		give_harvest(job, &result);
		if (result.error[0] == '\0' && job->diag.code != ST_OK) {
			(void)snprintf(result.error, sizeof result.error, "%s", job->diag.text);
		}
		st_job_log_fini(&job->log);
	}
	st_job_plan_free(job->plan);
	st_free(job->fresh_dir);
	if (job->stdin_fd >= 0) {
		(void)close(job->stdin_fd);
	}
	if (job->dir_fd >= 0) {
		(void)close(job->dir_fd);
	}
	void (*done)(void *, struct st_job_result *) = job->done;
	void *arg = job->arg;
	st_free(job);
	done(arg, &result);
}

/* On a worker thread: takes out the files that are kept, then removes the directory. */
static void clear_dir(uv_work_t *work)
{
	struct st_job *job = work->data;
	if (job->harvest != NULL) {
		st_collect(job->dir_fd, job->plan->artifacts, job->plan->n_artifacts, job->harvest);
	}
	if (job->fresh_dir != NULL) {
		(void)st_workdir_remove(job->fresh_dir, &job->diag);
	}
}

static void on_cleared(uv_work_t *work, int status)
{
	struct st_job *job = work->data;
	(void)status;
	uv_close((uv_handle_t *)&job->timer, on_timer_closed);
}

/* Files are kept of a job that ran, whatever it came to. */
static void start_harvest(struct st_job *job)
{
	bool ran =
	    job->log.n_records > 1 ||
	    (job->log.n_records == 1 && job->log.records[0].status != ST_JOB_STATUS_NOT_STARTED);
	if (ran && job->plan->artifacts != NULL) {
		job->harvest = st_alloc(sizeof *job->harvest);
		st_harvest_init(job->harvest, &job->plan->artifact_caps, job->box.redactor);
	}
}

/* No command follows. The work directory may be large, so a worker thread goes through it. */
static void finish(struct st_job *job)
{
	move(job, JOB_CLEARING);
	job->wall_ms = job->started_ns == 0 ? 0 : ms_since(job->started_ns);
	(void)uv_timer_stop(&job->timer);
	job->clearing.data = job;
	start_harvest(job);
	if (job->fresh_dir == NULL && job->harvest == NULL) {
		on_cleared(&job->clearing, 0);
	} else if (uv_queue_work(job->box.loop, &job->clearing, clear_dir, on_cleared) != 0) {
		clear_dir(&job->clearing);
		on_cleared(&job->clearing, 0);
	}
}

static void on_command_handle_closed(uv_handle_t *handle)
{
	/* The pumps keep their own address in data; the job is found through the loop's handle. */
	struct st_job *job = handle->data;
	assert(job->n_closing > 0);
	if (--job->n_closing > 0) {
		return;
	}
	st_spawn_close(&job->spawned);
	st_job_log_trim(&job->log, job->plan->log_bytes);
	move(job, JOB_WAITING);
	next_command(job);
}

static void close_pump(struct st_job *job, struct st_pump *pump)
{
	st_pump_finish(pump);
	st_pump_close(pump, on_command_handle_closed);
	pump->poll.data = job;
	pump->pause.data = job;
	job->n_closing += 2;
}

/* The keeper is gone and with it all of the command's processes. */
static void end_command(struct st_job *job)
{
	struct st_job_record *record = record_of(job);
	if (job->state == JOB_RUNNING && record->error[0] == '\0') {
		/* It never told how the main process ended, so it was killed. PDEATHSIG takes the
		 * main process; this takes its group, whose number is still held by that process
		 * or by its zombie, which init has hardly seen yet. */
		if (job->main_pid > 1) {
			(void)kill(-job->main_pid, SIGKILL);
		}
		record->status = ST_JOB_STATUS_SIGNALLED;
		record->value = SIGKILL;
		(void)snprintf(record->signal, sizeof record->signal, "SIGKILL");
		record->cause =
		    job->log.cause != ST_JOB_CAUSE_NONE ? job->log.cause : ST_JOB_CAUSE_LOST;
		record->wall_ms = ms_since(job->command_ns);
	}
	job->log.leftover = job->log.leftover || job->force == FORCE_CUT;
	job->main_pid = 0;
	st_spawn_reap(&job->spawned);
	move(job, JOB_CLOSING);
	close_pump(job, &job->out);
	close_pump(job, &job->err);
	job->n_closing++;
	uv_close((uv_handle_t *)&job->control, on_command_handle_closed);
}

static void note_not_started(struct st_job_record *record, const struct st_keeper_note *note)
{
	static const char *const stages[] = {
	    [ST_KEEPER_STAGE_FORK] = "no process",
	    [ST_KEEPER_STAGE_SETUP] = "session or limits",
	    [ST_KEEPER_STAGE_WORKDIR] = "work directory",
	    [ST_KEEPER_STAGE_EXEC] = "program",
	};
	assert(note->stage >= 0 && note->stage <= ST_KEEPER_STAGE_EXEC);
	record->status = ST_JOB_STATUS_NOT_STARTED;
	record->value = note->value;
	(void)snprintf(record->error, sizeof record->error, "%s: %s", stages[note->stage],
		       strerror(note->value));
}

/* The main process ended: this is the moment that decides between its own end and a limit. */
static void note_ended(struct st_job *job, const struct st_keeper_note *note)
{
	struct st_job_record *record = record_of(job);
	record->value = note->value;
	record->wall_ms = ms_since(job->command_ns);
	record->cause = job->log.cause;
	record->status = ST_JOB_STATUS_EXITED;
	if (note->kind == ST_KEEPER_SIGNALLED) {
		const char *name = sigabbrev_np(note->value);
		record->status = ST_JOB_STATUS_SIGNALLED;
		if (name != NULL) {
			(void)snprintf(record->signal, sizeof record->signal, "SIG%s", name);
		} else {
			(void)snprintf(record->signal, sizeof record->signal, "SIG%d", note->value);
		}
	}
	job->main_pid = 0;
	move(job, JOB_SWEEPING);
}

static void on_note(struct st_job *job, const struct st_keeper_note *note)
{
	switch (note->kind) {
	case ST_KEEPER_NOT_STARTED:
		note_not_started(record_of(job), note);
		return;
	case ST_KEEPER_STARTED:
		job->main_pid = note->value;
		return;
	case ST_KEEPER_EXITED:
	case ST_KEEPER_SIGNALLED:
		note_ended(job, note);
		return;
	case ST_KEEPER_EMPTY:
		job->log.leftover = job->log.leftover || note->value != 0;
		return;
	default:
		assert(false);
	}
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct st_job *job = poll->data;
	(void)status;
	(void)events;
	for (;;) {
		struct st_keeper_note note;
		ssize_t n = recv(job->spawned.control_fd, &note, sizeof note, MSG_DONTWAIT);
		if (n == (ssize_t)sizeof note) {
			on_note(job, &note);
		} else if (n < 0 && errno == EAGAIN) {
			return;
		} else if (n == 0 || (errno != EINTR && errno != ECONNRESET)) {
			/* ECONNRESET only says that an order was not read; notes may follow. */
			end_command(job);
			return;
		}
	}
}

/* The command as people see it: each argument redacted, then quoted, then the whole once more, for
 * rules that look at an option and its value together. */
static char *command_text(const struct st_job *job, const struct st_job_command *command)
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

static struct st_job_record *new_record(struct st_job *job)
{
	const struct st_job_command *command = &job->plan->commands[job->log.n_records];
	struct st_job_record *record = st_job_log_next(&job->log);
	record->command = command_text(job, command);
	record->started_ms = ms_since(job->started_ns);
	st_tail_init(&record->out, job->plan->log_bytes);
	st_tail_init(&record->err, job->plan->log_bytes);
	int64_t flood_bytes = FLOOD_BYTES_MIN + FLOOD_FACTOR * (int64_t)job->plan->log_bytes;
	job->out.tail = &record->out;
	job->out.seen = &record->out_bytes;
	job->out.flood_bytes = flood_bytes;
	job->err.tail = &record->err;
	job->err.seen = &record->err_bytes;
	job->err.flood_bytes = flood_bytes;
	return record;
}

/* Starts the processes and the handles of the command. Fresh descriptors of known kinds: libuv can
 * only refuse them for want of memory, and then it stops us. */
static int start_command(struct st_job *job, struct st_diag *diag)
{
	size_t command = job->log.n_records - 1;
	int rc = st_spawn(job->plan, command, job->stdin_fd, &job->spawned, diag);
	if (rc < 0) {
		return rc;
	}
	uv_loop_t *loop = job->box.loop;
	rc = st_pump_start(&job->out, loop, job->spawned.stdout_fd, job->box.redactor);
	assert(rc == 0);
	rc = st_pump_start(&job->err, loop, job->spawned.stderr_fd, job->box.redactor);
	assert(rc == 0);
	rc = uv_poll_init(loop, &job->control, job->spawned.control_fd);
	assert(rc == 0);
	job->control.data = job;
	rc = uv_poll_start(&job->control, UV_READABLE | UV_DISCONNECT, on_control);
	assert(rc == 0);
	return ST_OK;
}

static void next_command(struct st_job *job)
{
	if (!st_job_log_goes_on(&job->log)) {
		finish(job);
		return;
	}
	struct st_job_record *record = new_record(job);
	struct st_diag diag = {0};
	job->command_ns = uv_hrtime();
	if (start_command(job, &diag) < 0) {
		record->status = ST_JOB_STATUS_NOT_STARTED;
		record->value = EAGAIN;
		(void)snprintf(record->error, sizeof record->error, "%.120s", diag.text);
		finish(job);
		return;
	}
	move(job, JOB_RUNNING);
}

/* First turn of the loop after st_job_start. */
static void on_begin(uv_timer_t *timer)
{
	struct st_job *job = timer->data;
	if (job->plan == NULL) {
		finish(job);
		return;
	}
	job->started_ns = uv_hrtime();
	arm(job, job->plan->soft_ms);
	next_command(job);
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

/* Makes everything that the first command needs. */
static int prepare(struct st_job *job, const struct st_job_spec *spec)
{
	struct st_job_plan *plan = NULL;
	int rc = st_job_plan_make(spec, &job->box.caps, &plan, &job->diag);
	if (rc < 0) {
		return rc;
	}
	if (spec->stdin_text != NULL && spec->stdin_text[0] != '\0') {
		rc = st_spawn_stdin(spec->stdin_text, strlen(spec->stdin_text), &job->stdin_fd,
				    &job->diag);
	}
	if (rc == ST_OK && plan->workdir == NULL) {
		rc = st_workdir_make(job->box.base_dir, &job->fresh_dir, &job->diag);
	}
	if (rc == ST_OK && job->fresh_dir == NULL) {
		rc = use_given_dir(job, plan);
	}
	if (rc < 0) {
		st_job_plan_free(plan);
		return rc;
	}
	st_job_plan_place(plan, job->fresh_dir != NULL ? job->fresh_dir : plan->workdir);
	/* Now, because the job may put something else in its place. Where there is no such
	 * directory no command starts, and nothing is looked for. */
	job->dir_fd = plan->artifacts != NULL ? st_workdir_open(plan->workdir) : -1;
	st_job_log_init(&job->log, plan->n_commands);
	job->plan = plan;
	return ST_OK;
}

struct st_job *st_job_start(const struct st_box *box, const struct st_grant *grant,
			    struct st_job_spec *spec,
			    void (*done)(void *arg, struct st_job_result *result), void *arg)
{
	assert(grant != NULL);
	assert(done != NULL);
	assert(box->redactor != NULL);
	struct st_job *job = st_alloc(sizeof *job);
	job->box = *box;
	job->state = JOB_WAITING;
	job->stdin_fd = -1;
	job->dir_fd = -1;
	job->spawned = (struct st_spawned){0, -1, -1, -1};
	job->done = done;
	job->arg = arg;
	if (prepare(job, spec) < 0 && job->diag.pointer[0] != '\0') {
		(void)st_fail_wrap(&job->diag, "%s", job->diag.pointer);
	}
	st_job_spec_fini(spec);
	(void)uv_timer_init(box->loop, &job->timer);
	job->timer.data = job;
	(void)uv_timer_start(&job->timer, on_begin, 0, 0);
	return job;
}
