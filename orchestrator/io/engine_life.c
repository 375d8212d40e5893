/* SPDX-License-Identifier: Apache-2.0 */
/* How does an engine come up, and how does it go down without losing anything? */
#include "orchestrator/io/config_file.h"
#include "orchestrator/io/engine_private.h"
#include "orchestrator/io/log.h"
#include "orchestrator/rows_fini.h"
#include "redact/redact.h"
#include "schemas/mem.h"

#define GRACE_TICK_MS 20
/* So long who sends an Idempotency-Key again gets the answer of the first time. */
#define ANSWERS_KEPT_MS (7 * INT64_C(86400000))
/* The clock may have been a little ahead; a day of budget must not come back. */
#define CLOCK_BACK_MAX_MS INT64_C(86400000)

static void add_pulse(struct st_engine *engine)
{
	struct st_rows rows = {0};
	struct st_row_pulse *pulse = st_rows_add_pulse(&rows);
	pulse->at = st_clock_now();
	pulse->answers_before = pulse->at - ANSWERS_KEPT_MS;
	st_engine_rows(engine, &rows, NULL);
}

static void on_pulse(uv_timer_t *timer)
{
	struct st_engine *engine = timer->data;
	if (!engine->failed && st_core_runs(engine->core) > 0) {
		add_pulse(engine);
	}
}

static void add_handle(struct st_engine *engine, uv_handle_t *handle)
{
	handle->data = engine;
	engine->n_handles++;
}

static void start_handles(struct st_engine *engine)
{
	uv_loop_t *loop = engine->options.loop;
	(void)uv_check_init(loop, &engine->check);
	(void)uv_idle_init(loop, &engine->idle);
	(void)uv_timer_init(loop, &engine->timer);
	(void)uv_timer_init(loop, &engine->grace);
	add_handle(engine, (uv_handle_t *)&engine->check);
	add_handle(engine, (uv_handle_t *)&engine->idle);
	add_handle(engine, (uv_handle_t *)&engine->timer);
	add_handle(engine, (uv_handle_t *)&engine->grace);
	(void)uv_timer_init(loop, &engine->pulse);
	add_handle(engine, (uv_handle_t *)&engine->pulse);
	(void)uv_check_start(&engine->check, st_engine_on_check);
}

static int read_config(struct st_engine *engine, struct st_diag *diag)
{
	engine->schemas = st_schemas_new();
	engine->redactor = st_redactor_new();
	int err =
	    st_config_read(engine->schemas, engine->options.config_path, &engine->config, diag);
	if (err == ST_OK) {
		err = st_secrets_load(engine->config, engine->redactor, &engine->secrets, diag);
	}
	if (err == ST_OK) {
		err = st_redactor_build(engine->redactor, diag);
	}
	if (err == ST_OK) {
		st_log_setup(ST_LOG_INFO, engine->redactor);
	}
	return err;
}

static int open_driver(struct st_engine *engine, struct st_diag *diag)
{
	int err = st_work_dir(engine->options.store_uri, &engine->work_dir, diag);
	if (err != ST_OK) {
		return err;
	}
	const struct st_driver_options options = {
	    .loop = engine->options.loop,
	    .config = engine->config,
	    .redactor = engine->redactor,
	    .secrets = engine->secrets,
	    .work_dir = engine->work_dir,
	    .record_path = engine->options.record_path,
	    .ended = st_engine_on_call_ended,
	    .arg = engine,
	};
	return st_driver_new(&options, &engine->driver, diag);
}

/* Of a damaged store nothing is acted on, not even what could be read. */
static void drop_recovered(struct st_engine *engine)
{
	st_update_fini(&engine->open.update);
	st_core_free(engine->core);
	engine->core = NULL;
	(void)uv_idle_stop(&engine->idle);
}

