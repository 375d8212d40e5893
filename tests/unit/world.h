/* SPDX-License-Identifier: Apache-2.0 */
/* A world of one core: events go in, the timeline is kept as text, effects wait to be acted on.
 * Included by one test program each. */
#ifndef ST_TESTS_UNIT_WORLD_H
#define ST_TESTS_UNIT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the standard headers first. */
#include <cmocka.h>

#include "budgets/grant.h"
#include "orchestrator/admit.h"
#include "orchestrator/core.h"
#include "orchestrator/rows_fini.h"
#include "redact/redact.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schemas.h"
#include "steps/kind.h"

#define FLIGHTS_MAX 256

struct flight {
	int64_t call_no;
	struct st_id run;
	char step[ST_NAME_MAX];
	char key[ST_GRANT_KEY_MAX];
	struct st_amounts held;
	bool count; /* only asks for the exact input count */
};

struct world {
	struct st_schemas *schemas;
	struct st_config *config;
	struct st_redactor *redactor;
	struct st_core *core;
	st_time now;
	uint64_t seed;
	struct st_buf trace;		    /* one line an event */
	struct st_rows stored;		    /* every row ever, in order: what a store would hold */
	struct flight flights[FLIGHTS_MAX]; /* calls that left and have not ended */
	size_t n_flights;
	size_t n_left; /* calls that ever left */
	size_t n_aborted;
	struct st_id run;  /* of the last reply that named one */
	struct st_id halt; /* of the last halt */
	enum st_err reply; /* the last one */
	char reply_text[1024];
	bool refused;		 /* the last reply was a verdict */
	struct st_id call;	 /* of the last client's call that was held */
	enum st_run_state state; /* of the run that was flushed last */
	size_t before;		 /* how many rows were stored before the last step */
	bool refuse_retry;	 /* failures are ones that another attempt does not help */
};

static inline void world_start(struct world *w)
{
	const struct st_core_options options = {
	    .config = w->config, .redactor = w->redactor, .schemas = w->schemas};
	const struct st_core_numbers numbers = {.run = 1, .call = 1, .scope = 1};
	w->core = st_core_new(&options, &numbers);
}

static inline void world_init_config(struct world *w, const char *config)
{
	struct st_diag diag = {0};
	*w = (struct world){.now = 1700000000000, .seed = 1};
	w->schemas = st_schemas_new();
	if (config == NULL) {
		w->config = st_config_new();
	} else {
		json_t *doc = json_loads(config, 0, NULL);
		assert_non_null(doc);
		if (st_config_decode(w->schemas, doc, &w->config, &diag) != ST_OK) {
			fail_msg("config: %s: %s", diag.pointer, diag.text);
		}
		json_decref(doc);
	}
	w->redactor = st_redactor_new();
	assert_int_equal(st_redactor_build(w->redactor, &diag), ST_OK);
	world_start(w);
}

static inline void world_init(struct world *w)
{
	world_init_config(w, NULL);
}

static inline void world_fini(struct world *w)
{
	st_core_prove(w->core);
	st_core_free(w->core);
	st_rows_fini(&w->stored);
	st_config_free(w->config);
	st_redactor_free(w->redactor);
	st_schemas_free(w->schemas);
	st_buf_fini(&w->trace);
}

static inline void world_note_row(struct world *w, const struct st_row *row)
{
	if (row->type == ST_ROW_EVENT) {
		const struct st_row_event *e = row->event;
		st_buf_addf(&w->trace, "%s%s%s", e->type, e->step[0] != '\0' ? " " : "", e->step);
		if (e->item > 0) {
			st_buf_addf(&w->trace, "[%d]", e->item);
		}
		st_buf_add_char(&w->trace, '\n');
	} else if (row->type == ST_ROW_HALT && row->halt->insert) {
		w->halt = row->halt->id;
	} else if (row->type == ST_ROW_CALL && row->call->insert && row->call->item == -1) {
		w->call = row->call->id;
	} else if (row->type == ST_ROW_RUN && !row->run->insert) {
		w->state = row->run->state;
	}
}

