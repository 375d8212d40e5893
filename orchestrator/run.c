/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/run.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/gate.h"
#include "orchestrator/registry.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"
#include "telemetry/timeline.h"

static void keep_wall_clock(struct st_turn *turn, struct st_run *run)
{
	run->active_ms = st_run_active_ms(run, turn->now);
	run->active_at = ST_TIME_NONE;
	struct st_account *wall =
	    st_accounts_open(&run->accounts, ST_METER_WALL_SECONDS, ST_UNLIMITED);
	int64_t seconds = run->active_ms / 1000;
	if (seconds <= wall->settled) {
		return;
	}
	wall->settled = seconds;
	int64_t allowed = st_add_saturating(wall->limit, wall->granted);
	wall->overrun = seconds > allowed ? seconds - allowed : 0;
	wall->dirty = true;
	run->accounts.dirty = true;
}

st_time st_run_at(const struct st_turn *turn, const struct st_run *run)
{
	return turn->now > run->last_at ? turn->now : run->last_at;
}

void st_run_move(struct st_turn *turn, struct st_run *run, enum st_run_state to)
{
	assert(st_machine_allows(&st_run_machine, (int)run->state, (int)to));
	if (run->state == ST_RUN_RUNNING) {
		keep_wall_clock(turn, run);
	}
	run->state = to;
	if (to == ST_RUN_RUNNING) {
		run->active_at = turn->now;
		if (run->started_at == ST_TIME_NONE) {
			run->started_at = st_run_at(turn, run);
		}
	}
	if (st_machine_final(&st_run_machine, (int)to)) {
		run->ended_at = st_run_at(turn, run);
	}
	st_core_touch(turn->core, run);
}

void st_step_move(struct st_turn *turn, struct st_run *run, int step, enum st_step_state to)
{
	struct st_step *s = &run->steps[step];
	assert(st_machine_allows(&st_step_machine, (int)s->state, (int)to));
	s->state = to;
	s->dirty = true;
	if (to == ST_STEP_RUNNING) {
		s->started_at = st_run_at(turn, run);
	}
	if (st_machine_final(&st_step_machine, (int)to)) {
		s->ended_at = st_run_at(turn, run);
	}
	st_core_touch(turn->core, run);
}

void st_item_move(struct st_turn *turn, struct st_run *run, struct st_item *item,
		  enum st_item_state to)
{
	assert(st_machine_allows(&st_item_machine, (int)item->state, (int)to));
	item->state = to;
	item->dirty = true;
	if (to != ST_ITEM_SLEEPING) {
		item->due = ST_TIME_NONE;
	}
	if (to == ST_ITEM_CALLING && item->started_at == ST_TIME_NONE) {
		item->started_at = st_run_at(turn, run);
	}
	if (st_machine_final(&st_item_machine, (int)to)) {
		item->ended_at = st_run_at(turn, run);
	}
	st_core_touch(turn->core, run);
}

void st_run_emit(struct st_turn *turn, struct st_run *run, const char *type, struct st_about about,
		 struct st_clean *data)
{
	struct st_row_event *event = st_rows_add_event(&turn->update->rows);
	event->run_no = run->no;
	event->run = run->id;
	event->seq = ++run->seq;
	event->at = st_run_at(turn, run);
	run->last_at = event->at;
	event->type = type;
	event->call = about.call;
	event->data = data;
	if (about.step >= 0) {
		const struct st_def_step *def = &run->def->steps[about.step];
		memcpy(event->step, def->id, sizeof event->step);
		event->item = def->for_each != NULL ? about.item + 1 : 0;
	}
	st_timeline_link(run->hash, event, event->hash);
	memcpy(run->hash, event->hash, sizeof run->hash);
	st_core_mark(turn->core, run);
}

struct st_chain st_run_chain(struct st_run *run, int step)
{
	struct st_chain chain;
	chain.of[ST_SCOPE_STEP] = step >= 0 ? &run->steps[step].accounts : &run->no_step;
	chain.of[ST_SCOPE_RUN] = &run->accounts;
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		chain.of[scope] = &run->wide[scope]->accounts;
	}
	return chain;
}

