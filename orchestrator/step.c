/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/step.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/run.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"
#include "steps/template.h"

static json_t *step_output(const struct st_run *run, int step)
{
	const struct st_step *s = &run->steps[step];
	if (run->def->steps[step].for_each == NULL) {
		return s->n_items == 1 && s->items[0].output != NULL
			   ? json_incref(s->items[0].output)
			   : json_null();
	}
	json_t *all = json_array();
	for (int k = 0; k < s->n_items; k++) {
		json_t *output = s->items[k].output;
		(void)json_array_append_new(all,
					    output != NULL ? json_incref(output) : json_null());
	}
	return all;
}

void st_step_fail(struct st_turn *turn, struct st_run *run, int step, struct st_failure failure)
{
	const char *code = failure.code;
	struct st_clean *error = failure.error;
	struct st_step *s = &run->steps[step];
	(void)snprintf(s->error_code, sizeof s->error_code, "%s", code);
	st_clean_free(s->error);
	s->error = error;
	st_step_move(turn, run, step, ST_STEP_FAILED);
	const struct st_about about = ST_ABOUT_STEP(step);
	st_run_emit(turn, run, "step.failed", about, st_tell_error(turn, code, error));
	if (run->def->steps[step].continue_on_error || run->failing ||
	    st_machine_final(&st_run_machine, (int)run->state)) {
		return;
	}
	run->failing = true;
	memcpy(run->error_code, s->error_code, sizeof run->error_code);
	run->error = st_clean_copy(error);
}

void st_step_end_if_done(struct st_turn *turn, struct st_run *run, int step)
{
	struct st_step *s = &run->steps[step];
	const struct st_item *failed = NULL;
	bool cancelled = false;
	for (int k = 0; k < s->n_items; k++) {
		const struct st_item *item = &s->items[k];
		if (!st_machine_final(&st_item_machine, (int)item->state)) {
			return;
		}
		failed = failed == NULL && item->state == ST_ITEM_FAILED ? item : failed;
		cancelled = cancelled || item->state == ST_ITEM_CANCELLED;
	}
	const struct st_about about = ST_ABOUT_STEP(step);
	if (failed != NULL) {
		st_step_fail(turn, run, step,
			     (struct st_failure){failed->error_code, st_clean_copy(failed->error)});
	} else if (cancelled) {
		st_step_move(turn, run, step, ST_STEP_CANCELLED);
	} else {
		st_step_move(turn, run, step, ST_STEP_SUCCEEDED);
		st_run_emit(turn, run, "step.succeeded", about, st_tell_nothing(turn));
	}
}

void st_item_succeed(struct st_turn *turn, struct st_run *run, int step, int item)
{
	st_item_move(turn, run, &run->steps[step].items[item], ST_ITEM_SUCCEEDED);
	st_step_end_if_done(turn, run, step);
}

void st_item_cancel(struct st_turn *turn, struct st_run *run, int step, int item)
{
	st_item_move(turn, run, &run->steps[step].items[item], ST_ITEM_CANCELLED);
	st_step_end_if_done(turn, run, step);
}

bool st_step_is_failing(const struct st_step *step)
{
	for (int k = 0; k < step->n_items; k++) {
		if (step->items[k].state == ST_ITEM_FAILED) {
			return true;
		}
	}
	return false;
}

void st_step_hold_back(struct st_turn *turn, struct st_run *run, int step)
{
	struct st_step *s = &run->steps[step];
	for (int k = 0; k < s->n_items; k++) {
		struct st_item *item = &s->items[k];
		bool idle = item->state == ST_ITEM_WAITING || item->state == ST_ITEM_SLEEPING;
		if (idle && item->flight == NULL) {
			st_item_move(turn, run, item, ST_ITEM_CANCELLED);
		}
	}
}

void st_item_fail(struct st_turn *turn, struct st_run *run, int step, int item,
		  struct st_failure failure)
{
	struct st_step *s = &run->steps[step];
	struct st_item *failed = &s->items[item];
	(void)snprintf(failed->error_code, sizeof failed->error_code, "%s", failure.code);
	st_clean_free(failed->error);
	failed->error = failure.error;
	st_item_move(turn, run, failed, ST_ITEM_FAILED);
	st_step_hold_back(turn, run, step);
	st_step_end_if_done(turn, run, step);
}

void st_step_skip(struct st_turn *turn, struct st_run *run, int step, const char *why)
{
	st_step_move(turn, run, step, ST_STEP_SKIPPED);
	st_run_emit(turn, run, "step.skipped", ST_ABOUT_STEP(step), st_tell_skipped(turn, why));
}