/* A clock that is far behind what the store has seen would give budgets twice. */
static int check_clock(const struct st_engine *engine, const struct st_rows *rows,
		       struct st_diag *diag)
{
	char last[ST_TIME_TEXT_MAX];
	char now[ST_TIME_TEXT_MAX];
	for (size_t i = 0; i < rows->n; i++) {
		const struct st_row *row = &rows->of[i];
		if (row->type == ST_ROW_PULSE && !engine->options.accept_clock &&
		    row->pulse->at - CLOCK_BACK_MAX_MS > engine->clock.wall) {
			return st_fail(diag, ST_ERR_INVALID,
				       "the clock says %s, but the store was in use at %s; set the "
				       "clock, or, if it is right, start once with: stint serve "
				       "--accept-clock",
				       st_time_format(engine->clock.wall, now),
				       st_time_format(row->pulse->at, last));
		}
	}
	return ST_OK;
}

static int load_live(struct st_engine *engine, struct st_diag *diag)
{
	struct st_core_numbers numbers;
	struct st_rows rows = {0};
	const struct st_core_options options = {
	    .config = engine->config,
	    .redactor = engine->redactor,
	    .schemas = engine->schemas,
	};
	int err = st_store_numbers(engine->store, &numbers, diag);
	if (err == ST_OK) {
		err = st_store_load_live(engine->store, &rows, diag);
	}
	if (err == ST_OK) {
		err = check_clock(engine, &rows, diag);
	}
	if (err != ST_OK) {
		st_rows_fini(&rows);
		return err;
	}
	engine->core = st_core_new(&options, &numbers);
	struct st_diag damage = {0};
	struct st_event event = {.type = ST_EVENT_LOAD, .load = {.rows = &rows, .diag = &damage}};
	engine->loading = true; /* nothing is written, nor acted on, before all is read */
	st_engine_step(engine, &event);
	engine->loading = false;
	st_rows_fini(&rows);
	if (damage.code != ST_OK) {
		drop_recovered(engine);
		return st_fail(diag, damage.code, "%s", damage.text);
	}
	add_pulse(engine);
	(void)uv_timer_start(&engine->pulse, on_pulse, ST_PULSE_MS, ST_PULSE_MS);
	if (engine->n_writing == 0) {
		st_engine_seal(engine); /* there may be nothing to write, but a time to wake */
	}
	return ST_OK;
}

/* What st_engine_new had made when it failed. */
static void undo(struct st_engine *engine)
{
	st_core_free(engine->core);
	st_engine_forget_definitions(engine);
	st_secrets_free(engine->secrets);
	st_redactor_free(engine->redactor);
	st_config_free(engine->config);
	st_schemas_free(engine->schemas);
	st_free(engine->work_dir);
	st_free(engine);
}

static void undo_when_closed(void *arg)
{
	undo(arg);
}

int st_engine_new(const struct st_engine_options *options, struct st_engine **out,
		  struct st_diag *diag)
{
	struct st_engine *engine = st_alloc(sizeof *engine);
	engine->options = *options;
	int err = read_config(engine, diag);
	if (err == ST_OK) {
		err = st_store_open(options->loop, options->store_uri, &engine->store, diag);
	}
	if (err != ST_OK) {
		undo(engine);
		return err;
	}
	err = open_driver(engine, diag);
	if (err != ST_OK) {
		st_store_close(engine->store, undo_when_closed, engine);
		return err;
	}
	start_handles(engine);
	st_clock_start(&engine->clock);
	st_store_on_room(engine->store, st_engine_on_room, engine);
	err = load_live(engine, diag);
	if (err != ST_OK) {
		st_engine_close(engine, 0, NULL, NULL);
		return err;
	}
	*out = engine;
	return ST_OK;
}

static void on_all_closed(struct st_engine *engine)
{
	void (*closed)(void *) = engine->closed;
	void *arg = engine->closed_arg;
	st_log_setup(ST_LOG_INFO, NULL);
	undo(engine);
	if (closed != NULL) {
		closed(arg);
	}
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct st_engine *engine = handle->data;
	engine->n_handles--;
	if (engine->n_handles == 0) {
		on_all_closed(engine);
	}
}

