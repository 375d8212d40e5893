/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/schedule.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/call.h"
#include "orchestrator/client_call.h"
#include "orchestrator/run.h"
#include "orchestrator/step.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"
#include "steps/template.h"

/* Seconds more that a halt on the wall clock asks for: a quarter of the limit, at least a minute.
 */
#define WALL_ASK_MIN_SECONDS 60

/* The first call in doubt, if any: a run does not go on while one is open. */
static bool find_doubt(const struct st_run *run, struct st_halt *halt)
{
	for (size_t i = 0; i < run->def->n_steps && run->n_doubts > 0; i++) {
		for (int k = 0; k < run->steps[i].n_items; k++) {
			const struct st_item *item = &run->steps[i].items[k];
			if (item->state == ST_ITEM_IN_DOUBT) {
				*halt = (struct st_halt){.kind = ST_HALT_IN_DOUBT,
							 .step = (int)i,
							 .item = k,
							 .call = item->call};
				return true;
			}
		}
	}
	const struct st_client_call *client = st_client_doubt(run);
	if (client != NULL) {
		*halt = (struct st_halt){.kind = ST_HALT_IN_DOUBT,
					 .step = client->step,
					 .item = -1,
					 .call = st_grant_call(client->flight->grant)};
	}
	return client != NULL;
}

/* A reason to halt that is there whatever the steps do. */
static bool standing_halt(const struct st_run *run, struct st_halt *halt)
{
	if (find_doubt(run, halt)) {
		return true;
	}
	*halt = (struct st_halt){.kind = ST_HALT_PAUSED, .step = -1};
	return run->paused;
}

static void halt_on_wall_clock(struct st_turn *turn, struct st_run *run)
{
	const struct st_account *wall = st_accounts_find(&run->accounts, ST_METER_WALL_SECONDS);
	struct st_verdict verdict; /* large, and filled only as far as it is needed */
	verdict.allowed = false;
	verdict.suggestion = ST_SUGGEST_REQUEST_APPROVAL;
	verdict.until = ST_TIME_NONE;
	verdict.n_refused = 1;
	verdict.refused[0] = (struct st_refusal){
	    .scope = ST_SCOPE_RUN,
	    .meter = ST_METER_WALL_SECONDS,
	    .limit = wall->limit,
	    .granted = wall->granted,
	    .settled = st_run_active_ms(run, turn->now) / 1000,
	    .asked =
		wall->limit / 4 > WALL_ASK_MIN_SECONDS ? wall->limit / 4 : WALL_ASK_MIN_SECONDS,
	};
	memcpy(verdict.refused[0].scope_id, run->accounts.id, sizeof run->accounts.id);
	const struct st_halt halt = {.kind = ST_HALT_BUDGET, .step = -1, .verdict = &verdict};
	st_run_halt(turn, run, &halt, NULL);
}

enum readiness { NOT_YET, GO, SKIP };

static int eval_condition(struct st_run *run, int step, bool *go, struct st_diag *diag)
{
	struct st_expr *expr = NULL;
	const char *text = run->def->steps[step].condition;
	*go = true;
	if (text == NULL) {
		return ST_OK;
	}
	int err = st_condition_parse(text, &expr, diag);
	if (err == ST_OK) {
		const struct st_expr_scope scope = st_run_expr_scope(run, step, NULL);
		err = st_condition_eval(expr, &scope, go, diag);
	}
	st_expr_free(expr);
	return err;
}

static enum readiness readiness_of(const struct st_run *run, int step)
{
	const struct st_def_step *def = &run->def->steps[step];
	bool broken = run->failing;
	for (size_t i = 0; i < def->n_needs; i++) {
		int need = def->needs[i];
		enum st_step_state state = run->steps[need].state;
		if (!st_machine_final(&st_step_machine, (int)state)) {
			return NOT_YET;
		}
		bool forgiven = state == ST_STEP_FAILED && run->def->steps[need].continue_on_error;
		broken = broken || (state != ST_STEP_SUCCEEDED && !forgiven);
	}
	return broken && !st_step_asks_for_status(run, step) ? SKIP : GO;
}

static void fail_before_start(struct st_turn *turn, struct st_run *run, int step,
			      const struct st_diag *diag)
{
	st_step_fail(turn, run, step,
		     (struct st_failure){"definition.expression", st_tell_text(turn, diag->text)});
}

