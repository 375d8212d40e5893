/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. Everything but the store's writer runs on the loop's
 * thread.
 *
 *   an event comes in ──▶ core step ──▶ rows and effects gather in `open`
 *   the loop has no more events ready, or `open` is large, and the writer is
 * free: core flush ──▶ `open` becomes a batch, its rows go to the writer
 *   written and synced ──▶ only now the effects of the batch leave: calls,
 * aborts, replies
 *
 * While the writer syncs one batch the loop fills the next: that is the group
 * commit. Calls that end at once (noop) put their ends into `open` while the
 * effects of the batch before them leave. When a write fails nothing leaves any
 * more and the process ends: it recovers at the next start. A full disk is not
 * that: see engine_room.c.
 */
#include "orchestrator/io/engine.h"

#include <assert.h>

#include "orchestrator/io/clock.h"
#include "orchestrator/io/engine_private.h"
#include "orchestrator/io/log.h"
#include "orchestrator/rows_fini.h"
#include "schemas/mem.h"

/* Rows after which a batch is handed over although more events are ready: large
 * enough to share a sync, small enough that loop and writer work at the same
 * time. */
#define BATCH_ROWS 4096
/* Batches that wait for the writer at most; what comes on top gathers in `open`. */
#define WRITING_MAX 16

bool st_batch_is_empty(const struct st_batch *batch)
{
	return batch->update.rows.n == 0 && batch->update.n_effects == 0;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* its being active is what counts: the loop then does not sleep */
}

/* There is something in `open`: seal it once the loop has nothing else ready.
 */
static void wake(struct st_engine *engine)
{
	if (engine->n_writing == 0 && !engine->failed && !st_batch_is_empty(&engine->open)) {
		(void)uv_idle_start(&engine->idle, on_idle);
	}
}

/* Out of a pool, so that the kernel is asked once for many events. Used words are wiped. */
static void fresh_words(struct st_engine *engine, uint64_t out[2])
{
	if (engine->words_left == 0) {
		st_clock_random(engine->words, ST_ENGINE_WORDS);
		engine->words_left = ST_ENGINE_WORDS;
	}
	for (int i = 0; i < 2; i++) {
		uint64_t *word = &engine->words[--engine->words_left];
		out[i] = *word;
		*word = 0;
	}
}

void st_engine_step(struct st_engine *engine, struct st_event *event)
{
	event->now = st_clock_read(&engine->clock, &event->moved_ms);
	if (event->moved_ms != 0) {
		st_log(ST_LOG_WARNING, "clock.set",
		       "the clock was set by %lld ms; runs go on as "
		       "if it had not been",
		       (long long)event->moved_ms);
	}
	fresh_words(engine, event->random);
	engine->counts.events++;
	st_core_step(engine->core, event, &engine->open.update);
	if (engine->open.update.rows.n >= BATCH_ROWS && engine->n_writing < WRITING_MAX &&
	    !engine->loading) {
		st_engine_seal(engine);
	}
	wake(engine);
}

/* Effects, once they may leave */

static void answer(struct st_effect_reply *reply, const struct st_effect_reply *with)
{
	struct st_waiter *waiter = reply->token;
	reply->token = NULL;
	if (waiter != NULL) {
		waiter->answer(waiter, with);
	}
}

void st_engine_let_out(struct st_engine *engine, struct st_effect *effect)
{
	if (st_engine_defers(engine, effect)) {
		return;
	}
	switch (effect->type) {
	case ST_EFFECT_CALL:
		st_driver_call(engine->driver, &effect->call);
		break;
	case ST_EFFECT_ABORT:
		st_driver_abort(engine->driver, effect->abort_call_no);
		break;
	case ST_EFFECT_REPLY:
		answer(&effect->reply, &effect->reply);
		st_effect_fini(effect);
		break;
	}
}

static void tell_watchers(struct st_engine *engine, const struct st_batch *batch)
{
	for (size_t i = 0; i < batch->n_grown; i++) {
		struct st_watcher *next = NULL;
		for (struct st_watcher *w = engine->watchers; w != NULL; w = next) {
			next = w->next;
			w->grown(w, batch->grown[i].run, batch->grown[i].seq);
		}
	}
}

void st_engine_refuse_replies(struct st_batch *batch)
{
	for (size_t i = 0; i < batch->update.n_effects; i++) {
		struct st_effect *effect = &batch->update.effects[i];
		if (effect->type == ST_EFFECT_REPLY) {
			const struct st_effect_reply failed = {.code = ST_ERR_UNAVAILABLE};
			answer(&effect->reply, &failed);
		}
	}
}

