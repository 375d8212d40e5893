/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/foreground.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/io/ask.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/progress.h"
#include "orchestrator/io/store.h"
#include "orchestrator/io/store_read.h"
#include "redact/clean.h"
#include "schemas/mem.h"

#define GRACE_MS 20000

/* One command that drives a run. */
struct drive {
	struct st_foreground *what;
	uv_loop_t loop;
	struct st_engine *engine;
	struct st_reader *reader;
	struct st_watcher watcher;
	struct st_waiter waiter;
	uv_signal_t on_int;
	struct st_id run;
	int64_t seen; /* last event that was told */
	bool known;   /* the run has its id */
	bool asking;
	bool stopping;
	enum st_run_state state;
	int code;
	struct st_ask ask;
	struct st_diag diag;
};

static int make_parents(char *path, struct st_diag *diag)
{
	for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		int rc = mkdir(path, 0700);
		*p = '/';
		if (rc != 0 && errno != EEXIST) {
			return st_fail(diag, ST_ERR_IO, "%s cannot be made: %s", path,
				       strerror(errno));
		}
	}
	return ST_OK;
}

int st_foreground_store(const struct st_cli *cli, bool make, char **out, struct st_diag *diag)
{
	struct st_buf path = {0};
	const char *given = st_cli_get(cli, "store");
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	if (given != NULL) {
		st_buf_add_text(&path, given);
	} else if (state != NULL && state[0] == '/') {
		st_buf_addf(&path, "%s/stint/runs.db", state);
	} else if (home != NULL && home[0] == '/') {
		st_buf_addf(&path, "%s/.local/state/stint/runs.db", home);
	} else {
		return st_fail(diag, ST_ERR_INVALID, "which store? give --store sqlite:PATH");
	}
	*out = st_buf_take(&path);
	if (!make) {
		return ST_OK;
	}
	int err = given != NULL ? ST_OK : make_parents(*out, diag);
	if (err == ST_OK) {
		err = st_store_create(*out, diag);
	}
	return err == ST_ERR_EXISTS ? ST_OK : err;
}

struct st_actor st_foreground_actor(void)
{
	struct st_actor actor = {.role = ST_ROLE_ADMIN, .embedded = true};
	const struct passwd *who = getpwuid(geteuid());
	(void)snprintf(actor.name, sizeof actor.name, "%s", who != NULL ? who->pw_name : "user");
	for (char *p = actor.name; *p != '\0'; p++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			   *p) == NULL) {
			*p = '_';
		}
	}
	return actor;
}

static void on_closed(void *arg)
{
	struct drive *drive = arg;
	uv_close((uv_handle_t *)&drive->on_int, NULL);
}

static void stop(struct drive *drive, int code)
{
	if (drive->stopping) {
		return;
	}
	drive->stopping = true;
	drive->code = code;
	(void)uv_signal_stop(&drive->on_int);
	st_ask_close(&drive->ask);
	st_engine_unwatch(drive->engine, &drive->watcher);
	st_engine_close(drive->engine, GRACE_MS, on_closed, drive);
}

static void see_event(void *arg, const struct st_event_view *event)
{
	struct drive *drive = arg;
	drive->seen = event->seq;
	int state = st_progress_state(event->type);
	if (state >= 0) {
		drive->state = (enum st_run_state)state;
	}
	st_progress_print(event, drive->what->cli->json);
}

static void ask_person(struct drive *drive);