bool st_step_asks_for_status(const struct st_run *run, int step)
{
	const struct st_def_step *def = &run->def->steps[step];
	struct st_expr *expr = NULL;
	if (def->condition == NULL || st_condition_parse(def->condition, &expr, NULL) != ST_OK) {
		return false;
	}
	bool asks = st_expr_uses_status(expr);
	st_expr_free(expr);
	return asks;
}

/* Expressions see a step that ended as {"output", "state", "error"}. */
static json_t *view_of_step(const struct st_run *run, int i)
{
	const struct st_step *step = &run->steps[i];
	const char *state = st_machine_state_name(&st_step_machine, (int)step->state);
	json_t *view = json_object();
	(void)json_object_set_new(view, "output", step_output(run, i));
	(void)json_object_set_new(view, "state", json_string(state));
	(void)json_object_set_new(view, "error",
				  step->error_code[0] != '\0' ? json_string(step->error_code)
							      : json_null());
	return view;
}

static const json_t *look_up_step(void *arg, const char *name)
{
	struct st_run *run = arg;
	for (int i = 0; i < (int)run->def->n_steps; i++) {
		struct st_step *step = &run->steps[i];
		if (strcmp(run->def->steps[i].id, name) != 0 ||
		    !st_machine_final(&st_step_machine, (int)step->state)) {
			continue;
		}
		if (step->view == NULL) {
			step->view = view_of_step(run, i);
		}
		return step->view;
	}
	return NULL;
}

static json_t *view_of_run(const struct st_run *run)
{
	char id[ST_ID_TEXT_MAX];
	json_t *view = json_object();
	(void)json_object_set_new(view, "id", json_string(st_id_format(run->id, ST_ID_RUN, id)));
	(void)json_object_set_new(view, "name", json_string(run->def->name));
	(void)json_object_set_new(view, "kind", json_string(st_run_kind_name(run->def->kind)));
	for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_PLATFORM; scope++) {
		(void)json_object_set_new(view, st_scope_name((enum st_scope)scope),
					  json_string(run->def->scope_id[scope]));
	}
	return view;
}

struct st_expr_scope st_run_expr_scope(struct st_run *run, int step, const struct st_item *item)
{
	const struct st_def_step *def = &run->def->steps[step];
	if (run->view == NULL) {
		run->view = view_of_run(run);
	}
	struct st_expr_scope scope = {
	    .params = run->def->params,
	    .item = item != NULL ? item->value : NULL,
	    .run = run->view,
	    .step = look_up_step,
	    .arg = run,
	    .needs_succeeded = true,
	};
	for (size_t i = 0; i < def->n_needs; i++) {
		enum st_step_state state = run->steps[def->needs[i]].state;
		scope.needs_succeeded = scope.needs_succeeded && state == ST_STEP_SUCCEEDED;
		scope.needs_failed = scope.needs_failed || state == ST_STEP_FAILED;
	}
	return scope;
}

void st_step_make_items(struct st_step *step, int n)
{
	step->n_items = n;
	step->items = st_alloc_array((size_t)n, sizeof *step->items);
	for (int k = 0; k < n; k++) {
		step->items[k].due = ST_TIME_NONE;
		step->items[k].started_at = ST_TIME_NONE;
		step->items[k].ended_at = ST_TIME_NONE;
		step->items[k].counted_input = -1;
		step->items[k].dirty = true;
	}
	step->expanded = true;
}

int st_step_expand(struct st_run *run, int step, struct st_diag *diag)
{
	const struct st_def_step *def = &run->def->steps[step];
	struct st_step *s = &run->steps[step];
	if (def->for_each == NULL) {
		if (!s->expanded) {
			st_step_make_items(s, 1);
		}
		return ST_OK;
	}
	json_t *list = NULL;
	const struct st_expr_scope scope = st_run_expr_scope(run, step, NULL);
	int err = st_template_eval(def->for_each, &scope, &list, diag);
	if (err != ST_OK) {
		return err;
	}
	size_t n = json_array_size(list);
	if (!json_is_array(list) || n > ST_FOR_EACH_MAX) {
		json_decref(list);
		return st_fail(diag, ST_ERR_INVALID,
			       "for_each must give an array of at most %d items", ST_FOR_EACH_MAX);
	}
	if (!s->expanded) {
		st_step_make_items(s, (int)n);
	}
	if (s->n_items != (int)n) {
		json_decref(list);
		return st_fail(diag, ST_ERR_CORRUPT, "for_each once gave %d items and now %zu",
			       s->n_items, n);
	}
	for (size_t k = 0; k < n; k++) {
		s->items[k].value = json_incref(json_array_get(list, k));
	}
	json_decref(list);
	return ST_OK;
}