/* What will not be written any more, once who waits for it has been told. */
static void drop_batch(struct st_batch *batch)
{
	st_engine_refuse_replies(batch);
	st_update_fini(&batch->update);
	st_free(batch->grown);
	st_free(batch->over);
	*batch = (struct st_batch){0};
}

void st_engine_fail(struct st_engine *engine, const char *why)
{
	engine->failed = true;
	st_log(ST_LOG_ERROR, "store.failed", "%s; no call is made any more, stopping", why);
	drop_batch(&engine->open);
	if (engine->on_failure != NULL) {
		engine->on_failure(engine->on_failure_arg);
	}
}

static void on_written(void *arg, int err, const struct st_diag *diag)
{
	struct st_batch *batch = arg;
	struct st_engine *engine = batch->engine;
	struct st_batch **at = &engine->writing;
	while (*at != batch) {
		at = &(*at)->next;
	}
	*at = batch->next;
	engine->n_writing--;
	if (err != ST_OK) {
		drop_batch(batch);
		st_free(batch);
		if (!engine->failed) {
			st_engine_fail(engine, diag != NULL ? diag->text : "a write failed");
		}
		return;
	}
	engine->counts.batches++;
	for (size_t i = 0; i < batch->update.n_effects; i++) {
		st_engine_let_out(engine, &batch->update.effects[i]);
	}
	tell_watchers(engine, batch);
	for (size_t i = 0; i < batch->n_over; i++) {
		st_driver_run_over(engine->driver, batch->over[i].run, batch->over[i].succeeded);
	}
	st_free(batch->update.effects);
	st_free(batch->grown);
	st_free(batch->over);
	st_free(batch);
	wake(engine);
}

/* Also when nobody watches yet: who comes before this batch is written reads the store without it,
 * and must hear of it then. */
static void note_grown(struct st_batch *batch)
{
	const struct st_rows *rows = &batch->update.rows;
	batch->grown = st_alloc_array(rows->n, sizeof *batch->grown);
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->of[i].type == ST_ROW_EVENT) {
			batch->grown[batch->n_grown++] =
			    (struct st_grown){rows->of[i].event->run, rows->of[i].event->seq};
		}
	}
}

static void note_over(struct st_batch *batch)
{
	const struct st_rows *rows = &batch->update.rows;
	for (size_t i = 0; i < rows->n; i++) {
		const struct st_row_run *run = rows->of[i].run;
		if (rows->of[i].type == ST_ROW_RUN &&
		    st_machine_final(&st_run_machine, (int)run->state)) {
			batch->over =
			    st_realloc(batch->over, (batch->n_over + 1) * sizeof *batch->over);
			batch->over[batch->n_over++] =
			    (struct st_over){run->id, run->state == ST_RUN_SUCCEEDED};
		}
	}
}

static void arm_timer(struct st_engine *engine);

void st_engine_seal(struct st_engine *engine)
{
	(void)uv_idle_stop(&engine->idle);
	st_core_flush(engine->core, &engine->open.update);
	arm_timer(engine);
	if (st_batch_is_empty(&engine->open)) {
		return;
	}
	struct st_batch *batch = st_alloc(sizeof *batch);
	*batch = engine->open;
	batch->engine = engine;
	engine->open = (struct st_batch){0};
	note_grown(batch);
	note_over(batch);
	batch->next = engine->writing;
	engine->writing = batch;
	engine->n_writing++;
	st_store_write(engine->store, &batch->update.rows, on_written, batch);
}