void st_run_count_time(struct st_run *run, st_time now)
{
	if (run->active_at != ST_TIME_NONE) {
		run->active_ms = st_run_active_ms(run, now);
		run->active_at = now;
	}
}

int64_t st_run_active_ms(const struct st_run *run, st_time now)
{
	int64_t since = run->active_at == ST_TIME_NONE ? 0 : now - run->active_at;
	return run->active_ms + (since > 0 ? since : 0);
}

/* How long the run may be active in all, or INT64_MAX. */
int64_t st_run_wall_limit_ms(const struct st_run *run)
{
	struct st_accounts *accounts = (struct st_accounts *)(uintptr_t)&run->accounts;
	const struct st_account *wall = st_accounts_find(accounts, ST_METER_WALL_SECONDS);
	if (wall == NULL || wall->limit == ST_UNLIMITED) {
		return INT64_MAX;
	}
	int64_t seconds = st_add_saturating(wall->limit, wall->granted);
	return seconds > INT64_MAX / 1000 ? INT64_MAX : seconds * 1000;
}

static st_time earlier(st_time a, st_time b)
{
	if (a == ST_TIME_NONE || b == ST_TIME_NONE) {
		return a == ST_TIME_NONE ? b : a;
	}
	return a < b ? a : b;
}

/* When the first call of a client comes into doubt. */
static st_time first_expiry(const struct st_run *run)
{
	st_time due = ST_TIME_NONE;
	for (size_t i = 0; i < run->n_clients; i++) {
		const struct st_client_call *call = &run->clients[i];
		if (call->flight->state == ST_HOLD_SENT) {
			due = earlier(due, call->expires_at);
		}
	}
	return due;
}

st_time st_run_due(const struct st_run *run)
{
	st_time due = first_expiry(run);
	if (run->state != ST_RUN_RUNNING) {
		return due;
	}
	int64_t left_ms = st_run_wall_limit_ms(run) - run->active_ms;
	if (left_ms <= ST_TIME_MAX - run->active_at) {
		due = earlier(due, run->active_at + left_ms);
	}
	for (size_t i = 0; i < run->def->n_steps; i++) {
		const struct st_step *step = &run->steps[i];
		if (step->state != ST_STEP_RUNNING) {
			continue;
		}
		for (int k = 0; k < step->n_items; k++) {
			if (step->items[k].state == ST_ITEM_SLEEPING) {
				due = earlier(due, step->items[k].due);
			}
		}
	}
	return due;
}

bool st_run_parked(const struct st_run *run)
{
	bool queued = run->queued[ST_SLOT_CALL] || run->queued[ST_SLOT_JOB];
	return run->n_flights == 0 && run->n_clients_sent == 0 && !queued &&
	       run->state != ST_RUN_RUNNING && run->state != ST_RUN_QUEUED;
}

struct st_run *st_run_new(struct st_core *core, struct st_def *def)
{
	struct st_run *run = st_alloc(sizeof *run);
	run->def = def;
	run->halt.step = -1;
	run->no_step.scope = ST_SCOPE_STEP;
	run->started_at = ST_TIME_NONE;
	run->ended_at = ST_TIME_NONE;
	run->active_at = ST_TIME_NONE;
	run->due = ST_TIME_NONE;
	run->heap_index = SIZE_MAX;
	run->steps = st_alloc_array(def->n_steps, sizeof *run->steps);
	for (size_t i = 0; i < def->n_steps; i++) {
		run->steps[i].kind = st_kind_find(def->steps[i].uses);
		run->steps[i].started_at = ST_TIME_NONE;
		run->steps[i].ended_at = ST_TIME_NONE;
	}
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
		run->wide[scope] = st_core_wide(core, (enum st_scope)scope, def->scope_id[scope]);
	}
	return run;
}

static void free_flight(struct st_flight *flight)
{
	if (flight != NULL) {
		st_grant_free(flight->grant);
		json_decref(flight->params);
		st_free(flight);
	}
}

static void free_item(struct st_item *item)
{
	json_decref(item->value);
	json_decref(item->output);
	st_clean_free(item->citations);
	st_clean_free(item->error);
	st_approval_free(item->approval);
	free_flight(item->flight);
}