static inline void world_take_effect(struct world *w, struct st_effect *effect)
{
	switch (effect->type) {
	case ST_EFFECT_CALL: {
		assert_true(w->n_flights < FLIGHTS_MAX);
		struct flight *f = &w->flights[w->n_flights++];
		w->n_left++;
		f->call_no = effect->call.call_no;
		f->run = effect->call.run;
		memcpy(f->step, effect->call.step, sizeof f->step);
		(void)st_grant_key(effect->call.grant, f->key);
		f->count = effect->call.count;
		f->held = *st_grant_amounts(effect->call.grant);
		break;
	}
	case ST_EFFECT_ABORT:
		w->n_aborted++;
		break;
	case ST_EFFECT_REPLY:
		w->reply = effect->reply.code;
		w->refused = effect->reply.refused;
		if (!st_id_is_none(effect->reply.run)) {
			w->run = effect->reply.run;
		}
		(void)snprintf(w->reply_text, sizeof w->reply_text, "%s",
			       effect->reply.body != NULL ? st_clean_text(effect->reply.body) : "");
		break;
	}
	st_effect_fini(effect);
}

/* How many settlements and holds the store has. */
static inline size_t world_count(const struct world *w, enum st_row_type type)
{
	size_t n = 0;
	for (size_t i = 0; i < w->stored.n; i++) {
		n += w->stored.of[i].type == type;
	}
	return n;
}

/* What the store would give for one run, as recovery wants it. */

static inline void world_load_run_row(const struct world *w, struct st_rows *out, int64_t run_no)
{
	struct st_row_run *row = st_rows_add_run(out);
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *from = &w->stored.of[i];
		if (from->type != ST_ROW_RUN || from->run->no != run_no) {
			continue;
		}
		struct st_row_run before = *row;
		*row = *from->run;
		row->def = row->insert ? st_strdup(row->def) : before.def;
		row->shown = NULL;
		row->error = NULL;
		if (!row->insert) {
			row->id = before.id;
			row->created_at = before.created_at;
			memcpy(row->submitted_by, before.submitted_by, sizeof row->submitted_by);
		}
		row->insert = row->insert || before.insert;
	}
}

static inline bool world_same_step(const struct st_row_step *a, const struct st_row_step *b)
{
	return a->run_no == b->run_no && a->step == b->step && a->item == b->item;
}

static inline int world_step_order(const void *a, const void *b)
{
	const struct st_row *ra = a;
	const struct st_row *rb = b;
	int64_t na = st_row_step_no(ra->step->run_no, ra->step->step, ra->step->item);
	int64_t nb = st_row_step_no(rb->step->run_no, rb->step->step, rb->step->item);
	return (na > nb) - (na < nb);
}

static inline void world_load_steps(const struct world *w, struct st_rows *out, int64_t run_no)
{
	size_t first = out->n;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *from = &w->stored.of[i];
		if (from->type != ST_ROW_STEP || from->step->run_no != run_no) {
			continue;
		}
		struct st_row_step *row = NULL;
		for (size_t k = first; k < out->n; k++) {
			row = world_same_step(out->of[k].step, from->step) ? out->of[k].step : row;
		}
		row = row == NULL ? st_rows_add_step(out) : row;
		char *output = row->output;
		*row = *from->step;
		row->output = row->output != NULL ? st_strdup(row->output) : st_strdup(output);
		st_free(output);
		row->shown = NULL;
		row->citations = NULL;
		row->error = NULL;
	}
	qsort(out->of + first, out->n - first, sizeof out->of[0], world_step_order);
}

static inline void world_load_accounts(const struct world *w, struct st_rows *out, int64_t run_no)
{
	size_t first = out->n;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *from = &w->stored.of[i];
		if (from->type != ST_ROW_ACCOUNT || from->account->scope_no > 0 ||
		    from->account->run_no != run_no) {
			continue;
		}
		struct st_row_account *row = NULL;
		for (size_t k = first; k < out->n; k++) {
			row =
			    out->of[k].account->no == from->account->no ? out->of[k].account : row;
		}
		row = row == NULL ? st_rows_add_account(out) : row;
		*row = *from->account;
	}
}

static inline bool world_has_end(const struct world *w, int64_t hold_no)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_SETTLEMENT && row->settlement->hold_no == hold_no) {
			return true;
		}
	}
	return false;
}

static inline enum st_hold_state world_call_state(const struct world *w, int64_t no)
{
	enum st_hold_state state = ST_HOLD_HELD;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		state = row->type == ST_ROW_CALL && row->call->no == no ? row->call->state : state;
	}
	return state;
}