void st_engine_on_check(uv_check_t *check)
{
	struct st_engine *engine = check->data;
	if (engine->n_writing == 0 && !engine->failed && !st_batch_is_empty(&engine->open)) {
		st_engine_seal(engine);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct st_engine *engine = timer->data;
	struct st_event event = {.type = ST_EVENT_TIMER};
	if (!engine->failed) {
		st_engine_step(engine, &event);
		arm_timer(engine);
	}
}

static void arm_timer(struct st_engine *engine)
{
	st_time due = st_core_deadline(engine->core);
	if (due == ST_TIME_NONE || engine->failed) {
		(void)uv_timer_stop(&engine->timer);
		return;
	}
	st_time now = st_clock_now();
	/* Never far ahead: when the wall clock jumps, the due time is looked at
	 * again. */
	uint64_t wait_ms = due <= now ? 0 : due - now > 60000 ? 60000 : (uint64_t)(due - now);
	uv_update_time(engine->options.loop);
	(void)uv_timer_start(&engine->timer, on_timer, wait_ms, 0);
}

void st_engine_on_call_ended(void *arg, struct st_event *event)
{
	struct st_engine *engine = arg;
	if (!engine->failed) {
		st_engine_step(engine, event);
		/* One that is to be sent again changes no row, so no seal sets the timer. */
		if (st_batch_is_empty(&engine->open)) {
			arm_timer(engine);
		}
	}
}

/* Events from outside */

static void answer_now(struct st_waiter *waiter, enum st_err code)
{
	const struct st_effect_reply reply = {.code = code};
	if (waiter != NULL) {
		waiter->answer(waiter, &reply);
	}
}

static struct st_load *find_load(struct st_engine *engine, struct st_id run)
{
	for (struct st_load *load = engine->loads; load != NULL; load = load->next) {
		if (st_id_equal(load->run, run)) {
			return load;
		}
	}
	return NULL;
}

static void end_load(struct st_load *load)
{
	struct st_load **at = &load->engine->loads;
	while (*at != load) {
		at = &(*at)->next;
	}
	*at = load->next;
	st_free(load);
}

static void on_loaded(void *arg, int err, struct st_rows *rows)
{
	struct st_load *load = arg;
	struct st_engine *engine = load->engine;
	struct st_pending *pending = load->first;
	end_load(load);
	engine->loading = true; /* no flush before the event is in: it would park the run again */
	if (err == ST_OK && !engine->failed) {
		struct st_diag damage = {0};
		struct st_event event = {.type = ST_EVENT_LOAD,
					 .load = {.rows = rows, .diag = &damage}};
		st_engine_step(engine, &event);
		err = damage.code;
		if (err != ST_OK) {
			st_log(ST_LOG_ERROR, "store.damaged", "%s", damage.text);
		}
	}
	while (pending != NULL) {
		struct st_pending *next = pending->next;
		if (err == ST_OK && !engine->failed) {
			pending->event.reply = pending->waiter;
			st_engine_step(engine, &pending->event);
		} else {
			answer_now(pending->waiter,
				   engine->failed ? ST_ERR_UNAVAILABLE : (enum st_err)err);
		}
		st_free(pending);
		pending = next;
	}
	engine->loading = false;
	st_rows_fini(rows);
}

static void load_first(struct st_engine *engine, const struct st_event *event,
		       struct st_waiter *waiter)
{
	struct st_load *load = find_load(engine, event->run);
	bool fresh = load == NULL;
	if (fresh) {
		load = st_alloc(sizeof *load);
		load->engine = engine;
		load->run = event->run;
		load->last = &load->first;
		load->next = engine->loads;
		engine->loads = load;
	}
	struct st_pending *pending = st_alloc(sizeof *pending);
	pending->event = *event;
	pending->waiter = waiter;
	*load->last = pending;
	load->last = &pending->next;
	if (fresh) {
		if (!st_batch_is_empty(&engine->open) && engine->n_writing == 0) {
			st_engine_seal(engine); /* what was just parked must be readable */
		}
		st_store_load_run(engine->store, event->run, on_loaded, load);
	}
}

void st_engine_event(struct st_engine *engine, const struct st_event *event,
		     struct st_waiter *waiter)
{
	if (engine->failed || engine->leaving || st_engine_is_full(engine)) {
		if (event->type == ST_EVENT_SUBMIT) {
			st_def_free(event->submit.def);
		}
		answer_now(waiter, ST_ERR_UNAVAILABLE);
		return;
	}
	if (event->type != ST_EVENT_SUBMIT && !st_core_has(engine->core, event->run)) {
		load_first(engine, event, waiter);
		return;
	}
	struct st_event copy = *event;
	copy.reply = waiter;
	st_engine_step(engine, &copy);
}

void st_engine_rows(struct st_engine *engine, struct st_rows *rows, struct st_waiter *waiter)
{
	struct st_update *open = &engine->open.update;
	if (engine->failed || engine->leaving || st_engine_is_full(engine)) {
		st_rows_fini(rows);
		answer_now(waiter, ST_ERR_UNAVAILABLE);
		return;
	}
	for (size_t i = 0; i < rows->n; i++) {
		st_rows_move(&open->rows, &rows->of[i]);
	}
	st_rows_release(rows);
	if (waiter != NULL) {
		st_update_add(open, ST_EFFECT_REPLY)->reply.token = waiter;
	}
	wake(engine);
}