static void on_store_closed(void *arg)
{
	struct st_engine *engine = arg;
	st_engine_drop_deferred(engine);
	st_update_fini(&engine->open.update);
	st_free(engine->open.grown);
	st_free(engine->open.over);
	uv_close((uv_handle_t *)&engine->check, on_handle_closed);
	uv_close((uv_handle_t *)&engine->idle, on_handle_closed);
	uv_close((uv_handle_t *)&engine->timer, on_handle_closed);
	uv_close((uv_handle_t *)&engine->grace, on_handle_closed);
	uv_close((uv_handle_t *)&engine->pulse, on_handle_closed);
}

static void on_driver_closed(void *arg)
{
	struct st_engine *engine = arg;
	st_store_close(engine->store, on_store_closed, engine);
}

static bool at_rest(const struct st_engine *engine)
{
	return engine->failed ||
	       (engine->n_writing == 0 && st_batch_is_empty(&engine->open) &&
		engine->loads == NULL &&
		(engine->core == NULL || st_core_calls_in_flight(engine->core) == 0));
}

/* Looks a few times a second whether all calls have ended, until the grace is
 * over. */
static void on_grace(uv_timer_t *timer)
{
	struct st_engine *engine = timer->data;
	engine->grace_ms -= GRACE_TICK_MS;
	engine->leaving = engine->leaving || engine->grace_ms <= 0;
	bool stuck = engine->leaving && engine->room == ST_STORE_STUCK;
	if (stuck && !engine->failed) {
		st_engine_fail(engine, "the disk is full: what ended meanwhile is lost");
	}
	bool over = engine->leaving && engine->n_writing == 0 && engine->loads == NULL &&
		    st_batch_is_empty(&engine->open);
	if (!at_rest(engine) && !over) {
		return;
	}
	(void)uv_timer_stop(timer);
	engine->failed = true; /* nothing comes in any more */
	st_driver_close(engine->driver, on_driver_closed, engine);
}

void st_engine_close(struct st_engine *engine, int64_t grace_ms, void (*closed)(void *arg),
		     void *arg)
{
	engine->closed = closed;
	engine->closed_arg = arg;
	engine->grace_ms = grace_ms;
	if (engine->core != NULL && !engine->failed) {
		struct st_event event = {.type = ST_EVENT_DRAIN};
		st_engine_step(engine, &event);
	}
	(void)uv_timer_start(&engine->grace, on_grace, 1, GRACE_TICK_MS);
}

const struct st_config *st_engine_config(const struct st_engine *engine)
{
	return engine->config;
}

const struct st_redactor *st_engine_redactor(const struct st_engine *engine)
{
	return engine->redactor;
}

const struct st_schemas *st_engine_schemas(const struct st_engine *engine)
{
	return engine->schemas;
}

struct st_store *st_engine_store(struct st_engine *engine)
{
	return engine->store;
}

void st_engine_watch(struct st_engine *engine, struct st_watcher *watcher)
{
	watcher->next = engine->watchers;
	engine->watchers = watcher;
}

void st_engine_unwatch(struct st_engine *engine, struct st_watcher *watcher)
{
	struct st_watcher **at = &engine->watchers;
	while (*at != NULL && *at != watcher) {
		at = &(*at)->next;
	}
	if (*at != NULL) {
		*at = watcher->next;
	}
}

bool st_engine_failed(const struct st_engine *engine)
{
	return engine->failed;
}

void st_engine_on_failure(struct st_engine *engine, void (*failed)(void *arg), void *arg)
{
	engine->on_failure = failed;
	engine->on_failure_arg = arg;
}

struct st_engine_counts st_engine_count(const struct st_engine *engine)
{
	struct st_engine_counts counts = engine->counts;
	counts.runs = st_core_runs(engine->core);
	counts.calls = st_core_calls_in_flight(engine->core);
	return counts;
}