static inline st_time world_call_expiry(const struct world *w, int64_t no)
{
	st_time at = ST_TIME_NONE;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		at = row->type == ST_ROW_CALL && row->call->no == no ? row->call->expires_at : at;
	}
	return at;
}

static inline void world_load_calls(const struct world *w, struct st_rows *out, int64_t run_no)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *from = &w->stored.of[i];
		if (from->type != ST_ROW_HOLD || from->hold->run_no != run_no ||
		    world_has_end(w, from->hold->no)) {
			continue;
		}
		*st_rows_add_hold(out) = *from->hold;
		const struct st_row_call *call = w->stored.of[i + 1].call; /* right behind it */
		assert_int_equal(w->stored.of[i + 1].type, ST_ROW_CALL);
		struct st_row_call *row = st_rows_add_call(out);
		*row = *call;
		row->params = NULL;
		row->intent = NULL;
		row->result = NULL;
		row->state = world_call_state(w, call->no);
		row->expires_at = world_call_expiry(w, call->no);
	}
}

static inline void world_load_halt(const struct world *w, struct st_rows *out, int64_t run_no)
{
	const struct st_row_halt *open = NULL;
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_HALT && row->halt->run_no == run_no) {
			open = row->halt->insert ? row->halt : NULL;
		}
	}
	if (open == NULL) {
		return;
	}
	struct st_row_halt *row = st_rows_add_halt(out);
	*row = *open;
	row->verdict_json = open->verdict != NULL ? st_strdup(st_clean_text(open->verdict)) : NULL;
	row->verdict = NULL;
	row->intent = NULL;
	row->reason = NULL;
}

static inline void world_load_scopes(const struct world *w, struct st_rows *out)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *scope = &w->stored.of[i];
		if (scope->type != ST_ROW_SCOPE) {
			continue;
		}
		*st_rows_add_scope(out) = *scope->scope;
		size_t first = out->n;
		for (size_t k = 0; k < w->stored.n; k++) {
			const struct st_row *from = &w->stored.of[k];
			if (from->type != ST_ROW_ACCOUNT ||
			    from->account->scope_no != scope->scope->no) {
				continue;
			}
			struct st_row_account *row = NULL;
			for (size_t m = first; m < out->n; m++) {
				row = out->of[m].account->no == from->account->no
					  ? out->of[m].account
					  : row;
			}
			row = row == NULL ? st_rows_add_account(out) : row;
			*row = *from->account;
		}
	}
}

static inline void world_load_pulse(const struct world *w, struct st_rows *out)
{
	for (size_t i = w->stored.n; i-- > 0;) {
		if (w->stored.of[i].type == ST_ROW_PULSE) {
			*st_rows_add_pulse(out) = *w->stored.of[i].pulse;
			return;
		}
	}
}

static inline void world_gather(const struct world *w, struct st_rows *rows, int64_t run_no)
{
	world_load_run_row(w, rows, run_no);
	world_load_steps(w, rows, run_no);
	world_load_accounts(w, rows, run_no);
	world_load_calls(w, rows, run_no);
	world_load_halt(w, rows, run_no);
}

static inline int64_t world_run_no(const struct world *w, struct st_id run)
{
	for (size_t i = 0; i < w->stored.n; i++) {
		const struct st_row *row = &w->stored.of[i];
		if (row->type == ST_ROW_RUN && row->run->insert && st_id_equal(row->run->id, run)) {
			return row->run->no;
		}
	}
	return 0;
}

static inline bool world_needs_load(const struct world *w, const struct st_event *event)
{
	bool of_run = event->type == ST_EVENT_DECIDE || event->type == ST_EVENT_CANCEL ||
		      event->type == ST_EVENT_PAUSE || event->type == ST_EVENT_RESUME ||
		      event->type == ST_EVENT_LIMITS || event->type == ST_EVENT_CLIENT_HOLD ||
		      event->type == ST_EVENT_CLIENT_END || event->type == ST_EVENT_CLIENT_EXTEND ||
		      event->type == ST_EVENT_STEP_END;
	return of_run && !st_core_has(w->core, event->run) && world_run_no(w, event->run) > 0;
}