void st_run_free(struct st_run *run)
{
	for (size_t i = 0; i < run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		for (int k = 0; k < step->n_items; k++) {
			free_item(&step->items[k]);
		}
		st_free(step->items);
		st_accounts_fini(&step->accounts);
		st_clean_free(step->error);
		json_decref(step->view);
	}
	for (size_t i = 0; i < run->n_clients; i++) {
		free_flight(run->clients[i].flight);
	}
	st_free(run->clients);
	st_approval_free(run->approval);
	st_free(run->steps);
	st_accounts_fini(&run->accounts);
	st_free(run->halt.verdict);
	st_clean_free(run->error);
	json_decref(run->view);
	st_def_free(run->def);
	st_free(run);
}

/* Halting and going on */

void st_run_halt(struct st_turn *turn, struct st_run *run, const struct st_halt *halt,
		 struct st_clean *intent)
{
	assert(run->halt.kind == ST_HALT_NONE);
	run->halt = *halt;
	run->halt.id = st_id_next(&turn->ids);
	run->halt.since = st_run_at(turn, run);
	if (halt->verdict != NULL) {
		run->halt.verdict = st_verdict_copy(halt->verdict);
	}
	struct st_row_halt *row = st_rows_add_halt(&turn->update->rows);
	row->insert = true;
	row->id = run->halt.id;
	row->run_no = run->no;
	row->kind = halt->kind;
	row->step = halt->step;
	row->item = halt->item;
	row->call = halt->call;
	row->since = st_run_at(turn, run);
	row->decided_at = ST_TIME_NONE;
	memcpy(row->params_hash, halt->params_hash, sizeof row->params_hash);
	struct st_about about = {.step = halt->step, .item = halt->item, .call = halt->call};
	st_run_count_time(run, turn->now);
	if (halt->verdict != NULL) {
		row->verdict = st_tell_verdict(turn, halt->verdict);
		st_run_emit(turn, run, "verdict.refused", about, st_clean_copy(row->verdict));
	}
	st_run_emit(turn, run, halt->kind == ST_HALT_PAUSED ? "run.paused" : "run.halted", about,
		    st_tell_halted(turn, run, intent));
	row->intent = intent;
	st_run_move(turn, run, ST_RUN_HALTED);
}

/* Who waits for a person works no further: the time of a client's steps stands still. */
static void move_clients_due(struct st_turn *turn, struct st_run *run)
{
	for (size_t i = 0; i < run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		if (step->kind->via != ST_VIA_CLIENT) {
			continue;
		}
		for (int k = 0; k < step->n_items; k++) {
			struct st_item *item = &step->items[k];
			if (item->state == ST_ITEM_SLEEPING) {
				item->due += turn->now - run->halt.since;
				item->dirty = true;
			}
		}
	}
}

void st_run_close_halt(struct st_turn *turn, struct st_run *run, const char *decision,
		       struct st_clean *reason)
{
	assert(run->halt.kind != ST_HALT_NONE);
	move_clients_due(turn, run);
	struct st_row_halt *row = st_rows_add_halt(&turn->update->rows);
	row->id = run->halt.id;
	row->run_no = run->no;
	row->decided_at = st_run_at(turn, run);
	(void)snprintf(row->decision, sizeof row->decision, "%s", decision);
	memcpy(row->by, turn->actor->name, sizeof row->by);
	row->reason = reason;
	st_free(run->halt.verdict);
	run->halt = (struct st_halt){.step = -1};
	st_core_mark(turn->core, run);
}

void st_run_continue(struct st_turn *turn, struct st_run *run, const char *why,
		     const struct st_clean *reason)
{
	assert(run->state == ST_RUN_HALTED);
	assert(run->halt.kind == ST_HALT_NONE);
	st_run_move(turn, run, ST_RUN_RUNNING);
	st_run_emit(turn, run, "run.resumed", ST_ABOUT_RUN, st_tell_resumed(turn, why, reason));
}

void st_run_resolved(struct st_turn *turn, struct st_run *run, struct st_id call,
		     struct st_clean *reason)
{
	if (run->halt.kind != ST_HALT_IN_DOUBT || !st_id_equal(run->halt.call, call)) {
		st_clean_free(reason);
		return;
	}
	st_run_close_halt(turn, run, "resolved", reason);
	st_run_continue(turn, run, "resolved", NULL);
}