static void start_step(struct st_turn *turn, struct st_run *run, int step)
{
	struct st_diag diag = {0};
	bool go = true;
	if (eval_condition(run, step, &go, &diag) != ST_OK) {
		fail_before_start(turn, run, step, &diag);
		return;
	}
	if (!go) {
		st_step_skip(turn, run, step, "condition_false");
		return;
	}
	if (st_step_expand(run, step, &diag) != ST_OK) {
		fail_before_start(turn, run, step, &diag);
		return;
	}
	st_step_move(turn, run, step, ST_STEP_RUNNING);
	st_run_emit(turn, run, "step.started", ST_ABOUT_STEP(step),
		    st_tell_started(turn, run, step));
	st_step_end_if_done(turn, run, step); /* a for_each over nothing */
}

/* Tries the waiting items of a running step. */
static void push_step(struct st_turn *turn, struct st_run *run, int step)
{
	struct st_step *s = &run->steps[step];
	int most = run->def->steps[step].for_each_concurrent;
	int active = 0;
	if (st_step_is_failing(s)) {
		st_step_hold_back(turn, run, step);
		st_step_end_if_done(turn, run, step);
	}
	for (int k = 0; k < s->n_items; k++) {
		enum st_item_state state = s->items[k].state;
		active +=
		    state != ST_ITEM_WAITING && !st_machine_final(&st_item_machine, (int)state);
	}
	for (int k = 0; k < s->n_items && active < most; k++) {
		if (run->state != ST_RUN_RUNNING || s->state != ST_STEP_RUNNING) {
			return;
		}
		if (s->items[k].state == ST_ITEM_WAITING) {
			st_call_try(turn, run, step, k);
			active += s->items[k].state != ST_ITEM_WAITING;
		}
	}
}

static void time_out(struct st_turn *turn, struct st_run *run, int step, int k)
{
	st_item_fail(turn, run, step, k,
		     (struct st_failure){"client.timeout",
					 st_tell_text(turn, "its client did not end it in time")});
}

static void wake_items(struct st_turn *turn, struct st_run *run)
{
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		if (step->state != ST_STEP_RUNNING) {
			continue;
		}
		for (int k = 0; k < step->n_items; k++) {
			struct st_item *item = &step->items[k];
			if (item->state != ST_ITEM_SLEEPING || item->due > turn->now) {
				continue;
			}
			if (step->kind->via == ST_VIA_TIMER) {
				st_item_succeed(turn, run, i, k);
			} else if (step->kind->via == ST_VIA_CLIENT) {
				time_out(turn, run, i, k);
			} else {
				st_item_move(turn, run, item, ST_ITEM_WAITING);
			}
		}
	}
}

/* One pass over the graph; true when a step ended, so that others may start. */
static bool pass(struct st_turn *turn, struct st_run *run)
{
	bool ended = false;
	for (int i = 0; i < (int)run->def->n_steps && run->state == ST_RUN_RUNNING; i++) {
		struct st_step *step = &run->steps[i];
		if (step->state == ST_STEP_PENDING) {
			enum readiness ready = readiness_of(run, i);
			if (ready == SKIP) {
				st_step_skip(turn, run, i, "earlier_step_failed_or_skipped");
			} else if (ready == GO) {
				start_step(turn, run, i);
			}
			ended = ended || st_machine_final(&st_step_machine, (int)step->state);
		}
		if (step->state == ST_STEP_RUNNING) {
			push_step(turn, run, i);
			ended = ended || step->state != ST_STEP_RUNNING;
		}
	}
	return ended;
}

static void end_run_if_done(struct st_turn *turn, struct st_run *run)
{
	for (size_t i = 0; i < run->def->n_steps; i++) {
		if (!st_machine_final(&st_step_machine, (int)run->steps[i].state)) {
			return;
		}
	}
	if (run->failing) {
		st_run_move(turn, run, ST_RUN_FAILED);
		st_run_emit(turn, run, "run.failed", ST_ABOUT_RUN, st_tell_failed(turn, run));
	} else if (run->n_clients == 0) { /* else their ends are waited for */
		st_run_move(turn, run, ST_RUN_SUCCEEDED);
		st_run_emit(turn, run, "run.succeeded", ST_ABOUT_RUN, st_tell_succeeded(turn, run));
	}
}

void st_run_schedule(struct st_turn *turn, struct st_run *run)
{
	struct st_halt halt;
	st_client_expire(turn, run);
	if (run->state != ST_RUN_RUNNING) {
		return;
	}
	wake_items(turn, run);
	if (standing_halt(run, &halt)) {
		st_run_halt(turn, run, &halt, NULL);
		return;
	}
	if (st_run_active_ms(run, turn->now) >= st_run_wall_limit_ms(run)) {
		halt_on_wall_clock(turn, run);
		return;
	}
	while (run->state == ST_RUN_RUNNING && pass(turn, run)) {
	}
	if (run->state == ST_RUN_RUNNING) {
		end_run_if_done(turn, run);
	}
}