static inline void world_step(struct world *w, struct st_event *event)
{
	struct st_update update = {0};
	event->now = w->now;
	event->random[0] = w->seed++;
	event->random[1] = 7;
	event->reply = w;
	if (world_needs_load(w, event)) { /* as the shell does: no flush in between */
		struct st_rows rows = {0};
		struct st_event load = {.type = ST_EVENT_LOAD, .now = w->now};
		world_gather(w, &rows, world_run_no(w, event->run));
		load.load.rows = &rows;
		st_core_step(w->core, &load, &update);
		st_rows_fini(&rows);
	}
	st_core_step(w->core, event, &update);
	st_core_flush(w->core, &update);
	st_core_prove(w->core);
	w->before = w->stored.n;
	for (size_t i = 0; i < update.rows.n; i++) {
		world_note_row(w, &update.rows.of[i]);
		st_rows_move(&w->stored, &update.rows.of[i]);
	}
	st_rows_release(&update.rows);
	for (size_t i = 0; i < update.n_effects; i++) {
		world_take_effect(w, &update.effects[i]);
	}
	st_free(update.effects);
}

static inline struct st_actor world_actor(const char *name, enum st_role role)
{
	struct st_actor actor = {.role = role};
	(void)snprintf(actor.name, sizeof actor.name, "%s", name);
	return actor;
}

/* Submits as "ann"; fails the test when the definition is not accepted. */
static inline void world_submit(struct world *w, const char *definition)
{
	struct st_diag diag = {0};
	json_t *doc = NULL;
	struct st_event event = {.type = ST_EVENT_SUBMIT};
	if (st_json_parse(definition, strlen(definition), ST_JSON_BYTES_MAX, &doc, &diag) !=
	    ST_OK) {
		fail_msg("definition: %s", diag.text);
	}
	const struct st_def_input input = {.doc = doc, .config = w->config};
	if (st_def_decode(w->schemas, &input, &event.submit.def, &diag) != ST_OK ||
	    st_admit_check(event.submit.def, w->config, &diag) != ST_OK) {
		fail_msg("definition: %s: %s", diag.pointer, diag.text);
	}
	json_decref(doc);
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	world_step(w, &event);
	assert_int_equal(w->reply, ST_OK);
}

static inline struct flight world_land(struct world *w, const char *step)
{
	for (size_t i = 0; i < w->n_flights; i++) {
		if (strcmp(w->flights[i].step, step) == 0) {
			struct flight f = w->flights[i];
			memmove(&w->flights[i], &w->flights[i + 1],
				(w->n_flights - i - 1) * sizeof f);
			w->n_flights--;
			return f;
		}
	}
	fail_msg("no call of %s is in flight; trace:\n%s", step, w->trace.data);
	return (struct flight){0};
}

static inline void world_tell_count(struct world *w, const struct flight *f, int64_t tokens)
{
	struct st_event event = {.type = ST_EVENT_COUNTED, .run = f->run};
	event.counted.call_no = f->call_no;
	event.counted.input_tokens = tokens;
	world_step(w, &event);
}

/* Says how a call ended. `used` NULL: what was held. */
static inline void world_tell_end(struct world *w, const struct flight *f,
				  enum st_outcome_state state, const struct st_amounts *used)
{
	struct st_outcome outcome = {
	    .state = state,
	    .retryable = state != ST_OUTCOME_SUCCEEDED && !w->refuse_retry,
	    .retry_after_ms = -1,
	    .usage_known = true,
	    .usage = used != NULL ? *used : f->held,
	    .model = {-1, -1, -1, -1, -1},
	};
	if (f->count && state == ST_OUTCOME_SUCCEEDED) {
		world_tell_count(w, f, 100);
		return;
	}
	if (state != ST_OUTCOME_SUCCEEDED) {
		(void)snprintf(outcome.error_code, sizeof outcome.error_code, "test.error");
		(void)snprintf(outcome.error, sizeof outcome.error, "as the test says");
	}
	struct st_event event = {.type = ST_EVENT_CALL_ENDED, .run = f->run};
	event.ended.call_no = f->call_no;
	event.ended.outcome = &outcome;
	event.ended.wall_ms = 5;
	event.ended.first_byte_ms = -1;
	event.ended.status = -1;
	world_step(w, &event);
}