/* Where does the run stand after what was told last? */
static void consider(struct drive *drive)
{
	if (drive->stopping || drive->asking) {
		return;
	}
	if (drive->what->any_end && st_machine_final(&st_run_machine, (int)drive->state)) {
		stop(drive, ST_EXIT_DONE);
		return;
	}
	switch (drive->state) {
	case ST_RUN_SUCCEEDED:
		stop(drive, ST_EXIT_DONE);
		return;
	case ST_RUN_FAILED:
		stop(drive, drive->code == ST_EXIT_REFUSED ? ST_EXIT_REFUSED : ST_EXIT_FAILED);
		return;
	case ST_RUN_CANCELLED:
		stop(drive, ST_EXIT_FAILED);
		return;
	case ST_RUN_BLOCKED:
		stop(drive, ST_EXIT_REFUSED);
		return;
	case ST_RUN_HALTED:
		ask_person(drive);
		return;
	case ST_RUN_QUEUED:
	case ST_RUN_RUNNING:
	case ST_RUN_STATE_COUNT:
		return;
	}
}

static void tell_new(struct drive *drive)
{
	struct st_read_timeline page = {.of = {.run = drive->run}, .after_seq = drive->seen};
	if (st_reader_events(drive->reader, &page, see_event, drive, &drive->diag) != ST_OK) {
		stop(drive, st_cli_fail(drive->what->cli, &drive->diag));
		return;
	}
	consider(drive);
}

static void on_grown(struct st_watcher *watcher, struct st_id run, int64_t seq)
{
	struct drive *drive =
	    (struct drive *)(void *)((char *)watcher - offsetof(struct drive, watcher));
	if (drive->known && !drive->stopping && seq > drive->seen && st_id_equal(run, drive->run)) {
		tell_new(drive);
	}
}

static struct drive *drive_of_waiter(struct st_waiter *waiter)
{
	return (struct drive *)(void *)((char *)waiter - offsetof(struct drive, waiter));
}

static void tell_answer(const struct drive *drive, const struct st_effect_reply *reply)
{
	char id[ST_ID_TEXT_MAX];
	if (drive->what->cli->json) {
		(void)printf("%s\n", reply->body != NULL ? st_clean_text(reply->body) : "{}");
		return;
	}
	(void)printf("%s is %s\n", st_id_format(reply->run, ST_ID_RUN, id),
		     st_machine_state_name(&st_run_machine, (int)reply->state));
}

static void on_first_answer(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	struct drive *drive = drive_of_waiter(waiter);
	if (reply->code != ST_OK) {
		(void)st_fail(&drive->diag, reply->code, "%s",
			      reply->body != NULL ? st_clean_text(reply->body) : "");
		stop(drive, st_cli_fail(drive->what->cli, &drive->diag));
		return;
	}
	if (drive->what->only_this) {
		tell_answer(drive, reply);
		stop(drive, ST_EXIT_DONE);
		return;
	}
	drive->run = reply->run;
	drive->known = true;
	tell_new(drive);
}

static void on_decided(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	struct drive *drive = drive_of_waiter(waiter);
	drive->asking = false;
	if (reply->code != ST_OK) {
		(void)fprintf(stderr, "stint: %s\n",
			      reply->body != NULL ? st_clean_text(reply->body)
						  : st_err_text(reply->code));
		ask_person(drive);
		return;
	}
	tell_new(drive);
}

static void on_answered(struct st_ask *ask)
{
	struct drive *drive = (struct drive *)(void *)((char *)ask - offsetof(struct drive, ask));
	struct st_event event = {.run = drive->run, .actor = st_foreground_actor()};
	switch (ask->choice) {
	case ST_ASK_LEAVE:
		stop(drive, ST_EXIT_HALTED);
		return;
	case ST_ASK_CANCEL:
		event.type = ST_EVENT_CANCEL;
		break;
	case ST_ASK_RESUME:
		event.type = ST_EVENT_RESUME;
		break;
	case ST_ASK_DECIDE:
		event.type = ST_EVENT_DECIDE;
		event.decide = ask->decide;
		drive->code =
		    ask->decide.decision == ST_DECISION_DENY ? ST_EXIT_REFUSED : drive->code;
		break;
	}
	drive->waiter.answer = on_decided;
	drive->state = ST_RUN_RUNNING;
	st_engine_event(drive->engine, &event, &drive->waiter);
}

