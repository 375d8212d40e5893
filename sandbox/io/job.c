/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. docs/sandbox.md says it for people who run jobs; this is the daemon's side.
 *
 *   daemon (loop thread) ─vfork, exec─▶ keeper ─clone3─▶ process 1 of the box ─vfork, exec─▶ main
 *      │  ▲   ▲                           outside           │  ▲                           │
 *      │  │   └──── stdout, stderr: two pipes for each command ────────────────────────────┤
 *      │  └──────── notes ──────────────────────────────────┘  └─ exec failure: a pipe ────┘
 *      └─────────── orders, and the three descriptors of each command ▶   (one socket)
 *
 * Without a box the keeper itself stands where process 1 does. There is one keeper for a job; its
 * rules are in keeper/keep.c, how it makes the box in keeper/enter.c and keeper/mounts.c. It is a
 * program of its own, so nothing of our memory, environment or descriptors is in it, and starting
 * it takes as long however large we are. It notices by the end of the socket that we died: then it
 * kills everything and goes. The daemon is the only one who decides: commands in order, limits,
 * aborts.
 *
 * How we learn of the end: of a command by a note that says that nothing of it is left; of all by
 * the keeper's pidfd. The end of stdout is never waited for: a stray may hold the pipe. When
 * nothing of the command is left, what is in the pipes is taken, at most twice what a pipe can
 * hold.
 *
 * One job:
 *
 *   waiting ──▶ running ──main ended──▶ sweeping ──empty──▶ closing ──▶ leaving ──▶ clearing ──▶
 * done ▲           └──────────empty, or keeper gone──────────▶  │ └──────────────────next
 * command──────────────────────────┘
 *
 * and, whatever the state, force only grows: none ─▶ asked (TERM) ─▶ forced (KILL) ─▶ cut (without
 * the keeper's help, for when it does not answer).
 *
 * Without a box a job that runs as our own user may kill or stop its keeper, or us (a stopped
 * keeper is cut, a killed one takes the main process and its group with it; strays of that command
 * then live on). In a box it sees neither.
 */
#include "sandbox/io/job.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/io/collect.h"
#include "sandbox/io/host.h"
#include "sandbox/io/job_private.h"
#include "sandbox/io/workdir.h"
#include "schemas/mem.h"

enum {
	CUT_MS = 4000, /* from KILL until the keeper must have answered; it gives up after 3000 */
	FLOOD_FACTOR = 4,
	FLOOD_BYTES_MIN = 1024 * 1024,
};

#define TO(state) (1U << JOB_##state)
static const unsigned may_follow[JOB_STATE_COUNT] = {
    [JOB_WAITING] = TO(RUNNING) | TO(LEAVING) | TO(CLEARING),
    [JOB_RUNNING] = TO(SWEEPING) | TO(CLOSING),
    [JOB_SWEEPING] = TO(CLOSING),
    [JOB_CLOSING] = TO(WAITING),
    [JOB_LEAVING] = TO(CLEARING),
    [JOB_CLEARING] = TO(DONE),
    [JOB_DONE] = 0,
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
		st_cgroup_kill(&job->cgroup);
	} else {
		st_spawn_tell(&job->spawned,
			      force == FORCE_ASKED ? ST_KEEPER_TERM : ST_KEEPER_KILL);
	}
}