/* Ends the oldest call in flight of this step. */
static inline void world_end(struct world *w, const char *step, enum st_outcome_state state,
			     const struct st_amounts *used)
{
	struct flight f = world_land(w, step);
	world_tell_end(w, &f, state, used);
}

static inline void world_decide(struct world *w, const char *who, struct st_decide decide)
{
	struct st_event event = {.type = ST_EVENT_DECIDE, .run = w->run, .decide = decide};
	event.actor = world_actor(who, ST_ROLE_APPROVER);
	world_step(w, &event);
}

static inline void world_control(struct world *w, enum st_event_type type)
{
	struct st_event event = {.type = type, .run = w->run};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	world_step(w, &event);
}

/* A client asks for a hold of so many tokens; 600 seconds, as "ann". */
static inline void world_hold(struct world *w, const char *step, int64_t tokens)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_HOLD, .run = w->run};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	event.hold.step = step;
	(void)snprintf(event.hold.kind, sizeof event.hold.kind, "test.call");
	event.hold.amounts.of[ST_METER_TOKENS] = tokens;
	event.hold.ttl_seconds = ST_CLIENT_TTL_SECONDS;
	world_step(w, &event);
}

static inline void world_extend(struct world *w, struct st_id call)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_EXTEND, .run = w->run};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	event.extend.call = call;
	event.extend.ttl_seconds = ST_CLIENT_TTL_SECONDS;
	world_step(w, &event);
}

static inline void world_end_call(struct world *w, struct st_client_end end)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_END, .run = w->run, .end = end};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	world_step(w, &event);
}

/* What was really used: tokens. */
static inline void world_settle(struct world *w, struct st_id call, int64_t tokens)
{
	struct st_client_end end = {.call = call, .usage_known = true};
	end.usage.of[ST_METER_TOKENS] = tokens;
	world_end_call(w, end);
}

static inline void world_end_step(struct world *w, const char *step, int item, bool succeeded)
{
	struct st_event event = {.type = ST_EVENT_STEP_END, .run = w->run};
	event.actor = world_actor("ann", ST_ROLE_SUBMITTER);
	(void)snprintf(event.step_end.step, sizeof event.step_end.step, "%s", step);
	event.step_end.item = item;
	event.step_end.succeeded = succeeded;
	event.step_end.error = succeeded ? NULL : "as the test says";
	world_step(w, &event);
}

/* Lets the time pass to the core's deadline. */
static inline void world_wait(struct world *w)
{
	st_time due = st_core_deadline(w->core);
	assert_true(due != ST_TIME_NONE);
	w->now = due > w->now ? due : w->now;
	struct st_event event = {.type = ST_EVENT_TIMER};
	world_step(w, &event);
}

static inline void world_load_event(struct world *w, struct st_rows *rows)
{
	struct st_event event = {.type = ST_EVENT_LOAD, .load = {.rows = rows}};
	world_step(w, &event);
	st_rows_fini(rows);
}

/* An older copy of the store: only its first n rows. */
static inline void world_lose_rows(struct world *w, size_t n)
{
	struct st_rows lost = {0};
	for (size_t i = n; i < w->stored.n; i++) {
		st_rows_move(&lost, &w->stored.of[i]);
	}
	w->stored.n = n;
	st_rows_fini(&lost);
}

/* kill -9 and start again: only what was stored is left, calls in flight are forgotten. */
static inline void world_crash(struct world *w, int64_t n_runs)
{
	struct st_rows rows = {0};
	const struct st_core_options options = {
	    .config = w->config, .redactor = w->redactor, .schemas = w->schemas};
	const struct st_core_numbers numbers = {
	    .run = n_runs + 1, .call = (int64_t)world_count(w, ST_ROW_HOLD) + 1, .scope = 1};
	st_core_free(w->core);
	w->core = st_core_new(&options, &numbers);
	w->n_flights = 0;
	world_load_pulse(w, &rows);
	world_load_scopes(w, &rows);
	for (int64_t no = 1; no <= n_runs; no++) {
		world_gather(w, &rows, no);
	}
	world_load_event(w, &rows);
}

/* The trace so far is exactly this; it begins anew. */
static inline void world_expect(struct world *w, const char *trace)
{
	assert_string_equal(w->trace.data != NULL ? w->trace.data : "", trace);
	st_buf_clear(&w->trace);
}

#endif