static void ask_person(struct drive *drive)
{
	bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
	struct st_buf run = {0};
	if (!terminal || drive->what->cli->json || st_cli_has(drive->what->cli, "no-input")) {
		char id[ST_ID_TEXT_MAX];
		if (!drive->what->cli->json) {
			(void)fprintf(stderr, "halted; decide with: stint approve %s --store %s\n",
				      st_id_format(drive->run, ST_ID_RUN, id),
				      drive->what->store_uri);
		}
		stop(drive, ST_EXIT_HALTED);
		return;
	}
	if (st_reader_run(drive->reader, (struct st_read_of){.run = drive->run}, &run,
			  &drive->diag) != ST_OK) {
		stop(drive, st_cli_fail(drive->what->cli, &drive->diag));
		return;
	}
	drive->asking = true;
	drive->ask.answered = on_answered;
	st_ask_start(&drive->loop, &drive->ask, run.data);
	st_buf_fini(&run);
}

static void on_interrupt(uv_signal_t *handle, int signum)
{
	struct drive *drive = handle->data;
	char id[ST_ID_TEXT_MAX];
	(void)signum;
	(void)fprintf(
	    stderr,
	    "\ninterrupted; the run goes on where it stands with: stint resume %s --store "
	    "%s\n",
	    st_id_format(drive->run, ST_ID_RUN, id), drive->what->store_uri);
	stop(drive, ST_EXIT_HALTED);
}

static void on_store_failure(void *arg)
{
	struct drive *drive = arg;
	stop(drive, ST_EXIT_UNREACHABLE);
}

int st_foreground_busy(struct st_diag *diag)
{
	char why[ST_DIAG_TEXT_MAX];
	(void)snprintf(why, sizeof why, "%s", diag->text);
	return st_fail(diag, ST_ERR_BUSY, "%s; if that is stint serve, set STINT_URL", why);
}

static int start(struct drive *drive, struct st_diag *diag)
{
	struct st_foreground *what = drive->what;
	const struct st_engine_options options = {
	    .loop = &drive->loop,
	    .store_uri = what->store_uri,
	    .config_path = st_cli_get(what->cli, "config"),
	    .record_path = st_cli_get(what->cli, "record"),
	};
	int err = st_engine_new(&options, &drive->engine, diag);
	if (err == ST_ERR_BUSY) {
		return st_foreground_busy(diag);
	}
	if (err != ST_OK) {
		return err;
	}
	(void)uv_signal_init(&drive->loop, &drive->on_int);
	drive->on_int.data = drive;
	(void)uv_signal_start(&drive->on_int, on_interrupt, SIGINT);
	drive->watcher.grown = on_grown;
	st_engine_watch(drive->engine, &drive->watcher);
	st_engine_on_failure(drive->engine, on_store_failure, drive);
	err = st_reader_open(what->store_uri, &drive->reader, diag);
	if (err == ST_OK && what->prepare != NULL) {
		err = what->prepare(what, drive->engine, diag);
	}
	if (err != ST_OK) {
		stop(drive, st_cli_fail(what->cli, diag));
		return ST_OK;
	}
	if (what->only_follow) {
		drive->run = what->event.run;
		drive->known = true;
		tell_new(drive);
		return ST_OK;
	}
	drive->waiter.answer = on_first_answer;
	st_engine_event(drive->engine, &what->event, &drive->waiter);
	return ST_OK;
}

int st_foreground_drive(struct st_foreground *foreground)
{
	struct drive *drive = st_alloc(sizeof *drive);
	struct st_diag diag = {0};
	drive->what = foreground;
	drive->state = ST_RUN_QUEUED;
	drive->seen = foreground->after_seq;
	(void)uv_loop_init(&drive->loop);
	int err = start(drive, &diag);
	if (err != ST_OK) {
		drive->code = st_cli_fail(foreground->cli, &diag);
	}
	(void)uv_run(&drive->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&drive->loop);
	st_reader_close(drive->reader);
	int code = drive->code;
	st_free(drive);
	return code;
}