/* A limit has passed, or the time after an order to the keeper. */
static void on_timer(uv_timer_t *timer)
{
	struct st_job *job = timer->data;
	if (job->state == JOB_LEAVING) {
		st_spawn_cut(&job->spawned);
		return;
	}
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
	if (job->state >= JOB_LEAVING) {
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
	st_scene_fini(&job->scene);
	st_free(job->fresh_dir);
	if (job->order_fd >= 0) {
		(void)close(job->order_fd);
	}
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

/* On a worker thread: takes out the files that are kept, then removes the directory and the group.
 */
static void clear_dir(uv_work_t *work)
{
	struct st_job *job = work->data;
	job->log.box = st_job_box_json(job);
	st_cgroup_remove(&job->cgroup);
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

/* The work directory may be large, so a worker thread goes through it. */
static void clear(struct st_job *job)
{
	move(job, JOB_CLEARING);
	job->wall_ms = job->started_ns == 0 ? 0 : ms_since(job->started_ns);
	(void)uv_timer_stop(&job->timer);
	job->clearing.data = job;
	start_harvest(job);
	if (job->plan == NULL) {
		on_cleared(&job->clearing, 0);
	} else if (uv_queue_work(job->box.loop, &job->clearing, clear_dir, on_cleared) != 0) {
		clear_dir(&job->clearing);
		on_cleared(&job->clearing, 0);
	}
}

static void on_left(uv_handle_t *handle)
{
	struct st_job *job = handle->data;
	assert(job->n_closing > 0);
	if (--job->n_closing == 0) {
		st_spawn_close(&job->spawned);
		clear(job);
	}
}

/* The keeper is gone and no command is under way. */
static void leave(struct st_job *job)
{
	assert(job->state == JOB_LEAVING);
	st_spawn_reap(&job->spawned);
	job->n_closing = 2;
	uv_close((uv_handle_t *)&job->control, on_left);
	uv_close((uv_handle_t *)&job->end, on_left);
}

/* No command follows: lets the keeper go, if there is one. */
static void finish(struct st_job *job)
{
	if (job->spawned.keeper == 0) {
		clear(job);
		return;
	}
	move(job, JOB_LEAVING);
	if (job->gone) {
		leave(job);
		return;
	}
	(void)uv_poll_stop(&job->control);
	(void)shutdown(job->spawned.control_fd, SHUT_RDWR);
	arm(job, ms_since(job->started_ns) + CUT_MS);
}

static void on_command_handle_closed(uv_handle_t *handle)
{
	/* The pumps keep their own address in data; the job is found through the loop's handle. */
	struct st_job *job = handle->data;
	assert(job->n_closing > 0);
	if (--job->n_closing > 0) {
		return;
	}
	st_spawn_close_pipes(&job->spawned);
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

/* It never told how the main process ended, so the keeper was killed. PDEATHSIG takes the main
 * process; this takes its group, whose number is still held by that process or by its zombie, which
 * init has hardly seen yet. In a box everything is gone. */
static void note_lost(struct st_job *job, struct st_job_record *record)
{
	if (job->main_pid > 1) {
		(void)kill(-job->main_pid, SIGKILL);
	}
	st_cgroup_kill(&job->cgroup);
	record->status = ST_JOB_STATUS_SIGNALLED;
	record->value = SIGKILL;
	(void)snprintf(record->signal, sizeof record->signal, "SIGKILL");
	record->cause = job->log.cause != ST_JOB_CAUSE_NONE ? job->log.cause : ST_JOB_CAUSE_LOST;
	record->wall_ms = ms_since(job->command_ns);
}

/* None of the command's processes is left, or the keeper is gone and with it all of them. */
static void end_command(struct st_job *job)
{
	struct st_job_record *record = record_of(job);
	if (job->state == JOB_RUNNING && record->error[0] == '\0') {
		note_lost(job, record);
	}
	job->log.leftover = job->log.leftover || (job->force == FORCE_CUT && !job->boxed);
	job->main_pid = 0;
	move(job, JOB_CLOSING);
	close_pump(job, &job->out);
	close_pump(job, &job->err);
}

static void note_not_started(struct st_job *job, const struct st_keeper_note *note)
{
	struct st_job_record *record = record_of(job);
	static const char *const stages[ST_KEEPER_STAGE_COUNT] = {
#define X(name, text) text,
	    ST_KEEPER_STAGE_X(X)
#undef X
	};
	assert(note->stage >= 0 && note->stage < ST_KEEPER_STAGE_COUNT);
	bool mount = note->detail >= 0 && (size_t)note->detail < job->scene.n_mounts;
	record->status = ST_JOB_STATUS_NOT_STARTED;
	record->value = note->value;
	(void)snprintf(record->error, sizeof record->error, "%s%s%.64s: %s", stages[note->stage],
		       mount ? ", at " : "", mount ? job->scene.mounts[note->detail].to : "",
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
		note_not_started(job, note);
		return;
	case ST_KEEPER_STARTED:
		job->main_pid = job->boxed ? 0 : note->value;
		return;
	case ST_KEEPER_EXITED:
	case ST_KEEPER_SIGNALLED:
		note_ended(job, note);
		return;
	case ST_KEEPER_EMPTY:
		job->log.leftover = job->log.leftover || note->value != 0;
		record_of(job)->cpu_ms = note->detail;
		end_command(job);
		return;
	case ST_KEEPER_READY:
		return;
	default:
		assert(false);
	}
}

/* The box's own work directory: from here on it can be reached by nobody else from outside. */
static void keep_dir(struct st_job *job, int fd)
{
	if (job->boxed && job->plan->artifacts != NULL && job->dir_fd < 0) {
		job->dir_fd = fd;
	} else {
		(void)close(fd);
	}
}

static void hear_notes(struct st_job *job)
{
	struct st_keeper_note note;
	int fd = -1;
	int heard = 0;
	while ((heard = st_spawn_hear(&job->spawned, &note, &fd)) > 0) {
		if (fd >= 0) {
			keep_dir(job, fd);
		}
		on_note(job, &note);
	}
	if (heard < 0) {
		(void)uv_poll_stop(&job->control); /* its end is waited for, by the other one */
	}
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct st_job *job = poll->data;
	(void)status;
	(void)events;
	hear_notes(job);
}

/* The keeper has ended, and its last notes are there. */
static void on_end(uv_poll_t *poll, int status, int events)
{
	struct st_job *job = poll->data;
	(void)status;
	(void)events;
	(void)uv_poll_stop(poll);
	job->gone = true;
	if (job->state == JOB_LEAVING) {
		leave(job);
		return;
	}
	hear_notes(job);
	(void)uv_poll_stop(&job->control);
	if (has_process(job)) {
		end_command(job);
	}
}

static struct st_job_record *new_record(struct st_job *job)
{
	const struct st_job_command *command = &job->plan->commands[job->log.n_records];
	struct st_job_record *record = st_job_log_next(&job->log);
	record->command = st_job_command_text(job, command);
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

/* Fresh descriptors of known kinds: libuv can only refuse them for want of memory, and then it
 * stops us. */
static void watch(struct st_job *job, uv_poll_t *poll, int fd, uv_poll_cb on_event)
{
	int rc = uv_poll_init(job->box.loop, poll, fd);
	assert(rc == 0);
	poll->data = job;
	rc = uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, on_event);
	assert(rc == 0);
}

static int start_keeper(struct st_job *job, struct st_diag *diag)
{
	int rc =
	    st_spawn(job->box.host->program_fd, job->order_fd, job->boxed, &job->spawned, diag);
	/* It waits for its first command. */
	if (rc == ST_OK) {
		rc = st_cgroup_make(&job->box.host->cgroups, &job->box.options->limits,
				    job->spawned.keeper, &job->cgroup, diag);
		if (rc < 0) {
			st_spawn_reap(&job->spawned);
			st_spawn_close(&job->spawned);
		}
	}
	if (rc == ST_OK) {
		watch(job, &job->control, job->spawned.control_fd, on_control);
		watch(job, &job->end, job->spawned.pidfd, on_end);
	}
	(void)close(job->order_fd);
	job->order_fd = -1;
	return rc;
}

/* Starts the processes and the handles of the command. */
static int start_command(struct st_job *job, struct st_diag *diag)
{
	int rc = job->spawned.keeper == 0 ? start_keeper(job, diag) : ST_OK;
	if (rc == ST_OK) {
		rc = st_spawn_run(&job->spawned, job->stdin_fd, diag);
	}
	if (rc < 0) {
		return rc;
	}
	uv_loop_t *loop = job->box.loop;
	rc = st_pump_start(&job->out, loop, job->spawned.stdout_fd, job->box.redactor);
	assert(rc == 0);
	rc = st_pump_start(&job->err, loop, job->spawned.stderr_fd, job->box.redactor);
	assert(rc == 0);
	return ST_OK;
}

static void next_command(struct st_job *job)
{
	if (!st_job_log_goes_on(&job->log) || job->gone) {
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

struct st_job *st_job_start(const struct st_box *box, const struct st_grant *grant,
			    struct st_job_spec *spec,
			    void (*done)(void *arg, struct st_job_result *result), void *arg)
{
	assert(grant != NULL);
	assert(done != NULL);
	assert(box->redactor != NULL);
	assert(box->host != NULL);
	struct st_job *job = st_alloc(sizeof *job);
	job->box = *box;
	job->state = JOB_WAITING;
	job->stdin_fd = -1;
	job->dir_fd = -1;
	job->order_fd = -1;
	job->spawned = st_spawn_none();
	job->done = done;
	job->arg = arg;
	if (st_job_make(job, spec) < 0 && job->diag.pointer[0] != '\0') {
		(void)st_fail_wrap(&job->diag, "%s", job->diag.pointer);
	}
	st_job_spec_fini(spec);
	(void)uv_timer_init(box->loop, &job->timer);
	job->timer.data = job;
	(void)uv_timer_start(&job->timer, on_begin, 0, 0);
	return job;
}
